//  The decision for a point: owner, copies and the reason

#include <assert.h>
#include <math.h>
#include <string.h>
#include "areastate.h"

//  A line of text being put together: memcpy, since one is written for every tip.
typedef struct {
    char *out;
    size_t room, size;
} s_line_t;

static void s_say (s_line_t *line, const char *words, size_t size)
{
    size_t left = line->room - 1 - line->size;
    if (size > left) {
        for (size = left; size > 0 && ((unsigned char)words [size] & 0xC0) == 0x80;)
            size--;
        line->room = line->size + size + 1; //  nothing may follow what was cut
    }
    memcpy (line->out + line->size, words, size);
    line->size += size;
    line->out [line->size] = 0;
}

#define SAY(line, words) s_say (line, words, sizeof words - 1)

static void s_say_metres (s_line_t *line, double metres)
{
    char digits [24], *at = digits + sizeof digits;
    uint64_t whole = (uint64_t)(metres + 0.5);
    do {
        *--at = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole);
    s_say (line, at, (size_t)(digits + sizeof digits - at));
    SAY (line, " m");
}

int areas_hits (const areas_t *self, position_t position, double radius_m, const areaindex_filter_t *filter,
    areaindex_hit_t *hits, int room)
{
    int count = areaindex_near (self->index, position, radius_m, filter, hits, room);
    for (int i = 0; i < count; i++)
        if (hits [i].touching) {
            int covers = areashape_covers (self->shapes, self->ranked [hits [i].shape], position);
            if (covers >= 0)
                hits [i].inside = covers == 1;
        }
    return count;
}

bool areas_outranks (const area_t *a, const area_t *b)
{
    return a->by != b->by ? a->by < b->by : a->level < b->level;
}

double areas_copy_radius (double accuracy_m)
{
    double doubt = accuracy_m > 0 ? fmin (accuracy_m, AREA_DOUBT_M) : 0;
    return fmax (doubt, AREA_BORDER_M);
}

static const area_t *s_area (const areas_t *self, const areaindex_hit_t *hit)
{
    return &self->areas [self->ranked [hit->shape]];
}

//  On a border that areas of one class and level share, neither lies in the other, so size says nothing: the lowest id.
static int s_lowest_touching (const areas_t *self, const areaindex_hit_t *hits, int count, int best)
{
    const area_t *winner = s_area (self, &hits [best]);
    for (int i = 0; i < count; i++) {
        const area_t *area = s_area (self, &hits [i]);
        if (hits [i].inside && hits [i].touching && area < winner && !areas_outranks (winner, area)) {
            best = i;
            winner = area;
        }
    }
    return best;
}

//  The hit that comes first in precedence, of those inside; -1 if there is none.
static int s_best_inside (const areas_t *self, const areaindex_hit_t *hits, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (hits [i].inside && (best < 0 || hits [i].shape < hits [best].shape))
            best = i;
    return best >= 0 && hits [best].touching ? s_lowest_touching (self, hits, count, best) : best;
}

static int s_nearest (const areaindex_hit_t *hits, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (best < 0 || hits [i].border_m < hits [best].border_m
            || (hits [i].border_m == hits [best].border_m && hits [i].shape < hits [best].shape))
            best = i;
    return best;
}

//  How far away would this area be the owner? Its border; for one that covers the point and lost, where the winner
//  ends, but 0 if the two have equal claims.
static double s_takes_over_m (const areas_t *self, const areaindex_hit_t *hit, const areaindex_hit_t *winner)
{
    if (!hit->inside)
        return hit->border_m;
    if (!areas_outranks (s_area (self, winner), s_area (self, hit)))
        return 0;
    return winner->border_m;
}

//  Another, stronger area takes over no farther away: across the border the village is responsible, not its county.
static bool s_dominated (
    const areas_t *self, const areaindex_hit_t *hits, const double *from_m, int count, int owner, int which)
{
    for (int i = 0; i < count; i++)
        if (i != owner && i != which && from_m [i] <= from_m [which] + 1
            && areas_outranks (s_area (self, &hits [i]), s_area (self, &hits [which])))
            return true;
    return false;
}

static void s_add_copy (const areas_t *self, const areaindex_hit_t *hit, double from_m, double *copy_m, areas_choice_t *out)
{
    int station = s_area (self, hit)->station;
    if (station == out->station)
        return;
    int at = 0;
    for (; at < out->copy_count; at++)
        if (out->copies [at] == station) {
            if (copy_m [at] <= from_m)
                return;
            //  the same station, nearer: take it out, to be put in again before others
            for (int i = at; i + 1 < out->copy_count; i++) {
                out->copies [i] = out->copies [i + 1];
                copy_m [i] = copy_m [i + 1];
            }
            out->copy_count--;
            break;
        }
    for (at = out->copy_count; at > 0 && copy_m [at - 1] > from_m; at--)
        if (at < AREA_COPIES) {
            out->copies [at] = out->copies [at - 1];
            copy_m [at] = copy_m [at - 1];
        }
    if (at == AREA_COPIES)
        return;
    out->copies [at] = station;
    copy_m [at] = from_m;
    if (out->copy_count < AREA_COPIES)
        out->copy_count++;
}

static void s_choose_copies (
    const areas_t *self, const areaindex_hit_t *hits, int count, int owner, double radius_m, areas_choice_t *out)
{
    double from_m [AREAINDEX_HITS], copy_m [AREA_COPIES];
    for (int i = 0; i < count; i++)
        from_m [i] = s_takes_over_m (self, &hits [i], &hits [owner]);
    for (int i = 0; i < count; i++)
        if (i != owner && from_m [i] <= radius_m && !s_dominated (self, hits, from_m, count, owner, i))
            s_add_copy (self, &hits [i], from_m [i], copy_m, out);
}

static void s_say_inside (const areas_t *self, const areaindex_hit_t *hits, int count, int owner, s_line_t *line)
{
    const area_t *area = s_area (self, &hits [owner]);
    if (area->by == BY_POLYGON)
        SAY (line, "inside ");
    else
        SAY (line, "within reach of ");
    s_say (line, area->label, area->label_size);
    if (hits [owner].touching)
        SAY (line, ", on its edge");
    int second = -1;
    for (int i = 0; i < count; i++)
        if (i != owner && hits [i].inside && (second < 0 || hits [i].shape < hits [second].shape))
            second = i;
    if (second >= 0) {
        SAY (line, "; before ");
        s_say (line, s_area (self, &hits [second])->label, s_area (self, &hits [second])->label_size);
    }
}

static void s_say_none (const char *kind, s_line_t *line)
{
    SAY (line, "in no area that takes ");
    s_say (line, kind, strnlen (kind, AREA_KIND_MAX));
}

//  The station of an area at or near the point whatever it takes: whose parent is asked.
static int s_anchor (const areas_t *self, position_t position)
{
    areaindex_filter_t every = { .every = true };
    areaindex_hit_t hits [AREAINDEX_HITS];
    int count = areas_hits (self, position, 0, &every, hits, AREAINDEX_HITS);
    int best = s_best_inside (self, hits, count);
    if (best < 0) {
        count = areas_hits (self, position, AREA_ANCHOR_M, &every, hits, AREAINDEX_HITS);
        best = s_nearest (hits, count);
    }
    return best < 0 ? 0 : s_area (self, &hits [best])->station;
}

//  No area takes it and none is near: up the chain of parents, to one whose areas take the kind, at last `district`.
static void s_choose_parent (
    const areas_t *self, position_t position, const char *kind, uint64_t bit, areas_choice_t *out, s_line_t *line)
{
    int below = s_anchor (self, position);
    int station = below > 0 ? self->stations [below].parent : 0;
    while (station > 0 && !(self->station_kinds [station] & bit))
        station = self->stations [station].parent;
    out->station = station;
    out->by = station > 0 ? BY_PARENT : BY_DISTRICT;
    s_say_none (kind, line);
    SAY (line, " within ");
    s_say_metres (line, AREA_NEAREST_M);
    if (station > 0) {
        SAY (line, "; above station ");
        s_say (line, self->stations [below].id, strlen (self->stations [below].id));
    }
}

static void s_choose_gap (const areas_t *self, position_t position, const char *kind, const areaindex_filter_t *filter,
    double radius_m, areas_choice_t *out, s_line_t *line)
{
    areaindex_hit_t hits [AREAINDEX_HITS];
    int count = areas_hits (self, position, AREA_NEAREST_M, filter, hits, AREAINDEX_HITS);
    int nearest = s_nearest (hits, count);
    if (nearest < 0) {
        s_choose_parent (self, position, kind, filter->kinds, out, line);
        return;
    }
    const area_t *area = s_area (self, &hits [nearest]);
    out->station = area->station;
    out->area = self->ranked [hits [nearest].shape];
    out->by = BY_NEAREST;
    s_say_none (kind, line);
    SAY (line, "; nearest is ");
    s_say (line, area->label, area->label_size);
    SAY (line, ", ");
    s_say_metres (line, hits [nearest].border_m);
    SAY (line, " away");
    s_choose_copies (self, hits, count, nearest, radius_m, out);
}

int areas_at (const areas_t *self, position_t position, const char *kind, int64_t when_ms)
{
    assert (self && kind);
    if (self->area_count == 0 || !position_valid (position))
        return -1;
    areaindex_filter_t filter = { .kinds = areas_kind_bit (self, kind), .when_ms = when_ms };
    int first = areaindex_first (self->index, position, &filter);
    if (first != AREAINDEX_ASK)
        return first == AREAINDEX_NONE ? -1 : self->ranked [first];
    areaindex_hit_t hits [AREAINDEX_HITS];
    int count = areas_hits (self, position, 0, &filter, hits, AREAINDEX_HITS);
    int owner = s_best_inside (self, hits, count);
    return owner < 0 ? -1 : self->ranked [hits [owner].shape];
}

void areas_choose (
    const areas_t *self, position_t position, const char *kind, int64_t when_ms, double accuracy_m, areas_choice_t *out)
{
    assert (self && kind && out);
    out->station = 0;
    out->area = -1;
    out->by = BY_DISTRICT;
    out->copy_count = 0;
    s_line_t line = { .out = out->why, .room = sizeof out->why };
    if (self->area_count == 0) {
        SAY (&line, "no areas are loaded");
        return;
    }
    if (!position_valid (position)) {
        SAY (&line, "the position is not one on Earth");
        return;
    }
    areaindex_filter_t filter = { .kinds = areas_kind_bit (self, kind), .when_ms = when_ms };
    areaindex_hit_t hits [AREAINDEX_HITS];
    double radius_m = areas_copy_radius (accuracy_m);
    int count = areas_hits (self, position, radius_m, &filter, hits, AREAINDEX_HITS);
    int owner = s_best_inside (self, hits, count);
    if (owner < 0)
        s_choose_gap (self, position, kind, &filter, radius_m, out, &line);
    else {
        const area_t *area = s_area (self, &hits [owner]);
        out->station = area->station;
        out->area = self->ranked [hits [owner].shape];
        out->by = area->by;
        s_say_inside (self, hits, count, owner, &line);
        if (count > 1)
            s_choose_copies (self, hits, count, owner, radius_m, out);
    }
    if (out->copy_count) {
        SAY (&line, "; copies: border within ");
        s_say_metres (&line, radius_m);
    }
}

bool areas_covers (const areas_t *self, int area, position_t position)
{
    if (area < 0 || area >= self->area_count || !position_valid (position))
        return false;
    areaindex_filter_t filter = { .every = true, .only = self->areas [area].rank + 1 };
    areaindex_hit_t hit;
    return areas_hits (self, position, 0, &filter, &hit, 1) == 1 && hit.inside;
}
