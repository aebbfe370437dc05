#include <assert.h>
#include <math.h>
#include <string.h>
#include "areagrid.h"
#include "areamem.h"

#define TOUCHING_M 1.2e-4 //  a little over 1e-9 degree

//  One lookup under way. Until s_finish, a hit on a line or checkpoint holds the distance to its middle.
typedef struct {
    const areaindex_t *index;
    const areaindex_filter_t *filter;
    position_t position;
    grid_point_t at;
    double unit_x, unit_y; //  metres of one unit here
    double radius_m;
    areaindex_hit_t *hits;
    int count, room;
    const uint32_t *home; //  the cell that was read first, NULL if none
    bool banded;          //  and it lists all there is within AREAINDEX_BAND_M
} s_probe_t;

//  Joins the parts of all shapes; a checkpoint becomes an edge without length.
static void s_copy_vertices (areaindex_t *self, const areaindex_shape_t *shapes, const position_t *points)
{
    size_t count = 0;
    for (size_t i = 0; i < self->shape_count; i++)
        for (uint32_t part = 0; part < shapes [i].part_count; part++)
            count += shapes [i].parts [part].count + (shapes [i].parts [part].count == 1);
    self->vertices = area_resize (NULL, count, sizeof *self->vertices);
    for (size_t i = 0; i < self->shape_count; i++)
        for (uint32_t part = 0; part < shapes [i].part_count; part++) {
            const areapart_t *each = &shapes [i].parts [part];
            for (uint32_t at = 0; at < each->count; at++)
                self->vertices [self->vertex_count++] = grid_point (points [each->first + at]);
            if (each->count == 1)
                self->vertices [self->vertex_count++] = grid_point (points [each->first]);
        }
}

areaindex_t *areaindex_new (const areaindex_shape_t *shapes, int count, const position_t *points)
{
    assert (count >= 0);
    areaindex_t *self = area_zeroed (1, sizeof *self);
    self->shape_count = (size_t)count;
    self->shapes = area_zeroed (self->shape_count, sizeof *self->shapes);
    for (size_t i = 0; i < self->shape_count; i++)
        self->shapes [i] = (grid_shape_t){ .kinds = shapes [i].kinds,
            .from_ms = shapes [i].from_ms,
            .until_ms = shapes [i].until_ms,
            .reach_m = shapes [i].reach_m,
            .polygon = shapes [i].polygon,
            .single = !shapes [i].polygon && shapes [i].parts [0].count == 1 };
    s_copy_vertices (self, shapes, points);
    if (self->vertex_count)
        areabuild_grid (self, shapes);
    return self;
}

void areaindex_destroy (areaindex_t **self_p)
{
    assert (self_p);
    areaindex_t *self = *self_p;
    if (self) {
        free (self->words);
        free (self->vertices);
        free (self->shapes);
        free (self);
        *self_p = NULL;
    }
}

size_t areaindex_memory (const areaindex_t *self)
{
    return sizeof *self + self->word_count * sizeof *self->words + self->vertex_count * sizeof *self->vertices
        + self->shape_count * sizeof *self->shapes;
}

static inline bool s_wanted (const grid_shape_t *shape, int number, const areaindex_filter_t *filter)
{
    if (filter->only && number + 1 != filter->only)
        return false;
    return filter->every
        || ((shape->kinds & filter->kinds) && filter->when_ms >= shape->from_ms && filter->when_ms < shape->until_ms);
}

//  Square of the distance to the nearest edge of a run; edges surely farther than `far` metres are passed over.
static inline double s_run_distance2 (const s_probe_t *probe, const grid_point_t *vertex, uint32_t edges, double far)
{
    double least = INFINITY;
    double ax = (double)(vertex [0].x - probe->at.x) * probe->unit_x;
    double ay = (double)(vertex [0].y - probe->at.y) * probe->unit_y;
    for (uint32_t i = 1; i <= edges; i++) {
        double bx = (double)(vertex [i].x - probe->at.x) * probe->unit_x;
        double by = (double)(vertex [i].y - probe->at.y) * probe->unit_y;
        if (!((ax > far && bx > far) || (ax < -far && bx < -far) || (ay > far && by > far) || (ay < -far && by < -far))) {
            double dx = bx - ax, dy = by - ay, length2 = dx * dx + dy * dy;
            double share = length2 > 0 ? -(ax * dx + ay * dy) / length2 : 0;
            share = share < 0 ? 0 : share > 1 ? 1 : share;
            double x = ax + share * dx, y = ay + share * dy, distance2 = x * x + y * y;
            if (distance2 < least)
                least = distance2;
        }
        ax = bx;
        ay = by;
    }
    return least;
}

//  The worst hit goes when there is no room: one outside before one inside, the farther, the higher number.
static bool s_worse (const areaindex_hit_t *a, const areaindex_hit_t *b)
{
    if (a->inside != b->inside)
        return b->inside;
    if (!a->inside && a->border_m != b->border_m)
        return a->border_m > b->border_m;
    return a->shape > b->shape;
}

static void s_add (s_probe_t *probe, const areaindex_hit_t *hit)
{
    if (probe->count < probe->room) {
        probe->hits [probe->count++] = *hit;
        return;
    }
    int worst = 0;
    for (int i = 1; i < probe->count; i++)
        if (s_worse (&probe->hits [i], &probe->hits [worst]))
            worst = i;
    if (s_worse (&probe->hits [worst], hit))
        probe->hits [worst] = *hit;
}

//  Adds what another leaf knows of a shape to its hit.
static void s_merge (s_probe_t *probe, int number, double distance)
{
    for (int i = 0; i < probe->count; i++)
        if (probe->hits [i].shape == number) {
            if (distance < probe->hits [i].border_m)
                probe->hits [i].border_m = distance;
            return;
        }
    const grid_shape_t *shape = &probe->index->shapes [number];
    areaindex_hit_t hit = { .shape = number, .border_m = distance, .inside = !shape->polygon && distance <= shape->reach_m };
    s_add (probe, &hit);
}

static double s_checkpoint_distance (const s_probe_t *probe, const grid_point_t *vertex)
{
    position_t middle = { .lat = (double)vertex->y / GRID_UNITS, .lon = (double)vertex->x / GRID_UNITS };
    return distance_m (probe->position, middle);
}

//  Edges lie far from their leaf and from each other: they are sent for together, not one after the other.
static inline void s_prefetch (const areaindex_t *index, const uint32_t *leaf)
{
    for (uint32_t entries = *leaf++ & GRID_ENTRIES; entries; entries--) {
        uint32_t runs = leaf [1];
        leaf += 2;
        for (uint32_t i = 0; i < runs; i++)
            __builtin_prefetch (&index->vertices [leaf [i] >> GRID_RUN_BITS]);
        leaf += runs;
    }
}

//  Reads one leaf. In the home leaf (reference given) polygons learn whether the point is inside.
static void s_read_leaf (s_probe_t *probe, const uint32_t *leaf, const grid_point_t *reference)
{
    const areaindex_t *index = probe->index;
    s_prefetch (index, leaf);
    uint32_t entries = *leaf++ & GRID_ENTRIES;
    for (; entries; entries--) {
        int number = (int)(leaf [0] >> 1);
        bool inside = leaf [0] & 1;
        uint32_t runs = leaf [1];
        const uint32_t *run = leaf + 2;
        leaf = run + runs;
        const grid_shape_t *shape = &index->shapes [number];
        if (!s_wanted (shape, number, probe->filter))
            continue;
        double far = probe->radius_m + shape->reach_m, least = INFINITY;
        for (uint32_t i = 0; i < runs; i++) {
            const grid_point_t *vertex = &index->vertices [run [i] >> GRID_RUN_BITS];
            uint32_t edges = run [i] & GRID_RUN_MAX;
            double distance2 = s_run_distance2 (probe, vertex, edges, far);
            if (distance2 < least)
                least = distance2;
            if (reference && shape->polygon)
                inside ^= grid_flips (vertex, edges, *reference, probe->at);
        }
        double distance = INFINITY;
        if (shape->single && runs)
            distance = s_checkpoint_distance (probe, &index->vertices [run [0] >> GRID_RUN_BITS]);
        else if (least <= far * far)
            distance = sqrt (least);
        if (!reference) {
            if (distance <= far)
                s_merge (probe, number, distance);
            continue;
        }
        if (!shape->polygon)
            inside = distance <= shape->reach_m;
        if (inside || distance <= far) {
            areaindex_hit_t hit = {
                .shape = number, .inside = inside, .border_m = distance, .touching = shape->polygon && distance < TOUCHING_M
            };
            s_add (probe, &hit);
        }
    }
}

static void s_add_sole (s_probe_t *probe, int number)
{
    if (s_wanted (&probe->index->shapes [number], number, probe->filter)) {
        areaindex_hit_t hit = { .shape = number, .inside = true, .border_m = INFINITY };
        s_add (probe, &hit);
    }
}

//  All leaves that the box meets, but the home leaf.
static void s_visit (
    s_probe_t *probe, const uint32_t *cell, grid_point_t corner, int shift, grid_point_t low, grid_point_t high)
{
    const uint32_t *words = probe->index->words;
    if (!(*cell & GRID_NODE)) {
        if (cell != probe->home && !(*cell & GRID_SOLE))
            s_read_leaf (probe, words + *cell, NULL);
        return;
    }
    const uint32_t *node = words + (*cell & (GRID_PLACES - 1));
    int bits = (int)(*cell >> GRID_CUT_BITS & 3);
    int64_t last = ((int64_t)1 << bits) - 1;
    shift -= bits;
    int64_t i0 = (low.x - corner.x) >> shift, i1 = (high.x - corner.x) >> shift;
    int64_t j0 = (low.y - corner.y) >> shift, j1 = (high.y - corner.y) >> shift;
    i0 = i0 < 0 ? 0 : i0;
    j0 = j0 < 0 ? 0 : j0;
    i1 = i1 > last ? last : i1;
    j1 = j1 > last ? last : j1;
    for (int64_t j = j0; j <= j1; j++)
        for (int64_t i = i0; i <= i1; i++) {
            grid_point_t child = { corner.x + i * ((int64_t)1 << shift), corner.y + j * ((int64_t)1 << shift) };
            s_visit (probe, node + (j << bits) + i, child, shift, low, high);
        }
}

//  Reads the leaf the point lies in and says where it is; false if the point lies outside the root.
static bool s_read_home (s_probe_t *probe, grid_point_t *corner, int *shift)
{
    const areaindex_t *index = probe->index;
    uint64_t x = (uint64_t)(probe->at.x - index->corner.x), y = (uint64_t)(probe->at.y - index->corner.y);
    *shift = index->shift;
    if (x >> *shift || y >> *shift)
        return false;
    const uint32_t *cell = &index->root;
    while (*cell & GRID_NODE) {
        const uint32_t *node = index->words + (*cell & (GRID_PLACES - 1));
        uint32_t bits = *cell >> GRID_CUT_BITS & 3;
        *shift -= (int)bits;
        uint64_t mask = ((uint64_t)1 << bits) - 1;
        cell = node + ((y >> *shift & mask) << bits) + (x >> *shift & mask);
    }
    corner->x = index->corner.x + (int64_t)(x >> *shift << *shift);
    corner->y = index->corner.y + (int64_t)(y >> *shift << *shift);
    probe->home = cell;
    if (*cell & GRID_SOLE) {
        probe->banded = true;
        if (*cell != GRID_EMPTY)
            s_add_sole (probe, (int)(*cell & ~GRID_SOLE));
        return true;
    }
    const uint32_t *leaf = index->words + *cell;
    grid_point_t reference = grid_reference (*corner, *shift, *leaf >> 24);
    probe->banded = *leaf & GRID_BANDED;
    s_read_leaf (probe, leaf, &reference);
    return true;
}

//  From the distance to the middle of a line to that of its border; what is too far goes.
static void s_finish (s_probe_t *probe)
{
    int kept = 0;
    for (int i = 0; i < probe->count; i++) {
        areaindex_hit_t hit = probe->hits [i];
        const grid_shape_t *shape = &probe->index->shapes [hit.shape];
        if (!shape->polygon) {
            hit.inside = hit.border_m <= shape->reach_m;
            hit.border_m = fabs (hit.border_m - shape->reach_m);
        }
        if (hit.border_m > probe->radius_m)
            hit.border_m = INFINITY;
        if (hit.inside || hit.touching || hit.border_m <= probe->radius_m)
            probe->hits [kept++] = hit;
    }
    probe->count = kept;
}

int areaindex_near (const areaindex_t *self, position_t position, double radius_m, const areaindex_filter_t *filter,
    areaindex_hit_t *hits, int room)
{
    assert (self && position_valid (position) && room > 0);
    if (!self->vertex_count)
        return 0;
    s_probe_t probe = { .index = self,
        .filter = filter,
        .position = position,
        .at = grid_point (position),
        .hits = hits,
        .room = room,
        .radius_m = radius_m > 0.001 ? radius_m : 0.001 };
    probe.unit_y = DEGREE_M / GRID_UNITS;
    probe.unit_x = probe.unit_y * fmax (cos (position.lat * M_PI / 180), 1e-6);

    int64_t reach_x = (int64_t)fmin (probe.radius_m / probe.unit_x, 360 * GRID_UNITS) + 1;
    int64_t reach_y = (int64_t)(probe.radius_m / probe.unit_y) + 1;
    grid_point_t low = { probe.at.x - reach_x, probe.at.y - reach_y };
    grid_point_t high = { probe.at.x + reach_x, probe.at.y + reach_y };
    grid_point_t corner;
    int shift;
    bool home = s_read_home (&probe, &corner, &shift);
    if (home && probe.banded && probe.radius_m <= AREAINDEX_BAND_M) {
        s_finish (&probe);
        return probe.count;
    }
    int64_t side = (int64_t)1 << shift;
    if (!home || low.x < corner.x || low.y < corner.y || high.x >= corner.x + side || high.y >= corner.y + side)
        s_visit (&probe, &self->root, self->corner, self->shift, low, high);
    s_finish (&probe);
    return probe.count;
}
