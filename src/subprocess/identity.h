/* SPDX-License-Identifier: MIT */
/* identity: the user and the groups of a child, all as numbers. */
#ifndef WEFT_SUBPROCESS_IDENTITY_H
#define WEFT_SUBPROCESS_IDENTITY_H

#include <weft/subprocess.h>

#include "platform/spawn.h"

typedef struct weft_identity {
    bool set_uid, set_gid, set_groups;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t groups_count;
    gid_t *found; /* owned; where names were given */
} weft_identity;

/* To be cleared in every case. Errors, with message: -EINVAL (no such name), -ENOMEM, -EMFILE, -EIO
 * and others of getpwnam_r(3). */
int weft_identity_find(weft_identity *identity, const weft_popen_options *options);

void weft_identity_plan(const weft_identity *identity, weft_spawn_plan *plan);
void weft_identity_clear(weft_identity *identity);

#endif
