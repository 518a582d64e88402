// SPDX-License-Identifier: GPL-2.0
/*
 * The magazine, and what happens to it when its owner is interrupted.
 *
 * The compiled code is run one instruction at a time, by the trap flag of x86,
 * and the signal handler is the interrupt: it uses the magazine itself.  It does
 * so at one instruction, for each of them in turn, and is then interrupted in the
 * same way by an NMI, at each of its own; and at all instructions of one run.
 * After each run every element must be in one place: the magazine, or the hands
 * of the task, the interrupt or the NMI.
 */
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include <x86intrin.h>

#include "harness.h"
#include "../../common/magazine.h"

#define TRAP_FLAG	0x100u
#define ROOM		8u
#define HAND		6u	/* elements that each starts with */
#define BULK		3u
#define EACH		0u	/* for interrupts: at each instruction */

enum level { TASK, IRQ, NMI, LEVELS };
enum op { TAKE, PUT, TAKE_BULK, PUT_BULK, BOTH, OPS };

#define NR_ELEMENTS	(ROOM + HAND * LEVELS)

/* What one context holds, with room for all. */
struct hand {
	u32 elements[NR_ELEMENTS + BULK];
	u32 nr;
	u32 done;		/* moves that were made and those that were not */
	u32 refused;
};

/* Where a context is to be interrupted, and what was seen of it. */
struct steps {
	u32 at;
	u32 step;
	bool fired;
};

static union {
	struct bp_magazine magazine;
	char room[sizeof(struct bp_magazine) + ROOM * sizeof(u32)];
} shared;

static struct hand hands[LEVELS];
static struct steps steps[LEVELS];
static enum op ops[LEVELS];
static volatile int level;	/* who runs */
static int last;		/* the highest level that may come */

static __attribute__((noinline)) bool take(u32 *to)
{
	return bp_magazine_take(&shared.magazine, to);
}

static __attribute__((noinline)) bool put(u32 *from)
{
	return bp_magazine_put(&shared.magazine, *from);
}

/* In bulk as kmod/stock.c and the library do it, who do more while inside. */
static __attribute__((noinline)) bool take_bulk(u32 *to)
{
	bool taken;

	if (!bp_magazine_enter(&shared.magazine))
		return false;
	taken = bp_stack_pop_bulk(&shared.magazine.stack, to, BULK);
	bp_magazine_leave(&shared.magazine);
	return taken;
}

static __attribute__((noinline)) bool put_bulk(u32 *from)
{
	bool put;

	if (!bp_magazine_enter(&shared.magazine))
		return false;
	put = bp_stack_push_bulk(&shared.magazine.stack, from, BULK);
	bp_magazine_leave(&shared.magazine);
	return put;
}

/* Do one of these, an instruction at a time if there is still one to interrupt. */
static bool stepped(bool (*move)(u32 *), u32 *elements)
{
	bool moved;

	if (level == last || (steps[level].at != EACH && steps[level].fired))
		return move(elements);
	bp_barrier();	/* what follows is changed by trap() too */
	__writeeflags(__readeflags() | TRAP_FLAG);
	moved = move(elements);
	__writeeflags(__readeflags() & ~(u64)TRAP_FLAG);
	bp_barrier();
	return moved;
}

static void use_take(struct hand *hand, bool (*move)(u32 *), u32 n)
{
	bool taken = stepped(move, &hand->elements[hand->nr]);

	hand->nr += taken ? n : 0;
	hand->done += taken;
	hand->refused += !taken;
}

/* Those that it has had longest go first: what is put was not just taken. */
static void use_put(struct hand *hand, bool (*move)(u32 *), u32 n)
{
	bool gone = hand->nr >= n && stepped(move, hand->elements);

	if (gone) {
		hand->nr -= n;
		memmove(hand->elements, &hand->elements[n],
			hand->nr * sizeof(*hand->elements));
	}
	hand->done += gone;
	hand->refused += !gone;
}

/* Use the magazine as the current level does. */
static void use(void)
{
	struct hand *hand = &hands[level];
	enum op op = ops[level];

	steps[level].step = 0;
	steps[level].fired = false;
	if (op == TAKE || op == BOTH)
		use_take(hand, take, 1);
	if (op == PUT || op == BOTH)
		use_put(hand, put, 1);
	if (op == TAKE_BULK)
		use_take(hand, take_bulk, BULK);
	if (op == PUT_BULK)
		use_put(hand, put_bulk, BULK);
}

/* After each instruction of a context that may be interrupted. */
static void trap(int signal, siginfo_t *info, void *context)
{
	struct steps *here = &steps[level];
	ucontext_t *interrupted = context;

	here->step++;
	if (here->at != EACH && here->at != here->step)
		return;
	if (here->at != EACH)
		interrupted->uc_mcontext.gregs[REG_EFL] &= ~(u64)TRAP_FLAG;
	here->fired = true;
	level++;
	use();
	level--;
}

/* nr elements in the magazine, and the others dealt out. */
static void deal(u32 nr, u32 size)
{
	u32 element = 0, i;

	memset(&shared, 0, sizeof(shared));
	memset(hands, 0, sizeof(hands));
	shared.magazine.stack.size = size;
	for (; element < nr; element++)
		shared.magazine.stack.elements[element] = element;
	shared.magazine.stack.nr = nr;
	for (i = 0; i < LEVELS; i++)
		while (hands[i].nr < HAND)
			hands[i].elements[hands[i].nr++] = element++;
}

/* Whether each of so many elements is in one place, and the magazine is left. */
static bool whole(u32 nr_elements)
{
	const struct bp_stack *stack = &shared.magazine.stack;
	u32 times[NR_ELEMENTS] = { 0 }, i, j;

	if (shared.magazine.busy || stack->nr > ROOM)
		return false;
	for (i = 0; i < stack->nr; i++)
		times[stack->elements[i] % NR_ELEMENTS]++;
	for (i = 0; i < LEVELS; i++)
		for (j = 0; j < hands[i].nr; j++)
			times[hands[i].elements[j] % NR_ELEMENTS]++;
	for (i = 0; i < nr_elements; i++)
		if (times[i] != 1)
			return false;
	return true;
}

/*
 * The fills of a magazine that differ: none, enough, all; about none, about all,
 * shrunk, shut.  Code that is not optimised has so many instructions that less is
 * tried of it, here and below.
 */
static const struct fill {
	u32 nr, size;
} fills[] = {
	{ 0, ROOM }, { BULK, ROOM }, { ROOM, ROOM },
#ifdef __OPTIMIZE__
	{ 1, ROOM }, { ROOM - 1, ROOM }, { 4, 2 }, { 0, 0 },
#endif
};

static const struct fill half = { ROOM / 2, ROOM };

/* Who got in and who did not, summed over runs. */
struct sum {
	u32 runs, done[LEVELS], refused[LEVELS];
};

static bool run(const struct fill *fill, struct sum *sum)
{
	int i;

	deal(fill->nr, fill->size);
	level = TASK;
	use();
	sum->runs++;
	for (i = 0; i < LEVELS; i++) {
		sum->done[i] += hands[i].done;
		sum->refused[i] += hands[i].refused;
	}
	return whole(fill->nr + LEVELS * HAND);
}

#define for_each_fill(fill) \
	for ((fill) = fills; (fill) < fills + ARRAY_SIZE(fills); (fill)++)

/* The NMI comes inside of the handler for the interrupt. */
static void prepare(struct __test_metadata *_metadata, enum op op)
{
	struct sigaction action = {
		.sa_sigaction = trap, .sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	const struct fill *fill;
	struct sum sum = { 0 };

	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	ops[TASK] = op;
	/* Let the loader find memcpy() now and not under the trap flag. */
	last = TASK;
	for_each_fill(fill)
		ASSERT_TRUE(run(fill, &sum));
	ASSERT_NE(0u, sum.done[TASK]);
	ASSERT_NE(0u, sum.refused[TASK]);
	ASSERT_EQ(0u, sum.done[IRQ] + sum.refused[IRQ]);
}

/* It must have been met by some who were let in and some who were not. */
static void conclude(struct __test_metadata *_metadata, const struct sum *sum)
{
	EXPECT_NE(0u, sum->done[last]);
	EXPECT_NE(0u, sum->refused[last]);
	TH_LOG("%u runs; irq: %u in, %u not; nmi: %u in, %u not", sum->runs,
	       sum->done[IRQ], sum->refused[IRQ],
	       sum->done[NMI], sum->refused[NMI]);
}

FIXTURE(interrupted)
{
	struct sum sum;
};

FIXTURE_VARIANT(interrupted)
{
	enum op op;
};

FIXTURE_VARIANT_ADD(interrupted, take) { TAKE };
FIXTURE_VARIANT_ADD(interrupted, put) { PUT };
FIXTURE_VARIANT_ADD(interrupted, take_bulk) { TAKE_BULK };
FIXTURE_VARIANT_ADD(interrupted, put_bulk) { PUT_BULK };

FIXTURE_SETUP(interrupted)
{
	prepare(_metadata, variant->op);
}

FIXTURE_TEARDOWN(interrupted)
{
	conclude(_metadata, &self->sum);
}

/* Run with an interrupt at the first instruction, the second, and so on. */
static void each_instruction(struct __test_metadata *_metadata,
			     const struct fill *fill, struct sum *sum)
{
	steps[TASK].at = 0;
	do {
		steps[TASK].at++;
		ASSERT_TRUE(run(fill, sum));
	} while (steps[TASK].fired);
}

TEST_F(interrupted, at_each_instruction_in_turn)
{
	static const enum op irq[] = {
		BOTH,
#ifdef __OPTIMIZE__
		TAKE, PUT,
#endif
	};
	const struct fill *fill;
	u32 i;

	last = IRQ;
	for (i = 0; i < ARRAY_SIZE(irq); i++) {
		ops[IRQ] = irq[i];
		for_each_fill(fill)
			each_instruction(_metadata, fill, &self->sum);
	}
}

TEST_F(interrupted, at_all_instructions_of_a_run)
{
	const struct fill *fill;

	last = IRQ;
	ops[IRQ] = BOTH;
	steps[TASK].at = EACH;
	for_each_fill(fill)
		ASSERT_TRUE(run(fill, &self->sum));
}

/* An interrupt at each instruction in turn, and NMIs at all of its own. */
TEST_F(interrupted, by_one_that_nmis_interrupt)
{
	last = NMI;
	ops[IRQ] = BOTH;
	ops[NMI] = BOTH;
	steps[IRQ].at = EACH;
	each_instruction(_metadata, &half, &self->sum);
}

/*
 * The same with one NMI a run, at each instruction of the interrupt in turn: as
 * many runs as there are pairs of instructions, so only where these are few.
 */
#ifdef __OPTIMIZE__
static void each_pair(struct __test_metadata *_metadata, enum op op)
{
	struct sum sum = { 0 };
	u32 nmis;

	prepare(_metadata, op);
	last = NMI;
	ops[IRQ] = BOTH;
	ops[NMI] = BOTH;
	steps[IRQ].at = 0;
	do {
		nmis = sum.done[NMI] + sum.refused[NMI];
		steps[IRQ].at++;
		each_instruction(_metadata, &half, &sum);
	} while (nmis != sum.done[NMI] + sum.refused[NMI]);
	conclude(_metadata, &sum);
}

TEST(take_at_each_pair_of_instructions)
{
	each_pair(_metadata, TAKE);
}

TEST(put_at_each_pair_of_instructions)
{
	each_pair(_metadata, PUT);
}
#endif

TEST_HARNESS_MAIN
