/* SPDX-License-Identifier: GPL-2.0 */
/* blockpool_bench, inside. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#define BENCH_SUBJECTS	15	/* at most */
#define BENCH_BURST	32U	/* blocks in a burst and in a bulk */
#define BENCH_DEEP	1024U	/* more than a cache in front of a pool holds */

/**
 * struct bench_pool - how large a pool is
 * @nr_blocks: blocks
 * @block_size: bytes a block, a power of two
 */
struct bench_pool {
	u32 nr_blocks;
	u32 block_size;
};

/**
 * struct bench_subject - something that lends blocks
 * @name: what it is called in the results
 * @missing: why this kernel cannot have it, or NULL
 * @max_blocks: more it cannot have; 0 for no limit
 * @init: make a pool with all blocks free; 0 or -errno
 * @exit: undo that; every block has been given back
 * @take: a block, or NULL; does not sleep
 * @give: give it back
 * @take_bulk: fill an array of blocks: 0, or -errno and nothing is taken; NULL if
 *	the subject knows only single blocks
 * @give_bulk: give back an array, likewise
 *
 * There is one pool at a time.  Threads on all CPUs take and give at once, in
 * process context.
 */
struct bench_subject {
	const char *name;
	const char *missing;
	u32 max_blocks;
	int (*init)(const struct bench_pool *pool);
	void (*exit)(void);
	void *(*take)(void);
	void (*give)(void *block);
	int (*take_bulk)(void **blocks, u32 n);
	void (*give_bulk)(void **blocks, u32 n);
};

extern const struct bench_subject bench_blockpool;
extern const struct bench_subject bench_array;
extern const struct bench_subject bench_kmem_cache;
extern const struct bench_subject bench_mempool;
extern const struct bench_subject bench_mempool_reserve;
extern const struct bench_subject bench_objpool;
extern const struct bench_subject bench_sbitmap;
extern const struct bench_subject bench_genalloc;
extern const struct bench_subject bench_cas_stack;
extern const struct bench_subject bench_spin_stack;

/* subjects.c: NULL behind the last */
extern const struct bench_subject * const bench_subjects[BENCH_SUBJECTS + 1];
const struct bench_subject *bench_subject_find(const char *name);

/* arena.c: memory for subjects that manage numbers */
struct bench_arena {
	void *base;
	u32 shift;		/* log2 of the block size: a division would be dear */
};

int bench_arena_init(struct bench_arena *arena, const struct bench_pool *pool);
void bench_arena_exit(struct bench_arena *arena);

static inline void *bench_arena_block(const struct bench_arena *arena,
				      u32 index)
{
	return arena->base + ((size_t)index << arena->shift);
}

static inline u32 bench_arena_index(const struct bench_arena *arena,
				    const void *block)
{
	return (u32)((block - arena->base) >> arena->shift);
}

/* results.c: what is read from the device */
void bench_results_reset(void);
__printf(1, 2) int bench_results_add(const char *format, ...);
ssize_t bench_results_read(char __user *to, size_t count, loff_t *pos);

/**
 * struct bench_worker - a thread of a measurement
 * @group: those that run at the same time
 * @subject: whom it measures
 * @task: the thread
 * @cpu: where it runs
 * @done: out: blocks that it took and gave back
 * @ns: out: how long it took
 * @ret: out: 0 or -errno
 * @blocks: what it holds
 */
struct bench_worker {
	struct bench_group *group;
	const struct bench_subject *subject;
	struct task_struct *task;
	u32 cpu;
	u64 done;
	u64 ns;
	int ret;
	void *blocks[BENCH_DEEP];
};

/**
 * struct bench_case - a way to use a pool
 * @name: what it is called in the results
 * @batch: blocks that a thread has in hand at most
 * @round: take and give @batch blocks; 0 or -errno, and then holds none
 */
struct bench_case {
	const char *name;
	u32 batch;
	int (*round)(struct bench_worker *worker);
};

/* cases.c: a NULL name at the end */
extern const struct bench_case bench_cases[];
void bench_cases_init(void);
int bench_verify(struct bench_worker *worker);

/* threads.c: nanoseconds a block and thread, in thousandths, or -errno */
s64 bench_measure(const struct bench_subject *subject,
		  const struct bench_case *test, u32 threads, u32 slice_us);

/* run.c */
int bench_run(void);

/* mark.c */
int bench_mark_run(const struct bench_subject *subject);

#endif /* BENCH_H */
