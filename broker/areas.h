//  areas - jurisdictions: which station is responsible for a point and kind, and why
//
//  Polygons (with holes, MultiPolygons), road lines with a buffer, checkpoints with a radius; levels, kinds, dates, parents.
//  An areas_t is immutable once loaded and may be read from any thread; a new file makes a new one and the owner swaps.
//  Lookup by an own flat index (grid of edge lists); GEOS judges validity, repairs, and is asked within 1e-9 degree of an edge.
//
//  Precedence among areas that take the kind at that date: checkpoint, line, polygon; lower level; smaller area; lowest area id
//  (the one the file names first). On a border that areas of one class and level share, the lowest id wins whatever their size.

#ifndef AREAS_H_INCLUDED
#define AREAS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "geodesy.h"

#define STATION_MAX 32 //  bytes of a station id: [A-Za-z0-9_.-]+ ; "district" always exists
#define AREA_COPIES 3

typedef enum { BY_CHECKPOINT, BY_LINE, BY_POLYGON, BY_NEAREST, BY_PARENT, BY_DISTRICT } areas_by_t;
const char *areas_by_name (areas_by_t by);

typedef struct {
    char id [STATION_MAX + 1];
    char name [97];
    int parent; //  index, -1 for the district
    int level;  //  lowest of its areas
} station_t;

typedef struct areas_t areas_t;

//  Faults found in a file: called once each, in file order. feature -1 = the whole file.
typedef struct {
    bool fatal;  //  the file is refused; otherwise a warning
    int feature; //  index in the FeatureCollection
    char station [STATION_MAX + 1];
    char text [256]; //  one English line: what is wrong, where, what would be right; does not repeat feature and station
} areas_fault_t;
typedef void (areas_fault_fn) (void *context, const areas_fault_t *fault);

//  How far long work is; called often, from the same thread.
typedef void (areas_progress_fn) (void *context, int done, int total);

//  Parses and checks a GeoJSON FeatureCollection in the given datum. Depth, counts (<= 4 x 10^6 points) and numbers are checked
//  before GEOS sees them. NULL if any fault was fatal. `deep` also looks for overlaps and gaps between polygons of
//  one level (slower; `areas check`). bytes NULL = no areas: everything goes to `district`.
areas_t *areas_load (
    const char *bytes, size_t size, datum_t datum, uint64_t version, bool deep, areas_fault_fn *fault, void *context);
//  The same, deep, for `areas check`: also compares shapes when other faults are fatal, and says how far it is.
areas_t *areas_check (
    const char *bytes, size_t size, datum_t datum, areas_fault_fn *fault, areas_progress_fn *progress, void *context);
void areas_destroy (areas_t **self_p);

int areas_station_count (const areas_t *self); //  >= 1; index 0 is `district`
const station_t *areas_station (const areas_t *self, int index);
int areas_find_station (const areas_t *self, const char *id, size_t size); //  -1 if absent
int areas_count (const areas_t *self);
uint64_t areas_version (const areas_t *self);
size_t areas_memory (const areas_t *self); //  bytes of all it holds, but for the few polygons GEOS was asked about lately

//  The decision for a point. `text` fields are English, for the log's reason.
typedef struct {
    int station; //  owner, always valid
    int area;    //  index, -1 if none
    areas_by_t by;
    int copies [AREA_COPIES]; //  station indexes, never the owner
    int copy_count;
    char why [160];
} areas_choice_t;

//  position WGS-84; kind id NUL-terminated; when_ms for dates; accuracy_m 0 = not known.
//  Copies: neighbours (stations of areas within max(min(accuracy, 500 m), 50 m border band) of the point), nearest first.
//  A neighbour is an area that would be the owner within that distance: across the border, the village and not its county.
//  A gap goes to the nearest area within 2 km, then to the parent level, then to `district`.
void areas_choose (
    const areas_t *self, position_t position, const char *kind, int64_t when_ms, double accuracy_m, areas_choice_t *out);

//  The area a point lies in, by the same precedence; -1 if it lies in none. Neither copies nor reasons: for those who only count.
int areas_at (const areas_t *self, position_t position, const char *kind, int64_t when_ms);

//  "id" of an area: its `id` property or feature index, and its name; borrowed.
const char *areas_area_id (const areas_t *self, int area);
const char *areas_area_name (const areas_t *self, int area);
int areas_area_level (const areas_t *self, int area);
int areas_area_station (const areas_t *self, int area);
bool areas_area_derived (const areas_t *self, int area); //  nobody drew it: `areas derive` did

//  For `areas explain`: every candidate at the point with the reason it won or lost.
typedef void (areas_candidate_fn) (void *context, int area, areas_by_t by, double distance_m, bool chosen, const char *why);
void areas_explain (const areas_t *self, position_t position, const char *kind, int64_t when_ms, double accuracy_m,
    areas_choice_t *out, areas_candidate_fn *candidate, void *context);

//  True if the area's own shape covers the point (for replay --area). area by id; -1 if unknown.
int areas_find_area (const areas_t *self, const char *id);
bool areas_covers (const areas_t *self, int area, position_t position);

#endif
