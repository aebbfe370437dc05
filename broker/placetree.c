#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "areamem.h"
#include "placetree.h"

#define EARTH_M 6371008.8

struct placetree_t {
    placetree_point_t *points; //  the middle of a range divides it along axis depth % 3
    size_t count;
};

typedef struct {
    const placetree_point_t *points;
    double at [3];
    double best2; //  square of the chord
    int64_t row;
} s_search_t;

placetree_point_t placetree_point (position_t position, uint32_t row)
{
    double lat = position.lat * M_PI / 180, lon = position.lon * M_PI / 180;
    return (placetree_point_t){ { cos (lat) * cos (lon), cos (lat) * sin (lon), sin (lat) }, row };
}

//  Puts the k-th along an axis in its place, smaller ones before it (Hoare's selection).
static void s_select (placetree_point_t *points, size_t low, size_t high, size_t k, int axis)
{
    while (low < high) {
        double pivot = points [low + (high - low) / 2].at [axis];
        size_t i = low, j = high;
        for (;;) {
            while (points [i].at [axis] < pivot)
                i++;
            while (points [j].at [axis] > pivot)
                j--;
            if (i >= j)
                break;
            placetree_point_t swap = points [i];
            points [i++] = points [j];
            points [j--] = swap;
        }
        //  low..j are not above the pivot, j + 1..high not below
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
}

static void s_arrange (placetree_point_t *points, size_t low, size_t high, int axis)
{
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        s_select (points, low, high - 1, middle, axis);
        axis = (axis + 1) % 3;
        s_arrange (points, low, middle, axis);
        low = middle + 1;
    }
}

placetree_t *placetree_new (placetree_point_t *points, size_t count)
{
    placetree_t *self = area_zeroed (1, sizeof *self);
    self->points = points;
    self->count = count;
    s_arrange (points, 0, count, 0);
    return self;
}

void placetree_destroy (placetree_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        free ((*self_p)->points);
        free (*self_p);
        *self_p = NULL;
    }
}

static void s_descend (s_search_t *search, size_t low, size_t high, int axis)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const placetree_point_t *point = &search->points [middle];
        double chord2 = 0;
        for (int i = 0; i < 3; i++)
            chord2 += (point->at [i] - search->at [i]) * (point->at [i] - search->at [i]);
        if (chord2 < search->best2 || (chord2 == search->best2 && (search->row < 0 || point->row < search->row))) {
            search->best2 = chord2;
            search->row = point->row;
        }
        double beyond = search->at [axis] - point->at [axis];
        axis = (axis + 1) % 3;

        //  the side the point is on, then the other if the sphere around it reaches there
        if (beyond < 0)
            s_descend (search, low, middle, axis);
        else
            s_descend (search, middle + 1, high, axis);
        if (beyond * beyond > search->best2)
            return;
        if (beyond < 0)
            low = middle + 1;
        else
            high = middle;
    }
}

int64_t placetree_nearest (const placetree_t *self, position_t position, double max_m)
{
    placetree_point_t asked = placetree_point (position, 0);
    double chord = 2 * sin (fmin (max_m / EARTH_M, M_PI) / 2);
    s_search_t search
        = { .points = self->points, .at = { asked.at [0], asked.at [1], asked.at [2] }, .best2 = chord * chord, .row = -1 };
    s_descend (&search, 0, self->count, 0);
    return search.row;
}
