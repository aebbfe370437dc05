//  kinds - what a tip can be about: ids, labels, severities, classes and limits, as data

#include "kinds.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "nearest.h"
#include "timefmt.h"
#include "utf8.h"

#define FILE_LIMIT (256u * 1024u)
#define MINUTE_MS 60000
#define HOUR_MS ((int64_t)60 * MINUTE_MS)
#define ACKNOWLEDGE_MAX (7 * 24 * HOUR_MS)
#define WINDOW_MAX_MS (72 * HOUR_MS) //  incidents are joined within 72 h
#define RADIUS_MAX_M 5000

//  The built-in set, as it lies in common/kinds.json (make runs in the root of the tree).
__asm__(".section .rodata\n"
        ".hidden kinds_builtin\n.hidden kinds_builtin_end\n"
        ".global kinds_builtin\n.global kinds_builtin_end\n"
        "kinds_builtin:\n.incbin \"common/kinds.json\"\nkinds_builtin_end:\n.byte 0\n"
        ".previous\n");
extern const char kinds_builtin [], kinds_builtin_end [];

struct kinds_t {
    char *json; //  as it was loaded
    size_t size;
    kind_t kinds [KINDS_MAX];
    int count;
    char ids [KINDS_MAX * 33 + 1];
};

//  Where we are in the file, for the reason.
typedef struct {
    size_t entry;   //  from 1; 0 = the file as a whole
    const char *id; //  of the entry, once it is known to be good
    char *reason;
} place_t;

//  ---- names

static const char *const s_severities [4] = { "", "blue", "yellow", "red" };
static const char *const s_classes [CLASS_COUNT] = { "sos", "urgent", "normal", "bulk" };

uint32_t severity_parse (const char *name)
{
    for (uint32_t severity = 1; name && severity <= 3; severity++)
        if (strcmp (s_severities [severity], name) == 0)
            return severity;
    return 0;
}

const char *severity_name (uint32_t severity)
{
    return severity <= 3 ? s_severities [severity] : "";
}

const char *class_name (class_t cls)
{
    return (unsigned)cls < CLASS_COUNT ? s_classes [cls] : "";
}

//  ---- reasons

//  Keeps the first reason: `entry 3 ("fire"), "life": ...`. Returns -1.

static int __attribute__ ((format (printf, 2, 3))) s_refuse (place_t *place, const char *format, ...)
{
    if (place->reason)
        return -1;
    char *what = NULL;
    va_list args;
    va_start (args, format);
    int size = vasprintf (&what, format, args);
    va_end (args);
    if (size < 0)
        abort ();
    if (!place->entry)
        size = asprintf (&place->reason, "kinds file: %s", what);
    else if (place->id)
        size = asprintf (&place->reason, "kinds file: entry %zu (\"%s\"), %s", place->entry, place->id, what);
    else
        size = asprintf (&place->reason, "kinds file: entry %zu, %s", place->entry, what);
    if (size < 0)
        abort ();
    free (what);
    return -1;
}

//  As many bytes as fit, not ending within a character.

static int s_cut (const char *words, size_t max)
{
    size_t size = strlen (words);
    if (size <= max)
        return (int)size;
    while (max > 0 && ((unsigned char)words [max] & 0xC0) == 0x80)
        max--;
    return (int)max;
}

//  Says what stands there and what would be right.

static int s_wrong (place_t *place, const char *key, const json_t *json, const char *wanted)
{
    char *found = json ? json_dumps (json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *shown = found ? found : "absent";
    s_refuse (place, "\"%s\" is %.*s; it must be %s", key, s_cut (shown, 60), shown, wanted);
    free (found);
    return -1;
}

static int s_known_keys (place_t *place, const json_t *object, const char *inside, const char *const *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
    {
        nearest_t nearest;
        nearest_begin (&nearest, key);
        bool known = false;
        for (const char *const *at = keys; *at && !known; at++) {
            known = strcmp (*at, key) == 0;
            nearest_offer (&nearest, *at);
        }
        if (!known)
            return s_refuse (place, "\"%s%.*s\" is not known%s%s%s", inside, s_cut (key, 40), key,
                nearest.word ? "; did you mean \"" : "", nearest.word ? nearest.word : "", nearest.word ? "\"?" : "");
    }
    return 0;
}

//  ---- one entry

static int s_take_id (kind_t *kind, place_t *place, const json_t *entry)
{
    const json_t *json = json_object_get (entry, "id");
    const char *id = json_string_value (json);
    size_t size = id ? json_string_length (json) : 0;
    if (size < 1 || size >= sizeof kind->id || strspn (id, "abcdefghijklmnopqrstuvwxyz0123456789_-") != size)
        return s_wrong (place, "id", json, "1 to 32 of a-z 0-9 _ -");
    snprintf (kind->id, sizeof kind->id, "%s", id);
    place->id = kind->id;
    return 0;
}

static int s_take_label (char *label, size_t room, place_t *place, const json_t *entry, const char *key)
{
    const json_t *json = json_object_get (entry, key);
    const char *words = json_string_value (json);
    size_t size = words ? json_string_length (json) : 0;
    if (size < 1 || utf8_check ((const uint8_t *)words, size, room - 1, false) != UTF8_OK)
        return s_wrong (place, key, json, "a text of 1 to 64 bytes without control characters");
    snprintf (label, room, "%s", words);
    return 0;
}

static int s_take_class (kind_t *kind, place_t *place, const json_t *entry)
{
    const json_t *json = json_object_get (entry, "class");
    static const char *const keys [] = { "blue", "yellow", "red", NULL };
    if (!json_is_object (json))
        return s_wrong (place, "class", json, "an object with blue, yellow and red");
    if (s_known_keys (place, json, "class.", keys))
        return -1;
    for (uint32_t severity = 1; severity <= 3; severity++) {
        const json_t *value = json_object_get (json, s_severities [severity]);
        const char *name = json_string_value (value);
        int cls = 0;
        while (name && cls < CLASS_COUNT && strcmp (s_classes [cls], name))
            cls++;
        if (!name || cls == CLASS_COUNT) {
            char key [16];
            snprintf (key, sizeof key, "class.%s", s_severities [severity]);
            return s_wrong (place, key, value, "sos, urgent, normal or bulk");
        }
        kind->cls [severity] = (class_t)cls;
    }
    return 0;
}

static int s_take_duration (
    int64_t *ms, place_t *place, const json_t *json, const char *key, int64_t max, const char *wanted)
{
    const char *words = json_string_value (json);
    if (!words || duration_parse (ms, words) || *ms < MINUTE_MS || *ms > max)
        return s_wrong (place, key, json, wanted);
    return 0;
}

static int s_take_scope (kind_t *kind, place_t *place, const json_t *json)
{
    static const char *const scopes [] = { "event", "spot", "address" };
    const char *name = json_string_value (json);
    kind->merge_scope = SCOPE_EVENT;
    if (!json)
        return 0;
    for (int scope = SCOPE_EVENT; name && scope <= SCOPE_ADDRESS; scope++)
        if (strcmp (scopes [scope], name) == 0) {
            kind->merge_scope = (scope_t)scope;
            return 0;
        }
    return s_wrong (place, "merge.scope", json, "event, spot or address");
}

static int s_take_merge (kind_t *kind, place_t *place, const json_t *entry)
{
    const json_t *json = json_object_get (entry, "merge");
    static const char *const keys [] = { "radius_m", "window", "scope", "with", NULL };
    if (!json)
        return 0;
    if (!json_is_object (json))
        return s_wrong (place, "merge", json, "absent, or an object with radius_m and window");
    if (s_take_scope (kind, place, json_object_get (json, "scope")))
        return -1;
    if (s_known_keys (place, json, "merge.", keys))
        return -1;
    const json_t *radius = json_object_get (json, "radius_m");
    json_int_t metres = json_integer_value (radius);
    if (!json_is_integer (radius) || metres < 1 || metres > RADIUS_MAX_M)
        return s_wrong (place, "merge.radius_m", radius, "a whole number from 1 to 5000");
    kind->merge_radius_m = (uint32_t)metres;
    return s_take_duration (&kind->merge_window_ms, place, json_object_get (json, "window"), "merge.window", WINDOW_MAX_MS,
        "a duration from \"1m\" to \"72h\"");
}

static int s_take_entry (kind_t *kind, place_t *place, const json_t *entry)
{
    static const char *const keys [] = { "id", "en", "zh", "severity", "class", "acknowledge", "life", "merge", NULL };
    if (!json_is_object (entry))
        return s_refuse (place, "it is not an object");
    if (s_take_id (kind, place, entry) || s_known_keys (place, entry, "", keys)
        || s_take_label (kind->en, sizeof kind->en, place, entry, "en")
        || s_take_label (kind->zh, sizeof kind->zh, place, entry, "zh"))
        return -1;
    const json_t *severity = json_object_get (entry, "severity");
    kind->severity = severity_parse (json_string_value (severity));
    if (!kind->severity)
        return s_wrong (place, "severity", severity, "blue, yellow or red");

    int64_t life;
    const json_t *life_json = json_object_get (entry, "life");
    if (s_take_class (kind, place, entry)
        || s_take_duration (&kind->acknowledge_ms, place, json_object_get (entry, "acknowledge"), "acknowledge",
            ACKNOWLEDGE_MAX, "a duration from \"1m\" to \"7d\"")
        || s_take_duration (&life, place, life_json, "life", LIFE_MAX_H * HOUR_MS, "whole hours from \"1h\" to \"72h\""))
        return -1;
    if (life % HOUR_MS)
        return s_wrong (place, "life", life_json, "whole hours from \"1h\" to \"72h\"");
    kind->life_h = (uint32_t)(life / HOUR_MS);
    return s_take_merge (kind, place, entry);
}

//  ---- the set

//  A call for help needs no kinds file to be one: its entry is there, in its own lane, and never merged.

static int s_check_sos (const kinds_t *self, place_t *place)
{
    place->id = NULL;
    int index = kinds_find (self, "sos", 3);
    if (index < 0) {
        place->entry = 0;
        return s_refuse (place, "it has no entry \"sos\"; every set needs one");
    }
    const kind_t *sos = kinds_get (self, index);
    place->entry = (size_t)index + 1;
    place->id = sos->id;
    for (uint32_t severity = 1; severity <= 3; severity++)
        if (sos->cls [severity] != CLASS_SOS)
            return s_refuse (
                place, "\"class.%s\" is %s; it must be sos", s_severities [severity], class_name (sos->cls [severity]));
    if (sos->merge_radius_m)
        return s_refuse (place, "\"merge\" is there; it must be absent: a call for help is never merged into another");
    return 0;
}

//  Which other kinds a tip may be about can be said only when all entries are known.

static int s_take_with (kinds_t *self, place_t *place, const json_t *list)
{
    for (int index = 0; index < self->count; index++) {
        kind_t *kind = &self->kinds [index];
        const json_t *with = json_object_get (json_object_get (json_array_get (list, (size_t)index), "merge"), "with");
        *place = (place_t){ .entry = (size_t)index + 1, .id = kind->id };
        if (!with)
            continue;
        if (!json_is_array (with) || json_array_size (with) > KINDS_WITH_MAX)
            return s_wrong (place, "merge.with", with, "a list of at most 4 ids of kinds that have merge");
        for (size_t i = 0; i < json_array_size (with); i++) {
            const json_t *id = json_array_get (with, i);
            int other = json_is_string (id) ? kinds_find (self, json_string_value (id), json_string_length (id)) : -1;
            if (other < 0 || other == index || !self->kinds [other].merge_radius_m)
                return s_wrong (place, "merge.with", id, "the id of another kind that has merge");
            kind->merge_with [kind->merge_with_count++] = (uint8_t)other;
        }
    }
    return 0;
}

static int s_take_kinds (kinds_t *self, place_t *place, const json_t *list)
{
    size_t count = json_array_size (list);
    if (!json_is_array (list) || count < 1 || count > KINDS_MAX)
        return s_refuse (place, "\"kinds\" must be a list of 1 to %d entries", KINDS_MAX);
    for (size_t index = 0; index < count; index++) {
        //  Where it will stay: an error line may name it by then.
        kind_t *kind = &self->kinds [self->count];
        *kind = (kind_t){ .id = "" };
        *place = (place_t){ .entry = index + 1 };
        if (s_take_entry (kind, place, json_array_get (list, index)))
            return -1;
        int before = kinds_find (self, kind->id, strlen (kind->id));
        if (before >= 0)
            return s_refuse (place, "\"id\" is that of entry %d; ids must differ", before + 1);
        self->count++;
        size_t used = strlen (self->ids);
        snprintf (self->ids + used, sizeof self->ids - used, "%s%s", index > 0 ? " " : "", kind->id);
    }
    return s_take_with (self, place, list) ? -1 : s_check_sos (self, place);
}

static int s_take_file (kinds_t *self, place_t *place)
{
    static const char *const keys [] = { "version", "kinds", NULL };
    json_error_t error;
    json_t *root = json_loadb (self->json, self->size, JSON_REJECT_DUPLICATES, &error);
    int result = -1;
    if (!root)
        s_refuse (place, "line %d: %s", error.line, error.text);
    else if (!json_is_object (root))
        s_refuse (place, "it must be one JSON object");
    else if (json_integer_value (json_object_get (root, "version")) != 1)
        s_wrong (place, "version", json_object_get (root, "version"), "1");
    else if (s_known_keys (place, root, "", keys) == 0)
        result = s_take_kinds (self, place, json_object_get (root, "kinds"));
    json_decref (root);
    return result;
}

kinds_t *kinds_load (const char *bytes, size_t size, char **reason)
{
    if (reason)
        *reason = NULL;
    if (!bytes) {
        bytes = kinds_builtin;
        size = (size_t)(kinds_builtin_end - kinds_builtin);
    }
    place_t place = { 0 };
    kinds_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    if (size > FILE_LIMIT)
        s_refuse (&place, "it is over 256 KiB");
    else {
        self->json = malloc (size + 1);
        if (!self->json)
            abort ();
        memcpy (self->json, bytes, size);
        self->json [size] = 0;
        self->size = size;
        if (s_take_file (self, &place) == 0)
            return self;
    }
    kinds_destroy (&self);
    if (reason)
        *reason = place.reason;
    else
        free (place.reason);
    return NULL;
}

void kinds_destroy (kinds_t **self_p)
{
    assert (self_p);
    kinds_t *self = *self_p;
    if (!self)
        return;
    free (self->json);
    free (self);
    *self_p = NULL;
}

//  ---- accessors

const char *kinds_json (const kinds_t *self, size_t *size)
{
    assert (self && size);
    *size = self->size;
    return self->json;
}

int kinds_find (const kinds_t *self, const char *id, size_t size)
{
    assert (self && (id || size == 0));
    for (int index = 0; index < self->count; index++)
        if (strlen (self->kinds [index].id) == size && memcmp (self->kinds [index].id, id, size) == 0)
            return index;
    return -1;
}

const kind_t *kinds_get (const kinds_t *self, int index)
{
    assert (self && index >= 0 && index < self->count);
    return &self->kinds [index];
}

int kinds_count (const kinds_t *self)
{
    return self->count;
}

const char *kind_label (const kind_t *kind)
{
    return catalogue_lang () == LANG_ZH ? kind->zh : kind->en;
}

const char *kinds_ids (const kinds_t *self)
{
    return self->ids;
}
