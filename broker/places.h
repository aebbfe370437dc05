//  places - the gazetteer: nearest named place of a position, and positions of a name
//
//  CSV with a header: name,lat,lon,kind,area,aliases (RFC 4180; BOM and CRLF allowed; lat,lon may be empty: then the mean of
//  what lies under it (rows whose `area` names it), else its parent's point, and marked so). Immutable once loaded.
//  Columns may come in any order, others are passed over; aliases are divided by ; or |. An `area` whose name occurs more than
//  once is written with the area above it before it (旬阳县城关镇). Any thread may read.

#ifndef PLACES_H_INCLUDED
#define PLACES_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "geodesy.h"

typedef struct places_t places_t;

//  NULL with *reason (caller frees) naming line and value. bytes NULL = an empty gazetteer.
places_t *places_load (const char *bytes, size_t size, datum_t datum, char **reason);
void places_destroy (places_t **self_p);
int places_count (const places_t *self);

typedef struct {
    const char *name, *kind, *area; //  borrowed from places_t
    position_t position;            //  WGS-84
    bool has_position, derived;     //  derived: by its children or parent
    double distance_m;              //  from the asked position
    double confidence;              //  0..1, of a name search
} place_t;

//  Nearest named place with a point of its own within max_m; false if none.
bool places_nearest (const places_t *self, position_t position, double max_m, place_t *out);

//  Best candidates for a text (exact name, alias, "area + name", then containment), with `near` (may be NULL) as bias;
//  best first. Returns how many, <= room. ambiguous is set when the first is not clearly better than the second.
//  Suffixes (镇 村 县 街道办事处 村委会 社区居委会 ...) may be left out or added. distance_m is from `near`, 0 without it. Names that
//  contain the text are looked for in gazetteers of up to 65,536 rows only.
int places_find (const places_t *self, const char *name, const position_t *near, place_t *out, int room, bool *ambiguous);

//  "NAME 东 120 m" / "NAME E 120 m": label of a position. Chinese wind names when the place's name has Han characters,
//  so that the log reads the same whatever the operator's language. Writes "" if there is no place within 20 km.
void places_label (const places_t *self, position_t position, char *out, size_t room);

#endif
