#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("benchmark-reference: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int64_t wall_ms(void) { return clock_ns(CLOCK_REALTIME) / 1000000; }

int64_t cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000
        + ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

long resident_kib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    }
    fclose(file);
    return kib;
}

void sleep_until_ns(int64_t moment) {
    struct timespec time = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0) {
    }
}

void ready_and_wait(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
}

void result(const char *name, double value) { printf("%s %.9g\n", name, value); }

uint64_t random_u64(void) {
    static _Thread_local uint64_t state = 0;
    while (state == 0) {
        if (getrandom(&state, sizeof state, 0) != sizeof state) die("the system gives no random numbers");
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1DULL;
}

void make_uuid(char text[37], int64_t milliseconds) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    uint64_t random[2] = {random_u64(), random_u64()};
    memcpy(bytes, random, sizeof bytes);
    for (int index = 0; index < 6; index++) bytes[index] = (unsigned char)(milliseconds >> (40 - 8 * index));
    bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0F));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
    char *out = text;
    for (int index = 0; index < 16; index++) {
        if (index == 4 || index == 6 || index == 8 || index == 10) *out++ = '-';
        *out++ = digits[bytes[index] >> 4];
        *out++ = digits[bytes[index] & 15];
    }
    *out = 0;
}

void make_time(char text[25], int64_t milliseconds) {
    static _Thread_local time_t cached = -1;
    static _Thread_local char prefix[32];
    time_t seconds = (time_t)(milliseconds / 1000);
    if (seconds != cached) {
        struct tm parts;
        gmtime_r(&seconds, &parts);
        strftime(prefix, sizeof prefix, "%Y-%m-%dT%H:%M:%S", &parts);
        cached = seconds;
    }
    int fraction = (int)(milliseconds % 1000);
    memcpy(text, prefix, 19);
    text[19] = '.';
    text[20] = (char)('0' + fraction / 100);
    text[21] = (char)('0' + fraction / 10 % 10);
    text[22] = (char)('0' + fraction % 10);
    text[23] = 'Z';
    text[24] = 0;
}

struct stamps stamps_make(size_t count) {
    struct stamps stamps = {.moments = calloc(count, sizeof(int64_t)), .count = count};
    if (!stamps.moments) die("no memory");
    return stamps;
}

void stamps_write(const struct stamps *stamps, const char *path) {
    if (strcmp(path, "-") == 0) return;
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(stamps->moments, sizeof(int64_t), stamps->count, file) != stamps->count || fclose(file) != 0) {
        die("cannot write %s", path);
    }
}
