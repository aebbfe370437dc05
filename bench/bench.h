//  bench - clock, percentiles and figures: what the bench programs share. A figure is a line NAME TAB VALUE TAB UNIT.

#ifndef BENCH_H_INCLUDED
#define BENCH_H_INCLUDED

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

//  The size every peer carries, and about what one of our tips packs to.
#define BENCH_PAYLOAD 300

#define BENCH_CHECK(condition)                                                       \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf (stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            exit (1);                                                                \
        }                                                                            \
    } while (0)

static inline int64_t bench_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

//  The same numbers each time: a run can be compared with another.
static inline uint64_t bench_random (uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void bench_figure (const char *name, double value, const char *unit)
{
    printf ("%s\t%.6g\t%s\n", name, value, unit);
}

static inline int bench_compare (const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

//  Sorts the times (ns) and prints their median and 99th percentile in milliseconds.
static inline void bench_latency (const char *name, int64_t *ns, size_t count)
{
    char full [64];
    if (count == 0) {
        return;
    }
    qsort (ns, count, sizeof *ns, bench_compare);
    snprintf (full, sizeof full, "%s p50", name);
    bench_figure (full, (double)ns [count / 2] / 1e6, "ms");
    snprintf (full, sizeof full, "%s p99", name);
    bench_figure (full, (double)ns [(count * 99) / 100] / 1e6, "ms");
}

static inline double bench_cpu_seconds (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

#endif
