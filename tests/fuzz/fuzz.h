/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what the fuzz targets share. Each fuzz_<name>.c has the one function that libFuzzer calls;
 * the ctest fuzz/<name> calls it with each file of corpus/<name>, and with changed copies of them.
 */
#ifndef WEFT_TESTS_FUZZ_H
#define WEFT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program when it does not hold, which is a finding. */
static inline void fuzz_require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

#endif
