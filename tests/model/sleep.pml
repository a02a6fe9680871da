/* SPDX-License-Identifier: MIT */
/*
 * sleep: how a thread sleeps on its wait word and is woken: core/park over platform/parker.
 *
 * What is modelled. One thread waits three times in a row; each time its word becomes WAITING, then
 * SLEEPING by a compare-and-swap, and it sleeps while the word is SLEEPING. Two others try to end whatever
 * wait they meet, at any moment and as often as they like up to a bound: each swaps WAITING or SLEEPING for its own
 * value, and only who swapped away SLEEPING wakes. The wake is a step of its own, so it may come when the
 * thread is waiting for something else by then, and a sleep may end for no cause: the thread looks at its word each time.
 *
 * The default sleep is a futex: it compares and goes to sleep in one step. -DCONDITION is
 * parker_condition.c: a mutex and a condition, where the waker takes the mutex after it has changed the word.
 *
 * What must hold: the thread goes on after each wait with the value of the one winner; it never sleeps
 * with a word that somebody has changed, when nothing can move any more; each value that was swapped in is
 * seen exactly once.
 *
 * -DMUTANT=n plants a defect that the search must report:
 *    1  the thread stores SLEEPING instead of a compare-and-swap
 *    2  the sleep does not compare the word
 *    3  the waker wakes before it changes the word
 *    4  the thread does not look again when it was woken: a late wake ends the wrong wait
 *    5  the waker that met WAITING wakes instead of the one that met SLEEPING
 *    6  (condition) the waker signals without having taken the mutex since the change
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define WAITS 3
#define WAKERS 2

#define IDLE 0
#define WAITING 1
#define SLEEPING 2
#define ENDED 3 /* by waker w: ENDED + w */

byte word;
bit asleep;
bit sleeps; /* the thread is in the system's sleep, or about to be decided by it */
bit mutex;
byte swapped, seen;
bit done;

inline system_sleep()
{
#ifdef CONDITION
    atomic { !mutex -> mutex = 1 }
    do
    :: word != SLEEPING && MUTANT != 2 -> break
    :: else ->
        atomic {
            asleep = 1;
            mutex = 0
        }
end_asleep:
        atomic { !asleep && !mutex -> mutex = 1 }
        break
    od;
    mutex = 0
#else
    atomic {
        if
        :: word == SLEEPING || MUTANT == 2 -> asleep = 1
        :: else
        fi
    }
end_asleep:
    !asleep
#endif
}

inline system_wake()
{
#ifdef CONDITION
#if MUTANT == 6
    asleep = 0
#else
    atomic { !mutex -> mutex = 1 }
    atomic {
        asleep = 0;
        mutex = 0
    }
#endif
#else
    asleep = 0
#endif
}

proctype thread()
{
    byte i;
    bit woken;
    for (i : 1 .. WAITS) {
        woken = 0;
        word = WAITING;
        do
        :: word == WAITING ->
#if MUTANT == 1
            word = SLEEPING
#else
            atomic {
                if
                :: word == WAITING -> word = SLEEPING
                :: else
                fi
            }
#endif
        :: word == SLEEPING ->
#if MUTANT == 4
            if
            :: woken -> break
            :: else
            fi;
#endif
            system_sleep();
            woken = 1
        :: word != WAITING && word != SLEEPING -> break
        od;
        atomic {
            assert(word >= ENDED);
            seen++;
            word = IDLE
        }
    }
    done = 1
}

proctype waker(byte w)
{
    byte was, i;
    for (i : 1 .. WAITS) {
        if
        :: word == WAITING || word == SLEEPING || done
        fi;
#if MUTANT == 3
        if
        :: word == SLEEPING -> system_wake()
        :: else
        fi;
#endif
        atomic {
            was = word;
            if
            :: was == WAITING || was == SLEEPING ->
                word = ENDED + w;
                swapped++
            :: else
            fi
        }
        if
#if MUTANT == 5
        :: was == WAITING -> system_wake()
#else
        :: was == SLEEPING && MUTANT != 3 -> system_wake()
#endif
        :: else
        fi
    }
}

/* A system may end a sleep for no cause (a signal, a late wake from long ago): once here, at any moment. */
proctype system()
{
end_system:
    atomic { asleep -> asleep = 0 }
}

proctype monitor()
{
end_monitor:
    timeout;
    assert(done);
    assert(seen == swapped);
    assert(!mutex)
}

init
{
    atomic {
        run thread();
        run waker(0);
        run waker(1);
        run system();
        run monitor()
    }
}
