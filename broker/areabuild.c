//  Cuts space into cells until few edges lie in each

#include <assert.h>
#include <math.h>
#include <string.h>
#include "areagrid.h"
#include "areamem.h"

#define LEAF_EDGES 16 //  a leaf with fewer is not cut
#define BAND_EDGES 96 //  a leaf with more edges, those around it counted too, does without those around it
#define SHIFT_MIN 24  //  nor one of 2^24 units, about 2 m
#define MARGIN 16384  //  units; an edge this near a cell belongs to it too (1e-9 degree is 1000)
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

//  Could the edge, widened by the reach, touch the cell, with or without its band? Never no when it does.
static bool s_touches (const s_build_t *build, const s_cell_t *cell, bool band, uint32_t shape, uint32_t edge)
{
    const grid_point_t *vertex = &build->index->vertices [edge];
    double half = (double)((int64_t)1 << cell->shift) / 2;
    double half_x = half + MARGIN + build->reach_x [shape] + (band ? build->band_x : 0);
    double half_y = half + MARGIN + build->reach_y [shape] + (band ? build->band_y : 0);
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

//  A reference that lies on the line of no edge in the cell.
static uint32_t s_choose_reference (const s_build_t *build, const s_cell_t *cell)
{
    for (uint32_t number = 0; number < REFERENCES - 1; number++) {
        grid_point_t p = grid_reference (cell->corner, cell->shift, number);
        bool taken = false;
        for (size_t i = 0; i < cell->item_count && !taken; i++)
            for (size_t e = 0; e < cell->items [i].edge_count && !taken; e++)
                taken = build->index->shapes [cell->items [i].shape].polygon
                    && s_on_edge (&build->index->vertices [cell->items [i].edges [e]], p);
        if (!taken)
            return number;
    }
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
                item->inside ^= grid_flips (&build->index->vertices [above->edges [e]], 1, from, to);
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

static void s_put_runs (s_build_t *build, const s_item_t *item)
{
    uint32_t count_at = s_put (build, 0), runs = 0;
    for (size_t e = 0; e < item->edge_count;) {
        uint32_t first = item->edges [e], count = 1;
        while (e + count < item->edge_count && item->edges [e + count] == first + count && count < GRID_RUN_MAX)
            count++;
        s_put (build, first << GRID_RUN_BITS | count);
        e += count;
        runs++;
    }
    build->index->words [count_at] = runs;
}

//  `last` is the leaf written before: a neighbour without edges is most often the same.
static uint32_t s_put_leaf (s_build_t *build, s_cell_t *cell, uint32_t *last)
{
    size_t edges = 0;
    for (size_t i = 0; i < cell->item_count; i++)
        edges += cell->items [i].edge_count;
    if (edges > BAND_EDGES)
        s_drop_band (build, cell);
    assert (cell->item_count <= GRID_ENTRIES);
    if (edges == 0 && cell->item_count == 0)
        return GRID_EMPTY;
    if (edges == 0 && cell->item_count == 1)
        return GRID_SOLE | cell->items [0].shape;
    uint32_t banded = edges > BAND_EDGES ? 0 : GRID_BANDED;
    uint32_t at = s_put (build, (uint32_t)cell->item_count | banded | cell->reference << 24);
    for (size_t i = 0; i < cell->item_count; i++) {
        s_put (build, cell->items [i].shape << 1 | cell->items [i].inside);
        s_put_runs (build, &cell->items [i]);
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
    grid_point_t low = index->vertices [0], high = low;
    for (size_t i = 1; i < index->vertex_count; i++) {
        grid_point_t p = index->vertices [i];
        low = (grid_point_t){ p.x < low.x ? p.x : low.x, p.y < low.y ? p.y : low.y };
        high = (grid_point_t){ p.x > high.x ? p.x : high.x, p.y > high.y ? p.y : high.y };
    }
    int64_t rim_x = (int64_t)reach_x + 2 * MARGIN, rim_y = (int64_t)reach_y + 2 * MARGIN;
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
    uint32_t first = 0;
    for (size_t i = 0; i < index->shape_count; i++) {
        s_item_t *item = &root->items [root->item_count++];
        item->shape = (uint32_t)i;
        uint32_t vertices = 0;
        for (uint32_t part = 0; part < shapes [i].part_count; part++)
            vertices += shapes [i].parts [part].count + (shapes [i].parts [part].count == 1);
        item->edges = area_resize (NULL, vertices, sizeof *item->edges);
        for (uint32_t part = 0; part < shapes [i].part_count; part++) {
            uint32_t count = shapes [i].parts [part].count;
            count += count == 1;
            for (uint32_t edge = 0; edge + 1 < count; edge++)
                item->edges [item->edge_count++] = first + edge;
            first += count;
        }
        item->own = item->edge_count;
    }
}

void areabuild_grid (areaindex_t *self, const areaindex_shape_t *shapes)
{
    s_build_t build = { .index = self, .budget = 1000000 + 64 * self->vertex_count };
    build.reach_x = area_zeroed (self->shape_count, sizeof (double));
    build.reach_y = area_zeroed (self->shape_count, sizeof (double));
    double beyond = 0;
    for (size_t i = 0; i < self->vertex_count; i++)
        beyond = fmax (beyond, fabs ((double)self->vertices [i].y / GRID_UNITS));
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
    s_fill_root (&build, &root, shapes);
    uint32_t last = UINT32_MAX;
    self->root = s_put_cell (&build, &root, &last);
    s_free_items (&root);
    free (build.reach_x);
    free (build.reach_y);
    self->words = area_settle (self->words, self->word_count, sizeof *self->words);
    self->vertices = area_settle (self->vertices, self->vertex_count, sizeof *self->vertices);
}
