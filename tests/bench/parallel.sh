#!/bin/bash
# SPDX-License-Identifier: MIT
#
# parallel.sh PROGRAM [JOBS]: how long the example parallel takes for JOBS times `true` (10,000 unless
# given), next to xargs -P with the same number at once, turn by turn. The ratio is that of the medians:
# below 1, parallel is faster, though it keeps the output of each job together.
set -eu
program=$1
jobs=${2:-10000}
rounds=3

# seconds COMMAND...: of one run, with the items on stdin
seconds() {
    local begin=$EPOCHREALTIME
    seq "$jobs" | "$@" > /dev/null
    echo "$begin $EPOCHREALTIME" | awk '{ printf "%.3f\n", $2 - $1 }'
}

median() {
    sort -n | sed -n "$(((rounds + 1) / 2))p"
}

command -v xargs > /dev/null || exit 0
printf '%-8s %12s %12s %8s\n' "at once" "parallel s" "xargs -P s" "ratio"
for n in 1 2 4 8; do
    ours='' theirs=''
    for _ in $(seq $rounds); do
        ours+=$(seconds "$program" -j $n true)$'\n'
        theirs+=$(seconds xargs -P $n -n 1 true)$'\n'
    done
    ours=$(printf %s "$ours" | median)
    theirs=$(printf %s "$theirs" | median)
    printf '%-8s %12s %12s %8s\n' $n "$ours" "$theirs" "$(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")"
done
