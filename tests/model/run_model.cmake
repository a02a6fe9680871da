# SPDX-License-Identifier: MIT
# One search: cmake -DSPIN= -DCC= -DMODEL= -DDEFINES= -DFOUND=yes|no -DDIRECTORY= -P run_model.cmake
# FOUND=no: every interleaving must be without an error. FOUND=yes: a planted defect, which must be reported.

file(REMOVE_RECURSE "${DIRECTORY}")
file(MAKE_DIRECTORY "${DIRECTORY}")

function(step what)
    execute_process(
        COMMAND ${ARGN}
        WORKING_DIRECTORY "${DIRECTORY}"
        RESULT_VARIABLE result
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${what} failed (${result}):\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

separate_arguments(defines UNIX_COMMAND "${DEFINES}")
get_filename_component(name "${MODEL}" NAME)
configure_file("${MODEL}" "${DIRECTORY}/${name}" COPYONLY) # spin writes beside what it reads

step("spin" "${SPIN}" ${defines} -a "${name}")
# An optimizing compiler takes longer than it saves in the search, and packing states longer than it
# takes to have them in memory, of which the largest needs 0.4 GiB.
step("compiling the search" "${CC}" -O0 -w -DSAFETY -o pan pan.c)
step("the search" ./pan -m5000 -w20)

# spin's exit code says nothing about errors: read its report, and take nothing for granted in it.
if(output MATCHES "max search depth too small" OR output MATCHES "out of memory|Search not completed"
   AND NOT output MATCHES "errors: [1-9]")
    message(FATAL_ERROR "the search is not complete:\n${output}")
endif()
if(NOT output MATCHES "errors: ([0-9]+)")
    message(FATAL_ERROR "no report:\n${output}")
endif()
set(errors "${CMAKE_MATCH_1}")
if(FOUND AND errors EQUAL 0)
    message(FATAL_ERROR "the planted defect (${DEFINES}) was not found:\n${output}")
endif()
if(NOT FOUND AND NOT errors EQUAL 0)
    execute_process(COMMAND "${SPIN}" ${defines} -t -p "${name}" WORKING_DIRECTORY "${DIRECTORY}")
    message(FATAL_ERROR "an error was found; the trail is above:\n${output}")
endif()
string(REGEX MATCH "[^\n]*states, stored" states "${output}")
string(REGEX MATCH "pan:1:[^\n]*" error "${output}")
message(STATUS "${name} ${DEFINES}:${states}, errors: ${errors} ${error}")
