/* SPDX-License-Identifier: MIT */
/*
 * As whom a child runs: numbers as they are given, and names, which are looked up before the fork,
 * since a look-up may open files, take locks and ask servers.
 */
#include <grp.h>
#include <pwd.h>

#include "core/error.h"
#include "core/memory.h"
#include "subprocess/identity.h"

enum { FIRST_ROOM = 1024, MOST_ROOM = 1 << 20 };

/* Looks `name` up with `room` bytes of scratch. 0: *id is set; ENOENT: there is none; ERANGE: too
 * little room; another errno. */
typedef int look_up_fn(const char *name, char *buffer, size_t room, unsigned long *id);

static int look_up_user(const char *name, char *buffer, size_t room, unsigned long *id)
{
    struct passwd entry, *found;
    int error = getpwnam_r(name, &entry, buffer, room, &found);
    if (error == 0 && found != NULL)
        *id = entry.pw_uid;
    return error == 0 && found == NULL ? ENOENT : error;
}

static int look_up_group(const char *name, char *buffer, size_t room, unsigned long *id)
{
    struct group entry, *found;
    int error = getgrnam_r(name, &entry, buffer, room, &found);
    if (error == 0 && found != NULL)
        *id = entry.gr_gid;
    return error == 0 && found == NULL ? ENOENT : error;
}

static int find(look_up_fn *look_up, const char *what, const char *name, unsigned long *id)
{
    int error = ERANGE;
    for (size_t room = FIRST_ROOM; error == ERANGE && room <= MOST_ROOM; room *= 4) {
        char *buffer = weft_alloc(room);
        if (buffer == NULL)
            return weft_error(-ENOMEM, "look up %s '%s': no memory", what, name);
        do
            error = look_up(name, buffer, room, id);
        while (error == EINTR);
        weft_dealloc(buffer);
    }
    if (error == 0)
        return 0;
    /* POSIX lets a system say of a name that is not there what it likes */
    if (error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
        return weft_error(-EINVAL, "start a popen: there is no %s '%s'", what, name);
    return weft_error(-error, "look up %s '%s': %s", what, name, weft_strerror(-error));
}

static int find_extra(weft_identity *identity, const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL)
        count++;
    identity->found = weft_calloc(count > 0 ? count : 1, sizeof *identity->found);
    if (identity->found == NULL)
        return weft_error(-ENOMEM, "start a popen: no memory for %zu groups", count);
    for (size_t i = 0; i < count; i++) {
        unsigned long id;
        int r = find(look_up_group, "group", names[i], &id);
        if (r < 0)
            return r;
        identity->found[i] = (gid_t)id;
    }
    identity->set_groups = true;
    identity->groups = identity->found;
    identity->groups_count = count;
    return 0;
}

int weft_identity_find(weft_identity *identity, const weft_popen_options *options)
{
    *identity = (weft_identity){
        .set_uid = options->set_uid || options->user != NULL,
        .set_gid = options->set_gid || options->group != NULL,
        .set_groups = options->set_groups,
        .groups = options->groups,
        .groups_count = options->groups_count,
    };
    int r = 0;
    unsigned long uid = options->uid, gid = options->gid;
    if (options->extra_groups != NULL)
        r = find_extra(identity, options->extra_groups);
    if (r == 0 && options->group != NULL)
        r = find(look_up_group, "group", options->group, &gid);
    if (r == 0 && options->user != NULL)
        r = find(look_up_user, "user", options->user, &uid);
    identity->uid = (uid_t)uid;
    identity->gid = (gid_t)gid;
    return r;
}

void weft_identity_plan(const weft_identity *identity, weft_spawn_plan *plan)
{
    plan->set_uid = identity->set_uid;
    plan->set_gid = identity->set_gid;
    plan->set_groups = identity->set_groups;
    plan->uid = identity->uid;
    plan->gid = identity->gid;
    plan->groups = identity->groups;
    plan->groups_count = identity->groups_count;
}

void weft_identity_clear(weft_identity *identity)
{
    weft_dealloc(identity->found);
    identity->found = NULL;
}
