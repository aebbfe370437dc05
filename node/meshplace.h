//  meshplace - how long it takes from here to the nearest known gateway, from the last fixes; part of the routing core

#ifndef MESHPLACE_H_INCLUDED
#define MESHPLACE_H_INCLUDED

#include "meshwire.h"

typedef struct {
    bool known, moving;
    int32_t lat_e7, lon_e7;
    double north, east; //  metres per second, from the last two fixes
    int64_t at;
    meshwire_place_t places [MESHWIRE_PLACES_MAX];
    uint32_t place_count;
} meshplace_t; //  all zero = nothing known

void meshplace_fix (meshplace_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now);
//  A gateway is there. Places within 50 m are one; the list is full at MESHWIRE_PLACES_MAX.
void meshplace_learn (meshplace_t *self, meshwire_place_t place);
//  Seconds to the nearest at the present pace and heading; UINT32_MAX without a fix of the last two minutes or a place.
uint32_t meshplace_seconds (const meshplace_t *self, int64_t now);

#endif
