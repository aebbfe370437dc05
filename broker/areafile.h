//  areafile - reads an area file: GeoJSON to plain arrays, every fault named
//
//  Knows the file format (docs/areas.md) and nothing of geometry: whether a polygon is valid is areashape's question.
//  Depth, size and counts are limited before the JSON reader builds anything.

#ifndef AREAFILE_H_INCLUDED
#define AREAFILE_H_INCLUDED

#include <jansson.h>
#include "areafault.h"
#include "areas.h"

#define AREA_ID_MAX 64               //  bytes
#define AREA_NAME_MAX 96             //  bytes
#define AREA_KIND_MAX 32             //  bytes
#define AREA_KINDS 63                //  different kind ids in one file; bit 63 is "a kind no area names"
#define AREA_BUFFER_MAX 10000.0      //  m
#define AREA_RADIUS_MAX 20000.0      //  m
#define AREAFILE_POINTS_MAX 4000000u //  the index numbers them with 22 bits
#define AREAFILE_SIZE_MAX ((size_t)256 << 20)

//  A ring of a polygon, a line, or a single point.
typedef struct {
    uint32_t first, count; //  in areafile_t.points; rings repeat their first point at the end
    uint32_t polygon;      //  which polygon of the feature
    bool hole;
} areapart_t;

typedef struct {
    int feature;
    char id [AREA_ID_MAX + 1];
    char name [AREA_NAME_MAX + 1];
    char station [STATION_MAX + 1];
    char parent [STATION_MAX + 1]; //  "" if the file does not say
    int level;
    areas_by_t by;             //  BY_CHECKPOINT, BY_LINE or BY_POLYGON
    uint64_t kinds;            //  bit i: areafile_t.kinds [i]; all bits if it takes every kind
    int64_t from_ms, until_ms; //  in force from <= t < until
    double reach_m;            //  buffer of a line, radius of a checkpoint
    uint32_t part_first, part_count;
    bool derived; //  nobody drew it: the ground nearest to its station
    bool faulty;  //  its properties have a fatal fault
    bool broken;  //  its shape has (areamend.c)
} areafile_area_t;

typedef struct {
    areafile_area_t *areas;
    size_t area_count, area_room;
    areapart_t *parts;
    size_t part_count, part_room;
    position_t *points; //  as the file says, in its own datum
    size_t point_count, point_room;
    char kinds [AREA_KINDS][AREA_KIND_MAX + 1];
    int kind_count;
    bool stationless; //  no feature names a station: said once
} areafile_t;

//  Always returns an object holding the features whose shape could be read, those with faulty properties marked; look at
//  areafaults_fatal_count before using it.
areafile_t *areafile_read (const char *bytes, size_t size, areafaults_t *faults);
//  Only the shapes of a FeatureCollection, a Feature or a bare geometry, all Polygon or MultiPolygon; properties are not looked at.
areafile_t *areafile_read_outline (const char *bytes, size_t size, areafaults_t *faults);
void areafile_destroy (areafile_t **self_p);

//  Reads the properties of one feature into area, whose `feature` and `by` are set (areaprops.c).
//  Returns 0, or -1 after telling every fault it found.
int areaprops_read (areafile_t *self, areafile_area_t *area, json_t *feature, areafaults_t *faults);
//  Is the text a station's id?
bool areaprops_station_fits (const char *text);

#endif
