#!/bin/sh
# SPDX-License-Identifier: MIT
# Each file says in its first lines under which licence it stands, and none is written for one place.
set -u
bad=0
for file in $(find CMakeLists.txt src include tests examples .ci -type f \
    \( -name '*.[chS]' -o -name '*.cpp' -o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.sh' -o -name '*.pml' -o -name run \)); do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || { echo "$file: no SPDX line"; bad=1; }
done
exit $bad
