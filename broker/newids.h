//  newids - which incident ids are surely free, without asking state.db
//
//  An id begins with the millisecond in which its first tip was written, and is the next free one when that is taken. Ids that are later
//  than everything the state had at opening are looked for in two Bloom filters of what was given since; only for the others, and for
//  a hit, the state is asked, which waits for what is still being written. When the newer filter is full it becomes the older one, and
//  what the older one alone knew is below the floor from then on. An id far ahead of the clock must not lift that floor, so it ends the
//  stretch: ids from there on cost a question each. Time is an argument.

#ifndef NEWIDS_H_INCLUDED
#define NEWIDS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct newids_t newids_t;

//  Of the ids in the state: the highest below the horizon of now (0: none), and the lowest at or beyond it (UINT64_MAX: none).
newids_t *newids_new (uint64_t newest, uint64_t ahead);
void newids_destroy (newids_t **self_p);

//  The first id of an hour from now: what is given there or later comes from a wrong clock.
uint64_t newids_horizon (int64_t now_ms);

//  True if nobody was given this id; false if that is not known here.
bool newids_free (const newids_t *self, uint64_t id);
//  The id was given.
void newids_add (newids_t *self, uint64_t id, int64_t now_ms);

#endif
