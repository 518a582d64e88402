/* SPDX-License-Identifier: GPL-2.0 */
/* Words for a person: errors, and names that strangers chose. */
#ifndef BLOCKPOOLCTL_SAY_H
#define BLOCKPOOLCTL_SAY_H

#include <stddef.h>
#include <sys/types.h>

/* Print one line on stderr; return EXIT_FAILED or EXIT_MISUSED. */
int failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int misused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Flush stdout; EXIT_FAILED if anything written to it was lost. */
int finish_output(void);

char *printable(char *text);

#define BYTES_TEXT	24
#define OWNER_TEXT	40
const char *bytes_text(char buf[BYTES_TEXT], unsigned long long bytes);
const char *user_text(char buf[OWNER_TEXT], uid_t uid);
const char *group_text(char buf[OWNER_TEXT], gid_t gid);

#endif
