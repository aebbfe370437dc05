#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <jansson.h>
#include "areaderive.h"
#include "areageos.h"
#include "areamem.h"
#include "areamend.h"
#include "placefile.h"
#include "utf8.h"

#define STATIONS_MAX 10000
#define REACH_MAX_M 1e6   //  of the outline from its middle
#define SAME_PLACE_M 1.0  //  stations nearer than this share their ground
#define STEP_DEGREES 0.01 //  a longer edge of the outline is cut, so that it stays where it is on the plane
#define STEP_M 1000.0     //  a longer edge of an area is cut, so that it stays between its stations on the map
#define CUTS_MAX 200000.0 //  but never into more pieces than this
#define SPECK_M2 0.01     //  what is smaller comes from rounding
#define DIGITS 9          //  of a degree in the file: 0.1 mm
#define EARTH_M 6371008.8 //  geodesy.h

typedef struct {
    char id [STATION_MAX + 1];
    char name [AREA_NAME_MAX + 1];
    position_t at; //  WGS-84
    double x, y;   //  m, on the plane
    long line;
} s_station_t;

typedef struct {
    areafaults_t *faults;
    areas_progress_fn *progress;
    void *context;
    s_station_t *stations;
    size_t count, room;
    position_t middle;
    GEOSContextHandle_t geos;
    GEOSGeometry *outline; //  on the plane
    GEOSGeometry **cells;  //  by station, on the plane
} s_derive_t;

//  ---- the stations

typedef struct {
    int id, name, lat, lon; //  -1 = not there
} s_columns_t;

static int s_column (const placefile_t *file, const char *const *names)
{
    for (; *names; names++)
        for (int i = 0; i < file->field_count; i++)
            if (strcasecmp (file->fields [i], *names) == 0)
                return i;
    return -1;
}

static int s_read_header (s_derive_t *self, placefile_t *file, s_columns_t *columns)
{
    if (placefile_next (file) != 1) {
        areafaults_fatal (
            self->faults, -1, NULL, "stations line %ld: %s", file->line, file->fault ? file->fault : "no header");
        return -1;
    }
    columns->id = s_column (file, (const char *[]){ "id", "station", "district", NULL });
    columns->name = s_column (file, (const char *[]){ "name", NULL });
    columns->lat = s_column (file, (const char *[]){ "lat", "latitude", NULL });
    columns->lon = s_column (file, (const char *[]){ "lon", "lng", "longitude", NULL });
    const char *missing = columns->id < 0 ? "id (or station, district)"
        : columns->lat < 0                ? "lat (or latitude)"
        : columns->lon < 0                ? "lon (or lng, longitude)"
                                          : NULL;
    if (missing)
        areafaults_fatal (self->faults, -1, NULL, "stations line %ld: the header has no column %s", file->line, missing);
    return missing ? -1 : 0;
}

//  Degrees, or a fault; what is said of a latitude and a longitude that are turned round is position_parse's.
static int s_read_at (s_derive_t *self, const placefile_t *file, const s_columns_t *columns, position_t *at)
{
    char both [128];
    const char *reason;
    snprintf (both, sizeof both, "%.50s,%.50s", file->fields [columns->lat], file->fields [columns->lon]);
    if (position_parse (at, both, &reason) == 0)
        return 0;
    areafaults_fatal (self->faults, -1, NULL, "stations line %ld: lat,lon \"%s\": %s", file->line, both, reason);
    return -1;
}

static void s_read_row (s_derive_t *self, const placefile_t *file, const s_columns_t *columns, datum_t datum)
{
    int last = columns->lat > columns->lon ? columns->lat : columns->lon;
    if ((last > columns->id ? last : columns->id) >= file->field_count) {
        areafaults_fatal (self->faults, -1, NULL, "stations line %ld: has %d fields, the header asks for more", file->line,
            file->field_count);
        return;
    }
    s_station_t station = { .line = file->line };
    const char *id = file->fields [columns->id];
    const char *name = columns->name >= 0 && columns->name < file->field_count ? file->fields [columns->name] : "";
    if (!areaprops_station_fits (id))
        areafaults_fatal (self->faults, -1, NULL,
            "stations line %ld: id \"%.40s\" is not an id; 1 to %d of A-Z a-z 0-9 _ . -", file->line, id, STATION_MAX);
    else if (utf8_check ((const uint8_t *)name, strlen (name), AREA_NAME_MAX, false) != UTF8_OK)
        areafaults_fatal (self->faults, -1, NULL,
            "stations line %ld: name \"%.60s\" is not fit; up to %d bytes of text without control characters", file->line,
            name, AREA_NAME_MAX);
    else if (s_read_at (self, file, columns, &station.at) == 0) {
        station.at = datum_to_wgs84 (station.at, datum);
        snprintf (station.id, sizeof station.id, "%s", id);
        snprintf (station.name, sizeof station.name, "%s", name);
        self->stations = area_grow (self->stations, self->count, &self->room, sizeof *self->stations);
        self->stations [self->count++] = station;
    }
}

static int s_by_id (const void *left, const void *right)
{
    const s_station_t *a = *(const s_station_t *const *)left, *b = *(const s_station_t *const *)right;
    int order = strcmp (a->id, b->id);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int s_by_x (const void *left, const void *right)
{
    const s_station_t *a = *(const s_station_t *const *)left, *b = *(const s_station_t *const *)right;
    return a->x != b->x ? (a->x > b->x) - (a->x < b->x) : (a->line > b->line) - (a->line < b->line);
}

//  An id twice; two at one place, between which nothing is nearer to either. After s_project.
static void s_check_doubles (s_derive_t *self)
{
    s_station_t **list = area_zeroed (self->count, sizeof *list);
    for (size_t i = 0; i < self->count; i++)
        list [i] = &self->stations [i];
    qsort (list, self->count, sizeof *list, s_by_id);
    for (size_t i = 1; i < self->count; i++)
        if (strcmp (list [i]->id, list [i - 1]->id) == 0)
            areafaults_fatal (self->faults, -1, NULL, "stations line %ld: id \"%s\" is already that of line %ld",
                list [i]->line, list [i]->id, list [i - 1]->line);
    qsort (list, self->count, sizeof *list, s_by_x);
    for (size_t i = 0; i < self->count; i++)
        for (size_t j = i + 1; j < self->count && list [j]->x - list [i]->x < SAME_PLACE_M; j++)
            if (fabs (list [j]->y - list [i]->y) < SAME_PLACE_M)
                areafaults_fatal (self->faults, -1, NULL,
                    "stations line %ld: \"%s\" stands where \"%s\" of line %ld stands; leave one out", list [j]->line,
                    list [j]->id, list [i]->id, list [i]->line);
    free (list);
}

static void s_read_stations (s_derive_t *self, char *text, size_t size, datum_t datum)
{
    placefile_t file;
    s_columns_t columns;
    placefile_begin (&file, text, size);
    if (s_read_header (self, &file, &columns) != 0)
        return;
    int more;
    while ((more = placefile_next (&file)) == 1 && self->count < STATIONS_MAX)
        s_read_row (self, &file, &columns, datum);
    if (more < 0)
        areafaults_fatal (self->faults, -1, NULL, "stations line %ld: %s", file.line, file.fault);
    else if (more == 1)
        areafaults_fatal (self->faults, -1, NULL, "stations line %ld: more than %d stations", file.line, STATIONS_MAX);
    else if (self->count == 0 && areafaults_fatal_count (self->faults) == 0)
        areafaults_fatal (self->faults, -1, NULL, "stations: the file has a header and no station");
}

//  ---- the plane

static void s_project (position_t middle, position_t at, double *x, double *y)
{
    double lat0 = middle.lat * M_PI / 180, lat = at.lat * M_PI / 180, east = (at.lon - middle.lon) * M_PI / 180;
    double u = cos (lat) * sin (east), v = cos (lat0) * sin (lat) - sin (lat0) * cos (lat) * cos (east);
    double sine = hypot (u, v), angle = atan2 (sine, sin (lat0) * sin (lat) + cos (lat0) * cos (lat) * cos (east));
    double stretch = sine > 1e-15 ? angle / sine : 1;
    *x = EARTH_M * stretch * u;
    *y = EARTH_M * stretch * v;
}

static position_t s_unproject (position_t middle, double x, double y)
{
    double lat0 = middle.lat * M_PI / 180, away = hypot (x, y), angle = away / EARTH_M;
    if (away < 1e-9)
        return middle;
    double lat = asin (cos (angle) * sin (lat0) + y * sin (angle) * cos (lat0) / away);
    double east = atan2 (x * sin (angle), away * cos (lat0) * cos (angle) - y * sin (lat0) * sin (angle));
    return (position_t){ lat * 180 / M_PI, middle.lon + east * 180 / M_PI };
}

static int s_move (double *x, double *y, void *data)
{
    s_project (*(position_t *)data, (position_t){ *y, *x }, x, y);
    return 1;
}

//  A copy with every point moved by s_move.
static GEOSGeometry *s_onto_plane (s_derive_t *self, const GEOSGeometry *shape)
{
    return GEOSGeom_transformXY_r (self->geos, shape, s_move, &self->middle);
}

//  Cuts edges longer than step, but not into so many pieces that the shape grows out of hand.
static GEOSGeometry *s_cut (s_derive_t *self, const GEOSGeometry *shape, double step)
{
    double length = 0;
    GEOSLength_r (self->geos, shape, &length);
    return GEOSDensify_r (self->geos, shape, fmax (step, length / CUTS_MAX));
}

//  ---- the outline

static GEOSGeometry *s_join (s_derive_t *self, const areafile_t *file)
{
    GEOSGeometry **list = area_zeroed (file->area_count, sizeof *list);
    unsigned count = 0;
    for (size_t i = 0; i < file->area_count; i++) {
        const areafile_area_t *area = &file->areas [i];
        list [count] = areageos_build (self->geos, &file->parts [area->part_first], area->part_count, file->points);
        count += list [count] != NULL;
    }
    GEOSGeometry *all = GEOSGeom_createCollection_r (self->geos, GEOS_GEOMETRYCOLLECTION, list, count);
    GEOSGeometry *whole = all ? GEOSUnaryUnion_r (self->geos, all) : NULL;
    if (all)
        GEOSGeom_destroy_r (self->geos, all);
    free (list);
    return whole;
}

//  All polygons of the file as one, in WGS-84 degrees; NULL with a fault.
static GEOSGeometry *s_read_outline (s_derive_t *self, const char *bytes, size_t size, datum_t datum)
{
    areafile_t *file = areafile_read_outline (bytes, size, self->faults);
    areamend (file, self->faults, NULL, NULL);
    GEOSGeometry *whole = NULL;
    if (areafaults_fatal_count (self->faults) == 0) {
        for (size_t i = 0; i < file->point_count; i++)
            file->points [i] = datum_to_wgs84 (file->points [i], datum);
        whole = s_join (self, file);
        if (!whole || GEOSisEmpty_r (self->geos, whole) == 1)
            areafaults_fatal (self->faults, -1, NULL, "outline: its polygons cannot be joined to one ground");
    }
    areafile_destroy (&file);
    return whole;
}

//  Lays stations and outline on the plane at the outline's middle.
static int s_lay (s_derive_t *self, const GEOSGeometry *outline)
{
    double west = 0, south = 0, east = 0, north = 0;
    GEOSGeom_getXMin_r (self->geos, outline, &west);
    GEOSGeom_getXMax_r (self->geos, outline, &east);
    GEOSGeom_getYMin_r (self->geos, outline, &south);
    GEOSGeom_getYMax_r (self->geos, outline, &north);
    self->middle = (position_t){ (south + north) / 2, (west + east) / 2 };
    double reach = fmax (
        distance_m (self->middle, (position_t){ south, west }), distance_m (self->middle, (position_t){ north, east }));
    if (reach > REACH_MAX_M) {
        areafaults_fatal (self->faults, -1, NULL,
            "outline: reaches %.0f km from its middle; up to %.0f km can be laid on one plane", reach / 1000,
            REACH_MAX_M / 1000);
        return -1;
    }
    for (size_t i = 0; i < self->count; i++) {
        s_station_t *station = &self->stations [i];
        s_project (self->middle, station->at, &station->x, &station->y);
        if (distance_m (self->middle, station->at) > 2 * REACH_MAX_M)
            areafaults_fatal (self->faults, -1, NULL, "stations line %ld: \"%s\" is %.0f km from the outline's middle",
                station->line, station->id, distance_m (self->middle, station->at) / 1000);
    }
    s_check_doubles (self);
    GEOSGeometry *fine = s_cut (self, outline, STEP_DEGREES);
    GEOSGeometry *laid = fine ? s_onto_plane (self, fine) : NULL;
    self->outline = laid ? GEOSMakeValid_r (self->geos, laid) : NULL;
    if (laid)
        GEOSGeom_destroy_r (self->geos, laid);
    if (fine)
        GEOSGeom_destroy_r (self->geos, fine);
    return self->outline ? 0 : -1;
}

//  ---- the cells

typedef struct {
    s_derive_t *derive;
    const GEOSGeometry *cell;
    int station; //  the one that stands in it, -1
} s_owner_t;

static void s_on_station (void *item, void *data)
{
    s_owner_t *owner = data;
    s_derive_t *self = owner->derive;
    s_station_t *station = item;
    GEOSGeometry *point = GEOSGeom_createPointFromXY_r (self->geos, station->x, station->y);
    if (GEOSIntersects_r (self->geos, owner->cell, point) == 1)
        owner->station = (int)(station - self->stations);
    GEOSGeom_destroy_r (self->geos, point);
}

static GEOSGeometry *s_points (s_derive_t *self, GEOSSTRtree *tree)
{
    GEOSGeometry **points = area_zeroed (self->count, sizeof *points);
    for (size_t i = 0; i < self->count; i++) {
        points [i] = GEOSGeom_createPointFromXY_r (self->geos, self->stations [i].x, self->stations [i].y);
        GEOSSTRtree_insert_r (self->geos, tree, points [i], &self->stations [i]);
    }
    GEOSGeometry *all = GEOSGeom_createCollection_r (self->geos, GEOS_MULTIPOINT, points, (unsigned)self->count);
    free (points);
    return all;
}

//  GEOS gives the cells in an order of its own; a cell belongs to the station that stands in it.
static void s_take_cells (s_derive_t *self, const GEOSGeometry *diagram, GEOSSTRtree *tree)
{
    int cells = GEOSGetNumGeometries_r (self->geos, diagram);
    for (int i = 0; i < cells; i++) {
        s_owner_t owner = { .derive = self, .cell = GEOSGetGeometryN_r (self->geos, diagram, i), .station = -1 };
        GEOSSTRtree_query_r (self->geos, tree, owner.cell, s_on_station, &owner);
        if (owner.station >= 0 && !self->cells [owner.station])
            self->cells [owner.station] = GEOSIntersection_r (self->geos, owner.cell, self->outline);
        if (self->progress)
            self->progress (self->context, i + 1, cells);
    }
}

static int s_make_cells (s_derive_t *self)
{
    self->cells = area_zeroed (self->count, sizeof *self->cells);
    if (self->count == 1) {
        self->cells [0] = GEOSGeom_clone_r (self->geos, self->outline);
        return 0;
    }
    GEOSSTRtree *tree = GEOSSTRtree_create_r (self->geos, 10);
    GEOSGeometry *points = s_points (self, tree);
    GEOSGeometry *frame = GEOSEnvelope_r (self->geos, self->outline);
    GEOSGeometry *diagram = points && frame ? GEOSVoronoiDiagram_r (self->geos, points, frame, 0, 0) : NULL;
    if (diagram)
        s_take_cells (self, diagram, tree);
    int rc = diagram ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < self->count; i++)
        rc = self->cells [i] ? 0 : -1;
    if (diagram)
        GEOSGeom_destroy_r (self->geos, diagram);
    GEOSGeom_destroy_r (self->geos, frame);
    GEOSGeom_destroy_r (self->geos, points);
    GEOSSTRtree_destroy_r (self->geos, tree);
    return rc;
}

//  ---- the file

static void s_write_ring (s_derive_t *self, FILE *out, const GEOSGeometry *ring)
{
    const GEOSCoordSequence *points = GEOSGeom_getCoordSeq_r (self->geos, ring);
    unsigned count = 0;
    double x, y;
    GEOSCoordSeq_getSize_r (self->geos, points, &count);
    fputc ('[', out);
    for (unsigned i = 0; i < count; i++) {
        GEOSCoordSeq_getXY_r (self->geos, points, i, &x, &y);
        position_t at = s_unproject (self->middle, x, y);
        fprintf (out, "%s[%.*f,%.*f]", i ? "," : "", DIGITS, at.lon, DIGITS, at.lat);
    }
    fputc (']', out);
}

static void s_write_polygon (s_derive_t *self, FILE *out, const GEOSGeometry *polygon)
{
    fputc ('[', out);
    s_write_ring (self, out, GEOSGetExteriorRing_r (self->geos, polygon));
    for (int i = 0; i < GEOSGetNumInteriorRings_r (self->geos, polygon); i++) {
        fputc (',', out);
        s_write_ring (self, out, GEOSGetInteriorRingN_r (self->geos, polygon, i));
    }
    fputc (']', out);
}

static bool s_is_ground (s_derive_t *self, const GEOSGeometry *piece)
{
    double size = 0;
    return GEOSGeomTypeId_r (self->geos, piece) == GEOS_POLYGON && GEOSArea_r (self->geos, piece, &size) == 1
        && size > SPECK_M2;
}

//  Returns false when the station has no ground.
static bool s_write_station (s_derive_t *self, FILE *out, size_t number, bool first)
{
    const s_station_t *station = &self->stations [number];
    GEOSGeometry *fine = s_cut (self, self->cells [number], STEP_M);
    int pieces = 0, written = 0;
    for (int i = 0; fine && i < GEOSGetNumGeometries_r (self->geos, fine); i++)
        pieces += s_is_ground (self, GEOSGetGeometryN_r (self->geos, fine, i));
    if (pieces) {
        json_t *text = json_string (station->name);
        char *name = json_dumps (text, JSON_ENCODE_ANY);
        json_decref (text);
        fprintf (out,
            "%s{\"type\":\"Feature\",\"properties\":{\"station\":\"%s\",\"id\":\"%s\",\"name\":%s,\"derived\":true},",
            first ? "" : ",\n", station->id, station->id, name);
        fprintf (out, "\"geometry\":{\"type\":\"%s\",\"coordinates\":%s", pieces > 1 ? "MultiPolygon" : "Polygon",
            pieces > 1 ? "[" : "");
        for (int i = 0; i < GEOSGetNumGeometries_r (self->geos, fine); i++)
            if (s_is_ground (self, GEOSGetGeometryN_r (self->geos, fine, i))) {
                fputs (written++ ? "," : "", out);
                s_write_polygon (self, out, GEOSGetGeometryN_r (self->geos, fine, i));
            }
        fprintf (out, "%s}}", pieces > 1 ? "]" : "");
        free (name);
    }
    if (fine)
        GEOSGeom_destroy_r (self->geos, fine);
    return pieces > 0;
}

static char *s_write (s_derive_t *self)
{
    char *text = NULL;
    size_t size, written = 0;
    FILE *out = open_memstream (&text, &size);
    if (!out)
        return NULL;
    fputs ("{\"type\":\"FeatureCollection\",\"features\":[\n", out);
    for (size_t i = 0; i < self->count; i++)
        if (s_write_station (self, out, i, written == 0))
            written++;
        else
            areafaults_warn (self->faults, -1, self->stations [i].id,
                "stations line %ld: \"%s\" gets no area: everywhere in the outline another station is nearer",
                self->stations [i].line, self->stations [i].id);
    fputs ("\n]}\n", out);
    fclose (out);
    return text;
}

static void s_release (s_derive_t *self)
{
    for (size_t i = 0; self->cells && i < self->count; i++)
        if (self->cells [i])
            GEOSGeom_destroy_r (self->geos, self->cells [i]);
    if (self->outline)
        GEOSGeom_destroy_r (self->geos, self->outline);
    GEOS_finish_r (self->geos);
    free (self->cells);
    free (self->stations);
}

char *areaderive_make (char *stations, size_t stations_size, const char *outline, size_t outline_size, datum_t datum,
    areas_fault_fn *fault, areas_progress_fn *progress, void *context)
{
    assert (stations && outline);
    s_derive_t self = { .faults = areafaults_new (), .progress = progress, .context = context, .geos = GEOS_init_r () };
    char *text = NULL;
    s_read_stations (&self, stations, stations_size, datum);
    GEOSGeometry *ground = s_read_outline (&self, outline, outline_size, datum);
    int rc = ground && areafaults_fatal_count (self.faults) == 0 ? s_lay (&self, ground) : -1;
    if (rc == 0 && areafaults_fatal_count (self.faults) == 0)
        rc = s_make_cells (&self);
    if (rc == 0 && areafaults_fatal_count (self.faults) == 0)
        text = s_write (&self);
    if (!text && areafaults_fatal_count (self.faults) == 0)
        areafaults_fatal (self.faults, -1, NULL, "GEOS cannot divide the ground between these stations");
    if (ground)
        GEOSGeom_destroy_r (self.geos, ground);
    areafaults_tell (self.faults, fault, context);
    areafaults_destroy (&self.faults);
    s_release (&self);
    return text;
}
