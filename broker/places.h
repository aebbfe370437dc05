//  places - the gazetteer: nearest named place of a position, and positions of a name
//
//  CSV with a header: name,lat,lon,kind,area,aliases (RFC 4180; BOM and CRLF allowed; lat,lon may be empty: then the mean of
//  what lies under it (rows whose `area` names it), else its parent's point, and marked so). Immutable once loaded.
//  Columns may come in any order, others are passed over; aliases are divided by ; or |. An `area` whose name occurs more than
//  once is written with the area above it before it (旬阳县城关镇), or its row stands before those under it. Any thread may read.

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
size_t places_memory (const places_t *self); //  bytes

typedef struct {
    const char *name, *kind, *area; //  borrowed from places_t
    position_t position;            //  WGS-84
    bool has_position, derived;     //  derived: by its children or parent
    double reach_m;                 //  to the farthest point known under it, or under the parent it has its point from
    double distance_m;              //  from the asked position
    double confidence;              //  0..1, of a name search
    bool at_home;                   //  in the home area that was asked with
} place_t;

//  Nearest named place with a point of its own within max_m; false if none.
bool places_nearest (const places_t *self, position_t position, double max_m, place_t *out);

//  What makes one of several places of a name more likely. All may be NULL.
typedef struct {
    const position_t *near; //  where the asker last was, or what he points at
    const char *unit;       //  a name: places under the one place it means are at home
    bool (*at_home) (void *context, position_t position);
    void *context;
} places_bias_t;

typedef struct {
    int total;      //  candidates, also those that found no room
    bool ambiguous; //  the first is not more likely than all that lie elsewhere together
} places_answer_t;

//  Candidates for a text, most likely first; returns how many, <= room. The text is read as names, aliases and the names above
//  them in any order ("旬阳县城关镇", "Shuhe, Xunyang"); the reading that explains most of it wins. Suffixes (镇 村 县 街道办事处 村委会
//  社区居委会 town county ...) may be left out or added. If no reading explains it all, names that contain it (or what follows an area) are
//  looked for, from two Chinese characters or three letters. Confidence = how much of the text the name explains and how well, times
//  its share among all candidates after the bias. distance_m is from bias->near, 0 without it. bias may be NULL.
int places_find (
    const places_t *self, const char *text, const places_bias_t *bias, place_t *out, int room, places_answer_t *answer);

//  The place that a text means, whole and without doubt, by name or alias; false if there is none or more than one.
bool places_named (const places_t *self, const char *text, place_t *out);

//  "旬阳县 城关镇 东 120 m" / "Xunyang River Gate E 120 m": label of a position. `within` (may be "") is what is known about where it
//  lies, from large to small, divided by spaces; what the gazetteer knows above the nearest place is put between. Chinese wind names when
//  the place's name has Han characters, so that the log reads the same whatever the operator's language. Just `within` if there is no
//  place within 20 km.
void places_label (const places_t *self, position_t position, const char *within, char *out, size_t room);

#endif
