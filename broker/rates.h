//  rates - how many incidents a neighbourhood has had lately, by kind and in all
//
//  Counts per square kilometre and day of capture time in a hash table, three days a cell. No clock: "lately" is asked for by
//  a capture time, so that a month imported in one minute counts like the month it was. What is three days older than the newest is dropped when the table grows.

#ifndef RATES_H_INCLUDED
#define RATES_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

typedef struct rates_t rates_t;

rates_t *rates_new (void);
void rates_destroy (rates_t **self_p);

//  `kind` is any number that is the same for the same kind; 0 = the sum over all kinds.
void rates_add (rates_t *self, uint32_t kind, int32_t lat_e7, int32_t lon_e7, int64_t seen_ms);
//  Incidents of the kind in the nine cells around the point, in the day of seen_ms and the two before it.
uint32_t rates_count (const rates_t *self, uint32_t kind, int32_t lat_e7, int32_t lon_e7, int64_t seen_ms);
//  What that count is over: square metres times milliseconds (the newest day counts as half a day, it is under way).
#define RATES_EXPOSURE (9e6 * 2.5 * 86400e3)

size_t rates_memory (const rates_t *self); //  bytes

#endif
