//  item - from log record to what a reader is shown

#include "item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "timefmt.h"

#define ITEM_ARENA (512u * 1024)

#define PSEUDONYMS 1024u //  of devices with tips under way, direct-mapped

typedef struct {
    uint32_t device, day; //  device 0 = empty
    char name [16];
} pseudonym_t;

struct item_maker_t {
    members_t *members;
    daykeys_t *daykeys;
    arena_t *arena;
    pseudonym_t pseudonyms [PSEUDONYMS];
    const item_source_t *source; //  of the item being made
};

item_maker_t *item_maker_new (members_t *members, daykeys_t *daykeys)
{
    item_maker_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->members = members;
    self->daykeys = daykeys;
    self->arena = arena_new (ITEM_ARENA);
    return self;
}

void item_maker_destroy (item_maker_t **self_p)
{
    if (*self_p)
        arena_destroy (&(*self_p)->arena);
    free (*self_p);
    *self_p = NULL;
}

void item_maker_reset (item_maker_t *self)
{
    arena_reset (self->arena);
}

static ProtobufCBinaryData s_keep (item_maker_t *self, const char *text)
{
    size_t size = strlen (text);
    char *copy = arena_alloc (self->arena, size + 1);
    if (!copy)
        return (ProtobufCBinaryData){ 0, NULL };
    memcpy (copy, text, size + 1);
    return (ProtobufCBinaryData){ size, (uint8_t *)copy };
}

//  A device's pseudonym of a day; borrowed until the next one is asked for.
static const char *s_pseudonym (item_maker_t *self, const member_t *member, uint32_t day)
{
    pseudonym_t *known = &self->pseudonyms [member->number % PSEUDONYMS];
    if (known->device != member->number || known->day != day) {
        known->device = member->number;
        known->day = day;
        members_pseudonym (self->members, member, day, known->name);
    }
    return known->name;
}

static bool s_is (ProtobufCBinaryData bytes, const char *text)
{
    return strlen (text) == bytes.len && (!bytes.len || memcmp (bytes.data, text, bytes.len) == 0);
}

//  What the reader's station is to this record: 1 owner, 2 copy, 0 nothing.
static int s_part (Patrol__FeedSlot **slots, size_t count, const viewer_t *viewer)
{
    for (size_t i = 0; i < count; i++)
        if (s_is (slots [i]->station, viewer->station))
            return slots [i]->copy ? 2 : 1;
    return 0;
}

static bool s_may_see (Patrol__FeedSlot **slots, size_t count, const viewer_t *viewer, Patrol__Item *out)
{
    if (viewer->role == PATROL__ROLE__COORDINATOR)
        return true;
    int part = viewer->role == PATROL__ROLE__DESK ? s_part (slots, count, viewer) : 0;
    out->copy = part == 2;
    return part != 0;
}

static void s_texts (item_maker_t *self, const Patrol__DayText *sealed, bool for_police, Patrol__Item *out)
{
    if (!sealed)
        return;
    Patrol__Texts *texts = self->source->texts
        ? patrol__texts__unpack (arena_allocator (self->arena), self->source->texts_size, self->source->texts)
        : daykeys_open_texts (self->daykeys, sealed, self->arena);
    if (!texts) {
        out->text_gone = true;
        return;
    }
    out->text = texts->text;
    out->place_text = texts->place_text;
    out->answer = texts->answer;
    if (for_police)
        out->note = texts->note;
}

static bool s_tip (
    item_maker_t *self, const Patrol__TipAccepted *tip, int64_t at_ms, const viewer_t *viewer, Patrol__Item *out)
{
    if (!s_may_see (tip->slots, tip->n_slots, viewer, out))
        return false;
    out->type = PATROL__ITEM_TYPE__ITEM_TIP;
    out->incident = tip->incident;
    out->version = tip->version;
    out->kind = tip->kind;
    out->severity = tip->severity;
    out->cls = tip->cls;
    out->status = tip->status.len ? tip->status : s_keep (self, "open");
    out->station = tip->station;
    out->has_position = tip->has_position;
    out->lat_e7 = tip->lat_e7;
    out->lon_e7 = tip->lon_e7;
    out->accuracy_m = tip->accuracy_m;
    out->place = tip->place;
    out->area = tip->area;
    out->why = tip->why;
    out->seen_ms = tip->seen_ms - tip->clock_offset_ms;
    //  A time that was corrected says so; the clock's exact error is a fingerprint: whole minutes, never of an anonymous tip.
    if (!tip->anonymous)
        out->clock_offset_ms = tip->clock_offset_ms / 60000 * 60000;
    out->accepted_ms = at_ms;
    out->witnesses = tip->witnesses ? tip->witnesses : 1;
    out->unlocated = tip->unlocated;
    out->quarantined = tip->quarantined;
    out->late = tip->late;
    out->areas_version = tip->areas_version;
    if (tip->joined)
        out->duplicate_of = tip->incident;
    out->score_e3 = tip->score_e3;
    s_texts (self, tip->texts, true, out);
    member_t *member = tip->from ? members_get (self->members, tip->from->device) : NULL;
    if (member)
        out->tip = tip_number (member->device_key, tip->from->epoch, tip->from->counter);
    if (member && !tip->anonymous)
        out->reporter = s_keep (self, s_pseudonym (self, member, envelope_day (at_ms)));
    return true;
}

static bool s_has_inbox (Patrol__DeviceSlot **inbox, size_t count, const viewer_t *viewer)
{
    bool mine = false;
    for (size_t i = 0; viewer->role == PATROL__ROLE__NODE && i < count; i++)
        mine |= inbox [i]->device == viewer->device;
    return mine;
}

static bool s_status (item_maker_t *self, const Patrol__StatusChanged *change, const viewer_t *viewer, Patrol__Item *out)
{
    bool mine = s_has_inbox (change->inbox, change->n_inbox, viewer);
    if (!mine && !s_may_see (change->slots, change->n_slots, viewer, out))
        return false;
    out->type = PATROL__ITEM_TYPE__ITEM_STATUS;
    out->incident = change->incident;
    out->version = change->version;
    out->status = change->status;
    out->station = change->station;
    out->actor = change->officer;
    out->reason = change->reason;
    s_texts (self, change->texts, !mine, out);
    return true;
}

static bool s_placed (item_maker_t *self, const Patrol__Placed *placed, const viewer_t *viewer, Patrol__Item *out)
{
    if (!s_may_see (placed->slots, placed->n_slots, viewer, out))
        return false;
    out->type = PATROL__ITEM_TYPE__ITEM_PLACED;
    out->incident = placed->incident;
    out->version = placed->version;
    out->station = placed->station;
    out->actor = placed->officer;
    out->has_position = true;
    out->lat_e7 = placed->lat_e7;
    out->lon_e7 = placed->lon_e7;
    out->place = placed->place;
    out->why = placed->why;
    s_texts (self, placed->texts, true, out);
    return true;
}

//  A reporter is told where his tip stands now; that it was merged is the police's business.
static bool s_told (item_maker_t *self, ProtobufCBinaryData status, ProtobufCBinaryData station, ProtobufCBinaryData officer,
    const Patrol__DayText *texts, Patrol__Item *out)
{
    out->type = PATROL__ITEM_TYPE__ITEM_STATUS;
    out->status = status;
    out->station = station;
    out->actor = officer;
    s_texts (self, texts, false, out);
    return true;
}

static bool s_merged (item_maker_t *self, const Patrol__Merged *merged, const viewer_t *viewer, Patrol__Item *out)
{
    bool mine = s_has_inbox (merged->inbox, merged->n_inbox, viewer);
    if (!mine && !s_may_see (merged->slots, merged->n_slots, viewer, out))
        return false;
    out->incident = mine ? merged->into : merged->incident;
    out->version = mine ? merged->into_version : merged->version;
    if (mine)
        return s_told (self, merged->status, merged->station, merged->officer, merged->texts, out);
    out->type = PATROL__ITEM_TYPE__ITEM_MERGE;
    out->other = out->duplicate_of = merged->into;
    out->other_version = merged->into_version;
    out->status = s_keep (self, "merged");
    out->station = merged->station;
    out->actor = merged->officer;
    out->witnesses = merged->witnesses;
    out->score_e3 = merged->score_e3;
    out->why = merged->why;
    s_texts (self, merged->texts, true, out);
    return true;
}

static bool s_split (item_maker_t *self, const Patrol__Split *split, const viewer_t *viewer, Patrol__Item *out)
{
    bool mine = s_has_inbox (split->inbox, split->n_inbox, viewer);
    if (!mine && !s_may_see (split->slots, split->n_slots, viewer, out))
        return false;
    out->incident = mine ? split->created : split->incident;
    out->version = mine ? split->created_version : split->version;
    if (mine)
        return s_told (self, s_keep (self, "open"), split->station, split->officer, split->texts, out);
    out->type = PATROL__ITEM_TYPE__ITEM_SPLIT;
    out->other = split->created;
    out->other_version = split->created_version;
    //  What the new incident is about: a reader that keeps copies shows it by this until it asks for the tips.
    out->kind = split->kind;
    out->severity = split->severity;
    out->cls = split->cls;
    out->has_position = split->has_position;
    out->lat_e7 = split->lat_e7;
    out->lon_e7 = split->lon_e7;
    out->place = split->place;
    out->area = split->area;
    out->station = split->station;
    out->actor = split->officer;
    out->witnesses = split->witnesses;
    out->why = s_keep (self, split->restored ? "not the same: the merge is undone" : "not the same");
    s_texts (self, split->texts, true, out);
    return true;
}

static bool s_delivered (const Patrol__DeliveredEvent *event, const viewer_t *viewer, Patrol__Item *out)
{
    if (viewer->role != PATROL__ROLE__COORDINATOR && !s_is (event->station, viewer->station))
        return false;
    out->type = PATROL__ITEM_TYPE__ITEM_DELIVERED;
    out->station = event->station;
    return true;
}

//  Administrative events, for coordinators: one line each.
static bool s_admin (item_maker_t *self, const Patrol__Record *record, Patrol__Item *out)
{
    char line [160] = "", id [14];
    switch (record->event_case) {
    case PATROL__RECORD__EVENT_ENROLLED:
        snprintf (line, sizeof line, "device %u enrolled", record->enrolled->device);
        break;
    case PATROL__RECORD__EVENT_REVOKED:
        id64_format (id, record->revoked->member);
        snprintf (line, sizeof line, "member %s revoked: %.*s", id,
            (int)(record->revoked->why.len > 100 ? 100 : record->revoked->why.len), (const char *)record->revoked->why.data);
        break;
    case PATROL__RECORD__EVENT_AREAS:
        snprintf (line, sizeof line, "areas version %llu loaded, %u features", (unsigned long long)record->areas->version,
            record->areas->features);
        break;
    case PATROL__RECORD__EVENT_PLACES:
        snprintf (line, sizeof line, "places loaded, %u rows", record->places->rows);
        break;
    case PATROL__RECORD__EVENT_REFUSED:
        snprintf (line, sizeof line, "refused, code %u: %.*s", record->refused->code,
            (int)(record->refused->detail.len > 100 ? 100 : record->refused->detail.len),
            (const char *)record->refused->detail.data);
        break;
    case PATROL__RECORD__EVENT_INCARNATION:
        snprintf (line, sizeof line, "incarnation %llu begun", (unsigned long long)record->incarnation->incarnation);
        break;
    case PATROL__RECORD__EVENT_TIP:
    case PATROL__RECORD__EVENT_STATUS:
    case PATROL__RECORD__EVENT_PLACED:
    case PATROL__RECORD__EVENT_MERGED:
    case PATROL__RECORD__EVENT_SPLIT:
    case PATROL__RECORD__EVENT_DELIVERED:
    case PATROL__RECORD__EVENT_INVITED:
    case PATROL__RECORD__EVENT_DONE_BELOW:
    case PATROL__RECORD__EVENT_AUDIT_HEAD:
    case PATROL__RECORD__EVENT_CURSOR_DROPPED:
    case PATROL__RECORD__EVENT_KINDS:
    case PATROL__RECORD__EVENT__NOT_SET:
    case _PATROL__RECORD__EVENT__CASE_IS_INT_SIZE:
        return false;
    }
    out->type = PATROL__ITEM_TYPE__ITEM_ADMIN;
    out->admin = s_keep (self, line);
    return true;
}

bool item_make (item_maker_t *self, const item_source_t *source, const viewer_t *viewer, bool admin, Patrol__Item *out)
{
    Patrol__Record *record = patrol__record__unpack (arena_allocator (self->arena), source->size, source->record);
    self->source = source;
    if (!record)
        return false;
    patrol__item__init (out);
    out->seq = source->seq;
    out->at_ms = record->at_ms;
    if (record->event_case == PATROL__RECORD__EVENT_TIP)
        return s_tip (self, record->tip, record->at_ms, viewer, out);
    if (record->event_case == PATROL__RECORD__EVENT_STATUS)
        return s_status (self, record->status, viewer, out);
    if (record->event_case == PATROL__RECORD__EVENT_PLACED)
        return s_placed (self, record->placed, viewer, out);
    if (record->event_case == PATROL__RECORD__EVENT_MERGED)
        return s_merged (self, record->merged, viewer, out);
    if (record->event_case == PATROL__RECORD__EVENT_SPLIT)
        return s_split (self, record->split, viewer, out);
    if (record->event_case == PATROL__RECORD__EVENT_DELIVERED)
        return admin && s_delivered (record->delivered, viewer, out);
    return admin && viewer->role == PATROL__ROLE__COORDINATOR && s_admin (self, record, out);
}
