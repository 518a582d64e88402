// SPDX-License-Identifier: GPL-2.0
/*
 * What the post-mortem makes of a ring buffer: whole ones, which are made up here, ones
 * with holes, and damaged ones.
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "past.h"
#include "../../tools/blockpoolctl/blackbox/story.h"

#define PORT	BLOCKPOOL_OWNER_PORT
#define SEC	1000000000ull

/* Pool 1 has 64 blocks; threads 10 and 11 run; client 4 is the process 400's. */
FIXTURE(past) {
	struct past past;
	unsigned char *file;
	size_t size;
	struct story story;
	const char *why;
	bool open;
};

FIXTURE_SETUP(past)
{
	self->file = NULL;
	self->open = false;
	past_begin(&self->past, 2);
}

FIXTURE_TEARDOWN(past)
{
	if (self->open)
		story_close(&self->story);
	free(self->file);
	past_end(&self->past);
}

static int open_file(FIXTURE_DATA(past) * self)
{
	struct bytes bytes;
	int result;

	if (!self->file)
		self->file = past_file(&self->past, &self->size);
	bytes = (struct bytes){ .at = self->file, .left = self->size };
	result = story_open(&self->story, bytes, &self->why);
	self->open = !result;
	return result;
}

static void put_switch(struct past *past, unsigned int cpu, __u64 time,
		       int from, int to)
{
	char from_comm[16], to_comm[16];

	snprintf(from_comm, sizeof(from_comm), "thread%d", from);
	snprintf(to_comm, sizeof(to_comm), "thread%d", to);
	PUT(past, cpu, time, from, "sched_switch", TEXT(from_comm), from, 1,
	    TEXT(to_comm), to);
}

/* Both CPUs tell of themselves before anything happens. */
static void put_start(struct past *past)
{
	put_switch(past, 0, SEC, 1, 10);
	put_switch(past, 1, SEC + 1, 1, 11);
	PUT(past, 0, SEC + 2, 10, "pool_create", 1, TEXT("frames"), 2048, 64, 0);
	PUT(past, 0, SEC + 3, 10, "client_open", 1, 4, 400, TEXT("grab"));
}

/* Blocks from 0 on belong to the kernel, nr of them, and the others to nobody. */
static void put_snapshot(struct past *past, unsigned int cpu, __u64 time,
			 __u32 seq, __u32 nr, bool at_panic)
{
	__u32 runs[] = { nr, BLOCKPOOL_OWNER_KERNEL, 64 - nr, 0 };

	PUT(past, cpu, time, 10, "snapshot_begin", 1, seq, TEXT("frames"), 2048,
	    64, 0, 64 - nr, nr, 0, at_panic);
	PUT(past, cpu, time + 1, 10, "snapshot_client", 1, seq, 4, 400,
	    TEXT("grab"), 0);
	PUT(past, cpu, time + 100, 10, "snapshot_runs", 1, seq, 0, 5000, 5090,
	    2, TEXT(runs));
	PUT(past, cpu, time + 101, 10, "snapshot_end", 1, seq);
}

static void put_take(struct past *past, unsigned int cpu, __u64 time,
		     __u32 index, __u32 owner)
{
	PUT(past, cpu, time, 10 + cpu, "take", 1, index, owner,
	    0xffffffffc0001010);
}

static void put_free(struct past *past, unsigned int cpu, __u64 time,
		     __u32 index, __u32 owner)
{
	PUT(past, cpu, time, 10 + cpu, "free", 1, index, owner, 0);
}

static const struct pool_past *pool_of(const FIXTURE_DATA(past) * self)
{
	return self->story.history.nr_pools ? self->story.history.pools[0] : NULL;
}

/* An owner, ~0 if it is not known. */
static __u32 owner_of(const FIXTURE_DATA(past) * self, __u32 index)
{
	const struct block_past *block = block_at(pool_of(self), index);

	return block ? block->owner : ~0u;
}

static bool sure(const FIXTURE_DATA(past) * self, __u32 index)
{
	const struct block_past *block = block_at(pool_of(self), index);

	return block && block_sure(&self->story.history, pool_of(self), block);
}

static __u64 noted(const FIXTURE_DATA(past) * self, enum note kind)
{
	return self->story.notes.count[kind];
}

TEST_F(past, nothing_at_all)
{
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(0, self->story.history.end.time);
	EXPECT_EQ(0, self->story.history.nr_pools);
	EXPECT_FALSE(notes_damage(&self->story.notes));
	story_tell(&self->story);
}

TEST_F(past, what_is_no_file_is_refused)
{
	self->file = calloc(1, 100);
	self->size = 100;
	EXPECT_EQ(-1, open_file(self));
	EXPECT_NE(NULL, strstr(self->why, "trace.dat"));
	memcpy(self->file, DAT_MAGIC "7", sizeof(DAT_MAGIC "7"));
	EXPECT_EQ(-1, open_file(self));
	EXPECT_NE(NULL, strstr(self->why, "version"));
}

/* Wherever it ends: what is missing is said, and nothing falls. */
TEST_F(past, a_file_cut_anywhere)
{
	size_t whole;

	put_start(&self->past);
	ASSERT_EQ(0, open_file(self));
	whole = self->size;
	story_close(&self->story);
	for (self->size = 0; self->size < whole; self->size += 1 + self->size / 200) {
		unsigned char *copy = malloc(self->size);
		struct bytes bytes = { .at = copy, .left = self->size };

		memcpy(copy, self->file, self->size);
		self->open = !story_open(&self->story, bytes, &self->why);
		if (self->open) {
			EXPECT_TRUE(notes_damage(&self->story.notes));
			story_close(&self->story);
			self->open = false;
		}
		free(copy);
	}
}

/* A panic has looked at all; otherwise there is an instant that nobody saw. */
TEST_F(past, the_last_instant)
{
	put_start(&self->past);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_INSTANT));
	EXPECT_FALSE(notes_damage(&self->story.notes));
}

TEST_F(past, events_of_two_cpus_are_one_story)
{
	put_start(&self->past);
	for (int i = 0; i < 1000; i++) {
		put_take(&self->past, i % 2, 2 * SEC + 2 * i * SEC, 7, 4);
		put_free(&self->past, !(i % 2), 3 * SEC + 2 * i * SEC, 7, 4);
	}
	put_take(&self->past, 1, 5000 * SEC, 7, BLOCKPOOL_OWNER_KERNEL);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, owner_of(self, 7));
	EXPECT_TRUE(sure(self, 7));
	EXPECT_EQ(0, noted(self, NOTE_CONFLICT));
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_EQ(5000 * SEC, self->story.history.end.time);
	EXPECT_EQ(63, pool_of(self)->free);
}

TEST_F(past, the_last_threads)
{
	const struct cpu_past *cpu;

	put_start(&self->past);
	for (int i = 10; i < 50; i++)
		put_switch(&self->past, 0, 2 * SEC + i, i, i + 1);
	PUT(&self->past, 1, 3 * SEC, 11, "irq_handler_entry", 14, TEXT("ata"));
	PUT(&self->past, 1, 3 * SEC + 1, 11, "irq_handler_exit", 14, 1);
	PUT(&self->past, 1, 3 * SEC + 2, 11, "softirq_entry", 3);
	PUT(&self->past, 1, 3 * SEC + 3, 11, "irq_handler_entry", 15, TEXT("eth0"));
	ASSERT_EQ(0, open_file(self));
	cpu = &self->story.history.cpus[0];
	EXPECT_EQ(50, cpu->now.id);
	EXPECT_STREQ("thread50", cpu->now.comm);
	EXPECT_EQ(41, cpu->nr_switches);
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_EQ(49, cpu->switches[(cpu->nr_switches - 1) % SWITCHES].from.id);
	cpu = &self->story.history.cpus[1];
	EXPECT_EQ(11, cpu->now.id);
	ASSERT_EQ(2, cpu->nr_nested);
	EXPECT_TRUE(cpu->nested[0].softirq);
	EXPECT_STREQ("eth0", cpu->nested[1].name);
	story_tell(&self->story);
}

TEST_F(past, a_snapshot_and_what_came_after_it)
{
	put_start(&self->past);
	put_take(&self->past, 1, 2 * SEC, 9, 4);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, false);
	put_free(&self->past, 1, 4 * SEC, 2, BLOCKPOOL_OWNER_KERNEL);
	put_take(&self->past, 1, 4 * SEC + 1, 40, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, owner_of(self, 1));
	EXPECT_EQ(0, owner_of(self, 2));
	EXPECT_EQ(0, owner_of(self, 9));
	EXPECT_EQ(4, owner_of(self, 40));
	EXPECT_TRUE(sure(self, 1) && sure(self, 9) && sure(self, 40));
	EXPECT_EQ(0, pool_of(self)->unknown + pool_of(self)->unsure);
	EXPECT_EQ(1, pool_of(self)->held);
	EXPECT_EQ(4, pool_of(self)->kernel);
	EXPECT_EQ(400, client_find(pool_of(self), 4)->pid);
	EXPECT_STREQ("grab", client_find(pool_of(self), 4)->comm);
}

/* While it was being read: the event is newer than the word, or it is not. */
TEST_F(past, an_event_within_a_snapshot)
{
	put_start(&self->past);
	put_take(&self->past, 1, 2 * SEC, 0, BLOCKPOOL_OWNER_KERNEL);
	put_take(&self->past, 1, 2 * SEC + 1, 1, BLOCKPOOL_OWNER_KERNEL);
	put_free(&self->past, 1, 2 * SEC + 2, 0, BLOCKPOOL_OWNER_KERNEL);
	put_free(&self->past, 1, 3 * SEC + 50, 1, BLOCKPOOL_OWNER_KERNEL);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, false);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, owner_of(self, 0));
	EXPECT_TRUE(sure(self, 0));
	EXPECT_EQ(0, owner_of(self, 1));
	EXPECT_FALSE(sure(self, 1));
}

/* An event comes before its owner word. */
TEST_F(past, a_word_to_come)
{
	struct past *past = &self->past;

	put_start(past);
	put_take(past, 1, 3 * SEC, 20, 4);
	put_snapshot(past, 0, 5 * SEC - 2000, 1, 5, false);
	put_take(past, 1, 5 * SEC, 21, 4);
	put_take(past, 1, 5 * SEC + 1, 22, 4);
	put_free(past, 1, 5 * SEC + 2, 22, 4);
	put_take(past, 1, 5 * SEC + 3, 22, BLOCKPOOL_OWNER_KERNEL);
	put_snapshot(past, 0, 5 * SEC + WORD_LAG - 2000, 2, 5, false);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(0, owner_of(self, 20));
	EXPECT_EQ(4, owner_of(self, 21));
	EXPECT_EQ(BLOCKPOOL_OWNER_KERNEL, owner_of(self, 22));
	EXPECT_TRUE(sure(self, 20) && sure(self, 21) && sure(self, 22));
}

/* At a panic no word is to come any more. */
TEST_F(past, a_word_that_does_not_come)
{
	struct past *past = &self->past;

	put_start(past);
	put_take(past, 1, 5 * SEC, 20, 4);
	put_snapshot(past, 0, 5 * SEC + 1000, 1, 5, true);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(0, owner_of(self, 20));
	EXPECT_TRUE(sure(self, 20));
}

/* No snapshot was made of it yet. */
TEST_F(past, a_new_pool)
{
	struct past *past = &self->past;

	put_switch(past, 0, SEC, 1, 10);
	put_switch(past, 1, SEC + 1, 1, 11);
	put_take(past, 1, SEC + 1, 1, 4);
	PUT(past, 0, SEC + 2, 10, "pool_create", 1, TEXT("frames"), 2048, 5000, 0);
	put_take(past, 1, SEC + 3, 60, 4);
	put_free(past, 1, SEC + 4, 60, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_EQ(4, owner_of(self, 1));
	EXPECT_EQ(0, owner_of(self, 0));
	EXPECT_EQ(0, owner_of(self, 60));
	EXPECT_EQ(0, owner_of(self, 4999));
	EXPECT_EQ(~0u, owner_of(self, 5000));
	EXPECT_TRUE(sure(self, 0) && sure(self, 1) && sure(self, 4999));
	EXPECT_EQ(4999, pool_of(self)->free);
	EXPECT_EQ(0, pool_of(self)->unknown + pool_of(self)->unsure);
}

/* And one CPU's past begins later. */
TEST_F(past, a_new_pool_of_which_something_is_missing)
{
	struct past *past = &self->past;

	put_switch(past, 0, SEC, 1, 10);
	PUT(past, 0, SEC + 2, 10, "pool_create", 1, TEXT("frames"), 2048, 64, 0);
	put_switch(past, 1, 2 * SEC, 1, 11);
	put_take(past, 1, 3 * SEC, 1, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_FALSE(sure(self, 0));
	EXPECT_TRUE(sure(self, 1));
	EXPECT_EQ(63, pool_of(self)->unsure);
}

/* What a CPU did before its first event has been overwritten. */
TEST_F(past, a_cpu_whose_past_is_short)
{
	put_switch(&self->past, 0, SEC, 1, 10);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, false);
	put_switch(&self->past, 1, 4 * SEC, 1, 11);
	put_take(&self->past, 0, 5 * SEC, 20, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_FALSE(sure(self, 1));
	EXPECT_FALSE(sure(self, 30));
	EXPECT_TRUE(sure(self, 20));
	EXPECT_EQ(63, pool_of(self)->unsure);
}

TEST_F(past, a_cpu_without_a_past)
{
	put_switch(&self->past, 0, SEC, 1, 10);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, false);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_SILENT));
	EXPECT_FALSE(sure(self, 1));
	story_tell(&self->story);
}

/* The others stood still: it matters no more what they did before. */
TEST_F(past, a_snapshot_at_panic)
{
	put_switch(&self->past, 0, SEC, 1, 10);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, true);
	ASSERT_EQ(0, open_file(self));
	EXPECT_TRUE(sure(self, 1));
	EXPECT_TRUE(self->story.history.end.at_panic);
	EXPECT_EQ(0, noted(self, NOTE_INSTANT));
	EXPECT_EQ(10, self->story.history.end.thread.id);
	EXPECT_EQ(0, self->story.history.end.cpu);
	EXPECT_EQ(0, pool_of(self)->unsure);
}

TEST_F(past, a_snapshot_without_an_end)
{
	__u32 runs[] = { 10, 4 };

	put_start(&self->past);
	put_snapshot(&self->past, 0, 3 * SEC, 1, 5, false);
	PUT(&self->past, 0, 4 * SEC, 10, "snapshot_begin", 1, 2, TEXT("frames"),
	    2048, 64, 0, 54, 10, 0, 0);
	PUT(&self->past, 0, 4 * SEC + 100, 10, "snapshot_runs", 1, 2, 0, 50, 60, 1,
	    TEXT(runs));
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_SNAPSHOT));
	EXPECT_EQ(4, owner_of(self, 9));
	EXPECT_EQ(0, owner_of(self, 10));
	EXPECT_EQ(1, pool_of(self)->whole.seq);
}

TEST_F(past, the_ways_of_a_block)
{
	__u32 three[] = { 1, 2, 3 }, two[] = { 1, 2 }, one[] = { 3 };
	struct past *past = &self->past;

	put_start(past);
	PUT(past, 0, 2 * SEC, 10, "port_open", 1, 2, TEXT("in"));
	PUT(past, 0, 2 * SEC + 1, 10, "take_bulk", 1, 4, 3, 0, TEXT(three));
	PUT(past, 0, 2 * SEC + 2, 10, "send", 1, 2, 4, 3, TEXT(three));
	PUT(past, 0, 2 * SEC + 3, 10, "receive", 1, 2, 5, 2, TEXT(two));
	PUT(past, 0, 2 * SEC + 4, 10, "requeue", 1, 2, 5, 2, TEXT(two));
	PUT(past, 0, 2 * SEC + 5, 10, "drop", 1, 2, 0, 1, TEXT(one));
	PUT(past, 0, 2 * SEC + 6, 10, "quarantine", 1, 3, 0);
	put_take(past, 0, 2 * SEC + 7, 6, 4);
	PUT(past, 0, 2 * SEC + 8, 10, "share", 1, 2, 4, 6, 2);
	PUT(past, 0, 2 * SEC + 9, 10, "unshare", 1, 4, 6, 1);
	PUT(past, 0, 2 * SEC + 10, 10, "refused", 1, 1, 2, 4, PORT | 2);
	PUT(past, 1, 2 * SEC + 11, 11, "wait_begin", 1, 4, 3);
	put_take(past, 1, 2 * SEC + 12, 8, BLOCKPOOL_OWNER_KERNEL);
	ASSERT_EQ(0, open_file(self));
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_EQ(PORT | 2, owner_of(self, 1));
	EXPECT_EQ(PORT | 2, owner_of(self, 2));
	EXPECT_EQ(BLOCKPOOL_OWNER_QUARANTINE, owner_of(self, 3));
	EXPECT_EQ(BLOCKPOOL_OWNER_SHARED, owner_of(self, 6));
	EXPECT_EQ(2, pool_of(self)->in_flight);
	EXPECT_EQ(2, port_find(pool_of(self), 2)->blocks);
	EXPECT_STREQ("in", port_find(pool_of(self), 2)->name);
	EXPECT_TRUE(client_find(pool_of(self), 4)->waiting);
	EXPECT_EQ(1, self->story.history.nr_complaints);
	story_tell(&self->story);
}

/* Who was not the last of a block's holders may be late to tell. */
TEST_F(past, a_share_that_ended_before)
{
	struct past *past = &self->past;

	put_start(past);
	put_take(past, 0, 2 * SEC, 6, 4);
	PUT(past, 0, 2 * SEC + 1, 10, "share", 1, 2, 4, 6, 2);
	PUT(past, 1, 2 * SEC + 2, 11, "unshare", 1, 5, 6, 0);
	put_take(past, 1, 2 * SEC + 3, 6, 5);
	PUT(past, 0, 2 * SEC + 4, 10, "unshare", 1, 4, 6, 1);
	ASSERT_EQ(0, open_file(self));
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_EQ(5, owner_of(self, 6));
	EXPECT_TRUE(sure(self, 6));
}

TEST_F(past, events_that_contradict_each_other)
{
	put_start(&self->past);
	put_take(&self->past, 0, 2 * SEC, 7, 4);
	put_take(&self->past, 1, 3 * SEC, 7, 5);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_CONFLICT));
	EXPECT_FALSE(sure(self, 7));
}

/* Whoever took the page of one CPU for another's. */
TEST_F(past, a_thread_out_of_nowhere)
{
	put_start(&self->past);
	PUT(&self->past, 0, 2 * SEC, 11, "refill", 1, 3);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_CONFLICT));
}

/* A bit that memory lost: the event is out, what else there is goes on being read. */
TEST_F(past, a_bit_of_an_event)
{
	const struct past_cpu *cpu = &self->past.cpus[0];

	put_start(&self->past);
	put_take(&self->past, 0, 2 * SEC, 7, 4);
	put_take(&self->past, 0, 3 * SEC, 8, 4);
	/* The last one: 8 bytes of address, the owner, the index, from the end on. */
	cpu->pages[(cpu->nr_pages - 1) * PAST_PAGE + cpu->used - 16] ^= 1;
	put_take(&self->past, 0, 4 * SEC, 10, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_SUM));
	EXPECT_TRUE(notes_damage(&self->story.notes));
	EXPECT_EQ(4, owner_of(self, 7));
	EXPECT_EQ(0, owner_of(self, 9));
	EXPECT_EQ(4, owner_of(self, 10));
	EXPECT_FALSE(sure(self, 10));
}

TEST_F(past, what_cannot_be)
{
	put_start(&self->past);
	put_take(&self->past, 0, 2 * SEC, 64, 4);
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_VALUE));
	EXPECT_EQ(~0u, owner_of(self, 64));
}

TEST_F(past, pages_of_another_kernel)
{
	put_start(&self->past);
	self->file = past_file(&self->past, &self->size);
	past_end(&self->past);
	past_begin(&self->past, 2);
	self->past.first_id = 500;
	put_start(&self->past);
	/* The pages begin with the last whole pages of the file. */
	memcpy(self->file + self->size - 2 * PAST_PAGE, self->past.cpus[0].pages, PAST_PAGE);
	memcpy(self->file + self->size - PAST_PAGE, self->past.cpus[1].pages, PAST_PAGE);
	ASSERT_EQ(0, open_file(self));
	EXPECT_LT(0, noted(self, NOTE_UNNAMED));
	EXPECT_TRUE(notes_damage(&self->story.notes));
	EXPECT_EQ(0, self->story.history.nr_pools);
}

/* The kernel says that it dropped some, in the head of a page. */
TEST_F(past, events_that_were_lost)
{
	unsigned char *page;

	put_start(&self->past);
	put_take(&self->past, 0, 2 * SEC, 7, 4);
	for (int i = 0; self->past.cpus[1].nr_pages < 2; i++)
		put_switch(&self->past, 1, 3 * SEC + i, 11, 11);
	put_take(&self->past, 0, 4 * SEC, 8, 4);
	page = self->past.cpus[1].pages + PAST_PAGE;
	page[11] |= 0x80;
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_LOST));
	EXPECT_FALSE(notes_damage(&self->story.notes));
	EXPECT_FALSE(sure(self, 7));
	EXPECT_TRUE(sure(self, 8));
}

/* One page's time is false: it is left out, and the others are not. */
TEST_F(past, a_page_out_of_time)
{
	put_start(&self->past);
	for (int i = 0; self->past.cpus[1].nr_pages < 5; i++)
		put_switch(&self->past, 1, 3 * SEC + i, i, i + 1);
	self->past.cpus[1].pages[2 * PAST_PAGE + 6] = 0x40;
	ASSERT_EQ(0, open_file(self));
	EXPECT_EQ(1, noted(self, NOTE_PAGE));
	EXPECT_TRUE(notes_damage(&self->story.notes));
	EXPECT_GT(4 * SEC, self->story.history.end.time);
}

TEST_F(past, names_for_addresses)
{
	char text[KSYM_TEXT];

	ASSERT_EQ(0, open_file(self));
	EXPECT_STREQ("peer_take+0x10 [blockpool_peer]",
		     ksym_text(&self->story.ksyms, 0xffffffffc0001010, text));
	EXPECT_STREQ("_text+0x0",
		     ksym_text(&self->story.ksyms, 0xffffffff81000000, text));
	EXPECT_STREQ("0x1234", ksym_text(&self->story.ksyms, 0x1234, text));
	EXPECT_STREQ("0xfffffffff0000000",
		     ksym_text(&self->story.ksyms, 0xfffffffff0000000, text));
}

TEST_F(past, what_the_head_says)
{
	char value[16];

	ASSERT_EQ(0, open_file(self));
	EXPECT_TRUE(dat_says(&self->story.dat, "cpus", value, sizeof(value)));
	EXPECT_STREQ("2", value);
	EXPECT_TRUE(dat_says(&self->story.dat, "boot_id", value, sizeof(value)));
	EXPECT_STREQ("made-up", value);
	EXPECT_FALSE(dat_says(&self->story.dat, "boot", value, sizeof(value)));
}

TEST_HARNESS_MAIN
