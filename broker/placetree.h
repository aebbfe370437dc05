//  placetree - the nearest of many points on the globe
//
//  A k-d tree over unit vectors, laid out in one array: no distortion near the poles, no seam at 180 degrees.

#ifndef PLACETREE_H_INCLUDED
#define PLACETREE_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include "geodesy.h"

typedef struct placetree_t placetree_t;

typedef struct {
    double at [3];
    uint32_t row;
} placetree_point_t;

placetree_point_t placetree_point (position_t position, uint32_t row);

//  Takes points, which were malloced.
placetree_t *placetree_new (placetree_point_t *points, size_t count);
void placetree_destroy (placetree_t **self_p);

//  Row of the nearest point within max_m, the lowest of equally near ones; -1 if there is none.
int64_t placetree_nearest (const placetree_t *self, position_t position, double max_m);

#endif
