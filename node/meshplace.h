//  meshplace - how long it takes from here to the nearest known gateway, from the last fixes; part of the routing core

#ifndef MESHPLACE_H_INCLUDED
#define MESHPLACE_H_INCLUDED

#include "meshwire.h"

typedef struct {
    bool known, moving;
    int32_t lat_e7, lon_e7;
    double north, east; //  metres per second, from the last two fixes
    int64_t at;
    int32_t still_lat_e7, still_lon_e7; //  within SAME_M of here
    int64_t still_since;
    meshwire_place_t places [MESHWIRE_PLACES_MAX];
    uint32_t place_count;
} meshplace_t; //  all zero = nothing known

void meshplace_fix (meshplace_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now);
//  A gateway is there. Places within 50 m are one; the list is full at MESHWIRE_PLACES_MAX.
void meshplace_learn (meshplace_t *self, meshwire_place_t place);
//  The own place, once this node, a gateway, has not moved for ten minutes.
void meshplace_learn_own (meshplace_t *self, int64_t now);
//  Equal for nodes that know the same places; 0 = none. Low bits of a sum: a hint, not a proof.
uint8_t meshplace_digest (const meshplace_t *self);
//  Seconds to the nearest that this node is heading for, more for a far one as roads turn; UINT32_MAX if for none, or without a fix of the
//  last two minutes.
uint32_t meshplace_seconds (const meshplace_t *self, int64_t now);

#endif
