//  newids - a Bloom filter of two hashes over one stretch of time

#include "newids.h"

#include <stdlib.h>
#include <string.h>

#include "identity.h"

#define BITS (UINT64_C (1) << 20) //  128 KiB
#define FULL 100000u              //  three ids of a hundred are taken for known ones then
#define AHEAD_MS 3600000

struct newids_t {
    uint64_t floor, newest; //  ids up to floor are not judged here; newest of those in the filter
    uint64_t ahead;         //  lowest id that was given ahead of the clock: it and what follows are not judged here either
    uint32_t count;
    uint64_t bits [BITS / 64];
};

newids_t *newids_new (uint64_t newest, uint64_t ahead)
{
    newids_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->floor = self->newest = newest;
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

//  Two positions out of one product; the low bits of an id are a hash already, its time is not.
static void s_positions (uint64_t id, uint64_t at [2])
{
    uint64_t mixed = (id ^ id >> 29) * UINT64_C (0x9e3779b97f4a7c15);
    at [0] = mixed >> 44;
    at [1] = mixed >> 24 & (BITS - 1);
}

bool newids_free (const newids_t *self, uint64_t id)
{
    if (id <= self->floor || id >= self->ahead)
        return false;
    uint64_t at [2];
    s_positions (id, at);
    return !(self->bits [at [0] / 64] >> at [0] % 64 & self->bits [at [1] / 64] >> at [1] % 64 & 1);
}

void newids_add (newids_t *self, uint64_t id, int64_t now_ms)
{
    if (id >= newids_horizon (now_ms) && id < self->ahead)
        self->ahead = id;
    if (id <= self->floor || id >= self->ahead)
        return;
    if (self->count == FULL) {
        memset (self->bits, 0, sizeof self->bits);
        self->count = 0;
        self->floor = self->newest;
        if (id <= self->floor)
            return;
    }
    uint64_t at [2];
    s_positions (id, at);
    self->bits [at [0] / 64] |= UINT64_C (1) << at [0] % 64;
    self->bits [at [1] / 64] |= UINT64_C (1) << at [1] % 64;
    self->count++;
    if (id > self->newest)
        self->newest = id;
}
