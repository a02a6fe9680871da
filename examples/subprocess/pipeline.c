/* SPDX-License-Identifier: MIT */
/* The same as pipes.c in one call, with the status of each command. */
#include <stdio.h>
#include <weft.h>

#include "example.h"

int main(void)
{
    const char *const grep[] = {"grep", "\\[.*\\]", NULL};
    const char *const cut[] = {"cut", "-d[", "-f2", NULL};
    const char *const sed[] = {"sed", "s/].*//", NULL};
    const weft_pipeline_command commands[] = {{.argv = grep}, {.argv = cut}, {.argv = sed}};
    const weft_pipeline_options options = {.out = WEFT_PIPE, .check = true};
    weft_pipeline pipeline;

    check(weft_pipeline_run(&pipeline, commands, 3, &options));
    fputs(pipeline.out.data, stdout);
    for (size_t i = 0; i < pipeline.count; i++)
        printf("%s: %d\n", pipeline.completed[i].command, pipeline.completed[i].returncode);
    weft_pipeline_clear(&pipeline);
    return weft_shutdown(WEFT_FOREVER);
}
