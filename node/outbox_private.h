//  outbox_private - what outbox.c, outboxstate.c and outboxview.c share; nobody else includes it

#ifndef OUTBOX_PRIVATE_H_INCLUDED
#define OUTBOX_PRIVATE_H_INCLUDED

#include "intervals.h"
#include "outbox.h"

enum {
    ORIGIN_ADD,
    ORIGIN_NEXT,
    ORIGIN_ALL,
    ORIGIN_FORGET,
    TIP_ADD,
    TIP_MOVE,
    TIP_GET,
    TIP_AT,
    TIP_FIND,
    TIP_SOS,
    TIP_STATE,
    TIP_ACTOR,
    TIP_TAKEN,
    TIP_REFUSE,
    TIP_OPEN,
    TIP_WITHDRAWING,
    TIP_REOPEN,
    TIP_DELIVER,
    TIP_KEPT,
    WITHDRAWALS,
    SEALED_ADD,
    SEALED_SET,
    SEALED_GET,
    SEALED_DROP,
    SEALED_OLD,
    SEALED_SIZE,
    SEALED_OLDEST,
    HISTORY_ADD,
    HISTORY_GET,
    OPEN_ENTRIES,
    UNSETTLED_ORIGINS,
    UNSETTLED_FIRST,
    WAITING,
    EACH,
    FORGET_TIPS,
    FORGET_HISTORY,
    FORGET_SEALED,
    IMPORT_ADD,
    MESH_CARRIER,
    MESH_HOPS,
    MESH_WORD,
    ACCEPTED_TIP,
    ACCEPTED_HISTORY,
    BEFORE_STATUS,
    OUTBOX_STATEMENTS
};

typedef struct {
    uint64_t epoch, next;
    intervals_t delivered; //  what the broker said in this session, also of tips whose receipt is still on its way
} origin_t;

struct outbox_t {
    nodestore_t *store; //  borrowed
    envelope_seal_t seal;
    uint8_t device_key [KEY_SIZE];
    arena_t *arena;    //  for opening our own envelopes when they must be sealed again
    origin_t *origins; //  the last one numbers what is written now
    int origin_count;
    uint64_t changes, reopened;
    sqlite3_stmt *sql [OUTBOX_STATEMENTS];
};

//  One row of tips, as far as its state goes.
typedef struct {
    int64_t row, target, accepted_ms;
    uint64_t epoch, counter, tag, version, number, resent;
    class_t cls;
    tip_state_t state;
    bool withdrawing;
    int open;
    char kind [33];
} row_t;

bool outbox_row (outbox_t *self, int64_t row, row_t *out);
bool outbox_row_at (outbox_t *self, uint64_t epoch, uint64_t counter, row_t *out);
void outbox_set_open (outbox_t *self, int64_t row, int open);
void outbox_set_withdrawing (outbox_t *self, int64_t row, bool withdrawing);

typedef struct {
    int64_t at_ms;
    const char *actor, *station, *detail;
} change_t;
//  The one place where a state changes; who asks has checked that it goes forward.
void outbox_set_state (outbox_t *self, int64_t row, tip_state_t state, const change_t *change);

//  Rows of the withdrawals that wait for this tip. Returns how many.
int outbox_withdrawals (outbox_t *self, int64_t row, int64_t rows [4]);
//  Takes them out of their wait: to be sent (1) or pointless (0).
void outbox_free_withdrawals (outbox_t *self, int64_t row, int open);

origin_t *outbox_origin (outbox_t *self, uint64_t epoch);
origin_t *outbox_current (outbox_t *self);
int outbox_begin_epoch (outbox_t *self, int64_t now_ms);

//  Seals what row holds under the next number of the current epoch. A withdrawal is made to name its tip's new number.
int outbox_seal_again (outbox_t *self, int64_t row, const outbox_ref_t *target, int64_t now_ms);

#endif
