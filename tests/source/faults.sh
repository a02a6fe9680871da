#!/bin/sh
# SPDX-License-Identifier: MIT
# Nothing escapes the tests that make things fail: each public function is in one of their scenarios,
# and each function of libc that the library calls is one of those that are made to fail, or stands
# below with those that cannot.
set -u
bad=0
complain() { echo "$*"; bad=1; }

# Only ask or say something, and take nothing from the system: weft_...
without_scenario='arg_size barrier_n_waiting cancelled cpu_count current_name queue_empty queue_full
    queue_is_shutdown queue_maxsize queue_unfinished return_append set_allocator signal_name signal_number
    signal_strsignal sigset_empty sigset_fill sigset_next sigset_remove popen_stderr process_current
    process_exit signal_alarm time waitstatus_to_exitcode'
for name in $(cat include/weft/*.h | awk '
    /^#/ { next }
    /^WEFT_API/ { line = ""; inside = 1 }
    inside { line = line " " $0 }
    inside && /;/ {
        inside = 0
        if (match(line, /weft_[a-z0-9_]+ *\(/)) print substr(line, RSTART, RLENGTH - 1)
    }' | LC_ALL=C sort -u); do
    case " $(echo $without_scenario) " in
    *" ${name#weft_} "*) continue ;;
    esac
    grep -qw "$name" tests/fault/scenarios/*.[ch] ||
        complain "$name is in no scenario of tests/fault/scenarios"
done

[ -n "${SANITIZE:-}" ] && exit $bad # whose own calls are among the library's

set -f
memory='bcmp free memchr memcmp memcpy memmove memset qsort realloc snprintf vsnprintf str[a-z]*'
# Looks at what the process knows, or changes it; has no way to fail.
simple='_exit clock_gettime environ fflush getenv get[ep]*[ug]id getpid getppid hton[ls] inet_pton ntoh[ls]
    sched_yield stderr stdout umask __errno_location __libc_current_sigrt.* __sched_cpucount __popcount.*
    _Unwind_Backtrace
    _GLOBAL_OFFSET_TABLE_ ___errno_location'
# With arguments that are right they succeed, by their specification.
safe='closedir readdir munmap ptsname sigaddset sigdelset sigemptyset sigfillset sigismember sigprocmask
    sigwait pthread_attr_destroy pthread_cancel pthread_cond_[bdstw].* pthread_condattr_destroy
    pthread_join pthread_mutex_[dlu].* pthread_once pthread_self pthread_setcancelstate
    pthread_sigmask'
# tests/fault/calls/table.h says why not.
elsewhere='syscall vfork'
known=$(echo $memory $simple $safe $elsewhere | tr ' ' '|')
"$NM" -u "$STATIC" | awk 'NF == 2 && $1 != "w" { print $2 }' | sed 's/@.*//' | grep -v '^weft_' |
    LC_ALL=C sort -u | grep -Evx "($known)" > "$BUILD/called"
sed -n 's/^CALL([A-Z]*, \([a-z0-9_]*\),.*/\1/p; s/^HAND(\([a-z0-9_]*\),.*/\1/p' \
    tests/fault/calls/table.h | LC_ALL=C sort -u > "$BUILD/wrapped"
for name in $(LC_ALL=C comm -23 "$BUILD/called" "$BUILD/wrapped"); do
    complain "the library calls $name, which is not made to fail: tests/fault/calls/table.h"
done
exit $bad
