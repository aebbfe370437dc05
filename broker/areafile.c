#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "areafile.h"
#include "areamem.h"

#define DEPTH_MAX 24         //  a MultiPolygon's numbers lie at 9
#define TOKENS_MAX 20000000u //  commas and opening brackets: 4 x 10^6 points with three numbers take 16 x 10^6

//  Where in the file a position stands, for its fault.
typedef struct {
    areafile_t *file;
    areafile_area_t *area;
    areafaults_t *faults;
    const char *what;     //  "polygon" or "line"
    size_t polygon, ring; //  of the position being read; a line counts as polygon
} s_place_t;

//  Brackets and commas outside strings, before a parser is asked to build anything from them.
static int s_measure (const char *bytes, size_t size, areafaults_t *faults)
{
    unsigned depth = 0, deepest = 0, tokens = 0;
    bool quoted = false;
    for (size_t i = 0; i < size && tokens <= TOKENS_MAX && deepest <= DEPTH_MAX; i++) {
        char byte = bytes [i];
        if (quoted) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                quoted = false;
        } else if (byte == '"')
            quoted = true;
        else if (byte == '[' || byte == '{') {
            tokens++;
            if (++depth > deepest)
                deepest = depth;
        } else if ((byte == ']' || byte == '}') && depth > 0)
            depth--;
        else if (byte == ',')
            tokens++;
    }
    if (deepest > DEPTH_MAX)
        areafaults_fatal (faults, -1, NULL, "is nested deeper than %d levels; a MultiPolygon needs 9", DEPTH_MAX);
    else if (tokens > TOKENS_MAX)
        areafaults_fatal (
            faults, -1, NULL, "has more than %u values; at most %u points fit", TOKENS_MAX, AREAFILE_POINTS_MAX);
    else
        return 0;
    return -1;
}

static json_t *s_parse (const char *bytes, size_t size, areafaults_t *faults)
{
    if (size > AREAFILE_SIZE_MAX) {
        areafaults_fatal (faults, -1, NULL, "is %zu bytes; at most %zu are read", size, AREAFILE_SIZE_MAX);
        return NULL;
    }
    if (size >= 3 && memcmp (bytes, "\xEF\xBB\xBF", 3) == 0) {
        areafaults_warn (faults, -1, NULL, "begins with a byte order mark; it is skipped, GeoJSON has none");
        bytes += 3;
        size -= 3;
    }
    if (s_measure (bytes, size, faults) != 0)
        return NULL;
    json_error_t error;
    json_t *root = json_loadb (bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        areafaults_fatal (faults, -1, NULL, "is not JSON: line %d column %d: %s", error.line, error.column, error.text);
    return root;
}

__attribute__ ((format (printf, 3, 4))) static void s_bad_position (
    const s_place_t *place, size_t index, const char *format, ...)
{
    char words [160];
    va_list values;
    va_start (values, format);
    vsnprintf (words, sizeof words, format, values);
    va_end (values);
    areafaults_fatal (place->faults, place->area->feature, place->area->station, "%s %zu ring %zu position %zu: %s",
        place->what, place->polygon, place->ring, index, words);
}

//  [lon, lat] or [lon, lat, height]; the height is not used.
static int s_read_position (const s_place_t *place, size_t index, json_t *value)
{
    areafile_t *file = place->file;
    size_t size = json_is_array (value) ? json_array_size (value) : 0;
    if (size != 2 && size != 3) {
        s_bad_position (place, index, "is not [lon, lat] (it has %zu numbers)", size);
        return -1;
    }
    for (size_t i = 0; i < size; i++)
        if (!json_is_number (json_array_get (value, i))) {
            s_bad_position (place, index, "value %zu is not a number", i);
            return -1;
        }
    double lon = json_number_value (json_array_get (value, 0));
    double lat = json_number_value (json_array_get (value, 1));
    if (!isfinite (lon) || !isfinite (lat))
        s_bad_position (place, index, "has a number that is not finite (%g)", isfinite (lon) ? lat : lon);
    else if (fabs (lat) > 90 && fabs (lat) <= 180 && fabs (lon) <= 90)
        s_bad_position (place, index, "latitude %.9g is beyond 90: looks swapped; GeoJSON writes longitude first", lat);
    else if (fabs (lat) > 90)
        s_bad_position (place, index, "latitude %.9g is beyond 90; degrees are needed", lat);
    else if (fabs (lon) > 180)
        s_bad_position (place, index, "longitude %.9g is beyond 180; degrees are needed", lon);
    else if (file->point_count >= AREAFILE_POINTS_MAX)
        s_bad_position (place, index, "is one too many; a file may have %u points", AREAFILE_POINTS_MAX);
    else {
        file->points = area_grow (file->points, file->point_count, &file->point_room, sizeof *file->points);
        file->points [file->point_count++] = (position_t){ .lat = lat, .lon = lon };
        return 0;
    }
    return -1;
}

//  Adds the positions as one part. An edge over more than half the globe crosses the 180 degree meridian, which a
//  plane cannot show.
static int s_read_part (const s_place_t *place, json_t *list, size_t least)
{
    areafile_t *file = place->file;
    if (!json_is_array (list) || json_array_size (list) < least) {
        areafaults_fatal (place->faults, place->area->feature, place->area->station,
            "%s %zu ring %zu is not a list of at least %zu positions", place->what, place->polygon, place->ring, least);
        return -1;
    }
    areapart_t part = { .first = (uint32_t)file->point_count,
        .count = (uint32_t)json_array_size (list),
        .polygon = (uint32_t)place->polygon,
        .hole = place->ring > 0 };
    size_t index;
    json_t *value;
    json_array_foreach (list, index, value)
    {
        if (s_read_position (place, index, value) != 0)
            return -1;
        const position_t *last = &file->points [file->point_count - 1];
        if (index > 0 && fabs (last [0].lon - last [-1].lon) > 180) {
            s_bad_position (
                place, index, "crosses the 180 degree meridian (to longitude %.9g); split the shape there", last->lon);
            return -1;
        }
    }
    file->parts = area_grow (file->parts, file->part_count, &file->part_room, sizeof *file->parts);
    file->parts [file->part_count++] = part;
    place->area->part_count++;
    return 0;
}

static int s_read_polygon (s_place_t *place, json_t *rings)
{
    if (!json_is_array (rings) || json_array_size (rings) == 0) {
        areafaults_fatal (
            place->faults, place->area->feature, place->area->station, "polygon %zu has no rings", place->polygon);
        return -1;
    }
    json_t *ring;
    json_array_foreach (rings, place->ring, ring)
    {
        if (s_read_part (place, ring, 4) != 0)
            return -1;
        const areapart_t *part = &place->file->parts [place->file->part_count - 1];
        position_t first = place->file->points [part->first], last = place->file->points [part->first + part->count - 1];
        if (first.lat != last.lat || first.lon != last.lon) {
            areafaults_fatal (place->faults, place->area->feature, place->area->station,
                "polygon %zu ring %zu is not closed: it begins at %.7f,%.7f and ends at %.7f,%.7f (lat,lon); "
                "repeat its first position at the end",
                place->polygon, place->ring, first.lat, first.lon, last.lat, last.lon);
            return -1;
        }
    }
    return 0;
}

static int s_read_many (s_place_t *place, json_t *list)
{
    if (!json_is_array (list) || json_array_size (list) == 0) {
        areafaults_fatal (place->faults, place->area->feature, place->area->station, "its coordinates are an empty list");
        return -1;
    }
    json_t *each;
    json_array_foreach (list, place->polygon, each)
    {
        place->ring = 0;
        if ((place->area->by == BY_POLYGON ? s_read_polygon (place, each) : s_read_part (place, each, 2)) != 0)
            return -1;
    }
    return 0;
}

static int s_read_geometry (areafile_t *self, areafile_area_t *area, json_t *geometry, areafaults_t *faults)
{
    s_place_t place = { .file = self,
        .area = area,
        .faults = faults,
        .what = area->by == BY_POLYGON ? "polygon"
            : area->by == BY_LINE      ? "line"
                                       : "point" };
    json_t *coordinates = json_object_get (geometry, "coordinates");
    const char *type = json_string_value (json_object_get (geometry, "type"));
    if (strncmp (type, "Multi", 5) == 0)
        return s_read_many (&place, coordinates);
    if (area->by == BY_POLYGON)
        return s_read_polygon (&place, coordinates);
    if (area->by == BY_LINE)
        return s_read_part (&place, coordinates, 2);

    //  a checkpoint is a part of one point
    if (s_read_position (&place, 0, coordinates) != 0)
        return -1;
    self->parts = area_grow (self->parts, self->part_count, &self->part_room, sizeof *self->parts);
    self->parts [self->part_count++] = (areapart_t){ .first = (uint32_t)self->point_count - 1, .count = 1 };
    area->part_count++;
    return 0;
}

static int s_geometry_by (json_t *geometry, areas_by_t *by)
{
    static const struct {
        const char *type;
        areas_by_t by;
    } types [] = { { "Polygon", BY_POLYGON }, { "MultiPolygon", BY_POLYGON }, { "LineString", BY_LINE },
        { "MultiLineString", BY_LINE }, { "Point", BY_CHECKPOINT } };
    const char *type = json_string_value (json_object_get (geometry, "type"));
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcmp (type, types [i].type) == 0) {
            *by = types [i].by;
            return 0;
        }
    return -1;
}

static void s_add_area (areafile_t *self, areafile_area_t *area, json_t *geometry, areafaults_t *faults)
{
    size_t points = self->point_count;
    if (s_read_geometry (self, area, geometry, faults) != 0) {
        self->point_count = points;
        self->part_count = area->part_first;
        return;
    }
    self->areas = area_grow (self->areas, self->area_count, &self->area_room, sizeof *self->areas);
    self->areas [self->area_count++] = *area;
}

static void s_read_feature (areafile_t *self, int index, json_t *feature, areafaults_t *faults)
{
    areafile_area_t area = { .feature = index, .part_first = (uint32_t)self->part_count };
    const char *type = json_string_value (json_object_get (feature, "type"));
    if (!type || strcmp (type, "Feature") != 0) {
        areafaults_fatal (faults, index, NULL, "is not of type \"Feature\"");
        return;
    }
    json_t *geometry = json_object_get (feature, "geometry");
    if (s_geometry_by (geometry, &area.by) != 0) {
        type = json_string_value (json_object_get (geometry, "type"));
        const char *station = json_string_value (json_object_get (json_object_get (feature, "properties"), "station"));
        areafaults_fatal (faults, index, station,
            "geometry '%.40s' is not read; use Polygon, MultiPolygon, LineString, MultiLineString or Point",
            type ? type : "(none)");
        return;
    }
    area.faulty = areaprops_read (self, &area, feature, faults) != 0;
    s_add_area (self, &area, geometry, faults);
}

//  A map as others publish it: one line that says what to do, not one for each feature.
static void s_look_at_stations (areafile_t *self, json_t *features, areafaults_t *faults)
{
    size_t index;
    json_t *feature, *value;
    const char *key;
    json_array_foreach (features, index, feature)
    {
        value = json_object_get (json_object_get (feature, "properties"), "station");
        if (value && !json_is_null (value))
            return;
    }
    if (json_array_size (features) < 2)
        return;
    self->stationless = true;
    char list [160] = "";
    size_t used = 0;
    json_object_foreach (json_object_get (json_array_get (features, 0), "properties"), key, value)
    {
        int size = snprintf (list + used, sizeof list - used, "%s%s", used ? ", " : "", key);
        if (size < 0 || used + (size_t)size >= sizeof list) {
            list [used] = 0;
            break;
        }
        used += (size_t)size;
    }
    areafaults_fatal (faults, -1, NULL,
        "none of the %zu features has a `station`, the id of who is responsible; the first has: %s",
        json_array_size (features), list [0] ? list : "no properties");
}

//  An old member that RFC 7946 dropped; only worth a word when it claims something else than we read.
static void s_look_at_crs (json_t *root, areafaults_t *faults)
{
    const char *name
        = json_string_value (json_object_get (json_object_get (json_object_get (root, "crs"), "properties"), "name"));
    if (name && !strstr (name, "CRS84") && !strstr (name, "4326"))
        areafaults_warn (faults, -1, NULL,
            "names the coordinate system '%.60s', which is not looked at; "
            "positions are read as longitude, latitude in the datum given",
            name);
}

static void s_read_collection (areafile_t *self, json_t *root, areafaults_t *faults)
{
    const char *type = json_string_value (json_object_get (root, "type"));
    json_t *features = json_object_get (root, "features");
    if (!type || strcmp (type, "FeatureCollection") != 0)
        areafaults_fatal (
            faults, -1, NULL, "is of type '%.40s'; a GeoJSON FeatureCollection is needed", type ? type : "(none)");
    else if (!json_is_array (features))
        areafaults_fatal (faults, -1, NULL, "has no list `features`");
    else {
        s_look_at_crs (root, faults);
        s_look_at_stations (self, features, faults);
        size_t index;
        json_t *feature;
        json_array_foreach (features, index, feature) s_read_feature (self, (int)index, feature, faults);
        if (json_array_size (features) == 0)
            areafaults_warn (faults, -1, NULL, "has no features: everything goes to the station `district`");
    }
}

static void s_read_ground (areafile_t *self, int index, json_t *geometry, areafaults_t *faults)
{
    areafile_area_t area = { .feature = index, .part_first = (uint32_t)self->part_count };
    if (s_geometry_by (geometry, &area.by) == 0 && area.by == BY_POLYGON)
        s_add_area (self, &area, geometry, faults);
    else {
        const char *type = json_string_value (json_object_get (geometry, "type"));
        areafaults_fatal (faults, index, NULL, "geometry '%.40s' encloses no ground; an outline is Polygon or MultiPolygon",
            type ? type : "(none)");
    }
}

static void s_read_grounds (areafile_t *self, json_t *root, areafaults_t *faults)
{
    const char *type = json_string_value (json_object_get (root, "type"));
    json_t *features = json_object_get (root, "features");
    if (type && strcmp (type, "FeatureCollection") == 0 && json_array_size (features)) {
        size_t index;
        json_t *feature;
        json_array_foreach (features, index, feature)
            s_read_ground (self, (int)index, json_object_get (feature, "geometry"), faults);
    } else if (type && strcmp (type, "Feature") == 0)
        s_read_ground (self, 0, json_object_get (root, "geometry"), faults);
    else
        s_read_ground (self, -1, root, faults);
}

//  Reads the root with `read`, if the text is JSON.
static areafile_t *s_read (
    const char *bytes, size_t size, void (*read) (areafile_t *, json_t *, areafaults_t *), areafaults_t *faults)
{
    assert (faults);
    areafile_t *self = area_zeroed (1, sizeof *self);
    json_t *root = s_parse (bytes, size, faults);
    if (root)
        read (self, root, faults);
    json_decref (root);
    return self;
}

areafile_t *areafile_read (const char *bytes, size_t size, areafaults_t *faults)
{
    return s_read (bytes, size, s_read_collection, faults);
}

areafile_t *areafile_read_outline (const char *bytes, size_t size, areafaults_t *faults)
{
    return s_read (bytes, size, s_read_grounds, faults);
}

void areafile_destroy (areafile_t **self_p)
{
    assert (self_p);
    areafile_t *self = *self_p;
    if (self) {
        free (self->areas);
        free (self->parts);
        free (self->points);
        free (self);
        *self_p = NULL;
    }
}
