#!/bin/sh
# SPDX-License-Identifier: MIT
# platform <- core <- threading, signal, io <- subprocess, futures <- asyncio <- multiprocessing
# A module includes itself, the internal headers of core, and what stands left of it by its public header alone.
# Feature macros and questions about the system live in src/platform.
set -u
bad=0
complain() { echo "$*"; bad=1; }

allowed() { # the internal folders that a module may include
    case $1 in
    platform) echo "platform" ;;
    core) echo "platform core" ;;
    *) echo "platform core $1" ;;
    esac
}
public() { # the public headers that a module may include
    case $1 in
    platform) echo "base" ;;
    core) echo "base handle" ;;
    threading | signal | io) echo "base handle threading queue signal stream" ;;
    subprocess | futures) echo "base handle threading queue signal stream subprocess futures" ;;
    asyncio) echo "base handle threading queue signal stream subprocess futures asyncio net" ;;
    multiprocessing) echo "base handle threading queue signal stream subprocess futures asyncio net multiprocessing manager" ;;
    esac
}

for file in $(find src -name '*.[chS]' | sort); do
    module=${file#src/}
    module=${module%%/*}
    for line in $(sed -n 's/^# *include *"\([^"]*\)".*/\1/p' "$file"); do
        folder=${line%%/*}
        [ "$folder" = "$line" ] && [ "$module" = platform ] && continue # <how>/x_impl.h
        [ "$module" = platform ] && [ "$line" = core/memory.h ] && continue # where memory comes from
        case " $(allowed "$module") " in
        *" $folder "*) ;;
        *) complain "$file includes $line: outside its layer" ;;
        esac
    done
    for line in $(sed -n 's/^# *include *<weft\/\([^>]*\)\.h>.*/\1/p' "$file"); do
        case " $(public "$module") " in
        *" $line "*) ;;
        *) complain "$file includes <weft/$line.h>: outside its layer" ;;
        esac
    done
    grep -Hn '^# *include *<weft\.h>' "$file" && complain "$file includes the umbrella"
    [ "$module" = platform ] && continue
    grep -HnE '^# *define +_[A-Z]+_(C_)?SOURCE' "$file" && complain "$file defines a feature macro"
    grep -HnE '^# *(el)?if.*(__linux|__unix|__APPLE__|BSD__|__sun|_WIN32|__GLIBC__|__x86_64|__i386|__aarch64|__arm)' \
        "$file" && complain "$file asks which system this is"
done
exit $bad
