//  itemjson - an item as a JSON line

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "identity.h"
#include "itemjson.h"
#include "kinds.h"
#include "timefmt.h"
#include "utf8.h"

void lines_reset (lines_t *self)
{
    self->used = 0;
    self->count = 0;
}

void lines_clear (lines_t *self)
{
    free (self->bytes);
    memset (self, 0, sizeof *self);
}

//  ---- text into the buffer

static void s_put (lines_t *self, const char *bytes, size_t size)
{
    if (self->used + size + 1 > self->room) {
        size_t room = self->room ? self->room : 4096;
        while (room < self->used + size + 1)
            room *= 2;
        self->bytes = realloc (self->bytes, room);
        if (!self->bytes)
            abort (); //  no heap left is the end
        self->room = room;
    }
    memcpy (self->bytes + self->used, bytes, size);
    self->used += size;
    self->bytes [self->used] = 0;
}

static void s_key (lines_t *self, const char *key)
{
    s_put (self, self->bytes [self->used - 1] == '{' ? "\"" : ",\"", self->bytes [self->used - 1] == '{' ? 1 : 2);
    s_put (self, key, strlen (key));
    s_put (self, "\":", 2);
}

static void s_escape (lines_t *self, uint8_t octet)
{
    char out [8];
    if (octet == '"' || octet == '\\')
        snprintf (out, sizeof out, "\\%c", octet);
    else if (octet == '\n')
        snprintf (out, sizeof out, "\\n");
    else if (octet == '\t')
        snprintf (out, sizeof out, "\\t");
    else if (octet == 0)
        snprintf (out, sizeof out, "\xef\xbf\xbd"); //  many readers of JSON refuse \u0000
    else
        snprintf (out, sizeof out, "\\u%04x", octet);
    s_put (self, out, strlen (out));
}

//  Bytes of the character at `bytes` that may stand as they are: 0 = replace one octet.
static size_t s_character (const uint8_t *bytes, size_t size)
{
    size_t length = bytes [0] >= 0xf0 ? 4 : bytes [0] >= 0xe0 ? 3 : 2;
    return length <= size && utf8_check (bytes, length, length, true) == UTF8_OK ? length : 0;
}

//  Octets that need no escape go out in runs. `whole` says that the text as a whole is fit to show.
static void s_quoted (lines_t *self, const uint8_t *bytes, size_t size, bool whole)
{
    size_t start = 0, i = 0;
    s_put (self, "\"", 1);
    while (i < size) {
        bool escaped = bytes [i] < 0x20 || bytes [i] == '"' || bytes [i] == '\\' || bytes [i] == 0x7f;
        size_t length = bytes [i] < 0x80 || whole ? 1 : s_character (bytes + i, size - i);
        if (!escaped && length) {
            i += length;
            continue;
        }
        s_put (self, (const char *)bytes + start, i - start);
        if (escaped)
            s_escape (self, bytes [i]);
        else
            s_put (self, "\xef\xbf\xbd", 3);
        start = ++i;
    }
    if (size > start)
        s_put (self, (const char *)bytes + start, size - start);
    s_put (self, "\"", 1);
}

static void s_string (lines_t *self, const char *key, const char *value)
{
    s_key (self, key);
    s_quoted (self, (const uint8_t *)value, strlen (value), true);
}

//  Absent when empty.
static void s_bytes (lines_t *self, const char *key, const ProtobufCBinaryData *value)
{
    if (value->len == 0)
        return;
    s_key (self, key);
    s_quoted (self, value->data, value->len, utf8_check (value->data, value->len, SIZE_MAX, true) == UTF8_OK);
}

static void s_number (lines_t *self, const char *key, int64_t value)
{
    char out [24];
    snprintf (out, sizeof out, "%" PRId64, value);
    s_key (self, key);
    s_put (self, out, strlen (out));
}

static void s_true (lines_t *self, const char *key)
{
    s_key (self, key);
    s_put (self, "true", 4);
}

static void s_time (lines_t *self, const char *key, int64_t ms)
{
    char out [32];
    if (ms == 0)
        return;
    time_format_utc (out, ms);
    if (out [0] != '-') //  not a time any calendar has
        s_string (self, key, out);
}

static void s_id (lines_t *self, const char *key, uint64_t id)
{
    char out [14];
    if (id == 0)
        return;
    id64_format (out, id);
    s_string (self, key, out);
}

//  Exact decimal of a fixed-point number with `digits` places, without trailing zeros: no float on the way.
static void s_fixed (lines_t *self, const char *key, int64_t value, int digits)
{
    int64_t scale = 1;
    char out [40];

    for (int i = 0; i < digits; i++)
        scale *= 10;
    int64_t magnitude = value < 0 ? -value : value;
    int size = snprintf (
        out, sizeof out, "%s%" PRId64 ".%0*" PRId64, value < 0 ? "-" : "", magnitude / scale, digits, magnitude % scale);
    while (out [size - 1] == '0' && out [size - 2] != '.')
        size--;
    s_key (self, key);
    s_put (self, out, (size_t)size);
}

//  ---- positions in the log

void position_format (char out [48], uint64_t incarnation, uint64_t seq)
{
    snprintf (out, 48, "%" PRIu64 "-%" PRIu64, incarnation, seq);
}

static int s_decimal (uint64_t *number, const char *digits, size_t size)
{
    uint64_t value = 0;
    if (size == 0 || size > 20)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (digits [i] < '0' || digits [i] > '9')
            return -1;
        if (__builtin_mul_overflow (value, 10u, &value)
            || __builtin_add_overflow (value, (uint64_t)(digits [i] - '0'), &value))
            return -1;
    }
    *number = value;
    return 0;
}

int log_position_parse (uint64_t *incarnation, uint64_t *seq, const char *position)
{
    const char *dash = strchr (position, '-');
    if (!dash || s_decimal (incarnation, position, (size_t)(dash - position)) == -1)
        return -1;
    return s_decimal (seq, dash + 1, strlen (dash + 1));
}

//  ---- one item

static const char *s_type_name (Patrol__ItemType type)
{
    switch (type) {
    case PATROL__ITEM_TYPE__ITEM_TIP:
        return "tip";
    case PATROL__ITEM_TYPE__ITEM_STATUS:
        return "status";
    case PATROL__ITEM_TYPE__ITEM_PLACED:
        return "placed";
    case PATROL__ITEM_TYPE__ITEM_DELIVERED:
        return "delivered";
    case PATROL__ITEM_TYPE__ITEM_ADMIN:
        return "admin";
    case PATROL__ITEM_TYPE__ITEM_MERGE:
        return "merge";
    case PATROL__ITEM_TYPE__ITEM_SPLIT:
        return "split";
    case PATROL__ITEM_TYPE__ITEM_NONE:
        return NULL;
    case _PATROL__ITEM_TYPE_IS_INT_SIZE:
        return NULL;
    }
    return NULL; //  a number from outside the enum
}

static void s_identity (lines_t *self, uint64_t incarnation, const Patrol__Item *item)
{
    char out [48];
    if (item->seq) {
        position_format (out, incarnation, item->seq);
        s_string (self, "position", out);
    }
    if (s_type_name (item->type))
        s_string (self, "type", s_type_name (item->type));
    s_time (self, "at", item->at_ms);
    s_id (self, "incident", item->incident);
    if (item->version && item->version <= INT64_MAX)
        s_number (self, "version", (int64_t)item->version);
    if (item->incident)
        s_string (self, "role", item->copy ? "copy" : "owner");
    s_id (self, "tip", item->tip);
}

static void s_subject (lines_t *self, const Patrol__Item *item)
{
    s_bytes (self, "kind", &item->kind);
    //  0 is a class (sos) and also "not said": it counts only beside a severity, which is never 0
    if (item->severity >= 1 && item->severity <= 3) {
        s_string (self, "severity", severity_name (item->severity));
        if (item->cls < CLASS_COUNT)
            s_string (self, "class", class_name ((class_t)item->cls));
    }
    s_bytes (self, "status", &item->status);
    s_bytes (self, "station", &item->station);
    if (item->has_position && item->lat_e7 >= -900000000 && item->lat_e7 <= 900000000 && item->lon_e7 >= -1800000000
        && item->lon_e7 <= 1800000000) {
        s_fixed (self, "lat", item->lat_e7, 7);
        s_fixed (self, "lon", item->lon_e7, 7);
        if (item->accuracy_m)
            s_number (self, "accuracy", item->accuracy_m);
    }
    s_bytes (self, "place", item->place.len ? &item->place : &item->place_text);
    s_bytes (self, "text", item->admin.len ? &item->admin : &item->text);
}

static void s_history (lines_t *self, const Patrol__Item *item)
{
    s_time (self, "seen", item->seen_ms);
    s_time (self, "accepted", item->accepted_ms);
    if (item->witnesses)
        s_number (self, "witnesses", item->witnesses);
    if (item->duplicate_of) {
        s_id (self, "duplicate_of", item->duplicate_of);
        //  Who is sure needs no score: a tip that follows, a merge by hand
        if (item->score_e3)
            s_fixed (self, "score", item->score_e3, 3);
    }
    s_id (self, "other", item->other);
    s_bytes (self, "why", &item->why);
    s_bytes (self, "reporter", &item->reporter);
    s_bytes (self, "actor", &item->actor);
    s_bytes (self, "note", &item->note);
    s_bytes (self, "answer", &item->answer);
}

//  Keys beyond the contract's list, each only where it says something no other key does.
static void s_extras (lines_t *self, const Patrol__Item *item)
{
    s_bytes (self, "reason", &item->reason);
    if (item->place.len)
        s_bytes (self, "place_text", &item->place_text);
    s_bytes (self, "area", &item->area);
    if (item->clock_offset_ms)
        s_number (self, "clock_offset_ms", item->clock_offset_ms);
    if (item->areas_version && item->areas_version <= INT64_MAX)
        s_number (self, "areas_version", (int64_t)item->areas_version);
    if (item->late)
        s_true (self, "late");
    if (item->unlocated)
        s_true (self, "unlocated");
    if (item->quarantined)
        s_true (self, "quarantined");
    if (item->text_gone)
        s_true (self, "text_gone");
}

void lines_item (lines_t *self, uint64_t incarnation, const Patrol__Item *item, int64_t as_of_ms)
{
    assert (item);
    s_put (self, "{", 1);
    s_identity (self, incarnation, item);
    s_subject (self, item);
    s_history (self, item);
    s_extras (self, item);
    s_time (self, "as_of", as_of_ms);
    s_put (self, "}\n", 2);
    self->count++;
}

void lines_station (lines_t *self, const Patrol__StationRow *row)
{
    assert (row);
    s_put (self, "{", 1);
    s_bytes (self, "station", &row->id);
    s_bytes (self, "name", &row->name);
    s_number (self, "desks", row->desks);
    s_time (self, "no_desk_since", row->no_desk_since_ms);
    s_number (self, "open", (int64_t)row->open);
    s_number (self, "undelivered", (int64_t)row->undelivered);
    s_time (self, "oldest_undelivered", row->oldest_undelivered_ms);
    s_number (self, "unacknowledged", (int64_t)row->unacknowledged);
    s_time (self, "oldest_unacknowledged", row->oldest_unacknowledged_ms);
    s_put (self, "}\n", 2);
    self->count++;
}
