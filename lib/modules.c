// SPDX-License-Identifier: LGPL-2.1-only OR MIT
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "modules.h"
#include "wiped.h"

#define MODULES_MAX	1024U	/* with paths of 31 characters the text is full */
#define LINE_UNKNOWN	0xffffU	/* never in the text */

/* How one is known again; where it lies is not enough, as it may be unloaded. */
struct known {
	uintptr_t start;
	u64 name;		/* a hash */
};

/*
 * Readers take no lock: an entry is there before @nr counts it, and a line before
 * @length does.  In a child all is wiped and begins anew.
 */
struct modules {
	pthread_mutex_t lock;
	u32 nr;				/* lines of the text */
	u32 length;
	struct known known[MODULES_MAX];
	char text[BLOCKPOOL_MODULES_SIZE];
	char line[PATH_MAX + 128];	/* of /proc/self/maps */
};

static struct modules *modules;

bool bp_modules_open(void)
{
	struct modules *none = NULL, *fresh;

	if (__atomic_load_n(&modules, __ATOMIC_ACQUIRE))
		return true;
	fresh = bp_map_wiped(sizeof(*fresh));
	if (!fresh)
		return false;
	if (!__atomic_compare_exchange_n(&modules, &none, fresh, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap(fresh, sizeof(*fresh));
	return true;
}

/*
 * With the lock held nothing interrupts a thread or ends it, so a signal handler
 * that waits for the lock waits for another thread, and that is at work.
 */
struct outside {
	sigset_t signals;
	int cancel;
};

static void lock_modules(struct outside *outside)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &outside->signals);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &outside->cancel);
	pthread_mutex_lock(&modules->lock);
}

static void unlock_modules(const struct outside *outside)
{
	pthread_mutex_unlock(&modules->lock);
	pthread_setcancelstate(outside->cancel, NULL);
	pthread_sigmask(SIG_SETMASK, &outside->signals, NULL);
}

/* FNV-1a */
static u64 hash_of(const char *name)
{
	u64 hash = 0xcbf29ce484222325;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3;
	return hash;
}

/* The line that was found for it before. */
static u32 line_known(const struct known *key)
{
	u32 i, nr = __atomic_load_n(&modules->nr, __ATOMIC_ACQUIRE);

	for (i = 0; i < nr; i++) {
		const struct known *known = &modules->known[i];

		if (__atomic_load_n(&known->start, __ATOMIC_RELAXED) == key->start &&
		    __atomic_load_n(&known->name, __ATOMIC_RELAXED) == key->name)
			return i;
	}
	return LINE_UNKNOWN;
}

/* All keys of a line are of one path: who reads halves of two is not misled. */
static void set_known(u32 line, const struct known *key)
{
	struct known *known = &modules->known[line];

	__atomic_store_n(&known->start, key->start, __ATOMIC_RELAXED);
	__atomic_store_n(&known->name, key->name, __ATOMIC_RELAXED);
	if (line == modules->nr)
		__atomic_store_n(&modules->nr, line + 1, __ATOMIC_RELEASE);
}

/* The path in a line of maps, if that is about @address. */
static char *path_in(char *line, uintptr_t address)
{
	char *end;

	if (address < strtoull(line, &end, 16) || *end != '-' ||
	    address >= strtoull(end + 1, NULL, 16))
		return NULL;
	return strchr(line, '/');
}

static char *path_read(int fd, uintptr_t address)
{
	char *line = modules->line, *end, *path;
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, line + have, sizeof(modules->line) - have)) > 0) {
		have += (size_t)n;
		while ((end = memchr(line, '\n', have))) {
			*end++ = '\0';
			path = path_in(line, address);
			if (path)
				return path;
			have -= (size_t)(end - line);
			memmove(line, end, have);
		}
	}
	return NULL;
}

/*
 * What lies at @address, by the kernel's word: to the dynamic linker the program
 * itself has no name, and a library's may begin where nobody is any more.
 */
static const char *path_at(uintptr_t address, const char *name)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char *path = NULL;

	if (fd >= 0) {
		path = path_read(fd, address);
		close(fd);
	}
	return path ? path : name;
}

static u32 line_of(const char *path)
{
	const char *text = modules->text;
	size_t length = strlen(path);
	u32 i;

	for (i = 0; i < modules->nr; i++) {
		if (!strncmp(text, path, length) && text[length] == '\n')
			return i;
		text = strchr(text, '\n') + 1;
	}
	return LINE_UNKNOWN;
}

static u32 line_add(const char *path)
{
	size_t length = strlen(path);
	char *end = modules->text + modules->length;

	if (modules->nr == MODULES_MAX || !length ||
	    length >= sizeof(modules->text) - modules->length)
		return LINE_UNKNOWN;
	memcpy(end, path, length);
	end[length] = '\n';
	__atomic_store_n(&modules->length, modules->length + length + 1,
			 __ATOMIC_RELEASE);
	return modules->nr;
}

/* One that is seen for the first time, or at another place than before. */
static bp_slow u32 line_new(const struct known *key, uintptr_t address,
			    const char *name)
{
	struct outside outside;
	const char *path;
	u32 line;

	lock_modules(&outside);
	line = line_known(key);
	if (line == LINE_UNKNOWN) {
		path = path_at(address, name);
		line = line_of(path);
		if (line == LINE_UNKNOWN)
			line = line_add(path);
		if (line != LINE_UNKNOWN)
			set_known(line, key);
	}
	unlock_modules(&outside);
	return line;
}

/* A call may be the last instruction of its function: look at the byte before. */
u64 bp_modules_frame(uintptr_t address)
{
	struct dl_find_object found;
	const struct link_map *map;
	struct known key;
	u32 line;

	if (_dl_find_object((void *)(address - 1), &found))
		return (u64)LINE_UNKNOWN << 48;
	map = found.dlfo_link_map;
	key.start = (uintptr_t)found.dlfo_map_start;
	key.name = hash_of(map->l_name);
	line = line_known(&key);
	if (line == LINE_UNKNOWN)
		line = line_new(&key, address - 1, map->l_name);
	return (u64)line << 48 | (address - map->l_addr);
}

/*
 * Under the lock, since a text replaces the one before.  What is refused would be
 * refused again.
 */
void bp_modules_tell(struct blockpool *pool)
{
	struct blockpool_modules_args args = { .size = sizeof(args) };
	struct outside outside;

	if (__atomic_load_n(&modules->length, __ATOMIC_ACQUIRE) ==
	    __atomic_load_n(&pool->told, __ATOMIC_RELAXED))
		return;
	lock_modules(&outside);
	args.length = modules->length;
	args.text = (uintptr_t)modules->text;
	if (args.length != pool->told)
		ioctl(pool->fd, BLOCKPOOL_IOC_MODULES, &args);
	__atomic_store_n(&pool->told, args.length, __ATOMIC_RELAXED);
	unlock_modules(&outside);
}

void bp_modules_path(u64 frame, char *path, size_t size)
{
	const char *from = modules->text;
	u64 line = frame >> 48;
	size_t length;

	if (line == LINE_UNKNOWN)
		from = "?\n";
	else
		for (; line; line--)
			from = strchr(from, '\n') + 1;
	length = (size_t)(strchr(from, '\n') - from);
	if (length > size - 1)
		length = size - 1;
	memcpy(path, from, length);
	path[length] = '\0';
}
