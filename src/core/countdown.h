/* SPDX-License-Identifier: MIT */
/*
 * countdown: waits until all of many handles with results are done, or one has failed.
 */
#ifndef WEFT_CORE_COUNTDOWN_H
#define WEFT_CORE_COUNTDOWN_H

#include "core/handle.h"

typedef enum weft_failure_kind {
    WEFT_FAILURE_NONE,      /* failures do not end the wait */
    WEFT_FAILURE_EXCEPTION, /* a failure ends it, a cancelled one does not */
    WEFT_FAILURE_ANY,
} weft_failure_kind;

/* 1: one has failed, *failed is its index; 0: all are done. NULL entries are skipped. Checked
 * handles, all held. Errors: -ETIMEDOUT, -ECANCELED, -ENOMEM. */
int weft_countdown_wait(weft_handle *const *handles, size_t count, weft_failure_kind ends,
                        weft_instant deadline, size_t *failed);

#endif
