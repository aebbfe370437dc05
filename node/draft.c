//  draft - a tip as a person or an import line gives it, checked, ready to be sealed

#include "draft.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "geodesy.h"
#include "timefmt.h"
#include "utf8.h"

#define SEEN_AHEAD_MS (5 * 60000)
#define ACCURACY_MAX_M 100000
#define SHOWN 80 //  bytes of a wrong value that an error line repeats

static const char *const s_keys []
    = { "kind", "severity", "at", "datum", "accuracy", "place", "seen", "anonymous", "follows", "text", NULL };

//  What was typed may be long or end in half a character: an error line repeats the beginning.
static const char *s_shown (const char *value, char out [SHOWN + 4])
{
    size_t size = strlen (value);
    if (size <= SHOWN)
        return memcpy (out, value, size + 1);
    size = SHOWN;
    while (size > 0 && ((unsigned char)value [size] & 0xC0) == 0x80)
        size--;
    memcpy (out, value, size);
    memcpy (out + size, "...", 4);
    return out;
}

int draft_check_text (const char *what, const char *words, size_t max, bool lines, char error [DRAFT_ERROR_ROOM])
{
    size_t size = strlen (words);
    if (size > max) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_LONG), what, size, max);
        return -1;
    }
    utf8_verdict_t verdict = utf8_check ((const uint8_t *)words, size, max, lines);
    if (verdict == UTF8_OK)
        return 0;
    snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_UNFIT), what, utf8_words (verdict));
    return -1;
}

//  A value as text: NULL if absent, "" is absent too. -1 if it is there and not a text.
static int s_get (const json_t *object, const char *key, const char **value, char *error)
{
    json_t *found = json_object_get (object, key);
    *value = NULL;
    if (!found || json_is_null (found))
        return 0;
    if (!json_is_string (found) || strlen (json_string_value (found)) != json_string_length (found)) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_NOT_TEXT), key);
        return -1;
    }
    if (json_string_length (found) > 0)
        *value = json_string_value (found);
    return 0;
}

static ProtobufCBinaryData s_bytes (const char *words)
{
    ProtobufCBinaryData data = { .len = strlen (words), .data = (uint8_t *)(uintptr_t)words };
    return data;
}

//  ---- one function for each part; 0, or -1 with the line

static int s_known_keys (const json_t *object, char *error)
{
    const char *key;
    json_t *value;
    char shown [SHOWN + 4];
    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
    {
        int index = 0;
        while (s_keys [index] && strcmp (s_keys [index], key))
            index++;
        if (s_keys [index])
            continue;
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_KEY), s_shown (key, shown));
        return -1;
    }
    return 0;
}

static int s_kind (draft_t *out, const json_t *object, const kinds_t *kinds, char *error)
{
    const char *kind, *severity;
    char shown [SHOWN + 4];
    if (s_get (object, "kind", &kind, error) || s_get (object, "severity", &severity, error))
        return -1;
    int index = kind ? kinds_find (kinds, kind, strlen (kind)) : -1;
    if (index < 0) {
        if (kind)
            snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_KIND), s_shown (kind, shown), kinds_ids (kinds));
        else
            snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_NO_KIND), kinds_ids (kinds));
        return -1;
    }
    out->kind = kinds_get (kinds, index);
    out->tip.kind = s_bytes (out->kind->id);
    out->tip.severity = severity ? severity_parse (severity) : out->kind->severity;
    if (out->tip.severity < 1 || out->tip.severity > 3) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_SEVERITY), severity ? s_shown (severity, shown) : "");
        return -1;
    }
    out->tip.cls = out->kind->cls [out->tip.severity];
    return 0;
}

static int s_accuracy (draft_t *out, const json_t *object, char *error)
{
    json_t *found = json_object_get (object, "accuracy");
    if (!found || json_is_null (found))
        return 0;
    double metres = json_is_number (found) ? json_number_value (found) : NAN;
    char shown [SHOWN + 4] = "";
    if (json_is_string (found)) {
        char *end;
        metres = strtod (json_string_value (found), &end);
        if (*end || end == json_string_value (found))
            metres = NAN;
        s_shown (json_string_value (found), shown);
    } else
        snprintf (shown, sizeof shown, "%g", metres);
    if (!isfinite (metres) || metres < 0 || metres > ACCURACY_MAX_M) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_ACCURACY), shown, ACCURACY_MAX_M);
        return -1;
    }
    out->tip.accuracy_m = (uint32_t)ceil (metres);
    return 0;
}

static int s_position (draft_t *out, const json_t *object, char *error)
{
    const char *at, *datum, *reason;
    char shown [SHOWN + 4];
    datum_t parsed = DATUM_WGS84;
    position_t position;
    if (s_get (object, "at", &at, error) || s_get (object, "datum", &datum, error))
        return -1;
    if (datum && datum_parse (&parsed, datum)) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_DATUM), s_shown (datum, shown));
        return -1;
    }
    if (!at)
        return 0;
    if (position_parse (&position, at, &reason)) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_AT), s_shown (at, shown), reason);
        return -1;
    }
    out->tip.has_position = true;
    out->tip.lat_e7 = degrees_to_e7 (position.lat);
    out->tip.lon_e7 = degrees_to_e7 (position.lon);
    out->tip.datum = (uint32_t)parsed;
    return 0;
}

static int s_seen (draft_t *out, const json_t *object, int64_t now_ms, char *error)
{
    const char *seen;
    char shown [SHOWN + 4];
    int64_t at;
    if (s_get (object, "seen", &seen, error))
        return -1;
    if (!seen)
        return 0;
    if (time_parse (&at, seen, now_ms)) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_SEEN), s_shown (seen, shown));
        return -1;
    }
    if (at > now_ms + SEEN_AHEAD_MS) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_DRAFT_FUTURE), s_shown (seen, shown));
        return -1;
    }
    out->tip.seen_ms = at;
    return 0;
}

static int s_texts (draft_t *out, const json_t *object, char *error)
{
    const char *words, *place;
    if (s_get (object, "text", &words, error) || s_get (object, "place", &place, error))
        return -1;
    if (!words && out->tip.cls != CLASS_SOS) {
        snprintf (error, DRAFT_ERROR_ROOM, "%s", text (T_DRAFT_EMPTY));
        return -1;
    }
    if (words && draft_check_text ("text", words, TEXT_MAX, true, error))
        return -1;
    if (place && draft_check_text ("place", place, PLACE_MAX, true, error))
        return -1;
    if (words)
        out->tip.text = s_bytes (words);
    if (place)
        out->tip.place = s_bytes (place);
    return 0;
}

static int s_flags (draft_t *out, const json_t *object, char *error)
{
    json_t *anonymous = json_object_get (object, "anonymous");
    if (anonymous && !json_is_boolean (anonymous) && !json_is_null (anonymous)) {
        snprintf (error, DRAFT_ERROR_ROOM, "%s", text (T_DRAFT_ANONYMOUS));
        return -1;
    }
    out->tip.anonymous = json_is_true (anonymous);
    return s_get (object, "follows", &out->follows, error);
}

int draft_read (draft_t *out, const json_t *object, const kinds_t *kinds, int64_t now_ms, char error [DRAFT_ERROR_ROOM])
{
    memset (out, 0, sizeof *out);
    patrol__tip__init (&out->tip);
    if (!json_is_object (object)) {
        snprintf (error, DRAFT_ERROR_ROOM, "%s", text (T_DRAFT_NOT_OBJECT));
        return -1;
    }
    if (s_known_keys (object, error) || s_kind (out, object, kinds, error) || s_position (out, object, error)
        || s_accuracy (out, object, error) || s_seen (out, object, now_ms, error) || s_texts (out, object, error)
        || s_flags (out, object, error))
        return -1;
    return 0;
}
