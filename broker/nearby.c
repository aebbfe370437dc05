//  nearby - a grid over place and capture time, and the weighing

#include "nearby.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyed.h"
#include "rates.h"
#include "wording.h"

#define KEPT 4                   //  reports kept of an incident: further ones move nothing
#define METRES_PER_E7 0.0111195f //  of latitude
#define UNKNOWN_M 75.0f          //  accuracy taken for "not known" in the open
#define CAP_M 300.0f             //  errors beyond this widen the radius no further
#define SAME_POINT_M 1.0f
#define SAME_POINT_ERROR_M 300.0f
#define STRAYS 8
#define SURE 0.95 //  no less: a report beside its incident costs a look, one in the wrong incident may cost its answer

//  How many further reports an incident expects: after its first one, and per report that has joined.
#define MORE_AFTER_FIRST 0.035
#define MORE_PER_JOINED 1.0
#define JOINED_MOST 4
#define LAG_SHAPE 1.5     //  of a lone report
#define MORE_OF_FIXED 1.0 //  what stands broken is reported again
//  The rate of chance: what a quiet neighbourhood has, how much of all kinds there, how incidents come in clumps.
#define QUIET 0.5
#define OF_ALL 0.1
#define CLUMP 4.0
#define OTHER_KIND 0.2 //  a report of a kind that may mean the same

typedef struct {
    int32_t lat_e7, lon_e7;
    int64_t seen_ms;
    float error_m; //  scale of the density
    uint64_t sketch;
} report_t;

typedef struct {
    uint64_t incident; //  0 = free
    uint64_t cell;     //  key of the grid cell; 0 = in none
    uint64_t address;
    report_t reports [KEPT];
    uint32_t kind; //  number of the kind's id
    uint32_t next; //  of a free one: the next free one, index + 1
    uint32_t tips;
    float reach_m; //  what the errors of the first report add to the radius
    float lags_ms; //  how far the reports that joined lie from the middle of those before, in all
    uint8_t kept;
} entry_t;

//  An incident as its cell has it: enough to pass over it without touching the entry.
typedef struct {
    int32_t lat_e7, lon_e7;
    int64_t seen_ms;
    uint32_t index;
    float reach_m;
} spot_t;

//  One cell of the grid: a kind and a square.
typedef struct {
    uint64_t key;  //  0 = free
    spot_t *spots; //  in order of capture time
    uint32_t count, room;
} cell_t;

//  What a kind's `merge` comes to.
typedef struct {
    uint32_t kind;
    float radius_m, cell_m;
    float widest_m; //  reach of the least certain incident of the kind
    int64_t window_ms;
    scope_t scope;
    uint32_t with_count;
    uint8_t with [KINDS_WITH_MAX];
} rule_t;

typedef struct {
    uint64_t a, b; //  a < b; 0 = free
} pair_t;

//  Where an incident's entry is: the id stands here too, so that a search touches no entry but the one it finds.
typedef struct {
    uint64_t incident; //  0 = free
    uint32_t index;    //  + 1
} where_t;

struct nearby_t {
    rule_t rules [KINDS_MAX];
    wording_t wordings [KINDS_MAX]; //  by rule
    int rule_count;
    rates_t *rates;
    entry_t *entries;
    uint32_t room, used, count, free; //  free: index + 1 of the first free entry, chained by next
    where_t *ids;                     //  hash table
    uint32_t id_room;
    cell_t *cells;                 //  hash table
    uint32_t cell_room, cell_used; //  emptied cells keep their place until the table is made anew
    size_t spot_bytes;
    pair_t *apart;
    uint32_t apart_room, apart_used;
    //  of the last find: incidents of one tip that were near, and the rate of chance there
    uint32_t strays [STRAYS];
    uint32_t stray_count;
    double chance;
};

static uint32_t s_kind_number (const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return hash | 1;
}

static void *s_zeroed (size_t count, size_t size)
{
    void *memory = calloc (count, size);
    if (!memory)
        abort ();
    return memory;
}

//  ---- tables

static where_t *s_id_slot (const nearby_t *self, uint64_t incident)
{
    return keyed_slot (self->ids, sizeof *self->ids, self->id_room, incident, keyed_mix (incident));
}

static entry_t *s_entry (const nearby_t *self, uint64_t incident)
{
    uint32_t index = s_id_slot (self, incident)->index;
    return index ? &self->entries [index - 1] : NULL;
}

static cell_t *s_find_cell (const nearby_t *self, uint64_t key)
{
    return keyed_slot (self->cells, sizeof *self->cells, self->cell_room, key, key);
}

//  Twice as large when the living ones need it; empty cells go.
static void s_renew_cells (nearby_t *self)
{
    cell_t *old = self->cells;
    uint32_t room = self->cell_room, living = 0;
    for (uint32_t i = 0; i < room; i++)
        living += old [i].count > 0;
    while (living * 3 > self->cell_room)
        self->cell_room *= 2;
    self->cells = s_zeroed (self->cell_room, sizeof *self->cells);
    self->cell_used = living;
    for (uint32_t i = 0; i < room; i++)
        if (old [i].count)
            *s_find_cell (self, old [i].key) = old [i];
        else {
            self->spot_bytes -= old [i].room * sizeof (spot_t);
            free (old [i].spots);
        }
    free (old);
}

//  The first of the cell's spots that is not before a time.
static uint32_t s_since (const cell_t *cell, int64_t seen_ms)
{
    uint32_t low = 0, high = cell->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cell->spots [middle].seen_ms < seen_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void s_link (nearby_t *self, entry_t *entry)
{
    cell_t *cell = s_find_cell (self, entry->cell);
    if (!cell->key) {
        if ((self->cell_used + 1) * 2 > self->cell_room) {
            s_renew_cells (self);
            cell = s_find_cell (self, entry->cell);
        }
        cell->key = entry->cell;
        self->cell_used++;
    }
    if (cell->count == cell->room) {
        uint32_t room = cell->room ? cell->room * 2 : 1;
        self->spot_bytes += (room - cell->room) * sizeof *cell->spots;
        cell->spots = realloc (cell->spots, room * sizeof *cell->spots);
        if (!cell->spots)
            abort ();
        cell->room = room;
    }
    const report_t *first = &entry->reports [0];
    uint32_t at = s_since (cell, first->seen_ms);
    memmove (&cell->spots [at + 1], &cell->spots [at], (cell->count - at) * sizeof *cell->spots);
    cell->spots [at]
        = (spot_t){ first->lat_e7, first->lon_e7, first->seen_ms, (uint32_t)(entry - self->entries), entry->reach_m };
    cell->count++;
}

static void s_unlink (nearby_t *self, entry_t *entry)
{
    if (!entry->cell)
        return;
    cell_t *cell = s_find_cell (self, entry->cell);
    uint32_t index = (uint32_t)(entry - self->entries), at = 0;
    while (at < cell->count && cell->spots [at].index != index)
        at++;
    assert (at < cell->count);
    cell->count--;
    memmove (&cell->spots [at], &cell->spots [at + 1], (cell->count - at) * sizeof *cell->spots);
    entry->cell = 0;
}

static void s_grow_ids (nearby_t *self, uint32_t room)
{
    free (self->ids);
    self->ids = s_zeroed (room, sizeof *self->ids);
    self->id_room = room;
    for (uint32_t i = 0; i < self->used; i++)
        if (self->entries [i].incident)
            *s_id_slot (self, self->entries [i].incident) = (where_t){ self->entries [i].incident, i + 1 };
}

static entry_t *s_add_entry (nearby_t *self, uint64_t incident)
{
    if ((self->count + 1) * 2 > self->id_room)
        s_grow_ids (self, self->id_room * 2);
    uint32_t index = self->free;
    if (index)
        self->free = self->entries [index - 1].next;
    else {
        if (self->used == self->room) {
            self->room *= 2;
            self->entries = realloc (self->entries, self->room * sizeof *self->entries);
            if (!self->entries)
                abort ();
        }
        index = ++self->used;
    }
    self->count++;
    entry_t *entry = &self->entries [index - 1];
    memset (entry, 0, sizeof *entry);
    *s_id_slot (self, incident) = (where_t){ incident, index };
    entry->incident = incident;
    return entry;
}

//  ---- kinds

static const rule_t *s_rule (const nearby_t *self, uint32_t kind)
{
    for (int i = 0; i < self->rule_count; i++)
        if (self->rules [i].kind == kind)
            return self->rules [i].radius_m > 0 ? &self->rules [i] : NULL;
    return NULL;
}

//  By how much a position's error widens the radius: twice its accuracy in the open. What stands somewhere was pointed at, an unknown
//  accuracy is then none.
static float s_reach (const rule_t *rule, uint32_t accuracy_m)
{
    float accuracy = accuracy_m ? (float)accuracy_m : rule->scope == SCOPE_EVENT ? UNKNOWN_M : 0;
    if (rule->scope != SCOPE_EVENT)
        return accuracy > CAP_M ? CAP_M : accuracy;
    return 2 * (accuracy > CAP_M ? CAP_M : accuracy);
}

//  The scale of the density: two in three lie within the accuracy, which is 2 of it. A place's name covers the whole place: its middle is nearer than its edge.
static float s_error (const rule_t *rule, uint32_t accuracy_m, bool by_name)
{
    if (rule->scope != SCOPE_EVENT)
        return rule->radius_m / 2 > 1 ? rule->radius_m / 2 : 1;
    float accuracy = accuracy_m ? (float)accuracy_m : UNKNOWN_M;
    if (by_name)
        return accuracy * 0.3f;
    return accuracy < 10 ? 5 : accuracy / 2;
}

//  Rows are of equal height; the columns of a row are as wide as its middle makes them.
static int32_t s_row (const rule_t *rule, float north_m)
{
    return (int32_t)floorf (north_m / rule->cell_m);
}

static double s_row_metres (const rule_t *rule, int32_t row)
{
    return METRES_PER_E7 * cos ((row + 0.5) * rule->cell_m / METRES_PER_E7 * 1e-7 * M_PI / 180);
}

static uint64_t s_cell (const rule_t *rule, int32_t row, int32_t column)
{
    return keyed_mix ((uint64_t)(uint32_t)row << 32 ^ (uint64_t)rule->kind << 20 ^ (uint32_t)column) | 1;
}

static void s_place_entry (nearby_t *self, entry_t *entry)
{
    rule_t *rule = (rule_t *)s_rule (self, entry->kind);
    const report_t *first = &entry->reports [0];
    s_unlink (self, entry);
    if (!rule)
        return;
    rule->widest_m = entry->reach_m > rule->widest_m ? entry->reach_m : rule->widest_m;
    int32_t row = s_row (rule, (float)first->lat_e7 * METRES_PER_E7);
    int32_t column = (int32_t)floor (first->lon_e7 * s_row_metres (rule, row) / rule->cell_m);
    entry->cell = s_cell (rule, row, column);
    s_link (self, entry);
}

void nearby_set_kinds (nearby_t *self, const kinds_t *kinds)
{
    for (uint32_t i = 0; i < self->used; i++)
        if (self->entries [i].incident)
            s_unlink (self, &self->entries [i]);
    self->rule_count = kinds_count (kinds);
    for (int i = 0; i < self->rule_count; i++) {
        const kind_t *kind = kinds_get (kinds, i);
        rule_t *rule = &self->rules [i];
        *rule = (rule_t){ .kind = s_kind_number (kind->id),
            .radius_m = (float)kind->merge_radius_m,
            .window_ms = kind->merge_window_ms,
            .scope = kind->merge_scope,
            .with_count = kind->merge_with_count };
        memcpy (rule->with, kind->merge_with, sizeof rule->with);
        wording_init (&self->wordings [i]);
        //  Twice as wide as reports of common accuracy reach: four cells are looked at for those, more for vague ones.
        rule->cell_m = 2 * (rule->radius_m + (kind->merge_scope == SCOPE_EVENT ? 4 * UNKNOWN_M : 50));
    }
    for (uint32_t i = 0; i < self->used; i++)
        if (self->entries [i].incident)
            s_place_entry (self, &self->entries [i]);
}

//  ---- life

nearby_t *nearby_new (const kinds_t *kinds)
{
    nearby_t *self = s_zeroed (1, sizeof *self);
    self->rates = rates_new ();
    self->room = 1024;
    self->entries = s_zeroed (self->room, sizeof *self->entries);
    self->apart_room = 64;
    self->apart = s_zeroed (self->apart_room, sizeof *self->apart);
    s_grow_ids (self, 2048);
    self->cell_room = 2048;
    self->cells = s_zeroed (self->cell_room, sizeof *self->cells);
    nearby_set_kinds (self, kinds);
    return self;
}

void nearby_destroy (nearby_t **self_p)
{
    nearby_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    rates_destroy (&self->rates);
    free (self->entries);
    free (self->ids);
    for (uint32_t i = 0; i < self->cell_room; i++)
        free (self->cells [i].spots);
    free (self->cells);
    free (self->apart);
    free (self);
}

//  ---- pairs that are not the same

static pair_t *s_pair (const nearby_t *self, uint64_t a, uint64_t b)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    uint32_t at = (uint32_t)keyed_mix (low ^ keyed_mix (high)) & (self->apart_room - 1);
    while (self->apart [at].a && (self->apart [at].a != low || self->apart [at].b != high))
        at = (at + 1) & (self->apart_room - 1);
    return &self->apart [at];
}

void nearby_set_apart (nearby_t *self, uint64_t a, uint64_t b, bool apart)
{
    pair_t *pair = s_pair (self, a, b);
    pair_t wanted = { a < b ? a : b, a < b ? b : a };
    if (apart == (pair->a != 0))
        return;
    if (apart && (self->apart_used + 1) * 2 <= self->apart_room) {
        *pair = wanted;
        self->apart_used++;
        return;
    }
    //  Rare: a table made anew, larger, or without the one.
    pair_t *old = self->apart;
    uint32_t room = self->apart_room;
    self->apart_room *= apart ? 2 : 1;
    self->apart = s_zeroed (self->apart_room, sizeof *self->apart);
    self->apart_used = 0;
    for (uint32_t i = 0; i < room; i++)
        if (old [i].a && &old [i] != (apart ? NULL : pair)) {
            *s_pair (self, old [i].a, old [i].b) = old [i];
            self->apart_used++;
        }
    free (old);
    if (apart) {
        *s_pair (self, a, b) = wanted;
        self->apart_used++;
    }
}

//  ---- weighing

static report_t s_report (const rule_t *rule, const nearby_tip_t *tip)
{
    return (report_t){ tip->lat_e7, tip->lon_e7, tip->seen_ms, s_error (rule, tip->accuracy_m, tip->by_name), tip->sketch };
}

//  Where and when of one report against another.
typedef struct {
    float metres2;
    double lag_ms;
} apart_t;

static apart_t s_between (const report_t *a, const report_t *b, float east_per_e7)
{
    float north = (float)(a->lat_e7 - (int64_t)b->lat_e7) * METRES_PER_E7;
    float east = (float)(a->lon_e7 - (int64_t)b->lon_e7) * east_per_e7;
    return (apart_t){ north * north + east * east, fabs ((double)(a->seen_ms - b->seen_ms)) };
}

static float s_east (int32_t lat_e7)
{
    return METRES_PER_E7 * cosf ((float)lat_e7 * 1e-7f * (float)M_PI / 180);
}

//  Density of two reports of one event in the plane, per square metre.
static double s_density (const rule_t *rule, const report_t *a, const report_t *b, float east_per_e7)
{
    float metres2 = s_between (a, b, east_per_e7).metres2, s2 = a->error_m * a->error_m + b->error_m * b->error_m;
    //  Two phones never agree to the metre: equal positions are those of a place, a post or an address, and say as little as one.
    if (rule->scope == SCOPE_EVENT && metres2 < SAME_POINT_M * SAME_POINT_M
        && s2 < 2 * SAME_POINT_ERROR_M * SAME_POINT_ERROR_M)
        s2 = 2 * SAME_POINT_ERROR_M * SAME_POINT_ERROR_M;
    double plane = 1 + metres2 / (2 * (double)s2);
    return 1 / (2 * M_PI * s2 * plane * plane);
}

//  The middle of the kept reports' capture times.
static int64_t s_middle_ms (const entry_t *entry)
{
    int64_t sum = 0;
    for (int i = 0; i < entry->kept; i++)
        sum += entry->reports [i].seen_ms - entry->reports [0].seen_ms;
    return entry->reports [0].seen_ms + sum / entry->kept;
}

//  Density of one more report of the incident in time, per millisecond. Some events are told by everybody with the minute, of others each says when he wrote: the
//  rate at which reports trail off has a gamma distribution, which those that have joined make narrower or wider.
static double s_density_in_time (const rule_t *rule, const entry_t *entry, int64_t seen_ms)
{
    if (rule->scope != SCOPE_EVENT) //  What stands broken stays so: any time within the window is as good.
        return 1 / (2 * (double)rule->window_ms);
    double shape = LAG_SHAPE + (entry->tips - 1), scale = (double)rule->window_ms / 20 + entry->lags_ms;
    return shape / scale / 2 * pow (1 + fabs ((double)(seen_ms - s_middle_ms (entry))) / scale, -shape - 1);
}

static double s_more (const rule_t *rule, uint32_t tips)
{
    if (rule->scope != SCOPE_EVENT)
        return MORE_OF_FIXED;
    return tips < 2 ? MORE_AFTER_FIRST : MORE_PER_JOINED * (tips - 1 < JOINED_MOST ? tips - 1 : JOINED_MOST);
}

static double s_weight (
    const nearby_t *self, const rule_t *rule, const entry_t *entry, const report_t *report, float east_per_e7)
{
    double sum = 0;
    const wording_t *wording = &self->wordings [rule - self->rules];
    for (int i = 0; i < entry->kept; i++)
        sum += s_density (rule, report, &entry->reports [i], east_per_e7)
            * wording_weight (wording, report->sketch, entry->reports [i].sketch);
    return s_more (rule, entry->tips) * s_density_in_time (rule, entry, report->seen_ms) * sum / entry->kept;
}

//  Incidents of the kind that chance brings, per square metre and millisecond.
static double s_chance (const nearby_t *self, const rule_t *rule, const nearby_tip_t *tip)
{
    double of_kind = rates_count (self->rates, rule->kind, tip->lat_e7, tip->lon_e7, tip->seen_ms);
    double of_all = rates_count (self->rates, 0, tip->lat_e7, tip->lon_e7, tip->seen_ms);
    return (QUIET + OF_ALL * of_all + (rule->scope == SCOPE_EVENT ? CLUMP : 1) * of_kind) / RATES_EXPOSURE;
}

//  ---- asking

typedef struct {
    nearby_t *self;
    const nearby_tip_t *tip;
    report_t report;
    float east_per_e7;
    double chance; //  < 0: not asked for yet
    double sum, best;
    const entry_t *entry;
    uint32_t near;
    nearby_may_fn *may;
    void *context;
} search_t;

//  Of an address the words decide where both have some: the same house whatever the phone says, or another one however near.
static bool s_same_place (const search_t *search, const rule_t *rule, const entry_t *entry)
{
    if (rule->scope != SCOPE_ADDRESS || !search->tip->address)
        return true;
    if (entry->address)
        return search->tip->address == entry->address;
    float reach = rule->radius_m + s_reach (rule, search->tip->accuracy_m) + entry->reach_m;
    return s_between (&search->report, &entry->reports [0], search->east_per_e7).metres2 <= reach * reach;
}

static void s_consider (search_t *search, const rule_t *rule, const entry_t *entry, double factor)
{
    nearby_t *self = search->self;
    if (!s_same_place (search, rule, entry) || (search->may && !search->may (search->context, entry->incident)))
        return;
    if (search->chance < 0)
        search->chance = s_chance (self, rule, search->tip);
    double weight = factor * s_weight (self, rule, entry, &search->report, search->east_per_e7) / search->chance;
    if (rule->scope == SCOPE_ADDRESS && search->tip->address && search->tip->address == entry->address)
        weight = 1000;
    search->near++;
    search->sum += weight;
    if (!search->entry || weight > search->best) {
        search->best = weight;
        search->entry = entry;
    }
    if (entry->tips == 1 && self->stray_count < STRAYS)
        self->strays [self->stray_count++] = (uint32_t)(entry - self->entries);
}

//  How far the tip's own error lets it reach, beside what each incident adds.
static void s_search_cell (search_t *search, const rule_t *rule, uint64_t key, float own_m, double factor)
{
    const nearby_t *self = search->self;
    const cell_t *cell = s_find_cell (self, key);
    int64_t last_ms = search->report.seen_ms + rule->window_ms;
    for (uint32_t i = s_since (cell, search->report.seen_ms - rule->window_ms); i < cell->count; i++) {
        const spot_t *spot = &cell->spots [i];
        if (spot->seen_ms > last_ms)
            break;
        float north = (float)((int64_t)spot->lat_e7 - search->report.lat_e7) * METRES_PER_E7;
        float east = (float)((int64_t)spot->lon_e7 - search->report.lon_e7) * search->east_per_e7;
        float reach = own_m + spot->reach_m;
        if (north * north + east * east <= reach * reach)
            s_consider (search, rule, &self->entries [spot->index], factor);
    }
}

static void s_search_kind (search_t *search, const rule_t *rule, double factor)
{
    float own = rule->radius_m + s_reach (rule, search->tip->accuracy_m);
    if (rule->scope == SCOPE_ADDRESS && search->tip->address)
        own += 2 * CAP_M; //  the words say it; a phone's position does not contradict them
    float most = own + rule->widest_m;
    float north = (float)search->tip->lat_e7 * METRES_PER_E7;
    for (int32_t row = s_row (rule, north - most); row <= s_row (rule, north + most); row++) {
        double metres = s_row_metres (rule, row), east = search->tip->lon_e7 * metres;
        int32_t last = (int32_t)floor ((east + most) / rule->cell_m);
        for (int32_t column = (int32_t)floor ((east - most) / rule->cell_m); column <= last; column++)
            s_search_cell (search, rule, s_cell (rule, row, column), own, factor);
    }
}

static void s_explain (const search_t *search, const rule_t *rule, bool joins, nearby_found_t *out)
{
    float nearest2 = INFINITY;
    double lag_ms = INFINITY;
    for (int i = 0; i < search->entry->kept; i++) {
        apart_t apart = s_between (&search->report, &search->entry->reports [i], search->east_per_e7);
        nearest2 = apart.metres2 < nearest2 ? apart.metres2 : nearest2;
        lag_ms = apart.lag_ms < lag_ms ? apart.lag_ms : lag_ms;
    }
    bool words = rule->scope == SCOPE_ADDRESS && search->tip->address && search->tip->address == search->entry->address;
    snprintf (out->why, sizeof out->why, "%s %u report%s %.0f m and %.0f min away%s%s; probability %.2f%s",
        joins ? "another report of" : "not merged with", search->entry->tips, search->entry->tips > 1 ? "s" : "",
        (double)sqrtf (nearest2), lag_ms / 60000, words ? ", same address" : "",
        search->entry->kind != rule->kind ? ", of a kind that may mean the same" : "", search->sum / (1 + search->sum),
        search->near > 1 ? ", the likeliest of several" : "");
}

void nearby_find (nearby_t *self, const nearby_tip_t *tip, nearby_found_t *out)
{
    nearby_find_among (self, tip, NULL, NULL, out);
}

void nearby_find_among (nearby_t *self, const nearby_tip_t *tip, nearby_may_fn *may, void *context, nearby_found_t *out)
{
    assert (tip->kind >= 0 && tip->kind < self->rule_count);
    const rule_t *rule = &self->rules [tip->kind];
    *out = (nearby_found_t){ 0 };
    self->stray_count = 0;
    if (rule->radius_m <= 0)
        return;
    search_t search
        = { .self = self, .tip = tip, .report = s_report (rule, tip), .chance = -1, .may = may, .context = context };
    search.east_per_e7 = s_east (tip->lat_e7);
    s_search_kind (&search, rule, 1);
    for (uint32_t i = 0; i < rule->with_count; i++)
        s_search_kind (&search, &self->rules [rule->with [i]], OTHER_KIND);
    if (!search.entry)
        return;
    self->chance = search.chance;
    double sure = search.sum / (1 + search.sum);
    out->score_e3 = (uint32_t)(sure * 1000);
    if (sure >= SURE)
        out->incident = search.entry->incident;
    s_explain (&search, rule, out->incident != 0, out);
}

bool nearby_stray (nearby_t *self, uint64_t incident, nearby_found_t *out)
{
    const entry_t *into = s_entry (self, incident);
    const rule_t *rule = into ? s_rule (self, into->kind) : NULL;
    *out = (nearby_found_t){ 0 };
    while (rule && rule->scope == SCOPE_EVENT && self->stray_count) {
        const entry_t *stray = &self->entries [self->strays [--self->stray_count]];
        if (!stray->incident || stray == into || stray->tips != 1 || stray->kind != into->kind || into->tips < 2
            || s_pair (self, stray->incident, incident)->a)
            continue;
        nearby_tip_t tip = { .lat_e7 = stray->reports [0].lat_e7, .seen_ms = stray->reports [0].seen_ms };
        search_t search = { .self = self, .tip = &tip, .report = stray->reports [0], .entry = into, .near = 1 };
        search.east_per_e7 = s_east (tip.lat_e7);
        float reach = rule->radius_m + stray->reach_m + into->reach_m;
        apart_t apart = s_between (&stray->reports [0], &into->reports [0], search.east_per_e7);
        search.sum = s_weight (self, rule, into, &stray->reports [0], search.east_per_e7) / self->chance;
        if (apart.metres2 > reach * reach || apart.lag_ms > (double)rule->window_ms || search.sum / (1 + search.sum) < SURE)
            continue;
        out->incident = stray->incident;
        out->score_e3 = (uint32_t)(search.sum / (1 + search.sum) * 1000);
        s_explain (&search, rule, true, out);
        return true;
    }
    return false;
}

//  ---- what became of it

void nearby_begin (nearby_t *self, uint64_t incident, const nearby_tip_t *tip)
{
    assert (incident && tip->kind >= 0 && tip->kind < self->rule_count);
    const rule_t *rule = &self->rules [tip->kind];
    if (s_entry (self, incident) || rule->radius_m <= 0)
        return;
    entry_t *entry = s_add_entry (self, incident);
    entry->kind = rule->kind;
    entry->address = tip->address;
    entry->reports [0] = s_report (rule, tip);
    entry->reach_m = s_reach (rule, tip->accuracy_m);
    entry->kept = 1;
    entry->tips = 1;
    s_place_entry (self, entry);
    wording_add (&self->wordings [tip->kind], tip->sketch);
    rates_add (self->rates, rule->kind, tip->lat_e7, tip->lon_e7, tip->seen_ms);
    rates_add (self->rates, 0, tip->lat_e7, tip->lon_e7, tip->seen_ms);
}

void nearby_join (nearby_t *self, uint64_t incident, const nearby_tip_t *tip)
{
    entry_t *entry = s_entry (self, incident);
    const rule_t *rule = entry ? s_rule (self, entry->kind) : NULL;
    if (!entry)
        return;
    entry->lags_ms += (float)llabs (tip->seen_ms - s_middle_ms (entry));
    entry->tips++;
    if (rule && entry->kept < KEPT)
        entry->reports [entry->kept++] = s_report (rule, tip);
}

void nearby_merge (nearby_t *self, uint64_t from, uint64_t into)
{
    entry_t *old = s_entry (self, from), *kept = s_entry (self, into);
    if (!old)
        return;
    if (kept && kept != old) {
        kept->lags_ms += old->lags_ms + (float)llabs (s_middle_ms (old) - s_middle_ms (kept)) * (float)old->tips;
        kept->tips += old->tips;
        for (int i = 0; i < old->kept && kept->kept < KEPT; i++)
            kept->reports [kept->kept++] = old->reports [i];
    }
    if (kept != old)
        nearby_forget (self, from);
}

void nearby_place (nearby_t *self, uint64_t incident, int32_t lat_e7, int32_t lon_e7)
{
    entry_t *entry = s_entry (self, incident);
    if (!entry)
        return;
    entry->kept = 1;
    entry->reports [0].lat_e7 = lat_e7;
    entry->reports [0].lon_e7 = lon_e7;
    entry->reports [0].error_m = 10;
    entry->reach_m = 20;
    s_place_entry (self, entry);
}

void nearby_forget (nearby_t *self, uint64_t incident)
{
    entry_t *entry = s_entry (self, incident);
    if (!entry)
        return;
    uint32_t index = (uint32_t)(entry - self->entries) + 1;
    uint32_t hole = (uint32_t)(s_id_slot (self, incident) - self->ids);
    s_unlink (self, entry);
    //  Later ones of the run move up, so that no search stops at the hole.
    self->ids [hole] = (where_t){ 0 };
    for (uint32_t at = (hole + 1) & (self->id_room - 1); self->ids [at].index; at = (at + 1) & (self->id_room - 1)) {
        where_t moved = self->ids [at];
        self->ids [at] = (where_t){ 0 };
        *s_id_slot (self, moved.incident) = moved;
    }
    entry->incident = 0;
    entry->next = self->free;
    self->free = index;
    self->count--;
}

bool nearby_has (const nearby_t *self, uint64_t incident)
{
    return s_entry (self, incident) != NULL;
}

uint32_t nearby_tips (const nearby_t *self, uint64_t incident)
{
    const entry_t *entry = s_entry (self, incident);
    return entry ? entry->tips : 0;
}

uint32_t nearby_count (const nearby_t *self)
{
    return self->count;
}

size_t nearby_memory (const nearby_t *self)
{
    return sizeof *self + self->room * sizeof *self->entries + self->id_room * sizeof *self->ids
        + self->cell_room * sizeof *self->cells + self->spot_bytes + self->apart_room * sizeof *self->apart
        + rates_memory (self->rates);
}
