/* SPDX-License-Identifier: MIT */
/*
 * shutdown: what modules do when weft_shutdown is called; the core knows no module, so they
 * register.
 *
 * Steps run by stage, within a stage the newest first. A step that cannot finish by the deadline
 * returns -ETIMEDOUT with a message that names who runs; nothing is freed then.
 */
#ifndef WEFT_CORE_SHUTDOWN_H
#define WEFT_CORE_SHUTDOWN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "platform/clock.h"

typedef enum weft_shutdown_stage {
    WEFT_STAGE_EXECUTORS, /* pools run out and end */
    WEFT_STAGE_THREADS,   /* threads and processes that are not daemons are joined */
    WEFT_STAGE_DAEMONS,   /* the others are stopped */
    WEFT_STAGE_HELPERS,   /* helper threads end */
    WEFT_STAGE_SIGNALS,   /* dispositions are restored */
    WEFT_STAGE_MEMORY,    /* pools of memory are given back */
    WEFT_STAGES,
} weft_shutdown_stage;

typedef struct weft_shutdown_step {
    weft_shutdown_stage stage;
    int (*run)(weft_instant deadline);
    struct weft_shutdown_step *next;
    _Atomic bool registered;
} weft_shutdown_step;

/* Idempotent; a step stays registered over shutdowns. */
void weft_shutdown_register(weft_shutdown_step *step);

/* Runs the steps of one stage. Errors: those of the first that fails; the others are left. */
int weft_shutdown_run(weft_shutdown_stage stage, weft_instant deadline);

#endif
