//  engine_private - what engine.c, tips.c, orders.c and maps.c share

#ifndef ENGINE_PRIVATE_H_INCLUDED
#define ENGINE_PRIVATE_H_INCLUDED

#include "active.h"
#include "engine.h"
#include "nearby.h"
#include "newids.h"
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
    arena_t *arena;         //  of the envelope being taken
    arena_t *apply_arena;   //  of the record being applied
    uint32_t hops;          //  of that envelope, 0 when it came directly
    pending_t *pending;     //  ids that records not yet durable have touched
    newids_t *newids;       //  incident ids that are surely free
    active_t *active;       //  incidents that may still change, as decided
    nearby_t *nearby;       //  which of them a further report may belong to
    eventlog_reader_t *log; //  borrowed
    uint64_t grown;         //  the incident that a tip has just joined by likeness: strays may follow; 0 = none
    int grown_count;        //  strays taken along since
};

//  The incident a tip belongs to and what its record says of it.
typedef struct {
    bool joined, defer;
    uint64_t incident, version;
    feed_t *owner;
    char copies [110];
    uint32_t score_e3, witnesses;
    status_t status;
    char why [200];
} joining_t;

//  What near dedupe sees of a tip. False: it is not compared (kind, class, no position, set aside).
typedef struct {
    const kind_t *kind;
    int kind_index;
    uint32_t cls;
    bool has_position, by_name, aside, late;
    int32_t lat_e7, lon_e7;
    uint32_t accuracy_m;
    int64_t seen_ms; //  corrected
    ProtobufCBinaryData place, text;
    const feed_t *owner;          //  of the place of the tip itself,
    const areas_choice_t *choice; //  and who else is told of that place; NULL when read from the log
    nearby_tip_t tip;             //  the same as near dedupe compares it, set by witness_find
} sighting_t;

//  witness.c
//  Loads what is active from the state, and the reports from the log.
void witness_open (engine_t *self);
//  Another report of something known? Fills joining, whose `why` also says what was near and is another matter. A tip that has joined
//  (it follows an earlier one) is only made ready for witness_taken.
void witness_find (engine_t *self, sighting_t *sighting, joining_t *joining);
//  The active incident as a tip's: version raised, device counted.
void witness_join (active_incident_t *incident, uint32_t device, joining_t *joining);
//  The tip's record is made. The sighting went through witness_find.
void witness_taken (engine_t *self, const sighting_t *sighting, uint32_t device, const joining_t *joining);
//  Tips have left `incident` for `created`: both are read again from the log.
void witness_split (engine_t *self, uint64_t incident, uint64_t created, const tip_of_t *tips, int count);
//  A change of status or place is made.
void witness_changed (engine_t *self, uint64_t incident, uint64_t version, status_t status, bool by_person, int64_t now_ms);

//  merges.c: two commands, and what the machine merges
void merge_record (engine_t *self, const Patrol__Inner *inner, const incident_t *incident, int64_t now_ms, take_t *out);
void split_record (engine_t *self, const Patrol__Inner *inner, const incident_t *incident, int64_t now_ms, take_t *out);
//  The code of a refusal with a line in out->detail, or OK.
Patrol__Code merge_judge (engine_t *self, const Patrol__Command *command, const incident_t *incident, take_t *out);
Patrol__Code split_judge (engine_t *self, const Patrol__Command *command, const incident_t *incident, take_t *out);
//  orders.c: may this member act on the incident?
bool order_allowed (const member_t *member, const incident_t *incident);
bool order_visible (const member_t *member, const incident_t *incident);

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
//  An id for an incident that this message begins: the natural one, or the next free one.
uint64_t engine_new_incident (engine_t *self, const Patrol__Inner *inner, const member_t *member);
//  Slots in the inboxes of the incident's reporters.
size_t engine_inbox (engine_t *self, uint64_t incident, Patrol__DeviceSlot ***slots);

#endif
