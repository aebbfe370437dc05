//  state_private - what state.c and stateapply.c share

#ifndef STATE_PRIVATE_H_INCLUDED
#define STATE_PRIVATE_H_INCLUDED

#include "state.h"
#include "store.h"
#include "storewriter.h"

enum {
    Q_TAKEN_ADD,
    Q_TAKEN_GET,
    Q_INCIDENT_ADD,
    Q_INCIDENT_GET,
    Q_INCIDENT_SET,
    Q_INCIDENT_JOINED,
    Q_INCIDENT_PLACE,
    Q_HISTORY_ADD,
    Q_FEED_ADD,
    Q_FEED_PAGE,
    Q_INBOX_ADD,
    Q_INBOX_PAGE,
    Q_CURSOR_GET,
    Q_CURSOR_SET,
    Q_ORIGIN_SET,
    Q_STATION_ADD,
    Q_STATION_DELIVERED,
    Q_MEMBER_ADD,
    Q_MEMBER_REVOKE,
    Q_INVITE_ADD,
    Q_INVITE_USED,
    Q_META_SET,
    Q_META_GET,
    Q_COUNTS,
    Q_INCIDENT_HAS,
    Q_MERGED_INTO,
    Q_APART_ADD,
    Q_APART_DROP,
    Q_TAKEN_OWN,
    Q_HISTORY_MOVE,
    Q_HISTORY_MOVE_ONE,
    Q_HISTORY_DROP,
    Q_TIPS_OF,
    Q_COUNT
};

//  What merging added, as one step of the schema.
#define STATE_MERGE_SCHEMA                                                    \
    "ALTER TABLE incident ADD COLUMN merged_into INTEGER NOT NULL DEFAULT 0;" \
    "CREATE INDEX incident_ended ON incident (updated) WHERE status >= 3;"    \
    "CREATE TABLE apart (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;"

struct state_t {
    sqlite3 *db;               //  the writer's; ours after state_settled
    sqlite3_stmt *q [Q_COUNT]; //  as db
    storewriter_t *writer;
    members_t *members;
    feeds_t *feeds;
    uint64_t applied;
    uint64_t applying; //  the record whose writes are being put
    int64_t log_time, commit_due_ms;
    uint32_t uncommitted, stations;
    bool open; //  a transaction is open
    //  A write has failed, or a record contradicts: what is not committed is thrown away, and nothing more is written.
    bool failed;
    state_delivered_fn *on_delivered;
    void *on_delivered_context;
    struct {
        uint32_t device;
        uint64_t epoch;
    } * dirty_ids; //  origins whose row is behind
    int dirty_count, dirty_room;
};

int state_begin (state_t *self);
//  Puts one write; what it says is in the tables before the next question is asked. -1 if an earlier one has failed.
int state_write (state_t *self, int query, const char *types, ...);
//  The connection, or one of its statements, when all that was put is written: for a question at once.
sqlite3 *state_settled (state_t *self);
sqlite3_stmt *state_ask (state_t *self, int query);
void state_copy (char *out, size_t room, ProtobufCBinaryData from);
int state_set_value (state_t *self, const char *key, int64_t value);
int state_set_blob (state_t *self, const char *key, ProtobufCBinaryData value);
//  The origin's row is behind and is written at the next commit.
void state_touch (state_t *self, uint32_t device, origin_t *origin);

//  stateapply.c: parts of applying that every record with a sender or a feed needs. NULL, -1: contradiction or disk.
origin_t *state_take (state_t *self, const Patrol__From *from, int64_t at_ms);
int state_add_taken (
    state_t *self, const Patrol__From *from, uint32_t code, uint64_t incident, uint64_t seq, uint64_t version);
int state_add_feed (state_t *self, uint64_t seq, Patrol__FeedSlot **slots, size_t count, const Patrol__From *owned);
int state_add_history (state_t *self, uint64_t incident, uint64_t seq, const Patrol__From *tip);
//  A new incident's row; position is lat, lon in 1e-7 degree or NULL. The texts of `incident` that a row has not got are not read.
int state_add_incident (state_t *self, const incident_t *incident, ProtobufCBinaryData area, const int32_t *position);
int state_add_inbox (state_t *self, uint64_t seq, Patrol__DeviceSlot **slots, size_t count);

//  statemerge.c
int state_apply_merged (state_t *self, uint64_t seq, int64_t at, const Patrol__Merged *merged);
int state_apply_split (state_t *self, uint64_t seq, int64_t at, const Patrol__Split *split);

#endif
