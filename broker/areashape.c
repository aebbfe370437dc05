#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include "areageos.h"
#include "areamem.h"
#include "areashape.h"

#define DEGREE_M 111195.07973463158 //  of the sphere of geodesy.h

#define ASKED 8 //  polygons that are kept ready after they were asked for

typedef struct {
    const areapart_t *parts; //  NULL for lines and checkpoints
    const position_t *points;
    uint32_t part_count;
} s_kept_t;

//  A polygon that was asked lately: GEOS's own form takes many times the memory of the points.
typedef struct {
    int area; //  -1 = free
    GEOSGeometry *polygon;
    const GEOSPreparedGeometry *prepared;
} s_asked_t;

//  What asking changes, under the lock; on its own, so that asking leaves the shapes const.
typedef struct {
    pthread_mutex_t lock;
    s_asked_t list [ASKED];
    int next; //  the one that goes for a new one
} s_memory_t;

struct areashape_t {
    int count;
    s_kept_t *kept;
    GEOSGeometry **polygons;               //  all of them, between areashape_raise and areashape_lower
    const GEOSPreparedGeometry **prepared; //  made when first compared
    GEOSContextHandle_t geos;
    s_memory_t *memory;
};

areashape_t *areashape_new (int count)
{
    areashape_t *self = area_zeroed (1, sizeof *self);
    self->count = count;
    self->kept = area_zeroed ((size_t)count, sizeof *self->kept);
    self->memory = area_zeroed (1, sizeof *self->memory);
    pthread_mutex_init (&self->memory->lock, NULL);
    for (int i = 0; i < ASKED; i++)
        self->memory->list [i].area = -1;
    self->geos = GEOS_init_r ();
    return self;
}

static void s_forget (GEOSContextHandle_t geos, s_asked_t *asked)
{
    if (asked->prepared)
        GEOSPreparedGeom_destroy_r (geos, asked->prepared);
    if (asked->polygon)
        GEOSGeom_destroy_r (geos, asked->polygon);
    *asked = (s_asked_t){ .area = -1 };
}

void areashape_destroy (areashape_t **self_p)
{
    assert (self_p);
    areashape_t *self = *self_p;
    if (!self)
        return;
    areashape_lower (self);
    for (int i = 0; i < ASKED; i++)
        s_forget (self->geos, &self->memory->list [i]);
    GEOS_finish_r (self->geos);
    pthread_mutex_destroy (&self->memory->lock);
    free (self->memory);
    free (self->kept);
    free (self);
    *self_p = NULL;
}

size_t areashape_memory (const areashape_t *self)
{
    return sizeof *self + sizeof *self->memory + (size_t)self->count * sizeof *self->kept;
}

void areashape_keep (areashape_t *self, int area, const areapart_t *parts, uint32_t part_count, const position_t *points)
{
    assert (area >= 0 && area < self->count && !self->kept [area].parts);
    self->kept [area] = (s_kept_t){ parts, points, part_count };
}

static GEOSGeometry *s_build_kept (const areashape_t *self, int area)
{
    const s_kept_t *kept = &self->kept [area];
    return kept->parts ? areageos_build (self->geos, kept->parts, kept->part_count, kept->points) : NULL;
}

//  The polygon, ready to be asked; the one that was asked for longest ago makes room. Under the lock.
static const GEOSPreparedGeometry *s_asked (const areashape_t *self, int area)
{
    s_memory_t *memory = self->memory;
    for (int i = 0; i < ASKED; i++)
        if (memory->list [i].area == area)
            return memory->list [i].prepared;
    s_asked_t *asked = &memory->list [memory->next];
    memory->next = (memory->next + 1) % ASKED;
    s_forget (self->geos, asked);
    asked->polygon = s_build_kept (self, area);
    asked->prepared = asked->polygon ? GEOSPrepare_r (self->geos, asked->polygon) : NULL;
    asked->area = asked->prepared ? area : -1;
    return asked->prepared;
}

int areashape_covers (const areashape_t *self, int area, position_t position)
{
    assert (area >= 0 && area < self->count);
    char covers = 2;
    pthread_mutex_lock (&self->memory->lock);
    const GEOSPreparedGeometry *polygon = s_asked (self, area);
    GEOSGeometry *point = polygon ? GEOSGeom_createPointFromXY_r (self->geos, position.lon, position.lat) : NULL;
    if (point) {
        covers = GEOSPreparedCovers_r (self->geos, polygon, point);
        GEOSGeom_destroy_r (self->geos, point);
    }
    pthread_mutex_unlock (&self->memory->lock);
    return covers == 2 ? -1 : covers;
}

void areashape_raise (areashape_t *self)
{
    assert (!self->polygons);
    self->polygons = area_zeroed ((size_t)self->count, sizeof *self->polygons);
    self->prepared = area_zeroed ((size_t)self->count, sizeof *self->prepared);
    for (int i = 0; i < self->count; i++)
        self->polygons [i] = s_build_kept (self, i);
}

void areashape_lower (areashape_t *self)
{
    for (int i = 0; self->polygons && i < self->count; i++) {
        if (self->prepared [i])
            GEOSPreparedGeom_destroy_r (self->geos, self->prepared [i]);
        if (self->polygons [i])
            GEOSGeom_destroy_r (self->geos, self->polygons [i]);
    }
    free (self->prepared);
    free (self->polygons);
    self->prepared = NULL;
    self->polygons = NULL;
}

static const GEOSPreparedGeometry *s_prepared (const areashape_t *self, int area)
{
    if (!self->prepared [area] && self->polygons [area])
        self->prepared [area] = GEOSPrepare_r (self->geos, self->polygons [area]);
    return self->prepared [area];
}

//  A place inside, and the size in m2 on a plane laid there.
static double s_size_m2 (GEOSContextHandle_t geos, const GEOSGeometry *shape, position_t *where)
{
    double degrees2 = 0;
    GEOSGeometry *place = GEOSPointOnSurface_r (geos, shape);
    if (!place)
        return 0;
    if (GEOSArea_r (geos, shape, &degrees2) != 1 || GEOSGeomGetX_r (geos, place, &where->lon) != 1
        || GEOSGeomGetY_r (geos, place, &where->lat) != 1)
        degrees2 = 0;
    GEOSGeom_destroy_r (geos, place);
    return degrees2 > 0 ? degrees2 * DEGREE_M * DEGREE_M * cos (where->lat * M_PI / 180) : 0;
}

double areashape_overlap (areashape_t *self, int a, int b, position_t *where)
{
    assert (self->polygons);
    if (!self->polygons [a] || !self->polygons [b])
        return 0;
    double size = -1;
    const GEOSPreparedGeometry *first = s_prepared (self, a);
    char meets = first ? GEOSPreparedIntersects_r (self->geos, first, self->polygons [b]) : 2;
    GEOSGeometry *common = NULL;
    if (meets == 0)
        size = 0;
    else if (meets == 1)
        common = GEOSIntersection_r (self->geos, self->polygons [a], self->polygons [b]);
    if (common) {
        size = s_size_m2 (self->geos, common, where);
        GEOSGeom_destroy_r (self->geos, common);
    }
    return size;
}

typedef struct {
    int asking;
    areashape_pair_fn *pair;
    void *context;
} s_meeting_t;

static void s_on_pair (void *item, void *data)
{
    s_meeting_t *meeting = data;
    int other = (int)((intptr_t)item - 1);
    if (other > meeting->asking)
        meeting->pair (meeting->context, meeting->asking, other);
}

static GEOSSTRtree *s_tree (const areashape_t *self, const int *list, int count)
{
    GEOSSTRtree *tree = GEOSSTRtree_create_r (self->geos, 10);
    for (int i = 0; tree && i < count; i++) {
        int area = list ? list [i] : i;
        if (self->polygons [area])
            GEOSSTRtree_insert_r (self->geos, tree, self->polygons [area], (void *)(intptr_t)(area + 1));
    }
    return tree;
}

void areashape_pairs (areashape_t *self, areashape_pair_fn *pair, void *context)
{
    GEOSSTRtree *tree = s_tree (self, NULL, self->count);
    s_meeting_t meeting = { .pair = pair, .context = context };
    for (meeting.asking = 0; tree && meeting.asking < self->count; meeting.asking++)
        if (self->polygons [meeting.asking])
            GEOSSTRtree_query_r (self->geos, tree, self->polygons [meeting.asking], s_on_pair, &meeting);
    if (tree)
        GEOSSTRtree_destroy_r (self->geos, tree);
}

typedef struct {
    areashape_t *self;
    const GEOSGeometry *hole;
    int found [2], count;
} s_beside_t;

//  The hole lies inside no polygon of the union, so those that meet it border on it.
static void s_on_beside (void *item, void *data)
{
    s_beside_t *beside = data;
    int area = (int)((intptr_t)item - 1);
    const GEOSPreparedGeometry *polygon = s_prepared (beside->self, area);
    if (!polygon || GEOSPreparedIntersects_r (beside->self->geos, polygon, beside->hole) != 1)
        return;
    if (beside->count < 2)
        beside->found [beside->count++] = area;
}

static void s_tell_hole (
    areashape_t *self, GEOSSTRtree *tree, const GEOSGeometry *ring, areashape_gap_fn *gap, void *context)
{
    GEOSGeometry *copy = GEOSGeom_clone_r (self->geos, ring);
    GEOSGeometry *hole = copy ? GEOSGeom_createPolygon_r (self->geos, copy, NULL, 0) : NULL;
    if (!hole)
        return;
    position_t where;
    double size = s_size_m2 (self->geos, hole, &where);
    s_beside_t beside = { .self = self, .hole = hole, .found = { -1, -1 } };
    GEOSSTRtree_query_r (self->geos, tree, hole, s_on_beside, &beside);
    if (size > 0)
        gap (context, size, where, beside.found [0], beside.found [1]);
    GEOSGeom_destroy_r (self->geos, hole);
}

static GEOSGeometry *s_union (areashape_t *self, const int *list, int count)
{
    GEOSGeometry **copies = area_zeroed ((size_t)count, sizeof *copies);
    unsigned taken = 0;
    for (int i = 0; i < count; i++) {
        GEOSGeometry *copy = self->polygons [list [i]] ? GEOSGeom_clone_r (self->geos, self->polygons [list [i]]) : NULL;
        if (copy)
            copies [taken++] = copy;
    }
    GEOSGeometry *all = GEOSGeom_createCollection_r (self->geos, GEOS_GEOMETRYCOLLECTION, copies, taken);
    GEOSGeometry *whole = all ? GEOSUnaryUnion_r (self->geos, all) : NULL;
    if (all)
        GEOSGeom_destroy_r (self->geos, all);
    free (copies);
    return whole;
}

int areashape_gaps (areashape_t *self, const int *list, int count, areashape_gap_fn *gap, void *context)
{
    GEOSGeometry *whole = s_union (self, list, count);
    if (!whole)
        return -1;
    GEOSSTRtree *tree = s_tree (self, list, count);
    for (int part = 0; tree && part < GEOSGetNumGeometries_r (self->geos, whole); part++) {
        const GEOSGeometry *polygon = GEOSGetGeometryN_r (self->geos, whole, part);
        if (GEOSGeomTypeId_r (self->geos, polygon) != GEOS_POLYGON)
            continue;
        for (int hole = 0; hole < GEOSGetNumInteriorRings_r (self->geos, polygon); hole++)
            s_tell_hole (self, tree, GEOSGetInteriorRingN_r (self->geos, polygon, hole), gap, context);
    }
    if (tree)
        GEOSSTRtree_destroy_r (self->geos, tree);
    GEOSGeom_destroy_r (self->geos, whole);
    return 0;
}

double areashape_ring_m2 (const position_t *points, uint32_t count)
{
    double twice = 0, middle = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        //  measured from the first point, so that small rings keep their digits
        double ax = points [i].lon - points [0].lon, ay = points [i].lat - points [0].lat;
        double bx = points [i + 1].lon - points [0].lon, by = points [i + 1].lat - points [0].lat;
        twice += ax * by - bx * ay;
        middle += points [i].lat;
    }
    return fabs (twice) / 2 * DEGREE_M * DEGREE_M * cos (middle / (count > 1 ? count - 1 : 1) * M_PI / 180);
}
