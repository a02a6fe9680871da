#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C11 and as C++17, with all warnings as errors; also with no
# feature macro at all, as an application's file may be.
set -u
bad=0
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only"
cxx=${CXX:-}
if [ -z "$cxx" ] && [ "${CROSS:-}" != TRUE ]; then
    cxx=$(command -v c++ || command -v g++ || command -v clang++)
fi
for header in $(find include -name '*.h' | sort); do
    name=${header#include/}
    for define in -DNOTHING -D_XOPEN_SOURCE=700 -D_GNU_SOURCE; do
        printf '#include <%s>\n#include <%s>\nextern int unused;\n' "$name" "$name" |
            "$CC" -x c -std=c11 $define $warnings -Wstrict-prototypes -Iinclude - ||
            { echo "$header: not alone as C11 with $define"; bad=1; }
    done
    if [ -n "$cxx" ]; then
        printf '#include <%s>\n#include <%s>\nextern int unused;\n' "$name" "$name" |
            "$cxx" -x c++ -std=c++17 $warnings -Wold-style-cast -Iinclude - ||
            { echo "$header: not alone as C++17"; bad=1; }
    fi
done
exit $bad
