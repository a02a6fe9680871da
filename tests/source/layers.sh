#!/bin/sh
# SPDX-License-Identifier: MIT
# platform <- core <- threading, signal, io <- subprocess, futures <- asyncio <- multiprocessing
# A module includes itself, the internal headers of core, and what stands left of it by its public
# header alone, but for io/stream.h, on which the streams of children and connections are made, and the
# tables that the right side fills in: threading/queue.h (queues shared by processes), futures/executor.h;
# platform, of core, the one header through which memory comes. Feature macros and questions about
# the system live in src/platform.
set -u
find src -name '*.[chS]' | sort | xargs awk '
    BEGIN {
        base["platform"] = " base "
        base["core"] = base["platform"] "handle "
        base["threading"] = base["signal"] = base["io"] = base["core"] "threading queue signal stream "
        base["subprocess"] = base["futures"] = base["io"] "subprocess futures "
        base["asyncio"] = base["futures"] "asyncio net "
        base["multiprocessing"] = base["asyncio"] "multiprocessing manager "
    }
    function complain(what) { print FILENAME ":" FNR ": " what; bad = 1 }
    FNR == 1 { split(FILENAME, part, "/"); module = part[2] }
    /^# *include *"/ {
        split($0, quoted, "\""); name = quoted[2]
        folder = name; sub(/\/.*/, "", folder)
        if (folder == name && module == "platform") next # <how>/x_impl.h
        if (name == "core/memory.h" || folder == module) next
        if (module != "platform" && (folder == "core" || folder == "platform")) next
        if (name == "io/stream.h" && index(base[module], " subprocess ") > 0) next
        if (name == "threading/queue.h" && module == "multiprocessing") next
        if (name ~ /^futures\/(executor|future)\.h$/ && module == "multiprocessing") next
        complain("includes " name ", outside its layer")
    }
    /^# *include *<weft/ {
        name = $0; sub(/.*<weft\/?/, "", name); sub(/\.h>.*/, "", name)
        if (index(base[module], " " name " ") == 0) complain("includes <weft/" name ".h>, outside its layer")
    }
    module == "platform" { next }
    /^# *define +_[A-Z_]+SOURCE/ { complain("defines a feature macro") }
    /^# *(el)?if/ && /__linux|__unix|__APPLE__|BSD__|__sun|_WIN32|__GLIBC__|__x86_64|__i386|__aarch64|__arm/ {
        complain("asks which system this is")
    }
    END { exit bad }
'
