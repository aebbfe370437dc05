//  engine - what becomes of one envelope: open, dedupe, validate, geotag, route, record
//
//  A library without sockets and clocks; time is always an argument. It decides and hands back a packed Record; the owner
//  appends it to the log and tells the engine when it is durable. Daemon, tests, fuzzers and benches drive the same engine. One thread.

#ifndef ENGINE_H_INCLUDED
#define ENGINE_H_INCLUDED

#include "areas.h"
#include "daykeys.h"
#include "eventlog.h"
#include "kinds.h"
#include "places.h"
#include "state.h"

typedef struct engine_t engine_t;

//  Opens state, day keys and maps of a broker's home and rolls the state forward from the log (progress on stderr when it
//  takes long). NULL with one line on stderr.
engine_t *engine_open (const char *home, eventlog_reader_t *log);
void engine_close (engine_t **self_p);

//  What one call decided.
typedef enum {
    TAKE_RECORD, //  append `record`; the receipt goes out when it is durable
    TAKE_AGAIN,  //  durable before: send the receipt at once
    TAKE_WAIT,   //  seen, not yet durable: its receipt is under way
    TAKE_DEFER,  //  depends on a record that is not durable yet: offer it again after the next commit
    TAKE_REFUSED //  not trustworthy or not now: `code` and `detail` go to the peer, nothing to the log
} verdict_t;

typedef struct {
    verdict_t verdict;
    Patrol__Code code;
    char detail [200];
    member_t *member; //  sender, NULL when unknown
    uint64_t epoch, counter, tag, incident, version;
    char station [33]; //  owner, of an accepted tip
    int64_t at_ms;     //  log time
    uint8_t *record;   //  packed, the caller's (free); NULL unless TAKE_RECORD
    size_t record_size;
    uint8_t
        *texts; //  what the record holds sealed, packed Texts in clear: saves opening it for the live feeds; the caller's
    size_t texts_size;
    bool sos;
    uint64_t other; //  second incident of a merge or split, 0 = none
    //  Set by the owner, of an envelope that came with a trailer: whose mid, and which session is to hear of it.
    bool relayed, told, told_sos;
    uint8_t mid [MID_SIZE];
    uint32_t gateway;
} take_t;

//  `from`: the member whose link brought it, NULL when it was relayed by somebody else.
void engine_take (engine_t *self, const uint8_t *envelope, size_t size, member_t *from, int64_t now_ms, take_t *out);

//  What the engine itself decides after a take that is appended: call it until false, append each. (A tip that joined an incident may take along
//  one that stood alone beside it.)
bool engine_more (engine_t *self, int64_t now_ms, take_t *out);
//  How many links the next envelope passed before its gateway had it, as the mesh says; for its record only.
void engine_hops (engine_t *self, uint32_t hops);

//  A device has settled everything below a counter. TAKE_RECORD or TAKE_WAIT (nothing to do).
void engine_done_below (engine_t *self, member_t *member, uint64_t epoch, uint64_t counter, int64_t now_ms, take_t *out);
//  A station's desk has stored items up to n. TAKE_RECORD when it is the first to come that far.
void engine_delivered (engine_t *self, member_t *desk, uint64_t up_to, int64_t now_ms, take_t *out);

//  Tells the engine the ticket of the record it just handed out, and later that tickets up to one are durable.
void engine_appended (engine_t *self, const take_t *take, uint64_t ticket);
void engine_completed (engine_t *self, uint64_t ticket);
//  Applies a durable record to the state. -1: end.
int engine_apply (engine_t *self, uint64_t seq, const uint8_t *record, size_t size);

//  Log time: never decreases.
int64_t engine_now (engine_t *self, int64_t now_ms);

//  ---- maps: a new file is checked and swapped in by the record that announces it
//  The blob is to be appended before the record. TAKE_REFUSED with detail when the file is not usable.
void engine_load_areas (engine_t *self, const char *bytes, size_t size, datum_t datum, int64_t now_ms, uint8_t hash [32],
    areas_fault_fn *fault, void *context, take_t *out);
//  The same in two steps, for who loads elsewhere: takes areas whose version is one above the present.
void engine_swap_areas (engine_t *self, areas_t **areas_p, const char *bytes, size_t size, datum_t datum, int64_t now_ms,
    uint8_t hash [32], take_t *out);
void engine_load_places (
    engine_t *self, const char *bytes, size_t size, datum_t datum, int64_t now_ms, uint8_t hash [32], take_t *out);
//  The same with a gazetteer that was loaded elsewhere, on another thread: takes it. hash: of the file's bytes (engine_hash_map).
void engine_swap_places (
    engine_t *self, places_t **places_p, const uint8_t hash [32], datum_t datum, int64_t now_ms, take_t *out);
void engine_hash_map (uint8_t hash [32], const char *bytes, size_t size);
void engine_load_kinds (engine_t *self, const char *bytes, size_t size, int64_t now_ms, uint8_t hash [32], take_t *out);

//  ---- what others read
members_t *engine_members (engine_t *self);
feeds_t *engine_feeds (engine_t *self);
state_t *engine_state (engine_t *self);
areas_t *engine_areas (engine_t *self);
places_t *engine_places (engine_t *self);
kinds_t *engine_kinds (engine_t *self);
bool engine_kinds_are_own (const engine_t *self); //  not the built-in set
daykeys_t *engine_daykeys (engine_t *self);
const box_keys_t *engine_core_keys (const engine_t *self);
const uint8_t *engine_district (const engine_t *self);
//  Incidents that may still change, and the bytes kept for them in memory.
uint32_t engine_active (const engine_t *self, size_t *bytes);

//  The feed of a station that exists in the areas, or of one that has had items; NULL otherwise.
feed_t *engine_station_feed (engine_t *self, const char *id, size_t size);

//  Packs a record with log time into malloc'ed memory: for the modules that make records of their own.
void engine_record (engine_t *self, Patrol__Record *record, int64_t now_ms, take_t *out);
void engine_refuse (take_t *out, Patrol__Code code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

#endif
