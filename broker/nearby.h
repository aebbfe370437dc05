//  nearby - which incident a tip is another report of, if any
//
//  Many people see one event: each writes with other words, from another spot, some minutes later. This module keeps the incidents that a further
//  report may belong to and weighs two explanations of a tip against each other: it is one more report of incident i, or it is
//  an event of its own that happened near it by chance. It decides nothing about stations and writes nothing; no clock, no socket.
//
//  The weights. Two reports of one event lie d metres apart with density 1 / (2 pi s2) * (1 + d2 / (2 s2))^-2, s2 the sum of both squared position errors:
//  Student's t in the plane with 2 degrees of freedom, whose tail is as heavy as that of phones between houses (half within 1.4 s, 95 % within 6 s). In time they trail
//  off at a rate of its own for each event: where everybody says the minute at once, where each says when he wrote slowly. The rate has a gamma distribution of
//  shape 1.5 and scale tau, a twentieth of the kind's window, which each report that joins with a lag t makes one of shape + 1 and scale + t; so a further report lies t from
//  the middle of those before with density shape / (2 scale) * (1 + t / scale)^-(shape + 1). An incident that k tips have joined expects as many more
//  (few have a second witness, most that have two have a third). By chance, an incident of the kind comes at the rate that the neighbourhood (3 km, 3 days of
//  capture time) has shown, times a factor, since incidents come in clumps. Text (character bigrams) counts by how rare such a likeness is among reports of the kind (wording.h).
//
//  Bounds, whatever the weights say: a tip joins only within the kind's window and radius of the incident's first tip, the radius widened by
//  both errors for an event; so a chain of near tips cannot drift. A kind without `merge` is neither asked about nor kept by callers.

#ifndef NEARBY_H_INCLUDED
#define NEARBY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kinds.h"

typedef struct nearby_t nearby_t;

nearby_t *nearby_new (const kinds_t *kinds);
void nearby_destroy (nearby_t **self_p);
//  Another kinds file is in force; incidents of a kind that no longer merges rest until it does. Borrowed until the next call.
void nearby_set_kinds (nearby_t *self, const kinds_t *kinds);

//  What a tip says about itself.
typedef struct {
    int kind; //  index in the kinds file
    int32_t lat_e7, lon_e7;
    uint32_t accuracy_m; //  two in three such positions are that near; 0 = not known
    bool by_name;        //  the position is that of a place named in words
    int64_t seen_ms;     //  capture time, corrected
    uint64_t address;    //  likeness_address of the place in words; 0 = none
    uint64_t sketch;     //  likeness_sketch of the text; 0 = none
} nearby_tip_t;

typedef struct {
    uint64_t incident; //  0 = none: an incident of its own
    uint32_t score_e3; //  how sure, in thousandths, that it is another report of something known; also when it stays alone
    char why [160];    //  one line, empty when nothing was near
} nearby_found_t;

//  Asks; nothing changes. Incidents of which `may` says false are as if they were not there; NULL asks about none.
typedef bool (nearby_may_fn) (void *context, uint64_t incident);
void nearby_find_among (nearby_t *self, const nearby_tip_t *tip, nearby_may_fn *may, void *context, nearby_found_t *out);
void nearby_find (nearby_t *self, const nearby_tip_t *tip, nearby_found_t *out); //  among all

//  The tip began an incident / belongs to one now. A tip of an incident that is not here is ignored.
void nearby_begin (nearby_t *self, uint64_t incident, const nearby_tip_t *tip);
void nearby_join (nearby_t *self, uint64_t incident, const nearby_tip_t *tip);

//  After a join: an incident of a single tip that was near as well and that what is known by now takes along.
//  False if there is none. Ask again until false.
bool nearby_stray (nearby_t *self, uint64_t incident, nearby_found_t *out);

//  The tips of `from` belong to `into`; `from` is forgotten.
void nearby_merge (nearby_t *self, uint64_t from, uint64_t into);
//  Somebody said that these are two: the machine does not merge them. `apart` false takes it back.
void nearby_set_apart (nearby_t *self, uint64_t a, uint64_t b, bool apart);

//  Placed by hand: there, for certain.
void nearby_place (nearby_t *self, uint64_t incident, int32_t lat_e7, int32_t lon_e7);
void nearby_forget (nearby_t *self, uint64_t incident);
bool nearby_has (const nearby_t *self, uint64_t incident);
uint32_t nearby_tips (const nearby_t *self, uint64_t incident); //  0 = not here

uint32_t nearby_count (const nearby_t *self);
size_t nearby_memory (const nearby_t *self); //  bytes

#endif
