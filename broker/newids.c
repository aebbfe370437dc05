//  newids - two Bloom filters of four hashes, one stretch of time after the other

#include "newids.h"

#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "keyed.h"

#define BITS (UINT64_C (1) << 23) //  1 MiB
#define HASHES 4
#define FULL 200000u //  one id of ten thousand is taken for a known one then
#define AHEAD_MS 3600000

typedef struct {
    uint64_t newest;
    uint32_t count;
    uint64_t bits [BITS / 64];
} filter_t;

struct newids_t {
    uint64_t floor; //  ids up to it are not judged here
    uint64_t ahead; //  lowest id that was given ahead of the clock: it and what follows are not judged here either
    filter_t filters [2];
    int filling;
};

newids_t *newids_new (uint64_t newest, uint64_t ahead)
{
    newids_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->floor = self->filters [0].newest = self->filters [1].newest = newest;
    self->ahead = ahead;
    return self;
}

void newids_destroy (newids_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

uint64_t newids_horizon (int64_t now_ms)
{
    return incident_id_first (now_ms + AHEAD_MS);
}

//  Positions out of two mixes; the low bits of an id are a hash already, its time is not.
static void s_positions (uint64_t id, uint64_t at [HASHES])
{
    uint64_t first = keyed_mix (id), second = keyed_mix (first);
    at [0] = first & (BITS - 1);
    at [1] = first >> 32 & (BITS - 1);
    at [2] = second & (BITS - 1);
    at [3] = second >> 32 & (BITS - 1);
}

static bool s_has (const uint64_t *bits, const uint64_t at [HASHES])
{
    for (int i = 0; i < HASHES; i++)
        if (!(bits [at [i] / 64] >> at [i] % 64 & 1))
            return false;
    return true;
}

bool newids_free (const newids_t *self, uint64_t id)
{
    if (id <= self->floor || id >= self->ahead)
        return false;
    uint64_t at [HASHES];
    s_positions (id, at);
    return !s_has (self->filters [0].bits, at) && !s_has (self->filters [1].bits, at);
}

//  The older filter is emptied and filled next.
static filter_t *s_turn (newids_t *self)
{
    self->filling = !self->filling;
    filter_t *filter = &self->filters [self->filling];
    if (filter->newest > self->floor)
        self->floor = filter->newest;
    memset (filter->bits, 0, sizeof filter->bits);
    filter->count = 0;
    filter->newest = self->floor;
    return filter;
}

void newids_add (newids_t *self, uint64_t id, int64_t now_ms)
{
    if (id >= newids_horizon (now_ms) && id < self->ahead)
        self->ahead = id;
    if (id <= self->floor || id >= self->ahead)
        return;
    filter_t *filter = &self->filters [self->filling];
    if (filter->count == FULL) {
        filter = s_turn (self);
        if (id <= self->floor)
            return;
    }
    uint64_t at [HASHES];
    s_positions (id, at);
    for (int i = 0; i < HASHES; i++)
        filter->bits [at [i] / 64] |= UINT64_C (1) << at [i] % 64;
    filter->count++;
    if (id > filter->newest)
        filter->newest = id;
}
