/* SPDX-License-Identifier: MIT */
/*
 * inbox: how a coroutine that was woken by another thread gets to its runner: core/park and the runners.
 *
 * What is modelled. Two producers push contexts on the runner's lock-free stack: load the head, link, compare-
 * and-swap. Who found the stack empty exchanges the runner's state to AWAKE, and writes the wake-up
 * descriptor if it was SLEEPING (a look before spares the exchange). The runner takes the whole stack with one exchange and runs what it got;
 * when there was nothing it stores SLEEPING, looks at the stack once more, polls if it is still empty, reads
 * the descriptor and stores AWAKE. The poll may also end for another reason, a timer or a socket. A pusher that found the stack not empty has nothing to do: whoever
 * made it so is on the way, and the runner takes all at once.
 *
 *   head, next[c]   the stack (a word each)
 *   state           AWAKE or SLEEPING
 *   fd              an eventfd's or a pipe's "readable": platform/wakeup
 *
 * What must hold: each push is run exactly once, also when the same context is pushed again as soon as it
 * has run; the runner never polls for ever while the stack has something; no more than one write for each sleep.
 *
 * Only context 0 is pushed again, after it ran: so the same address returns to the head, which is harmless
 * since nothing is ever popped singly.
 *
 * -DMUTANT=n plants a defect that the search must report:
 *    1  the runner does not look again after it has stored SLEEPING
 *    2  it looks first, then stores SLEEPING (what the processor does without seq_cst)
 *    3  the runner takes the stack with a load and a store
 *    4  the producer looks at the runner's state before it pushes
 *    5  the producer pushes with a store instead of a compare-and-swap
 *    6  the runner reads the descriptor after SLEEPING, just before it polls
 *    7  the producer writes whenever the runner sleeps, without the exchange
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define CONTEXTS 3
#define PUSHES 4
#define AWAKE 0
#define SLEEPING 1
#define NONE 255

byte head = NONE;
byte next[CONTEXTS];
byte state = AWAKE;
bit fd;
byte runs;
byte pending[CONTEXTS];
byte sleeps, writes;
byte others = 2; /* how often the poll ends for another reason */

inline push(c)
{
    pending[c]++;
#if MUTANT == 4
    was = state;
#endif
    do
    :: h = head;
       next[c] = h;
#if MUTANT == 5
       head = c;
       break
#else
       atomic {
        if
        :: head == h ->
            head = c;
            break
        :: else
        fi
       }
#endif
    od;
    if
#if MUTANT == 7
    :: state == SLEEPING -> wake()
#else
    :: h == NONE ->
#if MUTANT != 4
        was = state;
        if
        :: was != AWAKE ->
            atomic {
                was = state;
                state = AWAKE
            }
        :: else
        fi;
#endif
        if
        :: was == SLEEPING -> wake()
        :: else
        fi
#endif
    :: else
    fi;
    h = 0;
    was = 0
}

inline wake()
{
    d_step {
        fd = 1;
        writes++;
        assert(writes <= sleeps)
    }
}

proctype producer(byte a, b, third)
{
    byte h, was;
    push(a);
    if
    :: third -> pending[0] == 0; push(0)
    :: else -> push(b)
    fi
}

proctype runner()
{
    byte batch, c;
    do
    :: runs == PUSHES -> break
    :: else ->
#if MUTANT == 3
        batch = head;
        head = NONE;
#else
        atomic {
            batch = head;
            head = NONE
        }
#endif
        if
        :: batch != NONE ->
            do
            :: batch == NONE -> break
            :: else ->
                c = batch;
                batch = next[c]; /* before it runs: it may be pushed again while it does */
                d_step {
                    assert(pending[c] == 1);
                    pending[c]--;
                    runs++
                }
            od
        :: else ->
#if MUTANT == 2
            c = head;
            atomic {
                state = SLEEPING;
                sleeps++
            }
#else
            atomic {
                state = SLEEPING;
                sleeps++
            }
#if MUTANT == 1
            c = NONE;
#else
            c = head;
#endif
#endif
#if MUTANT == 6
            if
            :: c == NONE -> fd = 0
            :: else
            fi;
#endif
            if
            :: c == NONE ->
                if
                :: fd == 1 -> fd = 0
                :: others > 0 -> others--
                fi
            :: else
            fi;
            state = AWAKE;
            c = 0
        fi
    od
}

proctype monitor()
{
end_monitor:
    timeout;
    assert(runs == PUSHES);
    assert(head == NONE)
}

init
{
    atomic {
        run runner();
        run producer(0, 0, 1);
        run producer(1, 2, 0);
        run monitor()
    }
}
