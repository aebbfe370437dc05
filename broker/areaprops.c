//  The properties of one feature: who is responsible, for what, since when

#include <math.h>
#include <string.h>
#include "areafile.h"
#include "timefmt.h"
#include "utf8.h"

static bool s_fits (const char *text, size_t max, const char *extra)
{
    size_t size = strlen (text);
    if (size == 0 || size > max)
        return false;
    for (const char *at = text; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || strchr (extra, *at)))
            return false;
    return true;
}

bool areaprops_station_fits (const char *text)
{
    return s_fits (text, STATION_MAX, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-");
}

//  A text property, or NULL: absent, null, or (after a fault) of another type.
static const char *s_text (json_t *properties, const char *key, const areafile_area_t *area, areafaults_t *faults)
{
    json_t *value = json_object_get (properties, key);
    if (!value || json_is_null (value))
        return NULL;
    if (json_is_string (value) && strlen (json_string_value (value)) == json_string_length (value))
        return json_string_value (value);
    areafaults_fatal (faults, area->feature, area->station, "`%s` is not a text; write it in quotes", key);
    return NULL;
}

static void s_read_station (const areafile_t *self, areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    json_t *value = json_object_get (properties, "station");
    if (!value || json_is_null (value)) {
        if (!self->stationless)
            areafaults_fatal (faults, area->feature, NULL, "has no `station`; every feature names the station responsible");
        return;
    }
    const char *id = s_text (properties, "station", area, faults);
    if (id && areaprops_station_fits (id))
        snprintf (area->station, sizeof area->station, "%s", id);
    else if (id)
        areafaults_fatal (
            faults, area->feature, NULL, "station '%.40s' is not an id; 1 to %d of A-Z a-z 0-9 _ . -", id, STATION_MAX);
}

static void s_read_names (areafile_area_t *area, json_t *properties, json_t *feature, areafaults_t *faults)
{
    const char *name = s_text (properties, "name", area, faults);
    if (name && utf8_check ((const uint8_t *)name, strlen (name), AREA_NAME_MAX, false) == UTF8_OK)
        snprintf (area->name, sizeof area->name, "%s", name);
    else if (name)
        areafaults_fatal (faults, area->feature, area->station,
            "name '%.60s' is not fit; up to %d bytes of text without control characters", name, AREA_NAME_MAX);

    //  a number is as good an id as a text; GeoJSON also allows it beside the properties
    json_t *id = json_object_get (properties, "id");
    if (!id || json_is_null (id))
        id = json_object_get (feature, "id");
    char number [32];
    const char *text = NULL;
    if (json_is_integer (id)) {
        snprintf (number, sizeof number, "%lld", (long long)json_integer_value (id));
        text = number;
    } else if (json_is_string (id))
        text = json_string_value (id);
    else if (id && !json_is_null (id))
        areafaults_fatal (faults, area->feature, area->station, "`id` is neither a text nor a whole number");
    if (!text)
        snprintf (area->id, sizeof area->id, "%d", area->feature);
    else if (*text && utf8_check ((const uint8_t *)text, strlen (text), AREA_ID_MAX, false) == UTF8_OK)
        snprintf (area->id, sizeof area->id, "%s", text);
    else
        areafaults_fatal (faults, area->feature, area->station,
            "id '%.60s' is not fit; 1 to %d bytes of text without control characters", text, AREA_ID_MAX);
}

static void s_read_level (areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    json_t *value = json_object_get (properties, "level");
    if (!value || json_is_null (value))
        return;
    double level = json_is_number (value) ? json_number_value (value) : -1;
    if (level >= 0 && level <= 4 && level == floor (level))
        area->level = (int)level;
    else
        areafaults_fatal (
            faults, area->feature, area->station, "`level` is not 0 village, 1 town, 2 county, 3 city or 4 province");
}

static void s_read_parent (areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    const char *parent = s_text (properties, "parent", area, faults);
    if (!parent)
        return;
    if (!areaprops_station_fits (parent))
        areafaults_fatal (faults, area->feature, area->station, "parent '%.40s' is not a station id", parent);
    else if (strcmp (parent, area->station) == 0)
        areafaults_fatal (faults, area->feature, area->station, "parent '%s' is the station itself", parent);
    else
        snprintf (area->parent, sizeof area->parent, "%s", parent);
}

//  Which bit stands for a kind id; -1 when there are too many.
static int s_kind_bit (areafile_t *self, const char *id)
{
    for (int bit = 0; bit < self->kind_count; bit++)
        if (strcmp (self->kinds [bit], id) == 0)
            return bit;
    if (self->kind_count == AREA_KINDS)
        return -1;
    snprintf (self->kinds [self->kind_count], sizeof self->kinds [self->kind_count], "%s", id);
    return self->kind_count++;
}

static void s_read_kinds (areafile_t *self, areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    json_t *list = json_object_get (properties, "kinds");
    if (!list || json_is_null (list))
        return;
    if (!json_is_array (list) || json_array_size (list) == 0) {
        areafaults_fatal (
            faults, area->feature, area->station, "`kinds` is not a list of kind ids; leave it out for all kinds");
        return;
    }
    area->kinds = 0;
    size_t index;
    json_t *value;
    json_array_foreach (list, index, value)
    {
        const char *id = json_string_value (value);
        if (!id || !s_fits (id, AREA_KIND_MAX, "_-")) {
            areafaults_fatal (faults, area->feature, area->station, "kind %zu '%.40s' is not an id; 1 to %d of a-z 0-9 _ -",
                index, id ? id : "(not a text)", AREA_KIND_MAX);
            return;
        }
        int bit = s_kind_bit (self, id);
        if (bit < 0) {
            areafaults_fatal (faults, area->feature, area->station,
                "kind '%s' is one too many; a file may name %d different kinds", id, AREA_KINDS);
            return;
        }
        area->kinds |= (uint64_t)1 << bit;
    }
}

//  Only absolute times: "-2h" or "now" would make the same file mean something else tomorrow.
static void s_read_date (int64_t *ms, const char *key, areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    const char *date = s_text (properties, key, area, faults);
    if (!date)
        return;
    if (date [0] < '0' || date [0] > '9' || time_parse (ms, date, 0) != 0)
        areafaults_fatal (faults, area->feature, area->station,
            "`%s` '%.40s' is not a date; write 2026-11-23 or 2026-11-23T08:15:30+08:00", key, date);
}

static void s_read_reach (areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    if (area->by == BY_POLYGON)
        return;
    const char *key = area->by == BY_LINE ? "buffer_m" : "radius_m";
    const char *what = area->by == BY_LINE ? "line" : "point";
    double max = area->by == BY_LINE ? AREA_BUFFER_MAX : AREA_RADIUS_MAX;
    json_t *value = json_object_get (properties, key);
    if (!value || json_is_null (value)) {
        areafaults_fatal (faults, area->feature, area->station, "a %s needs `%s`, in metres", what, key);
        return;
    }
    double reach = json_is_number (value) ? json_number_value (value) : -1;
    if (reach > 0 && reach <= max)
        area->reach_m = reach;
    else
        areafaults_fatal (
            faults, area->feature, area->station, "`%s` is not a number of metres above 0 and up to %.0f", key, max);
}

static void s_read_derived (areafile_area_t *area, json_t *properties, areafaults_t *faults)
{
    json_t *value = json_object_get (properties, "derived");
    if (!value || json_is_null (value))
        return;
    if (!json_is_boolean (value))
        areafaults_fatal (faults, area->feature, area->station, "`derived` is neither true nor false");
    area->derived = json_is_true (value);
}

int areaprops_read (areafile_t *self, areafile_area_t *area, json_t *feature, areafaults_t *faults)
{
    int before = areafaults_fatal_count (faults);
    area->kinds = UINT64_MAX;
    area->from_ms = INT64_MIN;
    area->until_ms = INT64_MAX;
    json_t *properties = json_object_get (feature, "properties");
    if (!json_is_object (properties)) {
        if (!self->stationless)
            areafaults_fatal (faults, area->feature, NULL, "has no `properties` with a `station`");
        return -1;
    }
    s_read_station (self, area, properties, faults);
    s_read_names (area, properties, feature, faults);
    s_read_level (area, properties, faults);
    s_read_parent (area, properties, faults);
    s_read_kinds (self, area, properties, faults);
    s_read_date (&area->from_ms, "from", area, properties, faults);
    s_read_date (&area->until_ms, "until", area, properties, faults);
    if (area->from_ms >= area->until_ms)
        areafaults_fatal (faults, area->feature, area->station, "`until` is not after `from`: never in force");
    s_read_reach (area, properties, faults);
    s_read_derived (area, properties, faults);
    return areafaults_fatal_count (faults) > before || self->stationless ? -1 : 0;
}
