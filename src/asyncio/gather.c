/* SPDX-License-Identifier: MIT */
/*
 * weft_gather: all, or the first failure. A cancel of the wait itself is passed on to what it waits
 * for.
 */
#include <weft/asyncio.h>

#include "core/clock.h"
#include "core/countdown.h"
#include "core/job.h"

#undef weft_gather

static int check(weft_handle *const *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = handles[i] != NULL ? weft_handle_check_other(handles[i], NULL, "gather") : 0;
        if (r == 0 && handles[i] != NULL && handles[i]->kind->job == NULL)
            r = weft_error(-ENOTSUP, "gather: no %s has a result", handles[i]->kind->name);
        if (r < 0)
            return r;
    }
    return 0;
}

static void cancel_all(weft_handle *const *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL && handles[i]->kind->cancel != NULL)
            handles[i]->kind->cancel(handles[i]);
    }
}

int weft_gather(const void *handles, size_t count, double timeout)
{
    weft_handle *const *each = handles;
    weft_instant deadline;
    size_t failed = 0;
    int r = handles == NULL && count > 0 ? weft_error(-EINVAL, "gather: no array of handles") : 0;
    if (r == 0)
        r = check(each, count);
    if (r == 0)
        r = weft_deadline(timeout, &deadline);
    if (r < 0 || count == 0)
        return r;
    r = weft_countdown_wait(each, count, WEFT_FAILURE_ANY, deadline, &failed);
    if (r == -ECANCELED)
        cancel_all(each, count);
    if (r <= 0)
        return r;
    const weft_job *job = each[failed]->kind->job(each[failed]);
    return weft_error(job->code, "%s", weft_job_message(job));
}
