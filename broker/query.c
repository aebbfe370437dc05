//  query - one page of a list, a show or a replay

#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventlog.h"
#include "home.h"
#include "item.h"
#include "itemturn.h"
#include "queryfit.h"
#include "stateview.h"

#define READ_AT_ONCE 250 //  records in one read transaction

struct query_t {
    eventlog_reader_t *log;
    stateview_t *state;
    daykeys_t *daykeys;
    members_t *members; //  registry of this thread, for pseudonyms and tip numbers
    item_maker_t *items;
};

query_t *query_open (const char *home, const box_keys_t *core_keys)
{
    query_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    char *log = home_path (home, "log.db"), *state = home_path (home, "state.db"), *daykeys = home_path (home, "daykeys.db");
    self->members = members_new (core_keys);
    self->log = eventlog_reader_open (log);
    self->state = self->log ? stateview_open (state) : NULL;
    self->daykeys = self->state ? daykeys_open (daykeys, 0) : NULL;
    self->items = item_maker_new (self->members, self->daykeys);
    free (log);
    free (state);
    free (daykeys);
    if (!self->daykeys)
        query_close (&self);
    return self;
}

void query_close (query_t **self_p)
{
    query_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    item_maker_destroy (&self->items);
    daykeys_close (&self->daykeys);
    stateview_close (&self->state);
    eventlog_reader_close (&self->log);
    members_destroy (&self->members);
    free (self);
}

//  What one page needs to know.
typedef struct {
    query_t *self;
    const asker_t *asker;
    const Patrol__Query *query;
    viewer_t viewer;
    page_t *page;
    uint64_t cursor;
    bool end, failed;
    int scanned;
} work_t;

static bool s_full (const work_t *work)
{
    return work->page->answers.items >= work->query->limit;
}

static bool s_add (work_t *work, const Patrol__Item *item)
{
    if (answers_add (&work->page->answers, item)) {
        fprintf (stderr, "<3>reader: record %llu makes an item that fits no frame\n", (unsigned long long)item->seq);
        work->failed = true;
    }
    return !work->failed;
}

static ProtobufCBinaryData s_text (const char *text)
{
    return (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
}

//  The item of one record for the asker. False if the asker may not see it, or the log does not have it whole.
static bool s_item (work_t *work, uint64_t seq, Patrol__Item *item)
{
    const uint8_t *record;
    size_t size = eventlog_get (work->self->log, seq, &record);
    item_maker_reset (work->self->items);
    return size
        && item_make (
            work->self->items, &(item_source_t){ .seq = seq, .record = record, .size = size }, &work->viewer, false, item);
}

//  What the state alone knows: for an incident whose record cannot be read, so that it does not drop out of the list.
static void s_bare_item (const work_t *work, const incident_view_t *incident, Patrol__Item *item)
{
    patrol__item__init (item);
    item->type = PATROL__ITEM_TYPE__ITEM_TIP;
    item->seq = incident->seq;
    item->incident = incident->id;
    item->at_ms = item->accepted_ms = incident->at_ms;
    item->copy = work->asker->role == PATROL__ROLE__DESK && strcmp (work->asker->station, incident->station) != 0;
    item->kind = s_text (incident->kind);
    item->severity = incident->severity;
    item->cls = incident->cls;
    item->station = s_text (incident->station);
    item->area = s_text (incident->area);
    item->has_position = incident->has_position;
    item->lat_e7 = incident->lat_e7;
    item->lon_e7 = incident->lon_e7;
    item->text_gone = true;
}

//  ---- list

//  A page of incidents is collected first, so that no statement is open while their records are read.
typedef struct {
    work_t *work;
    incident_view_t *found;
    uint32_t count;
} list_t;

static bool s_list_one (void *context, const incident_view_t *incident)
{
    list_t *list = context;
    work_t *work = list->work;
    if (queryfit_scope (work->asker, incident) && queryfit_incident (work->query, incident)) {
        if (list->count == work->query->limit)
            return false;
        list->found [list->count++] = *incident;
    }
    work->cursor = incident->id;
    return true;
}

//  Where it was put by hand, with the label that was made then.
static void s_placed_by_hand (work_t *work, const incident_view_t *incident, Patrol__Item *item, char *label, size_t room)
{
    uint64_t seqs [64];
    Patrol__Item change;
    int count = stateview_changes (work->self->state, incident->id, seqs, 64);
    bool found = false;
    for (int i = 0; i < count && !found; i++)
        if (s_item (work, seqs [i], &change) && change.type == PATROL__ITEM_TYPE__ITEM_PLACED) {
            found = true;
            snprintf (label, room, "%.*s", (int)change.place.len, (const char *)change.place.data);
        }
    //  Making the changes has forgotten the item of the tip.
    if (!s_item (work, incident->seq, item))
        s_bare_item (work, incident, item);
    item->has_position = true;
    item->lat_e7 = incident->lat_e7;
    item->lon_e7 = incident->lon_e7;
    item->accuracy_m = 0;
    item->unlocated = false;
    if (found)
        item->place = s_text (label);
}

static bool s_list_item (work_t *work, const incident_view_t *incident)
{
    Patrol__Item item;
    char label [256];
    int witnesses = stateview_witnesses (work->self->state, incident->id);
    if (witnesses < 0) {
        work->failed = true;
        return false;
    }
    if (!s_item (work, incident->seq, &item))
        s_bare_item (work, incident, &item);
    else if (incident->has_position
        && (!item.has_position || item.lat_e7 != incident->lat_e7 || item.lon_e7 != incident->lon_e7))
        s_placed_by_hand (work, incident, &item, label, sizeof label);
    item.version = incident->version;
    item.status = s_text (status_name (incident->status));
    item.actor = s_text (incident->by);
    item.witnesses = (uint32_t)witnesses;
    item.incident = incident->id; //  one that a split made begins with a tip of another
    item.duplicate_of = incident->into;
    return s_add (work, &item);
}

static void s_list (work_t *work)
{
    list_t list = { .work = work };
    list.found = calloc (work->query->limit, sizeof *list.found);
    if (!list.found)
        abort ();
    int rc = stateview_incidents (
        work->self->state, queryfit_open_only (work->query), work->query->after, QUERY_SCAN_MAX, s_list_one, &list);
    work->failed = rc < 0;
    work->end = rc == 0;
    for (uint32_t i = 0; i < list.count && !work->failed; i++)
        s_list_item (work, &list.found [i]);
    free (list.found);
}

//  ---- show

static void s_show (work_t *work)
{
    incident_view_t incident;
    int found = stateview_incident (work->self->state, work->query->incident, &incident);
    work->failed = found < 0;
    if (found < 1 || !queryfit_scope (work->asker, &incident)) {
        if (!work->failed)
            query_refuse (work->page, PATROL__CODE__NOT_FOUND, "no such incident at this station");
        return;
    }
    uint64_t seqs [501];
    int count = 0, room = (int)work->query->limit + 1;
    if (work->query->after < incident.seq)
        seqs [count++] = incident.seq;
    int later = stateview_history (work->self->state, incident.id, work->query->after, seqs + count, room - count);
    work->failed = later < 0;
    count += later < 0 ? 0 : later;
    work->end = count < room;
    if (!work->end)
        count--;
    for (int i = 0; i < count && !work->failed; i++) {
        Patrol__Item item;
        if (s_item (work, seqs [i], &item)) {
            item_turn_to (&item, incident.id);
            s_add (work, &item);
        }
        work->cursor = seqs [i];
    }
}

//  ---- replay

static bool s_replay_fits (work_t *work, const Patrol__Item *item)
{
    incident_view_t incident;
    switch (item->type) {
    case PATROL__ITEM_TYPE__ITEM_TIP:
        return queryfit_tip (work->query, item);
    case PATROL__ITEM_TYPE__ITEM_STATUS:
    case PATROL__ITEM_TYPE__ITEM_PLACED:
    case PATROL__ITEM_TYPE__ITEM_MERGE:
    case PATROL__ITEM_TYPE__ITEM_SPLIT:
        if (!queryfit_any (work->query))
            return true;
        if (stateview_incident (work->self->state, item->incident, &incident) == 1)
            return queryfit_place_and_kind (work->query, &incident);
        return false;
    case PATROL__ITEM_TYPE__ITEM_DELIVERED:
    case PATROL__ITEM_TYPE__ITEM_ADMIN:
        return queryfit_admin (work->query, item);
    case PATROL__ITEM_TYPE__ITEM_NONE:
    case _PATROL__ITEM_TYPE_IS_INT_SIZE:
        break;
    }
    return false;
}

static bool s_replay_one (void *context, uint64_t seq, int64_t at_ms, const uint8_t *record, size_t size)
{
    work_t *work = context;
    if (work->query->to_ms && at_ms > work->query->to_ms) {
        work->end = true;
        return false;
    }
    Patrol__Item item;
    item_maker_reset (work->self->items);
    if (item_make (
            work->self->items, &(item_source_t){ .seq = seq, .record = record, .size = size }, &work->viewer, true, &item)
        && s_replay_fits (work, &item) && !s_add (work, &item))
        return false;
    work->cursor = seq;
    work->scanned++;
    return !s_full (work);
}

static void s_replay (work_t *work, uint64_t last)
{
    if (work->query->from_ms) {
        uint64_t before = eventlog_before (work->self->log, work->query->from_ms);
        if (before > work->cursor)
            work->cursor = before;
    }
    //  Records beyond what the state has applied wait for the next query: their incident is not known here yet.
    while (!work->end && !work->failed && !s_full (work) && work->scanned < QUERY_SCAN_MAX && work->cursor < last) {
        uint64_t left = last - work->cursor;
        int count = eventlog_read (
            work->self->log, work->cursor, left < READ_AT_ONCE ? (int)left : READ_AT_ONCE, s_replay_one, work);
        if (count < 0)
            work->failed = true;
        if (count == 0)
            break;
    }
    work->end = work->end || work->cursor >= last;
}

//  ---- one page

void query_refuse (page_t *page, Patrol__Code code, const char *detail)
{
    Patrol__Answer last = PATROL__ANSWER__INIT;
    answers_drop (&page->answers);
    last.code = code;
    last.end = true;
    last.detail = s_text (detail);
    answers_end (&page->answers, &last);
    page->code = code;
    page->cursor = 0;
}

static void s_answer (work_t *work, uint64_t last)
{
    switch (work->query->ask) {
    case PATROL__ASK__LIST:
        s_list (work);
        return;
    case PATROL__ASK__SHOW:
        s_show (work);
        return;
    case PATROL__ASK__REPLAY:
        s_replay (work, last);
        return;
    case PATROL__ASK__STATIONS:
    case PATROL__ASK__ASK_NONE:
    case _PATROL__ASK_IS_INT_SIZE:
        break;
    }
    query_refuse (work->page, PATROL__CODE__BAD_FRAME, "an ask that is none of list, show and replay");
}

void query_page (query_t *self, const asker_t *asker, const Patrol__Query *query, int64_t now_ms, page_t *page)
{
    memset (page, 0, sizeof *page);
    answers_begin (&page->answers, query->id);
    const char *wrong = NULL;
    Patrol__Code code = queryfit_check (asker, query, &wrong);
    queryfit_describe (query, code == PATROL__CODE__OK, page->ask, page->officer, page->detail, sizeof page->detail);
    if (code != PATROL__CODE__OK) {
        query_refuse (page, code, wrong);
        return;
    }
    uint64_t last = 0;
    int64_t log_time = 0;
    work_t work = { .self = self,
        .asker = asker,
        .query = query,
        .page = page,
        .cursor = query->after,
        .viewer = { .role = asker->role, .station = asker->station, .device = asker->device } };
    work.failed = stateview_members (self->state, self->members) || stateview_applied (self->state, &last, &log_time);
    if (!work.failed)
        s_answer (&work, last);
    if (work.failed)
        query_refuse (page, PATROL__CODE__SLOW_DOWN, "the broker cannot read its files now; ask again later");
    if (page->code != PATROL__CODE__OK)
        return;
    Patrol__Answer head = PATROL__ANSWER__INIT;
    head.cursor = page->cursor = work.cursor;
    head.end = work.end;
    head.as_of_ms = now_ms > log_time ? now_ms : log_time;
    answers_end (&page->answers, &head);
}
