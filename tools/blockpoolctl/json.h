/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One JSON value on one line of stdout.  The key is NULL in an array and at the
 * top; json_end() of the outermost object or array ends the line.
 */
#ifndef BLOCKPOOLCTL_JSON_H
#define BLOCKPOOLCTL_JSON_H

#include <stdbool.h>
#include <stddef.h>

void json_object(const char *key);
void json_array(const char *key);
void json_end(void);
void json_number(const char *key, unsigned long long value);
void json_signed(const char *key, long long value);
void json_octal(const char *key, unsigned int mode);
void json_real(const char *key, double value);
void json_null(const char *key);
void json_bool(const char *key, bool value);
void json_string(const char *key, const char *value);
void json_hex(const char *key, const void *bytes, size_t size);

#endif
