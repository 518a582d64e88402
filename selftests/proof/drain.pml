/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two CPUs with magazines, the depot behind them, and those who find it empty.
 *
 * Stands for kmod/stock.c and kmod/depot.c: two tasks of the kernel that take and
 * give on whatever CPU they happen to run; a client that waits for all blocks and
 * one that waits for a single one; a client that polls; a CPU that goes offline.
 * Each may come and go at any time.  What is done under the depot's lock is one
 * step, as nobody else is there, and so is the call that one CPU makes on
 * another, since interrupts are off in both; all else is a step for each access to
 * memory.  What may interrupt a magazine's user beside that call is in
 * magazine.pml, and why looking at it from afar does not replace it in afar.pml.
 *
 * Shown: all blocks are there in the end (I1), and nobody sleeps for ever; with
 * TIMEOUT: nobody gives up while a block is free in a magazine, and the first in
 * the queue not while there are enough for it (I7); with ENDS: no drain goes on
 * for ever by one who has not been served.
 *
 * Broken on purpose, one at a time:
 *	NO_DRAIN	one who waits leaves the magazines alone
 *	DRAIN_ONCE	a CPU that was inside its magazine is not asked again
 *	OPEN_WHEN_SHORT	a magazine is opened though somebody waits
 *	OPEN_OUTSIDE	it is opened by one who is not inside it
 *	COLD_OUTSIDE	what is flushed is given to the depot outside
 *	NO_CALLBACK	nobody empties the magazine of a CPU that is offline
 *	POLL_ONLY	a poller does not make the pool short
 */
#ifndef BLOCKS
#define BLOCKS	2
#endif
#define ROOM	2
#define HALF	1

#ifndef TASKS
#define TASKS	2
#endif
#ifndef WAITERS
#define WAITERS	1
#endif
#define POLLER	2	/* as a drainer, beside waiters 0 and 1 */

#define need(w)	((w) == 0 -> BLOCKS : 1)
#define max(a, b) ((a) > (b) -> (a) : (b))
#define min(a, b) ((a) < (b) -> (a) : (b))
#define bit(n)	(1 << (n))

/* The depot; all under its lock, but wanted and cpus are read anywhere. */
byte depot = BLOCKS;
byte wanted;
byte cpus;		/* whose magazines are open */
byte queue[2], queued;
bool served[2];
bool polling, poked;

/* The CPUs. */
byte online = 3;
bool occupied[2];	/* by a task that cannot be preempted now */
bool busy[2], open[2];
byte nr[2], size[2];
byte called[2];		/* by which drainers */

byte transit;		/* blocks that were free and are in a task's hands */
bool missed;		/* the last call found its CPU inside the magazine */
bool draining;		/* waiter 0, who is still in the queue */
byte running;		/* processes that have not ended */

inline more()
{
	do
	:: queued > 0 && need(queue[0]) <= depot ->
		depot = depot - need(queue[0]);
		served[queue[0]] = true;
		queue[0] = queue[1];
		queue[1] = 0;
		queued--
	:: else -> break
	od;
	if
	:: queued == 0 && depot >= wanted -> wanted = 0
	:: else
	fi;
	poked = poked || (polling && depot > 0 && queued == 0)
}

inline depot_give(n)
{
	d_step { depot = depot + n; more() }
}

/* bp_depot_open() */
inline depot_open(c, n)
{
	d_step {
		opened = !wanted;
#ifdef OPEN_WHEN_SHORT
		opened = true;
#endif
		if
		:: opened ->
			cpus = cpus | bit(c);
			r = min(n, depot);
			depot = depot - r;
			nr[c] = nr[c] + r;
			r = 0
		:: else
		fi
	}
}

/* bp_cpu_close() */
inline close(c)
{
	open[c] = false;
	size[c] = 0;
	depot = depot + nr[c];
	nr[c] = 0;
	cpus = cpus & ~bit(c);
	more()
}

/* bp_stock_close_here(), on each CPU. */
proctype Call(byte c)
{
end:	do
	:: d_step {
		called[c] ->
			if
			:: !busy[c] -> close(c); missed = false
			:: else -> missed = true
			fi;
			called[c] = 0
		}
	od
}

inline enter()
{
	busy[c] = true
}

inline leave()
{
	busy[c] = false
}

/* preempt_disable() on some CPU; and preempt_enable() */
inline arrive()
{
	if
	:: atomic { online & 1 && !occupied[0] -> occupied[0] = true; c = 0 }
	:: atomic { online & 2 && !occupied[1] -> occupied[1] = true; c = 1 }
	fi
}

inline go()
{
	d_step { occupied[c] = false; c = 0 }
}

inline pop()
{
	r = nr[c];
	if
	:: r > 0 -> nr[c] = r - 1; held++; got = true
	:: else
	fi;
	r = 0
}

/* Inside: bp_cpu_refill() */
inline refill(n)
{
#ifdef OPEN_OUTSIDE
	leave();
#endif
	depot_open(c, n);
	if
	:: opened -> open[c] = true; size[c] = ROOM
	:: else
	fi;
#ifdef OPEN_OUTSIDE
	enter();
#endif
	opened = false
}

/* bp_stock_pop(), then bp_stock_take_atomic() */
inline take()
{
	arrive();
	enter(); pop(); leave();
	if
	:: !got ->
		enter(); refill(HALF + 1); pop(); leave()
	:: else
	fi;
	go();
	d_step {
		if
		:: !got && depot > 0 -> depot--; held++
		:: !got && depot == 0 -> wanted = max(wanted, 1)
		:: else
		fi;
		got = false
	}
}

/* Inside: bp_cpu_put() of one. */
inline put()
{
	if
	:: open[c] ->
		r = nr[c];
		if
		:: r == ROOM ->
#ifdef COLD_OUTSIDE
			d_step { transit = transit + HALF; cold = HALF };
#else
			depot_give(HALF);
#endif
			r = r - HALF;
			nr[c] = r
		:: else
		fi;
		d_step { nr[c] = r + 1; held-- };
		got = true;
		r = 0
	:: else
	fi
}

inline give_cold()
{
	if
	:: cold -> d_step { depot_give(cold); transit = transit - cold; cold = 0 }
	:: else
	fi
}

/* bp_stock_push(), then bp_stock_give_here() */
inline give()
{
	arrive();
	enter();
	r = nr[c];
	if
	:: r < size[c] -> d_step { nr[c] = r + 1; held--; r = 0 }; leave(); go()
	:: else ->
		r = 0;
		leave();
		enter();
		if
		:: !open[c] -> refill(0)
		:: else
		fi;
		put();
		leave();
		go();
#ifdef COLD_OUTSIDE
		give_cold();
#endif
		d_step {
			if
			:: !got -> held--; depot_give(1)
			:: else
			fi;
			got = false
		}
	fi
}

proctype Task()
{
	byte c, r, held, cold;
	bool got, opened;

	do
	:: held < BLOCKS -> take()
	:: held > 0 -> give()
	:: held == 0 -> break
	od;
	running--
}

/* bp_stock_drain() */
inline drain(me)
{
	do
	:: wanted ->
		if
		:: cpus & online
		:: else -> break
		fi;
		atomic {
			called[0] = called[0] | (cpus & online & 1 -> bit(me) : 0);
			called[1] = called[1] | (cpus & online & 2 -> bit(me) : 0)
		}
		((called[0] | called[1]) & bit(me)) == 0;
#ifdef DRAIN_ONCE
		break
#endif
	:: else -> break
	od
}

/* bp_depot_leave() */
inline give_up(me)
{
	d_step {
		assert(served[me] || transit == 0);
		assert(served[me] || (online & 1 -> nr[0] : 0) == 0);
		assert(served[me] || (online & 2 -> nr[1] : 0) == 0);
		assert(served[me] || depot < need(queue[0]));
		if
		:: !served[me] ->
			if
			:: queue[0] == me -> queue[0] = queue[1]
			:: else
			fi;
			queue[1] = 0;
			queued--;
			if
			:: queued == 0 && !polling -> wanted = 1
			:: else
			fi;
			more()
		:: else -> got = true
		fi
	}
}

/* bp_stock_take_wait(), and then it gives back. */
proctype Waiter(byte me)
{
	bool got;

	d_step {
		got = queued == 0 && depot >= need(me);
		if
		:: got -> depot = depot - need(me)
		:: else ->
			queue[queued] = me;
			queued++;
			wanted = max(wanted, need(me))
		fi
	}
	if
	:: !got ->
#ifndef NO_DRAIN
		draining = me == 0;
		drain(me);
		draining = draining && me != 0;
#endif
		if
		:: served[me] -> got = true
#ifdef TIMEOUT
		:: true -> give_up(me)
#endif
		fi
	:: else
	fi;
	if
	:: got -> depot_give(need(me))
	:: else
	fi;
	running--
}

/* bp_depot_ready() */
inline look()
{
	d_step {
		ready = depot > 0 && queued == 0;
#ifndef POLL_ONLY
		wanted = (ready -> wanted : max(wanted, 1))
#endif
	}
}

/* bp_device_poll(), until there is a block. */
proctype Poller()
{
	bool ready;

	polling = true;
	do
	:: poked = false;
	   look();
	   if
	   :: !ready -> drain(POLLER); look()
	   :: else
	   fi;
	   if
	   :: ready -> break
	   :: else
	   fi;
	   poked
	od;
	polling = false;
	running--
}

/* CPU 1 goes; its tasks run on elsewhere; then its magazine is emptied. */
proctype Offline()
{
	d_step { !occupied[1] && !called[1] -> online = 1 }
#ifndef NO_CALLBACK
	d_step {
		if
		:: open[1] -> close(1)
		:: else
		fi
	}
#endif
	running--
}

init
{
	atomic {
		running = TASKS + WAITERS;
		run Call(0); run Call(1);
		run Task();
#if TASKS > 1
		run Task();
#endif
#if WAITERS > 0
		run Waiter(0);
#endif
#if WAITERS > 1
		run Waiter(1);
#endif
#ifdef POLLS
		running++; run Poller();
#endif
#ifdef OFFLINE
		running++; run Offline();
#endif
	}
	running == 0;
	assert(depot + nr[0] + nr[1] == BLOCKS && transit == 0)
}

/* If not each call for ever comes just then: it does so at another instruction. */
#ifdef ENDS
ltl ends { []<> !missed -> []<> (!draining || served[0]) }
#endif
