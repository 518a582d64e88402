// SPDX-License-Identifier: GPL-2.0
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY		65534		/* the kernel's overflowuid */
#define FILE_MAX	(1LL << 30)	/* bytes of a file */
#define MEMORY_MAX	(256UL << 20)	/* that a child may use for it */
#define ANSWER_SECONDS	5
#define SECONDS_MAX	20		/* of a child's processor time */
#define NR_READERS	8		/* children at a time */
#define NR_HUNG_MAX	3		/* that did not answer; then no more */

/* A child and the file that it reads; one that cannot be read keeps no child. */
struct reader {
	char *path;
	int socket;			/* -1: no child */
	pid_t pid;
};

static struct reader readers[NR_READERS];
static unsigned int next_reader;
static unsigned int nr_hung;

/*
 * Regular alone is not enough: in /proc and /sys even a read may do something.
 * Such file systems, made as they are read, say that they have no room at all.
 */
static bool is_stored(int handle)
{
	struct stat file;
	struct statfs system;

	return !fstat(handle, &file) && S_ISREG(file.st_mode) &&
	       file.st_size <= FILE_MAX && !fstatfs(handle, &system) &&
	       system.f_blocks;
}

/*
 * Looked at before it is opened, for to open a device or a FIFO may do something;
 * and not by its path again, which may lead elsewhere by then.  O_NONBLOCK: a lease
 * on the file must not hold us up.
 */
static int open_stored(const char *path)
{
	int handle = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char self[32];

	if (handle < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	if (is_stored(handle))
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close(handle);
	return fd;
}

/* 0, 1 and 2 become /dev/null, 3 the socket; there is nothing else. */
static bool drop_files(int socket)
{
	int null = open("/dev/null", O_RDWR);

	socket = fcntl(socket, F_DUPFD, 4);	/* it may be 0, 1 or 2 */
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return false;
	return dup2(socket, 3) == 3 && !close_range(4, ~0U, 0);
}

static bool limit(int what, rlim_t most)
{
	struct rlimit bounds = { .rlim_cur = most, .rlim_max = most };

	return !setrlimit(what, &bounds);
}

static bool drop_rights(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { };

	if (!geteuid() && (setgroups(0, NULL) ||
			   setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		return false;
	return !syscall(SYS_capset, &head, none) &&
	       !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       limit(RLIMIT_DATA, MEMORY_MAX) && limit(RLIMIT_CORE, 0) &&
	       limit(RLIMIT_CPU, SECONDS_MAX) && limit(RLIMIT_FSIZE, 0);
}

/* Ends with its parent: while it opens the file by a signal, then by the socket. */
static void __attribute__((noreturn)) read_file(const char *path, int socket)
{
	struct symbols *symbols;
	struct symbol symbol;
	__u64 address;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setsid();
	if (!drop_files(socket))
		_exit(1);
	fd = open_stored(path);
	if (fd < 0 || !drop_rights())
		_exit(1);
	symbols = symbols_open(fd);
	while (symbols &&
	       recv(3, &address, sizeof(address), 0) == sizeof(address)) {
		symbols_find(symbols, address, &symbol);
		send(3, &symbol, sizeof(symbol), MSG_NOSIGNAL);
	}
	_exit(0);
}

static void end_child(struct reader *reader)
{
	if (reader->socket < 0)
		return;
	close(reader->socket);
	kill(reader->pid, SIGKILL);
	waitpid(reader->pid, NULL, 0);
	reader->socket = -1;
}

static void start_child(struct reader *reader)
{
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	reader->pid = fork();
	if (!reader->pid)
		read_file(reader->path, pair[1]);
	close(pair[1]);
	if (reader->pid < 0)
		close(pair[0]);
	else
		reader->socket = pair[0];
}

static void forget(struct reader *reader)
{
	if (!reader->path)
		return;
	end_child(reader);
	free(reader->path);
	reader->path = NULL;
}

/* The one that reads this file, or a new one in the place of the oldest. */
static struct reader *find_reader(const char *path)
{
	struct reader *reader;

	for (unsigned int i = 0; i < NR_READERS; i++)
		if (readers[i].path && !strcmp(readers[i].path, path))
			return &readers[i];
	reader = &readers[next_reader++ % NR_READERS];
	forget(reader);
	reader->path = strdup(path);
	reader->socket = -1;
	if (reader->path)
		start_child(reader);
	return reader;
}

static bool ask(struct reader *reader, __u64 address, struct symbol *symbol)
{
	ssize_t len;

	if (send(reader->socket, &address, sizeof(address), MSG_NOSIGNAL) < 0)
		return false;
	len = recv(reader->socket, symbol, sizeof(*symbol), 0);
	if (len < 0 && errno == EAGAIN)
		nr_hung++;
	return len == sizeof(*symbol);
}

bool resolve(const char *path, __u64 address, struct symbol *symbol)
{
	struct reader *reader;

	if (nr_hung >= NR_HUNG_MAX)
		return false;
	reader = find_reader(path);
	if (reader->socket < 0)
		return false;
	if (!ask(reader, address, symbol)) {
		end_child(reader);
		return false;
	}
	symbol->function[SYMBOL_TEXT - 1] = '\0';
	symbol->source[SYMBOL_TEXT - 1] = '\0';
	return *symbol->function || *symbol->source;
}

void resolve_end(void)
{
	for (unsigned int i = 0; i < NR_READERS; i++)
		forget(&readers[i]);
	nr_hung = 0;
}
