/* SPDX-License-Identifier: MIT */
/* A filter for interaction.c: copies its input line by line. Libc alone. */
#include <stdio.h>

int main(void)
{
    char line[256];

    fprintf(stderr, "repeater: starting\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        fputs(line, stdout);
        fflush(stdout);
    }
    fprintf(stderr, "repeater: exiting\n");
    return 0;
}
