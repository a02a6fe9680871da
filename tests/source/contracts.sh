#!/bin/sh
# SPDX-License-Identifier: MIT
# Every WEFT_API function has a comment right above it; one that can fail (returns int and says so)
# names its errors, and each says which name of Python it is.
set -u
bad=0
for header in $(find include -name '*.h' | sort); do
    awk -v header="$header" '
        /^#/ { next } # the definition of WEFT_API itself
        /^WEFT_API|^WEFT_NORETURN_? *WEFT_API|^static inline/ {
            if ($0 ~ /^static inline/ && $0 !~ / weft_/) next
            if (!closed) { print header ":" NR ": no comment right above: " $0; bad = 1 }
            else if (comment !~ /Python/ && $0 ~ /WEFT_API/) {
                print header ":" NR ": the comment names no counterpart in Python: " $0; bad = 1
            }
            statement = $0
            next
        }
        /^ *\/\*/ { comment = ""; closed = 0 }
        { comment = comment $0 }
        /\*\/ *$/ { closed = 1; next }
        NF && !/^ \*/ && !/^\/\*/ { closed = 0 }
        !NF { closed = 0 }
        END { exit bad }
    ' "$header" || bad=1
done
exit $bad
