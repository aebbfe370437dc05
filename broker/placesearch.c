//  places_find: a text read as names of places
//
//  Three steps. Spans: every stretch of the text that is the spelling of some place. Readings: a place by its span, with the
//  spans that name what it lies in; those that explain the most characters stay. Weights: among these, who asks and from where.

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "areamem.h"
#include "places_private.h"
#include "utf8.h"

#define SPAN_BYTES 64 //  the longest name looked for inside a text
#define SPANS_MAX 256
#define TOGETHER_BYTES 48 //  of a text whose words may be written together
#define CANDIDATES_MAX 16384
#define PARTS_MAX 1024     //  names that contain a text
#define PARTS_TRIED 8192   //  names that have all its pieces, not always in its order
#define TEXT_MIN 0.4       //  confidence that a name without a doubt is left with, however long the text around it
#define ADDED_WORTH 0.8    //  of a suffix in the text that the name has not
#define PART_WORTH 0.6     //  of a name that contains the text
#define TIER 0.8           //  spellings worse than this times the best are not meant
#define PART_LEAST 0.9     //  of PART_WORTH, for a part that is next to nothing of its name
#define NEAR_HALF_M 5000.0 //  the pull of `near` is a half here, a tenth at three times as far
#define HOME_PULL 0.4      //  of the home area, where 1 is to be at `near`
#define FLOOR 0.1          //  shared by all candidates: people do speak of places far away
#define SAME_M 500.0       //  two rows this close are one place
#define DOUBT 0.55         //  share of the weight that the first needs

typedef struct {
    uint16_t from, to; //  bytes of the key
    uint16_t length;   //  in characters
    float worth;
    const placekey_t *first; //  rows spelled so
} s_span_t;

//  A place that a span may name and that others may lie in.
typedef struct {
    uint32_t row;
    uint16_t span;
} s_mention_t;

typedef struct {
    uint32_t row;
    float worth;  //  of the spelling
    float weight; //  after the bias
    float distance_m;
    bool at_home;
} s_candidate_t;

typedef struct {
    const places_t *places;
    char key [PLACENAME_ROOM];
    bool starts [PLACENAME_ROOM];
    size_t size;
    int length;
    s_span_t spans [SPANS_MAX];
    int span_count;
    s_mention_t *mentions; //  by row
    size_t mention_count, mention_room;
    s_candidate_t *list;
    size_t count, room;
    int covered; //  characters explained by every one in the list
    int parts;   //  how many of them were found inside longer names
} s_search_t;

//  ---- spans

static bool s_may_cut (const s_search_t *search, size_t at)
{
    return at >= search->size || search->starts [at];
}

static void s_add_span (s_search_t *search, size_t from, size_t to, int length, const placekey_t *first, double worth)
{
    if (first && search->span_count < SPANS_MAX)
        search->spans [search->span_count++]
            = (s_span_t){ (uint16_t)from, (uint16_t)to, (uint16_t)length, (float)worth, first };
}

static void s_spans_from (s_search_t *search, size_t from)
{
    uint64_t hash = PLACENAME_HASH;
    size_t most = search->size - from < SPAN_BYTES ? search->size : from + SPAN_BYTES;
    int length = 0;
    bool whole = from == 0, han = false;
    for (size_t at = from; at < most; at++) {
        hash = placename_hash_more (hash, search->key [at]);
        if (((unsigned char)search->key [at] & 0xC0) != 0x80)
            length++;
        han |= ((unsigned char)search->key [at] & 0x80) != 0;
        size_t to = at + 1;
        bool enough = length >= (han ? 2 : 3) || (whole && to == search->size);
        if (!enough || !s_may_cut (search, to) || (to < search->size && ((unsigned char)search->key [to] & 0xC0) == 0x80))
            continue;
        s_add_span (search, from, to, length, placespell_first (search->places, hash), 1);
        size_t stem = placename_stem (search->key + from, to - from);
        if (stem < to - from)
            s_add_span (search, from, to, length,
                placespell_first (search->places, placename_hash (search->key + from, stem)), ADDED_WORTH);
    }
}

static int s_by_row (const void *left, const void *right)
{
    const s_mention_t *a = left, *b = right;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->span < b->span ? -1 : a->span > b->span;
}

static const placekey_t *s_end (const s_search_t *search)
{
    return search->places->keys + search->places->key_count;
}

static void s_find_spans (s_search_t *search)
{
    for (size_t from = 0; from < search->size; from++)
        if (search->starts [from])
            s_spans_from (search, from);
    if (search->span_count < 2)
        return;
    for (int i = 0; i < search->span_count; i++) {
        const placekey_t *first = search->spans [i].first;
        for (const placekey_t *at = first; at < s_end (search) && at->hash == first->hash; at++)
            if (search->places->rows [at->row].has_children && search->mention_count < CANDIDATES_MAX) {
                search->mentions
                    = area_grow (search->mentions, search->mention_count, &search->mention_room, sizeof *search->mentions);
                search->mentions [search->mention_count++] = (s_mention_t){ at->row, (uint16_t)i };
            }
    }
    if (search->mention_count)
        qsort (search->mentions, search->mention_count, sizeof *search->mentions, s_by_row);
}

//  ---- readings

static bool s_free (const s_span_t *const *used, int count, const s_span_t *span)
{
    for (int i = 0; i < count; i++)
        if (span->from < used [i]->to && used [i]->from < span->to)
            return false;
    return true;
}

//  The longest span that names the row and overlaps with none of those used.
static const s_span_t *s_mentioned (const s_search_t *search, uint32_t row, const s_span_t *const *used, int count)
{
    size_t low = 0, high = search->mention_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (search->mentions [middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    const s_span_t *best = NULL;
    for (; low < search->mention_count && search->mentions [low].row == row; low++) {
        const s_span_t *span = &search->spans [search->mentions [low].span];
        if ((!best || span->length > best->length) && s_free (used, count, span))
            best = span;
    }
    return best;
}

//  Characters of the text that the row explains: its own span and what names the places it lies in. *worth: of all these spans.
static int s_explained (const s_search_t *search, uint32_t row, const s_span_t *own, double *worth)
{
    const s_span_t *used [PLACES_DEPTH + 1] = { own };
    int count = 1, covered = own->length;
    *worth = own->worth;
    int32_t above = search->places->rows [row].parent;
    for (int level = 0; search->mention_count && above >= 0 && level < PLACES_DEPTH; level++) {
        const s_span_t *span = s_mentioned (search, (uint32_t)above, used, count);
        if (span) {
            used [count++] = span;
            covered += span->length;
            *worth *= span->worth;
        }
        above = search->places->rows [above].parent;
    }
    return covered;
}

static void s_add_reading (s_search_t *search, uint32_t row, double worth, int covered)
{
    if (covered > search->covered) {
        search->covered = covered;
        search->count = 0;
    }
    if (covered < search->covered || search->count == CANDIDATES_MAX)
        return;
    search->list = area_grow (search->list, search->count, &search->room, sizeof *search->list);
    search->list [search->count++] = (s_candidate_t){ .row = row, .worth = (float)worth };
}

static void s_read_spans (s_search_t *search)
{
    for (int i = 0; i < search->span_count; i++) {
        const s_span_t *span = &search->spans [i];
        for (const placekey_t *at = span->first; at < s_end (search) && at->hash == span->first->hash; at++) {
            double worth;
            int covered = s_explained (search, at->row, span, &worth);
            s_add_reading (search, at->row, worth * at->worth, covered);
        }
    }
}

//  ---- names that contain the text

typedef struct {
    const char *part;
    size_t size;
    double best; //  share of the name that the part is
} s_contains_t;

static void s_contains (void *context, const char *spelling, size_t size, bool alias)
{
    (void)alias;
    s_contains_t *contains = context;
    char key [PLACENAME_ROOM];
    size_t length = placename_key (spelling, size, key);
    if (length && memmem (key, length, contains->part, contains->size))
        contains->best = fmax (contains->best, (double)contains->size / (double)length);
}

//  Rows with a name that has key [from..to) in it, under one of the areas named before `from` unless that is 0.
static void s_read_part (s_search_t *search, size_t from, size_t to)
{
    uint32_t rows [PARTS_TRIED];
    const char *part = search->key + from;
    if (placename_length (part, to - from) < (placename_is_han (part) ? 2 : 3))
        return;
    size_t count = placegrams_find (search->places->grams, part, to - from, rows, PARTS_TRIED);
    s_span_t own = { (uint16_t)from, (uint16_t)search->size, (uint16_t)placename_length (part, search->size - from),
        PART_WORTH, NULL };
    for (size_t i = 0; i < count && search->parts < PARTS_MAX; i++) {
        s_contains_t contains = { part, to - from, 0 };
        double worth;
        int covered = s_explained (search, rows [i], &own, &worth);
        //  a name that merely contains the text must explain more than any whole name does
        if (covered < search->covered + (search->parts ? 0 : 1) || (from && covered == own.length))
            continue;
        placespell_each (search->places, rows [i], s_contains, &contains);
        if (contains.best <= 0)
            continue;
        search->parts++;
        s_add_reading (search, rows [i], worth * (PART_LEAST + (1 - PART_LEAST) * contains.best), covered);
    }
}

static void s_read_parts (s_search_t *search)
{
    bool tried [PLACENAME_ROOM] = { true };
    for (int i = -1; i < search->span_count; i++) {
        size_t from = i < 0 ? 0 : search->spans [i].to;
        if (from >= search->size || (i >= 0 && tried [from]))
            continue;
        tried [from] = true;
        size_t stem = placename_stem (search->key + from, search->size - from);
        s_read_part (search, from, search->size);
        if (!search->parts && from + stem < search->size)
            s_read_part (search, from, from + stem);
    }
}

//  ---- weights

static int s_by_row_and_worth (const void *left, const void *right)
{
    const s_candidate_t *a = left, *b = right;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->worth < b->worth) - (a->worth > b->worth);
}

//  Each row once, by its best spelling; without those spelled much worse than the best.
static void s_settle (s_search_t *search)
{
    if (search->count == 0)
        return;
    qsort (search->list, search->count, sizeof *search->list, s_by_row_and_worth);
    double best = 0;
    for (size_t i = 0; i < search->count; i++)
        best = fmax (best, search->list [i].worth);
    size_t kept = 0;
    for (size_t i = 0; i < search->count; i++) {
        bool again = kept && search->list [kept - 1].row == search->list [i].row;
        if (!again && search->list [i].worth >= TIER * best)
            search->list [kept++] = search->list [i];
    }
    search->count = kept;
}

//  Is `row` the place `above` or under it?
static bool s_under (const places_t *places, int64_t row, int64_t above)
{
    for (int level = 0; row >= 0 && level <= PLACES_DEPTH; level++) {
        if (row == above)
            return true;
        row = places->rows [row].parent;
    }
    return false;
}

static int64_t s_only_row (const places_t *places, const char *text);

static void s_weigh (s_search_t *search, const places_bias_t *bias)
{
    const position_t *near = bias && bias->near && position_valid (*bias->near) ? bias->near : NULL;
    int64_t unit = bias && bias->unit && *bias->unit ? s_only_row (search->places, bias->unit) : -1;
    for (size_t i = 0; i < search->count; i++) {
        s_candidate_t *candidate = &search->list [i];
        const placerow_t *row = &search->places->rows [candidate->row];
        double pull = 0;
        if (near && row->has_position) {
            candidate->distance_m = (float)distance_m (*near, row->position);
            double far = candidate->distance_m / NEAR_HALF_M;
            pull = 1 / (1 + far * far);
        }
        candidate->at_home = (unit >= 0 && s_under (search->places, candidate->row, unit))
            || (bias && bias->at_home && row->has_position && bias->at_home (bias->context, row->position));
        if (candidate->at_home)
            pull = fmax (pull, HOME_PULL);
        candidate->weight
            = (float)(candidate->worth * (row->has_position ? 1 : 0.5) * (FLOOR / (double)search->count + pull));
    }
}

static int s_by_weight (const void *left, const void *right, void *context)
{
    const s_candidate_t *a = left, *b = right;
    const places_t *places = context;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    int depth = places->rows [a->row].depth - places->rows [b->row].depth; //  the town before its village of the same name
    return depth ? depth : a->row < b->row ? -1 : a->row > b->row;
}

//  One place under two rows, or one within the other: naming either means the same.
static bool s_together (const places_t *places, uint32_t a, uint32_t b)
{
    const placerow_t *first = &places->rows [a], *second = &places->rows [b];
    if (s_under (places, a, b) || s_under (places, b, a))
        return true;
    if (!first->has_position || !second->has_position || first->derived || second->derived)
        return false;
    return distance_m (first->position, second->position) <= SAME_M;
}

//  ---- the whole

//  One word that may be several written together (xunyangshuhe): only if all of it is names.
static void s_read_together (s_search_t *search)
{
    bool starts [PLACENAME_ROOM];
    for (size_t at = 1; at < search->size; at++)
        if (search->starts [at])
            return;
    memcpy (starts, search->starts, sizeof starts);
    for (size_t at = 1; at < search->size; at++)
        search->starts [at] = ((unsigned char)search->key [at] & 0xC0) != 0x80;
    s_find_spans (search);
    s_read_spans (search);
    if (search->covered < search->length) {
        search->count = 0;
        search->covered = search->span_count = 0;
        search->mention_count = 0;
    }
    memcpy (search->starts, starts, sizeof starts);
}

static void s_read (s_search_t *search, const char *text)
{
    size_t size = strlen (text);
    if (search->places->key_count == 0 || utf8_check ((const uint8_t *)text, size, PLACE_MAX, true) != UTF8_OK)
        return;
    search->size = placename_key_words (text, size, search->key, search->starts);
    search->length = (int)placename_length (search->key, search->size);
    s_find_spans (search);
    s_read_spans (search);
    if (!search->count && search->size <= TOGETHER_BYTES)
        s_read_together (search);
    if (search->covered < search->length)
        s_read_parts (search);
    s_settle (search);
}

static void s_end_search (s_search_t *search)
{
    free (search->mentions);
    free (search->list);
}

//  The row that the whole text names, if it is only one, or one and what lies in it.
static int64_t s_only_row (const places_t *places, const char *text)
{
    s_search_t search = { .places = places };
    s_read (&search, text);
    int64_t row = -1;
    if (search.count && search.covered == search.length && !search.parts) {
        s_weigh (&search, NULL);
        qsort_r (search.list, search.count, sizeof *search.list, s_by_weight, (void *)places);
        row = search.list [0].row;
        for (size_t i = 1; i < search.count; i++)
            if (!s_together (places, (uint32_t)search.list [0].row, search.list [i].row))
                row = -1;
    }
    s_end_search (&search);
    return row;
}

static double s_text_confidence (const s_search_t *search, const s_candidate_t *candidate)
{
    double covered = search->length ? (double)search->covered / search->length : 0;
    return candidate->worth * (TEXT_MIN + (1 - TEXT_MIN) * covered);
}

int places_find (
    const places_t *self, const char *text, const places_bias_t *bias, place_t *out, int room, places_answer_t *answer)
{
    assert (self && text && answer);
    *answer = (places_answer_t){ 0 };
    s_search_t search = { .places = self };
    s_read (&search, text);
    s_weigh (&search, bias);
    if (search.count)
        qsort_r (search.list, search.count, sizeof *search.list, s_by_weight, (void *)self);
    double all = 0, first = 0;
    for (size_t i = 0; i < search.count; i++) {
        all += search.list [i].weight;
        if (s_together (self, search.list [0].row, search.list [i].row))
            first += search.list [i].weight;
    }
    answer->total = (int)search.count;
    answer->ambiguous = search.count && first < DOUBT * all;
    int count = answer->total < room ? answer->total : room;
    for (int i = 0; i < count; i++) {
        const s_candidate_t *candidate = &search.list [i];
        double share = (i ? candidate->weight : first) / all;
        places_fill (self, candidate->row, candidate->distance_m, s_text_confidence (&search, candidate) * share, &out [i]);
        out [i].at_home = candidate->at_home;
    }
    s_end_search (&search);
    return count;
}

bool places_named (const places_t *self, const char *text, place_t *out)
{
    assert (self && text && out);
    int64_t row = s_only_row (self, text);
    if (row >= 0)
        places_fill (self, (uint32_t)row, 0, 1, out);
    return row >= 0;
}
