//  queryfit - checks and filters of queries

#include "queryfit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "timefmt.h"
#include "utf8.h"

#define LATITUDE_MAX 900000000
#define LONGITUDE_MAX 1800000000

static bool s_is (ProtobufCBinaryData bytes, const char *text)
{
    return strlen (text) == bytes.len && (!bytes.len || memcmp (bytes.data, text, bytes.len) == 0);
}

static bool s_same (ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (!a.len || memcmp (a.data, b.data, a.len) == 0);
}

//  ---- the query itself

static bool s_text_ok (ProtobufCBinaryData text, size_t max)
{
    return utf8_check (text.data, text.len, max, false) == UTF8_OK;
}

static bool s_box_ok (const Patrol__Query *query)
{
    return !query->has_box
        || (query->south_e7 >= -LATITUDE_MAX && query->north_e7 <= LATITUDE_MAX && query->south_e7 <= query->north_e7
            && query->west_e7 >= -LONGITUDE_MAX && query->west_e7 <= LONGITUDE_MAX && query->east_e7 >= -LONGITUDE_MAX
            && query->east_e7 <= LONGITUDE_MAX);
}

Patrol__Code queryfit_check (const asker_t *asker, const Patrol__Query *query, const char **wrong)
{
    if (asker->role != PATROL__ROLE__COORDINATOR && (asker->role != PATROL__ROLE__DESK || !asker->station [0])) {
        *wrong = "only a desk or a coordinator may ask that";
        return PATROL__CODE__NOT_ALLOWED;
    }
    if (query->limit < 1 || query->limit > 500) {
        *wrong = "limit: 1 to 500 items";
        return PATROL__CODE__BAD_FRAME;
    }
    bool texts = s_text_ok (query->officer, NAME_MAX_BYTES) && s_text_ok (query->station, 32) && s_text_ok (query->area, 128)
        && query->n_kinds <= 16;
    for (size_t i = 0; texts && i < query->n_kinds; i++)
        texts = s_text_ok (query->kinds [i], 32);
    if (!texts) {
        *wrong = "officer up to 64, station and kind up to 32, area up to 128 bytes of UTF-8; at most 16 kinds";
        return PATROL__CODE__BAD_TEXT;
    }
    if (query->status.len && !s_is (query->status, "all")
        && status_parse ((const char *)query->status.data, query->status.len) < 0) {
        *wrong = "status: all, open, acknowledged, dispatched, closed or withdrawn";
        return PATROL__CODE__BAD_TEXT;
    }
    if (!s_box_ok (query)) {
        *wrong = "box: degrees within +-90 and +-180, south not above north";
        return PATROL__CODE__BAD_POSITION;
    }
    if (query->from_ms < 0 || query->to_ms < 0 || (query->to_ms && query->to_ms < query->from_ms)) {
        *wrong = "times: from 1970 on, the end not before the beginning";
        return PATROL__CODE__BAD_TIME;
    }
    return PATROL__CODE__OK;
}

//  ---- words

typedef struct {
    char *text;
    size_t room, used;
} words_t;

static void __attribute__ ((format (printf, 2, 3))) s_say (words_t *words, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int size = vsnprintf (words->text + words->used, words->room - words->used, format, args);
    va_end (args);
    //  What does not fit is left out whole.
    if (size > 0 && words->used + (size_t)size < words->room)
        words->used += (size_t)size;
    else
        words->text [words->used] = 0;
}

static void s_say_bytes (words_t *words, const char *name, ProtobufCBinaryData value)
{
    if (value.len)
        s_say (words, "%s%s %.*s", words->used ? ", " : "", name, (int)value.len, (const char *)value.data);
}

static void s_say_time (words_t *words, const char *name, int64_t ms)
{
    char time [32];
    time_format_utc (time, ms);
    if (ms)
        s_say (words, "%s%s %s", words->used ? ", " : "", name, time);
}

static const char *s_ask_name (Patrol__Ask ask)
{
    switch (ask) {
    case PATROL__ASK__LIST:
        return "list";
    case PATROL__ASK__SHOW:
        return "show";
    case PATROL__ASK__REPLAY:
        return "replay";
    case PATROL__ASK__STATIONS:
        return "stations";
    case PATROL__ASK__ASK_NONE:
    case _PATROL__ASK_IS_INT_SIZE:
        break;
    }
    return "unknown";
}

void queryfit_describe (
    const Patrol__Query *query, bool in_order, char ask [16], char officer [65], char *detail, size_t room)
{
    words_t words = { detail, room, 0 };
    detail [0] = officer [0] = 0;
    snprintf (ask, 16, "%s", s_ask_name (query->ask));
    if (s_text_ok (query->officer, NAME_MAX_BYTES))
        snprintf (officer, 65, "%.*s", (int)query->officer.len, (const char *)query->officer.data);
    if (!in_order)
        return;
    if (query->incident) {
        char id [14];
        id64_format (id, query->incident);
        s_say (&words, "incident %s", id);
    }
    s_say_bytes (&words, "status", query->status);
    s_say_bytes (&words, "station", query->station);
    s_say_bytes (&words, "area", query->area);
    for (size_t i = 0; i < query->n_kinds; i++)
        s_say_bytes (&words, "kind", query->kinds [i]);
    s_say_time (&words, "from", query->from_ms);
    s_say_time (&words, "to", query->to_ms);
    if (query->has_box)
        s_say (&words, "%sbox %.5f,%.5f,%.5f,%.5f", words.used ? ", " : "", query->south_e7 / 1e7, query->west_e7 / 1e7,
            query->north_e7 / 1e7, query->east_e7 / 1e7);
    if (query->after)
        s_say (&words, "%safter %llu", words.used ? ", " : "", (unsigned long long)query->after);
}

//  ---- scope

bool queryfit_scope (const asker_t *asker, const incident_view_t *incident)
{
    if (asker->role == PATROL__ROLE__COORDINATOR)
        return true;
    char key [40];
    snprintf (key, sizeof key, ",%s,", asker->station);
    return asker->role == PATROL__ROLE__DESK && asker->station [0]
        && (strcmp (asker->station, incident->station) == 0 || strstr (incident->copies, key));
}

//  ---- filters

static bool s_kind_fits (const Patrol__Query *query, ProtobufCBinaryData kind)
{
    for (size_t i = 0; i < query->n_kinds; i++)
        if (s_same (query->kinds [i], kind))
            return true;
    return query->n_kinds == 0;
}

static bool s_box_fits (const Patrol__Query *query, bool has_position, int32_t lat_e7, int32_t lon_e7)
{
    if (!query->has_box)
        return true;
    if (!has_position || lat_e7 < query->south_e7 || lat_e7 > query->north_e7)
        return false;
    //  A box whose west is east of its east spans the date line.
    if (query->west_e7 <= query->east_e7)
        return lon_e7 >= query->west_e7 && lon_e7 <= query->east_e7;
    return lon_e7 >= query->west_e7 || lon_e7 <= query->east_e7;
}

bool queryfit_open_only (const Patrol__Query *query)
{
    int status = query->status.len ? status_parse ((const char *)query->status.data, query->status.len) : STATUS_OPEN;
    return status >= 0 && status < STATUS_CLOSED;
}

bool queryfit_any (const Patrol__Query *query)
{
    return query->n_kinds || query->has_box || query->area.len || query->station.len;
}

bool queryfit_place_and_kind (const Patrol__Query *query, const incident_view_t *incident)
{
    ProtobufCBinaryData kind = { strlen (incident->kind), (uint8_t *)incident->kind };
    return s_kind_fits (query, kind) && s_box_fits (query, incident->has_position, incident->lat_e7, incident->lon_e7)
        && (!query->area.len || s_is (query->area, incident->area))
        && (!query->station.len || s_is (query->station, incident->station));
}

bool queryfit_incident (const Patrol__Query *query, const incident_view_t *incident)
{
    if (query->status.len) {
        int status = status_parse ((const char *)query->status.data, query->status.len);
        if (status >= 0 && status != (int)incident->status)
            return false;
    } else if (incident->status >= STATUS_CLOSED)
        return false;
    return (!query->from_ms || incident->at_ms >= query->from_ms) && (!query->to_ms || incident->at_ms <= query->to_ms)
        && queryfit_place_and_kind (query, incident);
}

bool queryfit_tip (const Patrol__Query *query, const Patrol__Item *item)
{
    return s_kind_fits (query, item->kind) && s_box_fits (query, item->has_position, item->lat_e7, item->lon_e7)
        && (!query->area.len || s_same (query->area, item->area))
        && (!query->station.len || s_same (query->station, item->station));
}

bool queryfit_admin (const Patrol__Query *query, const Patrol__Item *item)
{
    return !query->n_kinds && !query->has_box && !query->area.len
        && (!query->station.len || s_same (query->station, item->station));
}
