# SPDX-License-Identifier: MIT
#
# cmake -DCOMPARE=<compare.cmake> -DFOLDER=<to write in> -P this: what compares the examples with their
# expected output accepts what it must, and refuses all else, with the right complaint.
cmake_minimum_required(VERSION 3.16)

set(failed "")

# try(<what is tried> <script that prints> <expected output> <rules> <complaint>): a complaint of ""
# is none. "|" begins a line in the three texts.
function(try what script expected rules complaint)
    foreach(text script expected rules)
        string(REPLACE "|" "\n" value "${${text}}")
        string(REGEX REPLACE "^\n" "" ${text} "${value}\n")
    endforeach()
    file(WRITE ${FOLDER}/case.sh "${script}")
    file(WRITE ${FOLDER}/case.out "${expected}")
    file(WRITE ${FOLDER}/case.rules "${rules}")
    execute_process(COMMAND ${CMAKE_COMMAND} "-DPROGRAM=;sh;${FOLDER}/case.sh"
            -DEXPECTED=${FOLDER}/case.out -P ${COMPARE}
        RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
    string(REGEX REPLACE "[ \n]+" " " out "${out}") # CMake breaks the lines of a message
    if((complaint STREQUAL "" AND NOT code EQUAL 0)
       OR (NOT complaint STREQUAL "" AND (code EQUAL 0 OR NOT out MATCHES "${complaint}")))
        set(failed "${failed}${what}: expected '${complaint}', got ${code}: ${out}\n" PARENT_SCOPE)
    endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
set(differs "is not as")

try("the same" "|echo a|echo 'b[;c'" "|a|b[;c" "" "")
try("another line" "|echo a" "|b" "" "${differs}")
try("a line too many" "|echo a|echo b" "|a" "" "${differs}")
try("a line too few" "|echo a" "|a|b" "" "${differs}")
try("another order" "|echo a|echo b" "|b|a" "" "${differs}")
try("no newline at the end" "printf a" "|a" "" "")
try("an unknown rule" "|echo a" "|a" "nonsense" "no such rule: nonsense")

try("an exit code" "|exit 3" "" "exit 3" "")
try("another exit code" "|exit 3" "" "" "the exit code is 3, not 0")
try("a signal" "kill -ALRM $$" "" "exit SIGALRM" "")
try("arguments" "echo $1" "x y" "args 'x y'" "")
try("what an orphan prints" "(sleep 0.1; echo late) &" "late" "" "")

try("stderr is not compared" "echo a; echo b >&2" "a" "" "")
try("stderr" "|echo b >&2; echo a" "|a|b" "stderr" "")
try("merged" "echo b; echo a >&2; echo c" "|b|a|c" "merged" "")

try("a mask" "echo pid 17" "pid 4" "mask [0-9]+ => N" "")
try("a mask that hides too little" "echo pid x" "pid 4" "mask [0-9]+ => N" "${differs}")
try("lines in any order" "|echo b|echo a|echo b" "|a|b|b" "sort" "")
try("sorted, one too few" "|echo b|echo a" "|a|b|b" "sort" "${differs}")
try("sorted by what masks leave" "|echo 9 a|echo 1 b" "|1 a|9 b" "|sort|mask [0-9] => N" "")

set(log "lanes ^.(.).")
try("lanes" "|echo '(b) 1'|echo '(a) 1'|echo '(b) 2'|echo end" "|(a) 1|(b) 1|(b) 2|end" "${log}" "")
try("lanes, one out of order" "|echo '(b) 2'|echo '(a) 1'|echo '(b) 1'" "|(a) 1|(b) 1|(b) 2" "${log}"
    "${differs}")

try("one before the other" "|echo b|echo a|echo c" "|a|b|c" "|sort|a < c" "")
try("one after the other" "|echo c|echo a" "|a|c" "|sort|a < c" "printed, line 2: comes after \"c\": a")
try("the last" "|echo b|echo a|echo c" "|a|b|c" "|sort|^ < c" "")
try("the last is not" "|echo b|echo c|echo a" "|a|b|c" "|sort|^ < c" "comes after \"c\": a")
try("the first" "|echo a|echo c|echo b" "|a|b|c" "|sort|a < ^" "")
try("the first is not" "|echo b|echo a|echo c" "|a|b|c" "|sort|a < ^" "comes after \"b\": a")
try("the expected output obeys too" "|echo a|echo c" "|c|a" "|sort|a < c" "expected, line 2")

set(kinds "|sample|lines 2 ^got|lines 1.. ^try|lines 0..1 ^end")
try("a sample" "|echo try|echo try|echo got|echo got" "|try|got|try|got|end" "${kinds}" "")
try("too few" "|echo try|echo got" "|try|got|try|got|end" "${kinds}" "printed: 1 lines, not 2..2")
try("too many" "|echo try|echo got|echo got|echo end|echo end" "|try|got|got" "${kinds}"
    "printed: 2 lines, not 0..1")
try("of no kind" "|echo try|echo got|echo got|echo x" "|try|got|got" "${kinds}" "of no kind: x")

# The driver reads what the example prints, and is what is compared.
file(WRITE ${FOLDER}/case.driver [[
while read -r line; do
    echo "$line"
    case $line in
    "pid "*) kill -USR1 "${line#pid }" ;;
    esac
done
exit "${code:-0}"
]])
set(waits "trap 'echo signal; exit' USR1; echo pid $$; while :; do sleep 0.05; done")
try("a driver" "${waits}" "|pid 1|signal" "mask [0-9]+ => N" "")
set(ENV{code} 2)
try("a driver that fails" "${waits}" "|pid 1|signal" "mask [0-9]+ => N" "the exit code of the driver is 2")
file(REMOVE ${FOLDER}/case.driver)

file(WRITE ${FOLDER}/case.in "hello\n")
try("stdin" "cat" "hello" "" "")
file(REMOVE ${FOLDER}/case.in)
try("no stdin" "cat" "" "" "")

if(failed)
    message(FATAL_ERROR "${failed}")
endif()
