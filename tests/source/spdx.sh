#!/bin/sh
# SPDX-License-Identifier: MIT
# Each file says in its first lines under which licence it stands.
set -u
find CMakeLists.txt src include tests examples .ci -type f \
    \( -name '*.[chS]' -o -name '*.cpp' -o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.sh' \
    -o -name '*.pml' -o -name run \) -print | sort | xargs awk '
    FNR == 1 && FILENAME != last { if (last != "" && !said) { print last ": no SPDX line"; bad = 1 }
                                   last = FILENAME; said = 0 }
    FNR <= 3 && /SPDX-License-Identifier: MIT/ { said = 1 }
    END { if (!said) { print last ": no SPDX line"; bad = 1 } exit bad }
'
