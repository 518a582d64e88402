/* SPDX-License-Identifier: GPL-2.0 */
/* A mutex that processes can share, robust if nobody says otherwise. */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include <errno.h>
#include <pthread.h>

#ifndef LOCK_ROBUST
#define LOCK_ROBUST	PTHREAD_MUTEX_ROBUST
#endif

static inline void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, LOCK_ROBUST);
	pthread_mutex_init(lock, &attr);
}

/* Whoever died with the lock left the pool in the middle of something: go on so. */
static inline void lock(pthread_mutex_t *lock)
{
	if (pthread_mutex_lock(lock) == EOWNERDEAD)
		pthread_mutex_consistent(lock);
}

static inline void unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}

#endif /* BENCH_LOCK_H */
