// SPDX-License-Identifier: MIT

// peer_go SUBJECT N SECONDS: prints wall and CPU nanoseconds per operation, and one more figure.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func yield(n int) {
	runtime.GOMAXPROCS(1)
	var done sync.WaitGroup
	done.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			for k := 0; k < n/2; k++ {
				runtime.Gosched()
			}
			done.Done()
		}()
	}
	done.Wait()
}

func start(n int) {
	runtime.GOMAXPROCS(1)
	done := make(chan bool, 1)
	for i := 0; i < n; i++ {
		go func() { done <- true }()
		<-done
	}
}

func roundTrip(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	close(there)
}

// Both ends on threads of their own.
func threadRoundTrip(n int) {
	runtime.LockOSThread()
	there, back := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for item := range there {
			back <- item
		}
	}()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	close(there)
}

func lock(n int) {
	var mutex sync.Mutex
	for i := 0; i < n; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
}

// Runs for a time: the operations done, and the slowest's share of the fastest's.
func contended(threads int, seconds float64) (int, float64) {
	var mutex sync.Mutex
	var done sync.WaitGroup
	counts := make([]struct {
		count int
		pad   [56]byte
	}, threads)
	shared, stop := 0, false
	done.Add(threads)
	for i := 0; i < threads; i++ {
		go func(i int) {
			runtime.LockOSThread()
			for {
				mutex.Lock()
				shared++
				end := stop
				mutex.Unlock()
				if end {
					break
				}
				counts[i].count++
			}
			done.Done()
		}(i)
	}
	time.Sleep(time.Duration(seconds * 1e9))
	mutex.Lock()
	stop = true
	mutex.Unlock()
	done.Wait()
	least, most := counts[0].count, counts[0].count
	for _, each := range counts {
		if each.count < least {
			least = each.count
		}
		if each.count > most {
			most = each.count
		}
	}
	return shared, float64(least) / float64(most)
}

// A turn goes round: each waits for its own and wakes the next, on threads of their own.
func ring(threads, n int, wait, wake func(i int)) int {
	var done sync.WaitGroup
	done.Add(threads)
	for i := 0; i < threads; i++ {
		go func(i int) {
			runtime.LockOSThread()
			for k := 0; k < n/threads; k++ {
				wait(i)
				wake((i + 1) % threads)
			}
			done.Done()
		}(i)
	}
	done.Wait()
	return n / threads * threads
}

func condition(threads, n int) int {
	var mutexes [8]sync.Mutex
	var conditions [8]*sync.Cond
	var turn [8]bool
	for i := range conditions {
		conditions[i] = sync.NewCond(&mutexes[i])
	}
	turn[0] = true
	return ring(threads, n, func(i int) {
		mutexes[i].Lock()
		for !turn[i] {
			conditions[i].Wait()
		}
		turn[i] = false
		mutexes[i].Unlock()
	}, func(i int) {
		mutexes[i].Lock()
		turn[i] = true
		conditions[i].Signal()
		mutexes[i].Unlock()
	})
}

func event(threads, n int) int {
	var events [8]chan bool
	for i := range events {
		events[i] = make(chan bool, 1)
	}
	events[0] <- true
	return ring(threads, n, func(i int) { <-events[i] }, func(i int) { events[i] <- true })
}

func queue(n, pairs int) {
	items := make(chan *int, 1024)
	var done sync.WaitGroup
	done.Add(2 * pairs)
	for i := 0; i < pairs; i++ {
		go func() {
			for k := 0; k < n/pairs; k++ {
				items <- &n
			}
			done.Done()
		}()
		go func() {
			for k := 0; k < n/pairs; k++ {
				<-items
			}
			done.Done()
		}()
	}
	done.Wait()
}

func submit(n int) {
	var done sync.WaitGroup
	done.Add(n)
	for i := 0; i < n; i++ {
		go done.Done()
	}
	done.Wait()
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	result := make(chan int, 1)
	go func() { result <- fib(n - 1) }()
	b := fib(n - 2)
	return <-result + b
}

func residentKiB() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	sum := 0.0
	for _, name := range []string{"VmRSS:", "VmPTE:"} {
		for at := 0; at+len(name) < len(text); at++ {
			if string(text[at:at+len(name)]) == name {
				var kib float64
				fmt.Sscan(string(text[at+len(name):]), &kib)
				sum += kib
				break
			}
		}
	}
	return sum
}

func memory(n int) float64 {
	before := residentKiB()
	for i := 0; i < n; i++ {
		go func() { select {} }()
	}
	for k := 0; k < 10; k++ {
		runtime.Gosched()
	}
	time.Sleep(100 * time.Millisecond)
	return (residentKiB() - before) / float64(n)
}

func main() {
	subject := os.Args[1]
	n, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	operations, extra := n, 0.0
	wall, used := time.Now(), cpu()
	switch subject {
	case "yield":
		yield(n)
	case "start":
		start(n)
	case "round_trip":
		runtime.GOMAXPROCS(1)
		roundTrip(n)
	case "thread_round_trip":
		threadRoundTrip(n)
	case "lock":
		lock(n)
	case "lock_2":
		operations, extra = contended(2, seconds)
	case "lock_4":
		operations, extra = contended(4, seconds)
	case "lock_8":
		operations, extra = contended(8, seconds)
	case "condition_1", "condition_2", "condition_4", "condition_8":
		operations = condition(int(subject[10]-'0'), n)
	case "event_1", "event_2", "event_4", "event_8":
		operations = event(int(subject[6]-'0'), n)
	case "queue_1":
		queue(n, 1)
	case "queue_2":
		queue(n, 2)
	case "queue_4":
		queue(n, 4)
	case "submit":
		submit(n)
	case "fib_1", "fib_2":
		runtime.GOMAXPROCS(int(subject[4] - '0'))
		for i := 0; i < n; i++ {
			fib(25)
		}
	case "memory":
		fmt.Println(memory(n), 0, 0)
		return
	default:
		os.Exit(2)
	}
	each := float64(operations)
	fmt.Println(float64(time.Since(wall).Nanoseconds())/each, (cpu()-used)/each, extra)
}
