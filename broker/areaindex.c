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
    double degree_x, degree_y; //  metres of one here
    double radius_m;
    areaindex_hit_t *hits;
    int count, room;
    grid_point_t corner; //  of the cell that was read first
    int shift;           //  -1 if none was
    bool banded;         //  it lists all there is within AREAINDEX_BAND_M
} s_probe_t;

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
    self->points = points;
    if (count)
        areabuild_grid (self, shapes);
    return self;
}

void areaindex_destroy (areaindex_t **self_p)
{
    assert (self_p);
    areaindex_t *self = *self_p;
    if (self) {
        free (self->top);
        free (self->words);
        free (self->shapes);
        free (self);
        *self_p = NULL;
    }
}

size_t areaindex_memory (const areaindex_t *self)
{
    return sizeof *self + self->word_count * sizeof *self->words + self->shape_count * sizeof *self->shapes
        + (size_t)self->top_wide * self->top_tall * sizeof *self->top;
}

static inline bool s_wanted (const grid_shape_t *shape, int number, const areaindex_filter_t *filter)
{
    if (filter->only && number + 1 != filter->only)
        return false;
    return filter->every
        || ((shape->kinds & filter->kinds) && filter->when_ms >= shape->from_ms && filter->when_ms < shape->until_ms);
}

//  Square of the distance to the nearest edge of a run; edges surely farther than `far` metres are passed over.
static inline double s_run_distance2 (const s_probe_t *probe, const position_t *points, uint32_t edges, double far)
{
    double least = INFINITY;
    double ax = (points [0].lon - probe->position.lon) * probe->degree_x;
    double ay = (points [0].lat - probe->position.lat) * probe->degree_y;
    for (uint32_t i = 1; i <= edges; i++) {
        double bx = (points [i].lon - probe->position.lon) * probe->degree_x;
        double by = (points [i].lat - probe->position.lat) * probe->degree_y;
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

static inline uint32_t s_drawn (uint32_t counts)
{
    counts &= GRID_UNDRAWN;
    return counts == GRID_UNDRAWN ? 0 : counts;
}

//  A point as a leaf's raster has it.
typedef struct {
    int64_t x, y;   //  squares from the leaf's corner
    int64_t dx, dy; //  from the reference to the point
    int64_t doubt;  //  squares within which an edge must be asked itself
} s_square_t;

static inline s_square_t s_square (grid_point_t at, grid_point_t corner, grid_point_t reference, int shift)
{
    int fine = shift - GRID_RASTER_BITS;
    s_square_t square = { .x = (at.x - corner.x) >> fine, .y = (at.y - corner.y) >> fine, .doubt = grid_doubt (shift) };
    square.dx = square.x - ((reference.x - corner.x) >> fine);
    square.dy = square.y - ((reference.y - corner.y) >> fine);
    return square;
}

//  Do the drawn edges flip inside and outside on the way to the point from the reference? 0 or 1; -1 if one of them is too near to say.
static inline int s_drawn_flips (const uint32_t *word, uint32_t count, s_square_t at)
{
    int64_t ax = 0, ay = 0;
    bool chained = false, left = false;
    int flips = 0;
    for (; count; count--, word++) {
        if (*word == GRID_GAP) {
            chained = false;
            continue;
        }
        int64_t bx = (int16_t)*word - at.x, by = (int16_t)(*word >> 16) - at.y;
        bool next = at.dx * by > at.dy * bx;
        if (chained) {
            if (grid_doubtful (ax, ay, bx, by, at.doubt))
                return -1;
            if (next != left)
                flips ^= (ax * by > ay * bx) != ((ax + at.dx) * (by + at.dy) > (ay + at.dy) * (bx + at.dx));
        }
        chained = true;
        left = next;
        ax = bx;
        ay = by;
    }
    return flips;
}

//  Edges lie far from their leaf and from each other: they are sent for together, not one after the other.
static inline void s_prefetch (const areaindex_t *index, const uint32_t *entry, uint32_t entries)
{
    for (; entries; entries--) {
        uint32_t runs = entry [1] >> GRID_DRAWN_BITS;
        entry += 2 + s_drawn (entry [1]);
        for (uint32_t i = 0; i < runs; i++)
            __builtin_prefetch (&index->points [entry [i] >> GRID_RUN_BITS]);
        entry += runs;
    }
}

//  A shape as the edges of a leaf show it. With a reference a polygon learns whether the point is inside.
static void s_read_edges (
    s_probe_t *probe, int number, bool inside, const uint32_t *run, uint32_t runs, const grid_point_t *reference)
{
    const areaindex_t *index = probe->index;
    const grid_shape_t *shape = &index->shapes [number];
    double far = probe->radius_m + shape->reach_m, least = INFINITY;
    for (uint32_t i = 0; i < runs && !shape->single; i++) {
        const position_t *points = &index->points [run [i] >> GRID_RUN_BITS];
        uint32_t edges = run [i] & GRID_RUN_MAX;
        double distance2 = s_run_distance2 (probe, points, edges, far);
        if (distance2 < least)
            least = distance2;
        if (reference && shape->polygon)
            inside ^= grid_flips (points, edges, *reference, probe->at);
    }
    double distance = INFINITY;
    if (shape->single && runs)
        distance = distance_m (probe->position, index->points [run [0] >> GRID_RUN_BITS]);
    else if (least <= far * far)
        distance = sqrt (least);
    if (!reference) {
        if (distance <= far)
            s_merge (probe, number, distance);
        return;
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

//  Reads a leaf that is not the home leaf.
static void s_read_leaf (s_probe_t *probe, const uint32_t *leaf)
{
    uint32_t entries = leaf [0];
    s_prefetch (probe->index, leaf + 2, entries);
    for (leaf += 2; entries; entries--) {
        int number = (int)(leaf [0] >> 1);
        uint32_t runs = leaf [1] >> GRID_DRAWN_BITS;
        const uint32_t *run = leaf + 2 + s_drawn (leaf [1]);
        leaf = run + runs;
        if (s_wanted (&probe->index->shapes [number], number, probe->filter))
            s_read_edges (probe, number, false, run, runs, NULL);
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
        bool home = shift == probe->shift && corner.x == probe->corner.x && corner.y == probe->corner.y;
        if (!home && !(*cell & GRID_SOLE))
            s_read_leaf (probe, words + *cell);
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

//  The cell without cells of its own that the point lies in, and where that is: a leaf's own place; of a larger cell that has none
//  at least a square of the top. GRID_EMPTY and shift -1 if the point lies outside the root.
static inline uint32_t s_descend (const areaindex_t *index, grid_point_t at, grid_point_t *corner, int *shift_p)
{
    uint64_t x = (uint64_t)(at.x - index->corner.x), y = (uint64_t)(at.y - index->corner.y);
    int shift = index->shift;
    uint32_t cell = index->root;
    *shift_p = -1;
    if (x >> shift || y >> shift)
        return GRID_EMPTY;
    uint64_t i = (x >> index->top_shift) - index->top_x, j = (y >> index->top_shift) - index->top_y;
    if (i < index->top_wide && j < index->top_tall) {
        shift = index->top_shift;
        cell = index->top [j * index->top_wide + i];
    }
    while (cell & GRID_NODE) {
        const uint32_t *node = index->words + (cell & (GRID_PLACES - 1));
        uint32_t bits = cell >> GRID_CUT_BITS & 3;
        shift -= (int)bits;
        uint64_t mask = ((uint64_t)1 << bits) - 1;
        cell = node [((y >> shift & mask) << bits) + (x >> shift & mask)];
    }
    if (!(cell & GRID_SOLE))
        shift = grid_leaf_shift (index->words + cell);
    corner->x = index->corner.x + (int64_t)(x >> shift << shift);
    corner->y = index->corner.y + (int64_t)(y >> shift << shift);
    *shift_p = shift;
    return cell;
}

//  Reads the leaf the point lies in. A shape that has no edge within the radius is known by its drawing alone.
static void s_read_home_leaf (s_probe_t *probe, const uint32_t *leaf)
{
    const areaindex_t *index = probe->index;
    uint32_t entries = leaf [0];
    grid_point_t reference = grid_reference (probe->corner, probe->shift, grid_leaf_reference (leaf));
    s_square_t square = s_square (probe->at, probe->corner, reference, probe->shift);
    bool drawn = leaf [1] & GRID_FRAMED && probe->radius_m <= AREAINDEX_BAND_M, sent = false;
    square.doubt += (int64_t)(probe->radius_m / (probe->degree_x * (double)((int64_t)1 << (probe->shift - GRID_RASTER_BITS)))
        * GRID_UNITS);
    probe->banded = leaf [1] & GRID_BANDED;
    for (leaf += 2; entries; entries--) {
        const uint32_t *entry = leaf, *words = leaf + 2;
        int number = (int)(leaf [0] >> 1);
        bool inside = leaf [0] & 1;
        uint32_t runs = leaf [1] >> GRID_DRAWN_BITS, count = leaf [1] & GRID_UNDRAWN;
        const uint32_t *run = words + s_drawn (leaf [1]);
        leaf = run + runs;
        if (!s_wanted (&index->shapes [number], number, probe->filter))
            continue;
        int flips = drawn && count != GRID_UNDRAWN ? s_drawn_flips (words, count, square) : -1;
        if (flips < 0) {
            if (!sent)
                s_prefetch (index, entry, entries);
            sent = true;
            s_read_edges (probe, number, inside, run, runs, &reference);
        } else if (inside ^ flips) {
            areaindex_hit_t hit = { .shape = number, .inside = true, .border_m = INFINITY };
            s_add (probe, &hit);
        }
    }
}

//  Reads the cell the point lies in.
static void s_read_home (s_probe_t *probe)
{
    const areaindex_t *index = probe->index;
    uint32_t cell = s_descend (index, probe->at, &probe->corner, &probe->shift);
    if (cell & GRID_SOLE) {
        probe->banded = probe->shift >= 0;
        if (cell != GRID_EMPTY)
            s_add_sole (probe, (int)(cell & ~GRID_SOLE));
        return;
    }
    s_read_home_leaf (probe, index->words + cell);
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
    if (!self->shape_count)
        return 0;
    s_probe_t probe = { .index = self,
        .filter = filter,
        .position = position,
        .at = grid_point (position),
        .hits = hits,
        .room = room,
        .radius_m = radius_m > 0.001 ? radius_m : 0.001 };
    probe.degree_y = DEGREE_M;
    probe.degree_x = DEGREE_M * fmax (cos (position.lat * M_PI / 180), 1e-6);

    int64_t reach_x = (int64_t)(fmin (probe.radius_m / probe.degree_x, 360) * GRID_UNITS) + 1;
    int64_t reach_y = (int64_t)(probe.radius_m / probe.degree_y * GRID_UNITS) + 1;
    grid_point_t low = { probe.at.x - reach_x, probe.at.y - reach_y };
    grid_point_t high = { probe.at.x + reach_x, probe.at.y + reach_y };
    s_read_home (&probe);
    if (probe.banded && probe.radius_m <= AREAINDEX_BAND_M) {
        s_finish (&probe);
        return probe.count;
    }
    grid_point_t corner = probe.corner;
    int64_t side = probe.shift < 0 ? 0 : (int64_t)1 << probe.shift;
    if (low.x < corner.x || low.y < corner.y || high.x >= corner.x + side || high.y >= corner.y + side)
        s_visit (&probe, &self->root, self->corner, self->shift, low, high);
    s_finish (&probe);
    return probe.count;
}

int areaindex_first (const areaindex_t *self, position_t position, const areaindex_filter_t *filter)
{
    assert (self && position_valid (position));
    if (!self->shape_count)
        return AREAINDEX_NONE;
    grid_point_t corner, at = grid_point (position);
    int shift;
    uint32_t cell = s_descend (self, at, &corner, &shift);
    if (cell & GRID_SOLE) {
        int number = (int)(cell & ~GRID_SOLE);
        return cell != GRID_EMPTY && s_wanted (&self->shapes [number], number, filter) ? number : AREAINDEX_NONE;
    }
    const uint32_t *leaf = self->words + cell;
    grid_point_t reference = grid_reference (corner, shift, grid_leaf_reference (leaf));
    s_square_t square = s_square (at, corner, reference, shift);
    uint32_t entries = leaf [0];
    for (leaf += 2; entries; entries--) {
        int number = (int)(leaf [0] >> 1), inside = leaf [0] & 1;
        uint32_t runs = leaf [1] >> GRID_DRAWN_BITS, drawn = leaf [1] & GRID_UNDRAWN;
        const uint32_t *words = leaf + 2;
        int flips = drawn == GRID_UNDRAWN ? -1 : s_drawn_flips (words, drawn, square);
        leaf = words + s_drawn (leaf [1]) + runs;
        if ((flips < 0 || inside ^ flips) && s_wanted (&self->shapes [number], number, filter))
            return flips < 0 ? AREAINDEX_ASK : number;
    }
    return AREAINDEX_NONE;
}
