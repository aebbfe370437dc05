//  outbox - what this node has written: numbered, sealed, kept, and how far each came
//
//  A tip and its number are one transaction, and the bytes sealed then are the bytes sent for ever after. States go
//  forward only and never ahead of what was confirmed: a receipt counts when its tag is our own, a delivery or a
//  status when the receipt has been seen. Changes are durable after the caller's nodestore_commit.

#ifndef OUTBOX_H_INCLUDED
#define OUTBOX_H_INCLUDED

#include "envelope.h"
#include "nodestore.h"

typedef struct outbox_t outbox_t;

//  Stored numbers.
typedef enum {
    TIP_HELD = 0,
    TIP_CARRIED = 1, //  another node has a copy on its disk
    TIP_ACCEPTED = 2,
    TIP_DELIVERED = 3,
    TIP_ACKNOWLEDGED = 4,
    TIP_DISPATCHED = 5,
    TIP_CLOSED = 6,
    TIP_REFUSED = 10,
    TIP_WITHDRAWN = 12
} tip_state_t;

const char *tip_state_name (tip_state_t state);             //  "held" ...; English, a contract
int tip_state_parse (tip_state_t *state, const char *name); //  -1 if it is none a person can wait for

#define OUTBOX_SEALED_BUDGET (64 * 1024 * 1024) //  sealed bytes of accepted tips kept for a new incarnation
#define OUTBOX_SEALED_MS (7 * 86400000ll)       //  and for how long
#define OUTBOX_MEMORY_MS (30 * 86400000ll)      //  settled tips are forgotten after this

//  The store is borrowed; seal and device key are copied. NULL with one line on stderr.
outbox_t *outbox_open (nodestore_t *store, const envelope_seal_t *seal, const uint8_t device_key [KEY_SIZE], int64_t now_ms);
void outbox_close (outbox_t **self_p);

//  After a failed commit: reads again what is kept in memory.
void outbox_reload (outbox_t *self);

typedef struct {
    int64_t row;
    uint64_t epoch, counter;
    uint64_t number; //  public, as the person was told it
} outbox_ref_t;

//  The broker takes no number more than 10,000 ahead: an sos with so many unsettled before it begins a new epoch.
#define OUTBOX_SOS_BEHIND 5000

//  Seals and keeps. The tip is checked already. Returns 0 with *ref, -1 if it could not be kept.
int outbox_add_tip (outbox_t *self, const Patrol__Tip *tip, uint32_t life_h, int64_t now_ms, outbox_ref_t *ref);

typedef enum { WITHDRAW_KEPT, WITHDRAW_ALREADY, WITHDRAW_SETTLED, WITHDRAW_FAILED } withdraw_t;
//  A withdrawal waits until the broker has the tip. ALREADY: one is on its way; SETTLED: closed, refused or withdrawn.
withdraw_t outbox_add_withdraw (outbox_t *self, int64_t row, int64_t now_ms);

//  ---- finding and telling

//  By the id a person has; a tip that was sealed again has two.
int outbox_find (outbox_t *self, const char *tip_id, outbox_ref_t *ref);
//  The newest sos that is not closed, refused or withdrawn. -1 if there is none.
int outbox_find_sos (outbox_t *self, outbox_ref_t *ref);
//  The public number of a tip of this device, as the person was told it.
uint64_t outbox_number (outbox_t *self, uint64_t epoch, uint64_t counter);

typedef struct {
    int64_t row;
    uint64_t epoch, counter, number, incident;
    uint64_t resent; //  the number desks see, of a tip that was sealed again; 0 = the same
    class_t cls;
    uint32_t severity, code;
    tip_state_t state;
    int64_t written_ms, since_ms, accepted_ms, no_desk_ms;
    bool withdrawing, open;
    uint32_t carriers; //  nodes that have told us that they have a copy on disk
    int hops;          //  links the copy passed that the broker took, -1 = not known
    char kind [33], station [33], actor [65], detail [256], place [201];
    const char *text; //  NULL once the broker has it; borrowed for the call
} outbox_tip_t;

typedef bool (outbox_tip_fn) (void *context, const outbox_tip_t *tip); //  false stops

//  Tips (not withdrawals) with row > after in the order they were written; `only` > 0: just that row.
//  Returns the last row told, `after` when there was none.
int64_t outbox_each (outbox_t *self, int64_t after, int64_t only, int limit, outbox_tip_fn *tell, void *context);

typedef struct {
    int64_t at_ms;
    tip_state_t state;
    char actor [65], station [33], detail [256];
} outbox_change_t;
typedef void (outbox_change_fn) (void *context, const outbox_change_t *change);
void outbox_history (outbox_t *self, int64_t row, outbox_change_fn *tell, void *context);

uint64_t outbox_waiting (outbox_t *self); //  envelopes the broker has not confirmed
tip_state_t outbox_state (outbox_t *self, int64_t row);
uint64_t outbox_changes (const outbox_t *self);  //  grows with every tip written and every change of a state
uint64_t outbox_reopened (const outbox_t *self); //  grows when older envelopes are to be sent (again)

//  ---- sending

typedef struct {
    int64_t row;
    uint64_t epoch, counter;
    uint32_t size;
    class_t cls;
    int64_t written_ms; //  device clock
    bool taken;         //  the broker has it, by its receipt or its word on the mesh
    bool receipted;     //  an sos that is repeated until somebody acknowledges it
} outbox_entry_t;

//  Up to `room` entries of a class to be offered, row > after, oldest first.
int outbox_open_entries (outbox_t *self, class_t cls, int64_t after, outbox_entry_t *entries, int room);
//  The bytes as first sealed. 0 if they are gone.
size_t outbox_sealed (outbox_t *self, int64_t row, uint8_t out [ENVELOPE_MAX]);

//  Streams the broker is asked about: the current one and those with unsettled envelopes. Returns the count.
int outbox_origins (outbox_t *self, uint64_t epochs [4], uint64_t nexts [4]);
//  What Attached says about one stream: `taken` and `delivered` are packed sets. Begins a new epoch when the broker
//  has seen counters this store has not given yet.
void outbox_origin_state (outbox_t *self, const Patrol__OriginState *state, int64_t broker_ms, int64_t now_ms);
//  Everything accepted that is still kept and not in `attached`'s taken sets is to be offered again.
void outbox_new_incarnation (outbox_t *self, const Patrol__Attached *attached);
//  The first counter of the epoch that is not settled.
uint64_t outbox_done_below (outbox_t *self, uint64_t epoch);

//  ---- what the broker says

typedef enum {
    RECEIPT_UNKNOWN,  //  nothing of ours, or nothing new
    RECEIPT_LATER,    //  not taken, send it again later
    RECEIPT_SETTLED,  //  not to be sent again
    RECEIPT_ACCEPTED, //  a tip is accepted now; inbox may know more about it
    RECEIPT_REPEATED, //  accepted, and goes on being sent: an sos
    RECEIPT_OTHER_TAG //  the broker has another envelope of this number: this store is a copy
} receipt_t;

//  *row is the envelope's row, 0 for UNKNOWN.
receipt_t outbox_receipt (outbox_t *self, const Patrol__Taken *taken, int64_t now_ms, int64_t *row);
//  For OTHER_TAG, once all receipts that came together are processed: seals the envelope again in a new epoch, once;
//  a second time it is held and not sent any more. Returns true if it is to be sent now.
bool outbox_reseal (outbox_t *self, int64_t row, int64_t now_ms);
void outbox_delivered (outbox_t *self, uint64_t epoch, const uint8_t *set, size_t size, int64_t at_ms);

typedef struct {
    uint64_t epoch, counter, version;
    int64_t at_ms;
    const char *status, *actor, *station; //  status: acknowledged dispatched closed open withdrawn
} outbox_status_t;
//  Does nothing until the tip is accepted. Returns true if an sos need not be repeated any more, *row set.
bool outbox_status (outbox_t *self, const outbox_status_t *status, int64_t *row);

//  ---- the mesh (outboxmesh.c)

//  A neighbour has a copy of the envelope of this row on its disk.
void outbox_carried (outbox_t *self, int64_t row, int64_t now_ms);
//  The broker's signed word has come over the mesh: a held or carried tip is accepted, at_ms by the broker's clock. Station and
//  incident are not known yet, so the envelope stays open: the first receipt (or letter) settles it.
//  True with its identity if it was news: what is known about it already (inbox) is to be applied now.
bool outbox_word (outbox_t *self, int64_t row, int64_t at_ms, uint64_t *epoch, uint64_t *counter);
void outbox_hops (outbox_t *self, uint64_t epoch, uint64_t counter, int hops);

//  ---- keeping house

//  Drops sealed bytes and settled tips that are old enough; call only when the clock is known to be right.
void outbox_forget (outbox_t *self, int64_t now_ms);

//  True if the key of an import line was new and is remembered now.
bool outbox_import_new (outbox_t *self, const uint8_t *key, size_t size);

#endif
