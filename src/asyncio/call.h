/* SPDX-License-Identifier: MIT */
/*
 * call: what the loop asks of its pending calls.
 */
#ifndef WEFT_ASYNCIO_CALL_H
#define WEFT_ASYNCIO_CALL_H

#include <weft/asyncio.h>

/* Each turn of the loop: takes in what other threads have posted, and frees calls from behind one
 * that waits. */
void weft_loop_admit_calls(weft_loop *loop);

/* Those that have begun, and wait, are cancelled. */
void weft_loop_cancel_calls(weft_loop *loop);

/* At the end of the loop: calls whose time has not come are cancelled. */
void weft_loop_drop_calls(weft_loop *loop);

#endif
