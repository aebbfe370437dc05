//  Cuts space into cells until few edges lie in each

#include <assert.h>
#include <math.h>
#include <string.h>
#include "areagrid.h"
#include "areamem.h"

#define LEAF_EDGES 16 //  a leaf with fewer is not cut
#define BAND_EDGES 96 //  a leaf with more edges, those around it counted too, does without those around it
#define SHIFT_MIN 24  //  nor one of 2^24 units, about 2 m
#define REFERENCES 256

//  One shape within one cell or its band, which is AREAINDEX_BAND_M around it.
typedef struct {
    uint32_t shape;
    bool inside;     //  at the cell's reference point
    uint32_t *edges; //  numbers, rising
    size_t edge_count;
    size_t own; //  those that touch the cell itself
} s_item_t;

typedef struct {
    grid_point_t corner;
    int shift;
    uint32_t reference;
    s_item_t *items;
    size_t item_count;
} s_cell_t;

typedef struct {
    areaindex_t *index;
    size_t room;               //  words
    grid_point_t *vertices;    //  the points in units
    grid_point_t low, high;    //  of all points
    size_t budget;             //  words after which no more cells are cut
    double *reach_x, *reach_y; //  by shape, in units
    double band_x, band_y;     //  AREAINDEX_BAND_M in units
} s_build_t;

static uint32_t s_put (s_build_t *build, uint32_t word)
{
    areaindex_t *index = build->index;
    index->words = area_grow (index->words, index->word_count, &build->room, sizeof *index->words);
    index->words [index->word_count] = word;
    assert (index->word_count < GRID_PLACES);
    return (uint32_t)index->word_count++;
}

static void s_edge (const s_build_t *build, uint32_t shape, uint32_t edge, grid_point_t *vertex)
{
    vertex [0] = build->vertices [edge];
    vertex [1] = build->vertices [build->index->shapes [shape].single ? edge : edge + 1];
}

//  Could the edge, widened by the reach, touch the cell, with or without its band? Never no when it does.
static bool s_touches (const s_build_t *build, const s_cell_t *cell, bool band, uint32_t shape, uint32_t edge)
{
    grid_point_t vertex [2];
    s_edge (build, shape, edge, vertex);
    double half = (double)((int64_t)1 << cell->shift) / 2;
    double half_x = half + GRID_MARGIN + build->reach_x [shape] + (band ? build->band_x : 0);
    double half_y = half + GRID_MARGIN + build->reach_y [shape] + (band ? build->band_y : 0);
    double ax = (double)(vertex [0].x - cell->corner.x) - half, ay = (double)(vertex [0].y - cell->corner.y) - half;
    double bx = (double)(vertex [1].x - cell->corner.x) - half, by = (double)(vertex [1].y - cell->corner.y) - half;
    if (fmin (ax, bx) > half_x || fmax (ax, bx) < -half_x || fmin (ay, by) > half_y || fmax (ay, by) < -half_y)
        return false;
    double dx = bx - ax, dy = by - ay;
    return fabs (dx * ay - dy * ax) <= half_x * fabs (dy) + half_y * fabs (dx);
}

//  On its line is near enough; an edge without length flips nothing.
static bool s_on_edge (const grid_point_t *vertex, grid_point_t p)
{
    if (vertex [0].x == vertex [1].x && vertex [0].y == vertex [1].y)
        return false;
    return !grid_left (vertex [0], vertex [1], p) && !grid_left (vertex [1], vertex [0], p);
}

//  ---- the raster

typedef struct {
    int64_t x, y;
} s_square_t;

#define RASTER_LOW (-(1 << GRID_RASTER_BITS))
#define RASTER_HIGH (2 << GRID_RASTER_BITS)

static s_square_t s_square (const s_cell_t *cell, grid_point_t p)
{
    int shift = cell->shift - GRID_RASTER_BITS;
    int64_t half = (int64_t)1 << (shift - 1);
    return (s_square_t){ (p.x - cell->corner.x + half) >> shift, (p.y - cell->corner.y + half) >> shift };
}

static bool s_on_raster (s_square_t square)
{
    return square.x > RASTER_LOW && square.x < RASTER_HIGH && square.y > RASTER_LOW && square.y < RASTER_HIGH;
}

//  The share of the way from a to b at which it enters (or, from b's end, leaves) the raster.
static double s_enters (double ax, double ay, double bx, double by)
{
    double share = 0, low = RASTER_LOW + 1, high = RASTER_HIGH - 1;
    if (ax < low || ax > high)
        share = fmax (share, ((ax < low ? low : high) - ax) / (bx - ax));
    if (ay < low || ay > high)
        share = fmax (share, ((ay < low ? low : high) - ay) / (by - ay));
    return share;
}

//  An edge as it is drawn, one that meets the raster: what lies beyond is cut off. Doubles suffice: a square is at least 1024 units.
static void s_draw (const s_cell_t *cell, const grid_point_t *vertex, s_square_t *a, s_square_t *b)
{
    *a = s_square (cell, vertex [0]);
    *b = s_square (cell, vertex [1]);
    if (s_on_raster (*a) && s_on_raster (*b))
        return;
    double unit = (double)((int64_t)1 << (cell->shift - GRID_RASTER_BITS));
    double ax = (double)(vertex [0].x - cell->corner.x) / unit, ay = (double)(vertex [0].y - cell->corner.y) / unit;
    double bx = (double)(vertex [1].x - cell->corner.x) / unit, by = (double)(vertex [1].y - cell->corner.y) / unit;
    double from = s_enters (ax, ay, bx, by), to = 1 - s_enters (bx, by, ax, ay);
    *a = (s_square_t){ llround (ax + from * (bx - ax)), llround (ay + from * (by - ay)) };
    *b = (s_square_t){ llround (ax + to * (bx - ax)), llround (ay + to * (by - ay)) };
}

//  Would the raster leave a doubt about the point?
static bool s_doubtful (const s_cell_t *cell, const grid_point_t *vertex, grid_point_t p)
{
    s_square_t a, b, at = s_square (cell, p);
    s_draw (cell, vertex, &a, &b);
    return grid_doubtful (a.x - at.x, a.y - at.y, b.x - at.x, b.y - at.y, grid_doubt (cell->shift));
}

//  ---- references

//  Does the point lie on the line of an edge in the cell, or (drawn) so near to one of the cell's own that the raster does not tell?
static bool s_taken (const s_build_t *build, const s_cell_t *cell, grid_point_t p, bool drawn)
{
    for (size_t i = 0; i < cell->item_count; i++) {
        const s_item_t *item = &cell->items [i];
        for (size_t e = 0; build->index->shapes [item->shape].polygon && e < item->edge_count; e++) {
            grid_point_t vertex [2];
            s_edge (build, item->shape, item->edges [e], vertex);
            if (s_on_edge (vertex, p)
                || (drawn && s_touches (build, cell, false, item->shape, item->edges [e]) && s_doubtful (cell, vertex, p)))
                return true;
        }
    }
    return false;
}

//  A reference that lies on no edge; if the cell may be a leaf, one that does not on its raster either.
static uint32_t s_choose_reference (const s_build_t *build, const s_cell_t *cell)
{
    size_t own = 0;
    for (size_t i = 0; i < cell->item_count; i++)
        own += cell->items [i].own;
    for (int drawn = own <= BAND_EDGES; drawn >= 0; drawn--)
        for (uint32_t number = 0; number < REFERENCES - 1; number++)
            if (!s_taken (build, cell, grid_reference (cell->corner, cell->shift, number), drawn))
                return number;
    return REFERENCES - 1;
}

//  The part of a parent's shape that lies in this cell; the reference is not chosen yet.
static void s_inherit (const s_build_t *build, s_cell_t *cell, const s_item_t *parent)
{
    s_item_t item = { .shape = parent->shape, .inside = parent->inside };
    for (size_t e = 0; e < parent->edge_count; e++) {
        if (!s_touches (build, cell, true, parent->shape, parent->edges [e]))
            continue;
        if (!item.edges)
            item.edges = area_resize (NULL, parent->edge_count - e, sizeof *item.edges);
        item.edges [item.edge_count++] = parent->edges [e];
        item.own += s_touches (build, cell, false, parent->shape, parent->edges [e]);
    }
    if (item.edge_count)
        item.edges = area_resize (item.edges, item.edge_count, sizeof *item.edges);
    cell->items [cell->item_count++] = item;
}

//  The way from the parent's reference to the child's stays in the parent, so the parent's edges decide.
static void s_settle (const s_build_t *build, const s_cell_t *parent, s_cell_t *child)
{
    grid_point_t from = grid_reference (parent->corner, parent->shift, parent->reference);
    grid_point_t to = grid_reference (child->corner, child->shift, child->reference);
    size_t kept = 0;
    for (size_t i = 0; i < child->item_count; i++) {
        s_item_t *item = &child->items [i];
        const s_item_t *above = &parent->items [i];
        if (build->index->shapes [item->shape].polygon)
            for (size_t e = 0; e < above->edge_count; e++)
                item->inside ^= grid_flips (&build->index->points [above->edges [e]], 1, from, to);
        if (item->inside || item->edge_count)
            child->items [kept++] = *item;
    }
    child->item_count = kept;
}

static void s_free_items (s_cell_t *cell)
{
    for (size_t i = 0; i < cell->item_count; i++)
        free (cell->items [i].edges);
    free (cell->items);
}

//  Takes the edges of the band out, and the shapes that are only there.
static void s_drop_band (const s_build_t *build, s_cell_t *cell)
{
    size_t kept = 0;
    for (size_t i = 0; i < cell->item_count; i++) {
        s_item_t *item = &cell->items [i];
        size_t own = 0;
        for (size_t e = 0; e < item->edge_count; e++)
            if (s_touches (build, cell, false, item->shape, item->edges [e]))
                item->edges [own++] = item->edges [e];
        item->edge_count = own;
        if (item->inside || own)
            cell->items [kept++] = *item;
        else
            free (item->edges);
    }
    cell->item_count = kept;
}

//  Does the raster reach over the cell's band?
static bool s_framed (const s_build_t *build, const s_cell_t *cell)
{
    return (double)((int64_t)1 << cell->shift) > 1.1 * fmax (build->band_x, build->band_y) + GRID_MARGIN;
}

//  A polygon's edges, in the cell itself or all that are listed; how many words, GRID_UNDRAWN if they are not drawn.
static uint32_t s_put_drawn (s_build_t *build, const s_cell_t *cell, const s_item_t *item, bool all)
{
    areaindex_t *index = build->index;
    if (!(all ? item->edge_count : item->own))
        return 0;
    if (!index->shapes [item->shape].polygon)
        return GRID_UNDRAWN;
    grid_point_t reference = grid_reference (cell->corner, cell->shift, cell->reference);
    size_t start = index->word_count;
    uint32_t last = GRID_GAP;
    bool good = true;
    for (size_t e = 0; e < item->edge_count && good; e++) {
        if (!all && !s_touches (build, cell, false, item->shape, item->edges [e]))
            continue;
        grid_point_t vertex [2];
        s_square_t a, b;
        s_edge (build, item->shape, item->edges [e], vertex);
        s_draw (cell, vertex, &a, &b);
        uint32_t from = (uint32_t)(a.y & 0xFFFF) << 16 | (uint32_t)(a.x & 0xFFFF);
        uint32_t to = (uint32_t)(b.y & 0xFFFF) << 16 | (uint32_t)(b.x & 0xFFFF);
        if (from != last) {
            if (last != GRID_GAP)
                s_put (build, GRID_GAP);
            s_put (build, from);
        }
        s_put (build, to);
        last = to;
        good = index->word_count - start < GRID_UNDRAWN && !s_doubtful (cell, vertex, reference);
    }
    if (good)
        return (uint32_t)(index->word_count - start);
    index->word_count = start;
    return GRID_UNDRAWN;
}

static void s_put_edges (s_build_t *build, const s_cell_t *cell, const s_item_t *item, bool all)
{
    uint32_t count_at = s_put (build, 0), drawn = s_put_drawn (build, cell, item, all), runs = 0;
    for (size_t e = 0; e < item->edge_count;) {
        uint32_t first = item->edges [e], count = 1;
        while (e + count < item->edge_count && item->edges [e + count] == first + count && count < GRID_RUN_MAX)
            count++;
        s_put (build, first << GRID_RUN_BITS | count);
        e += count;
        runs++;
    }
    build->index->words [count_at] = runs << GRID_DRAWN_BITS | drawn;
}

//  `last` is the leaf written before: a neighbour without edges is most often the same.
static uint32_t s_put_leaf (s_build_t *build, s_cell_t *cell, uint32_t *last)
{
    size_t edges = 0;
    for (size_t i = 0; i < cell->item_count; i++)
        edges += cell->items [i].edge_count;
    if (edges > BAND_EDGES)
        s_drop_band (build, cell);
    if (edges == 0 && cell->item_count == 0)
        return GRID_EMPTY;
    if (edges == 0 && cell->item_count == 1)
        return GRID_SOLE | cell->items [0].shape;
    bool framed = edges <= BAND_EDGES && s_framed (build, cell);
    uint32_t flags = (edges <= BAND_EDGES ? GRID_BANDED : 0) | (framed ? GRID_FRAMED : 0);
    uint32_t at = s_put (build, (uint32_t)cell->item_count);
    s_put (build, flags | (uint32_t)cell->shift << 8 | cell->reference);
    for (size_t i = 0; i < cell->item_count; i++) {
        s_put (build, cell->items [i].shape << 1 | cell->items [i].inside);
        s_put_edges (build, cell, &cell->items [i], framed);
    }
    areaindex_t *index = build->index;
    size_t size = index->word_count - at;
    if (*last < at && at - *last == size && memcmp (&index->words [*last], &index->words [at], size * 4) == 0) {
        index->word_count = at;
        return *last;
    }
    *last = at;
    return at;
}

//  Edges that smaller cells would share out; a wide line would only be listed in all of them.
static size_t s_weight (const s_build_t *build, const s_cell_t *cell)
{
    double side = (double)((int64_t)1 << cell->shift);
    size_t weight = 0;
    for (size_t i = 0; i < cell->item_count; i++)
        if (build->reach_y [cell->items [i].shape] < side / 4)
            weight += cell->items [i].own;
    return weight;
}

static uint32_t s_put_cell (s_build_t *build, s_cell_t *cell, uint32_t *last);

static uint32_t s_put_node (s_build_t *build, const s_cell_t *cell, int bits)
{
    uint32_t side = 1u << bits, last = UINT32_MAX;
    uint32_t at = s_put (build, 0);
    for (uint32_t i = 1; i < side * side; i++)
        s_put (build, 0);
    for (uint32_t i = 0; i < side * side; i++) {
        s_cell_t child = { .shift = cell->shift - bits };
        child.corner.x = cell->corner.x + ((int64_t)(i & (side - 1)) << child.shift);
        child.corner.y = cell->corner.y + ((int64_t)(i >> bits) << child.shift);
        child.items = area_zeroed (cell->item_count, sizeof *child.items);
        for (size_t each = 0; each < cell->item_count; each++)
            s_inherit (build, &child, &cell->items [each]);
        child.reference = s_choose_reference (build, &child);
        s_settle (build, cell, &child);
        uint32_t below = s_put_cell (build, &child, &last);
        build->index->words [at + i] = below;
        s_free_items (&child);
    }
    return GRID_NODE | (uint32_t)bits << GRID_CUT_BITS | at;
}

static uint32_t s_put_cell (s_build_t *build, s_cell_t *cell, uint32_t *last)
{
    size_t weight = s_weight (build, cell);
    int bits = weight > 12 * LEAF_EDGES ? 3 : weight > 3 * LEAF_EDGES ? 2 : 1;
    int above = cell->shift - build->index->top_shift;
    bits = above > 0 && bits > above ? above : bits;
    if (weight <= LEAF_EDGES || cell->shift - bits < SHIFT_MIN || build->index->word_count > build->budget)
        return s_put_leaf (build, cell, last);
    *last = UINT32_MAX;
    return s_put_node (build, cell, bits);
}

//  A square around everything, and so much larger that its reference point is outside all.
static void s_lay_root (s_build_t *build, s_cell_t *root)
{
    areaindex_t *index = build->index;
    double reach_x = 0, reach_y = 0;
    for (size_t i = 0; i < index->shape_count; i++) {
        reach_x = fmax (reach_x, build->reach_x [i]);
        reach_y = fmax (reach_y, build->reach_y [i]);
    }
    grid_point_t low = build->low, high = build->high;
    int64_t rim_x = (int64_t)reach_x + 2 * GRID_MARGIN, rim_y = (int64_t)reach_y + 2 * GRID_MARGIN;
    int64_t wide = high.x - low.x + 2 * rim_x, tall = high.y - low.y + 2 * rim_y;
    root->shift = SHIFT_MIN + 2;
    while (((int64_t)1 << root->shift) < (wide > tall ? wide : tall))
        root->shift++;

    //  reference 0 lies at fixed shares of the side, well inside; one more doubling lets us lay the shapes beside it
    root->shift++;
    root->corner = (grid_point_t){ low.x - rim_x, low.y - rim_y };
    grid_point_t zero = grid_reference ((grid_point_t){ 0, 0 }, root->shift, 0);
    int64_t half = (int64_t)1 << (root->shift - 1);
    if (zero.x < half && zero.y < half)
        root->corner.x -= half;
    index->corner = root->corner;
    index->shift = root->shift;
}

static void s_fill_root (s_build_t *build, s_cell_t *root, const areaindex_shape_t *shapes)
{
    areaindex_t *index = build->index;
    root->items = area_zeroed (index->shape_count, sizeof *root->items);
    for (size_t i = 0; i < index->shape_count; i++) {
        s_item_t *item = &root->items [root->item_count++];
        item->shape = (uint32_t)i;
        size_t room = 0;
        for (uint32_t part = 0; part < shapes [i].part_count; part++) {
            const areapart_t *each = &shapes [i].parts [part];
            uint32_t edges = index->shapes [i].single ? 1 : each->count - 1;
            item->edges = area_resize (item->edges, room += edges, sizeof *item->edges);
            for (uint32_t edge = 0; edge < edges; edge++)
                item->edges [item->edge_count++] = each->first + edge;
        }
        item->own = item->edge_count;
    }
}

//  The points in units, and the box around those of the shapes; how many there are.
static size_t s_measure (s_build_t *build, const areaindex_shape_t *shapes)
{
    size_t count = 0, room = 0;
    for (size_t i = 0; i < build->index->shape_count; i++)
        for (uint32_t part = 0; part < shapes [i].part_count; part++) {
            const areapart_t *each = &shapes [i].parts [part];
            size_t needed = (size_t)each->first + each->count;
            if (needed > room) {
                room = needed * 2;
                build->vertices = area_resize (build->vertices, room, sizeof *build->vertices);
            }
            for (uint32_t at = each->first; at < needed; at++) {
                grid_point_t p = build->vertices [at] = grid_point (build->index->points [at]), low = build->low,
                             high = build->high;
                if (count++ == 0)
                    low = high = p;
                build->low = (grid_point_t){ p.x < low.x ? p.x : low.x, p.y < low.y ? p.y : low.y };
                build->high = (grid_point_t){ p.x > high.x ? p.x : high.x, p.y > high.y ? p.y : high.y };
            }
        }
    return count;
}

//  The depth of the top: its squares over the box are at most half as many as there are vertices.
static void s_lay_top (areaindex_t *index, grid_point_t low, grid_point_t high, size_t vertices)
{
    size_t most = vertices / 2 < 1024 ? 1024 : vertices / 2;
    for (index->top_shift = index->shift; index->top_shift > SHIFT_MIN; index->top_shift--) {
        int shift = index->top_shift - 1;
        int64_t x = (low.x - index->corner.x) >> shift, wide = ((high.x - index->corner.x) >> shift) - x + 1;
        int64_t y = (low.y - index->corner.y) >> shift, tall = ((high.y - index->corner.y) >> shift) - y + 1;
        if ((double)wide * (double)tall > (double)most)
            break;
        index->top_x = (uint32_t)x;
        index->top_y = (uint32_t)y;
        index->top_wide = (uint32_t)wide;
        index->top_tall = (uint32_t)tall;
    }
}

static void s_fill_top (areaindex_t *index)
{
    index->top = area_zeroed ((size_t)index->top_wide * index->top_tall, sizeof *index->top);
    for (uint32_t j = 0; j < index->top_tall; j++)
        for (uint32_t i = 0; i < index->top_wide; i++) {
            uint32_t cell = index->root;
            int shift = index->shift - index->top_shift;
            while ((cell & GRID_NODE) && shift > 0) {
                uint32_t bits = cell >> GRID_CUT_BITS & 3, mask = (1u << bits) - 1;
                shift -= (int)bits;
                cell = index->words [(cell & (GRID_PLACES - 1)) + (((j + index->top_y) >> shift & mask) << bits)
                    + ((i + index->top_x) >> shift & mask)];
            }
            index->top [(size_t)j * index->top_wide + i] = cell;
        }
}

void areabuild_grid (areaindex_t *self, const areaindex_shape_t *shapes)
{
    s_build_t build = { .index = self };
    size_t vertices = s_measure (&build, shapes);
    build.budget = 1000000 + 64 * vertices;
    build.reach_x = area_zeroed (self->shape_count, sizeof (double));
    build.reach_y = area_zeroed (self->shape_count, sizeof (double));
    double beyond = fmax (fabs ((double)build.low.y), fabs ((double)build.high.y)) / GRID_UNITS;
    build.band_y = AREAINDEX_BAND_M / DEGREE_M * GRID_UNITS * 1.001;
    build.band_x = fmin (build.band_y / cos (fmin (beyond + 0.001, 89.9) * M_PI / 180), 360 * GRID_UNITS);
    for (size_t i = 0; i < self->shape_count; i++) {
        //  the widest the reach can be in degrees of longitude, at the highest latitude it touches
        double lat = fmin (beyond + shapes [i].reach_m / DEGREE_M, 89.9);
        build.reach_y [i] = shapes [i].reach_m / DEGREE_M * GRID_UNITS * 1.001;
        build.reach_x [i] = fmin (build.reach_y [i] / cos (lat * M_PI / 180), 360 * GRID_UNITS);
    }
    s_cell_t root = { .reference = 0 };
    s_lay_root (&build, &root);
    s_lay_top (self, build.low, build.high, vertices);
    s_fill_root (&build, &root, shapes);
    uint32_t last = UINT32_MAX;
    self->root = s_put_cell (&build, &root, &last);
    s_free_items (&root);
    free (build.reach_x);
    free (build.reach_y);
    free (build.vertices);
    s_fill_top (self);
    self->words = area_settle (self->words, self->word_count, sizeof *self->words);
    self->top = area_settle (self->top, (size_t)self->top_wide * self->top_tall, sizeof *self->top);
}
