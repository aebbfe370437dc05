#include "areageos.h"
#include "areamem.h"

static GEOSGeometry *s_ring (GEOSContextHandle_t geos, const areapart_t *part, const position_t *points)
{
    GEOSCoordSequence *sequence = GEOSCoordSeq_create_r (geos, part->count, 2);
    for (uint32_t i = 0; sequence && i < part->count; i++)
        GEOSCoordSeq_setXY_r (geos, sequence, i, points [part->first + i].lon, points [part->first + i].lat);
    return sequence ? GEOSGeom_createLinearRing_r (geos, sequence) : NULL;
}

//  The polygon that begins at parts [0]; *used says how many rings it took.
static GEOSGeometry *s_polygon (
    GEOSContextHandle_t geos, const areapart_t *parts, uint32_t part_count, const position_t *points, uint32_t *used)
{
    uint32_t count = 1;
    while (count < part_count && parts [count].polygon == parts [0].polygon)
        count++;
    *used = count;
    GEOSGeometry **rings = area_zeroed (count, sizeof *rings);
    bool whole = true;
    for (uint32_t i = 0; i < count; i++) {
        rings [i] = s_ring (geos, &parts [i], points);
        whole = whole && rings [i];
    }
    GEOSGeometry *polygon = NULL;
    if (whole)
        polygon = GEOSGeom_createPolygon_r (geos, rings [0], rings + 1, count - 1);
    else
        for (uint32_t i = 0; i < count; i++)
            if (rings [i])
                GEOSGeom_destroy_r (geos, rings [i]);
    free (rings);
    return polygon;
}

GEOSGeometry *areageos_build (
    GEOSContextHandle_t geos, const areapart_t *parts, uint32_t part_count, const position_t *points)
{
    GEOSGeometry **polygons = area_zeroed (part_count, sizeof *polygons);
    unsigned count = 0;
    for (uint32_t at = 0, used; at < part_count; at += used) {
        GEOSGeometry *polygon = s_polygon (geos, parts + at, part_count - at, points, &used);
        if (polygon)
            polygons [count++] = polygon;
    }
    GEOSGeometry *built = count == 1 ? polygons [0] : GEOSGeom_createCollection_r (geos, GEOS_MULTIPOLYGON, polygons, count);
    free (polygons);
    return built;
}
