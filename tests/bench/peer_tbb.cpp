// SPDX-License-Identifier: MIT
// oneTBB: bounded queue, task groups.
#include "bench.h"
#include "peers.h"

#include <thread>
#include <vector>

#include <tbb/concurrent_queue.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace
{
void bounded(size_t n, size_t pairs)
{
    tbb::concurrent_bounded_queue<void *> queue;
    queue.set_capacity(1024);
    std::vector<std::thread> threads;
    size_t each = n / pairs;
    for (size_t i = 0; i < pairs; i++) {
        threads.emplace_back([&queue, each] {
            for (size_t k = 0; k < each; k++)
                queue.push(&queue);
        });
        threads.emplace_back([&queue, each] {
            void *item;
            for (size_t k = 0; k < each; k++)
                queue.pop(item);
        });
    }
    for (auto &thread : threads)
        thread.join();
}

int fib(int n)
{
    if (n < 2)
        return n;
    int a, b;
    tbb::task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    b = fib(n - 2);
    group.wait();
    return a + b;
}

void fib_with(size_t n, int workers)
{
    tbb::task_arena arena(workers);
    arena.execute([] { fib(15); });
    bench_begin();
    arena.execute([n] {
        for (size_t i = 0; i < n; i++)
            if (fib(25) != 75025)
                bench_fail("fib");
    });
    bench_end();
}
} // namespace

void tbb_bounded_1(size_t n)
{
    bounded(n, 1);
}

void tbb_bounded_2(size_t n)
{
    bounded(n, 2);
}

void tbb_bounded_4(size_t n)
{
    bounded(n, 4);
}

void tbb_fib_1(size_t n)
{
    fib_with(n, 1);
}

void tbb_fib_2(size_t n)
{
    fib_with(n, 2);
}
