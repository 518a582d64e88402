/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reserve: blocks that are there for the kernel on each CPU, at any time.
 *
 * Stands for kmod/stock.c and kmod/depot.c in a pool with a reserve: a task of the
 * kernel on each of two CPUs, that cannot wait and so does not reach into the other's
 * magazine, and a client that takes all it can.  What is done under the depot's lock
 * is one step; a free looks at the depot without it (bp_depot_has_reserve()), and is
 * done with its magazine in a later step.
 *
 * Shown: as long as the kernel has fewer blocks in its hands than the reserve, those
 * on their way to a magazine included, it gets another, on whatever CPU.
 *
 * Broken on purpose, one at a time:
 *	CLIENT_ALL	a client takes what it finds
 *	REFILL_ALL	a magazine is filled from the reserve
 *	KEEP_ALL	what is freed goes to the magazine, whatever is in the depot
 */
#define BLOCKS	5
#define RESERVE	2
#define ROOM	2
#define HALF	1

#define min(a, b) ((a) < (b) -> (a) : (b))
#define spare	(depot - min(depot, RESERVE))

byte depot = BLOCKS;
byte nr[2];		/* in the magazines */
byte kernel;		/* in its hands, or about to be */
byte theirs;		/* the client's */
byte running;

/* bp_cpu_refill() */
inline refill(c)
{
	d_step {
#ifdef REFILL_ALL
		r = min(HALF + 1, depot);
#else
		r = min(HALF + 1, spare);
#endif
		depot = depot - r;
		nr[c] = nr[c] + r;
		r = 0
	}
}

/* bp_stock_take_atomic() */
inline take(c)
{
	if
	:: nr[c] == 0 -> refill(c)
	:: else
	fi;
	d_step {
		if
		:: nr[c] > 0 -> nr[c]--
		:: else -> assert(depot > 0); depot--
		fi;
		held++
	}
}

/* bp_cpu_put() */
inline give(c)
{
#ifdef KEEP_ALL
	keep = true;
#else
	keep = depot >= RESERVE;
#endif
	if
	:: keep && nr[c] == ROOM -> d_step { nr[c] = nr[c] - HALF; depot = depot + HALF }
	:: else
	fi;
	d_step {
		if
		:: keep -> nr[c]++
		:: else -> depot++
		fi;
		held--;
		kernel--;
		keep = false
	}
}

proctype Task(byte c)
{
	byte r, held;
	bool keep;

	do
	:: atomic { kernel < RESERVE -> kernel++ }; take(c)
	:: held > 0 -> give(c)
	:: held == 0 -> break
	od;
	running--
}

proctype Client()
{
	do
#ifdef CLIENT_ALL
	:: atomic { depot > 0 -> depot--; theirs++ }
#else
	:: atomic { spare > 0 -> depot--; theirs++ }
#endif
	:: atomic { theirs > 0 -> theirs--; depot++ }
	:: theirs == 0 -> break
	od;
	running--
}

init
{
	atomic {
		running = 3;
		run Task(0); run Task(1); run Client()
	}
	running == 0;
	assert(depot + nr[0] + nr[1] == BLOCKS && kernel == 0)
}
