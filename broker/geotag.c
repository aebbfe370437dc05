#include "geotag.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "areanames.h"
#include "engine_private.h"
#include "utf8.h"

#define NAMED_M 500.0          //  accuracy of a place's point: villages and streets are about that large
#define NAMED_DERIVED_M 3000.0 //  at least, of a point it has from its children or parent
#define POST_M 50u             //  accuracy of a post's own place
#define ACCURACY_MAX 100000.0  //  as a tip may have
#define SURE 0.6               //  confidence from which a name places a tip; a name that is only part of one has less
#define SURE_CLOSE 0.4         //  of a place in the home area or near the last place
#define CLOSE_M 30000.0
#define LAST_PLACE_MS (12 * 3600000) //  a device is no longer where it was
#define WHY_NAME 60                  //  bytes of a name shown in the reason

void geotag_label (engine_t *self, position_t position, int64_t when_ms, char *out, size_t room)
{
    char within [200];
    areanames_at (self->areas, position, when_ms, within, sizeof within);
    places_label (self->places, position, within, out, room);
}

//  ---- the sender's home and last place

typedef struct {
    const areas_t *areas;
    int station;
    int64_t when_ms;
} s_home_t;

static bool s_at_home (void *context, position_t position)
{
    s_home_t *home = context;
    areas_choice_t choice;
    areas_choose (home->areas, position, "other", home->when_ms, 0, &choice);
    return choice.station == home->station && choice.area >= 0;
}

//  A place that an old tip, come late, tells is not the newest; one told by a clock in the future does not stay for ever.
static void s_remember (const Patrol__Tip *tip, position_t position, int64_t when_ms, int64_t now_ms, member_t *member)
{
    if (tip->anonymous || (when_ms < member->last_place_ms && member->last_place_ms <= now_ms))
        return;
    member->last_lat_e7 = degrees_to_e7 (position.lat);
    member->last_lon_e7 = degrees_to_e7 (position.lon);
    member->last_place_ms = when_ms;
}

static bool s_last_place (const Patrol__Tip *tip, const member_t *member, int64_t when_ms, position_t *out)
{
    if (tip->anonymous || !member->last_place_ms || llabs (when_ms - member->last_place_ms) > LAST_PLACE_MS)
        return false;
    *out = (position_t){ e7_to_degrees (member->last_lat_e7), e7_to_degrees (member->last_lon_e7) };
    return true;
}

//  ---- a place in words

//  Bytes of the longest start of the name that is whole characters and fits.
static int s_fit (const char *name, size_t most)
{
    size_t size = strlen (name);
    if (size > most)
        for (size = most; size > 0 && ((unsigned char)name [size] & 0xC0) == 0x80;)
            size--;
    return (int)size;
}

static bool s_is_near (const place_t *place, const places_bias_t *bias)
{
    return bias->near && place->has_position && place->distance_m < CLOSE_M;
}

static void s_say_placed (const place_t *place, const places_answer_t *answer, const places_bias_t *bias, geotag_t *out)
{
    char among [64] = "";
    if (answer->total > 1)
        snprintf (among, sizeof among, ", first of %d%s%s", answer->total, place->at_home ? ", home area" : "",
            s_is_near (place, bias) ? ", near the last place" : "");
    snprintf (out->why, sizeof out->why, "placed by name: %.*s%s%.*s (confidence %.2f%s%s); ", s_fit (place->area, WHY_NAME),
        place->area, *place->area ? " " : "", s_fit (place->name, WHY_NAME), place->name, place->confidence, among,
        place->derived ? ", point derived" : "");
}

static void s_say_ambiguous (const place_t found [2], const places_answer_t *answer, geotag_t *out)
{
    snprintf (out->why, sizeof out->why, "the place name is ambiguous: %d places, %.*s %.*s or %.*s %.*s; ", answer->total,
        s_fit (found [0].area, WHY_NAME / 2), found [0].area, s_fit (found [0].name, WHY_NAME / 2), found [0].name,
        s_fit (found [1].area, WHY_NAME / 2), found [1].area, s_fit (found [1].name, WHY_NAME / 2), found [1].name);
}

static void s_by_name (engine_t *self, const Patrol__Tip *tip, const member_t *member, int64_t when_ms, geotag_t *out)
{
    char name [PLACE_MAX + 1];
    memcpy (name, tip->place.data, tip->place.len);
    name [tip->place.len] = 0;
    position_t last;
    int station = member->station [0] ? areas_find_station (self->areas, member->station, strlen (member->station)) : -1;
    s_home_t home = { self->areas, station, when_ms };
    places_bias_t bias = { .near = s_last_place (tip, member, when_ms, &last) ? &last : NULL,
        .unit = member->unit,
        .at_home = station > 0 ? s_at_home : NULL,
        .context = &home };
    place_t found [2];
    places_answer_t answer;
    int count = places_find (self->places, name, &bias, found, 2, &answer);
    if (!count)
        snprintf (out->why, sizeof out->why, "the place name is not known; ");
    else if (answer.ambiguous)
        s_say_ambiguous (found, &answer, out);
    else if (!found [0].has_position)
        snprintf (
            out->why, sizeof out->why, "nobody knows where %.*s is; ", s_fit (found [0].name, WHY_NAME), found [0].name);
    else if (found [0].confidence < (found [0].at_home || s_is_near (&found [0], &bias) ? SURE_CLOSE : SURE))
        snprintf (out->why, sizeof out->why, "the place name is not sure: %.*s %.*s (confidence %.2f); ",
            s_fit (found [0].area, WHY_NAME), found [0].area, s_fit (found [0].name, WHY_NAME), found [0].name,
            found [0].confidence);
    else {
        out->has_position = true;
        out->position = found [0].position;
        double least = found [0].derived ? NAMED_DERIVED_M : NAMED_M;
        out->accuracy_m = (uint32_t)fmin (fmax (least, ceil (found [0].reach_m)), ACCURACY_MAX);
        s_say_placed (&found [0], &answer, &bias, out);
    }
}

//  A member whose unit is a place of kind "post" in the gazetteer stands there.
static void s_by_post (engine_t *self, const member_t *member, geotag_t *out)
{
    place_t post;
    if (!member->unit [0] || !places_named (self->places, member->unit, &post) || strcmp (post.kind, "post") != 0
        || !post.has_position || post.derived)
        return;
    out->has_position = true;
    out->position = post.position;
    out->accuracy_m = POST_M;
    size_t used = strlen (out->why);
    snprintf (out->why + used, sizeof out->why - used, "at the sender's post; ");
}

void geotag_tip (engine_t *self, const Patrol__Tip *tip, member_t *member, int64_t when_ms, geotag_t *out)
{
    *out = (geotag_t){ .accuracy_m = tip->accuracy_m };
    if (tip->has_position) {
        position_t given = { e7_to_degrees (tip->lat_e7), e7_to_degrees (tip->lon_e7) };
        out->has_position = true;
        out->position = datum_to_wgs84 (given, (datum_t)tip->datum);
        s_remember (tip, out->position, when_ms, self->log_time, member);
    } else {
        if (tip->place.len)
            s_by_name (self, tip, member, when_ms, out);
        if (!out->has_position && !tip->anonymous) //  a post would tell who it was
            s_by_post (self, member, out);
    }
    if (out->has_position)
        geotag_label (self, out->position, when_ms, out->label, sizeof out->label);
}
