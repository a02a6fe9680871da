/* SPDX-License-Identifier: MIT */
/* Streams, by way of a program that gives back what it gets. */
#include "fault/scenarios/scenarios.h"

static const char *const cat[] = {"cat", NULL};

/* Ends it whatever has failed. */
static int finish(weft_popen *popen, int r)
{
    if (r < 0)
        weft_popen_kill(popen);
    int waited = weft_popen_wait(popen, NULL, WEFT_FOREVER);
    waited = scenario_first(waited, scenario_await(popen));
    weft_release(popen);
    return scenario_first(r, waited);
}

static int write_all(weft_stream *stream, const void *data, size_t size)
{
    int r = weft_stream_write(stream, data, size, WEFT_FOREVER);
    return scenario_first(r, weft_stream_write_eof(stream));
}

static int lines(void)
{
    static const char text[] = "one\ntwo\n;three;four";
    const char *line;
    const void *part;
    char four[4];
    weft_popen *popen;
    int r = weft_popen_start(&popen, cat, &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    if (r < 0)
        return r;
    weft_stream *out = weft_popen_stdout(popen);
    r = write_all(weft_popen_stdin(popen), text, sizeof text - 1);
    r = scenario_first(r, weft_stream_set_limit(out, 100));
    if (r >= 0 && (r = weft_stream_readline(out, &line, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, strcmp(line, "one\n") == 0, "the first line");
    if (r >= 0 && (r = weft_stream_readline(out, &line, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, strcmp(line, "two\n") == 0, "the second line");
    if (r >= 0)
        r = weft_stream_readexactly(out, four, 1, WEFT_FOREVER);
    if (r >= 0 && (r = weft_stream_readuntil(out, ";", 1, &part, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, strcmp(part, "three;") == 0, "the part");
    if (r >= 0)
        r = weft_stream_readexactly(out, four, 4, WEFT_FOREVER);
    if (r >= 0 && (r = weft_stream_read(out, four, 4, WEFT_FOREVER)) >= 0)
        r = scenario_expect(r, r == 0 && memcmp(four, "four", 4) == 0, "the end");
    if (r >= 0)
        r = scenario_expect(r, weft_stream_at_eof(out), "at_eof");
    return finish(popen, r);
}

static int send_much(void *arg)
{
    static char much[200000];
    memset(much, 'x', sizeof much);
    weft_stream *stream = *(weft_stream **)arg;
    int r = write_all(stream, much, sizeof much);
    if (r < 0)
        weft_stream_close(stream);
    return r;
}

static int both_ways_at_once(void)
{
    weft_bytes bytes = {NULL, 0};
    weft_thread *thread;
    weft_popen *popen;
    int r = weft_popen_start(&popen, cat, &(weft_popen_options){.in = WEFT_PIPE, .out = WEFT_PIPE});
    if (r < 0)
        return r;
    weft_stream *in = weft_popen_stdin(popen);
    if ((r = weft_thread_start(&thread, send_much, WEFT_ARG(in), NULL)) >= 0) {
        r = weft_stream_read_all(weft_popen_stdout(popen), &bytes, WEFT_FOREVER);
        if (r < 0)
            weft_popen_kill(popen);
        int joined = weft_thread_join(thread, WEFT_FOREVER);
        joined = scenario_first(joined, scenario_await(thread));
        r = scenario_first(r, weft_result(thread, WEFT_NONE, WEFT_FOREVER));
        weft_release(thread);
        r = scenario_expect(r, bytes.size == 200000, "the size");
        weft_free(bytes.data);
    }
    return finish(popen, r);
}

const scenario scenarios_io[] = {
    SCENARIO(lines, SCENARIO_NO_CHILD),
    SCENARIO(both_ways_at_once, SCENARIO_NO_CHILD),
    {NULL, NULL, 0},
};
