//  What is valid and still looks wrong: polygons of one level that overlap, and gaps between them

#include <math.h>
#include <string.h>
#include "areamem.h"
#include "areastate.h"

#define TOLERANCE_M2 100.0 //  smaller overlaps and gaps come from drawing, not from a wrong border

typedef struct {
    areas_t *areas;
    areafaults_t *faults;
    areas_progress_fn *progress; //  may be NULL
    void *progress_context;
} s_check_t;

static const char *s_station (const areas_t *self, int area)
{
    return self->stations [self->areas [area].station].id;
}

static void s_format_size (char *out, size_t room, double size_m2)
{
    if (size_m2 < 1e6)
        snprintf (out, room, "%.0f m2", size_m2);
    else
        snprintf (out, room, "%.2f km2", size_m2 / 1e6);
}

//  Could both be asked for the same tip? One inside the other is no fault between levels.
static bool s_compete (const area_t *a, const area_t *b)
{
    return a->level == b->level && (a->kinds & b->kinds) && a->from_ms < b->until_ms && b->from_ms < a->until_ms;
}

static void s_on_pair (void *context, int first, int second)
{
    s_check_t *check = context;
    areas_t *areas = check->areas;
    if (check->progress)
        check->progress (check->progress_context, areas->area_count + first, 2 * areas->area_count);
    const area_t *a = &areas->areas [first], *b = &areas->areas [second];
    if (!s_compete (a, b))
        return;
    position_t where = { NAN, NAN };
    double size = areashape_overlap (areas->shapes, first, second, &where);
    char words [32];
    s_format_size (words, sizeof words, size);
    if (size < 0)
        areafaults_warn (check->faults, a->feature, s_station (areas, first), "could not be compared with feature %d (%s)",
            b->feature, b->label);
    else if (size > TOLERANCE_M2)
        areafaults_warn (check->faults, a->feature, s_station (areas, first),
            "%s overlaps feature %d (%s%s%s) by %s, at %.6f,%.6f; the smaller area wins there", a->label, b->feature,
            b->label, s_station (areas, second) [0] ? ", station " : "", s_station (areas, second), words, where.lat,
            where.lon);
}

static void s_on_gap (void *context, double size_m2, position_t where, int beside, int beside_too)
{
    s_check_t *check = context;
    areas_t *areas = check->areas;
    if (size_m2 <= TOLERANCE_M2 || beside < 0)
        return;
    if (beside_too >= 0 && beside_too < beside) {
        int swap = beside;
        beside = beside_too;
        beside_too = swap;
    }
    char words [32];
    s_format_size (words, sizeof words, size_m2);
    const area_t *a = &areas->areas [beside];
    if (beside_too < 0)
        areafaults_warn (check->faults, a->feature, s_station (areas, beside),
            "%s has a hole of %s at %.6f,%.6f that no area of level %d fills", a->label, words, where.lat, where.lon,
            a->level);
    else
        areafaults_warn (check->faults, a->feature, s_station (areas, beside),
            "gap of %s at %.6f,%.6f in level %d, between %s and feature %d (%s)", words, where.lat, where.lon, a->level,
            a->label, areas->areas [beside_too].feature, areas->areas [beside_too].label);
}

//  Polygons of one level that take the same kinds should tile the ground.
static void s_check_gaps (s_check_t *check, int level, uint64_t kinds)
{
    areas_t *areas = check->areas;
    int *list = area_zeroed ((size_t)areas->area_count, sizeof *list);
    int count = 0;
    for (int i = 0; i < areas->area_count; i++)
        if (areas->areas [i].by == BY_POLYGON && areas->areas [i].level == level && areas->areas [i].kinds == kinds)
            list [count++] = i;
    if (count && areashape_gaps (areas->shapes, list, count, s_on_gap, check) != 0)
        areafaults_warn (check->faults, -1, NULL, "gaps of level %d could not be looked for", level);
    free (list);
}

static bool s_seen_before (const areas_t *areas, int area)
{
    for (int i = 0; i < area; i++)
        if (areas->areas [i].by == BY_POLYGON && areas->areas [i].level == areas->areas [area].level
            && areas->areas [i].kinds == areas->areas [area].kinds)
            return true;
    return false;
}

void areacheck_deep (areas_t *self, areafaults_t *faults, areas_progress_fn *progress, void *context)
{
    s_check_t check = { .areas = self, .faults = faults, .progress = progress, .progress_context = context };
    areashape_raise (self->shapes);
    areashape_pairs (self->shapes, s_on_pair, &check);
    for (int i = 0; i < self->area_count; i++)
        if (self->areas [i].by == BY_POLYGON && !s_seen_before (self, i))
            s_check_gaps (&check, self->areas [i].level, self->areas [i].kinds);
    areashape_lower (self->shapes);
}
