#include <assert.h>
#include <math.h>
#include <string.h>
#include "areamem.h"
#include "places_private.h"
#include "utf8.h"

#define LABEL_MAX_M 20000.0
#define LABEL_LEVELS 2 //  names above the nearest place, at most

//  ---------------------------------------------------------------------------------------------
//  Points of places that have none

typedef struct {
    uint64_t hash;
    uint32_t row;
} s_area_t;

static int s_by_area (const void *left, const void *right)
{
    const s_area_t *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void s_find_parents (places_t *self)
{
    s_area_t *areas = area_zeroed (self->count, sizeof *areas);
    for (uint32_t row = 0; row < self->count; row++) {
        const char *area = places_text (self, self->rows [row].area);
        areas [row] = (s_area_t){ placename_hash (area, strlen (area)), row };
    }
    qsort (areas, self->count, sizeof *areas, s_by_area);
    int32_t parent = -1;
    for (size_t i = 0; i < self->count; i++) {
        const char *area = places_text (self, self->rows [areas [i].row].area);
        if (!*area)
            continue;
        if (i == 0 || areas [i].hash != areas [i - 1].hash)
            parent = placespell_area (self, area);
        if (parent != (int32_t)areas [i].row)
            self->rows [areas [i].row].parent = parent;
    }
    free (areas);
}

//  A file that lists places under what they lie in leaves no doubt about a bare name: 新庄村 with area 城关镇, directly after one of
//  the 城关镇, or after another row of that area which is.
static void s_adopt_runs (places_t *self)
{
    for (size_t row = 1; row < self->count; row++) {
        placerow_t *place = &self->rows [row];
        const char *area = places_text (self, place->area);
        if (place->parent >= 0 || !*area)
            continue;
        const placerow_t *before = &self->rows [row - 1];
        if (strcmp (places_text (self, before->name), area) == 0)
            place->parent = (int32_t)row - 1;
        else if (strcmp (places_text (self, before->area), area) == 0)
            place->parent = before->parent;
    }
}

//  How deep each lies, and whether something lies under it.
static void s_measure_depth (places_t *self)
{
    for (size_t row = 0; row < self->count; row++) {
        int32_t above = self->rows [row].parent;
        if (above >= 0)
            self->rows [above].has_children = true;
        for (; above >= 0 && self->rows [row].depth < PLACES_DEPTH; above = self->rows [above].parent)
            self->rows [row].depth++;
    }
}

typedef struct {
    double lat, lon, first_lon;
    uint32_t count;
} s_mean_t;

//  One level up: places without a point get the mean of those under them that have one.
static bool s_derive_from_below (places_t *self, s_mean_t *means)
{
    memset (means, 0, self->count * sizeof *means);
    for (size_t row = 0; row < self->count; row++) {
        const placerow_t *place = &self->rows [row];
        if (place->parent < 0 || !place->has_position || self->rows [place->parent].has_position)
            continue;
        s_mean_t *mean = &means [place->parent];
        if (!mean->count++)
            mean->first_lon = place->position.lon;
        mean->lat += place->position.lat;
        mean->lon += remainder (place->position.lon - mean->first_lon, 360); //  across 180 degrees too
    }
    bool found = false;
    for (size_t row = 0; row < self->count; row++)
        if (means [row].count) {
            placerow_t *place = &self->rows [row];
            place->position.lat = means [row].lat / means [row].count;
            place->position.lon = remainder (means [row].first_lon + means [row].lon / means [row].count, 360);
            place->has_position = place->derived = found = true;
        }
    return found;
}

static bool s_derive_from_above (places_t *self)
{
    bool found = false;
    for (size_t row = 0; row < self->count; row++) {
        placerow_t *place = &self->rows [row];
        if (!place->has_position && place->parent >= 0 && self->rows [place->parent].has_position) {
            place->position = self->rows [place->parent].position;
            place->has_position = place->derived = found = true;
        }
    }
    return found;
}

static void s_derive (places_t *self)
{
    s_mean_t *means = area_zeroed (self->count, sizeof *means);
    for (int round = 0; round < PLACES_DEPTH && s_derive_from_below (self, means); round++)
        continue;
    for (int round = 0; round < PLACES_DEPTH && s_derive_from_above (self); round++)
        continue;
    free (means);
}

//  How far what lies under a place reaches: points of their own only. A place that has its parent's point may be anywhere that
//  the parent reaches.
static void s_measure_reach (places_t *self)
{
    for (size_t row = 0; row < self->count; row++) {
        const placerow_t *place = &self->rows [row];
        int32_t above = place->has_position && !place->derived ? place->parent : -1;
        for (int level = 0; above >= 0 && level < PLACES_DEPTH; level++) {
            placerow_t *wide = &self->rows [above];
            if (wide->has_position)
                wide->reach_m = fmaxf (wide->reach_m, (float)distance_m (wide->position, place->position));
            above = wide->parent;
        }
    }
    for (int round = 0; round < PLACES_DEPTH; round++) {
        bool moved = false;
        for (size_t row = 0; row < self->count; row++) {
            placerow_t *place = &self->rows [row];
            const placerow_t *above = place->parent >= 0 ? &self->rows [place->parent] : NULL;
            bool given = place->derived && above && above->has_position && place->position.lat == above->position.lat
                && place->position.lon == above->position.lon;
            if (given && place->reach_m < above->reach_m) {
                place->reach_m = above->reach_m;
                moved = true;
            }
        }
        if (!moved)
            return;
    }
}

static void s_make_tree (places_t *self)
{
    placetree_point_t *points = area_resize (NULL, self->count, sizeof *points);
    size_t count = 0;
    for (uint32_t row = 0; row < self->count; row++)
        if (self->rows [row].has_position)
            points [count++] = placetree_point (self->rows [row].position, row);
    self->tree = placetree_new (points, count);
}

//  ---------------------------------------------------------------------------------------------
//  The gazetteer

places_t *places_load (const char *bytes, size_t size, datum_t datum, char **reason)
{
    assert (reason);
    *reason = NULL;
    places_t *self = area_zeroed (1, sizeof *self);
    if (bytes && placeread (self, bytes, size, datum, reason) != 0) {
        places_destroy (&self);
        return NULL;
    }
    s_make_tree (self); //  before points are derived: only those of their own
    placespell_make (self);
    if (self->count) {
        s_find_parents (self);
        s_adopt_runs (self);
        s_measure_depth (self);
        s_derive (self);
        s_measure_reach (self);
    }
    return self;
}

void places_destroy (places_t **self_p)
{
    assert (self_p);
    places_t *self = *self_p;
    if (self) {
        placetree_destroy (&self->tree);
        placegrams_destroy (&self->grams);
        free (self->marks);
        free (self->keys);
        free (self->rows);
        free (self->text);
        free (self);
        *self_p = NULL;
    }
}

int places_count (const places_t *self)
{
    return (int)self->count;
}

size_t places_memory (const places_t *self)
{
    return sizeof *self + self->text_size + self->room * sizeof *self->rows + self->key_room * sizeof *self->keys
        + (self->marks ? (self->mark_mask + 1) / 8 : 0) + placegrams_memory (self->grams)
        + self->count * sizeof (placetree_point_t);
}

void places_fill (const places_t *self, uint32_t row, double distance, double confidence, place_t *out)
{
    const placerow_t *place = &self->rows [row];
    *out = (place_t){ .name = places_text (self, place->name),
        .kind = places_text (self, place->kind),
        .area = places_text (self, place->area),
        .position = place->position,
        .has_position = place->has_position,
        .derived = place->derived,
        .reach_m = place->reach_m,
        .distance_m = distance,
        .confidence = confidence };
}

bool places_nearest (const places_t *self, position_t position, double max_m, place_t *out)
{
    assert (self && out);
    if (!position_valid (position) || !(max_m >= 0))
        return false;
    int64_t row = placetree_nearest (self->tree, position, max_m);
    if (row < 0)
        return false;
    places_fill (self, (uint32_t)row, distance_m (self->rows [row].position, position), 1, out);
    return true;
}

//  ---------------------------------------------------------------------------------------------
//  Labels

//  A text being put together; what does not fit is cut to whole characters.
typedef struct {
    char *out;
    size_t room, size;
} s_label_t;

static void s_say (s_label_t *label, const char *words, size_t keep)
{
    size_t size = strlen (words), left = label->room - 1 - label->size;
    left = left > keep ? left - keep : 0;
    if (size > left)
        for (size = left; size > 0 && ((unsigned char)words [size] & 0xC0) == 0x80;)
            size--;
    memcpy (label->out + label->size, words, size);
    label->size += size;
    label->out [label->size] = 0;
}

typedef struct {
    const char *text;
    bool said;
} s_said_t;

//  A name is said when it stands in the text between spaces.
static void s_is_said (void *context, const char *name, size_t size, bool alias)
{
    (void)alias;
    s_said_t *search = context;
    size_t left = strlen (search->text);
    for (const char *at = search->text; size && (at = memmem (at, left, name, size)); at += size) {
        left = strlen (at) - size;
        search->said |= (at == search->text || at [-1] == ' ') && (!at [size] || at [size] == ' ');
    }
}

static bool s_ends_in (const char *text, const char *name)
{
    size_t size = strlen (text), tail = strlen (name);
    return size >= tail && strcmp (text + size - tail, name) == 0 && (size == tail || text [size - tail - 1] == ' ');
}

//  Names above the place, from large to small: those below the lowest one that `within` has; if it has none of them, it speaks of
//  another place (the nearest one lies across the border), and they would be wrong.
static int s_above (const places_t *self, uint32_t row, const char *within, const char *names [LABEL_LEVELS])
{
    const char *up [PLACES_DEPTH];
    int count = 0;
    bool met = !*within;
    for (int32_t above = self->rows [row].parent; above >= 0 && count < PLACES_DEPTH; above = self->rows [above].parent) {
        s_said_t search = { .text = within };
        placespell_each (self, (uint32_t)above, s_is_said, &search);
        if (search.said) {
            met = true;
            break;
        }
        up [count++] = places_text (self, self->rows [above].name);
    }
    if (!met)
        return 0;
    count = count < LABEL_LEVELS ? count : LABEL_LEVELS;
    for (int i = 0; i < count; i++)
        names [i] = up [count - 1 - i];
    return count;
}

static void s_say_distance (const places_t *self, uint32_t row, position_t position, char *out, size_t room)
{
    static const char *const english [] = { "N", "NE", "E", "SE", "S", "SW", "W", "NW" };
    static const char *const chinese [] = { "北", "东北", "东", "东南", "南", "西南", "西", "西北" };
    double metres = distance_m (self->rows [row].position, position);
    out [0] = 0;
    if (metres < 10)
        return;
    int wind = bearing_wind (bearing_deg (self->rows [row].position, position));
    const char *name = placename_is_han (places_text (self, self->rows [row].name)) ? chinese [wind] : english [wind];
    if (metres < 995)
        snprintf (out, room, " %s %.0f m", name, metres);
    else
        snprintf (out, room, " %s %.1f km", name, metres / 1000);
}

void places_label (const places_t *self, position_t position, const char *within, char *out, size_t room)
{
    assert (within && out && room > 0);
    s_label_t label = { out, room, 0 };
    out [0] = 0;
    int64_t row = position_valid (position) ? placetree_nearest (self->tree, position, LABEL_MAX_M) : -1;
    if (row < 0) {
        s_say (&label, within, 0);
        return;
    }
    const char *name = places_text (self, self->rows [row].name), *names [LABEL_LEVELS];
    char far [48];
    s_say_distance (self, (uint32_t)row, position, far, sizeof far);
    size_t tail = strlen (far) < room ? strlen (far) : 0; //  a name too long for the room is cut, the distance is kept
    int above = s_above (self, (uint32_t)row, within, names);
    //  what is around the place is said if there is room for all of it
    size_t around = strlen (within) + strlen (name) + tail + 2;
    for (int i = 0; i < above; i++)
        around += strlen (names [i]) + 1;
    bool said = false;
    if (around < room) {
        s_say (&label, within, tail);
        for (int i = 0; i < above; i++) {
            s_say (&label, label.size ? " " : "", tail);
            s_say (&label, names [i], tail);
        }
        said = s_ends_in (out, name);
        if (label.size && !said)
            s_say (&label, " ", tail);
    }
    if (!said)
        s_say (&label, name, tail);
    if (tail)
        s_say (&label, far, 0);
}
