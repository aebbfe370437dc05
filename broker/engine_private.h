//  engine_private - what engine.c, tips.c, orders.c and maps.c share

#ifndef ENGINE_PRIVATE_H_INCLUDED
#define ENGINE_PRIVATE_H_INCLUDED

#include "engine.h"
#include "pending.h"

struct engine_t {
    members_t *members;
    feeds_t *feeds;
    state_t *state;
    daykeys_t *daykeys;
    areas_t *areas;
    places_t *places;
    kinds_t *kinds;
    bool own_kinds;
    feed_t **area_feeds; //  by station index of `areas`
    box_keys_t core_keys;
    uint8_t district [DISTRICT_SIZE];
    uint32_t key_id;
    int64_t log_time;
    arena_t *arena;       //  of the envelope being taken
    arena_t *apply_arena; //  of the record being applied
    uint32_t hops;        //  of that envelope, 0 when it came directly
    pending_t *pending;   //  ids that records not yet durable have touched
};

//  tips.c
void tip_take (engine_t *self, const Patrol__Inner *inner, const uint8_t *envelope, size_t size, bool direct, bool conflict,
    int64_t now_ms, take_t *out);
void withdraw_take (engine_t *self, const Patrol__Inner *inner, int64_t now_ms, take_t *out);
//  orders.c
void command_take (engine_t *self, const Patrol__Inner *inner, int64_t now_ms, take_t *out);

//  Seals what a person wrote under the key of the log day. False when the key cannot be kept (disk).
bool engine_seal_texts (engine_t *self, const Patrol__Texts *texts, int64_t at_ms, Patrol__DayText *out, take_t *take);
//  True if what was written then may refer to a tip or change that this incarnation lacks and that will be offered again.
bool engine_may_come_again (engine_t *self, int64_t written_ms);
//  A borrowed text as a field of a message.
ProtobufCBinaryData engine_bytes (const char *text);
//  Fills From of what is being taken.
void engine_from (const take_t *out, Patrol__From *from);
//  A refusal that enters the log, so that its counter is settled.
void engine_log_refusal (engine_t *self, Patrol__Code code, int64_t now_ms, take_t *out);
//  Slots in the feeds of the owner and of copy holders (",A,B,"); counts numbers up. Arena memory.
size_t engine_slots (engine_t *self, feed_t *owner, const char *copies, Patrol__FeedSlot ***slots);
//  Slots in the inboxes of the incident's reporters.
size_t engine_inbox (engine_t *self, uint64_t incident, Patrol__DeviceSlot ***slots);

#endif
