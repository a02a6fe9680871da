/* SPDX-License-Identifier: MIT */
/*
 * scope: weft_timeout_begin and its kin, kept in the context.
 */
#ifndef WEFT_CORE_SCOPE_H
#define WEFT_CORE_SCOPE_H

#include "core/context.h"

/* The time of the nearest scope is up: marks every scope that is due as fired; records the message
 * and returns -ECANCELED. */
int weft_scope_fire(weft_context *self);

/* The scopes that fired last end the next wait too. */
void weft_scope_fire_again(weft_context *self);

/* Ends the scopes that are open beyond the first `count`. */
void weft_scope_pop(weft_context *self, uint32_t count);

#endif
