#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "areamem.h"
#include "placefile.h"
#include "placename.h"
#include "places.h"
#include "placetree.h"
#include "utf8.h"

#define ROWS_MAX 2000000u
#define SIZE_MAX_BYTES ((size_t)512 << 20)
#define LABEL_MAX_M 20000.0
#define SCAN_ROWS 65536      //  names are searched for a part only in a gazetteer this small
#define INSIDE_MAX 64        //  bytes of a name looked for inside a text
#define CANDIDATES 256       //  of one search
#define NEAR_SCALE_M 30000.0 //  the bias to `near` falls by 1/e over this
#define ROUNDS 8             //  levels a missing point is passed up or down

typedef struct {
    uint32_t name, kind, area, aliases; //  in text; 0 = empty
    int32_t parent;                     //  row that `area` names; -1 unknown or ambiguous
    bool has_position, derived;
    position_t position;
} s_row_t;

//  A spelling of a row's name.
typedef struct {
    uint64_t hash;
    uint32_t row;
    float worth; //  confidence of a match by it
} s_key_t;

struct places_t {
    char *text; //  the file; fields end in NUL, text [0] is an empty one
    s_row_t *rows;
    size_t count, room;
    s_key_t *keys; //  by hash
    size_t key_count, key_room;
    uint64_t *marks;    //  a bit for every hash there is: most texts inside a text are no name
    uint64_t mark_mask; //  number of bits - 1
    placetree_t *tree;  //  rows with a point of their own
};

typedef struct {
    int name, lat, lon, kind, area, aliases;
} s_columns_t;

typedef struct {
    uint32_t row;
    double score;
    double distance_m; //  from `near`; NAN if not known
} s_candidate_t;

typedef struct {
    const places_t *places;
    const position_t *near;
    s_candidate_t list [CANDIDATES];
    int count;
} s_search_t;

static const char *s_text (const places_t *self, uint32_t at)
{
    return self->text + at;
}

//  ---------------------------------------------------------------------------------------------
//  Reading

__attribute__ ((format (printf, 2, 3))) static int s_refuse (char **reason, const char *format, ...)
{
    va_list values;
    va_start (values, format);
    if (vasprintf (reason, format, values) < 0)
        *reason = NULL;
    va_end (values);
    return -1;
}

static int s_read_header (placefile_t *file, s_columns_t *columns, char **reason)
{
    *columns = (s_columns_t){ -1, -1, -1, -1, -1, -1 };
    int got = placefile_next (file);
    if (got < 0)
        return s_refuse (reason, "line %ld: %s", file->line, file->fault);
    const struct {
        const char *name;
        int *column;
    } known [] = { { "name", &columns->name }, { "lat", &columns->lat }, { "lon", &columns->lon },
        { "kind", &columns->kind }, { "area", &columns->area }, { "aliases", &columns->aliases } };
    for (int field = 0; field < file->field_count; field++)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strcmp (file->fields [field], known [i].name) == 0) {
                if (*known [i].column >= 0)
                    return s_refuse (reason, "line %ld: column '%s' twice", file->line, known [i].name);
                *known [i].column = field;
            }
    for (size_t i = 0; i < 3; i++)
        if (*known [i].column < 0)
            return s_refuse (reason, "line 1: no column '%s'; the header is name,lat,lon,kind,area,aliases", known [i].name);
    return 0;
}

//  A field as its place in the text, checked; 0 if the column is not there or empty.
static int s_read_text (
    const places_t *self, const placefile_t *file, int column, const char *what, size_t max, uint32_t *at, char **reason)
{
    *at = 0;
    if (column < 0 || !file->fields [column][0])
        return 0;
    const char *field = file->fields [column];
    utf8_verdict_t verdict = utf8_check ((const uint8_t *)field, strlen (field), max, false);
    if (verdict != UTF8_OK)
        return s_refuse (reason, "line %ld: %s: %s; up to %zu bytes of UTF-8 text on one line are read", file->line, what,
            utf8_words (verdict), max);
    *at = (uint32_t)(field - self->text);
    return 0;
}

static int s_read_degrees (
    const placefile_t *file, const char *field, const char *what, double max, double *out, char **reason)
{
    char *end;
    double value = strtod (field, &end);
    bool number = strspn (field, "0123456789+-.eE") == strlen (field) && end != field && !*end && isfinite (value);
    if (!number || fabs (value) > max)
        return s_refuse (reason, "line %ld: %s '%.40s' is not a number of degrees from %g to %g%s", file->line, what, field,
            -max, max, number && max == 90 && fabs (value) <= 180 ? "; latitude and longitude look swapped" : "");
    *out = value;
    return 0;
}

static int s_read_position (const placefile_t *file, const s_columns_t *columns, datum_t datum, s_row_t *row, char **reason)
{
    const char *lat = file->fields [columns->lat], *lon = file->fields [columns->lon];
    if (!*lat && !*lon)
        return 0;
    if (!*lat || !*lon)
        return s_refuse (reason, "line %ld: only one of lat and lon is given; give both or none", file->line);
    if (s_read_degrees (file, lat, "lat", 90, &row->position.lat, reason) != 0
        || s_read_degrees (file, lon, "lon", 180, &row->position.lon, reason) != 0)
        return -1;
    row->position = datum_to_wgs84 (row->position, datum);
    row->has_position = true;
    return 0;
}

static int s_read_row (places_t *self, const placefile_t *file, const s_columns_t *columns, datum_t datum, char **reason)
{
    s_row_t row = { .parent = -1 };
    if (self->count == ROWS_MAX)
        return s_refuse (reason, "line %ld: more than %u places", file->line, ROWS_MAX);
    int most = columns->name;
    const int others [] = { columns->lat, columns->lon, columns->kind, columns->area, columns->aliases };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        most = others [i] > most ? others [i] : most;
    if (file->field_count <= most)
        return s_refuse (reason, "line %ld: has %d fields; the header names %d", file->line, file->field_count, most + 1);
    if (s_read_text (self, file, columns->name, "name", PLACE_MAX, &row.name, reason) != 0
        || s_read_text (self, file, columns->kind, "kind", PLACE_MAX, &row.kind, reason) != 0
        || s_read_text (self, file, columns->area, "area", PLACE_MAX, &row.area, reason) != 0
        || s_read_text (self, file, columns->aliases, "aliases", 4 * PLACE_MAX, &row.aliases, reason) != 0
        || s_read_position (file, columns, datum, &row, reason) != 0)
        return -1;
    if (!row.name)
        return s_refuse (reason, "line %ld: a place without a name", file->line);
    self->rows = area_grow (self->rows, self->count, &self->room, sizeof *self->rows);
    self->rows [self->count++] = row;
    return 0;
}

static int s_read_all (places_t *self, const char *bytes, size_t size, datum_t datum, char **reason)
{
    if (size > SIZE_MAX_BYTES)
        return s_refuse (reason, "%zu bytes; at most %zu are read", size, SIZE_MAX_BYTES);
    self->text = area_resize (self->text, size + 2, 1);
    self->text [0] = 0;
    memcpy (self->text + 1, bytes, size);
    self->text [size + 1] = 0;
    placefile_t file;
    placefile_begin (&file, self->text + 1, size);
    s_columns_t columns;
    if (s_read_header (&file, &columns, reason) != 0)
        return -1;
    int got;
    while ((got = placefile_next (&file)) == 1)
        if (s_read_row (self, &file, &columns, datum, reason) != 0)
            return -1;
    return got == 0 ? 0 : s_refuse (reason, "line %ld: %s", file.line, file.fault);
}

//  ---------------------------------------------------------------------------------------------
//  Spellings

static void s_add_key (places_t *self, const char *key, size_t size, uint32_t row, double worth)
{
    self->keys = area_grow (self->keys, self->key_count, &self->key_room, sizeof *self->keys);
    self->keys [self->key_count++] = (s_key_t){ placename_hash (key, size), row, (float)worth };
}

//  The name as it is, then its stem.
static void s_add_spelling (places_t *self, const char *name, size_t size, uint32_t row, double worth)
{
    char key [PLACENAME_ROOM];
    size_t length = placename_key (name, size, key);
    if (!length)
        return;
    s_add_key (self, key, length, row, worth);
    size_t stem = placename_stem (key, length);
    if (stem < length)
        s_add_key (self, key, stem, row, worth * 0.85);
}

static int s_by_hash (const void *left, const void *right)
{
    const s_key_t *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void s_make_keys (places_t *self)
{
    for (uint32_t row = 0; row < self->count; row++) {
        const char *name = s_text (self, self->rows [row].name);
        s_add_spelling (self, name, strlen (name), row, 1);
        for (const char *alias = s_text (self, self->rows [row].aliases); *alias;) {
            size_t size = strcspn (alias, ";|");
            s_add_spelling (self, alias, size, row, 0.95);
            alias += size + (alias [size] != 0);
        }
    }
    if (self->key_count)
        qsort (self->keys, self->key_count, sizeof *self->keys, s_by_hash);
    size_t bits = 64;
    while (bits < self->key_count * 16)
        bits *= 2;
    self->marks = area_zeroed (bits / 64, sizeof *self->marks);
    self->mark_mask = bits - 1;
    for (size_t i = 0; i < self->key_count; i++) {
        uint64_t bit = self->keys [i].hash & self->mark_mask;
        self->marks [bit / 64] |= (uint64_t)1 << (bit % 64);
    }
}

static const s_key_t *s_first_key (const places_t *self, uint64_t hash)
{
    uint64_t bit = hash & self->mark_mask;
    if (!self->marks || !(self->marks [bit / 64] >> (bit % 64) & 1))
        return NULL;
    size_t low = 0, high = self->key_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->keys [middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->key_count && self->keys [low].hash == hash ? &self->keys [low] : NULL;
}

//  ---------------------------------------------------------------------------------------------
//  Searching

static void s_add_candidate (s_search_t *search, uint32_t row, double worth)
{
    const s_row_t *place = &search->places->rows [row];
    s_candidate_t candidate = { row, worth, NAN };
    if (!place->has_position)
        candidate.score *= 0.5;
    else if (place->derived)
        candidate.score *= 0.95;
    if (search->near && place->has_position) {
        candidate.distance_m = distance_m (*search->near, place->position);
        candidate.score *= 0.5 + 0.5 * exp (-candidate.distance_m / NEAR_SCALE_M);
    }
    int worst = 0;
    for (int i = 0; i < search->count; i++) {
        if (search->list [i].row == row) {
            if (candidate.score > search->list [i].score)
                search->list [i] = candidate;
            return;
        }
        if (search->list [i].score < search->list [worst].score)
            worst = i;
    }
    if (search->count < CANDIDATES)
        search->list [search->count++] = candidate;
    else if (candidate.score > search->list [worst].score)
        search->list [worst] = candidate;
}

//  Does what stands before the name end in the row's area, in full or without its suffix?
static bool s_in_area (const places_t *self, uint32_t row, const char *before, size_t size)
{
    char area [PLACENAME_ROOM];
    const char *name = s_text (self, self->rows [row].area);
    size_t length = placename_key (name, strlen (name), area);
    if (!length)
        return false;
    if (size >= length && memcmp (before + size - length, area, length) == 0)
        return true;
    size_t stem = placename_stem (area, length);
    return size >= stem && memcmp (before + size - stem, area, stem) == 0;
}

//  Rows spelled key [from..to); if `within`, only those whose area stands before.
static void s_match (s_search_t *search, const char *key, size_t from, size_t to, bool within, double worth)
{
    uint64_t hash = placename_hash (key + from, to - from);
    const s_key_t *end = search->places->keys + search->places->key_count;
    for (const s_key_t *at = s_first_key (search->places, hash); at && at < end && at->hash == hash; at++)
        if (!within || s_in_area (search->places, at->row, key, from))
            s_add_candidate (search, at->row, worth * at->worth);
}

static bool s_is_start (const char *key, size_t at)
{
    return ((unsigned char)key [at] & 0xC0) != 0x80;
}

//  The whole text is a name, an alias, or "area + name"; with suffixes left out or added.
static void s_match_whole (s_search_t *search, const char *key, size_t size)
{
    s_match (search, key, 0, size, false, 1);
    size_t stem = placename_stem (key, size);
    if (!search->count && stem < size)
        s_match (search, key, 0, stem, false, 0.85);
    for (size_t from = 1; from < size; from++)
        if (s_is_start (key, from)) {
            s_match (search, key, from, size, true, 1);
            if (stem < size && from < stem)
                s_match (search, key, from, stem, true, 0.8);
        }
}

//  The longest names inside the text, those after their area first.
static void s_match_inside (s_search_t *search, const char *key, size_t size)
{
    for (int within = 1; within >= 0 && !search->count; within--)
        for (size_t length = size < INSIDE_MAX ? size : INSIDE_MAX; length >= 2 && !search->count; length--)
            for (size_t from = 0; from + length <= size; from++)
                if (s_is_start (key, from) && (from + length == size || s_is_start (key, from + length))
                    && placename_length (key + from, length) >= 2)
                    s_match (search, key, from, from + length, within, within ? 0.7 : 0.5);
}

//  The text is inside a name. Reads every name, so it is left to small gazetteers.
static void s_match_part (s_search_t *search, const char *key, size_t size)
{
    const places_t *self = search->places;
    if (self->count > SCAN_ROWS || placename_length (key, size) < 2)
        return;
    for (uint32_t row = 0; row < self->count; row++) {
        char other [PLACENAME_ROOM];
        const char *name = s_text (self, self->rows [row].name);
        size_t length = placename_key (name, strlen (name), other);
        if (memmem (other, length, key, size))
            s_add_candidate (search, row, 0.5 * (double)size / (double)length);
    }
}

static int s_by_score (const void *left, const void *right)
{
    const s_candidate_t *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void s_search (s_search_t *search, const char *name, bool deep)
{
    char key [PLACENAME_ROOM];
    size_t size = strlen (name);
    if (search->places->key_count == 0 || utf8_check ((const uint8_t *)name, size, PLACE_MAX, true) != UTF8_OK)
        return;
    size = placename_key (name, size, key);
    if (!size)
        return;
    s_match_whole (search, key, size);
    if (deep && !search->count)
        s_match_inside (search, key, size);
    if (deep && !search->count)
        s_match_part (search, key, size);
    qsort (search->list, (size_t)search->count, sizeof *search->list, s_by_score);
}

//  ---------------------------------------------------------------------------------------------
//  Points of places that have none

//  The row an area text means, if it is only one.
static int32_t s_find_parent (const places_t *self, const char *area)
{
    s_search_t search = { .places = self };
    s_search (&search, area, false);
    if (search.count == 0 || (search.count > 1 && search.list [1].score >= search.list [0].score))
        return -1;
    return (int32_t)search.list [0].row;
}

//  Each different area text is looked up once.
static void s_find_parents (places_t *self)
{
    s_key_t *areas = area_zeroed (self->count, sizeof *areas);
    for (uint32_t row = 0; row < self->count; row++) {
        const char *area = s_text (self, self->rows [row].area);
        areas [row] = (s_key_t){ placename_hash (area, strlen (area)), row, 0 };
    }
    qsort (areas, self->count, sizeof *areas, s_by_hash);
    int32_t parent = -1;
    for (size_t i = 0; i < self->count; i++) {
        const char *area = s_text (self, self->rows [areas [i].row].area);
        if (!*area)
            continue;
        if (i == 0 || areas [i].hash != areas [i - 1].hash)
            parent = s_find_parent (self, area);
        if (parent != (int32_t)areas [i].row)
            self->rows [areas [i].row].parent = parent;
    }
    free (areas);
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
        const s_row_t *place = &self->rows [row];
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
            s_row_t *place = &self->rows [row];
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
        s_row_t *place = &self->rows [row];
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
    for (int round = 0; round < ROUNDS && s_derive_from_below (self, means); round++)
        continue;
    for (int round = 0; round < ROUNDS && s_derive_from_above (self); round++)
        continue;
    free (means);
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
    if (bytes && s_read_all (self, bytes, size, datum, reason) != 0) {
        places_destroy (&self);
        return NULL;
    }
    s_make_tree (self); //  before points are derived: only those of their own
    if (self->count) {
        s_make_keys (self);
        s_find_parents (self);
        s_derive (self);
    }
    return self;
}

void places_destroy (places_t **self_p)
{
    assert (self_p);
    places_t *self = *self_p;
    if (self) {
        placetree_destroy (&self->tree);
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

static void s_fill (const places_t *self, uint32_t row, double distance, double confidence, place_t *out)
{
    const s_row_t *place = &self->rows [row];
    *out = (place_t){ .name = s_text (self, place->name),
        .kind = s_text (self, place->kind),
        .area = s_text (self, place->area),
        .position = place->position,
        .has_position = place->has_position,
        .derived = place->derived,
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
    s_fill (self, (uint32_t)row, distance_m (self->rows [row].position, position), 1, out);
    return true;
}

//  The same place under two rows does not make a name ambiguous.
static bool s_is_elsewhere (const places_t *self, uint32_t a, uint32_t b)
{
    const s_row_t *first = &self->rows [a], *second = &self->rows [b];
    if (!first->has_position || !second->has_position)
        return true;
    return distance_m (first->position, second->position) > 500;
}

int places_find (const places_t *self, const char *name, const position_t *near, place_t *out, int room, bool *ambiguous)
{
    assert (self && name && ambiguous);
    *ambiguous = false;
    s_search_t search = { .places = self, .near = near && position_valid (*near) ? near : NULL };
    s_search (&search, name, true);
    for (int i = 1; i < search.count && search.list [i].score > 0.9 * search.list [0].score; i++)
        *ambiguous |= s_is_elsewhere (self, search.list [0].row, search.list [i].row);
    int count = search.count < room ? search.count : room;
    for (int i = 0; i < count; i++) {
        double confidence = *ambiguous ? fmin (search.list [i].score, 0.5) : search.list [i].score;
        double distance = isnan (search.list [i].distance_m) ? 0 : search.list [i].distance_m;
        s_fill (self, search.list [i].row, distance, confidence, &out [i]);
    }
    return count;
}

void places_label (const places_t *self, position_t position, char *out, size_t room)
{
    static const char *const english [] = { "N", "NE", "E", "SE", "S", "SW", "W", "NW" };
    static const char *const chinese [] = { "北", "东北", "东", "东南", "南", "西南", "西", "西北" };
    assert (out && room > 0);
    out [0] = 0;
    place_t place;
    if (!places_nearest (self, position, LABEL_MAX_M, &place))
        return;
    char far [48] = "";
    if (place.distance_m >= 10) {
        int wind = bearing_wind (bearing_deg (place.position, position));
        const char *name = placename_is_han (place.name) ? chinese [wind] : english [wind];
        if (place.distance_m < 995)
            snprintf (far, sizeof far, " %s %.0f m", name, place.distance_m);
        else
            snprintf (far, sizeof far, " %s %.1f km", name, place.distance_m / 1000);
    }
    //  a name too long for the room is cut to whole characters, the distance is kept
    size_t size = strlen (place.name), tail = strlen (far);
    if (tail >= room)
        tail = 0;
    if (size + tail >= room)
        for (size = room - 1 - tail; size > 0 && ((unsigned char)place.name [size] & 0xC0) == 0x80;)
            size--;
    memcpy (out, place.name, size);
    memcpy (out + size, far, tail);
    out [size + tail] = 0;
}
