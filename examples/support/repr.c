/* SPDX-License-Identifier: MIT */
#include "repr.h"

#include <stdio.h>

void repr(const char *label, weft_bytes bytes)
{
    const unsigned char *at = bytes.data;

    printf("%s: %s", label, at == NULL ? "None" : "b'");
    for (size_t i = 0; at != NULL && i < bytes.size; i++) {
        if (at[i] == '\n')
            printf("\\n");
        else if (at[i] == '\'' || at[i] == '\\')
            printf("\\%c", at[i]);
        else if (at[i] < ' ' || at[i] > '~')
            printf("\\x%02x", at[i]);
        else
            putchar(at[i]);
    }
    printf("%s\n", at == NULL ? "" : "'");
}
