#!/bin/bash
# SPDX-License-Identifier: MIT
#
# parallel.sh PROGRAM SCENARIO: the example does what it says, with each option, at each end. Exit code
# 77: a tool is missing.
set -u
program=$1
scenario=$2
work=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$work"' EXIT
export LC_ALL=C work
# How long jobs sleep that are to be ended: a number by which they are found.
long=$((1000000 + $$))
export long

fail() {
    echo "FAILED: $*"
    exit 1
}

# is WHAT GIVEN WANTED
is() {
    [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

# exits CODE OPTIONS...: runs it, with its output in $work/out and $work/err.
exits() {
    local want=$1 code
    shift
    "$program" "$@" > "$work/out" 2> "$work/err"
    code=$?
    [ $code = "$want" ] || fail "parallel $*: exit code $code, not $want: $(cat "$work/err")"
}

# Runs it in the background, and waits for the end of that.
begin() {
    "$program" "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" &
    pid=$!
}

ends() {
    wait $pid
    is "the exit code" $? "$1"
}

until_exists() {
    for file; do
        until [ -e "$file" ]; do
            kill -0 $pid 2> /dev/null || fail "it has ended: $(cat "$work/err")"
            sleep 0.02
        done
    done
}

nothing_runs() {
    command -v pgrep > /dev/null || exit 77
    # who was killed may take a moment
    for _ in $(seq 100); do
        pgrep -f "^sleep $long" > /dev/null || return 0
        sleep 0.05
    done
    fail "still there: $(pgrep -af "^sleep $long")"
}

case $scenario in
items_go_where_they_are_wanted)
    is "without a place" "$("$program" -k echo a ::: 1 2)" $'a 1\na 2'
    is "with places" "$("$program" -k echo {} b{}{} c ::: 1 '2 3')" $'1 b11 c\n2 3 b2 32 3 c'
    is "in the command" "$("$program" e{} x ::: cho)" "x"
    is "from stdin" "$(printf 'one\n\ntwo words\nlast' | "$program" -k printf '[%s]')" "[one][][two words][last]"
    is "no shell" "$("$program" echo ::: '$(echo no) `no` "a" * ; echo')" '$(echo no) `no` "a" * ; echo'
    is "nothing" "$("$program" echo < /dev/null)" ""
    is "no items" "$("$program" echo :::)" ""
    is "an option of the command" "$("$program" echo -k ::: a)" "-k a"
    head -c 300000 /dev/zero | tr '\0' x > "$work/long"
    is "a long line" "$("$program" sh -c 'echo' < "$work/long" 2>&1 | grep -c 'Argument list too long')" 1
    is "stdin of a job" "$(printf '1\n2\n' | "$program" -k sh -c 'cat; echo $0')" $'1\n2'
    ;;
all_items_are_run)
    seq 2000 > "$work/items"
    "$program" -j 8 echo < "$work/items" | sort -n | cmp - "$work/items" || fail "not all, or some twice"
    "$program" -k -j 8 echo < "$work/items" | cmp - "$work/items" || fail "not in order"
    ;;
output_is_kept_together)
    job='for i in 1 2 3 4 5; do printf "%s " "$0"; printf "%s " "$0" >&2; sleep 0.01; done; echo; echo >&2'
    "$program" -j 4 sh -c "$job" ::: a b c d e f > "$work/out" 2> "$work/err"
    for stream in out err; do
        is "$stream" "$(sort "$work/$stream")" "$(for i in a b c d e f; do echo "$i $i $i $i $i "; done)"
    done
    ;;
order_is_kept)
    # each waits for the one after it
    job='until [ $1 = 6 ] || [ -e "$work/$(($1 + 1))" ]; do sleep 0.01; done; echo $1; : > "$work/$1"'
    is "the output" "$(timeout 60 "$program" -k -j 6 sh -c "$job" _ ::: 1 2 3 4 5 6)" "$(seq 6)"
    # without -k they come as they end
    begin -j 2 sh -c 'until [ $1 = 2 ] || [ -e "$work/go" ]; do sleep 0.01; done; echo $1' _ ::: 1 2
    until grep -qx 2 "$work/out"; do sleep 0.02; done
    : > "$work/go"
    ends 0
    is "without -k" "$(cat "$work/out")" $'2\n1'
    ;;
so_many_run_at_once)
    # three meet; nobody ever sees more
    job='mkdir "$work/running.$1"
        n=$(ls -d "$work"/running.* | wc -l); [ $n -le 3 ] || echo "$n at once"
        : > "$work/met.$1"; until [ $(ls "$work"/met.* | wc -l) -ge 3 ]; do sleep 0.01; done
        rmdir "$work/running.$1"'
    seq 12 > "$work/items"
    "$program" -j 3 sh -c "$job" _ < "$work/items" > "$work/out" 2> /dev/null || fail "exit code $?"
    is "the output" "$(cat "$work/out")" ""
    ;;
items_are_run_while_others_are_read)
    mkfifo "$work/items"
    input=$work/items begin -j 1 sh -c ': > "$work/done.$1"' _
    exec 5> "$work/items"
    for i in 1 2 3; do
        echo $i >&5
        until_exists "$work/done.$i"
    done
    exec 5>&-
    ends 0
    ;;
memory_is_bounded)
    [ -r /proc/self/status ] || exit 77
    mkfifo "$work/items"
    seq 20000000 > "$work/items" 2> /dev/null &
    input=$work/items begin -k -j 2 sh -c ': > "$work/begun.$1"; sleep $long' _
    until_exists "$work/begun.1" "$work/begun.2"
    sleep 0.5
    kilobytes=$(sed -n 's/^VmData:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status)
    kill -TERM $pid
    ends 143
    [ -n "${WEFT_SANITIZED:-}" ] || [ "$kilobytes" -lt 200000 ] || fail "$kilobytes kB of data"
    nothing_runs
    ;;
statuses_are_those_of_xargs)
    exits 0 true ::: 1 2
    exits 123 sh -c 'exit $1' _ ::: 0 1 0
    exits 123 sh -c 'exit $1' _ ::: 0 126 127
    exits 124 sh -c 'exit $1' _ ::: 0 255
    exits 125 sh -c 'kill -9 $$' ::: 1
    exits 126 / ::: 1
    grep -qx "parallel: run '/': Permission denied" "$work/err" || fail "$(cat "$work/err")"
    exits 127 "$work/nosuch" ::: 1
    grep -q "nosuch': No such file" "$work/err" || fail "$(cat "$work/err")"
    # from 124 on no other job begins, and those that run go on to their end
    for job in 'echo $1; exit 255' 'echo $1; kill -9 $$'; do
        is "what has run" "$("$program" -j 1 sh -c "$job" _ ::: 1 2 3)" 1
    done
    job='[ $1 = 2 ] && exit 255; until [ -e "$work/go" ]; do sleep 0.01; done; echo $1'
    begin -j 2 --joblog "$work/log" sh -c "$job" _ ::: 1 2 3 4
    until grep -q ' 2$' "$work/log" 2> /dev/null; do sleep 0.02; done
    : > "$work/go"
    ends 124
    is "what has run" "$(cat "$work/out")" 1
    ;;
its_own_options_are_checked)
    for options in '' '-j' '-j 0 true' '-j x true' '-j 1.5 true' '--timeout -1 true' '--nosuch true' \
        '--joblog' '-k' ':::' '--halt true'; do
        exits 1 $options
        grep -q '^usage: parallel' "$work/err" || fail "no usage for '$options'"
    done
    exits 1 --joblog "$work/no/such" true ::: 1
    grep -q "no/such: No such file" "$work/err" || fail "$(cat "$work/err")"
    exits 1 true < "$work"
    grep -q "read the items: Is a directory" "$work/err" || fail "$(cat "$work/err")"
    ;;
it_halts_after_failures)
    is "what has run" "$("$program" -j 1 --halt 2 sh -c 'echo $1; exit $(($1 % 2))' _ ::: 1 2 3 4 5)" $'1\n2\n3'
    exits 123 -j 1 --halt 1 false ::: 1 2
    # while it waits for items
    mkfifo "$work/items"
    input=$work/items begin --halt 1 false
    exec 5> "$work/items"
    echo 1 >&5
    ends 123
    exec 5>&-
    ;;
failures_are_tried_again)
    job='echo x >> "$work/tries"; echo "try $(wc -l < "$work/tries")"; [ $(wc -l < "$work/tries") -ge 3 ]'
    exits 0 --retries 2 sh -c "$job" ::: 1
    is "the output" "$(cat "$work/out")" "try 3"
    rm "$work/tries"
    exits 123 --retries 1 sh -c "$job" ::: 1
    is "the output" "$(cat "$work/out")" "try 2"
    ;;
who_is_late_is_ended)
    exits 123 -k --timeout 0.3 sh -c 'echo begun $1; [ $1 = 1 ] || sleep $long; echo ended' _ ::: 1 2 3
    is "the output" "$(cat "$work/out")" $'begun 1\nended\nbegun 2\nbegun 3'
    # it and what it has started do not listen to SIGTERM
    exits 123 --timeout 0.3 sh -c 'trap "" TERM; sleep $long & sleep $long' ::: 1
    # its child holds the output
    exits 123 --timeout 0.3 sh -c 'sleep $long &' ::: 1
    nothing_runs
    ;;
jobs_are_logged)
    exits 123 -j 1 --timeout 1 --joblog "$work/log" sh -c 'printf "$1"; [ "$1" != c ] || sleep $long; [ "$1" = a ] || [ "$1" = c ]' _ ::: a b 'c' 'd d'
    tab=$'\t'
    is "the head" "$(head -1 "$work/log")" "Seq	Host	Starttime	JobRuntime	Send	Receive	Exitval	Signal	Command"
    is "the lines" "$(sed 1d "$work/log" | cut -f 1,2,5-8 | tr '\t' ' ')" $'1 : 0 1 0 0\n2 : 0 1 1 0\n3 : 0 1 -1 15\n4 : 0 3 1 0'
    sed 1d "$work/log" | cut -f 3,4 | grep -Evx "[0-9]{10}\.[0-9]{3}$tab[0-9]\.[0-9]{3}" && fail "$(cat "$work/log")"
    sed -n 2p "$work/log" | grep -q "sh -c 'printf .* _ a$" || fail "$(cat "$work/log")"
    sed -n 5p "$work/log" | grep -q " _ 'd d'$" || fail "$(cat "$work/log")"
    ;;
progress_is_shown_on_a_terminal)
    command -v script > /dev/null || exit 77
    script -qec "'$program' -j 1 --progress sh -c 'sleep 0.4; echo item \$1; [ \$1 = 2 ]' _ ::: 1 2 3" /dev/null \
        > "$work/out" < /dev/null
    is "the exit code" $? 123
    grep -q '\[# *\] *\|0 of 3' "$work/out" || fail "no bar: $(cat -v "$work/out")"
    grep -Eq '1 of 3, 1 failed, 0:0[0-9] left' "$work/out" || fail "no estimate: $(cat -v "$work/out")"
    # what jobs write stands in lines of its own
    is "the output" "$(tr '\r' '\n' < "$work/out" | sed 's/\x1b\[K//' | grep -c '^item [123]$')" 3
    exits 0 --progress true ::: 1
    is "what is no terminal" "$(cat "$work/out" "$work/err")" ""
    ;;
signals_are_passed_on)
    job='trap "echo $1 $2; exit 0" $2; sleep $long & : > "$work/begun.$1"; wait'
    for signal in INT TERM HUP; do
        rm -f "$work"/begun.*
        begin -k -j 2 sh -c "$job" _ {} $signal ::: 1 2 3
        until_exists "$work/begun.1" "$work/begun.2"
        kill -$signal $pid
        ends $((128 + $(kill -l $signal)))
        is "the output" "$(cat "$work/out")" "1 $signal"$'\n'"2 $signal"
        nothing_runs
    done
    # while it reads
    mkfifo "$work/items"
    rm -f "$work"/begun.*
    input=$work/items begin -j 2 sh -c "$job" _ {} TERM
    exec 5> "$work/items"
    echo 1 >&5
    until_exists "$work/begun.1"
    kill -TERM $pid
    ends 143
    exec 5>&-
    nothing_runs
    ;;
who_does_not_listen_is_killed)
    for signals in TERM 'INT INT' 'HUP TERM'; do
        rm -f "$work"/begun.*
        begin -j 2 sh -c 'trap "" HUP INT TERM; sleep $long & : > "$work/begun.$1"; [ $1 = 2 ] || wait' _ ::: 1 2
        until_exists "$work/begun.1" "$work/begun.2"
        for signal in $signals; do
            kill -$signal $pid
            sleep 0.2
        done
        ends $((128 + $(kill -l $signal)))
        nothing_runs
    done
    ;;
output_that_nobody_reads_ends_it)
    seq 1000 | timeout 60 "$program" -j 2 sh -c 'echo $1; [ $1 != 2 ] || exec sleep $long' _ 2> "$work/err" | head -1 > /dev/null
    is "the exit codes" "${PIPESTATUS[*]:1}" "1 0"
    grep -qx "parallel: write the output: Broken pipe" "$work/err" || fail "$(cat "$work/err")"
    nothing_runs
    ;;
*)
    fail "no scenario $scenario"
    ;;
esac
