#include "areamend.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include "areageos.h"
#include "areamem.h"

#define DEGREE_M 111195.07973463158 //  of the sphere of geodesy.h
#define TOLERANCE_M2 100.0          //  as in areacheck.c
#define TOLERANCE_SHARE 0.01

typedef struct {
    GEOSContextHandle_t geos;
    areafile_t *file;
    areafaults_t *faults;
} s_mend_t;

typedef struct {
    char reason [80];
    position_t where;
} s_fault_t;

static bool s_valid (s_mend_t *self, const GEOSGeometry *polygon, s_fault_t *fault)
{
    char *words = NULL;
    GEOSGeometry *place = NULL;
    fault->where = (position_t){ NAN, NAN };
    snprintf (fault->reason, sizeof fault->reason, "GEOS cannot build it");
    char valid = polygon ? GEOSisValidDetail_r (self->geos, polygon, 0, &words, &place) : 0;
    if (words) {
        snprintf (fault->reason, sizeof fault->reason, "%s", words);
        GEOSFree_r (self->geos, words);
    }
    if (place) {
        GEOSGeomGetX_r (self->geos, place, &fault->where.lon);
        GEOSGeomGetY_r (self->geos, place, &fault->where.lat);
        GEOSGeom_destroy_r (self->geos, place);
    }
    return valid == 1;
}

//  Rings less holes in square degrees: what the file says it encloses, whatever GEOS thinks of it.
static double s_said (const areafile_t *file, const areafile_area_t *area)
{
    double size = 0;
    for (uint32_t i = 0; i < area->part_count; i++) {
        const areapart_t *part = &file->parts [area->part_first + i];
        const position_t *point = &file->points [part->first];
        double twice = 0;
        for (uint32_t at = 0; at + 1 < part->count; at++)
            twice += (point [at].lon - point [0].lon) * (point [at + 1].lat - point [0].lat)
                - (point [at + 1].lon - point [0].lon) * (point [at].lat - point [0].lat);
        size += part->hole ? -fabs (twice) / 2 : fabs (twice) / 2;
    }
    return size;
}

static void s_add_ring (s_mend_t *self, areafile_area_t *area, const GEOSGeometry *ring, uint32_t polygon, bool hole)
{
    areafile_t *file = self->file;
    const GEOSCoordSequence *points = GEOSGeom_getCoordSeq_r (self->geos, ring);
    unsigned count = 0;
    GEOSCoordSeq_getSize_r (self->geos, points, &count);
    file->parts = area_grow (file->parts, file->part_count, &file->part_room, sizeof *file->parts);
    file->parts [file->part_count++]
        = (areapart_t){ .first = (uint32_t)file->point_count, .count = count, .polygon = polygon, .hole = hole };
    area->part_count++;
    for (unsigned i = 0; i < count; i++) {
        position_t point;
        GEOSCoordSeq_getXY_r (self->geos, points, i, &point.lon, &point.lat);
        file->points = area_grow (file->points, file->point_count, &file->point_room, sizeof *file->points);
        file->points [file->point_count++] = point;
    }
}

//  The polygons among what GEOS made; lines and points it left over enclose nothing.
static void s_replace (s_mend_t *self, areafile_area_t *area, const GEOSGeometry *made)
{
    uint32_t polygons = 0;
    area->part_first = (uint32_t)self->file->part_count;
    area->part_count = 0;
    for (int i = 0; i < GEOSGetNumGeometries_r (self->geos, made); i++) {
        const GEOSGeometry *each = GEOSGetGeometryN_r (self->geos, made, i);
        int parts = GEOSGetNumGeometries_r (self->geos, each); //  a collection may hold a MultiPolygon
        for (int part = 0; part < parts; part++) {
            const GEOSGeometry *polygon = GEOSGetGeometryN_r (self->geos, each, part);
            if (GEOSGeomTypeId_r (self->geos, polygon) != GEOS_POLYGON || GEOSisEmpty_r (self->geos, polygon) == 1)
                continue;
            s_add_ring (self, area, GEOSGetExteriorRing_r (self->geos, polygon), polygons, false);
            for (int hole = 0; hole < GEOSGetNumInteriorRings_r (self->geos, polygon); hole++)
                s_add_ring (self, area, GEOSGetInteriorRingN_r (self->geos, polygon, hole), polygons, true);
            polygons++;
        }
    }
}

static bool s_fits (const s_mend_t *self)
{
    return self->file->point_count <= AREAFILE_POINTS_MAX;
}

//  Returns 0 when the area has new parts; -1 when its ground is in doubt.
static int s_repair (s_mend_t *self, areafile_area_t *area, const GEOSGeometry *polygon, const s_fault_t *fault)
{
    GEOSGeometry *made = polygon ? GEOSMakeValid_r (self->geos, polygon) : NULL;
    double said = s_said (self->file, area), got = 0;
    if (!made || GEOSArea_r (self->geos, made, &got) != 1)
        got = 0;
    double scale = isfinite (fault->where.lat) ? cos (fault->where.lat * M_PI / 180) : 1;
    double changed = fabs (got - said) * DEGREE_M * DEGREE_M * scale;
    bool same = changed <= TOLERANCE_M2 && fabs (got - said) <= TOLERANCE_SHARE * said;
    bool touches = strcmp (fault->reason, "Ring Self-intersection") == 0;
    bool doubt = !(got > 0) || !(same || touches);
    if (!doubt) {
        s_replace (self, area, made);
        doubt = !s_fits (self);
    }
    if (made)
        GEOSGeom_destroy_r (self->geos, made);
    if (doubt)
        return -1;
    areafaults_warn (self->faults, area->feature, area->station,
        "was not a valid polygon (%s at %.7f,%.7f, lat,lon): repaired, its ground changed by %.0f m2", fault->reason,
        fault->where.lat, fault->where.lon, changed);
    return 0;
}

static void s_look (s_mend_t *self, areafile_area_t *area)
{
    const areafile_t *file = self->file;
    s_fault_t fault;
    GEOSGeometry *polygon = areageos_build (self->geos, &file->parts [area->part_first], area->part_count, file->points);
    if (!s_valid (self, polygon, &fault) && s_repair (self, area, polygon, &fault) != 0) {
        area->broken = true;
        areafaults_fatal (self->faults, area->feature, area->station,
            "is not a valid polygon: %s at %.7f,%.7f (lat,lon); which ground is meant cannot be told", fault.reason,
            fault.where.lat, fault.where.lon);
    }
    if (polygon)
        GEOSGeom_destroy_r (self->geos, polygon);
}

void areamend (areafile_t *file, areafaults_t *faults, areas_progress_fn *progress, void *context)
{
    assert (file && faults);
    s_mend_t self = { .geos = GEOS_init_r (), .file = file, .faults = faults };
    for (size_t i = 0; i < file->area_count; i++) {
        if (file->areas [i].by == BY_POLYGON)
            s_look (&self, &file->areas [i]);
        if (progress)
            progress (context, (int)i + 1, 2 * (int)file->area_count);
    }
    GEOS_finish_r (self.geos);
}
