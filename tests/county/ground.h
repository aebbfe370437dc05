//  ground - an invented county: towns with natural borders, a river, roads, named places
//
//  Everything follows from the seed. Lengths are metres east and north of the county's middle; ground_position turns them
//  into WGS-84. Neighbouring towns share the very same border points, so there is no gap and no overlap by construction.

#ifndef GROUND_H_INCLUDED
#define GROUND_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include "geodesy.h"

#define TOWNS 6
#define ROADS 9  //  0 is the trunk road
#define RIVERS 2 //  0 is the river, 1 the stream that joins it
#define CHECKPOINTS 2
#define PLACES_ROOM 160

typedef struct {
    double x, y;
} spot_t;

typedef struct {
    spot_t *spots;
    size_t count, room;
} line_t;

typedef struct {
    const char *station; //  id
    const char *zh, *en; //  without 镇 / town
    spot_t seat;
    line_t ring; //  counter-clockwise, not closed
} town_t;

typedef struct {
    char zh [64], en [64], alias [64]; //  alias: what people say, may be ""
    const char *kind;
    int town; //  -1: the county itself
    spot_t spot;
} named_t;

typedef struct {
    town_t towns [TOWNS];
    line_t outline; //  of the county, counter-clockwise
    line_t river [RIVERS];
    line_t road [ROADS];
    line_t trunk; //  the part of road 0 within the county
    spot_t checkpoint [CHECKPOINTS];
    named_t places [PLACES_ROOM];
    int place_count;
} ground_t;

extern const char *const county_zh, *const county_en;

//  The same seed always gives the same county.
ground_t *ground_new (uint64_t seed);
void ground_destroy (ground_t **self_p);

//  A random place to stand within the county, and the town it lies in.
spot_t ground_spot (const ground_t *self, uint64_t *dice, int *town);
int ground_town_at (const ground_t *self, spot_t spot); //  -1 outside
position_t ground_position (spot_t spot);
spot_t ground_spot_of (position_t position);

//  ---- dice: splitmix64
uint64_t dice_next (uint64_t *dice);
double dice_unit (uint64_t *dice); //  0 <= x < 1
double dice_between (uint64_t *dice, double low, double high);
int dice_below (uint64_t *dice, int count);

//  ---- lines
void line_add (line_t *self, spot_t spot);
void line_clear (line_t *self);
bool ring_covers (const line_t *ring, spot_t spot);
double spot_apart (spot_t a, spot_t b);

//  The towns' borders and the county's outline (borders.c).
void borders_draw (ground_t *self, uint64_t seed);
//  Water, roads and what has a name (land.c).
void land_draw (ground_t *self, uint64_t seed);

#endif
