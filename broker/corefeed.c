//  corefeed - what goes out: receipts from the durable set, delivered sets, feed items within credit

#include "core_private.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_BODY 15000u //  packed bytes of one Down that surely fit a frame once boxed
#define PAGE 128
#define FRONT_QUEUE (4u << 20) //  beyond this the feeds wait for the front

void feed_touch (core_t *self, core_session_t *session)
{
    if (session->dirty)
        return;
    session->dirty = true;
    if (self->dirty_count == self->dirty_room) {
        self->dirty_room = self->dirty_room ? self->dirty_room * 2 : 256;
        self->dirty = realloc (self->dirty, self->dirty_room * sizeof *self->dirty);
        if (!self->dirty)
            abort ();
    }
    self->dirty [self->dirty_count++] = session->id;
}

//  ---- receipts

static ProtobufCBinaryData s_copy (const char *text)
{
    return text [0] ? (ProtobufCBinaryData){ strlen (text), (uint8_t *)strdup (text) } : (ProtobufCBinaryData){ 0, NULL };
}

void feed_receipt (core_t *self, const take_t *take)
{
    core_session_t *session = member_session (self, take->member);
    if (!session)
        mesh_touch (self, take->member);
    if (!session || !take->counter)
        return;
    if (session->receipt_count == session->receipt_room) {
        session->receipt_room = session->receipt_room ? session->receipt_room * 2 : 16;
        session->receipts = realloc (session->receipts, session->receipt_room * sizeof *session->receipts);
        if (!session->receipts)
            abort ();
    }
    Patrol__Taken *taken = &session->receipts [session->receipt_count++];
    patrol__taken__init (taken);
    taken->epoch = take->epoch;
    taken->counter = take->counter;
    taken->tag = take->tag;
    taken->code = take->code;
    taken->incident = take->incident;
    taken->version = take->version;
    taken->at_ms = take->at_ms;
    taken->detail = s_copy (take->detail);
    feed_t *feed = take->station [0] ? engine_station_feed (self->engine, take->station, strlen (take->station)) : NULL;
    if (feed) {
        //  A feed lives as long as the core: its id is borrowed.
        taken->station = (ProtobufCBinaryData){ strlen (feed->id), (uint8_t *)feed->id };
        taken->no_desk_since_ms = feed->desks ? 0 : feed->no_desk_since_ms;
    }
    feed_touch (self, session);
}

static void s_send_receipts (core_t *self, core_session_t *session)
{
    Patrol__Taken *list [128];
    uint32_t done = 0;
    while (done < session->receipt_count) {
        Patrol__Receipts receipts = PATROL__RECEIPTS__INIT;
        Patrol__Down down = PATROL__DOWN__INIT;
        size_t size = 0, count = 0;
        while (done + count < session->receipt_count && count < 128) {
            size += patrol__taken__get_packed_size (&session->receipts [done + count]) + 4;
            if (size > FRAME_BODY && count)
                break;
            list [count] = &session->receipts [done + count];
            count++;
        }
        receipts.incarnation = eventlog_incarnation (self->log);
        receipts.taken = list;
        receipts.n_taken = count;
        down.body_case = PATROL__DOWN__BODY_RECEIPTS;
        down.receipts = &receipts;
        session_down (self, session, &down);
        done += (uint32_t)count;
    }
    feed_forget_receipts (session);
}

void feed_forget_receipts (core_session_t *session)
{
    for (uint32_t i = 0; i < session->receipt_count; i++)
        free (session->receipts [i].detail.data);
    session->receipt_count = 0;
}

//  ---- delivered

void feed_delivered (void *core, uint32_t device, uint64_t epoch, uint64_t counter)
{
    core_t *self = core;
    member_t *member = members_get (engine_members (self->engine), device);
    core_session_t *session = member ? member_session (self, member) : NULL;
    if (member && !session)
        mesh_touch (self, member);
    if (!session)
        return;
    int i = 0;
    while (i < session->delivered_count && session->delivered [i].epoch != epoch)
        i++;
    if (i == LIVE_EPOCHS)
        return; //  the next attach tells it
    if (i == session->delivered_count)
        session->delivered [session->delivered_count++].epoch = epoch;
    intervals_add_one (&session->delivered [i].set, counter);
    feed_touch (self, session);
}

static void s_send_delivered (core_t *self, core_session_t *session)
{
    for (int i = 0; i < session->delivered_count; i++) {
        intervals_t *set = &session->delivered [i].set;
        Patrol__Delivered delivered = PATROL__DELIVERED__INIT;
        Patrol__Down down = PATROL__DOWN__INIT;
        uint8_t packed [FRAME_BODY];
        if (intervals_packed_size (set) <= sizeof packed) {
            delivered.epoch = session->delivered [i].epoch;
            delivered.counters = (ProtobufCBinaryData){ intervals_pack (set, packed, sizeof packed), packed };
            down.body_case = PATROL__DOWN__BODY_DELIVERED;
            down.delivered = &delivered;
            session_down (self, session, &down);
        }
        intervals_clear (set);
    }
    session->delivered_count = 0;
}

//  ---- feeds

bool feed_source (core_t *self, uint64_t seq, item_source_t *source)
{
    const recent_t *recent = &self->recent [seq % RECENT];
    if (recent->record && recent->seq == seq)
        *source = (item_source_t){ seq, recent->record, recent->size, recent->texts, recent->texts_size };
    else {
        *source = (item_source_t){ .seq = seq };
        source->size = eventlog_get (self->log_reader, seq, &source->record);
    }
    return source->size > 0;
}

//  The next slots of the session's feed after `after`; the coordinator's feed is the log itself.
static int s_page (core_t *self, const core_session_t *session, uint64_t after, slot_t *slots, int room)
{
    state_t *state = engine_state (self->engine);
    if (session->member->role == PATROL__ROLE__NODE)
        return after < session->member->inbox_durable ? state_inbox_page (state, session->member->number, after, slots, room)
                                                      : 0;
    if (session->feed)
        return after < session->feed->durable ? state_feed_page (state, session->feed, after, slots, room) : 0;
    int count = 0;
    while (count < room && after < self->durable) {
        after++;
        slots [count++] = (slot_t){ .n = after, .seq = after };
    }
    return count;
}

typedef struct {
    Patrol__Item items [64], *list [64];
    size_t count, size;
} bundle_t;

static void s_send_bundle (core_t *self, core_session_t *session, bundle_t *bundle)
{
    if (bundle->count) {
        Patrol__Feed feed = PATROL__FEED__INIT;
        Patrol__Down down = PATROL__DOWN__INIT;
        feed.incarnation = eventlog_incarnation (self->log);
        feed.items = bundle->list;
        feed.n_items = bundle->count;
        down.body_case = PATROL__DOWN__BODY_FEED;
        down.feed = &feed;
        session_down (self, session, &down);
    }
    bundle->count = bundle->size = 0;
    item_maker_reset (self->items);
}

//  False if the reader's credit ends before this item. A record that has nothing to show needs no credit.
static bool s_add_item (core_t *self, core_session_t *session, bundle_t *bundle, const slot_t *slot)
{
    const viewer_t viewer = { session->member->role, session->member->station, session->member->number };
    item_source_t source;
    Patrol__Item *item = &bundle->items [bundle->count];
    if (!feed_source (self, slot->seq, &source) || !item_make (self->items, &source, &viewer, false, item))
        return true;
    if (slot->n > session->credit)
        return false;
    item->n = slot->n;
    if (viewer.role == PATROL__ROLE__NODE) {
        //  One change may concern several tips of a device: each has a slot of its own.
        item->tip_epoch = slot->epoch;
        item->own_counter = slot->counter;
    }
    size_t packed = patrol__item__get_packed_size (item) + 4;
    if (bundle->size + packed > FRAME_BODY) {
        //  Full: what is in it goes, and this one is made again, its memory was the maker's.
        s_send_bundle (self, session, bundle);
        return s_add_item (self, session, bundle, slot);
    }
    bundle->list [bundle->count++] = item;
    bundle->size += packed;
    if (bundle->count == 64)
        s_send_bundle (self, session, bundle);
    return true;
}

//  A coordinator reads every station's tips: that it does is on record before the first one goes out.
static bool s_may_watch (core_t *self, core_session_t *session)
{
    if (session->member->role != PATROL__ROLE__COORDINATOR || session->watches)
        return true;
    if (!session->watch_asked && session->sent < self->durable && session->sent < session->credit) {
        asker_t asker = session_asker (session);
        session->watch_asked = reader_watch (self->reader, &asker, session->sent) == 0;
    }
    return false;
}

//  `recorded` false: it is asked for again when the feed has moved.
void feed_watch (core_t *self, core_session_t *session, bool recorded)
{
    if (!session || !session->attached)
        return;
    session->watch_asked = false;
    session->watches = recorded;
    if (recorded)
        feed_touch (self, session);
}

//  True if more could be sent at once, had the front room.
static bool s_send_feed (core_t *self, core_session_t *session)
{
    if (!s_may_watch (self, session))
        return false;
    bundle_t bundle;
    bundle.count = bundle.size = 0;
    slot_t slots [PAGE];
    for (;;) {
        if (pipe_queued (self->lanes [LANE_URGENT]) > FRONT_QUEUE)
            return true;
        bool room = session->credit > session->sent || !session->feed;
        int count = room ? s_page (self, session, session->sent, slots, PAGE) : 0, i = 0;
        while (i < count && s_add_item (self, session, &bundle, &slots [i]))
            session->sent = slots [i++].n;
        s_send_bundle (self, session, &bundle);
        if (!count || i < count)
            return false;
    }
}

//  Desks and coordinators are few; each is looked at once per batch.
static void s_touch_desks (core_t *self)
{
    self->feeds_moved = false;
    for (uint32_t i = 0; i < self->desk_count; i++) {
        core_session_t *session = core_session (self, self->desks [i]);
        if (session && session->attached && session->sent < (session->feed ? session->feed->durable : self->durable))
            feed_touch (self, session);
    }
}

void feed_pump (core_t *self)
{
    if (!self->lanes [LANE_URGENT])
        return;
    if (self->feeds_moved)
        s_touch_desks (self);
    uint32_t kept = 0, count = self->dirty_count;
    for (uint32_t i = 0; i < count; i++) {
        core_session_t *session = core_session (self, self->dirty [i]);
        if (!session)
            continue;
        session->dirty = false;
        if (!session->attached)
            continue;
        s_send_receipts (self, session);
        s_send_delivered (self, session);
        if (s_send_feed (self, session)) {
            session->dirty = true;
            self->dirty [kept++] = session->id;
        }
    }
    self->dirty_count = kept;
}

void feed_wake (core_t *self, const take_t *take)
{
    self->feeds_moved = true;
    //  A command's incident has reporters: their inboxes have moved.
    if (!take->member || take->member->role == PATROL__ROLE__NODE || !take->incident)
        return;
    //  After a merge or a split its tips are those of both.
    tip_of_t tips [128];
    int count = state_tips_of (engine_state (self->engine), take->incident, tips, 64);
    if (take->other)
        count += state_tips_of (engine_state (self->engine), take->other, tips + count, 64);
    for (int i = 0; i < count; i++) {
        member_t *member = members_get (engine_members (self->engine), tips [i].device);
        core_session_t *session = member ? member_session (self, member) : NULL;
        if (session)
            feed_touch (self, session);
        else if (member)
            mesh_touch (self, member);
    }
}
