/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a drain calls the other CPU and does not just look: store buffers.
 *
 * A CPU takes from and puts into its magazine without any barrier; another wants
 * all that is there.  As it is (kmod/stock.c, bp_stock_close_here()) the magazine
 * is emptied by its own CPU, in an interrupt: what that CPU has stored it sees
 * itself, whether or not anybody else does.
 *
 * With AFAR the other shuts the magazine, looks at busy, and empties it if nobody
 * is inside; whoever goes inside looks whether it is shut.  That holds only if
 * the owner has a full barrier behind the setting of busy (ORDERED), at each use.
 * Without, its store may still be in its store buffer when it looks, as on x86,
 * where a load may pass an earlier store: then both are inside.
 *
 * Shown: all blocks are there in the end; and not with AFAR alone.
 */
#define BLOCKS	2
#define ROOM	2

#define BUSY	0
#define NR	1
#define WORDS	2
#define LENGTH	4	/* of the store buffer */

byte memory[WORDS];		/* as other CPUs see it */
byte newest[WORDS];		/* of what is in the owner's store buffer */
byte buffered[WORDS];
chan buffer = [LENGTH] of { byte, byte };

bool shut, called;
byte depot, held = 1, ended;

inline store(word, value)
{
#ifdef ORDERED
	memory[word] = value
#else
	atomic { buffer!word,value; newest[word] = value; buffered[word]++ }
#endif
}

#define load(word) (buffered[word] -> newest[word] : memory[word])

inline move_all()
{
	depot = depot + memory[NR];
	memory[NR] = 0
}

inline enter()
{
	store(BUSY, 1);
	may = !shut	/* the stack's size is not 0 */
}

inline leave()
{
	store(BUSY, 0);
	r = 0
}

inline take()
{
	enter();
	r = load(NR);
#ifdef AFAR
	r = (may -> r : 0);
#endif
	if
	:: r > 0 -> store(NR, r - 1); held++
	:: else
	fi;
	leave()
}

inline put()
{
	enter();
	r = load(NR);
	if
	:: may && r < ROOM -> store(NR, r + 1); held--
	:: else
	fi;
	leave()
}

proctype Owner()
{
	byte r;
	bool may;

	do
	:: true -> take()
	:: held > 0 -> put()
	:: true -> break
	od;
	ended++
}

/* The hardware: stores reach memory in order, at some time. */
proctype Buffer()
{
	byte word, value;

end:	do
	:: atomic {
		buffer?word,value ->
			memory[word] = value;
			buffered[word]--;
			word = 0;
			value = 0
	}
	od
}

/* bp_stock_close_here(); the depot's lock is a barrier. */
proctype Call()
{
end:	do
	:: atomic {
		called && empty(buffer) ->
			if
			:: !memory[BUSY] -> shut = true; move_all()
			:: else
			fi;
			called = false
	}
	od
}

proctype Drainer()
{
#ifdef AFAR
	shut = true;
	!memory[BUSY];
	move_all();
#else
	do
	:: !shut -> called = true; !called
	:: else -> break
	od;
#endif
	ended++
}

init
{
	atomic {
		memory[NR] = 1;
		run Owner(); run Buffer(); run Call(); run Drainer()
	}
	ended == 2 && empty(buffer);
	assert(depot + memory[NR] + held == BLOCKS)
}
