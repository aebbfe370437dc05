//  areageos - our polygons in GEOS's form; for areashape.c, areamend.c and areaderive.c, the only ones that know GEOS

#ifndef AREAGEOS_H_INCLUDED
#define AREAGEOS_H_INCLUDED

#define GEOS_USE_ONLY_R_API
#include <geos_c.h>
#include "areafile.h"

//  The polygon or MultiPolygon of these parts; the caller's. NULL when GEOS refuses, which it does only for rings of fewer
//  than four points.
GEOSGeometry *areageos_build (
    GEOSContextHandle_t geos, const areapart_t *parts, uint32_t part_count, const position_t *points);

#endif
