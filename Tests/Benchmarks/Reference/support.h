// What the reference programs share: time, resource use, the conversation with the benchmark that runs them.
#ifndef REFERENCE_SUPPORT_H
#define REFERENCE_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

/// Ends the program with a message.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// CLOCK_MONOTONIC in nanoseconds; the Swift programs read the same clock.
int64_t monotonic_ns(void);
/// CLOCK_REALTIME in milliseconds.
int64_t wall_ms(void);
/// Processor time of this process so far, user and system, in nanoseconds.
int64_t cpu_ns(void);
/// Resident memory in KiB (`VmRSS`).
long resident_kib(void);
/// Sleeps until a moment of CLOCK_MONOTONIC.
void sleep_until_ns(int64_t moment);

/// Says `ready` on standard output and waits for a line on standard input.
void ready_and_wait(void);
/// Prints one result, `name value`.
void result(const char *name, double value);

/// A pseudo-random number (xorshift64*), seeded from the system.
uint64_t random_u64(void);
/// A UUIDv7 as text, with its terminating NUL.
void make_uuid(char text[37], int64_t milliseconds);
/// RFC 3339 in UTC with milliseconds and terminating NUL.
void make_time(char text[25], int64_t milliseconds);

/// The moments at which each event, by its number, was committed or handled.
struct stamps {
    int64_t *moments;
    size_t count;
};
struct stamps stamps_make(size_t count);
/// Writes the moments as 64-bit integers in the machine's order; does nothing where `path` is "-".
void stamps_write(const struct stamps *stamps, const char *path);

#endif
