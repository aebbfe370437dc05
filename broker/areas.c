#include <assert.h>
#include <math.h>
#include <string.h>
#include "areamem.h"
#include "areamend.h"
#include "areastate.h"

const char *areas_by_name (areas_by_t by)
{
    switch (by) {
    case BY_CHECKPOINT:
        return "checkpoint";
    case BY_LINE:
        return "line";
    case BY_POLYGON:
        return "polygon";
    case BY_NEAREST:
        return "nearest";
    case BY_PARENT:
        return "parent";
    case BY_DISTRICT:
        return "district";
    }
    assert (false);
    return NULL;
}

//  ---------------------------------------------------------------------------------------------
//  Finding by id: arrays of indexes, sorted by the id they stand for

typedef struct {
    const char *id;
    int index;
} s_named_t;

static int s_by_id (const void *left, const void *right)
{
    const s_named_t *a = left, *b = right;
    int order = strcmp (a->id, b->id);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static s_named_t *s_sort_areas (const areafile_area_t *areas, size_t count)
{
    s_named_t *named = area_zeroed (count, sizeof *named);
    for (size_t i = 0; i < count; i++)
        named [i] = (s_named_t){ areas [i].id, (int)i };
    qsort (named, count, sizeof *named, s_by_id);
    return named;
}

static int s_search_station (const areas_t *self, const char *id, size_t size)
{
    int low = 0, high = self->station_count - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        const char *other = self->stations [self->stations_by_id [middle]].id;
        int order = strncmp (id, other, size);
        if (order == 0 && other [size])
            order = -1;
        if (order == 0)
            return self->stations_by_id [middle];
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

//  ---------------------------------------------------------------------------------------------
//  Stations

static void s_add_station (areas_t *self, const char *id, const char *name, int level)
{
    station_t *station = &self->stations [self->station_count++];
    snprintf (station->id, sizeof station->id, "%s", id);
    snprintf (station->name, sizeof station->name, "%s", name);
    station->parent = self->station_count == 1 ? -1 : 0;
    station->level = level;
}

static int s_by_station (const void *left, const void *right)
{
    const s_named_t *a = left, *b = right;
    int order = strcmp (a->id, b->id);
    return order ? order : a->index - b->index;
}

static void s_sort_stations (areas_t *self)
{
    s_named_t *named = area_zeroed ((size_t)self->station_count, sizeof *named);
    for (int i = 0; i < self->station_count; i++)
        named [i] = (s_named_t){ self->stations [i].id, i };
    qsort (named, (size_t)self->station_count, sizeof *named, s_by_station);
    for (int i = 0; i < self->station_count; i++)
        self->stations_by_id [i] = named [i].index;
    free (named);
}

//  Stations in the order the file first names them, after `district`.
static void s_make_stations (areas_t *self, const areafile_t *file)
{
    size_t count = file ? file->area_count : 0;
    self->stations = area_zeroed (count + 1, sizeof *self->stations);
    self->station_kinds = area_zeroed (count + 1, sizeof *self->station_kinds);
    self->stations_by_id = area_zeroed (count + 1, sizeof *self->stations_by_id);
    s_add_station (self, "district", "", 4);

    //  sorted by station, then feature: the first of each run is the feature that names it first
    s_named_t *named = area_zeroed (count, sizeof *named);
    for (size_t i = 0; i < count; i++)
        named [i] = (s_named_t){ file->areas [i].station, (int)i };
    qsort (named, count, sizeof *named, s_by_station);
    bool *first = area_zeroed (count, sizeof *first);
    for (size_t i = 0; i < count; i++)
        first [named [i].index] = i == 0 || strcmp (named [i].id, named [i - 1].id) != 0;
    for (size_t i = 0; i < count; i++)
        if (first [i] && strcmp (file->areas [i].station, "district") != 0)
            s_add_station (self, file->areas [i].station, file->areas [i].name, file->areas [i].level);
        else if (first [i])
            snprintf (self->stations [0].name, sizeof self->stations [0].name, "%s", file->areas [i].name);
    free (first);
    free (named);
    s_sort_stations (self);
}

//  A station's parent may be said by any of its features, but all must say the same.
static void s_set_parent (areas_t *self, const areafile_area_t *area, int *said_by, areafaults_t *faults)
{
    int station = s_search_station (self, area->station, strlen (area->station));
    int parent = s_search_station (self, area->parent, strlen (area->parent));
    if (parent < 0)
        areafaults_fatal (
            faults, area->feature, area->station, "parent '%s' is not a station of this file nor `district`", area->parent);
    else if (station == 0)
        areafaults_fatal (faults, area->feature, area->station, "`district` is the parent of all and has none");
    else if (said_by [station] >= 0 && self->stations [station].parent != parent)
        areafaults_fatal (faults, area->feature, area->station, "parent '%s' here, but '%s' in feature %d", area->parent,
            self->stations [self->stations [station].parent].id, said_by [station]);
    else {
        self->stations [station].parent = parent;
        said_by [station] = area->feature;
    }
}

static void s_set_parents (areas_t *self, const areafile_t *file, areafaults_t *faults)
{
    int *said_by = area_resize (NULL, (size_t)self->station_count, sizeof *said_by);
    for (int i = 0; i < self->station_count; i++)
        said_by [i] = -1;
    for (size_t i = 0; i < file->area_count; i++)
        if (file->areas [i].parent [0])
            s_set_parent (self, &file->areas [i], said_by, faults);

    //  a walk up that is longer than there are stations goes round
    for (int i = 1; i < self->station_count; i++) {
        int at = i, steps = 0;
        while (at > 0 && steps++ < self->station_count)
            at = self->stations [at].parent;
        if (at > 0) {
            areafaults_fatal (
                faults, said_by [i], self->stations [i].id, "its parents go round in a circle and never reach `district`");
            break;
        }
    }
    free (said_by);
}

//  ---------------------------------------------------------------------------------------------
//  Areas

static void s_check_ids (const areafile_t *file, areafaults_t *faults)
{
    s_named_t *named = s_sort_areas (file->areas, file->area_count);
    for (size_t i = 1; i < file->area_count; i++)
        if (named [i].id [0] && strcmp (named [i].id, named [i - 1].id) == 0) {
            const areafile_area_t *area = &file->areas [named [i].index];
            areafaults_fatal (faults, area->feature, area->station, "id '%s' is already that of feature %d", area->id,
                file->areas [named [i - 1].index].feature);
        }
    free (named);
}

//  Who reads a reason, a list or a check is told that a border was computed and not drawn.
static void s_look_at_derived (const areafile_t *file, areafaults_t *faults)
{
    size_t derived = 0;
    for (size_t i = 0; i < file->area_count; i++)
        derived += file->areas [i].derived;
    if (derived)
        areafaults_warn (faults, -1, NULL,
            "%zu of %zu areas are derived: the ground nearest to a station, a border that nobody drew", derived,
            file->area_count);
}

static double s_size_m2 (const areafile_area_t *area, const areapart_t *parts, const position_t *points)
{
    if (area->by == BY_CHECKPOINT)
        return M_PI * area->reach_m * area->reach_m;
    double size = 0;
    for (uint32_t i = 0; i < area->part_count; i++) {
        const position_t *first = &points [parts [i].first];
        if (area->by == BY_POLYGON)
            size += areashape_ring_m2 (first, parts [i].count) * (parts [i].hole ? -1 : 1);
        else
            for (uint32_t at = 0; at + 1 < parts [i].count; at++)
                size += distance_m (first [at], first [at + 1]) * 2 * area->reach_m;
    }
    return size;
}

//  Cuts to room - 1 bytes of whole characters.
static size_t s_cut (char *text, size_t size, size_t room)
{
    if (size >= room)
        for (size = room - 1; size > 0 && ((unsigned char)text [size] & 0xC0) == 0x80;)
            size--;
    text [size] = 0;
    return size;
}

static void s_make_label (area_t *area)
{
    char whole [AREA_ID_MAX + AREA_NAME_MAX + 64], tail [32];
    if (area->by == BY_POLYGON)
        snprintf (tail, sizeof tail, " (level %d%s)", area->level, area->derived ? ", derived" : "");
    else
        snprintf (tail, sizeof tail, " (%s %.0f m)", area->by == BY_LINE ? "buffer" : "radius", area->reach_m);
    const char *what = area->by == BY_POLYGON ? "area" : areas_by_name (area->by);
    int size = snprintf (whole, sizeof whole, "%s %s%s%s", what, area->id, area->name [0] ? " " : "", area->name);
    size_t kept = s_cut (whole, (size_t)size, AREA_LABEL_MAX + 1 - strlen (tail));
    memcpy (area->label, whole, kept);
    snprintf (area->label + kept, sizeof area->label - kept, "%s", tail);
    area->label_size = strlen (area->label);
}

static void s_make_areas (areas_t *self, const areafile_t *file)
{
    self->area_count = (int)file->area_count;
    self->areas = area_zeroed (file->area_count, sizeof *self->areas);
    for (int i = 0; i < self->area_count; i++) {
        const areafile_area_t *from = &file->areas [i];
        area_t *area = &self->areas [i];
        snprintf (area->id, sizeof area->id, "%s", from->id);
        snprintf (area->name, sizeof area->name, "%s", from->name);
        area->feature = from->feature;
        area->station = s_search_station (self, from->station, strlen (from->station));
        area->level = from->level;
        area->by = from->by;
        area->kinds = from->kinds;
        area->from_ms = from->from_ms;
        area->until_ms = from->until_ms;
        area->reach_m = from->reach_m;
        area->derived = from->derived;
        area->size_m2 = s_size_m2 (from, &file->parts [from->part_first], file->points);
        s_make_label (area);
        station_t *station = &self->stations [area->station];
        if (area->level < station->level)
            station->level = area->level;
        self->station_kinds [area->station] |= area->kinds;
    }
    self->areas_by_id = area_zeroed (file->area_count, sizeof *self->areas_by_id);
    s_named_t *named = s_sort_areas (file->areas, file->area_count);
    for (int i = 0; i < self->area_count; i++)
        self->areas_by_id [i] = named [i].index;
    free (named);
}

typedef struct {
    areas_by_t by;
    int level;
    int64_t size; //  logarithm: sizes that differ by a millionth are the same
    int area;
} s_rank_t;

static int s_by_precedence (const void *left, const void *right)
{
    const s_rank_t *a = left, *b = right;
    if (a->by != b->by)
        return a->by < b->by ? -1 : 1;
    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return a->area - b->area;
}

static void s_rank_areas (areas_t *self)
{
    s_rank_t *ranks = area_zeroed ((size_t)self->area_count, sizeof *ranks);
    for (int i = 0; i < self->area_count; i++)
        ranks [i] = (s_rank_t){ self->areas [i].by, self->areas [i].level,
            llround (log (fmax (self->areas [i].size_m2, 1e-6)) * 1e6), i };
    qsort (ranks, (size_t)self->area_count, sizeof *ranks, s_by_precedence);
    self->ranked = area_zeroed ((size_t)self->area_count, sizeof *self->ranked);
    for (int i = 0; i < self->area_count; i++) {
        self->ranked [i] = ranks [i].area;
        self->areas [ranks [i].area].rank = i;
    }
    free (ranks);
}

//  The file's points become ours: GEOS is asked about them as the file has them.
static void s_keep_shapes (areas_t *self, areafile_t *file)
{
    self->parts = area_resize (file->parts, file->part_count, sizeof *file->parts);
    self->points = area_settle (file->points, file->point_count, sizeof *file->points);
    self->part_count = file->part_count;
    self->point_count = file->point_count;
    file->parts = NULL;
    file->points = NULL;
    self->shapes = areashape_new (self->area_count);
    for (int i = 0; i < self->area_count; i++) {
        const areafile_area_t *from = &file->areas [i];
        if (from->by == BY_POLYGON && !from->broken)
            areashape_keep (self->shapes, i, &self->parts [from->part_first], from->part_count, self->points);
    }
}

static void s_make_index (areas_t *self, const areafile_t *file)
{
    areaindex_shape_t *shapes = area_zeroed ((size_t)self->area_count, sizeof *shapes);
    for (int i = 0; i < self->area_count; i++) {
        const area_t *area = &self->areas [self->ranked [i]];
        const areafile_area_t *from = &file->areas [self->ranked [i]];
        shapes [i] = (areaindex_shape_t){ .polygon = area->by == BY_POLYGON,
            .reach_m = area->reach_m,
            .kinds = area->kinds,
            .from_ms = area->from_ms,
            .until_ms = area->until_ms,
            .parts = &self->parts [from->part_first],
            .part_count = from->part_count };
    }
    self->index = areaindex_new (shapes, self->area_count, self->points);
    free (shapes);
}

//  ---------------------------------------------------------------------------------------------
//  Kinds

static uint32_t s_kind_hash (const char *kind)
{
    uint32_t hash = 2166136261u;
    for (; *kind; kind++)
        hash = (hash ^ (unsigned char)*kind) * 16777619u;
    return hash;
}

static void s_make_kinds (areas_t *self, const areafile_t *file)
{
    memcpy (self->kinds, file->kinds, sizeof self->kinds);
    for (int bit = 0; bit < file->kind_count; bit++) {
        uint32_t slot = s_kind_hash (self->kinds [bit]);
        while (self->kind_slots [slot % KIND_SLOTS])
            slot++;
        self->kind_slots [slot % KIND_SLOTS] = (uint8_t)(bit + 1);
    }
}

uint64_t areas_kind_bit (const areas_t *self, const char *kind)
{
    uint32_t slot = s_kind_hash (kind);
    for (; self->kind_slots [slot % KIND_SLOTS]; slot++) {
        int bit = self->kind_slots [slot % KIND_SLOTS] - 1;
        if (strcmp (self->kinds [bit], kind) == 0)
            return (uint64_t)1 << bit;
    }
    return AREA_UNNAMED;
}

//  ---------------------------------------------------------------------------------------------
//  Constructor, destructor, accessors

//  With faults only what is needed to compare the shapes.
static void s_build (areas_t *self, areafile_t *file, datum_t datum, bool whole)
{
    if (datum != DATUM_WGS84)
        for (size_t i = 0; i < file->point_count; i++)
            file->points [i] = datum_to_wgs84 (file->points [i], datum);
    s_make_kinds (self, file);
    s_make_areas (self, file);
    s_keep_shapes (self, file);
    if (whole) {
        s_rank_areas (self);
        s_make_index (self, file);
    }
}

typedef struct {
    bool deep;
    bool through; //  compare shapes also after a fatal fault
    areas_fault_fn *fault;
    areas_progress_fn *progress;
    void *context;
} s_load_t;

static areas_t *s_load (const char *bytes, size_t size, datum_t datum, uint64_t version, const s_load_t *how)
{
    areas_t *self = area_zeroed (1, sizeof *self);
    self->version = version;
    areafaults_t *faults = areafaults_new ();
    areafile_t *file = areafile_read (bytes, size, faults);
    s_make_stations (self, file);
    s_set_parents (self, file, faults);
    s_check_ids (file, faults);
    s_look_at_derived (file, faults);
    areamend (file, faults, how->progress, how->context);
    bool good = areafaults_fatal_count (faults) == 0;
    if (good || (how->through && file->area_count))
        s_build (self, file, datum, good);
    if (how->deep && (good || how->through) && self->shapes)
        areacheck_deep (self, faults, how->progress, how->context);
    if (!good)
        areas_destroy (&self);
    areafaults_tell (faults, how->fault, how->context);
    areafaults_destroy (&faults);
    areafile_destroy (&file);
    return self;
}

areas_t *areas_load (
    const char *bytes, size_t size, datum_t datum, uint64_t version, bool deep, areas_fault_fn *fault, void *context)
{
    if (bytes)
        return s_load (bytes, size, datum, version, &(s_load_t){ .deep = deep, .fault = fault, .context = context });
    areas_t *self = area_zeroed (1, sizeof *self);
    self->version = version;
    s_make_stations (self, NULL);
    return self;
}

areas_t *areas_check (
    const char *bytes, size_t size, datum_t datum, areas_fault_fn *fault, areas_progress_fn *progress, void *context)
{
    return s_load (bytes, size, datum, 1,
        &(s_load_t){ .deep = true, .through = true, .fault = fault, .progress = progress, .context = context });
}

void areas_destroy (areas_t **self_p)
{
    assert (self_p);
    areas_t *self = *self_p;
    if (!self)
        return;
    areaindex_destroy (&self->index);
    areashape_destroy (&self->shapes);
    free (self->parts);
    free (self->points);
    free (self->ranked);
    free (self->areas_by_id);
    free (self->areas);
    free (self->stations_by_id);
    free (self->station_kinds);
    free (self->stations);
    free (self);
    *self_p = NULL;
}

int areas_station_count (const areas_t *self)
{
    return self->station_count;
}

const station_t *areas_station (const areas_t *self, int index)
{
    assert (index >= 0 && index < self->station_count);
    return &self->stations [index];
}

int areas_find_station (const areas_t *self, const char *id, size_t size)
{
    return size > 0 && size <= STATION_MAX && !memchr (id, 0, size) ? s_search_station (self, id, size) : -1;
}

int areas_count (const areas_t *self)
{
    return self->area_count;
}

uint64_t areas_version (const areas_t *self)
{
    return self->version;
}

size_t areas_memory (const areas_t *self)
{
    size_t size = sizeof *self + (size_t)self->station_count * (sizeof (station_t) + sizeof (uint64_t) + sizeof (int))
        + (size_t)self->area_count * (sizeof (area_t) + 2 * sizeof (int));
    size += self->part_count * sizeof *self->parts + self->point_count * sizeof *self->points;
    return size + (self->shapes ? areashape_memory (self->shapes) : 0) + (self->index ? areaindex_memory (self->index) : 0);
}

const char *areas_area_id (const areas_t *self, int area)
{
    assert (area >= 0 && area < self->area_count);
    return self->areas [area].id;
}

const char *areas_area_name (const areas_t *self, int area)
{
    assert (area >= 0 && area < self->area_count);
    return self->areas [area].name;
}

int areas_area_level (const areas_t *self, int area)
{
    assert (area >= 0 && area < self->area_count);
    return self->areas [area].level;
}

int areas_area_station (const areas_t *self, int area)
{
    assert (area >= 0 && area < self->area_count);
    return self->areas [area].station;
}

bool areas_area_derived (const areas_t *self, int area)
{
    assert (area >= 0 && area < self->area_count);
    return self->areas [area].derived;
}

int areas_find_area (const areas_t *self, const char *id)
{
    int low = 0, high = self->area_count - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp (id, self->areas [self->areas_by_id [middle]].id);
        if (order == 0)
            return self->areas_by_id [middle];
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}
