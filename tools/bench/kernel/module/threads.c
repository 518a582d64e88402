// SPDX-License-Identifier: GPL-2.0
/* Measures on one CPU, or on several at once. */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "bench.h"

#define BENCH_THREADS_MAX	2
#define BENCH_CHUNK		1024U	/* blocks between two looks at the clock */

/* Threads that start together. */
struct bench_group {
	const struct bench_case *test;
	u64 slice_ns;
	u32 threads;
	atomic_t arrived;	/* at a line, see bench_line_up() */
	atomic_t timed;		/* have their time */
	atomic_t running;
	struct completion over;
	struct bench_worker workers[BENCH_THREADS_MAX];
};

/* Nobody goes on before all have come; @line counts from 1. */
static void bench_line_up(struct bench_group *group, u32 line)
{
	atomic_inc(&group->arrived);
	while (atomic_read(&group->arrived) < line * group->threads) {
		cond_resched();
		cpu_relax();
	}
}

/* Until the slice is over, which may be long after it is due. */
static void bench_time(struct bench_worker *worker)
{
	const struct bench_case *test = worker->group->test;
	u64 start = ktime_get_ns();
	u32 i;

	while (worker->ns < worker->group->slice_ns && !worker->ret) {
		for (i = 0; i < BENCH_CHUNK / test->batch && !worker->ret; i++)
			worker->ret = test->round(worker);
		worker->done += BENCH_CHUNK;
		worker->ns = ktime_get_ns() - start;
		cond_resched();
	}
}

/* Nobody is timed alone: who is done goes on until all are. */
static void bench_work(struct bench_worker *worker)
{
	struct bench_group *group = worker->group;

	bench_line_up(group, 1);
	worker->ret = bench_verify(worker);
	bench_line_up(group, 2);
	bench_time(worker);
	atomic_inc(&group->timed);
	while (atomic_read(&group->timed) < group->threads && !worker->ret)
		worker->ret = group->test->round(worker);
}

static int bench_thread(void *data)
{
	struct bench_worker *worker = data;
	struct bench_group *group = worker->group;

	bench_work(worker);
	if (atomic_dec_and_test(&group->running))
		complete(&group->over);
	return 0;
}

/* The mean of the threads. */
static s64 bench_group_result(const struct bench_group *group)
{
	const struct bench_worker *worker;
	u64 ps = 0;
	u32 i;

	for (i = 0; i < group->threads; i++) {
		worker = &group->workers[i];
		if (worker->ret)
			return worker->ret;
		ps += div64_u64(worker->ns * 1000, worker->done);
	}
	return div_u64(ps, group->threads);
}

/* They have not run, and will not; or are at their end. */
static void bench_group_stop(struct bench_group *group, u32 threads)
{
	while (threads--) {
		kthread_stop(group->workers[threads].task);
		put_task_struct(group->workers[threads].task);
	}
}

static int bench_worker_make(struct bench_worker *worker, u32 cpu)
{
	struct task_struct *task;

	if (cpu >= nr_cpu_ids)
		return -ENXIO;
	task = kthread_create(bench_thread, worker, "blockpool_bench");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	worker->cpu = cpu;
	worker->task = get_task_struct(task);
	return 0;
}

/* All are made before one runs, as they wait for each other. */
static int bench_group_run(struct bench_group *group)
{
	u32 i, cpu = cpumask_first(cpu_online_mask);
	int ret;

	for (i = 0; i < group->threads; i++) {
		ret = bench_worker_make(&group->workers[i], cpu);
		if (ret) {
			bench_group_stop(group, i);
			return ret;
		}
		cpu = cpumask_next(cpu, cpu_online_mask);
	}
	for (i = 0; i < group->threads; i++)
		wake_up_process(group->workers[i].task);
	wait_for_completion(&group->over);
	bench_group_stop(group, group->threads);
	return 0;
}

s64 bench_measure(const struct bench_subject *subject,
		  const struct bench_case *test, u32 threads, u32 slice_us)
{
	struct bench_group *group = kzalloc(sizeof(*group), GFP_KERNEL);
	s64 ret;
	u32 i;

	if (!group)
		return -ENOMEM;
	group->test = test;
	group->slice_ns = (u64)slice_us * NSEC_PER_USEC;
	group->threads = threads;
	init_completion(&group->over);
	atomic_set(&group->running, threads);
	for (i = 0; i < threads; i++) {
		group->workers[i].group = group;
		group->workers[i].subject = subject;
	}
	ret = bench_group_run(group) ?: bench_group_result(group);
	kfree(group);
	return ret;
}
