//  areastate - what an areas_t holds; shared by areas.c (loads), areachoose.c, areaexplain.c and areacheck.c, nobody else

#ifndef AREASTATE_H_INCLUDED
#define AREASTATE_H_INCLUDED

#include "areafile.h"
#include "areaindex.h"
#include "areas.h"
#include "areashape.h"

#define AREA_LABEL_MAX 95                        //  bytes of "area ID NAME (level N)", cut to whole characters
#define AREA_BORDER_M 50.0                       //  border band
#define AREA_DOUBT_M 500.0                       //  an accuracy counts up to this
#define AREA_NEAREST_M 2000.0                    //  a gap goes to an area this near
#define AREA_ANCHOR_M 10000.0                    //  else to the parent of the station of an area this near
#define AREA_UNNAMED ((uint64_t)1 << AREA_KINDS) //  bit of every kind that no area names
#define KIND_SLOTS 256u                          //  a power of 2, over twice the number of kinds

typedef struct {
    char id [AREA_ID_MAX + 1];
    char name [AREA_NAME_MAX + 1];
    char label [AREA_LABEL_MAX + 1];
    size_t label_size;
    int feature;
    int station;
    int level;
    areas_by_t by;
    uint64_t kinds;
    int64_t from_ms, until_ms;
    double reach_m;
    double size_m2;
    bool derived;
    int rank; //  place in areas_t.ranked
} area_t;

struct areas_t {
    uint64_t version;
    station_t *stations;     //  0 is `district`
    uint64_t *station_kinds; //  what any of a station's areas takes
    int station_count;
    int *stations_by_id;
    area_t *areas;
    int area_count;
    int *areas_by_id;
    int *ranked; //  areas in order of precedence: a shape's number in the index
    char kinds [AREA_KINDS][AREA_KIND_MAX + 1];
    uint8_t kind_slots [KIND_SLOTS]; //  hash of a kind -> its bit + 1
    areaindex_t *index;
    areashape_t *shapes;
    areapart_t *parts; //  of the file: GEOS is asked about the points as they are there
    position_t *points;
    size_t part_count, point_count;
};

//  Bit of a kind id.
uint64_t areas_kind_bit (const areas_t *self, const char *kind);

//  Hits of the index with GEOS asked where a point touches an edge. `shape` of a hit is a rank.
int areas_hits (const areas_t *self, position_t position, double radius_m, const areaindex_filter_t *filter,
    areaindex_hit_t *hits, int room);

//  Does a win over b by class and level alone?
bool areas_outranks (const area_t *a, const area_t *b);

//  How far around a point neighbours get a copy.
double areas_copy_radius (double accuracy_m);

//  Overlaps and gaps between polygons of one level (areacheck.c).
void areacheck_deep (areas_t *self, areafaults_t *faults, areas_progress_fn *progress, void *context);

#endif
