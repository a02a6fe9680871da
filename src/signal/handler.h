/* SPDX-License-Identifier: MIT */
/*
 * handler: what the files of signal share.
 */
#ifndef WEFT_SIGNAL_HANDLER_H
#define WEFT_SIGNAL_HANDLER_H

#include <weft/signal.h>

/* The name for messages, never NULL. */
const char *weft_signal_label(int signum);

#endif
