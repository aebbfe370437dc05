//  itemline - items for people

#include <stdio.h>
#include <string.h>
#include "cli.h"
#include "itemline.h"
#include "timefmt.h"
#include "utf8.h"

#define TEXT_ROOM 4100

static const char *s_get (json_t *item, const char *key)
{
    const char *value = json_string_value (json_object_get (item, key));
    return value ? value : "";
}

//  ---- cells

const char *itemline_clean (const char *text_in, char *out, size_t room)
{
    size_t size = strlen (text_in), used = 0;
    for (size_t i = 0; i < size;) {
        uint32_t code = 0;
        int length = utf8_next ((const uint8_t *)text_in + i, size - i, &code);
        if (length < 1 || used + (size_t)length >= room)
            break;
        if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            out [used++] = ' ';
        else {
            memcpy (out + used, text_in + i, (size_t)length);
            used += (size_t)length;
        }
        i += (size_t)length;
    }
    out [used] = 0;
    return out;
}

const char *itemline_time (json_t *item, const char *key, char out [40])
{
    int64_t ms;
    out [0] = 0;
    if (time_parse (&ms, s_get (item, key), 0) == 0)
        time_format_local (out, ms);
    return out;
}

const char *itemline_kind (json_t *item, const kinds_t *kinds)
{
    const char *id = s_get (item, "kind");
    int index = kinds && id [0] ? kinds_find (kinds, id, strlen (id)) : -1;
    return index < 0 ? id : kind_label (kinds_get (kinds, index));
}

const char *itemline_place (json_t *item, char *out, size_t room)
{
    itemline_clean (s_get (item, "place"), out, room);
    size_t used = strlen (out);
    if (json_is_true (json_object_get (item, "unlocated")))
        snprintf (out + used, room - used, "%s[%s]", used ? " " : "", text (T_DESK_UNLOCATED));
    return out;
}

static const char *s_word (const char *value, const char *const *names, const text_id_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp (value, names [i]) == 0)
            return text (words [i]);
    return value;
}

const char *itemline_status (json_t *item)
{
    static const char *const names [] = { "acknowledged", "dispatched", "closed", "reopened", "withdrawn", "open", "new",
        "placed", "delivered", "admin", "merged", "merge", "split" };
    static const text_id_t words []
        = { T_DESK_ACKNOWLEDGED, T_DESK_DISPATCHED, T_DESK_CLOSED, T_DESK_REOPENED, T_DESK_WITHDRAWN, T_DESK_OPEN,
              T_DESK_NEW, T_DESK_PLACED, T_DESK_DELIVERED, T_DESK_ADMIN, T_DESK_MERGED, T_DESK_MERGED, T_DESK_SPLIT };
    const char *type = s_get (item, "type"), *status = s_get (item, "status");
    bool by_type = strcmp (type, "placed") == 0 || strcmp (type, "delivered") == 0 || strcmp (type, "admin") == 0
        || strcmp (type, "merge") == 0 || strcmp (type, "split") == 0;
    return s_word (by_type || !status [0] ? (strcmp (type, "tip") == 0 ? "new" : type) : status, names, words,
        sizeof names / sizeof names [0]);
}

const char *itemline_severity (json_t *item, char out [96])
{
    static const char *const names [] = { "blue", "yellow", "red" };
    static const text_id_t words [] = { T_DESK_BLUE, T_DESK_YELLOW, T_DESK_RED };
    const char *severity = s_get (item, "severity"), *cls = s_get (item, "class");
    //  what is late calls nobody away from what happens now
    bool late = json_is_true (json_object_get (item, "late"));
    const char *mark = strcmp (cls, "sos") == 0 ? text (T_DESK_SOS)
        : !late && strcmp (cls, "urgent") == 0  ? text (T_DESK_URGENT)
                                                : "";
    snprintf (out, 96, "%s%s%s%s%s", cli_color (late ? "dim" : severity), s_word (severity, names, words, 3),
        mark [0] ? " " : "", mark, cli_color ("off"));
    return severity [0] ? out : "";
}

//  ---- one line

//  Columns a terminal uses for a text: two for the wide characters of East Asia, none for a colour's escape.
static int s_width (const char *cell)
{
    size_t size = strlen (cell);
    int width = 0;
    for (size_t i = 0; i < size;) {
        uint32_t code = 0;
        if (cell [i] == '\033') {
            i += strcspn (cell + i, "m") + 1;
            continue;
        }
        int length = utf8_next ((const uint8_t *)cell + i, size - i, &code);
        if (length < 1)
            break;
        bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf)
            || (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f)
            || (code >= 0xff00 && code <= 0xff60) || (code >= 0xffe0 && code <= 0xffe6)
            || (code >= 0x1f300 && code <= 0x1faff) || code >= 0x20000;
        width += wide ? 2 : 1;
        i += (size_t)length;
    }
    return width;
}

static void s_cell (const char *cell, int columns)
{
    int missing = columns - s_width (cell);
    printf ("%s%*s  ", cell, missing > 0 ? missing : 0, "");
}

static void s_mark (json_t *item, const char *key, text_id_t words)
{
    if (json_is_true (json_object_get (item, key)))
        printf (" %s[%s]%s", cli_color ("bold"), text (words), cli_color ("off"));
}

//  When it was seen stands in the line only of what is late: of the rest, "at" says enough.
static void s_late (json_t *item)
{
    char seen [40];
    if (json_is_true (json_object_get (item, "late")))
        printf (
            " %s[%s %s]%s", cli_color ("bold"), text (T_DESK_LATE), itemline_time (item, "seen", seen), cli_color ("off"));
}

static void s_clock (json_t *item)
{
    char off [24];
    int64_t offset_ms = json_integer_value (json_object_get (item, "clock_offset_ms"));
    if (!offset_ms)
        return;
    duration_format (off, offset_ms < 0 ? -offset_ms : offset_ms);
    printf (" [");
    if (offset_ms < 0)
        printf (text_format (T_DESK_CLOCK_BEHIND), off);
    else
        printf (text_format (T_DESK_CLOCK_AHEAD), off);
    printf ("]");
}

static void s_marks (json_t *item)
{
    s_mark (item, "quarantined", T_DESK_REVOKED_DEVICE);
    s_mark (item, "text_gone", T_DESK_TEXT_GONE);
    s_mark (item, "unlocated", T_DESK_UNLOCATED);
    s_late (item);
    s_clock (item);
    if (strcmp (s_get (item, "role"), "copy") == 0)
        printf (" [%s]", text (T_DESK_COPY));
}

static void s_named (const char *name, json_t *item, const char *key)
{
    char clean [TEXT_ROOM];
    const char *value = s_get (item, key);
    if (value [0])
        printf ("  %s: %s", name, itemline_clean (value, clean, sizeof clean));
}

void itemline_print (json_t *item, const kinds_t *kinds)
{
    char at [40], severity [96], clean [TEXT_ROOM];

    s_cell (itemline_time (item, "at", at), 25);
    s_cell (s_get (item, "incident"), 13);
    s_cell (itemline_severity (item, severity), 13);
    s_cell (itemline_kind (item, kinds), 12);
    s_cell (itemline_status (item), 12);
    printf ("%s", itemline_clean (s_get (item, "place"), clean, sizeof clean));
    if (s_get (item, "place") [0] && s_get (item, "text") [0])
        printf (": ");
    printf ("%s", itemline_clean (s_get (item, "text"), clean, sizeof clean));
    s_marks (item);
    s_named (text (T_DESK_OTHER), item, "other");
    //  How a tip came to an incident that was there before it; of one that began it the place says enough
    if (s_get (item, "duplicate_of") [0] || s_get (item, "other") [0])
        s_named (text (T_DESK_WHY), item, "why");
    s_named (text (T_DESK_BY), item, "actor");
    s_named (text (T_DESK_NOTE), item, "note");
    s_named (text (T_DESK_ANSWER), item, "answer");
    s_named (text (T_DESK_WHY), item, "reason");
    printf ("\n");
}

//  ---- the head of `show`

static void s_field (text_id_t name, const char *value)
{
    char clean [TEXT_ROOM];
    if (!value [0])
        return;
    s_cell (text (name), 14);
    printf ("%s\n", itemline_clean (value, clean, sizeof clean));
}

void itemline_print_head (json_t *item, const kinds_t *kinds)
{
    char buffer [96], position [96], place [400];
    json_t *lat = json_object_get (item, "lat"), *lon = json_object_get (item, "lon");

    s_field (T_DESK_COL_INCIDENT, s_get (item, "incident"));
    s_field (T_DESK_COL_STATION, s_get (item, "station"));
    s_field (T_DESK_COL_KIND, itemline_kind (item, kinds));
    s_cell (text (T_DESK_COL_SEVERITY), 14);
    printf ("%s\n", itemline_severity (item, buffer));
    s_field (T_DESK_SEEN, itemline_time (item, "seen", buffer));
    s_field (T_DESK_COL_PLACE, itemline_place (item, place, sizeof place));
    if (lat && lon) {
        snprintf (position, sizeof position, "%.6f,%.6f", json_number_value (lat), json_number_value (lon));
        s_field (T_DESK_COL_PLACE, position);
    }
    s_field (T_DESK_WHY, s_get (item, "why"));
    s_field (T_DESK_REPORTER, s_get (item, "reporter"));
    printf ("\n");
}
