//  mesh_private - what the modules of the routing core share: mesh, meshtips, meshpeers, meshepochs, meshroute, meshtalk,
//  meshsigned, meshanswer

#ifndef MESH_PRIVATE_H_INCLUDED
#define MESH_PRIVATE_H_INCLUDED

#include "bucket.h"
#include "mesh.h"
#include "meshwire.h"
#include "meshplace.h"

#define MESH_ACKS 32u        //  tips sent and not yet answered, on one link
#define MESH_OFFER_IDS 24u   //  ids in one offer of ours: what a contact of some seconds can take
#define MESH_OWN_PAUSE_MS 5000 //  for own ordinary tips after one was declined: it may have been one too many
#define MESH_HOPS_MAX 6u     //  a live path longer than this is not followed
#define ROUTE_OWING_MAX 256u //  tips given to one neighbour as the better way, without a receipt

//  ---- one tip and its copy here

typedef struct tip_t {
    mesh_tip_t row;       //  as on disk; age_ms is filled in when it is told
    int64_t born;         //  now - age
    uint32_t index;       //  in tips_t.items
    uint64_t serial;      //  order of arrival
    struct peer_t *given; //  who took it as the better way and owes a receipt
    uint16_t lent;        //  tokens promised in transfers under way
    uint8_t busy;         //  transfers under way
    uint8_t offered;      //  offers without an answer, and wants not yet sent
    int64_t hush_until;   //  a neighbour had this sos already: hear the beacons first
    uint8_t hushed;       //  how often in a row
    uint32_t digest;      //  its part of the sos digest; 0 = no sos
    bool storing;         //  MESH_PUT told, mesh_stored not yet called
    bool flood;           //  sos within its origin's limit
    bool submitted;       //  handed to our own broker session
    bool accepted;        //  the broker said so, without a signed word yet
    uint32_t carried;     //  MESH_CARRIED told so many times
    struct peer_t *from;  //  remembered neighbour that brought it, NULL = own, restored or forgotten
    uint64_t *known;      //  bit per neighbour slot: has it, or will not have it
} tip_t;

//  A tip that is not here any more, or never was: do not take it again.
typedef struct {
    uint8_t mid [MESH_MID];
    uint8_t single [MESHWIRE_SINGLE];
    bool has_single;
    bool evicted; //  may come again when there is room
    bool used;
} seen_t;
#define MESH_SEEN 4096u

typedef struct {
    tip_t **items;
    uint32_t count, room;
    tip_t **table; //  open addressing by mid
    uint32_t mask;
    uint64_t bytes; //  of all
    uint64_t own_bytes, sos_bytes;
    uint32_t known_words;
    uint64_t serial;
    seen_t *seen; //  ring
    uint32_t seen_next;
    uint32_t *seen_table; //  index + 1 into seen, open addressing
} tips_t;

//  ---- one neighbour

//  A tip that the neighbour offered and we asked for.
typedef struct {
    meshwire_salt_t salt;
    uint32_t id, size;
    int64_t deadline;
    int64_t stirred; //  asked for, or something else came from this neighbour since
    bool sos;
    bool called_off; //  it came over another link; what was under way already may still come
} request_t;

//  A tip of ours that the neighbour wants, under the short id that it was offered by.
typedef struct {
    uint8_t mid [MESH_MID];
    uint32_t id;
} promise_t;

typedef struct {
    promise_t tip;
    uint16_t tokens; //  given with it
    int64_t deadline;
    bool handed; //  as the better way: a receipt is owed
} flight_t;

//  The part of a neighbour that lives as long as its link.
typedef struct {
    uint16_t nonce; //  of our offer without an answer: there is no other until the answer comes
    uint32_t offered_count;
    uint8_t offered [MESH_OFFER_IDS][MESH_MID];
    int64_t offered_at, offer_deadline; //  after it what was offered is free for others
    bool offer_late;
    uint32_t wanted_count;
    promise_t wanted [MESHWIRE_OFFER_MAX];
    bool sending;
    flight_t flights [MESH_ACKS]; //  the last of them is being sent while `sending`
    uint32_t flight_count;
    request_t requests [2 * MESHWIRE_OFFER_MAX];
    uint32_t request_count;
    bool hollow;         //  what was asked for last is not there: nobody waits for the rest
    uint16_t held_nonce; //  of an offer that waits for its answer until what others were asked for is here
    uint32_t held_count;
    meshwire_offer_t held [MESHWIRE_OFFER_MAX];
    int64_t held_since;
    uint32_t asked_series, asked_first; //  epochs asked for and not yet here
    uint16_t asked, skipped;            //  bits; those it seemed to have no more may yet come
    int64_t asked_until, asked_deadline; //  then others are asked; then, if nothing comes, it has stalled
    bool asks_in_vain;
    uint32_t first_there;  //  of our series, this neighbour has none before it
    uint32_t shown_series; //  of our newest epoch, shown because its series differs
    uint32_t seen_series;  //  the newest that the neighbour showed so
    uint32_t sent_revocations;
    int64_t hold_until;    //  receipts are on the way: offer after them
    bool hear_hello;       //  no beacon is heard on this link
    meshwire_state_t told; //  in our last hello
    uint32_t declined_count, declined_room;
    uint8_t (*declined) [MESH_MID]; //  for want of room
    int64_t retry_at;
    bool dirty; //  look for something to offer
} talk_t;

typedef struct peer_t {
    uint8_t key [MESH_KEY];
    uint32_t slot;
    uint32_t link;
    talk_t *talk; //  NULL = not linked
    bool state_known;
    meshwire_state_t state;
    int64_t met;
    uint64_t bytes_stored, own_bytes_stored; //  in our buffer from it; of these written by itself as it says
    uint64_t tips_in, tips_out;
    uint32_t owing;
    int64_t owing_since;
    uint32_t offences [MESH_OFFENCES];
    uint32_t badness; //  decays; closes the link at a limit
    int64_t badness_at;
    bucket_t ids, bytes;     //  that it may bring; ids of which a tip came are given back
    bucket_t our_ids;        //  the like of ours with it, which we keep to: less than what it allows
    int64_t flooded_at;      //  its own tips were more than it may bring
    int64_t own_pause_until; //  our own ordinary tips are too much for its bytes of this minute
    uint32_t places_told;
} peer_t;

typedef struct {
    peer_t **items;
    uint32_t count, room;
    peer_t **linked; //  those with a talk
    uint32_t linked_count, linked_room;
} peers_t;

//  ---- receipt epochs

typedef struct {
    uint32_t series, number, closed_s;
    uint8_t *bytes;
    size_t size;
} epoch_t;

typedef struct {
    epoch_t *items; //  by series, then number
    uint32_t count, room;
    uint64_t bytes;
    uint32_t series, floor, newest; //  of the current series: all below floor are of no use any more
    uint32_t base;                  //  all up to it are here or below floor
} epochs_t;

//  ---- the node

typedef struct {
    mesh_action_t action;
    mesh_tip_t tip;
    uint8_t mid [MESH_MID], key [MESH_KEY];
    uint8_t *bytes; //  owned
} queued_t;

struct mesh_t {
    mesh_settings_t settings;
    uint8_t key [MESH_KEY];
    uint64_t random;
    int64_t now;
    tips_t tips;
    peers_t peers;
    epochs_t epochs;
    struct {
        uint32_t number;
        uint8_t *bytes;
        size_t size;
    } revoked;
    bool gateway;
    uint8_t hops;    //  to a gateway over links that are up
    int64_t touched; //  when hops was last 0 or 1; INT64_MIN = never
    meshplace_t place;
    uint32_t digest;
    mesh_counters_t counters;
    queued_t *queue;
    uint32_t queue_first, queue_count, queue_room;
    queued_t shown;
    int64_t tick_at;
    bool freed;      //  something that only one neighbour was offered may go to others: they look for it at the next tick
    int64_t pump_at; //  an offer that was put off is due; INT64_MAX = none
    peer_t *asking;  //  the one neighbour whom epochs were asked of
    peer_t *asked_last; //  others have their turn before it
};

uint64_t mesh_random (mesh_t *self);

//  mesh.c: actions
void mesh_tell_frame (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame);
void mesh_tell_tip (mesh_t *self, mesh_action_kind_t kind, const tip_t *tip, mesh_why_t why);
void mesh_tell_link (mesh_t *self, mesh_action_kind_t kind, uint32_t link);
void mesh_tell_bytes (
    mesh_t *self, mesh_action_kind_t kind, uint32_t series, uint32_t number, const uint8_t *bytes, size_t size);
void mesh_tell_offence (mesh_t *self, const peer_t *peer, mesh_offence_t offence);
//  A tip ends here: tells, forgets, remembers its mid. Own tips and those on the wire too.
void mesh_end_tip (mesh_t *self, tip_t *tip, mesh_why_t why, const uint8_t *single);

//  meshtips.c: the table of tips and the memory of those gone
void tips_init (tips_t *self, uint32_t neighbours);
void tips_clear (tips_t *self);
tip_t *tips_find (const tips_t *self, const uint8_t mid [MESH_MID]);
tip_t **tips_by_arrival (const tips_t *self); //  all; the caller frees the array
tip_t *tips_add (tips_t *self, const mesh_tip_t *row, int64_t now);
void tips_remove (tips_t *self, tip_t *tip);
bool tips_knows (const tip_t *tip, uint32_t slot);
void tips_set_known (tip_t *tip, uint32_t slot);
void tips_clear_known (tip_t *tip, uint32_t slot);
void tips_forget_slot (tips_t *self, uint32_t slot);
seen_t *tips_seen (const tips_t *self, const uint8_t mid [MESH_MID]);
void tips_remember (tips_t *self, const uint8_t mid [MESH_MID], const uint8_t *single, bool evicted);

//  meshpeers.c: neighbours, their limits and offences
peer_t *peers_by_link (const mesh_t *self, uint32_t link);
peer_t *peers_get (mesh_t *self, const uint8_t key [MESH_KEY]);
void peers_link (mesh_t *self, peer_t *peer, uint32_t link);
void peers_unlink (mesh_t *self, peer_t *peer);
void peers_clear (mesh_t *self);
void peers_offend (mesh_t *self, peer_t *peer, mesh_offence_t offence);
//  It took a tip as the better way.
void peers_owe (mesh_t *self, peer_t *peer);
//  Takes from the neighbour's allowance; false when it is used up.
bool peers_allow_ids (mesh_t *self, peer_t *peer, uint32_t ids);
bool peers_may_offer (mesh_t *self, peer_t *peer, uint32_t ids);                    //  ours; takes them if so
bool peers_allow_bytes (mesh_t *self, peer_t *peer, uint32_t bytes, uint32_t keep); //  so much of it must be left

//  meshepochs.c
typedef enum { EPOCH_NEW, EPOCH_KNOWN, EPOCH_OLD, EPOCH_BAD } epoch_result_t;
//  Checks form only; the caller verified it. Tells KEEP and FORGET unless restoring.
epoch_result_t epochs_add (mesh_t *self, const uint8_t *bytes, size_t size, bool restoring);
void epochs_clear (epochs_t *self);
bool epochs_name (const epochs_t *self, const uint8_t mid [MESH_MID], bool sos);
const epoch_t *epochs_find (const epochs_t *self, uint32_t number); //  of the current series
const epoch_t *epochs_from (const epochs_t *self, uint32_t number); //  the first of the current series from this number on
uint32_t epochs_missing (const epochs_t *self);
void epochs_state (const epochs_t *self, meshwire_state_t *state);
//  Whether a neighbour in this state has some that we lack.
//  With `first`, the numbers to ask for: first + i where bit i.
bool epochs_ahead (const epochs_t *self, const meshwire_state_t *state, uint32_t from, uint32_t *first, uint16_t *mask);

//  meshroute.c: all decisions
#define MESH_ROOMY 200u //  255ths of a buffer: with less room than this a copy soon displaces another one
typedef enum { ROUTE_NONE, ROUTE_DELIVER, ROUTE_PATH, ROUTE_FLOOD, ROUTE_GAIN, ROUTE_SPRAY, ROUTE_LATE } route_kind_t;
typedef struct {
    route_kind_t kind;
    uint16_t tokens; //  to give
    bool handed;     //  as the better way: a receipt is owed
    uint64_t rank;   //  lower goes first
} route_t;
route_t route_choose (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now);
//  Of two tips with these ranks: which goes first; of equals the one that came first, so that a writer's tips stay in order.
bool route_goes_before (uint64_t rank, const tip_t *tip, uint64_t other_rank, const tip_t *other);
//  For one that the neighbour was offered and wants: it waits for it, so it gets it, as a spare copy if there is no other reason any more.
route_t route_promised (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now);
//  After any change of links, beacons or the broker. Returns whether the hops changed.
bool route_refresh (mesh_t *self, int64_t now);
//  This neighbour has the tip.
void route_has (tip_t *tip, const peer_t *peer);
bool route_turns_late (const mesh_t *self, const tip_t *tip, int64_t from, int64_t to);
//  Whether a link to a node in this state would lead nearer to a gateway than all there are: a shorter path, or half the time.
bool route_nearer (const mesh_t *self, const meshwire_state_t *state, int64_t now);
uint32_t route_utility (const mesh_t *self, int64_t now); //  seconds, UINT32_MAX = not known
//  Someone nearer to a gateway is known to have had it.
bool route_passive (const mesh_t *self, const tip_t *tip, int64_t now);
//  What decides how long a copy stays.
typedef struct {
    const peer_t *from; //  as in tip_t
    bool flood;
    bool relayed; //  `from` did not write it
    bool several; //  has more than one token
    uint8_t best; //  magnitude of the best utility it has seen
} copy_t;
copy_t route_copy (const mesh_tip_t *row, const peer_t *from, bool flood);
//  The lowest leaves first.
uint64_t route_worth (const mesh_t *self, const copy_t *copy);
//  The best utility that the receiver of a copy is to know of, ours included.
uint16_t route_best (const mesh_t *self, const tip_t *tip, int64_t now);
//  Whether a tip worth this much, of this size, can have room; with `evict` the room is made.
bool route_room (mesh_t *self, uint64_t worth, uint64_t size, bool evict);
bool route_floods (const mesh_t *self, const mesh_tip_t *row);

//  meshtalk.c: what is said on a link
void talk_begin (mesh_t *self, peer_t *peer, int64_t now);
void talk_end (mesh_t *self, peer_t *peer);
void talk_state (mesh_t *self, meshwire_state_t *state, int64_t now);
void talk_heard (mesh_t *self, peer_t *peer, const meshwire_state_t *state, bool first, int64_t now);
int talk_frame (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame, int64_t now);
void talk_pump (mesh_t *self, int64_t now); //  offers on every dirty link, after the answers that waited
void talk_dirty (mesh_t *self);             //  all links
void talk_tick (mesh_t *self, peer_t *peer, int64_t now);
void talk_ack (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], meshwire_ack_t ack);
void talk_tell_gone (mesh_t *self, peer_t *peer, uint32_t id); //  to who waits for a tip under this short id
//  The transfer that was begun last was cut: it is wanted as before.
void talk_unsent (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID]);
void talk_have (mesh_t *self, const peer_t *from, tip_t *tip);
//  In a crowd: a neighbour had this sos already.
void talk_hush (mesh_t *self, tip_t *tip, int64_t now);

//  meshsigned.c: receipts and lists that the broker signed
void talk_epochs (mesh_t *self, peer_t *peer, int64_t now); //  those the neighbour lacks, or we
//  Unless a neighbour is asked for receipts already, the next that has some is.
void talk_next_ask (mesh_t *self, int64_t now);
void talk_tick_asked (mesh_t *self, peer_t *peer, int64_t now);
int talk_ask_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame);
//  An epoch came from `from` (NULL = broker or store): purges, passes on. Returns -1 if refused.
int talk_epoch_in (mesh_t *self, peer_t *from, const uint8_t *bytes, size_t size, int64_t now);
void talk_single (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], const uint8_t *single);
int talk_one_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame);
int talk_revoked_in (mesh_t *self, peer_t *from, uint32_t number, const uint8_t *bytes, size_t size, int64_t now);

//  meshanswer.c: the answer to an offer, and the requests that come of it
int talk_offer_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame, int64_t now);
void talk_answer_held (mesh_t *self, int64_t now); //  to offers that waited
request_t *talk_find_request (talk_t *talk, const uint8_t mid [MESH_MID]);
//  Something came from this neighbour. It sends one after the other: the rest has not stalled.
void talk_goes_on (const mesh_t *self, talk_t *talk);
//  What was asked for under this short id is not there any more.
void talk_gone (peer_t *peer, uint32_t id);
//  Whether this neighbour was asked for it, and the size that it had offered.
bool talk_take_request (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], uint32_t *size);

#endif
