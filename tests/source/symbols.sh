#!/bin/sh
# SPDX-License-Identifier: MIT
# The library is a good guest: every global name begins with weft_, only what the headers declare is
# exported, libc alone is needed, and nothing in it can print, exit or abort.
set -u
bad=0
complain() { echo "$*"; bad=1; }

"$NM" -g --defined-only "$STATIC" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort -u |
    grep -v '^weft_' | grep -v '^__\(odr_\)\?asan\|^DW\.ref\.\|^__.*get_pc_thunk' > "$BUILD/names" &&
    complain "global names without weft_: $(tr '\n' ' ' < "$BUILD/names")"

"$NM" -D --defined-only "$SHARED" | awk '{ print $NF }' | sed 's/@.*//' | LC_ALL=C sort -u |
    grep -v '^_init$\|^_fini$\|^__asan\|^__odr_asan\|^__\(ubsan\|tsan\)' > "$BUILD/exported"
cat $(find include -name '*.h') | awk '
    /^#/ { next }
    /WEFT_API/ { line = ""; inside = 1 }
    inside { line = line " " $0 }
    inside && /;|\{/ {
        inside = 0
        if (match(line, /weft_[a-z0-9_]+ *\(/)) {
            name = substr(line, RSTART, RLENGTH); sub(/ *\(/, "", name); print name
        }
    }' | LC_ALL=C sort -u > "$BUILD/declared"
for name in $(LC_ALL=C comm -23 "$BUILD/exported" "$BUILD/declared"); do
    complain "$name is exported but not declared as WEFT_API"
done
for name in $(LC_ALL=C comm -13 "$BUILD/exported" "$BUILD/declared"); do
    complain "$name is declared but not exported"
done

# What a sanitizer adds is not the library's.
[ -n "${SANITIZE:-}" ] && exit $bad

# glibc's pthread_cancel opens the unwinder unless it is there.
cancels=$("$NM" -u "$STATIC" | grep -c ' pthread_cancel$')
needed=$("$READELF" -d "$SHARED" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for library in $needed; do
    case $library in
    libc.so* | libc.musl* | ld-musl*) ;;
    libgcc_s.so*) [ "$cancels" -gt 0 ] || complain "$SHARED needs $library" ;;
    *) complain "$SHARED needs $library" ;;
    esac
done
"$READELF" -d "$SHARED" | grep -q NODELETE || complain "$SHARED may be unloaded"
# The archive's objects have none of what the C runtime puts into the shared library.
"$READELF" -SW "$STATIC" | grep -Eo '\.(preinit_array|init_array|fini_array|ctors|dtors)[^ ]*' |
    LC_ALL=C sort -u > "$BUILD/loaded"
[ -s "$BUILD/loaded" ] && complain "something runs at load or exit: $(tr '\n' ' ' < "$BUILD/loaded")"

words='abort|exit|_Exit|quick_exit|__assert_fail|__assert|assert|atexit|on_exit|__cxa_atexit'
words="$words|v?f?printf|__v?f?printf_chk|f?puts|putchar|putc|perror|psignal|fwrite|err|errx|warn|warnx|syslog|system"
"$NM" -u "$STATIC" | awk 'NF == 2 { print $2 }' | sed 's/@.*//' | LC_ALL=C sort -u |
    grep -Ex "($words)" > "$BUILD/forbidden" &&
    complain "the library calls: $(tr '\n' ' ' < "$BUILD/forbidden")"
exit $bad
