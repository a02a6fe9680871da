// SPDX-License-Identifier: MIT
// Boost.Context and Boost.Fiber.
#include "bench.h"
#include "peers.h"

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

namespace context = boost::context;
namespace fibers = boost::fibers;

// Two switches per turn: in and out.
void boost_switch(size_t n)
{
    bool stop = false;
    context::fiber other{[&stop](context::fiber &&back) {
        while (!stop)
            back = std::move(back).resume();
        return std::move(back);
    }};
    other = std::move(other).resume();
    bench_begin();
    for (size_t i = 0; i < n / 2; i++)
        other = std::move(other).resume();
    bench_end();
    stop = true;
    other = std::move(other).resume();
}

void boost_yield(size_t n)
{
    auto yields = [n] {
        for (size_t i = 0; i < n / 2; i++)
            boost::this_fiber::yield();
    };
    fibers::fiber a(yields), b(yields);
    bench_begin();
    a.join();
    b.join();
    bench_end();
}

void boost_start(size_t n)
{
    fibers::pooled_fixedsize_stack stacks;
    for (size_t i = 0; i < n; i++)
        fibers::fiber(std::allocator_arg, stacks, [] {}).join();
}

void boost_round_trip(size_t n)
{
    fibers::buffered_channel<size_t> there(2), back(2);
    fibers::fiber echo([&] {
        size_t item;
        while (there.pop(item) == fibers::channel_op_status::success)
            back.push(item);
    });
    bench_begin();
    for (size_t i = 0; i < n; i++) {
        size_t item;
        there.push(i);
        back.pop(item);
    }
    bench_end();
    there.close();
    echo.join();
}
