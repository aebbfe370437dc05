//  For a person who asks why: every candidate at a point, and why it won or lost

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "areamem.h"
#include "areastate.h"
#include "timefmt.h"

typedef struct {
    areaindex_hit_t hit;
    const area_t *area;
    int number; //  index of the area
} s_candidate_t;

static int s_by_claim (const void *left, const void *right)
{
    const areaindex_hit_t *a = &((const s_candidate_t *)left)->hit, *b = &((const s_candidate_t *)right)->hit;
    if (a->inside != b->inside)
        return a->inside ? -1 : 1;
    if (!a->inside && a->border_m != b->border_m)
        return a->border_m < b->border_m ? -1 : 1;
    return a->shape - b->shape;
}

static bool s_gets_copy (const areas_choice_t *choice, int station)
{
    for (int i = 0; i < choice->copy_count; i++)
        if (choice->copies [i] == station)
            return true;
    return false;
}

static const char *s_lost_by (const area_t *area, const area_t *winner)
{
    if (area->by != winner->by)
        return winner->by == BY_CHECKPOINT ? "a checkpoint wins over it" : "a line wins over it";
    if (area->level != winner->level)
        return "the owner's level is lower";
    if (fabs (area->size_m2 - winner->size_m2) > 1e-6 * area->size_m2)
        return "the owner's area is smaller";
    return "as large as the owner's area, which the file names first";
}

static bool s_say_excluded (const area_t *area, uint64_t bit, const char *kind, int64_t when_ms, char *why, size_t room)
{
    char date [32];
    if (!(area->kinds & bit))
        snprintf (why, room, "does not take %.*s", AREA_KIND_MAX, kind);
    else if (when_ms < area->from_ms) {
        time_format_utc (date, area->from_ms);
        snprintf (why, room, "not yet in force; from %s", date);
    } else if (when_ms >= area->until_ms) {
        time_format_utc (date, area->until_ms);
        snprintf (why, room, "no longer in force; until %s", date);
    } else
        return false;
    return true;
}

static void s_say_lost (
    const areas_t *self, const s_candidate_t *candidate, const areas_choice_t *choice, char *why, size_t room)
{
    const char *copy = s_gets_copy (choice, candidate->area->station) ? "; its station gets a copy" : "";
    const char *own = candidate->area->station == choice->station ? "; its station is the owner" : "";
    if (!candidate->hit.inside)
        snprintf (why, room, "%.0f m away%s%s", candidate->hit.border_m, copy, own);
    else if (choice->area >= 0)
        snprintf (why, room, "%s%s%s", s_lost_by (candidate->area, &self->areas [choice->area]), copy, own);
    else
        snprintf (why, room, "covers the point");
}

void areas_explain (const areas_t *self, position_t position, const char *kind, int64_t when_ms, double accuracy_m,
    areas_choice_t *out, areas_candidate_fn *candidate, void *context)
{
    areas_choose (self, position, kind, when_ms, accuracy_m, out);
    if (self->area_count == 0 || !position_valid (position) || !candidate)
        return;

    //  in a gap the search went farther, so the answer shows what it met there
    bool covered = out->by == BY_CHECKPOINT || out->by == BY_LINE || out->by == BY_POLYGON;
    double radius_m = covered ? areas_copy_radius (accuracy_m) : AREA_NEAREST_M;
    int room = self->area_count;
    areaindex_hit_t *hits = area_zeroed ((size_t)room, sizeof *hits);
    areaindex_filter_t every = { .every = true };
    int count = areas_hits (self, position, radius_m, &every, hits, room);
    s_candidate_t *list = area_zeroed ((size_t)count, sizeof *list);
    for (int i = 0; i < count; i++) {
        int number = self->ranked [hits [i].shape];
        list [i] = (s_candidate_t){ hits [i], &self->areas [number], number };
    }
    qsort (list, (size_t)count, sizeof *list, s_by_claim);
    uint64_t bit = areas_kind_bit (self, kind);
    for (int i = 0; i < count; i++) {
        char why [160];
        bool chosen = list [i].number == out->area;
        if (chosen)
            snprintf (why, sizeof why, "%s", out->why);
        else if (!s_say_excluded (list [i].area, bit, kind, when_ms, why, sizeof why))
            s_say_lost (self, &list [i], out, why, sizeof why);
        candidate (
            context, list [i].number, list [i].area->by, list [i].hit.inside ? 0 : list [i].hit.border_m, chosen, why);
    }
    free (list);
    free (hits);
}
