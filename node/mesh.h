//  mesh - which tip to give to which neighbour, which copy to keep, when to let it go
//
//  A pure library: no socket, no clock, no disk, no thread. The daemon and the city simulator link the same object. It
//  keeps in memory what it must decide on; the caller moves bytes, keeps the store, and performs the actions it is told.
//
//  Time. Every call takes `now`, milliseconds on a clock that does not go back while the process lives (CLOCK_BOOTTIME).
//  A tip's age is a duration since its creation that every carrier adds to; no wall clock is compared between nodes.
//
//  Bytes. A control frame (meshwire.h) is one message on a link and the library makes and reads all of them: the caller passes frames
//  through and need not know what is in them. A tip travels as its *head* (MESH_HEAD bytes, made by the library) followed by the envelope.
//
//  One link, from beginning to end:
//    mesh_link_up          both credentials are checked; frames may flow. With the neighbour's beacon if one was heard.
//    mesh_frame_in         every control frame that came
//    MESH_READY            something may be sent on that link: ask mesh_next_tip, then mesh_sending, send head and envelope,
//                          and say mesh_sent when the last byte is with the transport. One tip at a time and link.
//    mesh_tip_in           a head and a whole envelope came; its mid is what was computed from the envelope, never what was claimed
//    MESH_PUT, mesh_stored a taken tip goes on disk first; the neighbour is told (ACK) only after mesh_stored
//    mesh_link_down        whatever was in flight is forgotten and offered again elsewhere
//
//  Broker. A node whose session with the broker is up (mesh_broker_up) is a gateway: it takes every tip, MESH_SUBMIT asks
//  the caller to hand it over, and mesh_accepted answers. Copies are dropped on the broker's signed word only (meshreceipt.h):
//  an epoch, or the single for one tip. A neighbour's unsigned word never deletes anything.
//
//  Hostile neighbours. Every frame is refused or bounded by the limits in mesh_settings_t; what offends is counted per
//  neighbour (by its key, over links) and told with MESH_OFFENCE; MESH_CLOSE asks to end a link that goes on.
//
//  Ownership: everything passed in is borrowed for the call. Pointers in an action are valid until the next call of any
//  mesh_ function but mesh_next_action's own reader. Nothing here fails for want of memory: the process ends.

#ifndef MESH_H_INCLUDED
#define MESH_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_KEY 32u         //  a neighbour's identity: its device key, opaque here
#define MESH_MID 16u         //  BLAKE2b-128 of the envelope
#define MESH_ORIGIN 16u      //  the envelope's day handle
#define MESH_HEAD 10u        //  bytes before an envelope on a link
#define MESH_BEACON 16u      //  the routing part of the radio beacon
#define MESH_FRAME_MAX 8400u //  no control frame is longer; a caller may refuse a longer one unread

typedef struct mesh_t mesh_t;

//  sos > urgent > normal > bulk, as in envelope.h
#define MESH_CLASSES 4u

//  Zero in a field means the default that mesh_settings_default writes.
typedef struct {
    uint64_t buffer_bytes;          //  room for own and carried envelopes together (4 MiB)
    uint32_t buffer_tips;           //  and how many (4,000)
    uint16_t tokens [MESH_CLASSES]; //  copies a source may have made; for sos only beyond sos_flood
    uint32_t sos_flood;             //  sos of one origin alive at once that are flooded without a budget
    //  A last token goes to a neighbour whose utility is below this part of the best the copy saw (60).
    uint32_t handover_percent;
    uint32_t late_percent; //  of its life; older tips without a receipt are copied down the gradient (25). 100 = never
    uint32_t neighbours;   //  how many are remembered (1,024); the one not met for longest goes
    uint32_t offers;       //  ids one neighbour may offer in a minute of which no tip comes (2,000)
    uint32_t tip_bytes;    //  bytes of tips one neighbour is asked for in a minute (4 MiB)
    uint32_t stall_ms;     //  a wanted tip that has not come after this is another's turn (30,000)
    uint32_t epoch_bytes;  //  memory for receipt epochs (1 MiB); the oldest goes
    bool no_position;      //  leave mesh_position out of the decision

    //  The broker's word. Pure functions of their arguments; NULL refuses all.
    bool (*epoch_valid) (void *arg, const uint8_t *bytes, size_t size);
    bool (*single_valid) (void *arg, const uint8_t *bytes, const uint8_t *mid);
    bool (*revocations_valid) (void *arg, uint32_t number, const uint8_t *bytes, size_t size);
    void *arg;
} mesh_settings_t;

void mesh_settings_default (mesh_settings_t *settings);

//  key is this node's own; seed makes choices that must not be guessed (take 64 random bits).
mesh_t *mesh_new (const mesh_settings_t *settings, const uint8_t key [MESH_KEY], uint64_t seed, int64_t now);
void mesh_destroy (mesh_t **self_p);

//  ---- what the store had, before any link. Together with the envelopes this is all that need be on disk.

//  A tip and what the mesh knows of this copy. Written by MESH_PUT and MESH_UPDATE, read back by mesh_restore_tip.
typedef struct {
    uint8_t mid [MESH_MID];
    uint8_t origin [MESH_ORIGIN];
    uint8_t cls;             //  0 sos, 1 urgent, 2 normal, 3 bulk
    bool own;                //  written on this node
    uint8_t hops;            //  links it passed to come here
    uint16_t tokens;         //  copies this one may still make, itself included
    uint16_t best;           //  best utility this copy has seen, meshwire's scale
    uint32_t size;           //  bytes of the envelope
    uint32_t life_s;         //  from creation
    int64_t age_ms;          //  since creation, at the `now` of the action or call
    uint8_t from [MESH_KEY]; //  neighbour that brought it; zero when own
} mesh_tip_t;

//  The caller adds the time the process was down to age_ms. Returns -1 if it is known, expired or out of range: erase it.
int mesh_restore_tip (mesh_t *self, const mesh_tip_t *tip, int64_t now);
//  -1 if it does not parse or is known. The signature was checked before it was stored.
int mesh_restore_epoch (mesh_t *self, const uint8_t *bytes, size_t size, int64_t now);
int mesh_restore_revocations (mesh_t *self, uint32_t number, const uint8_t *bytes, size_t size);

//  ---- own tips, the broker, the position

//  A tip of this node, on disk already: class, size, life_s, age_ms, mid and origin are read. -1 if it is known or out of range.
//  Own tips have room that no neighbour can fill; they go only on the broker's word, at the end of life, or by mesh_withdraw.
int mesh_own (mesh_t *self, const mesh_tip_t *tip, int64_t now);
void mesh_withdraw (mesh_t *self, const uint8_t mid [MESH_MID], int64_t now);

//  The session with the broker is ready to take envelopes; MESH_SUBMIT follows for everything carried.
void mesh_broker_up (mesh_t *self, int64_t now);
void mesh_broker_down (mesh_t *self, int64_t now);
//  The broker has this tip for good (also one refused for ever). `single` is its signed word, MESHRECEIPT_SINGLE bytes, or NULL if none
//  was given: then the copy is kept, and goes to gateways only, until an epoch names it. A tip not carried here is remembered just the same.
void mesh_accepted (mesh_t *self, const uint8_t mid [MESH_MID], const uint8_t *single, int64_t now);
//  An epoch, or the revocation list, that came from the broker. Same checks and results as from a neighbour.
int mesh_epoch_in (mesh_t *self, const uint8_t *bytes, size_t size, int64_t now);
int mesh_revocations_in (mesh_t *self, uint32_t number, const uint8_t *bytes, size_t size, int64_t now);

//  A fix of this node, WGS-84; speed and heading are taken from the last two. A gateway that has not moved for ten minutes
//  becomes a known place to others.
void mesh_position (mesh_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now);

//  ---- links

//  link: the caller's number for it, not in use. beacon: the neighbour's routing part, or NULL if none was heard: then hellos go over the link.
void mesh_link_up (mesh_t *self, uint32_t link, const uint8_t key [MESH_KEY], const uint8_t *beacon, int64_t now);
void mesh_link_down (mesh_t *self, uint32_t link, int64_t now);
//  The routing part of this node's beacon, to be sent every second or so, and one heard from a linked neighbour.
void mesh_beacon (mesh_t *self, uint8_t out [MESH_BEACON], int64_t now);
void mesh_beacon_in (mesh_t *self, uint32_t link, const uint8_t beacon [MESH_BEACON], int64_t now);
//  What opening a link to someone with this beacon is worth. Where there are many neighbours a few links do for what goes
//  everywhere; a way to a gateway that is shorter by this link is always wanted.
typedef enum {
    MESH_LINK_IDLE,   //  neither has anything for the other
    MESH_LINK_USEFUL, //  one of the two has something
    MESH_LINK_NEARER  //  it would bring this node nearer to a gateway than it is now
} mesh_link_worth_t;
mesh_link_worth_t mesh_link_worth (mesh_t *self, const uint8_t beacon [MESH_BEACON], int64_t now);

//  A control frame. Returns -1 if it was refused (counted, MESH_OFFENCE).
int mesh_frame_in (mesh_t *self, uint32_t link, const uint8_t *bytes, size_t size, int64_t now);

//  The best tip to send on this link now. What the neighbour waits for and cannot have any more it is told. `rank` is lower for what should go first, comparable over links.
typedef struct {
    uint8_t mid [MESH_MID];
    uint64_t rank;
    uint32_t size;
    uint8_t head [MESH_HEAD]; //  made for this moment: ask again if the transfer begins later
} mesh_outgoing_t;
bool mesh_next_tip (mesh_t *self, uint32_t link, mesh_outgoing_t *out, int64_t now);
//  The transfer begins; the tip is not evicted while it runs.
void mesh_sending (mesh_t *self, uint32_t link, const uint8_t mid [MESH_MID], int64_t now);
//  It ended: all bytes are with the transport, or it was cut: then ask mesh_next_tip again when the link takes more. Tokens move when
//  the neighbour's ACK comes, not before.
void mesh_sent (mesh_t *self, uint32_t link, const uint8_t mid [MESH_MID], bool whole, int64_t now);

//  A whole envelope came. The caller has parsed it, checked class, life and district, and computed the mid.
typedef enum {
    MESH_TAKEN,   //  MESH_PUT follows; call mesh_stored when it is on disk
    MESH_HAVE,    //  known already; nothing to store
    MESH_FULL,    //  no room for it after all
    MESH_REFUSED, //  not asked for, expired, over a limit: counted
} mesh_verdict_t;
typedef struct {
    const uint8_t *mid, *origin; //  MESH_MID, MESH_ORIGIN bytes
    uint8_t cls;
    uint32_t size, life_s;
} mesh_facts_t;
mesh_verdict_t mesh_tip_in (
    mesh_t *self, uint32_t link, const uint8_t head [MESH_HEAD], const mesh_facts_t *facts, int64_t now);
//  Its MESH_PUT is committed (or failed: then it is forgotten, the neighbour keeps its tokens).
void mesh_stored (mesh_t *self, const uint8_t mid [MESH_MID], bool ok, int64_t now);
//  An envelope that came does not parse, is another district's or is not what was asked for: counted against the neighbour.
void mesh_bad_tip (mesh_t *self, uint32_t link, int64_t now);

//  Expiry, late flood, stalled transfers, once a second, and offers that were put off: returns when it is due next, and does nothing
//  before.
int64_t mesh_tick (mesh_t *self, int64_t now);

//  ---- what the caller shall do

typedef enum {
    MESH_SEND,         //  link, bytes: send this control frame
    MESH_READY,        //  link: mesh_next_tip has something
    MESH_PUT,          //  tip: write this row; the envelope is the one mesh_tip_in was about
    MESH_UPDATE,       //  tip: the row changed. May be batched; losing the last ones costs a few copies more
    MESH_ERASE,        //  mid, why: delete row and envelope of a carried tip. Own tips: the outbox decides what to keep
    MESH_CARRIED,      //  mid: a neighbour has this own tip on its disk; told once a tip and neighbour
    MESH_ACCEPTED,     //  mid: the broker's signed word for this own tip has come; hops are not known
    MESH_SUBMIT,       //  mid: hand this envelope to the broker
    MESH_KEEP_EPOCH,   //  number (series, number), bytes: write it
    MESH_FORGET_EPOCH, //  number: delete it
    MESH_KEEP_REVOKED, //  number, bytes: a newer revocation list; store it and end links with those it names
    MESH_OFFENCE,      //  link, key, offence
    MESH_CLOSE,        //  link: end it, and refuse that key for a while (ten minutes)
} mesh_action_kind_t;

typedef enum { MESH_GONE_RECEIPT, MESH_GONE_EXPIRED, MESH_GONE_EVICTED, MESH_GONE_WITHDRAWN } mesh_why_t;

typedef enum {
    MESH_BAD_FRAME,      //  does not decode, or not allowed now
    MESH_FORGED_EPOCH,   //  signature does not verify (epoch, single or revocation list)
    MESH_REPLAYED_EPOCH, //  one that we did not lack
    MESH_MINTED_TOKENS,  //  more than a relay can have; capped
    MESH_TOO_MANY_IDS,   //  offers over the limit; ignored
    MESH_TOO_MANY_TIPS,  //  tips of its own over the limit, or larger than offered; refused
    MESH_UNASKED_TIP,    //  not wanted, or not what was offered
    MESH_STALLED,        //  wanted and not sent in time
    MESH_BAD_TIP,        //  mesh_bad_tip
    MESH_NO_RECEIPTS,    //  takes tips as the better way and nothing ever comes of them
    MESH_OFFENCES        //  how many kinds
} mesh_offence_t;

//  What the neighbour did beside the core, to its account here: MESH_OFFENCE, and MESH_CLOSE if it goes on.
void mesh_offend (mesh_t *self, uint32_t link, mesh_offence_t offence, int64_t now);

typedef struct {
    mesh_action_kind_t kind;
    uint32_t link;
    const mesh_tip_t *tip;
    const uint8_t *mid;
    const uint8_t *bytes;
    size_t size;
    uint32_t series, number;
    const uint8_t *key;
    mesh_why_t why;
    mesh_offence_t offence;
} mesh_action_t;

//  The next action, oldest first; false when there is none. Drain it after every call: the queue is not bounded by itself.
bool mesh_next_action (mesh_t *self, mesh_action_t *out);

//  ---- what there is to see

typedef struct {
    uint64_t frames_out, frame_bytes_out, frames_in, frame_bytes_in; //  control
    uint64_t tips_out, tip_bytes_out, tips_in, tip_bytes_in;         //  whole ones, acknowledged or taken
    uint64_t tips_had, tip_bytes_had;                                //  came, and were here or not wanted any more: wasted
    uint64_t evicted, expired, receipted, submitted;
    uint64_t bytes_held;               //  of buffer_bytes
    uint32_t held [MESH_CLASSES], own; //  carried tips by class (own ones not among them)
    uint32_t passive;                  //  of those: someone nearer to a gateway is known to have had it
    uint32_t epochs, epoch_series, epoch_newest;
    uint32_t epochs_missing; //  below the newest, of some use still, and not here
    uint32_t revocations;    //  number of the list
    bool gateway;
    uint8_t hops;       //  links to a gateway right now, 255 = none
    uint32_t utility_s; //  expected seconds to a gateway as advertised; UINT32_MAX = not known
} mesh_counters_t;
void mesh_counters (mesh_t *self, mesh_counters_t *out, int64_t now);

typedef struct {
    uint8_t key [MESH_KEY];
    bool linked;
    uint32_t link;
    uint8_t hops; //  as it says, 255 = none
    uint32_t utility_s;
    uint64_t bytes_stored; //  in our buffer, brought by it
    uint64_t tips_in, tips_out;
    uint32_t owing; //  tips given to it as the better way with no receipt yet
    uint32_t offences [MESH_OFFENCES];
    int64_t met; //  last seen; INT64_MIN = not since this node was started
} mesh_neighbour_t;
//  The index-th remembered neighbour, linked ones first; false behind the last.
bool mesh_neighbour (mesh_t *self, size_t index, mesh_neighbour_t *out);
//  The index-th tip held, in no order; false behind the last.
bool mesh_tip (mesh_t *self, size_t index, mesh_tip_t *out, int64_t now);

#endif
