# SPDX-License-Identifier: MIT
#
# One list per seam: its implementations, best first; the last one needs nothing but POSIX. Each is
# probed by what it uses, never by the name of a system. -DWEFT_POLLER=poll and so on force one.
#
# Gives: WEFT_SEAMS; for each seam WEFT_HOWS_<seam> (all that compile here) and WEFT_HOW_<seam> (the
# one in the library); weft_seam_sources(<out> <seam> <how>) and WEFT_SEAM_INCLUDES.
include(CheckCSourceCompiles)
include(CheckSymbolExists)
include(CMakePushCheckState)

set(WEFT_PLATFORM_DIR ${CMAKE_CURRENT_LIST_DIR})
set(WEFT_SEAMS poller parker switch stack wakeup childexit spawn sharedmap sharedpark cloexec
    firstthread pipesize cpu threadname signalwait pty)

set(weft_seam_poller epoll poll)
set(weft_seam_parker futex condition)
set(weft_seam_switch assembly pthread)
set(weft_seam_stack mmap malloc)
set(weft_seam_wakeup eventfd pipe)
set(weft_seam_childexit pidfd thread)
set(weft_seam_spawn clone fork)
set(weft_seam_sharedmap memfd shm)
set(weft_seam_sharedpark futex polling)
set(weft_seam_cloexec atomic locked)
set(weft_seam_firstthread gettid unknown)
set(weft_seam_cpu affinity sysconf)
set(weft_seam_threadname setname none)
set(weft_seam_pipesize fcntl fixed)
set(weft_seam_signalwait signalfd none)
set(weft_seam_pty peer name)

# ---- the probes: what links, in the words of the implementation that will use it

cmake_push_check_state()
list(APPEND CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)

check_symbol_exists(epoll_create1 sys/epoll.h WEFT_HAVE_EPOLL)
check_symbol_exists(eventfd sys/eventfd.h WEFT_HAVE_EVENTFD)
check_symbol_exists(signalfd sys/signalfd.h WEFT_HAVE_SIGNALFD)
check_symbol_exists(memfd_create sys/mman.h WEFT_HAVE_MEMFD)
check_c_source_compiles("
    #include <sys/syscall.h>
    #include <unistd.h>
    int main(void) { return syscall(SYS_gettid) != getpid(); }
" WEFT_HAVE_GETTID)
check_c_source_compiles("
    #include <linux/futex.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    int main(void) { static int w; return (int)syscall(SYS_futex, &w, FUTEX_WAKE_PRIVATE, 1) < 0; }
" WEFT_HAVE_FUTEX)
check_c_source_compiles("
    #include <signal.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #include <unistd.h>
    int main(void) { return (int)syscall(SYS_pidfd_open, getpid(), 0) < 0
                         || (int)syscall(SYS_pidfd_send_signal, 0, 0, 0, 0) < 0; }
" WEFT_HAVE_PIDFD)
check_c_source_compiles("
    #include <sched.h>
    #include <signal.h>
    static int fn(void *arg) { return arg != 0; }
    static char stack[65536];
    int main(void) { return clone(fn, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, 0) < 0; }
" WEFT_HAVE_CLONE)
check_c_source_compiles("
    #include <sys/mman.h>
    int main(void) { void *p = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                    -1, 0);
                     return p == MAP_FAILED || madvise(p, 4096, MADV_DONTNEED) != 0; }
" WEFT_HAVE_MMAP)
check_c_source_compiles("
    #include <fcntl.h>
    #include <sys/socket.h>
    #include <unistd.h>
    int main(void) { int p[2]; return pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0 || dup3(0, 3, O_CLOEXEC) < 0
                         || accept4(0, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK) < 0; }
" WEFT_HAVE_ATOMIC)
check_c_source_compiles("
    #include <fcntl.h>
    int main(void) { return fcntl(0, F_SETPIPE_SZ, 65536) < 0; }
" WEFT_HAVE_FCNTL)
check_c_source_compiles("
    #include <stdlib.h>
    #include <sys/ioctl.h>
    int main(void) { char path[64]; struct winsize size = {0};
                     return ioctl(0, TIOCGPTPEER, 0) < 0 || ioctl(0, TIOCSWINSZ, &size) < 0
                         || ptsname_r(0, path, sizeof path); }
" WEFT_HAVE_PEER)
check_c_source_compiles("
    #include <sched.h>
    int main(void) { cpu_set_t set; return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set); }
" WEFT_HAVE_AFFINITY)
check_c_source_compiles("
    #include <pthread.h>
    int main(void) { return pthread_setname_np(pthread_self(), \"\"); }
" WEFT_HAVE_SETNAME)

# The switch is chosen by what the compiler compiles for, and by the file there is for it.
set(WEFT_SWITCH_ASSEMBLY)
foreach(machine x86_64 aarch64)
    check_c_source_compiles("
        #if !defined(__ELF__) || !defined(__${machine}__) || defined(__ILP32__)
        #error another machine
        #endif
        int main(void) { return 0; }
    " WEFT_HAVE_MACHINE_${machine})
    if(WEFT_HAVE_MACHINE_${machine} AND EXISTS ${WEFT_PLATFORM_DIR}/switch_${machine}.S)
        set(WEFT_SWITCH_ASSEMBLY ${WEFT_PLATFORM_DIR}/switch_${machine}.S)
        set(WEFT_HAVE_ASSEMBLY ON)
    endif()
endforeach()
cmake_pop_check_state()

# ---- the choice

function(weft_seam_sources out seam how)
    set(files ${WEFT_PLATFORM_DIR}/${seam}_${how}.c)
    if(seam STREQUAL "switch" AND how STREQUAL "assembly")
        list(APPEND files ${WEFT_SWITCH_ASSEMBLY})
    endif()
    set(${out} ${files} PARENT_SCOPE)
endfunction()

function(weft_seam_choose seam)
    string(TOUPPER ${seam} option)
    set(WEFT_${option} auto CACHE STRING "The ${seam} seam: ${weft_seam_${seam}}, or auto")
    set(all ${weft_seam_${seam}})
    list(GET all -1 plain)
    set(possible)
    foreach(how IN LISTS all)
        string(TOUPPER ${how} name)
        if(how STREQUAL plain OR (WEFT_HAVE_${name} AND WEFT_PLATFORM STREQUAL "auto"))
            if(EXISTS ${WEFT_PLATFORM_DIR}/${seam}_${how}.c)
                list(APPEND possible ${how})
            else()
                message(STATUS "weft: src/platform/${seam}_${how}.c is not there yet")
            endif()
        endif()
    endforeach()

    set(how ${WEFT_${option}})
    if(how STREQUAL "auto")
        # Frames of a coroutine that is a pthread lie on that pthread's stack.
        if(seam STREQUAL "stack" AND WEFT_HOW_switch STREQUAL "pthread")
            set(how malloc)
        elseif(possible)
            list(GET possible 0 how)
        else()
            set(how "")
        endif()
    elseif(NOT how IN_LIST all)
        message(FATAL_ERROR "WEFT_${option} is one of: ${all} (or auto), not '${how}'")
    elseif(NOT how IN_LIST possible)
        message(FATAL_ERROR "WEFT_${option}=${how} cannot be built here")
    endif()
    set(WEFT_HOWS_${seam} ${possible} PARENT_SCOPE)
    set(WEFT_HOW_${seam} "${how}" PARENT_SCOPE)
endfunction()

foreach(seam IN LISTS WEFT_SEAMS)
    weft_seam_choose(${seam})
    if(WEFT_HOW_${seam})
        string(APPEND weft_choices " ${seam}=${WEFT_HOW_${seam}}")
    endif()
endforeach()
if(WEFT_HOW_switch STREQUAL "assembly" AND WEFT_HOW_stack STREQUAL "malloc")
    message(FATAL_ERROR "the assembly switch needs stacks: WEFT_STACK=malloc has none")
endif()
message(STATUS "weft:${weft_choices}")

# <how>/<seam>_impl.h is the part of a contract that an implementation decides.
function(weft_seam_include out seam how)
    set(${out} "" PARENT_SCOPE)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${WEFT_PLATFORM_DIR}/${how}/*${seam}_impl.h)
    if(headers)
        set(${out} ${WEFT_PLATFORM_DIR}/${how} PARENT_SCOPE)
    endif()
endfunction()

set(WEFT_SEAM_INCLUDES)
foreach(seam IN LISTS WEFT_SEAMS)
    if(WEFT_HOW_${seam})
        weft_seam_include(include ${seam} ${WEFT_HOW_${seam}})
        list(APPEND WEFT_SEAM_INCLUDES ${include})
    endif()
endforeach()
