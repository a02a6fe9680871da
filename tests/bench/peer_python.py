#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peer_python.py SUBJECT N SECONDS: prints wall and CPU nanoseconds per operation, and one more figure."""
import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
import time


def run_all(functions):
    threads = [threading.Thread(target=each) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def alone(primitive, n):
    acquire, release = primitive.acquire, primitive.release
    for _ in range(n):
        acquire()
        release()
    return n, 0.0


def contended(primitive, threads, seconds):
    """Runs for a time: the operations done, and the slowest's share of the fastest's."""
    counts, stop = [0] * threads, []

    def work(i):
        acquire, release = primitive.acquire, primitive.release
        while not stop:
            acquire()
            counts[i] += 1
            release()

    def stopper():
        time.sleep(seconds)
        stop.append(True)

    run_all([lambda i=i: work(i) for i in range(threads)] + [stopper])
    return sum(counts), min(counts) / max(max(counts), 1)


def ring(threads, n, wait, wake):
    """A turn goes round: each waits for its own and wakes the next."""
    def work(i):
        for _ in range(n // threads):
            wait(i)
            wake((i + 1) % threads)

    run_all([lambda i=i: work(i) for i in range(threads)])
    return n // threads * threads, 0.0


def condition(threads, n):
    conditions = [threading.Condition() for _ in range(threads)]
    turn = [i == 0 for i in range(threads)]

    def wait(i):
        with conditions[i]:
            conditions[i].wait_for(lambda: turn[i])
            turn[i] = False

    def wake(i):
        with conditions[i]:
            turn[i] = True
            conditions[i].notify()

    return ring(threads, n, wait, wake)


def event(threads, n):
    events = [threading.Event() for _ in range(threads)]
    events[0].set()

    def wait(i):
        events[i].wait()
        events[i].clear()

    return ring(threads, n, wait, lambda i: events[i].set())


def barrier(threads, n):
    meeting = threading.Barrier(threads)

    def work():
        for _ in range(n):
            meeting.wait()

    run_all([work] * threads)
    return n, 0.0


def pairs(each, n, items):
    def put():
        for _ in range(n // each):
            items.put(items)

    def get():
        for _ in range(n // each):
            items.get()

    run_all([put, get] * each)
    return n // each * each, 0.0


def signals_inside(n):
    """Each call of the loop's handler sends the next."""
    loop = asyncio.new_event_loop()
    left = n

    def handle():
        nonlocal left
        left -= 1
        if left:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handle)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_forever()
    return n, 0.0


def signals_raised(n):
    signal.signal(signal.SIGUSR1, lambda signum, frame: None)
    for _ in range(n):
        signal.raise_signal(signal.SIGUSR1)
    return n, 0.0


def spawn(n):
    for _ in range(n):
        subprocess.run(["/bin/true"], check=True)
    return n, 0.0


def capture(n):
    output = subprocess.run(["head", "-c", str(n << 20), "/dev/zero"], stdout=subprocess.PIPE).stdout
    return len(output) >> 20, 0.0


def cat(n):
    output = subprocess.run(["cat"], input=bytes(n << 20), stdout=subprocess.PIPE).stdout
    return len(output) >> 20, 0.0


PRIMITIVES = {"lock": threading.Lock, "rlock": threading.RLock, "semaphore": threading.Semaphore}
SIGNALS = {"signal": signals_inside, "raise": signals_raised}
CHILDREN = {"spawn": spawn, "capture": capture, "cat": cat}
WAKES = {"condition": condition, "event": event, "barrier": barrier}
QUEUES = {"queue": lambda: queue.Queue(1024), "unbounded": queue.Queue, "lifo": queue.LifoQueue,
          "priority": queue.PriorityQueue, "simple": queue.SimpleQueue}


def measure(subject, n, seconds):
    name, _, threads = subject.partition("_")
    if name in PRIMITIVES:
        return contended(PRIMITIVES[name](), int(threads), seconds) if threads else alone(PRIMITIVES[name](), n)
    if name in SIGNALS:
        return SIGNALS[name](n)
    if name in CHILDREN:
        return CHILDREN[name](n)
    if name in WAKES:
        return WAKES[name](int(threads), n)
    if not threads:
        return in_and_out(QUEUES[name](), n)
    return pairs(int(threads), n, QUEUES[name]())


def in_and_out(items, n):
    """A hundred in, a hundred out, in one thread."""
    for _ in range(n // 100):
        for i in range(100):
            items.put(i * 7919 % 100)
        for _ in range(100):
            items.get()
    return n // 100 * 100, 0.0


def main():
    subject, n, seconds = sys.argv[1], max(int(sys.argv[2]) // 20, 100), float(sys.argv[3])
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    operations, extra = measure(subject, n, seconds)
    wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
    print(wall / operations, cpu / operations, extra)


main()
