#!/bin/sh
# SPDX-License-Identifier: MIT
# Every ```c block of the documentation, and every program in a header's opening comment, compiles. A
# block that is not a whole file (no #include) is compiled as statements of a function.
set -u
work=$BUILD/tests/source/snippets
rm -rf "$work" && mkdir -p "$work" || exit 1

# The first comment that is not the SPDX line; what is indented by four more columns is code.
for header in $(find include -name '*.h' | sort); do
    out=$work/$(echo "$header" | tr '/.' '__').c
    awk '
        /^\/\* SPDX/ { next }
        /^\/\*/ && !done { inside = 1 }
        inside && /^ \*     / { print substr($0, 8); next }
        inside && /^ \*$/ { print ""; next }
        inside && /\*\// { exit }
        !inside && NF { exit }
    ' "$header" > "$out"
    grep -q 'main *(' "$out" || rm "$out"
done

for file in README.md examples/README.md; do
    [ -f "$file" ] || continue
    awk -v prefix="$work/$(echo "$file" | tr '/.' '__')_" '
        /^```c$/ { inside = 1; n++; out = prefix n ".c"; printf "" > out; next }
        /^```/ { inside = 0 }
        inside { print > out }
    ' "$file"
done

bad=0
for snippet in "$work"/*.c; do
    [ -f "$snippet" ] || continue
    if ! grep -q '#include' "$snippet"; then
        { printf '#include <stdio.h>\n#include <weft.h>\nvoid snippet(void);\nvoid snippet(void)\n{\n'
          cat "$snippet"; printf '}\n'; } > "$snippet.tmp"
        mv "$snippet.tmp" "$snippet"
    fi
    "$CC" -std=c11 -D_XOPEN_SOURCE=700 -Wall -Wextra -Werror -Wno-unused -Iinclude -fsyntax-only \
        "$snippet" || { echo "does not compile: $snippet"; bad=1; }
done
exit $bad
