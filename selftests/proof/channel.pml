/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A channel: two ends, a lane each way, and a kernel that knows only who has the file.
 *
 * Stands for lib/channel.c and lib/channel_open.c.  Each end receives, and sleeps if
 * there is nothing, and sends what it has, for ever; it may be killed between any two
 * accesses to memory, from before there is a channel.  An end's stores wait in a store
 * buffer until the hardware brings them to memory, as on x86; what enters the kernel,
 * dying included, waits for that.
 *
 * Shown: as long as anybody has the channel's file each block is its client's, and
 * then each is free (I1, I3); no block is in the hands of both ends; whoever sleeps
 * has nothing to receive and a peer that lives; whose peer is gone hears of that,
 * after all that it was sent.  With POLLS: both begin as ones that never sleep, and
 * sleep later.
 *
 * Broken on purpose, one at a time:
 *	NO_BARRIER	who sends looks whether the other sleeps before all can see it
 *	NO_LOOK		who says that it sleeps does not look again
 *	HEAR_LATE	old rings are forgotten after it has said so
 *	EPIPE_FIRST	whose peer is gone does not look again
 *	ONE_FILE	only the opener has a reference to the file
 *	NO_MEMBARRIER	(POLLS) a poller that will sleep waits for nobody
 *	LOOK_ONCE	(POLLS) who sends asks before, and not behind, whether it polls
 */
#define BLOCKS	2
#define SLOTS	2

#define SLOT(lane, at)	((lane) * SLOTS + (at) % SLOTS)
#define ASLEEP(end)	(2 * SLOTS + (end))
#define POLLING(end)	(2 * SLOTS + 2 + (end))
#define WORDS		(2 * SLOTS + 4)

#define lap(at)		((at) < SLOTS -> 1 : 0)
#define full(at, word)	(((word) & 1) == lap(at))
#define place(at, block) (lap(at) + 2 * (block))
#define next(at)	(((at) + 1) % (2 * SLOTS))
#define bit(n)		(1 << (n))
#define other(end)	(1 - (end))

byte memory[WORDS];		/* as the other end sees it */
byte newest[2 * WORDS];		/* of what is in an end's store buffer */
byte buffered[2 * WORDS];
chan buffer[2] = [2] of { byte, byte };

/* The kernel's. */
bool client[BLOCKS];		/* owner word: the channel's client, or free */
bool has[2];			/* an end has the file */
bool sent;			/* and so has the socket */
bool gone[2];			/* an end's socket is closed */
bool bell[2];			/* it has rung, once or more */

byte in[2];			/* messages that an end has received, as in its lane */
byte mine[2];			/* blocks in an end's hands */
bool ended[2], sleeps[2];
bool calm;			/* nobody will be killed any more */

inline store(word, value)
{
	atomic {
		buffer[me]!word,value;
		newest[me * WORDS + word] = value;
		buffered[me * WORDS + word]++
	}
}

#define load(word) \
	(buffered[me * WORDS + (word)] -> newest[me * WORDS + (word)] : memory[word])

#define barrier()	empty(buffer[me])

/*
 * It may be killed here.  That is before each access that others can see, as to them
 * it is all one where between two of these it was.
 */
inline mortal()
{
	if
	:: !calm -> goto over
	:: true
	fi
}

/* The hardware: stores reach memory in order, at some time. */
proctype Buffer(byte me)
{
	byte word, value;

end:	do
	:: atomic {
		buffer[me]?word,value ->
			memory[word] = value;
			buffered[me * WORDS + word]--;
			newest[me * WORDS + word] =
				(buffered[me * WORDS + word] ->
				 newest[me * WORDS + word] : 0);
			word = 0;
			value = 0
	}
	od
}

/* The last reference goes, or not yet. */
inline put_file()
{
#ifdef ONE_FILE
	if
	:: !has[0] -> client[0] = false; client[1] = false
	:: else
	fi
#else
	if
	:: !has[0] && !has[1] && !sent -> client[0] = false; client[1] = false
	:: else
	fi
#endif
}

inline open_channel()
{
	mortal();
	d_step { has[0] = true; client[0] = true; client[1] = true };
	mortal();
	d_step { memory[SLOT(1, 0)] = place(0, 0); memory[SLOT(1, 1)] = place(1, 1) };
	d_step {
		if
		:: !gone[1] -> sent = true
		:: else -> refused = true
		fi
	}
}

inline accept_channel()
{
	mortal();
	sent || gone[0];
	mortal();
	d_step {
		if
		:: sent -> sent = false; has[1] = true
		:: else -> refused = true
		fi
	}
	out = SLOTS		/* those that it began with */
}

/* blockpool_channel_send() of one block; see publish(). */
inline send_block(block)
{
	mortal();
	d_step { mine[me] = mine[me] & ~bit(block); hint = load(POLLING(other(me))) };
	mortal();
	store(SLOT(me, out), place(out, block));
	mortal();
#ifndef LOOK_ONCE
	hint = hint && load(POLLING(other(me)));
#endif
	if
	:: hint
	:: else ->
#ifndef NO_BARRIER
		barrier();
#endif
		if
		:: load(ASLEEP(other(me))) ->
			mortal();
			barrier();
			d_step {
				if
				:: memory[ASLEEP(other(me))] ->
					memory[ASLEEP(other(me))] = 0;
					bell[other(me)] = true
				:: else
				fi
			}
		:: else
		fi
	fi;
	d_step { out = next(out); hint = false }
}

inline hear()
{
	d_step { barrier(); bell[me] = false; dead = gone[other(me)] }
}

/* blockpool_channel_arm(), and the sleep. */
inline arm_and_sleep()
{
#ifndef HEAR_LATE
	hear();
#endif
	mortal();
	store(ASLEEP(me), 1);
	mortal();
	barrier();
#ifdef HEAR_LATE
	hear();
#endif
#ifdef NO_LOOK
	word = 1 - lap(in[me]);
#else
	word = load(SLOT(other(me), in[me]));
#endif
	if
	:: full(in[me], word) || dead -> store(ASLEEP(me), 0)
	:: else ->
		sleeps[me] = true;
end_sleep:	if
		:: bell[me] || gone[other(me)]
		:: !calm -> goto over
		fi;
		sleeps[me] = false
	fi;
	word = 0
}

/* stop_polling(), or another look */
inline poll_on()
{
	if
	:: true
	:: true ->
		store(POLLING(me), 0);
		barrier();
#ifndef NO_MEMBARRIER
		empty(buffer[other(me)]);
#endif
		polls = false
	fi
}

/* blockpool_channel_recv() of one: until there is one, or the other is gone. */
inline receive()
{
	do
	:: true ->
		known = dead;
#ifdef EPIPE_FIRST
		if
		:: known -> epipe = true; break
		:: else
		fi;
#endif
		mortal();
		word = load(SLOT(other(me), in[me]));
		if
		:: full(in[me], word) ->
			d_step {
				word = word / 2;
				assert(word < BLOCKS);
				assert(client[word]);
				assert(!(mine[0] & bit(word)));
				assert(!(mine[1] & bit(word)));
				mine[me] = mine[me] | bit(word);
				/* Nobody will read it again: one state for all. */
				memory[SLOT(other(me), in[me])] = lap(in[me]);
				in[me] = next(in[me]);
				word = 0
			}
			break
		:: else ->
			word = 0;
			if
			:: known -> epipe = true; break
			:: else
			fi;
			if
			:: polls -> poll_on(); dead = gone[other(me)]
			:: else -> arm_and_sleep()
			fi
		fi
	od;
	known = false
}

proctype End(byte me)
{
	byte out, word;
	bool refused, dead, known, epipe, polls, hint;

#ifdef POLLS
	polls = true;
#endif
	if
	:: me == 0 -> open_channel()
	:: else -> accept_channel()
	fi;
	do
	:: refused || epipe -> break
	:: else ->
		if
		:: true -> receive()
		:: mine[me] & 1 -> send_block(0)
		:: mine[me] & 2 -> send_block(1)
		fi
	od;
	/* All that it was sent has come. */
	assert(refused || !full(in[me], memory[SLOT(other(me), in[me])]));
over:	skip;
	d_step {
		barrier();
		assert(!has[me] || (client[0] && client[1]));
		has[me] = false;
		gone[me] = true;
		sent = sent && me == 0;		/* its queue goes with its socket */
		put_file();
		mine[me] = 0;
		sleeps[me] = false;
		ended[me] = true
	}
}

/* Sooner or later, or else it would always be a way out. */
proctype Calm()
{
	calm = true
}

#define rests(end) \
	(ended[end] || (sleeps[end] && !gone[other(end)] && \
			!full(in[end], memory[SLOT(other(end), in[end])])))

/* When nobody can go on. */
proctype Monitor()
{
	timeout;
	assert(rests(0) && rests(1));
	assert(!ended[0] || !ended[1] || (!client[0] && !client[1]))
}

init
{
	atomic {
#ifdef POLLS
		memory[POLLING(0)] = 1;
		memory[POLLING(1)] = 1;
#endif
		run Buffer(0); run Buffer(1);
		run End(0); run End(1);
		run Calm(); run Monitor()
	}
}
