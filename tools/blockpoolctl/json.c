// SPDX-License-Identifier: GPL-2.0
#include "json.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX	8

static char closers[DEPTH_MAX];
static unsigned int depth;
static bool need_comma;

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static int utf8_length(const unsigned char *s)
{
	unsigned int low = 0x80, high = 0xbf;
	int len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
		  s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (int i = 1; i < len; i++) {
		if (s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

static void put_string(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	int len;

	putchar('"');
	for (; *s; s += len ? len : 1) {
		len = utf8_length(s);
		if (!len)
			fputs("\\ufffd", stdout);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else
			fwrite(s, 1, len, stdout);
	}
	putchar('"');
}

static void put_key(const char *key)
{
	if (need_comma)
		putchar(',');
	need_comma = true;
	if (key) {
		put_string(key);
		putchar(':');
	}
}

static void begin(const char *key, char opener, char closer)
{
	put_key(key);
	putchar(opener);
	closers[depth++] = closer;
	need_comma = false;
}

void json_object(const char *key)
{
	begin(key, '{', '}');
}

void json_array(const char *key)
{
	begin(key, '[', ']');
}

void json_end(void)
{
	putchar(closers[--depth]);
	need_comma = depth;
	if (!depth)
		putchar('\n');
}

void json_number(const char *key, unsigned long long value)
{
	put_key(key);
	printf("%llu", value);
}

void json_signed(const char *key, long long value)
{
	put_key(key);
	printf("%lld", value);
}

/* A string, because JSON has no octal: "0660". */
void json_octal(const char *key, unsigned int mode)
{
	put_key(key);
	printf("\"%04o\"", mode);
}

void json_real(const char *key, double value)
{
	put_key(key);
	printf("%.1f", value);
}

void json_null(const char *key)
{
	put_key(key);
	fputs("null", stdout);
}

void json_bool(const char *key, bool value)
{
	put_key(key);
	fputs(value ? "true" : "false", stdout);
}

void json_string(const char *key, const char *value)
{
	put_key(key);
	put_string(value);
}

/* A string of two digits a byte. */
void json_hex(const char *key, const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	put_key(key);
	putchar('"');
	while (size--)
		printf("%02x", *byte++);
	putchar('"');
}
