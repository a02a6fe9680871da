#!/bin/bash
# SPDX-License-Identifier: MIT
#
# wordfreq.sh PROGRAM SCENARIO TREE: the main example does what it says; TREE is a large directory. Exit
# code 77: a tool is missing.
set -u
program=$1
scenario=$2
tree=$3
work=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$work"' EXIT
export LC_ALL=C

fail() {
    echo "FAILED: $*"
    exit 1
}

# What wordfreq must print, by the tools of the system.
expected() {
    find "$1" -type f -print0 | xargs -0 cat | tr -c 'A-Za-z' '\n' | tr 'A-Z' 'a-z' | sed '/^$/d' | sort | uniq -c |
        sort -k1,1nr -k2
}

equals() {
    "$program" -n 100000000 "$1" > "$work/ours" || fail "exit code $?"
    expected "$1" > "$work/theirs"
    cmp "$work/ours" "$work/theirs" || fail "another output than the pipeline's"
}

# Starts it with a server in the background; sets pid and port when it listens.
serve() {
    "$program" --serve 0 "$@" > "$work/out" 2> "$work/err" &
    pid=$!
    until port=$(sed -n 's,.*http://127.0.0.1:\([0-9]*\)/.*,\1,p' "$work/err") && [ -n "$port" ]; do
        kill -0 $pid 2> /dev/null || fail "it has ended: $(cat "$work/err")"
        sleep 0.02
    done
}

get() {
    exec 3<> "/dev/tcp/127.0.0.1/$port" || fail "no connection"
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n' "$1" >&3
    tr -d '\r' <&3
    exec 3<&-
}

# Until /progress says so.
until_progress() {
    until get /progress | grep -Eq "$1"; do
        kill -0 $pid 2> /dev/null || fail "it has ended: $(cat "$work/err")"
        sleep 0.05
    done
}

case $scenario in
equals_the_pipeline)
    equals "$tree"
    ;;
survives_any_bytes)
    mkdir -p "$work/tree/a b/c"
    # each ends in a newline: cat would join the last word of one with the first of the next
    { head -c 300000 /dev/urandom && echo; } > "$work/tree/random"
    printf 'one\0two\377three\n' > "$work/tree/a b/odd bytes"
    printf 'Name\n' > "$work/tree/a b/c/with
newline"
    { head -c 200000 /dev/zero | tr '\0' 'X' && echo; } > "$work/tree/one long word"
    : > "$work/tree/empty"
    equals "$work/tree"
    mkdir "$work/nothing"
    [ -z "$("$program" "$work/nothing")" ] || fail "words in an empty directory"
    ;;
names_what_it_skips)
    mkdir "$work/tree"
    echo readable > "$work/tree/good"
    echo secret > "$work/tree/bad"
    chmod 0 "$work/tree/bad"
    chmod 755 "$work"
    run=("$program")
    if [ "$(id -u)" = 0 ]; then # root reads everything
        command -v setpriv > /dev/null || exit 77
        run=(setpriv --reuid=65534 --regid=65534 --clear-groups "$program")
        cp "$program" "$work/program" && chmod 755 "$work/program" && run[4]=$work/program
        export LD_LIBRARY_PATH=${WEFT_LIBRARY_DIR:-}
    fi
    "${run[@]}" "$work/tree" > "$work/out" 2> "$work/err" || fail "exit code $?: $(cat "$work/err")"
    grep -q "tree/bad.*Permission denied" "$work/err" || fail "not named: $(cat "$work/err")"
    [ "$(cat "$work/out")" = "      1 readable" ] || fail "$(cat "$work/out")"
    ;;
serves_while_it_runs_and_after)
    mkdir "$work/tree"
    printf 'b a b\nB c' > "$work/tree/file"
    serve "$work/tree"
    until_progress '"complete":true'
    get '/top?n=2' | grep -qxF '[{"word":"b","count":3},{"word":"a","count":1}]' || fail "$(get '/top?n=2')"
    get /top | grep -q '"word":"c"' || fail "no /top"
    get /nothing | head -1 | grep -q 404 || fail "no 404"
    kill -INT $pid
    wait $pid
    [ $? = 130 ] || fail "after an interrupt: exit code $?"
    head -1 "$work/out" | grep -qx '      3 b' || fail "$(cat "$work/out")"
    ;;
an_interrupt_ends_it_in_order)
    serve "$tree"
    until_progress '"counted":[1-9]'
    kill -INT $pid
    wait $pid
    code=$?
    [ $code = 130 ] || fail "exit code $code: $(cat "$work/err")"
    [ "$(wc -l < "$work/out")" = 10 ] || fail "what was counted is not there: $(cat "$work/out")"
    ;;
a_killed_worker_costs_a_retry)
    command -v pgrep > /dev/null || exit 77
    "$program" -n 100000000 "$tree" > "$work/undisturbed" || fail "exit code $?"
    serve -n 100000000 "$tree"
    for counted in '[1-9]' '[1-9][0-9]{2}' '[1-9][0-9]{3}'; do
        until_progress "\"counted\":$counted|\"complete\":true"
        worker=$(pgrep -P $pid -x "$(basename "$program")" | head -1)
        [ -n "$worker" ] && kill -KILL "$worker"
    done
    until_progress '"complete":true'
    get /progress | grep -q '"skipped":0' || fail "$(get /progress)"
    kill -INT $pid
    wait $pid
    cmp "$work/out" "$work/undisturbed" || fail "another output than undisturbed: $(head -5 "$work/err")"
    ;;
*)
    fail "no scenario $scenario"
    ;;
esac
