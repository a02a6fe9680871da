/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target without a fuzzer. Every file of FUZZ_CORPUS, in the order of their names, goes to
 * the target, then FUZZ_COPIES copies of it that are changed a little more each, by numbers that
 * are the same in every run.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { MOST = 4096 };

static uint32_t state;

static uint32_t next_number(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    fuzz_require(file != NULL, path);
    size_t size = fread(data, 1, MOST, file);
    fclose(file);
    return size;
}

/* One byte is set, taken out, or doubled, or a piece moves to the front. */
static size_t change(uint8_t *data, size_t size)
{
    uint8_t turned[MOST];
    size_t at = size > 0 ? next_number((uint32_t)size) : 0;
    switch (next_number(4)) {
    case 0:
        if (size > 0)
            data[at] = (uint8_t)next_number(256);
        return size;
    case 1:
        if (size > 0)
            memmove(data + at, data + at + 1, size - at - 1);
        return size > 0 ? size - 1 : 0;
    case 2:
        if (size == 0 || size == MOST)
            return size;
        memmove(data + at + 1, data + at, size - at);
        return size + 1;
    default:
        memcpy(turned, data + at, size - at);
        memcpy(turned + size - at, data, at);
        memcpy(data, turned, size);
        return size;
    }
}

static void replay(const char *path, long copies)
{
    uint8_t data[MOST];
    size_t size = read_file(path, data);
    LLVMFuzzerTestOneInput(data, size);
    for (long i = 0; i < copies; i++) {
        size = change(data, size);
        LLVMFuzzerTestOneInput(data, size);
    }
}

int main(void)
{
    struct dirent **entries;
    int count = scandir(FUZZ_CORPUS, &entries, NULL, alphasort);
    fuzz_require(count > 2, FUZZ_CORPUS " has files");
    for (int i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", FUZZ_CORPUS, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            replay(path, FUZZ_COPIES);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
