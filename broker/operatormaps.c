//  operatormaps - places and kinds: loading; areas and places: explaining, finding

#include "operator_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "geotag.h"
#include "mapfile.h"
#include "timefmt.h"

#define PLACES_SHOWN 50 //  candidates of a name

//  Reads the file a request names; tells the client what is wrong otherwise.
static char *s_file (local_client_t *client, json_t *request, size_t *size, datum_t *datum)
{
    const char *path = json_string_value (json_object_get (request, "file"));
    const char *name = json_string_value (json_object_get (request, "datum"));
    char reason [256];
    if (!path || datum_parse (datum, name ? name : "wgs84")) {
        operator_fail (client, EXIT_USAGE, "--datum: wgs84, gcj02 or bd09 would be right");
        return NULL;
    }
    char *bytes = mapfile_read (path, size, reason, sizeof reason);
    if (!bytes)
        operator_fail (client, EXIT_FAILED, reason);
    return bytes;
}

static void s_append_map (core_t *self, local_client_t *client, take_t *take, const uint8_t hash [32], const char *bytes,
    size_t size, json_t *answer)
{
    if (take->verdict != TAKE_RECORD) {
        json_decref (answer);
        if (client)
            operator_fail (client, EXIT_FAILED, take->detail);
        return;
    }
    effect_t effect = { .done = operator_done, .client = client, .answer = answer };
    eventlog_append_blob (self->log, hash, (const uint8_t *)bytes, size);
    core_append (self, take, &effect);
}

void operator_places_load (core_t *self, local_client_t *client, json_t *request)
{
    size_t size;
    datum_t datum;
    char *bytes = s_file (client, request, &size, &datum);
    if (bytes)
        checks_load_places (self, client, bytes, size, datum);
}

void operator_places_loaded (
    core_t *self, local_client_t *client, places_t **places_p, const char *bytes, size_t size, datum_t datum)
{
    uint8_t hash [32];
    take_t take;
    engine_hash_map (hash, bytes, size);
    engine_swap_places (self->engine, places_p, hash, datum, time_now_ms (), &take);
    s_append_map (
        self, client, &take, hash, bytes, size, json_pack ("{s:i}", "places", places_count (engine_places (self->engine))));
}

void operator_kinds_load (core_t *self, local_client_t *client, json_t *request)
{
    size_t size;
    datum_t datum;
    uint8_t hash [32];
    take_t take;
    char *bytes = s_file (client, request, &size, &datum);
    if (!bytes)
        return;
    engine_load_kinds (self->engine, bytes, size, time_now_ms (), hash, &take);
    s_append_map (
        self, client, &take, hash, bytes, size, json_pack ("{s:i}", "kinds", kinds_count (engine_kinds (self->engine))));
    free (bytes);
}

//  ---- explaining

typedef struct {
    const areas_t *areas;
    json_t *list;
} candidates_t;

static void s_candidate (void *context, int area, areas_by_t by, double distance, bool chosen, const char *why)
{
    candidates_t *candidates = context;
    json_t *row = json_pack ("{s:s, s:s, s:s, s:i, s:s, s:f, s:b, s:s}", "area", areas_area_id (candidates->areas, area),
        "name", areas_area_name (candidates->areas, area), "station",
        areas_station (candidates->areas, areas_area_station (candidates->areas, area))->id, "level",
        areas_area_level (candidates->areas, area), "by", areas_by_name (by), "distance_m", distance, "chosen", chosen,
        "why", why);
    if (areas_area_derived (candidates->areas, area))
        json_object_set_new (row, "derived", json_true ());
    json_array_append_new (candidates->list, row);
}

void operator_areas_explain (core_t *self, local_client_t *client, json_t *request)
{
    const areas_t *areas = engine_areas (self->engine);
    const char *kind = json_string_value (json_object_get (request, "kind"));
    datum_t datum = (datum_t)json_integer_value (json_object_get (request, "datum"));
    position_t position = datum_to_wgs84 ((position_t){ json_number_value (json_object_get (request, "lat")),
                                              json_number_value (json_object_get (request, "lon")) },
        datum);
    int64_t when_ms = json_integer_value (json_object_get (request, "when_ms"));
    kind = kind ? kind : "other";
    if (kinds_find (engine_kinds (self->engine), kind, strlen (kind)) < 0) {
        char line [600];
        snprintf (line, sizeof line, "kind \"%.32s\" is unknown; one of: %s", kind, kinds_ids (engine_kinds (self->engine)));
        operator_fail (client, EXIT_USAGE, line);
        return;
    }
    areas_choice_t choice;
    candidates_t candidates = { areas, json_array () };
    areas_explain (areas, position, kind, when_ms ? when_ms : time_now_ms (),
        json_number_value (json_object_get (request, "accuracy")), &choice, s_candidate, &candidates);
    const station_t *station = areas_station (areas, choice.station);
    char label [256];
    geotag_label (self->engine, position, when_ms ? when_ms : time_now_ms (), label, sizeof label);
    json_t *copies = json_array ();
    for (int i = 0; i < choice.copy_count; i++)
        json_array_append_new (copies, json_string (areas_station (areas, choice.copies [i])->id));
    json_t *answer = json_pack ("{s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:o}", "station", station->id, "name", station->name,
        "level", station->level, "by", areas_by_name (choice.by), "why", choice.why, "place", label, "copies", copies,
        "candidates", candidates.list);
    if (choice.area >= 0) {
        json_object_set_new (answer, "area", json_string (areas_area_id (areas, choice.area)));
        if (areas_area_derived (areas, choice.area))
            json_object_set_new (answer, "derived", json_true ());
    }
    json_object_set_new (answer, "areas_version", json_integer ((json_int_t)areas_version (areas)));
    local_send (client, answer);
    local_end (client, EXIT_DONE, NULL);
}

void operator_places_find (core_t *self, local_client_t *client, json_t *request)
{
    place_t found [PLACES_SHOWN];
    places_answer_t answer;
    const char *name = json_string_value (json_object_get (request, "text"));
    position_t near
        = { json_number_value (json_object_get (request, "lat")), json_number_value (json_object_get (request, "lon")) };
    bool biased = json_object_get (request, "lat") != NULL;
    places_bias_t bias = { .near = biased ? &near : NULL };
    int count = places_find (engine_places (self->engine), name ? name : "", &bias, found, PLACES_SHOWN, &answer);
    for (int i = 0; i < count; i++) {
        json_t *row = json_pack ("{s:s, s:s, s:s, s:f, s:b, s:b, s:i}", "name", found [i].name, "kind", found [i].kind,
            "area", found [i].area, "confidence", found [i].confidence, "derived", found [i].derived, "ambiguous",
            answer.ambiguous, "candidates", answer.total);
        if (found [i].has_position) {
            json_object_set_new (row, "lat", json_real (found [i].position.lat));
            json_object_set_new (row, "lon", json_real (found [i].position.lon));
        }
        if (found [i].has_position && biased)
            json_object_set_new (row, "distance_m", json_real (round (found [i].distance_m)));
        local_send (client, row);
    }
    local_end (client, count ? EXIT_DONE : EXIT_MISSING, NULL);
}
