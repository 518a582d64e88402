// SPDX-License-Identifier: GPL-2.0
/* What blockpoolctl --json writes, and that a hostile name cannot break it. */
#include <stdlib.h>

#include "harness.h"
#include "../../tools/blockpoolctl/json.h"

static char *text;
static size_t length;

/* What is written to stdout from here on is caught. */
static void catch_stdout(void)
{
	stdout = open_memstream(&text, &length);
	if (!stdout)
		abort();
}

static const char *caught(void)
{
	fflush(stdout);
	return text;
}

static void one_string(struct __test_metadata *_metadata, const char *value,
		       const char *want)
{
	catch_stdout();
	json_array(NULL);
	json_string(NULL, value);
	json_end();
	ASSERT_STREQ(want, caught());
	fclose(stdout);
	free(text);
}

TEST(nesting_and_commas)
{
	catch_stdout();
	json_object(NULL);
	json_number("a", 42);
	json_array("b");
	json_object(NULL);
	json_end();
	json_object(NULL);
	json_bool("c", true);
	json_null("d");
	json_end();
	json_end();
	json_array("e");
	json_end();
	json_real("f", 1.25);
	json_end();
	ASSERT_STREQ("{\"a\":42,\"b\":[{},{\"c\":true,\"d\":null}],\"e\":[],\"f\":1.2}\n",
		     caught());
	fclose(stdout);
	free(text);
}

TEST(largest_number)
{
	catch_stdout();
	json_array(NULL);
	json_number(NULL, ~0ull);
	json_end();
	ASSERT_STREQ("[18446744073709551615]\n", caught());
	fclose(stdout);
	free(text);
}

TEST(strings_are_escaped)
{
	one_string(_metadata, "", "[\"\"]\n");
	one_string(_metadata, "a\"b\\c", "[\"a\\\"b\\\\c\"]\n");
	one_string(_metadata, "\n\x1b[2J\x7f", "[\"\\u000a\\u001b[2J\\u007f\"]\n");
}

/* A command name is any bytes: what is no UTF-8 must not come out as it is. */
TEST(strings_are_utf8)
{
	one_string(_metadata, "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80",
		   "[\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80\"]\n");
	one_string(_metadata, "\377a", "[\"\\ufffda\"]\n");
	one_string(_metadata, "a\xc3", "[\"a\\ufffd\"]\n");
	one_string(_metadata, "\xc0\x80", "[\"\\ufffd\\ufffd\"]\n");
	one_string(_metadata, "\xed\xa0\x80", "[\"\\ufffd\\ufffd\\ufffd\"]\n");
	one_string(_metadata, "\xf4\x90\x80\x80",
		   "[\"\\ufffd\\ufffd\\ufffd\\ufffd\"]\n");
}

TEST_HARNESS_MAIN
