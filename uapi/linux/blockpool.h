/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * blockpool: pools of fixed-size blocks, lent by the kernel.
 *
 * Open /dev/blockpool, create or attach a pool, mmap() it, take and give back
 * blocks by index.  Block i lies at byte block_offset + i * stride of the mapping;
 * block_offset is 0 in a pool without guard zones.
 *
 * One open file is one *client*, and the client is the unit of ownership: what
 * it holds goes back to the pool when its last reference goes (close, exit,
 * SIGKILL, exec, the last munmap), whoever got the file by fork or by
 * SCM_RIGHTS.  A client is attached once.  One that has neither created nor
 * attached a pool is attached to the pool "default" by its first ALLOC, FREE,
 * mmap or poll whose arguments are in order, whatever comes of it.
 *
 * Every structure starts with its own size in bytes.  A structure larger than
 * the kernel's is taken if the bytes behind are zero and refused with E2BIG
 * otherwise, as is one larger than a page; a smaller one is refused with EINVAL.
 * Reserved fields must be zero (EINVAL).  Whatever fails changes nothing, unless
 * it says so below.
 *
 * errno, the same for every call:
 *
 *   EAGAIN     not as many free now, or others already wait for them
 *   ETIMEDOUT  none came free in time
 *   EINTR      a signal came first, or the process was stopped or frozen
 *   EDQUOT     the client would hold more than its limit, what it asks for in
 *              other calls at that moment included
 *   EINVAL     not a block of this pool, or a bad argument
 *   EPERM      a block that the caller does not hold
 *   EACCES     no permission on the pool, or not on an fd opened this way
 *   ENOENT     no such pool, or no more entries
 *   EEXIST     a pool of that name exists
 *   EBUSY      the client is attached already
 *   ENOMEM     no memory, or over RLIMIT_MEMLOCK or the cgroup's limit
 *   E2BIG      a structure from the future, with something in its tail
 *   EFAULT     a bad pointer
 *   EPIPE      the port has no receiver any more, nor will have one
 *   ENOTTY     unknown ioctl
 *   EOPNOTSUPP not in this pool, or not on this kernel
 */
#ifndef _UAPI_LINUX_BLOCKPOOL_H
#define _UAPI_LINUX_BLOCKPOOL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BLOCKPOOL_NAME_SIZE		32		/* with the final NUL */
#define BLOCKPOOL_COMM_SIZE		16		/* with the final NUL */
#define BLOCKPOOL_BLOCK_SIZE_MAX	(4U << 20)	/* bytes */
#define BLOCKPOOL_BLOCKS_MAX		(1U << 24)
#define BLOCKPOOL_BATCH_MAX		4096U		/* indices in one call */
#define BLOCKPOOL_NO_INDEX		(~0U)		/* never a block */
#define BLOCKPOOL_FRAMES_MAX		16U		/* of a call stack */
#define BLOCKPOOL_MODULES_SIZE		(32U << 10)	/* bytes of text */
#define BLOCKPOOL_MESSAGES_MAX		1024U		/* in one call */
#define BLOCKPOOL_DEPTH_MAX		(1U << 16)	/* messages in a port */
#define BLOCKPOOL_PORTS_MAX		256U		/* of a pool */
#define BLOCKPOOL_LINGER_MAX		60000		/* ms that any client may ask for */

/* What an owner word says; any other value is the id of a client. */
#define BLOCKPOOL_OWNER_FREE		0U
#define BLOCKPOOL_OWNER_KERNEL		1U
#define BLOCKPOOL_OWNER_QUARANTINE	2U	/* damaged: nobody gets it */
#define BLOCKPOOL_OWNER_SHARED		3U	/* several hold it, read-only */
#define BLOCKPOOL_OWNER_PORT		(1U << 30)	/* + a port: in flight to it */

/* Pool flags, in blockpool_create_args and blockpool_info. */
#define BLOCKPOOL_PERSIST	(1U << 0)	/* keep it until it is unlinked */
#define BLOCKPOOL_ON_NODE	(1U << 1)	/* memory of the NUMA node named */
#define BLOCKPOOL_ISOLATED	(1U << 2)	/* clients reach what they hold only */
#define BLOCKPOOL_GUARD		(1U << 8)	/* G: guard zones round each block */
#define BLOCKPOOL_POISON	(1U << 9)	/* P: free blocks have a known content */
#define BLOCKPOOL_TRACK		(1U << 10)	/* T: who took and freed each block */
#define BLOCKPOOL_CONSISTENCY	(1U << 11)	/* C: the whole pool at each call */
#define BLOCKPOOL_DEBUG		(BLOCKPOOL_GUARD | BLOCKPOOL_POISON | \
				 BLOCKPOOL_TRACK | BLOCKPOOL_CONSISTENCY)
#define BLOCKPOOL_UNLINKED	(1U << 31)	/* info only: it has no name now */

/* Flags of blockpool_alloc_args. */
#define BLOCKPOOL_ALLOC_WAIT	(1U << 0)	/* sleep until they are free */

/**
 * struct blockpool_create_args - ioctl(BLOCKPOOL_IOC_CREATE)
 * @size: sizeof(struct blockpool_create_args)
 * @flags: BLOCKPOOL_PERSIST, BLOCKPOOL_ON_NODE, BLOCKPOOL_ISOLATED,
 *	BLOCKPOOL_DEBUG or some of it
 * @block_size: bytes a block, 1 to BLOCKPOOL_BLOCK_SIZE_MAX
 * @nr_blocks: 1 to BLOCKPOOL_BLOCKS_MAX
 * @mode: permission bits as of a file, 0 for 0600; x bits mean nothing
 * @client_max: most blocks that one client may hold, 0 for no limit
 * @node: with BLOCKPOOL_ON_NODE: the NUMA node whose memory the blocks shall
 *	have, or another's if that has none left (EINVAL if it is not online);
 *	else zero
 * @reserve: of the free blocks, so many are kept for kernel callers; less than
 *	@nr_blocks
 * @name: printable ASCII without '/', NUL-terminated, not "." nor ".."
 *
 * Create a pool that belongs to the caller's euid and egid, and attach this
 * client to it.  The memory is charged to the caller's memory cgroup and, unless
 * it has CAP_IPC_LOCK, to its user's RLIMIT_MEMLOCK, until the pool is gone.
 * Needs an fd open for reading and writing.  The name "default" is the
 * administrator's (EACCES without CAP_SYS_ADMIN).
 *
 * BLOCKPOOL_ISOLATED: a client's mapping has the pages of the blocks that the
 * client holds, and no others: to touch another block is SIGBUS, from the very
 * moment on in which it is freed.  A stride is whole pages.  No I/O by the pages
 * themselves (O_DIRECT and the like: EFAULT), since a page in use by a device
 * cannot be taken away.  EOPNOTSUPP on 32-bit kernels.
 *
 * BLOCKPOOL_DEBUG: see struct blockpool_report for what is found.  With
 * BLOCKPOOL_GUARD the bytes before each block and those behind it, from
 * @block_size on, are the kernel's to check.  Blocks of whole pages stay at the
 * beginning of pages.  The module's parameter "debug" adds to the flags.
 */
struct blockpool_create_args {
	__u32 size;
	__u32 flags;
	__u32 block_size;
	__u32 nr_blocks;
	__u32 mode;
	__u32 client_max;
	__u32 node;
	__u32 reserve;
	char name[BLOCKPOOL_NAME_SIZE];
};

/**
 * struct blockpool_name_args - ioctl(BLOCKPOOL_IOC_ATTACH), (..._UNLINK)
 * @size: sizeof(struct blockpool_name_args)
 * @flags: zero
 * @name: name of the pool
 *
 * ATTACH: attach this client.  Needs read permission on the pool if the fd is
 * open for reading, and write permission if it is open for writing.
 *
 * UNLINK: take the name away, from anyone's fd.  The pool goes when its last
 * user goes.  For the pool's owner or CAP_FOWNER (EACCES).
 */
struct blockpool_name_args {
	__u32 size;
	__u32 flags;
	char name[BLOCKPOOL_NAME_SIZE];
};

/**
 * struct blockpool_info - ioctl(BLOCKPOOL_IOC_INFO), what does not change
 * @size: sizeof(struct blockpool_info)
 * @flags: out: as it was made, and BLOCKPOOL_UNLINKED
 * @block_size: out: bytes a block, as asked for
 * @nr_blocks: out: number of blocks
 * @stride: out: bytes from one block to the next in the mapping: @block_size,
 *	with its guard zones if there are any, rounded up to a multiple of 64, from
 *	512 bytes on by less than 1/8; of an isolated pool, to whole pages
 * @client: out: id of this client in the owner table, 0 if not attached yet
 * @client_max: out: most blocks that one client may hold, 0 for no limit
 * @mode: out: permission bits
 * @uid: out: owner, in the caller's user namespace
 * @gid: out: group, likewise
 * @map_size: out: bytes that mmap() can map from offset 0, whole pages
 * @name: out: the name, even if it is unlinked
 * @status_offset: out: offset for mmap() of the page with struct
 *	blockpool_status, right behind the blocks
 * @chunk_size: out: bytes; from each multiple of it on, the mapping is contiguous
 *	in physical memory for so long
 * @node: out: with BLOCKPOOL_ON_NODE: the NUMA node that was asked for
 * @block_offset: out: byte of the mapping at which block 0 lies
 * @reserve: out: free blocks that only kernel callers get
 * @__reserved: zero
 */
struct blockpool_info {
	__u32 size;
	__u32 flags;
	__u32 block_size;
	__u32 nr_blocks;
	__u32 stride;
	__u32 client;
	__u32 client_max;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u64 map_size;
	char name[BLOCKPOOL_NAME_SIZE];
	__u64 status_offset;
	__u32 chunk_size;
	__u32 node;
	__u32 block_offset;
	__u32 reserve;
	__u64 __reserved;
};

/**
 * struct blockpool_status - what a user's cache of blocks should go by
 * @size: bytes that mean something, at least sizeof(struct blockpool_status)
 * @wanted: blocks that somebody waits for or was refused a moment ago, 0 for
 *	none: give back now what you do not use
 * @cache_max: most free blocks that one client should keep for itself
 *
 * A page of its own that each client can map, read-only, shared, one page at
 * @status_offset of struct blockpool_info.  It changes at any time and is only
 * advice: the kernel reads none of it.
 */
struct blockpool_status {
	__u32 size;
	__u32 wanted;
	__u32 cache_max;
};

/**
 * struct blockpool_alloc_args - ioctl(BLOCKPOOL_IOC_ALLOC)
 * @size: sizeof(struct blockpool_alloc_args)
 * @flags: BLOCKPOOL_ALLOC_WAIT or 0
 * @count: blocks wanted, 1 to BLOCKPOOL_BATCH_MAX and at most nr_blocks - reserve;
 *	out, if @extra is not 0: blocks taken
 * @timeout_ms: with BLOCKPOOL_ALLOC_WAIT: longest wait, -1 for ever; else zero
 * @indices: address of __u32[count + extra], filled on success
 * @extra: further blocks that may be wanted soon, 0 with BLOCKPOOL_ALLOC_WAIT;
 *	@count and @extra together at most BLOCKPOOL_BATCH_MAX
 * @nr_frames: length of the caller's call stack, 0 if it is not told
 * @frames: address of __u64[nr_frames], of which the first BLOCKPOOL_FRAMES_MAX
 *	are looked at, innermost first: see struct blockpool_modules_args.  For
 *	pools with BLOCKPOOL_TRACK; others do not read it
 *
 * All or nothing.  Waiters are served in the order in which they came.  On an
 * O_NONBLOCK fd BLOCKPOOL_ALLOC_WAIT does not wait.  Needs an fd open for
 * writing (EACCES).
 *
 * Of the extra blocks it takes no more than half of what is free then, nor than
 * the client's limit leaves, and none that others want.
 */
struct blockpool_alloc_args {
	__u32 size;
	__u32 flags;
	__u32 count;
	__s32 timeout_ms;
	__u64 indices;
	__u32 extra;
	__u32 nr_frames;
	__u64 frames;
};

/**
 * struct blockpool_free_args - ioctl(BLOCKPOOL_IOC_FREE)
 * @size: sizeof(struct blockpool_free_args)
 * @flags: zero
 * @count: number of indices, 1 to BLOCKPOOL_BATCH_MAX
 * @done: out, whatever else is wrong: how many were freed
 * @indices: address of __u32[count]
 * @nr_frames: as for ALLOC
 * @__reserved: zero
 * @frames: as for ALLOC
 *
 * Frees in order up to the first index that it must refuse: that one is
 * indices[done], and errno says why: EINVAL for no block of this pool, EPERM for
 * a block that this client does not hold.  Needs an fd open for writing (EACCES).
 */
struct blockpool_free_args {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 done;
	__u64 indices;
	__u32 nr_frames;
	__u32 __reserved;
	__u64 frames;
};

/**
 * struct blockpool_stats - ioctl(BLOCKPOOL_IOC_STATS), what changes
 * @size: sizeof(struct blockpool_stats)
 * @flags: zero
 * @nr_blocks: blocks in the pool; always @nr_free + @nr_held
 * @nr_free: free in the kernel; exact when nothing moves, as are all counts of
 *	blocks
 * @nr_held: held by clients, their libraries' caches included, or by the kernel,
 *	in flight, shared, or in quarantine
 * @nr_kernel: of these, held by the kernel
 * @nr_clients: clients attached
 * @nr_waiting: allocations asleep now
 * @min_free: fewest blocks that were ever free outside of the CPUs' magazines
 * @allocs: blocks ever taken; always @frees + @reclaimed + @nr_held
 * @frees: blocks given back by a free
 * @reclaimed: blocks taken back from clients that went without freeing
 * @failures: allocation calls that failed: none free, too late, interrupted,
 *	over the limit
 * @refused: frees refused: not a block, or not the caller's
 * @waits: allocation calls that had to wait
 * @nr_cached: of @nr_free, in the magazines of CPUs
 * @nr_quarantined: of @nr_held, damaged and held back
 * @reports: reports that there were, see struct blockpool_report
 * @nr_in_flight: of @nr_held, sent to a port and not received yet, or shared
 */
struct blockpool_stats {
	__u32 size;
	__u32 flags;
	__u64 nr_blocks;
	__u64 nr_free;
	__u64 nr_held;
	__u64 nr_kernel;
	__u64 nr_clients;
	__u64 nr_waiting;
	__u64 min_free;
	__u64 allocs;
	__u64 frees;
	__u64 reclaimed;
	__u64 failures;
	__u64 refused;
	__u64 waits;
	__u64 nr_cached;
	__u64 nr_quarantined;
	__u64 reports;
	__u64 nr_in_flight;
};

/**
 * struct blockpool_list_args - ioctl(BLOCKPOOL_IOC_LIST), the next pool
 * @size: sizeof(struct blockpool_list_args)
 * @cursor: in: 0 to begin, then as it came back
 * @flags: out: flags of the pool
 * @block_size: out: bytes a block
 * @nr_blocks: out: number of blocks
 * @nr_free: out: blocks free in the kernel
 * @nr_clients: out: clients attached
 * @mode: out: permission bits
 * @uid: out: owner, in the caller's user namespace
 * @gid: out: group, likewise
 * @__reserved: zero
 * @name: out: its name
 *
 * Shows the pools that the caller has permission to read, and ENOENT after the
 * last.  Attaches nothing.  (A name is no secret from who can guess it: ATTACH
 * and CREATE tell a pool that is not the caller's from none.)
 */
struct blockpool_list_args {
	__u32 size;
	__u32 cursor;
	__u32 flags;
	__u32 block_size;
	__u32 nr_blocks;
	__u32 nr_free;
	__u32 nr_clients;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 __reserved[2];
	char name[BLOCKPOOL_NAME_SIZE];
};

/**
 * struct blockpool_holder_args - ioctl(BLOCKPOOL_IOC_HOLDER), the next client
 * @size: sizeof(struct blockpool_holder_args)
 * @cursor: in: 0 to begin, then as it came back: the client's id
 * @held: out: blocks held; shares, which count for @limit too, left out
 * @limit: out: most that it may hold, 0 for no limit
 * @pid: out: process that attached it, 0 if not in the caller's pid namespace
 * @uid: out: its effective user then, in the caller's user namespace
 * @__reserved: zero
 * @comm: out: its command name then
 *
 * ENOENT after the last.
 */
struct blockpool_holder_args {
	__u32 size;
	__u32 cursor;
	__u32 held;
	__u32 limit;
	__s32 pid;
	__u32 uid;
	__u32 __reserved[2];
	char comm[BLOCKPOOL_COMM_SIZE];
};

/**
 * struct blockpool_owners_args - ioctl(BLOCKPOOL_IOC_OWNERS), the owner table
 * @size: sizeof(struct blockpool_owners_args)
 * @flags: zero
 * @first: first index
 * @count: number of indices, at least 1; @first + @count at most nr_blocks
 * @owners: address of __u32[count]: BLOCKPOOL_OWNER_FREE,
 *	BLOCKPOOL_OWNER_KERNEL, BLOCKPOOL_OWNER_QUARANTINE, BLOCKPOOL_OWNER_SHARED,
 *	BLOCKPOOL_OWNER_PORT and a port's number, or the id of a client
 *
 * Each word is true at some instant of the call; the table is not frozen.
 */
struct blockpool_owners_args {
	__u32 size;
	__u32 flags;
	__u32 first;
	__u32 count;
	__u64 owners;
};

/**
 * struct blockpool_modules_args - ioctl(BLOCKPOOL_IOC_MODULES), what frames refer to
 * @size: sizeof(struct blockpool_modules_args)
 * @length: bytes of text, 1 to BLOCKPOOL_MODULES_SIZE
 * @text: address of the text: the paths of the programs and libraries that this
 *	client's process has loaded, each with a newline behind it
 *
 * A frame of a call stack is (line << 48) + address, line being the number of the
 * path in the text, from 0 on, and address the return address as in that file, as
 * addr2line and nm have it.  So no stack tells where things lie in a process.
 *
 * A later text replaces the one before; it should begin with it.  The kernel
 * believes nothing of all this and shows it in reports.  Pools without
 * BLOCKPOOL_TRACK: EOPNOTSUPP.  Needs an fd open for writing (EACCES).
 */
struct blockpool_modules_args {
	__u32 size;
	__u32 length;
	__u64 text;
};

/**
 * struct blockpool_check_args - ioctl(BLOCKPOOL_IOC_CHECK), look for damage now
 * @size: sizeof(struct blockpool_check_args)
 * @flags: zero
 * @checked: out: blocks looked at: all of them; of those that are on their way
 *	just then only the guard zones
 * @damaged: out: of these, damaged, those in quarantine included; and one more if
 *	the bookkeeping is corrupt
 *
 * Guard zones of all blocks, the content of free ones, and the bookkeeping.  What
 * is found is reported; a free block goes into quarantine at once, one that is held
 * when it comes back.  EOPNOTSUPP if the pool has no BLOCKPOOL_DEBUG flag.
 */
struct blockpool_check_args {
	__u32 size;
	__u32 flags;
	__u32 checked;
	__u32 damaged;
};

/**
 * struct blockpool_repair_args - ioctl(BLOCKPOOL_IOC_REPAIR), end the quarantine
 * @size: sizeof(struct blockpool_repair_args)
 * @flags: zero
 * @repaired: out: blocks that came out of quarantine
 * @__reserved: zero
 *
 * Fill all guard zones anew and put the blocks in quarantine back into the pool.
 * For the pool's owner or CAP_FOWNER (EACCES), on an fd open for writing (EACCES).
 * EOPNOTSUPP as for CHECK.
 */
struct blockpool_repair_args {
	__u32 size;
	__u32 flags;
	__u32 repaired;
	__u32 __reserved;
};

/* What happened, in struct blockpool_report. */
#define BLOCKPOOL_REPORT_UNDERRUN	1U	/* guard zone before a block damaged */
#define BLOCKPOOL_REPORT_OVERRUN	2U	/* guard zone behind a block damaged */
#define BLOCKPOOL_REPORT_USE_AFTER_FREE	3U	/* a free block was written to */
#define BLOCKPOOL_REPORT_DOUBLE_FREE	4U	/* a block freed that was free */
#define BLOCKPOOL_REPORT_NOT_HELD	5U	/* ... that another holds */
#define BLOCKPOOL_REPORT_NOT_A_BLOCK	6U	/* ... that does not exist */
#define BLOCKPOOL_REPORT_STALE		7U	/* isolated: touched, but not held */
#define BLOCKPOOL_REPORT_CORRUPT	8U	/* the bookkeeping contradicts itself */

/* In the course of what it was found. */
#define BLOCKPOOL_FOUND_ALLOC		1U
#define BLOCKPOOL_FOUND_FREE		2U
#define BLOCKPOOL_FOUND_RECLAIM		3U	/* of what a dead client held */
#define BLOCKPOOL_FOUND_CHECK		4U	/* ioctl(BLOCKPOOL_IOC_CHECK) */
#define BLOCKPOOL_FOUND_SWEEP		5U	/* the one in the background */
#define BLOCKPOOL_FOUND_FAULT		6U	/* an access to the mapping */
#define BLOCKPOOL_FOUND_SEND		7U	/* to a port */
#define BLOCKPOOL_FOUND_RECV		8U	/* out of a port */

#define BLOCKPOOL_STACK_SIZE		1280	/* bytes of text */
#define BLOCKPOOL_DUMP_SIZE		128	/* bytes */

/**
 * struct blockpool_track - who did something to a block
 * @client: its id, BLOCKPOOL_OWNER_KERNEL, or 0: nothing is known
 * @pid: process, in the initial pid namespace; for the kernel, what it interrupted
 * @tid: thread, likewise
 * @cpu: processor
 * @time_ns: when, CLOCK_MONOTONIC
 * @comm: name of the thread
 * @stack: the call stack as text, innermost first, a newline behind each frame:
 *	"function+0x12/0x34 [module]" of the kernel, "/path/of/file+0x1234" of user
 *	space; empty if the caller told none
 */
struct blockpool_track {
	__u32 client;
	__s32 pid;
	__s32 tid;
	__u32 cpu;
	__u64 time_ns;
	char comm[BLOCKPOOL_COMM_SIZE];
	char stack[BLOCKPOOL_STACK_SIZE];
};

/**
 * struct blockpool_report - a crime
 * @seq: its number in this pool, from 1 on
 * @kind: BLOCKPOOL_REPORT_...
 * @found: BLOCKPOOL_FOUND_...
 * @index: the block, BLOCKPOOL_NO_INDEX if there is none
 * @owner: its owner word then
 * @offset: first damaged byte from the beginning of the block, negative before it;
 *	of STALE, the byte that was touched
 * @nr_damaged: damaged bytes in that zone
 * @fill: what each byte of @dump should be
 * @__reserved: zero
 * @dump_size: bytes of @dump, 0 if nothing was damaged
 * @dump_offset: where they were, as @offset
 * @dump: what was found
 * @by: who was calling when it was found; of a bad free or access, the culprit
 * @alloc: who took the block last; with BLOCKPOOL_TRACK
 * @free: who gave it back last; with BLOCKPOOL_TRACK
 */
struct blockpool_report {
	__u64 seq;
	__u32 kind;
	__u32 found;
	__u32 index;
	__u32 owner;
	__s64 offset;
	__u32 nr_damaged;
	__u8 fill;
	__u8 __reserved;
	__u16 dump_size;
	__s64 dump_offset;
	__u8 dump[BLOCKPOOL_DUMP_SIZE];
	struct blockpool_track by;
	struct blockpool_track alloc;
	struct blockpool_track free;
};

/**
 * struct blockpool_report_args - ioctl(BLOCKPOOL_IOC_REPORT), the next report
 * @size: sizeof(struct blockpool_report_args)
 * @report_size: sizeof(struct blockpool_report): the kernel fills as much of it as
 *	it knows, the rest with zeros
 * @cursor: in: 0 to begin, then as it came back: the report's seq
 * @report: address of the struct blockpool_report
 *
 * The kernel keeps the last 64.  ENOENT after the last, EOPNOTSUPP as for CHECK.
 * A client's poll() says POLLPRI as long as there is one that it has not been
 * given.  Each is also in the kernel's log, within a rate limit.
 */
struct blockpool_report_args {
	__u32 size;
	__u32 report_size;
	__u64 cursor;
	__u64 report;
};

/* Flags of blockpool_bind_args. */
#define BLOCKPOOL_BIND_SEND	(1U << 0)	/* to send to the port */
#define BLOCKPOOL_BIND_RECV	(1U << 1)	/* to receive from it */
#define BLOCKPOOL_BIND_CREATE	(1U << 2)	/* with RECV: make it if there is none */
#define BLOCKPOOL_BIND_FD	(1U << 3)	/* give a file descriptor to poll */
#define BLOCKPOOL_BIND_AGAIN	(1U << 4)	/* made so: see there */

/**
 * struct blockpool_bind_args - ioctl(BLOCKPOOL_IOC_BIND), use a port
 * @size: sizeof(struct blockpool_bind_args)
 * @flags: BLOCKPOOL_BIND_SEND, BLOCKPOOL_BIND_RECV or both, and of the others
 * @depth: of a port that is made: messages it has room for, 1 to
 *	BLOCKPOOL_DEPTH_MAX; 0 for 256, or nr_blocks if these are fewer
 * @linger_ms: of a port that is made: how long it stays, with its messages, when
 *	the last receiver is gone; 0: not at all, -1: as long as the pool; -1 and more
 *	than BLOCKPOOL_LINGER_MAX for the pool's owner or CAP_FOWNER (EACCES)
 * @mode: of a port that is made: permission bits, r to receive and w to send, 0 for
 *	0600
 * @port: out: its number in the pool, for SEND and RECV; never 0
 * @fd: out: with BLOCKPOOL_BIND_FD: poll() on it says POLLIN while there are
 *	messages, POLLOUT while there is room, POLLHUP when the port has ended
 * @__reserved: zero
 * @name: as of a pool
 *
 * A port is an inbox of a pool: a bounded queue of messages, each with a block that
 * belongs to the port until it is received.  A client may bind a port several times: it
 * has the rights of all these BINDs until there were as many UNBINDs, or its own end.
 *
 * A port that is made belongs to the caller's euid and egid.  ENOENT if there is no
 * such port and it is not to be made; EACCES if its mode does not let the caller;
 * ENOMEM if there is no memory or there are BLOCKPOOL_PORTS_MAX.  The memory is
 * charged as the pool's.  @depth, @linger_ms, @mode and BLOCKPOOL_BIND_AGAIN count
 * only if the port is made by this call.  Needs an fd open for writing (EACCES).
 *
 * BLOCKPOOL_BIND_AGAIN: what a client has received and not yet freed or sent on goes
 * back to the head of the port, in its old order, when the client ends; whoever
 * receives it next sees BLOCKPOOL_MESSAGE_AGAIN.  Until it is freed or sent on it
 * takes its room in the port.
 *
 * When its last receiver has gone, and @linger_ms have passed, a port ends: blocks
 * that are left in it go back to the pool, and SEND says EPIPE.  What is in a port
 * counts for no client's limit; @depth bounds it.
 */
struct blockpool_bind_args {
	__u32 size;
	__u32 flags;
	__u32 depth;
	__s32 linger_ms;
	__u32 mode;
	__u32 port;
	__s32 fd;
	__u32 __reserved;
	char name[BLOCKPOOL_NAME_SIZE];
};

/**
 * struct blockpool_unbind_args - ioctl(BLOCKPOOL_IOC_UNBIND), be done with a port
 * @size: sizeof(struct blockpool_unbind_args)
 * @port: its number
 *
 * What the client has received stays with it.  ENOENT if it has no such port.  To be
 * called once for each BIND, and for each message received that has this port for its
 * answer, if the client cares to end what these gave it.
 */
struct blockpool_unbind_args {
	__u32 size;
	__u32 port;
};

/* Flags of a message, set by the kernel. */
#define BLOCKPOOL_MESSAGE_AGAIN		(1U << 0)	/* received before, by one who ended */
#define BLOCKPOOL_MESSAGE_SHARED	(1U << 1)	/* others hold the block: read only */

/**
 * struct blockpool_message - a block on its way
 * @index: the block
 * @offset: where in the block the message begins
 * @length: its bytes; @offset + @length at most block_size
 * @reply: number of a port that an answer may be sent to, which the sender receives
 *	from (EPERM), or 0: who receives the message may send there from then on, as if
 *	by a BIND
 * @cookie: the sender's
 * @pid: out: process that sent it, 0 for the kernel or if it is not in the receiver's
 *	pid namespace
 * @flags: out: BLOCKPOOL_MESSAGE_...
 *
 * What comes out of a port may go into the next as it is: SEND does not look at @pid
 * and @flags.
 */
struct blockpool_message {
	__u32 index;
	__u32 offset;
	__u32 length;
	__u32 reply;
	__u64 cookie;
	__s32 pid;
	__u32 flags;
};

/* Flags of blockpool_send_args and blockpool_recv_args. */
#define BLOCKPOOL_PORT_WAIT	(1U << 0)	/* sleep until it can be done */
#define BLOCKPOOL_PORT_ALL	(1U << 1)	/* all or nothing */

/**
 * struct blockpool_send_args - ioctl(BLOCKPOOL_IOC_SEND)
 * @size: sizeof(struct blockpool_send_args)
 * @flags: BLOCKPOOL_PORT_WAIT, BLOCKPOOL_PORT_ALL
 * @port: number of the port
 * @count: messages, 1 to BLOCKPOOL_MESSAGES_MAX
 * @done: out, whatever else is wrong: how many were sent
 * @timeout_ms: with BLOCKPOOL_PORT_WAIT: longest wait, -1 for ever; else zero
 * @messages: address of struct blockpool_message[count]
 * @nr_frames: as for ALLOC
 * @__reserved: zero
 * @frames: as for ALLOC
 *
 * The blocks are the port's from then on, and the client's no more.  All messages
 * are looked at before any is sent: EINVAL or EPERM for one of them means that none
 * was.  As many are sent, in order, as there is room for, and at least one; without
 * room EAGAIN, or with BLOCKPOOL_PORT_WAIT it sleeps.  BLOCKPOOL_PORT_ALL: room for
 * all of them, or none is sent; EINVAL if the port is not that deep.  EPIPE if the
 * port has ended, ENOENT if the client did not bind it.
 *
 * On an O_NONBLOCK fd BLOCKPOOL_PORT_WAIT does not wait, here and in RECV.
 */
struct blockpool_send_args {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 count;
	__u32 done;
	__s32 timeout_ms;
	__u64 messages;
	__u32 nr_frames;
	__u32 __reserved;
	__u64 frames;
};

/**
 * struct blockpool_recv_args - ioctl(BLOCKPOOL_IOC_RECV)
 * @size: sizeof(struct blockpool_recv_args)
 * @flags: BLOCKPOOL_PORT_WAIT, BLOCKPOOL_PORT_ALL
 * @port: number of the port
 * @count: messages wanted at most, 1 to BLOCKPOOL_MESSAGES_MAX
 * @done: out, whatever else is wrong: how many were received
 * @timeout_ms: as for SEND
 * @messages: address of struct blockpool_message[count], of which @done are filled
 * @nr_frames: as for ALLOC
 * @__reserved: zero
 * @frames: as for ALLOC
 *
 * In the order in which they were sent, what is there and at least one; without any
 * EAGAIN, or with BLOCKPOOL_PORT_WAIT it sleeps.  BLOCKPOOL_PORT_ALL: @count, or
 * none.  The blocks are the client's from then on: EDQUOT if that would be more than
 * its limit with at least one, and there is one.  What cannot be told to the caller
 * (EFAULT) stays at the head of the port.
 */
struct blockpool_recv_args {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 count;
	__u32 done;
	__s32 timeout_ms;
	__u64 messages;
	__u32 nr_frames;
	__u32 __reserved;
	__u64 frames;
};

/**
 * struct blockpool_share_args - ioctl(BLOCKPOOL_IOC_SHARE), one block to many
 * @size: sizeof(struct blockpool_share_args)
 * @flags: zero
 * @nr_ports: number of ports, 1 to BLOCKPOOL_PORTS_MAX
 * @__reserved: zero
 * @ports: address of __u32[nr_ports]
 * @message: the message, as for SEND
 *
 * The block goes to all of these ports, or EAGAIN if one of them has no room.  It is
 * nobody's own from then on: each receiver holds a share of it, to read only, and
 * ends it by FREE; with the last share the block goes back to the pool.  A share
 * counts as a block for the client's limit, and cannot be sent on (EPERM).  In an
 * isolated pool holders can read the block and not write to it.  EOPNOTSUPP on 32-bit
 * kernels.
 */
struct blockpool_share_args {
	__u32 size;
	__u32 flags;
	__u32 nr_ports;
	__u32 __reserved;
	__u64 ports;
	struct blockpool_message message;
};

/**
 * struct blockpool_port_args - ioctl(BLOCKPOOL_IOC_PORT), the next port
 * @size: sizeof(struct blockpool_port_args)
 * @cursor: in: 0 to begin, then as it came back: the port's number
 * @flags: out: BLOCKPOOL_BIND_AGAIN, if it was made so
 * @depth: out: messages it has room for
 * @nr_messages: out: messages in it
 * @nr_taken: out: received, but still in its room: see BLOCKPOOL_BIND_AGAIN
 * @max_messages: out: most that ever were
 * @nr_senders: out: clients and kernel users that may send to it
 * @nr_receivers: out: those that receive from it
 * @linger_ms: out: as it was made
 * @mode: out: permission bits
 * @uid: out: owner, in the caller's user namespace
 * @gid: out: group, likewise
 * @__reserved: zero
 * @sent: out: messages ever sent
 * @received: out: messages ever received
 * @refused: out: messages that found no room
 * @name: out: its name
 *
 * Of the pool that the fd is attached to, or would be.  ENOENT after the last.
 */
struct blockpool_port_args {
	__u32 size;
	__u32 cursor;
	__u32 flags;
	__u32 depth;
	__u32 nr_messages;
	__u32 nr_taken;
	__u32 max_messages;
	__u32 nr_senders;
	__u32 nr_receivers;
	__s32 linger_ms;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 __reserved;
	__u64 sent;
	__u64 received;
	__u64 refused;
	char name[BLOCKPOOL_NAME_SIZE];
};

/**
 * struct blockpool_call_args - ioctl(BLOCKPOOL_IOC_CALL), send, and then receive
 * @size: sizeof(struct blockpool_call_args)
 * @__reserved: zero
 * @send: as for SEND, with its own size
 * @recv: as for RECV, likewise, but for nr_frames and frames, which are zero: the
 *	stack is what @send says
 *
 * For who asks and waits for the answer, or answers and waits for the next request: one
 * call in the place of two.  Both halves are looked at first: what is wrong with either
 * means that nothing was sent.  Then it does as SEND does; if fewer than asked for were
 * sent, it returns 0 with that, and otherwise does as RECV does, whose timeout begins
 * then.  What is received may lie where the sent messages lay.
 *
 * When it fails it may have sent: the done of @send says how many, as it does after
 * SEND, and what was sent stays sent.  So if that is not 0, ETIMEDOUT, EINTR, EAGAIN,
 * EDQUOT, EPIPE, EFAULT and whatever else speak of the second half, and RECV is the call
 * to go on with.  A signal ends it by EINTR and never makes the kernel start it again,
 * even with SA_RESTART: that would send twice.
 */
struct blockpool_call_args {
	__u32 size;
	__u32 __reserved;
	struct blockpool_send_args send;
	struct blockpool_recv_args recv;
};

#define BLOCKPOOL_IOC_MAGIC	0xBE

/* The size is in the structure, so that a number stays when one grows. */
#define BLOCKPOOL_IOC_CREATE	_IO(BLOCKPOOL_IOC_MAGIC, 0x00)
#define BLOCKPOOL_IOC_ATTACH	_IO(BLOCKPOOL_IOC_MAGIC, 0x01)
#define BLOCKPOOL_IOC_UNLINK	_IO(BLOCKPOOL_IOC_MAGIC, 0x02)
#define BLOCKPOOL_IOC_INFO	_IO(BLOCKPOOL_IOC_MAGIC, 0x03)
#define BLOCKPOOL_IOC_ALLOC	_IO(BLOCKPOOL_IOC_MAGIC, 0x04)
#define BLOCKPOOL_IOC_FREE	_IO(BLOCKPOOL_IOC_MAGIC, 0x05)
#define BLOCKPOOL_IOC_STATS	_IO(BLOCKPOOL_IOC_MAGIC, 0x06)
#define BLOCKPOOL_IOC_LIST	_IO(BLOCKPOOL_IOC_MAGIC, 0x07)
#define BLOCKPOOL_IOC_HOLDER	_IO(BLOCKPOOL_IOC_MAGIC, 0x08)
#define BLOCKPOOL_IOC_OWNERS	_IO(BLOCKPOOL_IOC_MAGIC, 0x09)
#define BLOCKPOOL_IOC_MODULES	_IO(BLOCKPOOL_IOC_MAGIC, 0x0a)
#define BLOCKPOOL_IOC_CHECK	_IO(BLOCKPOOL_IOC_MAGIC, 0x0b)
#define BLOCKPOOL_IOC_REPAIR	_IO(BLOCKPOOL_IOC_MAGIC, 0x0c)
#define BLOCKPOOL_IOC_REPORT	_IO(BLOCKPOOL_IOC_MAGIC, 0x0d)
#define BLOCKPOOL_IOC_BIND	_IO(BLOCKPOOL_IOC_MAGIC, 0x0e)
#define BLOCKPOOL_IOC_UNBIND	_IO(BLOCKPOOL_IOC_MAGIC, 0x0f)
#define BLOCKPOOL_IOC_SEND	_IO(BLOCKPOOL_IOC_MAGIC, 0x10)
#define BLOCKPOOL_IOC_RECV	_IO(BLOCKPOOL_IOC_MAGIC, 0x11)
#define BLOCKPOOL_IOC_SHARE	_IO(BLOCKPOOL_IOC_MAGIC, 0x12)
#define BLOCKPOOL_IOC_PORT	_IO(BLOCKPOOL_IOC_MAGIC, 0x13)
#define BLOCKPOOL_IOC_CALL	_IO(BLOCKPOOL_IOC_MAGIC, 0x14)

#endif /* _UAPI_LINUX_BLOCKPOOL_H */
