//  areagrid - how areaindex lies in memory; shared by areaindex.c (reads) and areabuild.c (makes), nobody else
//
//  words holds nodes and leaves. A lookup waits for memory, not for arithmetic, so a cell says all it can by itself:
//    GRID_NODE | s << GRID_CUT_BITS | place: a node, which is 2^s x 2^s cells, row by row from the south-west
//    GRID_SOLE | shape: the shape covers the cell and its band, and there is nothing else; GRID_EMPTY: nothing is there
//    else the place of a leaf
//    leaf: number of entries; GRID_BANDED | GRID_FRAMED | shift << 8 | reference; then each entry, by rising shape: shape << 1 | inside,
//          number of runs << GRID_DRAWN_BITS | number of drawn words, the drawn words, the runs
//    run:  number of its first edge << GRID_RUN_BITS | edges. Edge e goes from points [e] to points [e + 1];
//          a checkpoint's, which has no length, from points [e] to itself
//    drawn words: the shape's edges in the cell itself (GRID_FRAMED: all the leaf lists), drawn on a raster of 2^GRID_RASTER_BITS squares a side: y << 16 | x of
//          each vertex in 16 bits, GRID_GAP between chains. Who stands grid_doubt squares from all of them is on the same
//          side of the true ones; others must ask those. So most lookups read a line or two of memory, side by side.
//  top says for each square of the box around all shapes, at one depth, which cell lies there or lies over it: a lookup begins at
//  a leaf or just above one instead of at the root. No node reaches over that depth.

#ifndef AREAGRID_H_INCLUDED
#define AREAGRID_H_INCLUDED

#include "areaindex.h"

#define GRID_NODE 0x80000000u
#define GRID_CUT_BITS 29
#define GRID_PLACES (1u << GRID_CUT_BITS) //  words there may be
#define GRID_SOLE 0x40000000u
#define GRID_EMPTY 0x7FFFFFFFu
#define GRID_UNITS 1e12        //  a degree
#define GRID_RUN_BITS 10       //  leaves 22 for the edge: AREAFILE_POINTS_MAX fit
#define GRID_BANDED (1u << 31) //  the leaf lists every edge within AREAINDEX_BAND_M of it too: no other need be read
#define GRID_FRAMED (1u << 30) //  and all those are drawn
#define GRID_RUN_MAX ((1u << GRID_RUN_BITS) - 1)
#define GRID_DRAWN_BITS 10
#define GRID_UNDRAWN ((1u << GRID_DRAWN_BITS) - 1) //  instead of their number: a line, a checkpoint, or too many edges
#define GRID_RASTER_BITS 14
#define GRID_GAP 0x80008000u
#define GRID_MARGIN 16384           //  units; an edge this near a cell belongs to it too (1e-9 degree is 1000)
#define DEGREE_M 111195.07973463158 //  of the sphere of geodesy.h

typedef struct {
    int64_t x, y;
} grid_point_t;

typedef struct {
    uint64_t kinds;
    int64_t from_ms, until_ms;
    double reach_m;
    bool polygon;
    bool single; //  a checkpoint: distance on the sphere, not on a plane
} grid_shape_t;

struct areaindex_t {
    grid_point_t corner;                       //  south-west of the root
    int shift;                                 //  the root's side is 1 << shift
    uint32_t root;                             //  a cell
    uint32_t *top;                             //  cells, row by row
    int top_shift;                             //  the side of its squares is 1 << top_shift
    uint32_t top_x, top_y, top_wide, top_tall; //  in such squares from the corner
    uint32_t *words;
    size_t word_count;
    const position_t *points; //  borrowed; a vertex is one, rounded to units when it is asked about
    grid_shape_t *shapes;
    size_t shape_count;
};

static inline grid_point_t grid_point (position_t position)
{
    double x = position.lon * GRID_UNITS, y = position.lat * GRID_UNITS;
    return (grid_point_t){ (int64_t)(x < 0 ? x - 0.5 : x + 0.5), (int64_t)(y < 0 ? y - 0.5 : y + 0.5) };
}

//  Reference points are scattered, so that one of the first is on no edge. Each is the corner of a square of the raster.
static inline grid_point_t grid_reference (grid_point_t corner, int shift, uint32_t number)
{
    uint64_t mask = ((uint64_t)1 << shift) - ((uint64_t)1 << (shift - GRID_RASTER_BITS));
    uint64_t x = ((uint64_t)number + 1) * 0x9E3779B97F4A7C15u, y = ((uint64_t)number + 1) * 0xC2B2AE3D27D4EB4Fu;
    return (grid_point_t){ corner.x + (int64_t)((x >> 7) & mask), corner.y + (int64_t)((y >> 7) & mask) };
}

//  Is p left of the line from a to b? Exact: differences take 50 bits, products 100.
static inline bool grid_left (grid_point_t a, grid_point_t b, grid_point_t p)
{
    __extension__ typedef __int128 wide_t;
    return (wide_t)(b.x - a.x) * (p.y - a.y) - (wide_t)(b.y - a.y) * (p.x - a.x) > 0;
}

//  Do a run of edges flip inside and outside on the way from one point to another? Neither lies on an edge.
static inline bool grid_flips (const position_t *points, uint32_t edges, grid_point_t from, grid_point_t to)
{
    bool flips = false;
    grid_point_t a = grid_point (points [0]);
    bool left = grid_left (from, to, a);
    for (uint32_t i = 1; i <= edges; i++) {
        grid_point_t b = grid_point (points [i]);
        bool next = grid_left (from, to, b);
        if (next != left && grid_left (a, b, from) != grid_left (a, b, to))
            flips = !flips;
        left = next;
        a = b;
    }
    return flips;
}

static inline int grid_leaf_shift (const uint32_t *leaf)
{
    return (int)(leaf [1] >> 8 & 63);
}

static inline uint32_t grid_leaf_reference (const uint32_t *leaf)
{
    return leaf [1] & 255;
}

//  Squares within which the raster does not tell: a vertex is off by 0.71 of one, the point asked about by 1.41; and whoever
//  is within GRID_MARGIN of an edge must learn it.
static inline int32_t grid_doubt (int shift)
{
    return 4 + (int32_t)((int64_t)GRID_MARGIN >> (shift - GRID_RASTER_BITS)); //  a leaf may be the whole map: 49 bits
}

//  Is the edge from a to b, both seen from the point asked about, perhaps within so many squares? Never no when it is.
static inline bool grid_doubtful (int64_t ax, int64_t ay, int64_t bx, int64_t by, int64_t doubt)
{
    if ((ax > doubt && bx > doubt) || (ax < -doubt && bx < -doubt) || (ay > doubt && by > doubt)
        || (ay < -doubt && by < -doubt))
        return false;
    int64_t dx = bx - ax, dy = by - ay, cross = ax * by - ay * bx;
    return (cross < 0 ? -cross : cross) <= doubt * ((dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy));
}

//  Fills self's root, words and the place of the root; points and shapes are there (areabuild.c).
void areabuild_grid (areaindex_t *self, const areaindex_shape_t *shapes);

#endif
