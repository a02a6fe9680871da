/* SPDX-License-Identifier: MIT */
/*
 * warden: starts children that are to end with this process.
 *
 * The system sends a child's death signal when the thread that made it ends, which may be long
 * before the process does. So one thread, started at first need, makes them all; it ends with
 * weft_shutdown.
 */
#ifndef WEFT_SUBPROCESS_WARDEN_H
#define WEFT_SUBPROCESS_WARDEN_H

#include "platform/spawn.h"

/* As weft_spawn. Errors: also -EAGAIN (no thread). */
int weft_warden_spawn(const weft_spawn_plan *plan, weft_spawn_result *result);

#endif
