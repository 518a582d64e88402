/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NMIs at the depot: they free while somebody holds its lock, and take if nobody
 * does.
 *
 * Stands for bp_depot_put_aside(), bp_depot_absorb(), bp_depot_later(),
 * bp_depot_take(), bp_depot_give(), bp_depot_join() and bp_depot_more() of
 * kmod/depot.c on two CPUs, one step for each access to what is shared.  On each
 * CPU an NMI may come at any step, the depot's irq_work whenever interrupts are on.
 * Each NMI and a task have a block; somebody waits for all of them.
 *
 * Shown: no block is in two places, nothing hangs, and the waiter gets all.
 *
 * Broken on purpose, one at a time:
 *	SERVE_OWN	the irq_work serves only what it found in limbo itself
 *	PUBLISH_EARLY	a block is in limbo before it has its link
 *	STORE_HEAD	limbo's head is stored and not compared and exchanged
 *	NMI_LOCKS	an NMI that frees waits for the lock
 *	NO_WORK		nobody is told that there is something in limbo
 */
#define BLOCKS	3
#define FREE	0
#define HELD	1
#define LIMBO	8	/* and the link: 0 or the next block + 1 */
#define bit(n)	(1 << (n))
#define ALL	7

#define TASK	0
#define IRQ	1
#define NMI	2

bool lock;
byte depot;		/* a bit for each block there */
byte limbo;
byte owners[BLOCKS] = HELD;
bool waiting, served;

byte top[2];		/* who runs on each CPU */
byte interrupted[2];	/* by the NMI */
bool masked[2];		/* interrupts off */
byte nmis[2] = 1;
bool pending, raised[2];

inline lock_depot()
{
	atomic { !lock -> lock = true }
}

/* A block is pushed on the stack that is not there yet. */
inline push(i)
{
	assert(!(depot & bit(i)));
	depot = depot | bit(i)
}

inline absorb()
{
	if
	:: limbo ->
		atomic { link = limbo; limbo = 0 }
		do
		:: link ->
			found = true;
			i = link - 1;
			assert(owners[i] >= LIMBO);
			link = owners[i] - LIMBO;
			owners[i] = FREE;
			push(i)
		:: else -> break
		od;
		i = 0
	:: else
	fi
}

inline more()
{
	if
	:: waiting && depot == ALL ->
		depot = 0;
		waiting = false;
		served = true
	:: else
	fi
}

/* Give block i back; the caller may have no interrupts. */
inline give(i)
{
	owners[i] = FREE;
	lock_depot();
	absorb();
	push(i);
	more();
	lock = false
}

/* bp_depot_take(), by one who has the lock. */
inline take_locked(barge)
{
	absorb();
	d_step {
		if
		:: waiting && !barge
		:: else ->
			if
			:: depot & 1 -> got = 1
			:: !(depot & 1) && depot & 2 -> got = 2
			:: !(depot & 3) && depot & 4 -> got = 3
			:: else
			fi
		fi;
		if
		:: got -> depot = depot & ~bit(got - 1)
		:: else
		fi
	}
	lock = false;
	if
	:: got -> assert(owners[got - 1] == FREE); owners[got - 1] = HELD
	:: else
	fi
}

inline queue_work(cpu)
{
#ifndef NO_WORK
	d_step {
		if
		:: !pending -> pending = true; raised[cpu] = true
		:: else
		fi
	}
#else
	skip
#endif
}

inline put_aside(cpu, n)
{
	owners[n] = FREE;
#ifdef NMI_LOCKS
	lock_depot();
	push(n);
	more();
	lock = false;
#else
	head = limbo;
	do
	:: true ->
#ifndef PUBLISH_EARLY
		owners[n] = LIMBO + head;
#endif
#ifdef STORE_HEAD
		limbo = n + 1;
		break
#else
		if
		:: d_step { limbo == head -> limbo = n + 1 }
			break
		:: d_step { limbo != head -> head = limbo }
		fi
#endif
	od;
#ifdef PUBLISH_EARLY
	owners[n] = LIMBO + head;
#endif
	head = 0;
	queue_work(cpu)
#endif
}

/* A task on CPU 0 gives; one on CPU 1, for a client, takes and gives. */
proctype Giver() provided (top[0] == TASK)
{
	byte link, i;
	bool found;

	masked[0] = true;
	give(0);
	masked[0] = false
}

proctype Taker() provided (top[1] == TASK)
{
	byte link, i, got;
	bool found;

	masked[1] = true;
	lock_depot();
	take_locked(false);
	if
	:: got -> give(got - 1)
	:: else
	fi;
	masked[1] = false
}

/* Each may first take one more, which it barges for. */
proctype Nmi(byte cpu) provided (top[cpu] == NMI)
{
	byte link, i, head, got;
	bool found;

end:	do
	:: true ->
		if
		:: atomic { !lock -> lock = true }
			take_locked(true);
			if
			:: got -> put_aside(cpu, got - 1)
			:: else
			fi;
			got = 0; found = false
		:: true
		fi;
		put_aside(cpu, cpu + 1);
		top[cpu] = interrupted[cpu]
	od
}

/* bp_depot_later() */
proctype Later(byte cpu) provided (top[cpu] == IRQ)
{
	byte link, i;
	bool found;

end:	do
	:: true ->
		pending = false;
		found = false;
		lock_depot();
		absorb();
#ifdef SERVE_OWN
		if
		:: found -> more()
		:: else
		fi;
#else
		more();
#endif
		lock = false;
		top[cpu] = TASK
	od
}

proctype Cpu(byte cpu)
{
end:	do
	:: atomic {
		nmis[cpu] && top[cpu] != NMI ->
			nmis[cpu]--;
			interrupted[cpu] = top[cpu];
			top[cpu] = NMI
	}
	:: atomic {
		raised[cpu] && top[cpu] == TASK && !masked[cpu] ->
			raised[cpu] = false;
			top[cpu] = IRQ
	}
	od
}

/* bp_depot_join(), on a third CPU, and bp_depot_sleep() */
proctype Waiter()
{
	byte link, i;
	bool found;

	lock_depot();
	absorb();
	if
	:: depot == ALL -> depot = 0; served = true
	:: else -> waiting = true
	fi;
	lock = false;
	served;
	assert(depot == 0 && limbo == 0)
}

init
{
	atomic {
		run Cpu(0); run Cpu(1);
		run Nmi(0); run Nmi(1); run Later(0); run Later(1);
		run Giver(); run Taker(); run Waiter()
	}
}
