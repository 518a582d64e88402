/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The magazine of one CPU, used by a task, an interrupt and an NMI.
 *
 * Stands for common/magazine.h and bp_stack_pop() and bp_stack_push() of
 * common/stack.h, one step for each access to memory.  That only one CPU touches
 * it is what drain.pml is about.  An interrupt may come at any step of the task,
 * an NMI at any step of both, each some times and for any use; it runs to its end
 * before what it interrupted goes on.
 *
 * Shown: when all is over, each element is in one place.
 *
 * Broken on purpose, one at a time:
 *	NO_BUSY		nobody says that he is inside
 *	LOOK_EARLY	the stack is looked at before busy is set
 *	LEAVE_EARLY	busy is cleared before the stack is whole
 */
#define ROOM		2
#define ELEMENTS	4	/* one in the magazine, one for each level */
#define TASK		0
#define IRQ		1
#define NMI		2
#define NONE		255

bool busy;
byte nr = 1;
byte elements[ROOM];

byte hands[12];		/* hands[level * ELEMENTS + element]: 1 if held */
byte top = TASK;	/* who runs on the CPU */
byte interrupted;	/* by the NMI */
byte irqs = 2, nmis = 2;
bool done;

#define holds(level, e)	hands[(level) * ELEMENTS + (e)]

inline set_busy()
{
#ifndef NO_BUSY
	busy = true
#else
	skip
#endif
}

inline enter()
{
#ifdef LOOK_EARLY
	n = nr;
	set_busy()
#else
	set_busy();
	n = nr
#endif
}

inline leave()
{
	busy = false
}

inline take(level)
{
	if
	:: !busy ->
		enter();
		if
		:: n > 0 ->
			e = elements[n - 1];
#ifdef LEAVE_EARLY
			leave();
#endif
			nr = n - 1;
			assert(!holds(level, e));
			holds(level, e) = 1
		:: else
		fi;
		leave()
	:: else
	fi;
	n = 0; e = 0
}

/* The lowest of those that it holds. */
inline choose(level)
{
	d_step {
		e = 0;
		do
		:: e < ELEMENTS && !holds(level, e) -> e++
		:: else -> break
		od
	}
}

inline put(level)
{
	choose(level);
	if
	:: !busy && e < ELEMENTS ->
		enter();
		if
		:: n < ROOM ->
			elements[n] = e;
#ifdef LEAVE_EARLY
			leave();
#endif
			nr = n + 1;
			holds(level, e) = 0
		:: else
		fi;
		leave()
	:: else
	fi;
	n = 0; e = 0
}

proctype Task() provided (top == TASK)
{
	byte n, e;

	if
	:: true -> take(TASK)
	:: true -> put(TASK)
	fi;
	if
	:: true -> take(TASK)
	:: true -> put(TASK)
	fi;
	done = true
}

proctype Irq() provided (top == IRQ)
{
	byte n, e;

end:	do
	:: true -> take(IRQ); top = TASK
	:: true -> put(IRQ); top = TASK
	:: true -> take(IRQ); put(IRQ); top = TASK
	od
}

proctype Nmi() provided (top == NMI)
{
	byte n, e;

end:	do
	:: true -> take(NMI); top = interrupted
	:: true -> put(NMI); top = interrupted
	od
}

inline count(e)
{
	total = holds(TASK, e) + holds(IRQ, e) + holds(NMI, e);
	i = 0;
	do
	:: i < nr -> total = total + (elements[i] == e); i++
	:: else -> break
	od;
	assert(total == 1)
}

active proctype Machine()
{
	byte i, total;

	d_step {
		elements[0] = 3;
		holds(TASK, 0) = 1; holds(IRQ, 1) = 1; holds(NMI, 2) = 1
	}
	atomic { run Task(); run Irq(); run Nmi() }
	do
	:: atomic { top == TASK && irqs > 0 -> irqs--; top = IRQ }
	:: atomic { top != NMI && nmis > 0 -> nmis--; interrupted = top; top = NMI }
	:: atomic { done && top == TASK -> break }
	od;
	atomic {
		assert(!busy && nr <= ROOM);
		count(0); count(1); count(2); count(3)
	}
}
