/* SPDX-License-Identifier: MIT */
/*
 * All modules used once: the host finds everything as it was. weft_test looks at descriptors,
 * threads, children, names, signals and the heap; here it is what else a process has.
 */
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/places.h"

extern char **environ;

typedef struct surroundings {
    char cwd[4096], locale[256];
    char **environment;
    char *first;
    size_t count;
    mode_t mask;
} surroundings;

static void look_around(surroundings *s)
{
    memset(s, 0, sizeof *s);
    assert_non_null(getcwd(s->cwd, sizeof s->cwd));
    strncpy(s->locale, setlocale(LC_ALL, NULL), sizeof s->locale - 1);
    s->environment = environ;
    s->first = environ[0];
    while (environ[s->count] != NULL)
        s->count++;
    s->mask = umask(0);
    umask(s->mask);
}

static int answer(void *arg)
{
    return *(int *)arg;
}

static int greet(weft_stream *stream, void *arg)
{
    (void)arg;
    return weft_stream_write(stream, "x", 1, WEFT_FOREVER);
}

static int serve(void *arg)
{
    char byte;
    weft_server *server;
    weft_stream *stream = NULL;
    (void)arg;
    int r = weft_server_open(&server, greet, NULL, "127.0.0.1", 0, NULL);
    r = r < 0 ? r : weft_stream_connect(&stream, "127.0.0.1", weft_server_port(server), NULL);
    r = r < 0 ? r : weft_stream_readexactly(stream, &byte, 1, WEFT_FOREVER);
    weft_release(stream);
    weft_release(server);
    return r;
}

static int handle(const weft_signal_info *info, void *arg)
{
    *(int *)arg = info->signum;
    return 0;
}

static void use_executor(weft_executor *pool)
{
    int numbers[] = {1, 2, 3}, out[3] = {0};
    assert_int_equal(weft_map(pool, answer, numbers, sizeof(int), 3, out, sizeof(int), NULL), 0);
    assert_int_equal(out[2], 3);
    assert_int_equal(weft_executor_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER), 0);
    weft_release(pool);
}

static void use_everything(void)
{
    int n = 7, seen = 0;
    weft_executor *pool;
    weft_process *process;
    weft_completed completed;
    const char *const argv[] = {"true", NULL};
    assert_int_equal(in_a_task(serve, NULL), 0);
    assert_int_equal(in_a_thread(serve, NULL) < 0, 1); /* no loop there */
    assert_int_equal(weft_thread_pool_open(&pool, NULL), 0);
    use_executor(pool);
    assert_int_equal(weft_process_pool_open(&pool, &(weft_process_pool_options){.max_workers = 2}),
                     0);
    use_executor(pool);
    assert_int_equal(weft_process_start(&process, answer, WEFT_ARG(n), NULL), 0);
    assert_int_equal(weft_result(process, WEFT_NONE, WEFT_FOREVER), n);
    weft_release(process);
    assert_int_equal(weft_subprocess_run(&completed, argv, NULL), 0);
    weft_completed_clear(&completed);
    void *shared = weft_shared_alloc(100);
    assert_non_null(shared);
    assert_int_equal(weft_shared_free(shared), 0);
    assert_int_equal(weft_signal_set(SIGUSR1, handle, &seen), 0);
    assert_int_equal(weft_signal_raise(SIGUSR1), 0);
    assert_int_equal(seen, SIGUSR1); /* and left installed: the shutdown puts it back */
}

static void the_host_finds_everything_as_it_was(void **state)
{
    static surroundings before, after;
    (void)state;
    look_around(&before);
    for (int i = 0; i < 2; i++) {
        use_everything();
        assert_int_equal(weft_shutdown(WEFT_FOREVER), 0);
        look_around(&after);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {weft_test(the_host_finds_everything_as_it_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
