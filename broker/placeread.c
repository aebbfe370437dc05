//  The rows of a place file, checked

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "areamem.h"
#include "placefile.h"
#include "places_private.h"
#include "utf8.h"

#define ROWS_MAX 2000000u
#define SIZE_MAX_BYTES ((size_t)512 << 20)

typedef struct {
    int name, lat, lon, kind, area, aliases;
} s_columns_t;

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

static int s_read_position (
    const placefile_t *file, const s_columns_t *columns, datum_t datum, placerow_t *row, char **reason)
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
    placerow_t row = { .parent = -1 };
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

int placeread (places_t *self, const char *bytes, size_t size, datum_t datum, char **reason)
{
    if (size > SIZE_MAX_BYTES)
        return s_refuse (reason, "%zu bytes; at most %zu are read", size, SIZE_MAX_BYTES);
    self->text = area_resize (self->text, size + 2, 1);
    self->text [0] = 0;
    memcpy (self->text + 1, bytes, size);
    self->text [size + 1] = 0;
    self->text_size = size + 2;
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
