// SPDX-License-Identifier: GPL-2.0
/*
 * The element stack against a model: a set of the indices that are out.
 *
 * The stack starts full, as a pool's does.  It must never hand out an index that
 * is out, in whatever order they come back, and lose none.
 */
#include <stdlib.h>

#include "harness.h"
#include "random.h"
#include "../../common/stack.h"

#define ROUNDS		20000
#define BATCH_MAX	70
#define CANARY		0xdeadbeefu

/* Words before the elements: the canary and what the stack has beside them. */
#define HEAD		(1 + sizeof(struct bp_stack) / sizeof(u32))

struct model {
	struct bp_stack *stack;
	struct random random;
	u32 *memory;		/* the stack, with a canary on either side */
	bool *is_out;		/* the model proper */
	u32 *out;		/* the same, as a list */
	u32 nr_out;
};

FIXTURE(stack)
{
	struct model m;
};

FIXTURE_VARIANT(stack)
{
	u32 size;
};

FIXTURE_VARIANT_ADD(stack, 1) { .size = 1 };
FIXTURE_VARIANT_ADD(stack, 2) { .size = 2 };
FIXTURE_VARIANT_ADD(stack, 3) { .size = 3 };
FIXTURE_VARIANT_ADD(stack, 64) { .size = 64 };
FIXTURE_VARIANT_ADD(stack, 1000) { .size = 1000 };
FIXTURE_VARIANT_ADD(stack, 65536) { .size = 65536 };

FIXTURE_SETUP(stack)
{
	u32 size = variant->size;

	self->m.memory = calloc(HEAD + size + 1, sizeof(*self->m.memory));
	self->m.is_out = calloc(size, sizeof(*self->m.is_out));
	self->m.out = calloc(size, sizeof(*self->m.out));
	ASSERT_TRUE(self->m.memory && self->m.is_out && self->m.out);
	self->m.memory[0] = CANARY;
	self->m.memory[HEAD + size] = CANARY;
	self->m.random = (struct random)RANDOM_INIT;

	self->m.stack = (struct bp_stack *)(self->m.memory + 1);
	self->m.stack->size = size;
	bp_stack_fill(self->m.stack);
	ASSERT_EQ(size, self->m.stack->nr);
}

FIXTURE_TEARDOWN(stack)
{
	EXPECT_EQ(CANARY, self->m.memory[0]);
	EXPECT_EQ(CANARY, self->m.memory[HEAD + variant->size]);
	free(self->m.memory);
	free(self->m.is_out);
	free(self->m.out);
}

/* An index came off the stack. */
static void model_take(struct __test_metadata *_metadata,
		       struct model *m, u32 index)
{
	ASSERT_LT(index, m->stack->size);
	ASSERT_FALSE(m->is_out[index]);
	m->is_out[index] = true;
	m->out[m->nr_out++] = index;
}

/* Choose one at random that is out: frees come in no order at all. */
static u32 model_give(struct model *m)
{
	u32 at = random_below(&m->random, m->nr_out);
	u32 index = m->out[at];

	m->out[at] = m->out[--m->nr_out];
	m->is_out[index] = false;
	return index;
}

static void random_pop(struct __test_metadata *_metadata,
		       struct model *m)
{
	bool full = m->nr_out == m->stack->size;
	u32 index = CANARY;

	ASSERT_EQ(!full, bp_stack_pop(m->stack, &index));
	if (!full)
		model_take(_metadata, m, index);
	ASSERT_EQ(full, index == CANARY);
}

static void random_push(struct __test_metadata *_metadata,
			struct model *m)
{
	u32 index = m->nr_out ? model_give(m) : CANARY;

	ASSERT_EQ(index != CANARY, bp_stack_push(m->stack, index));
}

static void random_pop_bulk(struct __test_metadata *_metadata,
			    struct model *m)
{
	u32 n = 1 + random_below(&m->random, BATCH_MAX);
	bool enough = n <= m->stack->size - m->nr_out;
	u32 batch[BATCH_MAX] = { [0] = CANARY };
	u32 i;

	ASSERT_EQ(enough, bp_stack_pop_bulk(m->stack, batch, n));
	ASSERT_EQ(enough, batch[0] != CANARY);
	for (i = 0; enough && i < n; i++)
		model_take(_metadata, m, batch[i]);
}

static void random_push_bulk(struct __test_metadata *_metadata,
			     struct model *m)
{
	u32 n = 1 + random_below(&m->random, BATCH_MAX);
	u32 batch[BATCH_MAX];
	u32 i;

	if (n > m->nr_out)
		n = m->nr_out;
	for (i = 0; i < n; i++)
		batch[i] = model_give(m);
	ASSERT_TRUE(bp_stack_push_bulk(m->stack, batch, n));
}

static void random_drop_cold(struct __test_metadata *_metadata,
			     struct model *m)
{
	u32 n = random_below(&m->random, BATCH_MAX);
	u32 i;

	if (n > m->stack->nr)
		n = m->stack->nr;
	for (i = 0; i < n; i++)
		model_take(_metadata, m, m->stack->elements[i]);
	bp_stack_drop_cold(m->stack, n);
}

/* Take what is left and find that everything is out, once. */
static void drain(struct __test_metadata *_metadata,
		  struct model *m)
{
	u32 index;

	while (bp_stack_pop(m->stack, &index))
		model_take(_metadata, m, index);
	ASSERT_EQ(m->stack->size, m->nr_out);
	ASSERT_EQ(0u, m->stack->nr);
}

TEST_F(stack, fill_puts_every_index_once_and_0_on_top)
{
	u32 i, index;

	for (i = 0; i < variant->size; i++) {
		ASSERT_TRUE(bp_stack_pop(self->m.stack, &index));
		ASSERT_EQ(i, index);
	}
	ASSERT_FALSE(bp_stack_pop(self->m.stack, &index));
}

TEST_F(stack, random_use_agrees_with_the_model)
{
	static void (*const use[])(struct __test_metadata *_metadata,
				   struct model *m) = {
		random_pop, random_push, random_pop_bulk, random_push_bulk,
		random_push_bulk, random_drop_cold,
	};
	u32 i, which;

	for (i = 0; i < ROUNDS; i++) {
		which = random_below(&self->m.random, ARRAY_SIZE(use));
		use[which](_metadata, &self->m);
		ASSERT_EQ(variant->size - self->m.nr_out, self->m.stack->nr);
	}
	drain(_metadata, &self->m);
}

TEST_F(stack, all_out_and_back_in_random_order)
{
	int round;

	for (round = 0; round < 3; round++) {
		drain(_metadata, &self->m);
		while (self->m.nr_out)
			ASSERT_TRUE(bp_stack_push(self->m.stack,
						  model_give(&self->m)));
		ASSERT_FALSE(bp_stack_push(self->m.stack, 0));
		ASSERT_EQ(variant->size, self->m.stack->nr);
	}
}

TEST_F(stack, bulk_takes_all_or_nothing)
{
	u32 size = variant->size, nr;
	u32 *batch = calloc(size + 1, sizeof(*batch));

	ASSERT_NE(NULL, batch);
	batch[0] = CANARY;
	ASSERT_FALSE(bp_stack_pop_bulk(self->m.stack, batch, size + 1));
	ASSERT_FALSE(bp_stack_pop_bulk(self->m.stack, batch, ~0u));
	ASSERT_EQ(CANARY, batch[0]);
	ASSERT_EQ(size, self->m.stack->nr);
	ASSERT_TRUE(bp_stack_pop_bulk(self->m.stack, batch, 0));
	ASSERT_EQ(CANARY, batch[0]);

	ASSERT_TRUE(bp_stack_pop_bulk(self->m.stack, batch, size));
	ASSERT_EQ(0u, self->m.stack->nr);
	for (nr = 0; nr < size; nr++)
		model_take(_metadata, &self->m, batch[nr]);
	ASSERT_FALSE(bp_stack_pop_bulk(self->m.stack, batch, 1));

	ASSERT_FALSE(bp_stack_push_bulk(self->m.stack, batch, size + 1));
	ASSERT_FALSE(bp_stack_push_bulk(self->m.stack, batch, ~0u));
	ASSERT_EQ(0u, self->m.stack->nr);
	ASSERT_TRUE(bp_stack_push_bulk(self->m.stack, batch, size));
	ASSERT_FALSE(bp_stack_push_bulk(self->m.stack, batch, 1));
	ASSERT_FALSE(bp_stack_push_bulk(self->m.stack, batch, ~0u));
	ASSERT_EQ(size, self->m.stack->nr);
	free(batch);
}

/* Takes from any position: the one asked for, and the rest stays. */
TEST_F(stack, takes_from_any_position)
{
	struct bp_stack *stack = self->m.stack;
	u32 at, expected, taken;

	while (stack->nr) {
		at = random_below(&self->m.random, stack->nr);
		expected = stack->elements[at];
		taken = bp_stack_take_at(stack, at);
		ASSERT_EQ(expected, taken);
		ASSERT_FALSE(self->m.is_out[taken]);
		self->m.is_out[taken] = true;
	}
	for (at = 0; at < variant->size; at++)
		ASSERT_TRUE(self->m.is_out[at]);
}

/* Each n of each height: the n lowest go, and the rest stays as it lay. */
TEST_F(stack, drop_cold_drops_the_bottom)
{
	u32 step = 1 + variant->size / 50, n, i;
	struct bp_stack *stack = self->m.stack;

	for (n = 0; n <= variant->size; n += step) {
		stack->nr = 0;
		bp_stack_fill(stack);
		bp_stack_drop_cold(stack, n);
		ASSERT_EQ(variant->size - n, stack->nr);
		for (i = 0; i < stack->nr; i++)
			ASSERT_EQ(stack->nr - 1 - i, stack->elements[i]);
	}
}

/* Only what is pushed goes by size; what lies above it can be taken all the same. */
TEST_F(stack, smaller_than_what_it_holds)
{
	struct bp_stack *stack = self->m.stack;
	u32 i, index;

	for (i = 0; i < variant->size; i++) {
		stack->size = random_below(&self->m.random, stack->nr + 1);
		ASSERT_EQ(0u, bp_stack_room(stack));
		ASSERT_FALSE(bp_stack_push(stack, CANARY));
		ASSERT_FALSE(bp_stack_push_bulk(stack, &i, 1));
		ASSERT_TRUE(bp_stack_push_bulk(stack, &i, 0));
		ASSERT_TRUE(i & 1 ? bp_stack_pop(stack, &index) :
				    bp_stack_pop_bulk(stack, &index, 1));
		ASSERT_EQ(i, index);
		ASSERT_EQ(variant->size - 1 - i, stack->nr);
	}
}

TEST_F(stack, room_is_what_push_takes)
{
	struct bp_stack *stack = self->m.stack;
	u32 nr = variant->size / 3, size = variant->size / 2;
	u32 room;

	stack->nr = nr;
	stack->size = size;
	room = bp_stack_room(stack);
	ASSERT_EQ(size - nr, room);
	ASSERT_FALSE(bp_stack_push_bulk(stack, self->m.out, room + 1));
	ASSERT_TRUE(bp_stack_push_bulk(stack, self->m.out, room));
	ASSERT_EQ(0u, bp_stack_room(stack));
	stack->size = 0;
	ASSERT_EQ(0u, bp_stack_room(stack));
	ASSERT_EQ(size, stack->nr);
}

/* Between two stacks: the top of the one is the top of the other. */
TEST_F(stack, move_takes_the_top)
{
	struct bp_stack *from = self->m.stack;
	struct bp_stack *to = calloc(1, bp_stack_bytes(2 + variant->size));
	u32 n = variant->size / 2, i;

	ASSERT_NE(NULL, to);
	to->nr = 1;
	to->elements[0] = CANARY;
	to->elements[1 + variant->size] = CANARY;
	bp_stack_move(to, from, n);
	bp_stack_move(to, from, 0);
	bp_stack_move(to, from, variant->size - n);
	ASSERT_EQ(0u, from->nr);
	ASSERT_EQ(1 + variant->size, to->nr);
	ASSERT_EQ(CANARY, to->elements[0]);
	ASSERT_EQ(CANARY, to->elements[1 + variant->size]);
	for (i = 0; i < n; i++)
		ASSERT_EQ(n - 1 - i, to->elements[1 + i]);
	for (; i < variant->size; i++)
		ASSERT_EQ(variant->size - 1 - (i - n), to->elements[1 + i]);
	free(to);
}

TEST(bytes_of_the_largest_do_not_overflow)
{
	ASSERT_EQ(sizeof(struct bp_stack), bp_stack_bytes(0));
	ASSERT_EQ(sizeof(struct bp_stack) + 4 * sizeof(u32), bp_stack_bytes(4));
	ASSERT_EQ(sizeof(struct bp_stack) + (4ull << 30), bp_stack_bytes(1u << 30));
}

/* A takes, B takes, A frees, C takes: C must not get B's block. */
TEST(out_of_order_free)
{
	struct bp_stack *stack = calloc(1, bp_stack_bytes(3));
	u32 a, b, c;

	ASSERT_NE(NULL, stack);
	stack->size = 3;
	bp_stack_fill(stack);
	ASSERT_TRUE(bp_stack_pop(stack, &a));
	ASSERT_TRUE(bp_stack_pop(stack, &b));
	ASSERT_TRUE(bp_stack_push(stack, a));
	ASSERT_TRUE(bp_stack_pop(stack, &c));
	ASSERT_NE(b, c);
	free(stack);
}

TEST_HARNESS_MAIN
