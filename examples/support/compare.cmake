# SPDX-License-Identifier: MIT
#
# cmake -DPROGRAM=<command list> -DEXPECTED=<name>.out -P compare.cmake
# Runs an example and compares what it prints, line by line, with <name>.out. Beside that may lie
#
#   <name>.in      its stdin; else it has /dev/null
#   <name>.driver  a shell script that acts while it runs: it reads what the example prints and passes
#                  it on, and may send it signals (the example prints its pid) or be its client
#   <name>.rules   what of the output is free, and how to run the example. One rule a line (# begins a
#                  comment); regular expressions are CMake's, and see one line at a time:
#
#   args <arguments>             to run it with
#   exit <number or signal>      how it ends, 0 unless given; signals as CMake names them: "SIGALRM"
#   stderr                       what comes on stderr is compared too, after stdout
#   merged                       the same, in the order in which both were written
#   mask <expression> => <text>  replaced in both outputs before they are compared (pids, times)
#   lanes <expression>           its first group names the lane of a line, such as the thread that wrote
#                                it: lanes may mix, the lines of each keep their order. Those that do not
#                                match are a lane too
#   sort                         the lines come in any order: each is its own lane
#   <expression> < <expression>  all lines that match the first come before those that match the second;
#                                "^ < x": x is last, "x < ^": x is first
#   lines <number> <expression>  so many lines match: "3", "3..", "0..2"
#   sample                       <name>.out is one run of many, not compared: each line is of one of the
#                                kinds that the `lines` rules tell
#
# The last three see what is masked; <name>.out must obey them too.
cmake_minimum_required(VERSION 3.16)

# Takes the first line off a text: while(<text> MATCHES "${a_line}") ... CMAKE_MATCH_1, the rest 2.
# No list of lines: in one, brackets and semicolons would mean something.
set(a_line "^([^\n]*)\n(.*)$")

get_filename_component(folder ${EXPECTED} DIRECTORY)
get_filename_component(name ${EXPECTED} NAME_WLE)
set(beside ${folder}/${name})
set(args)
set(want 0)
set(streams apart)
set(sample OFF)
set(lanes "")
set(masks 0)
set(orders 0)
set(counts 0)

set(rest "")
if(EXISTS ${beside}.rules)
    file(READ ${beside}.rules rest)
endif()
while(rest MATCHES "${a_line}")
    set(rest "${CMAKE_MATCH_2}")
    set(rule "${CMAKE_MATCH_1}")
    if(rule MATCHES "^(#|$)")
        continue()
    elseif(rule MATCHES "^args (.*)$")
        separate_arguments(args UNIX_COMMAND "${CMAKE_MATCH_1}")
    elseif(rule MATCHES "^exit (.*)$")
        set(want "${CMAKE_MATCH_1}")
    elseif(rule MATCHES "^(stderr|merged)$")
        set(streams ${rule})
    elseif(rule STREQUAL "sample")
        set(sample ON)
    elseif(rule STREQUAL "sort")
        set(lanes "^(.*)$")
    elseif(rule MATCHES "^lanes (.*)$")
        set(lanes "${CMAKE_MATCH_1}")
    elseif(rule MATCHES "^mask (.*) => (.*)$")
        math(EXPR masks "${masks} + 1")
        set(mask_${masks} "${CMAKE_MATCH_1}")
        set(mask_${masks}_by "${CMAKE_MATCH_2}")
    elseif(rule MATCHES "^lines ([0-9]+)(\\.\\.)?([0-9]*) (.*)$")
        math(EXPR counts "${counts} + 1")
        set(count_${counts}_least "${CMAKE_MATCH_1}")
        set(count_${counts}_most "${CMAKE_MATCH_3}")
        if(CMAKE_MATCH_2 STREQUAL "")
            set(count_${counts}_most "${CMAKE_MATCH_1}")
        endif()
        set(count_${counts} "${CMAKE_MATCH_4}")
    elseif(rule MATCHES "^(.*) < (.*)$")
        math(EXPR orders "${orders} + 1")
        set(order_${orders} "${CMAKE_MATCH_1}")
        set(order_${orders}_then "${CMAKE_MATCH_2}")
    else()
        message(FATAL_ERROR "${beside}.rules: no such rule: ${rule}")
    endif()
endwhile()

# ---- Run it: until nobody has its output open any more ----

list(REMOVE_ITEM PROGRAM "")
if(streams STREQUAL "merged")
    list(PREPEND PROGRAM sh -c "exec \"$@\" 2>&1" sh)
endif()
set(in /dev/null)
if(EXISTS ${beside}.in)
    set(in ${beside}.in)
endif()
set(driver)
if(EXISTS ${beside}.driver)
    set(driver COMMAND sh ${beside}.driver)
endif()
execute_process(COMMAND ${PROGRAM} ${args} ${driver} INPUT_FILE ${in}
    OUTPUT_VARIABLE printed ERROR_VARIABLE err RESULTS_VARIABLE codes)
if(streams STREQUAL "stderr")
    string(APPEND printed "${err}")
endif()
file(READ ${EXPECTED} expected)

# ---- Look at it ----

set(complaints "")
macro(complain text)
    set(complaints "${complaints}${text}\n" PARENT_SCOPE)
    set(complaints "${complaints}${text}\n")
endmacro()

# Judges the text of a variable by the rules, and puts its lines, masked, into `<text>_lanes`, lane
# after lane.
function(judge text)
    set(rest "${${text}}")
    if(NOT rest MATCHES "\n$")
        string(APPEND rest "\n")
    endif()
    set(number 0)
    set(keys "")
    foreach(i RANGE ${counts})
        set(found_${i} 0)
    endforeach()
    while(rest MATCHES "${a_line}")
        set(line "${CMAKE_MATCH_1}")
        set(rest "${CMAKE_MATCH_2}")
        math(EXPR number "${number} + 1")

        set(known OFF)
        set(i 0)
        while(i LESS counts)
            math(EXPR i "${i} + 1")
            if(line MATCHES "${count_${i}}")
                math(EXPR found_${i} "${found_${i}} + 1")
                set(known ON)
            endif()
        endwhile()
        if(sample AND NOT known)
            complain("${text}, line ${number}: of no kind: ${line}")
        endif()

        set(i 0)
        while(i LESS orders)
            math(EXPR i "${i} + 1")
            if(DEFINED then_${i} AND line MATCHES "${order_${i}}")
                complain("${text}, line ${number}: comes after \"${then_${i}}\": ${line}")
            elseif(line MATCHES "${order_${i}_then}")
                set(then_${i} "${line}")
            endif()
        endwhile()

        set(i 0)
        while(i LESS masks)
            math(EXPR i "${i} + 1")
            string(REGEX REPLACE "${mask_${i}}" "${mask_${i}_by}" line "${line}")
        endwhile()

        set(key "")
        if(lanes AND line MATCHES "${lanes}")
            set(key "${CMAKE_MATCH_1}")
        endif()
        string(SHA1 key "${key}") # a name for a variable
        if(NOT DEFINED lane_${key})
            list(APPEND keys ${key})
        endif()
        string(APPEND lane_${key} "${line}\n")
    endwhile()

    set(i 0)
    while(i LESS counts)
        math(EXPR i "${i} + 1")
        if(found_${i} LESS count_${i}_least
           OR (NOT count_${i}_most STREQUAL "" AND found_${i} GREATER count_${i}_most))
            complain("${text}: ${found_${i}} lines, not ${count_${i}_least}..${count_${i}_most}, match: ${count_${i}}")
        endif()
    endwhile()

    list(SORT keys)
    set(all "")
    foreach(key IN LISTS keys)
        string(APPEND all "${lane_${key}}")
    endforeach()
    set(${text}_lanes "${all}" PARENT_SCOPE)
endfunction()
judge(printed)
judge(expected)

if(NOT sample AND NOT printed_lanes STREQUAL expected_lanes)
    string(APPEND complaints "printed: is not as ${EXPECTED} has it\n")
endif()
list(GET codes 0 code)
if(NOT code STREQUAL want)
    string(APPEND complaints "the exit code is ${code}, not ${want}\n")
endif()
if(driver)
    list(GET codes 1 code)
    if(NOT code STREQUAL "0")
        string(APPEND complaints "the exit code of the driver is ${code}\n")
    endif()
endif()
if(complaints)
    message("---- expected:\n${expected}---- printed:\n${printed}---- stderr:\n${err}----")
    message(FATAL_ERROR "${complaints}")
endif()
