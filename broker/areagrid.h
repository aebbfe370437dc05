//  areagrid - how areaindex lies in memory; shared by areaindex.c (reads) and areabuild.c (makes), nobody else
//
//  words holds nodes and leaves. A lookup waits for memory, not for arithmetic, so a cell says all it can by itself:
//    GRID_NODE | s << GRID_CUT_BITS | place: a node, which is 2^s x 2^s cells, row by row from the south-west
//    GRID_SOLE | shape: the shape covers the cell and its band, and there is nothing else; GRID_EMPTY: nothing is there
//    else the place of a leaf
//    leaf: number of entries | GRID_BANDED | reference << 24; then each entry: shape << 1 | inside, number of runs, the runs
//    run:  number of its first edge << GRID_RUN_BITS | edges. Edge e goes from vertices [e] to vertices [e + 1].

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
#define GRID_BANDED (1u << 23) //  the leaf lists every edge within AREAINDEX_BAND_M of it too: no other need be read
#define GRID_ENTRIES (GRID_BANDED - 1)
#define GRID_RUN_MAX ((1u << GRID_RUN_BITS) - 1)
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
    grid_point_t corner; //  south-west of the root
    int shift;           //  the root's side is 1 << shift
    uint32_t root;       //  a cell
    uint32_t *words;
    size_t word_count;
    grid_point_t *vertices;
    size_t vertex_count;
    grid_shape_t *shapes;
    size_t shape_count;
};

static inline grid_point_t grid_point (position_t position)
{
    double x = position.lon * GRID_UNITS, y = position.lat * GRID_UNITS;
    return (grid_point_t){ (int64_t)(x < 0 ? x - 0.5 : x + 0.5), (int64_t)(y < 0 ? y - 0.5 : y + 0.5) };
}

//  Reference points are scattered, so that one of the first is on no edge.
static inline grid_point_t grid_reference (grid_point_t corner, int shift, uint32_t number)
{
    uint64_t mask = ((uint64_t)1 << shift) - 1;
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
static inline bool grid_flips (const grid_point_t *vertex, uint32_t edges, grid_point_t from, grid_point_t to)
{
    bool flips = false;
    bool left = grid_left (from, to, vertex [0]);
    for (uint32_t i = 1; i <= edges; i++) {
        bool next = grid_left (from, to, vertex [i]);
        if (next != left && grid_left (vertex [i - 1], vertex [i], from) != grid_left (vertex [i - 1], vertex [i], to))
            flips = !flips;
        left = next;
    }
    return flips;
}

//  Fills self's root, words and the place of the root; vertices and shapes are there (areabuild.c).
void areabuild_grid (areaindex_t *self, const areaindex_shape_t *shapes);

#endif
