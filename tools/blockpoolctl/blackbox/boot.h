/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring buffer that outlives a boot, and the folder where the recorder keeps what
 * must outlive it too.
 */
#ifndef BLACKBOX_BOOT_H
#define BLACKBOX_BOOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <tracefs/tracefs.h>

#define RECORDER_DIR	"/var/lib/blockpool/recorder"
#define RECORDER_ENV	"BLOCKPOOL_RECORDER"	/* another folder */
#define RECORDER_HEAD	"head.dat"	/* what describes the events of this boot */
#define RECORDER_LAST	"last.dat"	/* the last boot's, that was read */
#define RECORDER_BEFORE	"before.dat"	/* and the one before that */

#define BOOT_NAME	64
#define PATH_TEXT	512

/* A file of the recorder's. */
const char *recorder_path(const char *file, char path[PATH_TEXT]);

/* The instance of the kernel's command line that has memory of its own. */
struct tracefs_instance *boot_instance(char name[BOOT_NAME]);

/* Of this boot, as the kernel counts them; "" if there is none. */
void boot_id(char *text, size_t size);

/*
 * Where the kernel that filled the buffer had its first function, if the kernel says so;
 * now: where this one has it.  False: it does not say.
 */
bool boot_text(struct tracefs_instance *instance, __u64 now, __u64 *then);

/* How often the module says who has what, in ms; 0: never. */
#define SNAPSHOTS_FILE	"/sys/module/blockpool/parameters/recorder_ms"

/* A whole file, NUL-terminated, or NULL.  The caller frees it. */
char *read_whole(const char *path, size_t *size);

#endif
