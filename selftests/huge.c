// SPDX-License-Identifier: GPL-2.0
/*
 * Large mappings.  Where the kernel can, whole chunks are mapped by huge pages;
 * everywhere they can be cut up, moved and taken away as the small ones can, and
 * all of the memory comes back.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "harness.h"
#include "pool.h"

/* What the page tables of a process hold, mapping by mapping. */
#define SMAPS		"/proc/self/smaps"
#define CRASHED		(128 + SIGSEGV)
#define PAGE		4096UL
#define HUGE		(2UL << 20)

/* Two whole chunks and a part of one, of pages. */
#define NR_PAGES	(2 * HUGE / PAGE + 100)
#define SIZE		(NR_PAGES * PAGE)

FIXTURE(huge)
{
	char name[BLOCKPOOL_NAME_SIZE];
	int fd;
	char *map;
};

static void stamp_all(char *map)
{
	for (size_t i = 0; i < NR_PAGES; i++)
		*(size_t *)(map + i * PAGE + 64 * (i % 64)) = ~i;
}

/* Whether a mapping has the pool's pages from first on. */
static bool has_stamps(const char *map, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++, map += PAGE) {
		if (*(const size_t *)(map + 64 * (i % 64)) != ~i)
			return false;
	}
	return true;
}

FIXTURE_SETUP(huge)
{
	if (sysconf(_SC_PAGESIZE) != PAGE)
		SKIP(return, "pages are not of 4 KiB");
	pool_name(self->name);
	self->fd = pool_new(self->name, PAGE, NR_PAGES);
	ASSERT_EQ(SIZE, pool_info(self->fd).map_size);
	self->map = pool_map(self->fd);
	stamp_all(self->map);
}

FIXTURE_TEARDOWN(huge)
{
	pool_drain(self->fd);
	close(self->fd);
}

/* A number of SMAPS, in bytes, of the mapping that begins there. */
static size_t smaps(const char *map, const char *key)
{
	FILE *file = fopen(SMAPS, "re");
	unsigned long start, end, at = 0, kib = 0;
	char line[512], name[64];

	must(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			at = start;
		else if (at == (uintptr_t)map &&
			 sscanf(line, "%63[^:]: %lu kB", name, &kib) == 2 &&
			 !strcmp(name, key))
			break;
		kib = 0;
	}
	fclose(file);
	return kib << 10;
}

static bool file_has(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

/* What the module asks for at build time, as the running kernel shows it. */
static bool offered(void)
{
	const char *thp = "/sys/kernel/mm/transparent_hugepage/enabled";

	return file_has("/proc/kallsyms", " vmf_insert_folio_pmd") &&
	       !access(thp, F_OK) && !file_has(thp, "[never]");
}

static bool is_aligned(const void *map)
{
	return !((uintptr_t)map % HUGE);
}

/*
 * What mmap() makes
 */
TEST_F(huge, whole_chunks)
{
	if (!offered())
		SKIP(return, "this kernel cannot map blocks by huge pages");
	ASSERT_TRUE(is_aligned(self->map));
	EXPECT_EQ(2 * HUGE, smaps(self->map, "FilePmdMapped"));
	EXPECT_EQ(SIZE, smaps(self->map, "Rss"));

	/* What was thrown away comes back the same way. */
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, smaps(self->map, "Rss"));
	ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
	EXPECT_EQ(2 * HUGE, smaps(self->map, "FilePmdMapped"));
	EXPECT_EQ(SIZE, smaps(self->map, "Rss"));
}

static long faults(void)
{
	struct rusage usage;

	must(!getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

/* Blocks exist for those who cannot wait for a fault. */
TEST_F(huge, no_fault_after_mmap)
{
	char *map = pool_map(self->fd);
	long before;

	if (file_has("/proc/cpuinfo", "User Mode Linux"))
		SKIP(return, "User-Mode Linux hands pages to its host by faults");
	must(!mlockall(MCL_CURRENT));	/* the program's own pages */
	before = faults();
	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
	stamp_all(map);
	ASSERT_EQ(before, faults());
}

TEST_F(huge, windows)
{
	static const size_t firsts[] = { 0, 1, 511, 512, 513, 1024, 1123 };
	static const size_t lengths[] = { 1, 99, 512, 513, 1024, NR_PAGES };

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
			size_t n = lengths[k];
			char *map;

			if (firsts[i] + n > NR_PAGES)
				continue;
			map = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, firsts[i] * PAGE);
			ASSERT_NE(MAP_FAILED, map);
			ASSERT_TRUE(has_stamps(map, firsts[i], n));
			ASSERT_EQ(n * PAGE, smaps(map, "Rss"));
			ASSERT_EQ(0, munmap(map, n * PAGE));
		}
	}
}

/* Addresses for a mapping that begins anywhere in the first huge page of them. */
static char *room(void)
{
	char *room = mmap(NULL, SIZE + 2 * HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(room != MAP_FAILED);
	return room + -(uintptr_t)room % HUGE;
}

/* Where huge pages do not fit in, small ones are. */
TEST_F(huge, at_any_address)
{
	char *there = room();

	for (size_t at = 0; at < HUGE; at += 37 * PAGE) {
		char *map = mmap(there + at, SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, self->fd, 0);

		ASSERT_EQ(there + at, map);
		ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
		ASSERT_EQ(is_aligned(map) && offered() ? 2 * HUGE : 0,
			  smaps(map, "FilePmdMapped"));
	}
}

static char *map_without_thp(int fd)
{
	char *map;

	must(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	map = pool_map(fd);
	must(!prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	return map;
}

TEST_F(huge, not_for_a_process_that_will_not)
{
	char *map = map_without_thp(self->fd);

	ASSERT_EQ(0, smaps(map, "FilePmdMapped"));
	ASSERT_EQ(SIZE, smaps(map, "Rss"));
	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
}

/* Writes to a page, in a child, that may not be. */
static int write_fails(int fd, char *(*make)(int fd), size_t page)
{
	pid_t pid = child_fork();

	if (!pid) {
		char *map = make(fd);

		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)(map + page * PAGE) = 'x';
		_exit(0);
	}
	return child_reap(pid);
}

static char *map_read_only(int fd)
{
	return mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
}

TEST_F(huge, read_only)
{
	int fd = pool_open(O_RDONLY);
	char *map;

	ASSERT_EQ(0, pool_attach(fd, self->name));
	map = map_read_only(fd);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
	ASSERT_EQ(-1, mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	for (size_t page = 0; page < NR_PAGES; page += 561)
		ASSERT_EQ(CRASHED, write_fails(fd, map_read_only, page));
	ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
	close(fd);
}

/*
 * What may be done to it
 */
TEST_F(huge, unmapped_in_part)
{
	ASSERT_EQ(0, munmap(self->map + 100 * PAGE, PAGE));
	ASSERT_TRUE(has_stamps(self->map, 0, 100));
	ASSERT_TRUE(has_stamps(self->map + 101 * PAGE, 101, NR_PAGES - 101));
	ASSERT_EQ(0, munmap(self->map + 512 * PAGE, HUGE));
	ASSERT_TRUE(has_stamps(self->map + 1024 * PAGE, 1024, 100));
	ASSERT_TRUE(has_stamps(pool_map(self->fd), 0, NR_PAGES));
}

static char *map_protected_page(int fd)
{
	char *map = pool_map(fd);

	must(!mprotect(map + 600 * PAGE, PAGE, PROT_READ));
	return map;
}

TEST_F(huge, protected_in_part)
{
	char *map = map_protected_page(self->fd);

	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
	ASSERT_EQ(CRASHED, write_fails(self->fd, map_protected_page, 600));
	ASSERT_EQ(0, write_fails(self->fd, map_protected_page, 601));
	ASSERT_EQ(0, write_fails(self->fd, map_protected_page, 599));
}

static char *map_protected(int fd)
{
	char *map = pool_map(fd);

	must(!mprotect(map, SIZE, PROT_READ));
	return map;
}

TEST_F(huge, protected_whole)
{
	char *map = map_protected(self->fd);

	ASSERT_EQ(CRASHED, write_fails(self->fd, map_protected, 3));
	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
	ASSERT_EQ(0, mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	stamp_all(map);
	ASSERT_EQ(0, mprotect(map, SIZE, PROT_NONE));
	ASSERT_EQ(0, mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
}

TEST_F(huge, moves)
{
	char *there = room(), *map = self->map;

	for (int i = 0; i < 4; i++) {
		char *to = there + (i % 2 ? 0 : 5 * PAGE);

		map = mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		ASSERT_EQ(to, map);
		if (i > 1)	/* with and without what was there before */
			ASSERT_EQ(0, madvise(map, SIZE, MADV_DONTNEED));
		ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
		map = mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     self->map);
		ASSERT_EQ(self->map, map);
		ASSERT_TRUE(has_stamps(map, 0, NR_PAGES));
	}
}

/* Small pages first, then an address where huge ones would fit. */
TEST_F(huge, moves_to_where_it_fits)
{
	char *there = room(), *map;

	map = mmap(there + PAGE, SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, self->fd, 0);
	ASSERT_EQ(there + PAGE, map);
	ASSERT_EQ(self->map, mremap(map, SIZE, SIZE,
				    MREMAP_MAYMOVE | MREMAP_FIXED, self->map));
	ASSERT_EQ(0, madvise(self->map, SIZE, MADV_DONTNEED));
	ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
	ASSERT_EQ(0, munmap(self->map + PAGE, PAGE));
	ASSERT_TRUE(has_stamps(self->map + 2 * PAGE, 2, NR_PAGES - 2));
}

/* Some may be refused; none may lose a byte, of a part or of all. */
TEST_F(huge, advice_loses_nothing)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_WILLNEED, MADV_NOHUGEPAGE, MADV_DONTNEED, MADV_HUGEPAGE,
		MADV_MERGEABLE, 25 /* MADV_COLLAPSE */, MADV_DONTNEED,
	};

	for (size_t i = 0; i < ARRAY_SIZE(advice); i++) {
		madvise(self->map + 3 * PAGE, PAGE, advice[i]);
		ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
		madvise(self->map, SIZE, advice[i]);
		ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
		stamp_all(self->map);
	}
}

TEST_F(huge, is_inherited_on_request)
{
	pid_t pid;

	if (madvise(self->map, SIZE, MADV_DOFORK))
		SKIP(return, "MADV_DOFORK is refused");
	pid = child_fork();
	if (!pid) {
		must(has_stamps(self->map, 0, NR_PAGES));
		must(!munmap(self->map + PAGE, PAGE));
		stamp_all(pool_map(self->fd));
		_exit(0);
	}
	ASSERT_EQ(0, child_reap(pid));
	ASSERT_TRUE(has_stamps(self->map, 0, NR_PAGES));
}

/*
 * Where the memory goes
 */

/* A page in a pipe keeps all of its chunk, and nobody else gets that. */
TEST_F(huge, spliced_page_outlives_the_pool)
{
	struct iovec iov = { self->map + 700 * PAGE, PAGE };
	char name[BLOCKPOOL_NAME_SIZE], copy[PAGE];
	int fds[2];

	memset(iov.iov_base, 'v', PAGE);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(PAGE, vmsplice(fds[1], &iov, 1, 0));
	ASSERT_EQ(0, munmap(self->map, SIZE));
	close(self->fd);
	ASSERT_FALSE(pool_listed(self->name));

	pool_name(name);
	self->fd = pool_new(name, PAGE, NR_PAGES);
	memset(pool_map(self->fd), 'n', SIZE);
	ASSERT_EQ(PAGE, read(fds[0], copy, PAGE));
	for (size_t i = 0; i < PAGE; i++)
		ASSERT_EQ('v', copy[i]);
}

#define ROUND	(64UL << 20)

/* All huge pages are cut up, whatever that costs the kernel's accounts. */
static void use_and_cut_up(char *map)
{
	memset(map, 'u', ROUND);
	for (size_t at = 0; at < ROUND; at += HUGE) {
		must(!mprotect(map + at + 5 * PAGE, PAGE, PROT_READ));
		must(!munmap(map + at + 9 * PAGE, PAGE));
	}
	memset(map, 'u', 5 * PAGE);
	must(!munmap(map, ROUND));
}

TEST(all_memory_comes_back)
{
	long long before = file_value("/proc/meminfo", "MemAvailable");
	char name[BLOCKPOOL_NAME_SIZE];

	for (int i = 0; i < 6; i++) {
		int fd;

		pool_name(name);
		fd = pool_new(name, PAGE, ROUND / PAGE);
		use_and_cut_up(pool_map(fd));
		use_and_cut_up(map_without_thp(fd));
		ASSERT_EQ(0, munmap(pool_map(fd), ROUND));
		close(fd);
		ASSERT_FALSE(pool_listed(name));
	}
	ASSERT_LT(before - (long long)(ROUND >> 10),
		  file_value("/proc/meminfo", "MemAvailable"));
}

TEST_HARNESS_MAIN
