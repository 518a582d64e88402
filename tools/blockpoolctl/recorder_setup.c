// SPDX-License-Identifier: GPL-2.0
/* recorder setup: what the boot loader and the system's start need. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "blackbox/boot.h"
#include "json.h"
#include "recorder.h"
#include "say.h"

#define GRUB_FOLDER	"/etc/default/grub.d"	/* which Debian reads, but need not have */
#define GRUB_FILE	GRUB_FOLDER "/blockpool.cfg"
#define UNIT_FILE	"/etc/systemd/system/blockpool-recorder.service"

#define INSTANCE	"blockpool^traceoff"

#define MB		(1ull << 20)
#define CPU_LEAST	(4 * MB)	/* some seconds of a busy CPU */
#define ALIGN		(2 * MB)
#define RUN_BYTES	8u		/* of a block in a snapshot, at the worst */
#define SNAPSHOTS	4u		/* of all pools that a CPU's part has room for */
#define LOWEST		(256 * MB)	/* below lies what boot loaders use */
#define HIGHEST		(4096 * MB)

struct plan {
	__u64 size;
	__u64 address;		/* 0: the kernel is to find one */
	unsigned int cpus;
	__u64 blocks;		/* of all pools that we may see */
};

/* Without the module there are no pools yet. */
static __u64 count_blocks(void)
{
	struct blockpool_list_args pool = { .size = sizeof(pool) };
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	__u64 nr = 0, cursor;

	if (fd < 0)
		return 0;
	while (!ioctl(fd, BLOCKPOOL_IOC_LIST, &pool)) {
		nr += pool.nr_blocks;
		cursor = pool.cursor;
		pool = (struct blockpool_list_args){ .size = sizeof(pool), .cursor = cursor };
	}
	close(fd);
	return nr;
}

static __u64 up(__u64 size)
{
	return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/*
 * The middle of the largest piece of memory, where no boot loader puts anything.  A place
 * that is fixed is the same at each boot, and the kernel, which may be loaded anywhere,
 * keeps off it; one that the kernel finds may be where the last one's code was.
 */
static __u64 find_address(__u64 size)
{
	unsigned long long from, to, best = 0, best_size = 0;
	FILE *in = fopen("/proc/iomem", "re");
	char line[256];

	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%llx-%llx : System RAM", &from, &to) != 2 ||
		    *line == ' ' || !strstr(line, "System RAM"))
			continue;
		to = to + 1 < HIGHEST ? to + 1 : HIGHEST;
		from = from > LOWEST ? from : LOWEST;
		if (to > from && to - from > best_size) {
			best_size = to - from;
			best = from;
		}
	}
	if (in)
		fclose(in);
	return best_size >= 4 * size ? up(best + best_size / 2) : 0;
}

static void make_plan(struct plan *plan)
{
	__u64 share;

	*plan = (struct plan){
		.cpus = sysconf(_SC_NPROCESSORS_CONF),
		.blocks = count_blocks(),
	};
	share = up(plan->blocks * RUN_BYTES * SNAPSHOTS);
	plan->size = plan->cpus * (share > CPU_LEAST ? share : CPU_LEAST) + ALIGN;
#ifdef __x86_64__
	plan->address = find_address(plan->size);
#endif
}

/* A dollar is one to the shell that reads the file, and again to GRUB. */
static void put_grub(FILE *out, const struct plan *plan)
{
	unsigned long long mb = plan->size / MB;

	fprintf(out, "# Memory that outlives a boot, for blockpoolctl recorder: %lluM for\n", mb);
	fprintf(out, "# %u CPUs and %llu blocks.\n", plan->cpus, plan->blocks);
	fputs("GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT ", out);
	if (plan->address) {
		fprintf(out, "memmap=%lluM\\\\\\$0x%llx ", mb, plan->address);
		fprintf(out, "trace_instance=" INSTANCE "@0x%llx:%lluM\"\n", plan->address, mb);
	} else {
		fprintf(out, "reserve_mem=%lluM:2M:blockpool ", mb);
		fputs("trace_instance=" INSTANCE "@blockpool\"\n", out);
	}
}

static void put_unit(FILE *out, const struct plan *plan)
{
	char program[PATH_TEXT];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	(void)plan;
	program[length > 0 ? length : 0] = '\0';
	fputs("[Unit]\n"
	      "Description=blockpool's black box\n"
	      "RequiresMountsFor=" RECORDER_DIR "\n"
	      "After=systemd-modules-load.service\n\n"
	      "[Service]\n"
	      "Type=oneshot\n"
	      "RemainAfterExit=yes\n"
	      "ExecStartPre=-modprobe blockpool\n", out);
	fprintf(out, "ExecStart=%s recorder arm\n", program);
	fprintf(out, "ExecStop=%s recorder disarm\n\n", program);
	fputs("[Install]\nWantedBy=multi-user.target\n", out);
}

static const struct {
	const char *path;
	void (*put)(FILE *out, const struct plan *plan);
} files[] = {
	{ GRUB_FILE, put_grub },
	{ UNIT_FILE, put_unit },
};

#define NR_FILES	(sizeof(files) / sizeof(files[0]))

static int write_file(size_t number, const struct plan *plan)
{
	const char *path = files[number].path;
	FILE *out = fopen(path, "we");
	bool bad;

	if (!out)
		return failed("cannot write %s: %s", path, strerror(errno));
	files[number].put(out, plan);
	bad = ferror(out);
	if (fclose(out) || bad)
		return failed("cannot write %s: %s", path, strerror(errno));
	return 0;
}

static void json_file(size_t number, const struct plan *plan)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		files[number].put(out, plan);
		fclose(out);
	}
	json_object(NULL);
	json_string("path", files[number].path);
	json_string("text", text ? text : "");
	json_end();
	free(text);
}

static void print_file(size_t number, const struct plan *plan, bool written)
{
	if (written) {
		printf("wrote %s\n", files[number].path);
		return;
	}
	printf("# %s\n", files[number].path);
	files[number].put(stdout, plan);
	putchar('\n');
}

static void tell_files(const struct plan *plan, const struct opts *opts)
{
	if (opts->json)
		json_array(NULL);
	for (size_t i = 0; i < NR_FILES; i++) {
		if (opts->json)
			json_file(i, plan);
		else
			print_file(i, plan, !opts->print);
	}
	if (opts->json)
		json_end();
	else if (!opts->print)
		puts("next: update-grub; systemctl enable blockpool-recorder; reboot");
}

static void look_at_kernel(void)
{
	unsigned int major, minor;
	struct utsname name;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 12)))
		failed("no buffer of Linux %u.%u outlives a boot, 6.12 has one", major, minor);
}

int recorder_setup(const struct opts *opts)
{
	struct plan plan;

	make_plan(&plan);
	look_at_kernel();
	if (!opts->print)
		mkdir(GRUB_FOLDER, 0755);
	for (size_t i = 0; i < NR_FILES && !opts->print; i++)
		if (write_file(i, &plan))
			return EXIT_FAILED;
	tell_files(&plan, opts);
	return 0;
}
