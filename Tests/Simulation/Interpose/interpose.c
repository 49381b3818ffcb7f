#define _GNU_SOURCE
#include "CInterpose.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// One thread runs a simulation, so none of this is guarded.
static int is_started;
static uint64_t now;
// How far the clock on the wall is ahead of the others.
static int64_t wall_offset;
static uint64_t random_state;
static interpose_enqueue_t enqueue;

// The program's definition comes before that of the C library, for every library in the process.
int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!is_started) return (int)syscall(SYS_clock_gettime, clock, time);
    int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    uint64_t told = is_wall ? now + (uint64_t)wall_offset : now;
    time->tv_sec = (time_t)(told / 1000000000u);
    time->tv_nsec = (long)(told % 1000000000u);
    return 0;
}

// SplitMix64 (S. Vigna, public domain).
static uint64_t next_random(void) {
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void fill_random(unsigned char *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        uint64_t value = next_random();
        size_t part = count - done < sizeof value ? count - done : sizeof value;
        memcpy(bytes + done, &value, part);
        done += part;
    }
}

// What Swift's standard library draws its randomness by. Of everything else the C library's own function is called.
long syscall(long number, ...) {
    static long (*original)(long, ...);
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (is_started && number == SYS_getrandom) {
        fill_random((unsigned char *)a[0], (size_t)a[1]);
        return a[1];
    }
    if (!original) original = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return original(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// What the kit draws its event ids by.
int getentropy(void *bytes, size_t count) {
    static int (*original)(void *, size_t);
    if (is_started) {
        fill_random(bytes, count);
        return 0;
    }
    if (!original) original = (int (*)(void *, size_t))dlsym(RTLD_NEXT, "getentropy");
    return original(bytes, count);
}

// The runtime's own hooks (swift/Runtime/Concurrency.h), in its calling convention.
#define SWIFT_CC __attribute__((swiftcall))
extern void *swift_task_enqueueGlobal_hook;
extern void *swift_task_enqueueGlobalWithDelay_hook;
extern void *swift_task_enqueueGlobalWithDeadline_hook;
extern SWIFT_CC void swift_job_run(void *job, void *identity, void *implementation);

static SWIFT_CC void take(void *job, void *original) {
    (void)original;
    enqueue(job, 0);
}

static SWIFT_CC void take_with_delay(unsigned long long delay, void *job, void *original) {
    (void)original;
    enqueue(job, now + delay);
}

static SWIFT_CC void take_with_deadline(
    long long seconds, long long nanoseconds, long long tolerance_seconds, long long tolerance_nanoseconds, int clock,
    void *job, void *original
) {
    (void)tolerance_seconds;
    (void)tolerance_nanoseconds;
    (void)clock;
    (void)original;
    uint64_t deadline = (uint64_t)seconds * 1000000000u + (uint64_t)nanoseconds;
    enqueue(job, deadline > now ? deadline : now + 1);
}

// Where `Task.sleep(until:clock:)` and `Task.yield()` end up, which ask no hook: the context is the job.
void dispatch_after_f(uint64_t when, void *queue, void *context, void (*work)(void *)) {
    (void)queue;
    (void)work;
    uint64_t deadline = when & ~(3ull << 62);
    enqueue(context, deadline > now ? deadline : now + 1);
}

void dispatch_async_f(void *queue, void *context, void (*work)(void *)) {
    (void)queue;
    (void)work;
    enqueue(context, 0);
}

void interpose_start(interpose_enqueue_t callback) {
    enqueue = callback;
    swift_task_enqueueGlobal_hook = (void *)take;
    swift_task_enqueueGlobalWithDelay_hook = (void *)take_with_delay;
    swift_task_enqueueGlobalWithDeadline_hook = (void *)take_with_deadline;
    is_started = 1;
}

void interpose_run(void *job) { swift_job_run(job, NULL, NULL); }
void interpose_set_time(uint64_t nanoseconds) { now = nanoseconds; }
uint64_t interpose_time(void) { return now; }
void interpose_set_wall_offset(int64_t nanoseconds) { wall_offset = nanoseconds; }
void interpose_set_random(uint64_t seed) { random_state = seed; }

uint64_t interpose_real_time(void) {
    struct timespec time;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
