//  areaindex - a flat index of shapes: which cover a point, which have their border near it
//
//  Coordinates are whole numbers of 1e-12 degree, so "which side" is exact. Space is cut into cells that are cut again where
//  edges are dense. Each leaf lists the shapes touching it: for a polygon whether the leaf's reference point is inside, and
//  its edges there. A point is inside when the reference point is, flipped once for each edge crossed on the straight
//  way between them. A leaf also lists the edges within 50 m around it, unless those are very many. So a lookup with a radius
//  up to 50 m reads one leaf however large the shapes are. Immutable once built; reading allocates nothing.

#ifndef AREAINDEX_H_INCLUDED
#define AREAINDEX_H_INCLUDED

#include "areafile.h"

typedef struct areaindex_t areaindex_t;

typedef struct {
    bool polygon; //  else a line or point widened by reach_m
    double reach_m;
    uint64_t kinds;            //  bits of the kinds it takes
    int64_t from_ms, until_ms; //  in force from <= t < until
    const areapart_t *parts;   //  borrowed for the call
    uint32_t part_count;
} areaindex_shape_t;

//  Which shapes take part in a lookup.
typedef struct {
    uint64_t kinds;  //  those that take any of these bits
    int64_t when_ms; //  and are in force then
    bool every;      //  all of them, whatever kinds and time
    int only;        //  number of the one shape meant, plus 1; 0: any
} areaindex_filter_t;

typedef struct {
    int shape;
    bool inside;     //  covers the point
    bool touching;   //  a polygon with an edge within 1e-9 degree: `inside` is not to be trusted, ask GEOS
    double border_m; //  to the shape's border; INFINITY if farther than the radius asked for
} areaindex_hit_t;

#define AREAINDEX_BAND_M 50.0 //  a lookup with this radius or less reads one leaf
#define AREAINDEX_HITS 48     //  room that is enough in practice

//  Shapes are numbered in the order given; a lower number is kept when there are more hits than room. The points are borrowed
//  for as long as the index lives.
areaindex_t *areaindex_new (const areaindex_shape_t *shapes, int count, const position_t *points);
void areaindex_destroy (areaindex_t **self_p);
size_t areaindex_memory (const areaindex_t *self);

//  All shapes that cover the position or have their border within radius_m of it; how many, <= room.
int areaindex_near (const areaindex_t *self, position_t position, double radius_m, const areaindex_filter_t *filter,
    areaindex_hit_t *hits, int room);

//  The lowest number among the shapes that cover the position. Quick, and silent where it cannot be sure: AREAINDEX_ASK is near
//  an edge (a few centimetres in a cell of some hundred metres), or at a line or checkpoint; then areaindex_near knows.
#define AREAINDEX_NONE (-1)
#define AREAINDEX_ASK (-2)
int areaindex_first (const areaindex_t *self, position_t position, const areaindex_filter_t *filter);

#endif
