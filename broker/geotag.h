//  geotag - where a tip's event is, and what that place is called
//
//  The tip's own position; else its place in words, found in the gazetteer with the sender's home area and last place as bias;
//  else the post the sender stands at; else nowhere: unlocated, a person has to place it. docs/places.md is the long form.

#ifndef GEOTAG_H_INCLUDED
#define GEOTAG_H_INCLUDED

#include "engine.h"

typedef struct {
    bool has_position;   //  false: unlocated
    position_t position; //  WGS-84
    uint32_t accuracy_m; //  0 = not known
    char label [256];    //  "旬阳县 蜀河镇 江边 东 120 m"; "" if there is nothing to name
    char why [240];      //  how it was placed, ends in "; "; "" for a position of the tip's own
} geotag_t;

//  The tip is validated. A position of its own is remembered as the member's last one, in memory only, and not of an
//  anonymous tip, which is not placed by it either.
void geotag_tip (engine_t *self, const Patrol__Tip *tip, member_t *member, int64_t when_ms, geotag_t *out);

//  The name of a position: named areas that cover it and the nearest named place, with distance and wind.
void geotag_label (engine_t *self, position_t position, int64_t when_ms, char *out, size_t room);

#endif
