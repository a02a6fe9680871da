# SPDX-License-Identifier: MIT
#
# cmake -DPROGRAM=<command list> -DEXPECTED=<file> [-DRULES=<file>] -P compare.cmake
# Runs an example and compares what it prints on stdout, line by line, with the expected output.
#
# Rules, one per line of the optional file (# begins a comment):
#   mask <regular expression> => <text>   replaced in both before they are compared
#   args <arguments>                      to run it with
#   sort                                  the scheduler decides the order of the lines
#   stderr                                what comes on stderr is compared too, after stdout
#   exit <number>                         the exit code, 0 unless given
set(args)
set(masks)
set(want 0)
set(sort OFF)
set(both OFF)
if(RULES AND EXISTS ${RULES})
    file(STRINGS ${RULES} lines REGEX "^[^#]")
    foreach(line IN LISTS lines)
        if(line MATCHES "^mask (.*) => (.*)$")
            list(APPEND masks "${CMAKE_MATCH_1}" "${CMAKE_MATCH_2}")
        elseif(line MATCHES "^args (.*)$")
            separate_arguments(args UNIX_COMMAND "${CMAKE_MATCH_1}")
        elseif(line STREQUAL "sort")
            set(sort ON)
        elseif(line STREQUAL "stderr")
            set(both ON)
        elseif(line MATCHES "^exit (.*)$")
            set(want "${CMAKE_MATCH_1}")
        else()
            message(FATAL_ERROR "${RULES}: no such rule: ${line}")
        endif()
    endforeach()
endif()

list(REMOVE_ITEM PROGRAM "")
execute_process(COMMAND ${PROGRAM} ${args}
    OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
if(both)
    string(APPEND out "${err}")
endif()
file(READ ${EXPECTED} expected)

function(prepare text)
    set(value "${${text}}")
    list(LENGTH masks n)
    while(n GREATER 0)
        list(POP_FRONT masks pattern by)
        string(REGEX REPLACE "${pattern}" "${by}" value "${value}")
        list(LENGTH masks n)
    endwhile()
    if(sort)
        string(REPLACE ";" "<semicolon>" value "${value}")
        string(REGEX REPLACE "\n$" "" value "${value}")
        string(REPLACE "\n" ";" value "${value}")
        list(SORT value)
        list(JOIN value "\n" value)
        string(APPEND value "\n")
    endif()
    set(${text} "${value}" PARENT_SCOPE)
endfunction()
prepare(out)
prepare(expected)

if(NOT out STREQUAL expected)
    message("---- expected:\n${expected}---- printed:\n${out}---- stderr:\n${err}----")
    message(FATAL_ERROR "the output differs from ${EXPECTED}")
endif()
if(NOT code STREQUAL want)
    message("---- stderr:\n${err}----")
    message(FATAL_ERROR "the exit code is ${code}, not ${want}")
endif()
