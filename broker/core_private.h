//  core_private - what core.c, coresession.c, corefeed.c and operator.c share

#ifndef CORE_PRIVATE_H_INCLUDED
#define CORE_PRIVATE_H_INCLUDED

#include "core.h"
#include "engine.h"
#include "frame.h"
#include "item.h"
#include "local.h"
#include "pipe.h"
#include "reader.h"

#define SESSION_SLOTS 65536u
#define RECENT FEED_RECENT //  newest records kept in memory for feeds, and which items they are

typedef struct {
    uint64_t epoch;
    intervals_t set;
} delivered_t;

typedef struct {
    uint32_t id; //  given by the front
    uint8_t link_key [KEY_SIZE];
    admission_t admission;
    member_t *member; //  NULL for an enrolment
    bool attached;
    uint64_t number, last_seq; //  of the attached session
    feed_t *feed;              //  a desk's; NULL for coordinators (the log) and nodes (the inbox)
    uint64_t sent, credit;     //  feed: highest item sent, highest that may be
    bool watch_asked, watches; //  a coordinator's feed: its audit row is asked for, is on disk
    Patrol__Taken *receipts;   //  to be sent, texts malloc'ed
    uint32_t receipt_count, receipt_room;
    delivered_t delivered [LIVE_EPOCHS];
    int delivered_count;
    bool mesh;                       //  takes part in the mesh: hears of epochs, letters, revocations
    bool dirty;                      //  stands in core's dirty list
    uint64_t read_hash, read_cursor; //  the read under way: its pages belong together
} core_session_t;

//  An sos that no desk has yet, for the warning.
typedef struct {
    uint64_t incident, epoch, counter;
    uint32_t device;
    char station [33];
    int64_t at_ms;
} sos_t;

typedef struct core_t core_t;
typedef struct core_mesh_t core_mesh_t; //  coremesh.c
typedef struct check_t check_t;
typedef struct swap_t swap_t;
typedef struct effect_t effect_t;

//  What is to happen when a record is durable.
struct effect_t {
    uint64_t ticket;
    take_t take; //  owns take.record until it moves to `recent`
    void (*done) (core_t *self, effect_t *effect, uint64_t seq);
    uint32_t session;       //  of an enrolment
    local_client_t *client; //  of an operator's command
    json_t *answer;
};

typedef struct {
    uint64_t seq;
    uint8_t *record, *texts; //  texts: packed and in clear, NULL if there are none
    size_t size, texts_size;
} recent_t;

//  Counted reasons for the operator; indexes beyond CODE_COUNT are named in operator.c.
#define CODE_COUNT 23

struct core_t {
    const char *home;
    engine_t *engine;
    eventlog_t *log;
    eventlog_reader_t *log_reader; //  this thread's
    core_mesh_t *mesh;
    reader_t *reader; //  thread of queries and the audit
    item_maker_t *items;
    local_t *local;
    int listen_fd, stop_fd, life_fd, fresh_fds [4];
    pipe_t *lanes [LANE_COUNT];
    core_session_t *sessions [SESSION_SLOTS];
    uint32_t session_count;
    uint32_t *dirty;
    uint32_t dirty_count, dirty_room;
    uint32_t desks [4096]; //  attached sessions of desks and coordinators
    uint32_t desk_count;
    bool feeds_moved;
    effect_t *effects; //  ring in ticket order
    uint32_t effect_first, effect_count, effect_room;
    struct {
        uint8_t *bytes;
        size_t size;
        uint32_t session;
    } * deferred;
    uint32_t deferred_count, deferred_room;
    recent_t recent [RECENT];
    uint64_t durable; //  highest durable seq
    arena_t *arena;
    uint64_t refused [CODE_COUNT];
    uint64_t accepted, duplicates, conflicts, batches, commands;
    uint64_t front_counters [16];
    int front_counter_count;
    int64_t delivered_due_ms; //  0: nothing to log
    int64_t started_ms, next_second_ms, next_audit_ms;
    uint64_t audit_rows;
    bool is_home; //  the folder is a broker's home
    bool failed;  //  a commit failed: end
    struct {
        uint64_t id;
        int64_t warned_ms;
    } warned [64];
    sos_t sos [256];
    uint32_t sos_count;
    uint64_t per_second [60], accepted_before;
    int second;
    //  Answers to an operator that wait until the front has done what they say.
    struct {
        uint32_t number;
        local_client_t *client;
        json_t *answer;
    } fences [64];
    uint32_t fence_count, fence_number;
    check_t *check; //  a verify, a backup or a load of places under way
    swap_t *swap;   //  an area file being read
};

//  core.c
//  Appends a decided record with its effect; true if the caller's take was taken over.
void core_append (core_t *self, take_t *take, effect_t *effect);
//  Any decision of the engine: append, answer again, defer, or count the refusal.
void core_decide (core_t *self, take_t *take, core_session_t *session, const uint8_t *envelope, size_t size);
bool core_batch_is_full (const core_t *self, lane_t lane);
core_session_t *core_session (core_t *self, uint32_t id);
void core_refused (core_t *self, Patrol__Code code, const char *detail, const core_session_t *session);

//  coresession.c
void session_open (core_t *self, uint32_t id, const uint8_t *payload, size_t size);
void session_close (core_t *self, uint32_t id);
void session_close_all (core_t *self);
//  Logs how far the desks have stored their feeds, when that is due.
void session_flush_delivered (core_t *self, int64_t now_ms);
void session_frame (core_t *self, uint32_t id, const uint8_t *frame, size_t size);
void session_refusal (core_t *self, core_session_t *session, Patrol__Code code, const char *detail, uint32_t query);
//  Boxes a Down for an attached session and sends it.
bool session_down (core_t *self, core_session_t *session, Patrol__Down *down);
void session_answer (core_t *self, uint32_t id, const uint8_t *packed_answer, size_t size);
asker_t session_asker (const core_session_t *session);
void core_admit (core_t *self, const uint8_t key [KEY_SIZE], admission_t admission, int64_t expires_ms);
void core_admit_all (core_t *self);
//  The device session of a member, NULL if it has none.
core_session_t *member_session (core_t *self, const member_t *member);

//  corefeed.c
void feed_receipt (core_t *self, const take_t *take);
void feed_forget_receipts (core_session_t *session);
void feed_delivered (void *core, uint32_t device, uint64_t epoch, uint64_t counter);
void feed_touch (core_t *self, core_session_t *session);
void feed_watch (core_t *self, core_session_t *session, bool recorded); //  the audit row of a coordinator's feed
//  Sends what is due to every touched session.
void feed_pump (core_t *self);
//  A durable record: which sessions have something to send now?
void feed_wake (core_t *self, const take_t *take);

//  Log time of the oldest item of the feed that no desk has, 0 if there is none.
int64_t core_oldest_undelivered (core_t *self, const feed_t *feed);

//  The packed record of a position, from memory or the log. False if it is gone.
bool feed_source (core_t *self, uint64_t seq, item_source_t *source);

//  coremesh.c
core_mesh_t *mesh_open (core_t *self); //  NULL with one line on stderr
void mesh_close (core_mesh_t **self_p);
const uint8_t *mesh_receipts_key (const core_t *self);
void mesh_attach (core_t *self, core_session_t *session, const Patrol__MeshAttach *attach);
void mesh_reach (core_t *self, core_session_t *session, Patrol__MeshHandle **reach, size_t count);
//  engine_take for what a session submitted, with or without a trailer.
void mesh_take (
    core_t *self, const core_session_t *session, const uint8_t *bytes, size_t size, int64_t now_ms, take_t *take);
//  It is durable / refused without entering the log: its gateway hears of it.
void mesh_taken (core_t *self, const take_t *take);
void mesh_refused (core_t *self, const take_t *take);
//  Something is new for a member: gateways that reach it get a letter, if it has no session of its own.
void mesh_touch (core_t *self, const member_t *member);
void mesh_revoked (core_t *self);
void mesh_second (core_t *self, int64_t now_ms);
void mesh_pump (core_t *self);

//  operator.c
void operator_request (void *core, local_client_t *client, json_t *request);
void operator_gone (void *core, local_client_t *client);
//  The front has done everything up to this fence, or is gone (UINT32_MAX).
void operator_fenced (core_t *self, uint32_t number);
void operator_second (core_t *self, int64_t now_ms); //  warnings

//  operatorchecks.c
int checks_fd (const core_t *self); //  -1: nothing under way
//  Waits for the work under way, if there is any, and answers.
void checks_finish (core_t *self);

//  operatorswap.c: the same; when the core is ending nothing is swapped any more
int swap_fd (const core_t *self);
void swap_finish (core_t *self, bool ending);

#endif
