/* SPDX-License-Identifier: MIT */
/*
 * waiter: the protocol of core/waitq, wait and cancel, searched through every interleaving.
 *
 * What is modelled. Three contexts wait for the items of two primitives, while two threads put items in,
 * one thread cancels and timers run out. Context 0 is a coroutine whose first wait has a timeout,
 * context 1 a coroutine that is cancelled once at any moment, context 2 a thread with a timeout. Each of
 * 0 and 1 goes on to a second wait on another primitive, so that whoever still holds on to
 * the first wait (a late notifier, a late cancel) can do its harm there.
 *
 *   word[c]      the context's one atomic wait word: core/context
 *   sticky[c]    its cancel word: core/cancel
 *   q[p], il[p]  the waiters of a primitive in order, and the internal lock over them: core/waitq
 *   ready[c]     how often the coroutine stands on its runner's ready queue: core/park (inbox.pml has the
 *                queue itself); more than once would resume a stack that runs already
 *   asleep[c]    the thread is in its futex: platform/parker (sleep.pml has it in detail)
 *   items[p]     what lies in the primitive; reserved[p] of them belong to notified waiters who have not
 *                resumed yet, so that a late cancel can give back without moving an item
 *
 * By default the primitive reserves, as a queue does. -DGRANT gives the permit with the
 * notification, as a semaphore or a lock does: a notified waiter touches the primitive no more unless it gives back.
 *
 * What must hold.
 *   - At each release of the internal lock no live waiter is linked while an item is free and not reserved.
 *   - A coroutine is pushed only when it stands on no queue, and only when it is parked or about to be.
 *   - When nothing can move any more: items in = items out + items left, nothing is reserved, no lock is
 *     held, nobody is parked with a changed word or with a pending cancel.
 *   - The cancel was delivered once, or is still pending for the next wait; it is never delivered twice.
 *
 * Why the waiter reads no "linked" flag. A notifier unlinks a node before it tries the word. Between the two
 * the wait may run out, and a waiter that found its node unlinked and left without the lock
 * could publish its next wait just before the notifier's CAS: the CAS would hit the wrong wait. So only NOTIFIED lets a
 * waiter leave without the lock; every other end takes it once, which also waits the notifier out
 * (mutant 6). In the same way a canceller that has set the sticky word may be late with its CAS, and hit
 * the next wait when this one has found the sticky word by itself. So it holds a lock of the context
 * over both, and the wait that clears the sticky word takes that lock (mutant 7).
 *
 * Promela's memory is sequentially consistent: what needs seq_cst in C is the pair publish/look
 * here (word then sticky) and there (sticky then word). Mutant 2 is what a processor's store buffer would do.
 *
 * -DMUTANT=n plants a defect that the search must report:
 *    1  the waiter does not look at the sticky word after publishing
 *    2  it looks before publishing
 *    3  a notifier that lost the CAS drops the notification instead of trying the next waiter
 *    4  a notified and cancelled waiter leaves without giving back
 *    5  it gives back, but wakes nobody for it
 *    6  a waiter that was unlinked leaves without taking the lock
 *    7  the sticky word is cleared without the canceller's lock
 *    8  a coroutine that finds its word changed does not park, and leaves its push behind
 *    9  the waiter tries to take before it holds the lock under which it links
 *   10  the notifier stores NOTIFIED instead of a compare-and-swap
 *   11  the wait that returns cancelled leaves the sticky word set
 *   12  a thread that times out stores TIMED_OUT instead of a compare-and-swap
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#ifndef CAST
#define CAST 7
#endif

#define CONTEXTS 3
#define PRIMITIVES 2
#define IS_THREAD(c) ((c) == 2)

#define IDLE 0
#define WAITING 1
#define SLEEPING 2
#define NOTIFIED 3
#define TIMED_OUT 4
#define CANCELLED 5

#define WAITS(c) (word[c] == WAITING || word[c] == SLEEPING)
#define FREE(p) (items[p] - reserved[p])

byte word[CONTEXTS];
bit sticky[CONTEXTS];
byte ready[CONTEXTS];
bit parked[CONTEXTS]; /* the coroutine is off its stack, or the thread in its sleep */
bit asleep[CONTEXTS];
bit armed[CONTEXTS]; /* a timer is set for this wait; the runner alone fires and clears it */
bit ended[CONTEXTS];

bit il[PRIMITIVES];
chan q[PRIMITIVES] = [CONTEXTS] of { byte };
byte items[PRIMITIVES];
byte reserved[PRIMITIVES];
byte put_in[PRIMITIVES];
byte taken_out[PRIMITIVES];

bit canceller_lock; /* of context 1: core/context */
byte cancels;
byte delivered;

/*
 * Steps are as coarse as is sound: what touches only data under the internal lock is one step with taking or
 * leaving it; each look at and change of a word, a sticky word or a ready queue is a step of its own.
 */
#define LOCK(p) il[p] == 0 -> il[p] = 1

/* linked and live: the node is in the queue and nobody has won its word yet */
#define LIVE(p, c) (q[p]??[c] && WAITS(c))

#define UNLOCK(p)                                                                                              \
    assert(!(FREE(p) > 0 && (LIVE(p, 0) || LIVE(p, 1) || LIVE(p, 2))));                                         \
    il[p] = 0

/* The winner of a word makes its context run: once, and only it. `was` is the word before. */
inline make_run(c, was)
{
    d_step {
        if
        :: IS_THREAD(c) ->
            if
            :: was == SLEEPING -> asleep[c] = 0 /* a futex wake; a late one is harmless */
            :: else
            fi
        :: else ->
            assert(ready[c] == 0);
            ready[c]++
        fi;
        was = 0
    }
}

/* Under il[p]. The item is in items[p] already: reserve it for the first waiter that can be won. */
inline notify(p)
{
    won = 0;
    do
    :: won || empty(q[p]) -> break
    :: !won && nempty(q[p]) ->
        q[p]?n;
        atomic {
            was = word[n];
            if
            :: WAITS(n) || MUTANT == 10 ->
                word[n] = NOTIFIED;
                won = 1;
#ifdef GRANT
                items[p]--
#else
                reserved[p]++
#endif
            :: else -> was = 0
            fi
        }
        if
        :: won -> make_run(n, was)
        :: else ->
#if MUTANT == 3
            break
#else
            skip
#endif
        fi
    od;
    won = 0;
    n = 0
}

inline put(p)
{
    atomic {
        LOCK(p);
        items[p]++;
        put_in[p]++
    }
    notify(p);
    atomic { UNLOCK(p) }
}

/* A context that finds its own cancel competes for its word as anybody does, but is awake. */
inline cancel_myself()
{
    atomic {
        if
        :: word[me] == WAITING ->
            word[me] = CANCELLED;
            self = 1
        :: else
        fi
    }
}

/* A coroutine parks exactly once for every push: unless it won its word itself, somebody else has
 * pushed it or will. */
inline park_coroutine(timed)
{
    if
    :: self -> skip
#if MUTANT == 8
    :: !self && !WAITS(me) -> skip
#endif
    :: !self ->
        d_step {
            armed[me] = timed;
            parked[me] = 1
        }
end_coroutine:
        atomic {
            ready[me] > 0;
            ready[me]--;
            parked[me] = 0;
            armed[me] = 0;
            assert(!WAITS(me))
        }
    fi
}

inline park_thread(timed)
{
    do
    :: self || !WAITS(me) -> break
    :: !self && word[me] == WAITING ->
        atomic {
            if
            :: word[me] == WAITING -> word[me] = SLEEPING
            :: else
            fi
        }
    :: !self && word[me] == SLEEPING ->
        atomic { /* the futex compares and sleeps in one step */
            if
            :: word[me] == SLEEPING ->
                asleep[me] = 1;
                parked[me] = 1
            :: else
            fi
        }
end_thread:
        if
        :: atomic { asleep[me] == 0 -> parked[me] = 0 }
        :: atomic { timed && asleep[me] -> asleep[me] = 0; parked[me] = 0 }
            atomic {
                if
                :: word[me] == SLEEPING || MUTANT == 12 -> word[me] = TIMED_OUT
                :: else
                fi
            }
        fi
    od
}

/* One wait of context `me` on primitive p. */
inline wait_on(p, timed)
{
    do
#if MUTANT == 9
    :: atomic { il[p] == 0 && FREE(p) > 0 -> items[p]--; taken_out[p]++ }
       break
    :: FREE(p) == 0 ->
       atomic {
        LOCK(p);
        go = 1
#else
    :: atomic {
        LOCK(p);
        if
        :: FREE(p) > 0 ->
            items[p]--;
            taken_out[p]++;
            UNLOCK(p);
            go = 0
        :: else -> go = 1
        fi
#endif
       }
       if
       :: !go -> break
       :: else
       fi;
#if MUTANT == 2
       go = sticky[me];
#endif
       word[me] = WAITING;
       atomic {
        q[p]!me;
        UNLOCK(p)
       }
#if MUTANT != 1
       if
#if MUTANT == 2
       :: go -> cancel_myself()
#else
       :: sticky[me] -> cancel_myself()
#endif
       :: else
       fi;
#endif
       if
       :: IS_THREAD(me) -> park_thread(timed)
       :: else -> park_coroutine(timed)
       fi;
       atomic {
        self = 0;
        state = word[me];
        word[me] = IDLE
       }
       if
       :: state == NOTIFIED -> take_or_give_back(p)
       :: else ->
#if MUTANT == 6
        if
        :: q[p]??[eval(me)] -> leave_queue(p)
        :: else
        fi;
#else
        leave_queue(p);
#endif
        if
        :: state == CANCELLED -> deliver()
        :: else
        fi
       fi;
       state = 0;
       break
    od
}

/* The cancel is delivered by clearing the sticky word, when every canceller so far has had its try. */
inline deliver()
{
    atomic {
        canceller_lock == 0 || MUTANT == 7;
#if MUTANT != 11
        sticky[me] = 0;
#endif
        delivered++;
        assert(delivered <= cancels)
    }
}

inline leave_queue(p)
{
    atomic {
        LOCK(p);
        if
        :: q[p]??[eval(me)] -> q[p]??eval(me)
        :: else
        fi;
        UNLOCK(p)
    }
}

inline take_or_give_back(p)
{
#ifdef GRANT
    if
    :: sticky[me] ->
        deliver();
        atomic {
            LOCK(p);
            items[p] = items[p] + (MUTANT != 4)
        }
#if MUTANT != 4 && MUTANT != 5
        notify(p);
#endif
        atomic { UNLOCK(p) }
    :: else -> taken_out[p]++
    fi
#else
    atomic { LOCK(p) }
    if
    :: sticky[me] ->
        deliver();
        reserved[p] = reserved[p] - (MUTANT != 4);
#if MUTANT != 4 && MUTANT != 5
        notify(p)
#endif
    :: else ->
        d_step {
            reserved[p]--;
            items[p]--;
            taken_out[p]++
        }
    fi;
    atomic { UNLOCK(p) }
#endif
}

#define LOCALS                                                                                                  \
    byte state, n, was;                                                                                        \
    bit self, go, won

proctype context(byte me)
{
    LOCALS;
    if
    :: me == 0 ->
        wait_on(0, 1);
        wait_on(1, 0)
    :: me == 1 ->
        wait_on(0, 0);
        wait_on(1, 0)
    :: else -> wait_on(0, 1)
    fi;
    ended[me] = 1
}

proctype notifier(byte first, second)
{
    byte n, was;
    bit won;
    put(first);
    put(second)
}

proctype canceller(byte c)
{
    byte was;
    bit won;
    d_step {
        cancels++;
        canceller_lock = 1;
        sticky[c] = 1
    }
    atomic {
        was = word[c];
        if
        :: WAITS(c) ->
            word[c] = CANCELLED;
            won = 1
        :: else
        fi;
        canceller_lock = 0
    }
    if
    :: won -> make_run(c, was)
    :: else
    fi
}

/* The runner fires a coroutine's timer, so never while the coroutine itself runs. */
proctype timer(byte c)
{
    byte was;
    bit won;
end_timer:
    do
    :: atomic {
        armed[c] && parked[c];
        armed[c] = 0;
        was = word[c];
        if
        :: WAITS(c) ->
            word[c] = TIMED_OUT;
            won = 1
        :: else -> won = 0
        fi
       }
       if
       :: won -> make_run(c, was)
       :: else
       fi
    :: ended[c] -> break
    od
}

proctype monitor()
{
    byte i;
end_monitor:
    timeout;
    d_step {
        for (i : 0 .. PRIMITIVES - 1) {
            assert(put_in[i] == taken_out[i] + items[i]);
            assert(reserved[i] == 0);
            assert(il[i] == 0)
        }
        for (i : 0 .. CONTEXTS - 1) {
            assert(ended[i] || parked[i]);
            assert(ended[i] || WAITS(i));
            assert(ended[i] || !sticky[i]);
            assert(ready[i] == 0)
        }
        assert(delivered + sticky[1] == cancels)
    }
}

init
{
    atomic {
#if CAST & 1
        run context(0);
        run timer(0);
#else
        ended[0] = 1;
#endif
#if CAST & 2
        run context(1);
        run canceller(1);
#else
        ended[1] = 1;
#endif
#if CAST & 4
        run context(2);
#else
        ended[2] = 1;
#endif
        run notifier(0, 1);
#ifndef FEW
        run notifier(0, 0);
#endif
        run monitor()
    }
}
