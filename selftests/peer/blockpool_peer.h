/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/blockpool_peer: have a second kernel module use blockpool, in a context
 * of choice.  For the tests and the demo, by root only.
 *
 * One open file has one pool at a time and is one kernel user of it.  Blocks
 * that it took and did not free are freed when it is closed, opens another pool
 * or lets go of this one.
 *
 * errno: what blockpool said; or, from the peer itself, so that the two are never
 * mistaken: EBADR for a bad request, ENXIO without a pool, EPROTO if the
 * context was not the one asked for.
 */
#ifndef BLOCKPOOL_PEER_H
#define BLOCKPOOL_PEER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BLOCKPOOL_PEER_NAME_SIZE	64	/* more than a pool's name may have */
#define BLOCKPOOL_PEER_COUNT_MAX	8192U

/*
 * Where the peer calls blockpool from; EOPNOTSUPP where the machine has no NMIs
 * that a module may send.
 */
#define BLOCKPOOL_PEER_PROCESS	0U
#define BLOCKPOOL_PEER_SOFTIRQ	1U
#define BLOCKPOOL_PEER_HARDIRQ	2U
#define BLOCKPOOL_PEER_NMI	3U
#define BLOCKPOOL_PEER_CONTEXTS	4U

/* Use GFP_KERNEL, in process context only; else it is GFP_ATOMIC. */
#define BLOCKPOOL_PEER_SLEEP		0x1U
/* For BLOCKPOOL_PEER_CHURN_START in NMI: see there. */
#define BLOCKPOOL_PEER_IN_MAGAZINE	0x2U
#define BLOCKPOOL_PEER_IN_DEPOT		0x4U

/* blockpool_get(name), for BLOCKPOOL_PEER_OPEN */
struct blockpool_peer_open {
	char name[32];
};

/*
 * CRC-32C of the first @length bytes of block @index, in place, whoever holds
 * it; for BLOCKPOOL_PEER_CRC.
 */
struct blockpool_peer_crc {
	__u32 index;
	__u32 length;
	__u32 crc;		/* out */
	__u32 __reserved;
};

/* blockpool_create(), for BLOCKPOOL_PEER_CREATE */
struct blockpool_peer_create {
	char name[BLOCKPOOL_PEER_NAME_SIZE];	/* NUL-terminated */
	__u64 block_size;
	__u32 nr_blocks;
	__u32 flags;
	__u32 mode;		/* 16 bits */
	__u32 client_max;
	__u32 null_name;	/* 1: give NULL for the name */
	__u32 node;
};

#define BLOCKPOOL_PEER_ALLOC		0U	/* blockpool_alloc(), count times */
#define BLOCKPOOL_PEER_ALLOC_BULK	1U
#define BLOCKPOOL_PEER_FREE		2U	/* blockpool_free(), count times */
#define BLOCKPOOL_PEER_FREE_BULK	3U

/*
 * Take or free @count blocks, 0 to BLOCKPOOL_PEER_COUNT_MAX, in one go in that
 * context; for BLOCKPOOL_PEER_OP.  ALLOC stops at the first NULL.  A FREE need not
 * be of a block that this file took: blockpool shall refuse it.
 */
struct blockpool_peer_op {
	__u32 op;
	__u32 context;
	__u32 flags;		/* BLOCKPOOL_PEER_SLEEP or 0 */
	__u32 count;
	__s32 result;		/* out: ALLOC: how many; bulk: 0 or -errno */
	__u32 __reserved;
	__u64 indices;		/* __u32[count]: out for ALLOC, in for FREE */
};

/* Addresses that are no block; of those near a block, its index is given. */
#define BLOCKPOOL_PEER_NULL	0U
#define BLOCKPOOL_PEER_USER	1U	/* a user space address */
#define BLOCKPOOL_PEER_ERROR	2U	/* ERR_PTR(-ENOMEM) */
#define BLOCKPOOL_PEER_STACK	3U
#define BLOCKPOOL_PEER_STATIC	4U	/* the module's own data */
#define BLOCKPOOL_PEER_TEXT	5U	/* the module's own code */
#define BLOCKPOOL_PEER_KMALLOC	6U
#define BLOCKPOOL_PEER_VMALLOC	7U
#define BLOCKPOOL_PEER_PAGE	8U	/* a page of its own */
#define BLOCKPOOL_PEER_BEFORE	9U	/* one byte before the block */
#define BLOCKPOOL_PEER_INSIDE	10U	/* its second byte */
#define BLOCKPOOL_PEER_HALF	11U	/* half a block into it */
#define BLOCKPOOL_PEER_BEHIND	12U	/* the byte behind its last */
#define BLOCKPOOL_PEER_FREED	13U	/* a page that is free */
#define BLOCKPOOL_PEER_KINDS	14U

/*
 * Give such an address to blockpool_index(), and, if @free is 1, to
 * blockpool_free(); for BLOCKPOOL_PEER_BAD.
 */
struct blockpool_peer_bad {
	__u32 kind;
	__u32 context;
	__u32 index;
	__u32 free;
	__u32 found;		/* out: what blockpool_index() said */
	__u32 __reserved;
};

/*
 * Offer each block of the pool @name to the one that this file has, to
 * blockpool_index() and, if @free is 1, to blockpool_free(); for
 * BLOCKPOOL_PEER_OFFER.
 */
struct blockpool_peer_offer {
	char name[32];
	__u32 free;
	__u32 offered;		/* out */
	__u32 between;		/* out: that lie between blocks of ours */
	__u32 found;		/* out: that have an index there */
};

/*
 * FILL writes the pattern of @seed over the first @length bytes of a block that
 * this file holds (EPERM); CHECK compares any block with it (EILSEQ).
 */
struct blockpool_peer_data {
	__u32 index;
	__u32 length;
	__u32 seed;
	__u32 __reserved;
};

static inline __u8 blockpool_peer_byte(__u32 seed, __u32 at)
{
	return (__u8)(seed * 167 + (seed >> 8) * 31 + at * 7 + (at >> 8) * 3);
}

/* Where block @index lies; EADDRNOTAVAIL if not in the direct map. */
struct blockpool_peer_where {
	__u32 index;
	__u32 __reserved;
	__u64 physical;		/* out */
};

/* Walks all blocks: the counts of what is wrong with them; all out. */
struct blockpool_peer_walk {
	__u32 nr_blocks;	/* what blockpool_nr_blocks() says */
	__u32 block_size;	/* what blockpool_block_size() says */
	__u32 misaligned;	/* not on a cache line */
	__u32 wrong_index;	/* blockpool_index(blockpool_block(i)) is not i */
	__u32 wrong_inside;	/* an address inside a block has an index */
	__u32 wrong_beyond;	/* an index beyond the end has a block */
};

/*
 * Take and free at random, @batch blocks or fewer at a step, holding up to @depth.
 * Each block is stamped over its first @length bytes when it is taken, and
 * checked before it is freed.  At the end all is freed.
 *
 * CHURN_RUN does @steps steps, in any context, and returns.  CHURN_START goes
 * on in any but process context, on the CPU where it is called, until CHURN_STOP.
 * NMIs are sent from there to another CPU, if there is one.
 *
 * With BLOCKPOOL_PEER_IN_MAGAZINE or BLOCKPOOL_PEER_IN_DEPOT a CHURN_START in NMI
 * does a step whenever the CPU where it is called goes into that or out of it, by
 * a breakpoint.
 */
struct blockpool_peer_churn {
	__u32 context;
	__u32 flags;		/* BLOCKPOOL_PEER_SLEEP, _IN_MAGAZINE, _IN_DEPOT */
	__u32 interval_us;	/* in all but process context: between steps */
	__u32 steps;		/* CHURN_START: 0 */
	__u32 depth;
	__u32 batch;
	__u32 length;
	__u32 seed;		/* also the stamp: no two holders' may be equal */
	__u64 done;		/* out: steps */
	__u64 taken;		/* out: blocks */
	__u64 freed;		/* out: blocks */
	__u64 failed;		/* out: calls that got nothing */
	__u64 corrupted;	/* out: blocks that had changed */
	__u64 in_magazine;	/* out: steps while the CPU was in its magazine */
	__u64 in_depot;		/* out: steps while the depot's lock was taken */
	__u64 denied;		/* out: calls that failed, with enough in the depot */
	__u64 aside;		/* out: frees after which limbo was not empty */
};

/* Crimes, against a block that is taken for it but where one is given. */
#define BLOCKPOOL_PEER_WRITE_HELD	0U	/* write, then free it */
#define BLOCKPOOL_PEER_WRITE_FREE	1U	/* free it, then write */
#define BLOCKPOOL_PEER_FREE_TWICE	2U
#define BLOCKPOOL_PEER_FREE_INSIDE	3U	/* free what is @offset bytes inside */
#define BLOCKPOOL_PEER_FREE_FOREIGN	4U	/* free block @index, of another */
#define BLOCKPOOL_PEER_CRIMES		5U

/*
 * Commit one, in a context; for BLOCKPOOL_PEER_CRIME.  Blocks are taken in the
 * function crime_take(), freed in crime_free(), and freed wrongly in
 * crime_free_again().
 */
struct blockpool_peer_crime {
	__u32 kind;
	__u32 context;
	__u32 index;		/* in or out: the block */
	__s32 offset;		/* from its beginning, at most a page outside */
	__u32 length;		/* bytes to write, at most a page */
	__u32 byte;		/* to write */
};

/* What a pool's bookkeeping consists of. */
#define BLOCKPOOL_PEER_OWNER_WORD	0U	/* of block @at */
#define BLOCKPOOL_PEER_ELEMENT		1U	/* of the depot's stack, at @at */
#define BLOCKPOOL_PEER_NR_FREE		2U	/* in that */

/*
 * Write a word there; for BLOCKPOOL_PEER_FALSIFY.  To be undone before anyone acts
 * on it.
 */
struct blockpool_peer_falsify {
	__u32 what;
	__u32 at;
	__u32 word;
	__u32 was;		/* out */
};

/*
 * Take a block and free it on two CPUs at the same instant, @rounds times; for
 * BLOCKPOOL_PEER_DUEL.
 */
struct blockpool_peer_duel {
	__u32 rounds;
};

/* Who handles messages, for BLOCKPOOL_PEER_PORT_OPEN. */
#define BLOCKPOOL_PEER_BY_HAND		0U	/* PORT_RECV */
#define BLOCKPOOL_PEER_IN_PROCESS	1U
#define BLOCKPOOL_PEER_IN_SOFTIRQ	2U

/*
 * Use a port; an open file has one at a time.  What a handler does: it puts the CRC-32C
 * of a message, read in place, in the upper half of its cookie, and sends it on: to the
 * port for its answer, in process context only, or else to the port @to.  Without one, or
 * if that fails, it frees the block.
 */
struct blockpool_peer_port {
	char name[32];
	char to[32];		/* opened to send to; "" for none */
	__u32 flags;		/* as of struct blockpool_port_attr */
	__u32 depth;
	__s32 linger_ms;
	__u32 mode;
	__u32 handler;
	__u32 number;		/* out */
};

/*
 * Send blocks that BLOCKPOOL_PEER_OP took, in a context, each as a message with its index
 * for a cookie, or receive some, which then are as if taken; for
 * BLOCKPOOL_PEER_PORT_SEND and _RECV.
 */
struct blockpool_peer_transfer {
	__u32 context;
	__u32 flags;		/* BLOCKPOOL_PEER_SLEEP or 0 */
	__u32 count;		/* at most BLOCKPOOL_MESSAGES_MAX */
	__s32 result;		/* out: how many, or -errno */
	__u64 messages;		/* struct blockpool_message[count], in or out */
};

/* What the handler did; all out. */
struct blockpool_peer_handled {
	__u64 handled;
	__u64 sent;
	__u64 freed;
	__u64 astray;		/* not in the context asked for */
};

/* Of what the machine shall die, at once: for BLOCKPOOL_PEER_DIE. */
#define BLOCKPOOL_PEER_NULL_IN_SOFTIRQ	0U	/* a write to address 0 */
#define BLOCKPOOL_PEER_BUG_IN_HARDIRQ	1U
#define BLOCKPOOL_PEER_LOCKUP		2U	/* interrupts off, on this CPU, for ever */
#define BLOCKPOOL_PEER_KILL_INIT	3U

struct blockpool_peer_die {
	__u32 kind;
};

#define BLOCKPOOL_PEER_CPUS_MAX	8U

/*
 * Where, in the kernel's memory, it stands who owns the pool's blocks and who runs on
 * each CPU, for BLOCKPOOL_PEER_TRUTH; all out.  EOPNOTSUPP but on x86's 6.2 to 6.14.
 */
struct blockpool_peer_truth {
	__u64 owners;		/* __u32[nr_blocks] */
	__u32 nr_blocks;
	__u32 nr_cpus;
	__u32 pid_offset;	/* __s32, in what is pointed to below ... */
	__u32 comm_offset;	/* ... and char[16] */
	__u64 current_tasks[BLOCKPOOL_PEER_CPUS_MAX];	/* where a pointer is */
};

#define BLOCKPOOL_PEER_DEPTH_MAX	256U
#define BLOCKPOOL_PEER_BATCH_MAX	32U
#define BLOCKPOOL_PEER_STEPS_MAX	1000000U
#define BLOCKPOOL_PEER_INTERVAL_MIN	50U		/* microseconds */
#define BLOCKPOOL_PEER_INTERVAL_MAX	1000000U
#define BLOCKPOOL_PEER_STEP_BYTES_MAX	(256U << 10)	/* batch * length */

#define BLOCKPOOL_PEER_OPEN	_IOW(0xBF, 0, struct blockpool_peer_open)
#define BLOCKPOOL_PEER_CRC	_IOWR(0xBF, 1, struct blockpool_peer_crc)
#define BLOCKPOOL_PEER_CREATE	_IOW(0xBF, 2, struct blockpool_peer_create)
#define BLOCKPOOL_PEER_CLOSE	_IO(0xBF, 3)		/* blockpool_put() */
#define BLOCKPOOL_PEER_OP	_IOWR(0xBF, 4, struct blockpool_peer_op)
#define BLOCKPOOL_PEER_BAD	_IOWR(0xBF, 5, struct blockpool_peer_bad)
#define BLOCKPOOL_PEER_FILL	_IOW(0xBF, 6, struct blockpool_peer_data)
#define BLOCKPOOL_PEER_CHECK	_IOW(0xBF, 7, struct blockpool_peer_data)
#define BLOCKPOOL_PEER_WHERE	_IOWR(0xBF, 8, struct blockpool_peer_where)
#define BLOCKPOOL_PEER_WALK	_IOR(0xBF, 9, struct blockpool_peer_walk)
#define BLOCKPOOL_PEER_CHURN_RUN	_IOWR(0xBF, 10, struct blockpool_peer_churn)
#define BLOCKPOOL_PEER_CHURN_START	_IOW(0xBF, 11, struct blockpool_peer_churn)
#define BLOCKPOOL_PEER_CHURN_STOP	_IOR(0xBF, 12, struct blockpool_peer_churn)
#define BLOCKPOOL_PEER_OFFER	_IOWR(0xBF, 13, struct blockpool_peer_offer)
#define BLOCKPOOL_PEER_CRIME	_IOWR(0xBF, 14, struct blockpool_peer_crime)
#define BLOCKPOOL_PEER_FALSIFY	_IOWR(0xBF, 15, struct blockpool_peer_falsify)
#define BLOCKPOOL_PEER_DUEL	_IOW(0xBF, 16, struct blockpool_peer_duel)
#define BLOCKPOOL_PEER_PORT_OPEN	_IOWR(0xBF, 17, struct blockpool_peer_port)
#define BLOCKPOOL_PEER_PORT_CLOSE	_IO(0xBF, 18)
#define BLOCKPOOL_PEER_PORT_SEND	_IOWR(0xBF, 19, struct blockpool_peer_transfer)
#define BLOCKPOOL_PEER_PORT_RECV	_IOWR(0xBF, 20, struct blockpool_peer_transfer)
#define BLOCKPOOL_PEER_PORT_HANDLED	_IOR(0xBF, 21, struct blockpool_peer_handled)
#define BLOCKPOOL_PEER_DIE	_IOW(0xBF, 22, struct blockpool_peer_die)
#define BLOCKPOOL_PEER_TRUTH	_IOR(0xBF, 23, struct blockpool_peer_truth)

#endif /* BLOCKPOOL_PEER_H */
