// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <limits.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "modules.h"
#include "report.h"
#include "symbol.h"
#include "trace.h"

#define NAME_SIZE	128	/* of a function's name, which may be cut short */

/* In one piece if it fits, so that those of two threads do not mix. */
struct text {
	struct blockpool_info info;
	int cancel;		/* nothing ends a thread that is half-way */
	size_t nr;
	char bytes[PATH_MAX];
};

static void flush(struct text *text)
{
	ssize_t written = write(STDERR_FILENO, text->bytes, text->nr);

	(void)written;	/* there is nobody else to tell */
	text->nr = 0;
}

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
	if (length > sizeof(text->bytes) - text->nr)
		flush(text);
	if (length > sizeof(text->bytes))
		length = sizeof(text->bytes);
	memcpy(text->bytes + text->nr, bytes, length);
	text->nr += length;
}

static void put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void put_number(struct text *text, const char *before, u64 number,
		       u32 base)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	put(text, before);
	put_bytes(text, digits + at, sizeof(digits) - at);
}

static void put_decimal(struct text *text, const char *before, u64 number)
{
	put_number(text, before, number, 10);
}

static void put_hex(struct text *text, const char *before, u64 number)
{
	put_number(text, before, number, 16);
}

/* A new line of the report, as one in the kernel's log begins. */
static void put_line(struct text *text)
{
	put(text, "blockpool: ");
	put(text, text->info.name);
	put(text, ": ");
}

/* "/path/of/file+0x123a (main+0x1a)", with the name if it is known. */
static void put_frame(struct text *text, u64 frame)
{
	u64 address = bp_modules_address(frame), start;
	char path[PATH_MAX], name[NAME_SIZE];

	bp_modules_path(frame, path, sizeof(path));
	put(text, path);
	put_hex(text, "+0x", address);
	if (bp_symbol_name(path, address - 1, name, sizeof(name), &start)) {
		put(text, " (");
		put(text, name);
		put_hex(text, "+0x", address - start);
		put(text, ")");
	}
}

static void put_caller(struct text *text, const void *caller)
{
	u64 frames[BLOCKPOOL_FRAMES_MAX];
	char comm[BLOCKPOOL_COMM_SIZE] = "";
	u32 i, nr = bp_trace(caller, frames);

	prctl(PR_GET_NAME, comm);
	put_line(text);
	put_decimal(text, "by pid ", (u64)getpid());
	put_decimal(text, ", tid ", (u64)gettid());
	put(text, " (");
	put(text, comm);
	put(text, "):\n");
	for (i = 0; i < nr; i++) {
		put_line(text);
		put(text, "  ");
		put_frame(text, frames[i]);
		put(text, "\n");
	}
}

/* Where an address lies that is no block's, as far as that can be said. */
static void put_place(struct text *text, const struct blockpool *pool,
		      const void *block)
{
	u64 offset = (u64)(uintptr_t)block - (uintptr_t)pool->base;
	u64 index = offset / pool->stride.bytes;

	put_hex(text, ": 0x", (uintptr_t)block);
	if (index < pool->nr_blocks) {
		put_decimal(text, ", byte ", offset % pool->stride.bytes);
		put_decimal(text, " of block ", index);
	}
}

/* What the kernel says of a block, or this process if it keeps the block. */
static u32 owner_of(const struct blockpool *pool, u32 index)
{
	u32 owner = BLOCKPOOL_OWNER_FREE;
	struct blockpool_owners_args args = {
		.size = sizeof(args),
		.first = index,
		.count = 1,
		.owners = (uintptr_t)&owner,
	};

	if (pool->states[index] != STATE_CACHED)
		ioctl(pool->fd, BLOCKPOOL_IOC_OWNERS, &args);
	return owner;
}

/* What was tried with a block that is free, or else is held by another. */
static void put_block(struct text *text, const struct blockpool *pool, u32 index,
		      const char *if_free, const char *if_held)
{
	u32 owner = owner_of(pool, index);

	if (owner == BLOCKPOOL_OWNER_FREE ||
	    owner == BLOCKPOOL_OWNER_QUARANTINE)
		put(text, if_free);
	else
		put(text, if_held);
	put_decimal(text, ", block ", index);
	put_decimal(text, ", owner word ", owner);
}

static void begin(struct text *text, const struct blockpool *pool)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &text->cancel);
	text->nr = 0;
	text->info = (struct blockpool_info){ .size = sizeof(text->info) };
	ioctl(pool->fd, BLOCKPOOL_IOC_INFO, &text->info);
	put_line(text);
}

static void end(struct text *text, const void *caller)
{
	put(text, "\n");
	put_caller(text, caller);
	flush(text);
	pthread_setcancelstate(text->cancel, NULL);
}

void bp_report_print(struct blockpool *pool, const void *block,
		     const void *caller)
{
	u32 index = index_of(pool, block);
	int error = errno;
	struct text text;

	if (error != EPERM && error != EINVAL)
		return;
	begin(&text, pool);
	if (index == BLOCKPOOL_NO_INDEX) {
		put(&text, "free of what is not a block");
		put_place(&text, pool, block);
	} else {
		put_block(&text, pool, index, "double free",
			  "free by one who does not hold it");
	}
	end(&text, caller);
	errno = error;
}

/* The first of them that is no block of this client. */
static bool find_culprit(const struct blockpool *pool, u32 client,
			 const struct blockpool_message *messages, u32 n,
			 u32 *index)
{
	u32 i;

	for (i = 0; i < n; i++) {
		*index = messages[i].index;
		if (*index >= pool->nr_blocks || owner_of(pool, *index) != client)
			return true;
	}
	return false;
}

static void put_sent(struct text *text, const struct blockpool *pool, u32 index)
{
	if (index < pool->nr_blocks) {
		put_block(text, pool, index, "send of a free block",
			  "send by one who does not hold it");
	} else {
		put(text, "send of what is not a block");
		put_decimal(text, ": index ", index);
	}
}

/* If they are its blocks, something else is wrong: that is not told here. */
void bp_report_print_sent(struct blockpool *pool,
			  const struct blockpool_message *messages, u32 n,
			  const void *caller)
{
	int error = errno;
	struct text text;
	u32 index;

	if (error != EPERM && error != EINVAL)
		return;
	begin(&text, pool);
	if (find_culprit(pool, text.info.client, messages, n, &index)) {
		put_sent(&text, pool, index);
		end(&text, caller);
	}
	pthread_setcancelstate(text.cancel, NULL);
	errno = error;
}

int bp_refuse_inherited(const struct blockpool *pool, const void *caller)
{
	struct text text;

	if (pool->reports) {
		begin(&text, pool);
		put(&text, "call on a handle inherited over fork()");
		end(&text, caller);
	}
	return fail(ECHILD);
}
