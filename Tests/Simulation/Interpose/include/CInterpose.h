#ifndef WARREN_INTERPOSE_H
#define WARREN_INTERPOSE_H

#include <stdint.h>

/// Where jobs of Swift's global executor go: `deadline` is 0 for a job that may run now, else nanoseconds of the virtual
/// clock.
typedef void (*interpose_enqueue_t)(void *job, uint64_t deadline);

/// Takes over the clocks, the randomness and the global executor of this process, for good.
///
/// From then on `clock_gettime` answers the virtual time (the clock on the wall with its offset), `syscall(SYS_getrandom)` (behind
/// every `SystemRandomNumberGenerator`) draws from the virtual randomness, and no job runs unless `interpose_run` runs it.
void interpose_start(interpose_enqueue_t enqueue);

/// Runs a job on the calling thread until it suspends or ends.
void interpose_run(void *job);

/// Sets the virtual time, in nanoseconds since 1970.
void interpose_set_time(uint64_t nanoseconds);

/// The virtual time, in nanoseconds since 1970.
uint64_t interpose_time(void);

/// Sets how far the clock on the wall is ahead of all others, in nanoseconds: 0 unless somebody has set it.
void interpose_set_wall_offset(int64_t nanoseconds);

/// Starts the virtual randomness anew.
void interpose_set_random(uint64_t seed);

/// The real time of the monotonic clock, in nanoseconds: for reports.
uint64_t interpose_real_time(void);

#endif
