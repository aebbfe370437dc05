//  areashape - what GEOS is asked about valid polygons: does one cover a point, how do they lie to each other
//
//  Asking whether one covers a point may come from any thread: one lock guards the one context, since the broker asks only
//  for points within 1e-9 degree of an edge. Nothing reaches GEOS but finite numbers in range.

#ifndef AREASHAPE_H_INCLUDED
#define AREASHAPE_H_INCLUDED

#include "areafile.h"

typedef struct areashape_t areashape_t;

areashape_t *areashape_new (int count);
void areashape_destroy (areashape_t **self_p);

//  Keeps the polygon as number `area`. Parts and points are borrowed until areashape_destroy.
void areashape_keep (areashape_t *self, int area, const areapart_t *parts, uint32_t part_count, const position_t *points);

//  1 yes (a border point is covered), 0 no, -1 GEOS could not say.
int areashape_covers (const areashape_t *self, int area, position_t position);

//  bytes, without what is borrowed and the few polygons asked lately
size_t areashape_memory (const areashape_t *self);

//  ---- comparing polygons: only between these two, from one thread. GEOS's own form of all polygons is made and dropped.
void areashape_raise (areashape_t *self);
void areashape_lower (areashape_t *self);

//  Area common to two polygons in m2, with a place inside it; 0 if they only touch; -1 if GEOS could not say.
double areashape_overlap (areashape_t *self, int a, int b, position_t *where);

//  Pairs (a < b) whose bounding boxes meet.
typedef void (areashape_pair_fn) (void *context, int a, int b);
void areashape_pairs (areashape_t *self, areashape_pair_fn *pair, void *context);

//  Holes in the union of the listed polygons: size in m2, a place inside, up to two polygons beside it (-1: fewer).
typedef void (areashape_gap_fn) (void *context, double size_m2, position_t where, int beside, int beside_too);
int areashape_gaps (areashape_t *self, const int *list, int count, areashape_gap_fn *gap, void *context);

//  m2 of a ring, on a plane laid at its own latitude.
double areashape_ring_m2 (const position_t *points, uint32_t count);

#endif
