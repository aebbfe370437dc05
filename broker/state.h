//  state - what follows from the log: incidents, feeds, cursors, members, what was taken
//
//  A projection in a SQLite file of its own (WAL, NORMAL, committed every second or 5,000 records) with the position up
//  to which it is applied; rolled forward on start, rebuilt from the log when it is gone. Moves members_t and
//  feeds_t along with its tables. One thread asks and applies; the writes run behind it on a thread of their own
//  (storewriter.h), and each question waits for those before it. What is asked on every tip is therefore in memory.

#ifndef STATE_H_INCLUDED
#define STATE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "feeds.h"
#include "members.h"
#include "patrol.pb-c.h"

typedef struct state_t state_t;

//  Opens or creates, and loads members and feeds from it. NULL with one line on stderr.
state_t *state_open (const char *path, members_t *members, feeds_t *feeds);
//  Commits and closes.
void state_close (state_t **self_p);

uint64_t state_applied (const state_t *self); //  log position, committed or not
int64_t state_log_time (const state_t *self); //  of the newest applied record

//  Applies one durable record. -1 with one line on stderr (disk, or a record that contradicts the state). A write that
//  fails later fails a later call.
int state_apply (state_t *self, uint64_t seq, const Patrol__Record *record);
//  Commits if due (now_ms), or if `force` and then waits for it. -1 with one line on stderr: the owner is to end.
int state_commit (state_t *self, int64_t now_ms, bool force);
//  True once a write has failed: the tables are behind, and what was decided from them must not be used.
bool state_failed (const state_t *self);

//  ---- what was taken under an identity
typedef struct {
    uint64_t tag, incident, seq, version;
    uint32_t code;
} taken_t;
//  The row with this tag, or any row of the identity. False if there is none.
bool state_taken (state_t *self, uint32_t device, uint64_t epoch, uint64_t counter, uint64_t tag, taken_t *out);

//  ---- incidents
typedef enum {
    STATUS_OPEN = 0,
    STATUS_ACKNOWLEDGED = 1,
    STATUS_DISPATCHED = 2,
    STATUS_CLOSED = 3,
    STATUS_WITHDRAWN = 4,
    STATUS_MERGED = 5 //  its tips belong to another incident
} status_t;
const char *status_name (status_t status);        //  open acknowledged dispatched closed withdrawn merged
int status_parse (const char *name, size_t size); //  -1 if it is none

typedef struct {
    uint64_t id, seq, version;
    status_t status;
    uint32_t station; //  feed number of the owner
    char station_id [33];
    uint32_t device; //  of the first tip
    uint64_t epoch, counter;
    int64_t at_ms, updated_ms;
    char by [65]; //  officer of the last change
    char kind [33];
    uint32_t severity, cls;
    char copies [110]; //  ",B,C,"
    uint64_t into;     //  merged into that one; 0 = not
    bool late;         //  all its tips came too late for the live picture
} incident_t;
bool state_incident (state_t *self, uint64_t id, incident_t *out);
bool state_has_incident (state_t *self, uint64_t id);
//  The highest id below `limit` (0: none) and the lowest from there on (UINT64_MAX: none).
void state_incident_bounds (state_t *self, uint64_t limit, uint64_t *below, uint64_t *from);
//  Devices whose tips belong to the incident, first one first. Returns how many, <= room.
typedef struct {
    uint32_t device;
    uint64_t epoch, counter;
} tip_of_t;
int state_tips_of (state_t *self, uint64_t incident, tip_of_t *out, int room);

//  Called for each incident that is open or ended after `since_ms` (log time), in order of id.
typedef struct {
    incident_t incident;
    bool has_position;
    int32_t lat_e7, lon_e7;
} active_row_t;
typedef void (state_active_fn) (void *context, const active_row_t *row);
void state_active (state_t *self, int64_t since_ms, state_active_fn *fn, void *context);
//  Positions in the log of the tips of an incident, first one first, at most room.
int state_tip_seqs (state_t *self, uint64_t incident, uint64_t *seqs, int room);
//  Pairs of incidents that somebody said are not the same.
typedef void (state_apart_fn) (void *context, uint64_t a, uint64_t b);
void state_apart (state_t *self, state_apart_fn *fn, void *context);

//  ---- feeds
//  Items after n, at most room. station feed / device inbox.
int state_feed_page (state_t *self, const feed_t *feed, uint64_t after, slot_t *out, int room);
int state_inbox_page (state_t *self, uint32_t device, uint64_t after, slot_t *out, int room);
//  Called for each tip that becomes delivered while records are applied.
typedef void (state_delivered_fn) (void *context, uint32_t device, uint64_t epoch, uint64_t counter);
void state_on_delivered (state_t *self, state_delivered_fn *fn, void *context);

//  A device's durable cursor in its feed; a resent item is harmless, so it may lag a second behind.
uint64_t state_cursor (state_t *self, uint32_t device);
int state_set_cursor (state_t *self, uint32_t device, uint64_t n, int64_t now_ms);

typedef struct {
    uint64_t open;
    uint64_t unacknowledged;          //  and not late: nobody is to be rung for those
    int64_t oldest_unacknowledged_ms; //  of these; 0 = none
} station_counts_t;
void state_counts (state_t *self, uint32_t station, station_counts_t *out);

//  The packed Signed credential of a member, caller frees; NULL if it is not durable.
uint8_t *state_credential (state_t *self, uint32_t device, size_t *size);
//  Adds a decided member to members_t before its record is durable. -1 if its number or keys are taken.
int state_add_member (state_t *self, const Patrol__MemberEnrolled *enrolled, int64_t at_ms);

//  Called for each incident of class sos that nobody has acknowledged.
typedef void (state_sos_fn) (void *context, const incident_t *incident);
void state_open_sos (state_t *self, state_sos_fn *fn, void *context);

//  Named values that records set: "areas_hash" (32 bytes) ... Returns the size, 0 if unset.
size_t state_blob_value (state_t *self, const char *key, uint8_t *out, size_t room);
int64_t state_value (state_t *self, const char *key); //  0 if unset

//  The tables a rebuild must reproduce, as one digest; for verify.
int state_digest (state_t *self, uint8_t digest [32], char *counts, size_t room);

#endif
