/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A free of an isolated pool's block against a fault on it.
 *
 * Stands for kmod/isolate.c and kmod/client.c: a client that takes the block, maps
 * it once, at any time, and frees it; another thread of it that never ceases to
 * store into it, by way of a fault if the page table has no entry; and another
 * client.  All is a step for each access; the lock is the window's.
 *
 * Shown: no store lands in the block while the other client holds it.
 *
 * Broken on purpose, one at a time:
 *	NO_LOCK		a fault does not take the lock
 *	LOOK_OUTSIDE	it looks at the owner word before it has the lock
 *	REVOKE_FIRST	the entry is taken away before the owner word is released
 *	GIVE_FIRST	the block is given back before the entry is taken away
 *	WINDOW_LATE	there is a mapping before there is a window
 */
#define FREE	0
#define CLIENT	1
#define OTHER	2
#define ROUNDS	2

byte owner;
bool there = true;	/* in the depot */
bool mapped, window, entry;
byte readers;
bool writer;
byte running;

#define lock_read()	atomic { !writer -> readers++ }
#define unlock_read()	readers--
#define lock_write()	atomic { !writer && readers == 0 -> writer = true }
#define unlock_write()	writer = false

/* bp_window_revoke() */
inline revoke()
{
	lock_write();
	if
	:: window -> entry = false
	:: else
	fi;
	unlock_write()
}

proctype Client()
{
	byte round;

	do
	:: round < ROUNDS ->
		atomic { there -> there = false };
		owner = CLIENT;
#ifdef REVOKE_FIRST
		revoke();
		owner = FREE;
#else
		owner = FREE;
#ifdef GIVE_FIRST
		there = true;
#endif
		revoke();
#endif
#ifndef GIVE_FIRST
		there = true;
#endif
		round++
	:: else -> break
	od;
	running--
}

/* bp_window_open(), in mmap() */
proctype Mapper()
{
#ifdef WINDOW_LATE
	mapped = true;
#endif
	lock_write();
	window = true;
	unlock_write();
	mapped = true;
	running--
}

/* bp_window_fault() */
inline fault()
{
#ifdef LOOK_OUTSIDE
	mine = owner == CLIENT;
#endif
#ifndef NO_LOCK
	lock_read();
#endif
#ifndef LOOK_OUTSIDE
	mine = owner == CLIENT;
#endif
	if
	:: mine -> entry = true
	:: else
	fi;
	mine = false;
#ifndef NO_LOCK
	unlock_read()
#endif
}

proctype Storer()
{
	bool mine;

	do
	:: atomic { entry -> assert(owner != OTHER) }
	:: mapped && !entry -> fault()
	:: running == 0 -> break
	od
}

proctype Other()
{
	byte round;

	do
	:: round < ROUNDS ->
		atomic { there -> there = false };
		owner = OTHER;
		owner = FREE;
		there = true;
		round++
	:: else -> break
	od;
	running--
}

init
{
	atomic {
		running = 3;
		run Client(); run Mapper(); run Storer(); run Other()
	}
	running == 0;
	assert(owner == FREE && !entry && there)
}
