//  meshlink - see meshlink.h
//
//  A *target* (meshtarget.h) is somewhere a neighbour may be. A *peer* is one connection, ours or the other's, from its first
//  frame to its end. Targets are dialled when they are due and not linked already.

#include "meshlink.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "meshbacklog.h"
#include "meshdoor.h"
#include "meshtarget.h"
#include "timefmt.h"

#define PENDING_MAX 16 //  connections that have not proven themselves yet
#define BANS_MAX 64
#define BEACON_EVERY_MS 1000
#define PROVE_MS 10000 //  from dialling, or the first frame, to the proof
#define KEY_MS 1500    //  for the answer to a key datagram
#define PING_MS 6000
#define BACKLOG_MS 20 //  between looks whether a full queue takes more
#define SILENT_MS 16000
#define STALE_MS 7000        //  a link this quiet gives way to a new one of the same neighbour
#define TIE_MS 4000          //  the node whose turn it is not to dial waits so long before it does, and the second place of one node
#define ONE_MORE_MS 60000    //  a node with enough links dials one more so often: two dense cells must not stay apart
#define TARGET_LIFE_MS 60000 //  of a beacon that is not heard any more

typedef enum { PEER_CALLING, PEER_SHOWN, PEER_ANSWERED, PEER_UP, PEER_ENDED } stage_t;

typedef struct {
    uint32_t id; //  0 = free
    stage_t stage;
    bool dialled; //  by us
    int target;   //  index, -1
    link_t *link; //  dialled
    meshbacklog_t backlog;
    int64_t took_ms; //  the queue took something
    box_keys_t keys;
    uint8_t listener_key [KEY_SIZE], dialer_key [KEY_SIZE];
    uint32_t routing; //  heard
    int fd;
    credential_t who;
    uint8_t claimed [KEY_SIZE]; //  device key that its card names
    bool has_claimed;
    uint8_t card [CARD_MAX]; //  the other's
    size_t card_size;
    int64_t began_ms, heard_ms, sent_ms;
    char address [64];
} peer_t;

typedef struct {
    uint8_t key [KEY_SIZE];
    int64_t until_ms;
} ban_t;

struct meshlinks_t {
    void *zmq;
    const device_t *device;
    meshlinks_handler_t handler;
    void *context;
    meshdoor_t *door;
    beacons_t *beacons;
    box_keys_t keys; //  CURVE, of the door
    uint16_t port;
    uint8_t card [CARD_MAX];
    size_t card_size;
    meshtargets_t targets;
    peer_t *peers [MESHLINKS_MAX];
    ban_t bans [BANS_MAX];
    uint32_t last_id;
    uint8_t routing [BEACON_ROUTING];
    int64_t beacon_ms, one_more_ms;
    meshrefused_t refused;
    uint64_t bytes_in, bytes_out;
};

//  ---- peers

static peer_t *s_peer (const meshlinks_t *self, uint32_t id)
{
    for (int i = 0; id && i < MESHLINKS_MAX; i++)
        if (self->peers [i] && self->peers [i]->id == id)
            return self->peers [i];
    return NULL;
}

static peer_t *s_by_routing (const meshlinks_t *self, uint32_t routing)
{
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i] && !self->peers [i]->dialled && self->peers [i]->routing == routing)
            return self->peers [i];
    return NULL;
}

static peer_t *s_by_who (const meshlinks_t *self, const uint8_t key [KEY_SIZE])
{
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i] && self->peers [i]->stage == PEER_UP
            && memcmp (self->peers [i]->who.link_key, key, KEY_SIZE) == 0)
            return self->peers [i];
    return NULL;
}

//  NULL when all places are taken, or all those for strangers.
static peer_t *s_new_peer (meshlinks_t *self, bool dialled, int64_t now_ms)
{
    int free_at = -1, pending = 0;
    for (int i = 0; i < MESHLINKS_MAX; i++) {
        if (!self->peers [i])
            free_at = i;
        else
            pending += self->peers [i]->stage < PEER_UP && self->peers [i]->dialled == dialled;
    }
    if (free_at < 0 || pending >= PENDING_MAX)
        return NULL;
    peer_t *peer = calloc (1, sizeof *peer);
    if (!peer)
        abort ();
    peer->id = ++self->last_id ? self->last_id : ++self->last_id;
    peer->dialled = dialled;
    peer->target = peer->fd = -1;
    peer->began_ms = peer->heard_ms = peer->sent_ms = now_ms;
    self->peers [free_at] = peer;
    return peer;
}

static int s_send (meshlinks_t *self, peer_t *peer, const uint8_t *frame, size_t size)
{
    int rc = peer->dialled ? link_send (peer->link, frame, size) : meshdoor_send (self->door, peer->routing, frame, size);
    if (rc == 0) {
        self->bytes_out += size;
        peer->took_ms = time_mono_ms ();
    }
    return rc;
}

//  Returns whether nothing waits any more.
static bool s_flush (meshlinks_t *self, peer_t *peer)
{
    const uint8_t *frame;
    size_t size;
    while ((frame = meshbacklog_first (&peer->backlog, &size)) && s_send (self, peer, frame, size) == 0)
        meshbacklog_drop (&peer->backlog);
    return !frame;
}

//  Words wait where the queue is full. Tips do not, and go after them: who sends one tries again.
static int s_post (
    meshlinks_t *self, peer_t *peer, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    uint8_t frame [FRAME_MAX];
    assert (a_size + b_size <= MESHLINKS_BODY_MAX);
    frame [0] = FRAME_VERSION;
    frame [1] = (uint8_t)type;
    frame [2] = frame [3] = 0;
    if (a_size)
        memcpy (frame + FRAME_HEADER, a, a_size);
    if (b_size)
        memcpy (frame + FRAME_HEADER + a_size, b, b_size);
    size_t size = FRAME_HEADER + a_size + b_size;
    if (s_flush (self, peer) && s_send (self, peer, frame, size) == 0)
        return 0;
    return type == MESHFRAME_TIP ? -1 : meshbacklog_add (&peer->backlog, frame, size);
}

//  Marks only: what ends inside its own callback is swept by the loop.
static void s_end (meshlinks_t *self, peer_t *peer, const char *reason, bool tell)
{
    bool was_up = peer->stage == PEER_UP;
    if (peer->stage == PEER_ENDED)
        return;
    peer->stage = PEER_ENDED;
    if (!peer->dialled)
        meshdoor_cut (self->door, peer->fd);
    if (peer->target >= 0)
        self->targets.all [peer->target].peer = 0;
    if (was_up && tell)
        self->handler.down (self->context, peer->id, reason);
}

static void s_sweep (meshlinks_t *self)
{
    for (int i = 0; i < MESHLINKS_MAX; i++) {
        peer_t *peer = self->peers [i];
        if (!peer || peer->stage != PEER_ENDED)
            continue;
        link_destroy (&peer->link);
        meshbacklog_clear (&peer->backlog);
        identity_wipe (&peer->keys, sizeof peer->keys);
        free (peer);
        self->peers [i] = NULL;
    }
}

//  ---- targets

//  A link that lasted was a good one: its loss starts at the shortest wait.
static void s_lost (meshlinks_t *self, peer_t *peer, const char *reason, int64_t now_ms)
{
    if (peer->target >= 0) {
        if (peer->stage == PEER_UP && now_ms - peer->began_ms > STALE_MS)
            self->targets.all [peer->target].failures = 0;
        meshtarget_put_off (&self->targets.all [peer->target], now_ms);
    }
    s_end (self, peer, reason, true);
}

static void s_count_refused (meshlinks_t *self, const peer_t *peer, card_verdict_t verdict, int64_t now_ms)
{
    meshrefused_count (&self->refused, verdict, peer->has_claimed ? peer->claimed : NULL, now_ms);
}

static void s_refuse (meshlinks_t *self, peer_t *peer, card_verdict_t verdict, int64_t now_ms)
{
    uint8_t word = (uint8_t)verdict;
    s_count_refused (self, peer, verdict, now_ms);
    if (verdict != CARD_LATE)
        s_post (self, peer, MESHFRAME_REFUSE, &word, 1, NULL, 0);
    if (peer->target >= 0)
        meshtarget_put_off (&self->targets.all [peer->target], now_ms);
    //  A listener's word needs a moment to leave before the connection is cut: the other end closes it, or time does.
    if (!peer->dialled && verdict != CARD_LATE)
        peer->fd = -1;
    s_end (self, peer, card_verdict_name (verdict), false);
}

static bool s_banned (const meshlinks_t *self, const uint8_t key [KEY_SIZE], int64_t now_ms)
{
    for (int i = 0; i < BANS_MAX; i++)
        if (self->bans [i].until_ms > now_ms && memcmp (self->bans [i].key, key, KEY_SIZE) == 0)
            return true;
    return false;
}

static void s_ban (meshlinks_t *self, const uint8_t key [KEY_SIZE], int64_t until_ms)
{
    ban_t *oldest = &self->bans [0];
    for (int i = 1; i < BANS_MAX; i++)
        if (self->bans [i].until_ms < oldest->until_ms)
            oldest = &self->bans [i];
    memcpy (oldest->key, key, KEY_SIZE);
    oldest->until_ms = until_ms;
}

typedef struct {
    meshlinks_t *self;
    int64_t now_ms;
} round_t;

static void s_on_heard (void *context, const char *address, const beacon_t *beacon)
{
    round_t *round = context;
    meshlinks_t *self = round->self;
    meshtarget_t *target = meshtargets_at (&self->targets, address, beacon->port, round->now_ms);
    if (!target)
        return;
    memcpy (target->token, beacon->token, BEACON_TOKEN);
    memcpy (target->routing, beacon->routing, BEACON_ROUTING);
    target->has_routing = true;
    target->heard_ms = round->now_ms;
    peer_t *peer = target->has_who ? s_by_who (self, target->who) : NULL;
    if (peer)
        self->handler.heard (self->context, peer->id, target->routing);
}

//  ---- dialling

static bool s_linked (const meshlinks_t *self, const meshtarget_t *target)
{
    return target->peer || (target->has_who && s_by_who (self, target->who));
}

//  A node heard over two interfaces has two places and one token. Who makes up beacons of another's token wins a few seconds.
static bool s_other_place_tried (const meshlinks_t *self, const meshtarget_t *target)
{
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        const meshtarget_t *other = &self->targets.all [i];
        if (other != target && other->used && (other->asked_ms || other->peer)
            && memcmp (other->token, target->token, BEACON_TOKEN) == 0)
            return true;
    }
    return false;
}

//  Those being made count; whoever was only asked for a key does not, since beacons can be made up.
static bool s_has_enough (const meshlinks_t *self)
{
    int count = 0;
    for (int i = 0; i < MESHLINKS_MAX; i++)
        count += self->peers [i] != NULL;
    return count >= MESHLINKS_ENOUGH;
}

static bool s_wants_dial (meshlinks_t *self, meshtarget_t *target, int64_t now_ms)
{
    if (!target->used || target->asked_ms || now_ms < target->due_ms || s_linked (self, target))
        return false;
    if (target->configured)
        return true;
    bool settled = now_ms - target->seen_ms > TIE_MS;
    //  Of two that hear each other one dials; the other does when nothing came of it.
    bool ours = memcmp (beacons_token (self->beacons), target->token, BEACON_TOKEN) < 0;
    if (now_ms - target->heard_ms > TARGET_LIFE_MS || (!settled && (!ours || s_other_place_tried (self, target))))
        return false;
    mesh_link_worth_t worth = self->handler.worth (self->context, target->routing);
    bool enough = s_has_enough (self);
    bool one_more = worth == MESH_LINK_USEFUL && enough && now_ms - self->one_more_ms >= ONE_MORE_MS;
    if (!enough || one_more)
        self->one_more_ms = now_ms;
    target->anyway = worth == MESH_LINK_NEARER || one_more;
    return worth != MESH_LINK_IDLE && (target->anyway || !enough);
}

static void s_ask_key (meshlinks_t *self, meshtarget_t *target, int64_t now_ms)
{
    randombytes_buf (target->nonce, KEY_NONCE);
    if (beacons_ask (self->beacons, target->host, target->port, target->nonce)) {
        meshtarget_put_off (target, now_ms);
        return;
    }
    target->asked_ms = now_ms ? now_ms : 1;
}

static void s_dial (meshlinks_t *self, int index, const uint8_t key [KEY_SIZE], int64_t now_ms)
{
    meshtarget_t *target = &self->targets.all [index];
    char endpoint [80];
    target->asked_ms = 0;
    if (memcmp (key, self->keys.public_key, KEY_SIZE) == 0) {
        //  Our own address among the peers.
        target->due_ms = now_ms + 60000;
        return;
    }
    bool wanted = !s_linked (self, target) && (target->configured || target->anyway || !s_has_enough (self));
    peer_t *peer = wanted ? s_new_peer (self, true, now_ms) : NULL;
    if (!peer) {
        meshtarget_put_off (target, now_ms);
        return;
    }
    snprintf (endpoint, sizeof endpoint, "tcp://%s:%u", target->host, target->port);
    snprintf (peer->address, sizeof peer->address, "%s:%u", target->host, target->port);
    box_keys_make (&peer->keys);
    memcpy (peer->listener_key, key, KEY_SIZE);
    memcpy (peer->dialer_key, peer->keys.public_key, KEY_SIZE);
    peer->target = index;
    target->peer = peer->id;
    peer->link = link_new (self->zmq, endpoint, key, &peer->keys);
    if (!peer->link) {
        meshtarget_put_off (target, now_ms);
        s_end (self, peer, "", false);
    }
}

static void s_on_key (void *context, const uint8_t nonce [KEY_NONCE], const uint8_t key [KEY_SIZE])
{
    round_t *round = context;
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        meshtarget_t *target = &round->self->targets.all [i];
        if (target->used && target->asked_ms && sodium_memcmp (target->nonce, nonce, KEY_NONCE) == 0) {
            s_dial (round->self, i, key, round->now_ms);
            return;
        }
    }
}

//  Begins anywhere: in a crowd not all shall dial the same few.
static void s_tend_targets (meshlinks_t *self, int64_t now_ms)
{
    uint32_t first = randombytes_uniform (MESHTARGETS_MAX);
    for (uint32_t i = 0; i < MESHTARGETS_MAX; i++) {
        meshtarget_t *target = &self->targets.all [(first + i) % MESHTARGETS_MAX];
        if (target->used && target->asked_ms && now_ms - target->asked_ms >= KEY_MS)
            meshtarget_put_off (target, now_ms);
        if (s_wants_dial (self, target, now_ms))
            s_ask_key (self, target, now_ms);
    }
}

//  ---- cards and proofs

static card_verdict_t s_judge (meshlinks_t *self, peer_t *peer, const uint8_t *card, size_t size, int64_t now_ms)
{
    card_verdict_t verdict = meshcard_read (&peer->who, card, size, self->device, self->handler.judge_ms (self->context));
    peer->has_claimed = meshcard_claimed (peer->claimed, card, size) == 0;
    if (verdict == CARD_OK && self->handler.revoked (self->context, peer->who.link_key))
        verdict = CARD_REVOKED;
    if (verdict == CARD_OK && s_banned (self, peer->who.link_key, now_ms))
        verdict = CARD_BANNED;
    if (verdict == CARD_OK) {
        memcpy (peer->card, card, size);
        peer->card_size = size;
    }
    return verdict;
}

static int s_proof (meshlinks_t *self, const peer_t *peer, proof_role_t role, uint8_t out [PROOF_SIZE])
{
    proof_facts_t facts = { .listener_key = peer->listener_key, .dialer_key = peer->dialer_key };
    facts.dialer_card = peer->dialled ? self->card : peer->card;
    facts.dialer_card_size = peer->dialled ? self->card_size : peer->card_size;
    facts.listener_card = peer->dialled ? peer->card : self->card;
    facts.listener_card_size = peer->dialled ? peer->card_size : self->card_size;
    return meshcard_proof (out, role, &facts, device_link_keys (self->device), peer->who.link_key);
}

//  A ping says which beacon is ours, so that the neighbour need not dial to find out whose it is.
static void s_ping (meshlinks_t *self, peer_t *peer, int64_t now_ms)
{
    peer->sent_ms = now_ms;
    s_post (self, peer, MESHFRAME_PING, beacons_token (self->beacons), BEACON_TOKEN, NULL, 0);
}

static void s_on_ping (meshlinks_t *self, const peer_t *peer, const uint8_t token [BEACON_TOKEN])
{
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        meshtarget_t *target = &self->targets.all [i];
        if (!target->used || memcmp (target->token, token, BEACON_TOKEN) != 0)
            continue;
        memcpy (target->who, peer->who.link_key, KEY_SIZE);
        target->has_who = true;
    }
}

static void s_up (meshlinks_t *self, peer_t *peer, int64_t now_ms)
{
    peer_t *other = s_by_who (self, peer->who.link_key);
    if (peer->target >= 0) {
        meshtarget_t *target = &self->targets.all [peer->target];
        memcpy (target->who, peer->who.link_key, KEY_SIZE);
        target->has_who = true;
    }
    if (other) {
        //  Both dialled. "The link that the lower link key has dialled stays", unless it is dead and nobody has noticed.
        bool we_are_lower = memcmp (device_link_keys (self->device)->public_key, peer->who.link_key, KEY_SIZE) < 0;
        if (peer->dialled != we_are_lower && now_ms - other->heard_ms < STALE_MS) {
            s_end (self, peer, "another link to the same neighbour", false);
            return;
        }
        s_end (self, other, "another link to the same neighbour", true);
    }
    peer->stage = PEER_UP;
    const uint8_t *routing = peer->target >= 0 && self->targets.all [peer->target].has_routing
        ? self->targets.all [peer->target].routing
        : NULL;
    s_ping (self, peer, now_ms);
    self->handler.up (self->context, peer->id, &peer->who, routing);
}

static void s_on_card (meshlinks_t *self, peer_t *peer, const uint8_t *card, size_t size, int64_t now_ms)
{
    uint8_t proof [PROOF_SIZE];
    card_verdict_t verdict = s_judge (self, peer, card, size, now_ms);
    if (verdict == CARD_OK && s_proof (self, peer, PROOF_LISTENER, proof))
        verdict = CARD_UNPROVEN;
    if (verdict != CARD_OK) {
        s_refuse (self, peer, verdict, now_ms);
        return;
    }
    peer->stage = PEER_ANSWERED;
    if (s_post (self, peer, MESHFRAME_ANSWER, proof, sizeof proof, self->card, self->card_size))
        s_end (self, peer, "", false);
}

static void s_on_answer (meshlinks_t *self, peer_t *peer, const uint8_t *body, size_t size, int64_t now_ms)
{
    uint8_t proof [PROOF_SIZE];
    card_verdict_t verdict = CARD_MALFORMED;
    if (size > PROOF_SIZE)
        verdict = s_judge (self, peer, body + PROOF_SIZE, size - PROOF_SIZE, now_ms);
    if (verdict == CARD_OK && (s_proof (self, peer, PROOF_LISTENER, proof) || !meshcard_proof_is (proof, body)))
        verdict = CARD_UNPROVEN;
    if (verdict == CARD_OK && s_proof (self, peer, PROOF_DIALER, proof))
        verdict = CARD_UNPROVEN;
    if (verdict != CARD_OK) {
        s_refuse (self, peer, verdict, now_ms);
        return;
    }
    if (s_post (self, peer, MESHFRAME_PROOF, proof, sizeof proof, NULL, 0))
        s_end (self, peer, "", false);
    else
        s_up (self, peer, now_ms);
}

static void s_on_proof (meshlinks_t *self, peer_t *peer, const uint8_t *body, size_t size, int64_t now_ms)
{
    uint8_t proof [PROOF_SIZE];
    if (size != PROOF_SIZE || s_proof (self, peer, PROOF_DIALER, proof) || !meshcard_proof_is (proof, body))
        s_refuse (self, peer, CARD_UNPROVEN, now_ms);
    else
        s_up (self, peer, now_ms);
}

//  ---- frames

static void s_on_refuse (meshlinks_t *self, peer_t *peer, int64_t now_ms)
{
    s_lost (self, peer, "the neighbour ended the link", now_ms);
}

static void s_on_frame (meshlinks_t *self, peer_t *peer, const uint8_t *frame, size_t size, int64_t now_ms)
{
    const uint8_t *body = frame + FRAME_HEADER;
    bool up = peer->stage == PEER_UP, fits = frame [0] == FRAME_VERSION && !frame [2] && !frame [3];
    self->bytes_in += size;
    size -= FRAME_HEADER;
    peer->heard_ms = now_ms;
    switch (fits ? (meshframe_t)frame [1] : (meshframe_t)0) {
    case MESHFRAME_CARD:
        if (!peer->dialled && peer->stage == PEER_CALLING) {
            s_on_card (self, peer, body, size, now_ms);
            return;
        }
        break;
    case MESHFRAME_ANSWER:
        if (peer->dialled && peer->stage == PEER_SHOWN) {
            s_on_answer (self, peer, body, size, now_ms);
            return;
        }
        break;
    case MESHFRAME_PROOF:
        if (!peer->dialled && peer->stage == PEER_ANSWERED) {
            s_on_proof (self, peer, body, size, now_ms);
            return;
        }
        break;
    case MESHFRAME_REFUSE:
        s_on_refuse (self, peer, now_ms);
        return;
    case MESHFRAME_PING:
        if (up && size == BEACON_TOKEN) {
            s_on_ping (self, peer, body);
            return;
        }
        break;
    case MESHFRAME_MESH:
    case MESHFRAME_TIP:
    case MESHFRAME_LETTER:
    case MESHFRAME_LETTERS:
    case MESHFRAME_WANTED:
        if (up) {
            self->handler.frame (self->context, peer->id, (meshframe_t)frame [1], body, size);
            return;
        }
        break;
    }
    //  Nothing that this protocol knows, or not now.
    s_count_refused (self, peer, CARD_MALFORMED, now_ms);
    s_end (self, peer, "it does not speak the protocol", true);
}

static void s_read_door (meshlinks_t *self, int64_t now_ms)
{
    int fd;
    door_frame_t frame;
    meshdoor_admit (self->door, now_ms);
    while ((fd = meshdoor_gone (self->door)) >= 0)
        for (int i = 0; i < MESHLINKS_MAX; i++)
            if (self->peers [i] && !self->peers [i]->dialled && self->peers [i]->fd == fd) {
                self->peers [i]->fd = -1;
                s_end (self, self->peers [i], "the connection was lost", true);
            }
    while (meshdoor_next (self->door, &frame)) {
        peer_t *peer = s_by_routing (self, frame.routing);
        if (!peer && frame.bytes [1] == MESHFRAME_CARD) {
            peer = s_new_peer (self, false, now_ms);
            if (peer) {
                peer->routing = frame.routing;
                peer->fd = frame.fd;
                memcpy (peer->listener_key, self->keys.public_key, KEY_SIZE);
                memcpy (peer->dialer_key, frame.key, KEY_SIZE);
            }
        }
        if (!peer)
            meshdoor_cut (self->door, frame.fd);
        else if (peer->stage != PEER_ENDED)
            s_on_frame (self, peer, frame.bytes, frame.size, now_ms);
    }
}

static void s_on_link (meshlinks_t *self, peer_t *peer, link_event_t event, int64_t now_ms)
{
    if (event == LINK_UP && peer->stage == PEER_CALLING) {
        peer->stage = PEER_SHOWN;
        if (s_post (self, peer, MESHFRAME_CARD, self->card, self->card_size, NULL, 0))
            s_end (self, peer, "", false);
        return;
    }
    //  One connection is one session here: whatever comes after a loss begins from the start.
    s_lost (self, peer, "the connection was lost", now_ms);
}

static void s_read_dialled (meshlinks_t *self, peer_t *peer, int64_t now_ms)
{
    link_event_t event;
    const uint8_t *frame;
    size_t size;
    while (peer->stage != PEER_ENDED && link_process (peer->link, now_ms, &event, &frame, &size))
        if (event == LINK_FRAME)
            s_on_frame (self, peer, frame, size, now_ms);
        else
            s_on_link (self, peer, event, now_ms);
}

static void s_tend_peer (meshlinks_t *self, peer_t *peer, int64_t now_ms)
{
    if (peer->stage == PEER_ENDED)
        return;
    bool stuck = !s_flush (self, peer) && now_ms - peer->took_ms > SILENT_MS;
    if (peer->stage < PEER_UP && now_ms - peer->began_ms > PROVE_MS)
        s_refuse (self, peer, CARD_LATE, now_ms);
    else if (peer->stage == PEER_UP && (stuck || now_ms - peer->heard_ms > SILENT_MS))
        s_lost (self, peer, stuck ? "the neighbour takes nothing" : "the neighbour is silent", now_ms);
    else if (peer->stage == PEER_UP && now_ms - peer->sent_ms > PING_MS)
        s_ping (self, peer, now_ms);
}

//  ---- the object

//  A port for both: TCP for links, UDP of the same number for keys.
static int s_open (meshlinks_t *self, const meshlinks_options_t *options)
{
    const char *listen = options->listen ? options->listen : "tcp://*:*";
    beacons_options_t udp = { .beacon_port = options->beacon ? BEACON_PORT : 0, .loopback = options->loopback };
    memcpy (udp.district, device_credential (self->device)->district, DISTRICT_SIZE);
    memcpy (udp.key, self->keys.public_key, KEY_SIZE);
    for (int tries = 0; tries < (options->listen ? 1 : 20); tries++) {
        self->door = meshdoor_new (self->zmq, &self->keys, listen, &self->port);
        if (!self->door)
            break;
        udp.port = self->port;
        self->beacons = beacons_new (&udp);
        if (self->beacons)
            return 0;
        meshdoor_destroy (&self->door);
        if (errno != EADDRINUSE)
            return -1;
    }
    fprintf (stderr, "mesh: cannot listen at %s: %s\n", listen, zmq_strerror (errno));
    return -1;
}

meshlinks_t *meshlinks_new (
    void *zmq, const device_t *device, const meshlinks_options_t *options, const meshlinks_handler_t *handler, void *context)
{
    meshlinks_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->zmq = zmq;
    self->device = device;
    self->handler = *handler;
    self->context = context;
    box_keys_make (&self->keys);
    self->card_size = meshcard_write (self->card, device);
    assert (options->peer_count <= MESHLINKS_PEERS_MAX);
    for (int i = 0; i < options->peer_count; i++)
        meshtargets_configure (&self->targets, options->peers [i], i);
    if (s_open (self, options))
        meshlinks_destroy (&self);
    return self;
}

void meshlinks_destroy (meshlinks_t **self_p)
{
    meshlinks_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i])
            s_end (self, self->peers [i], "", false);
    s_sweep (self);
    beacons_destroy (&self->beacons);
    meshdoor_destroy (&self->door);
    identity_wipe (&self->keys, sizeof self->keys);
    free (self);
    *self_p = NULL;
}

int meshlinks_items (meshlinks_t *self, zmq_pollitem_t *items, long *timeout_ms, int64_t now_ms)
{
    struct pollfd udp [2];
    meshdoor_items (self->door, items);
    int count = MESHDOOR_ITEMS, fds = beacons_items (self->beacons, udp);
    for (int i = 0; i < fds; i++)
        items [count++] = (zmq_pollitem_t){ .fd = udp [i].fd, .events = ZMQ_POLLIN };
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i] && self->peers [i]->link)
            count += link_items (self->peers [i]->link, items + count, timeout_ms, now_ms);
    //  Everything else here is due by the second, or in a moment when somebody is to be called.
    long wait = 1000;
    for (int i = 0; i < MESHTARGETS_MAX && wait > 250; i++)
        if (self->targets.all [i].used && (self->targets.all [i].asked_ms || !s_linked (self, &self->targets.all [i])))
            wait = 250;
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i] && self->peers [i]->backlog.bytes)
            wait = BACKLOG_MS;
    if (*timeout_ms < 0 || wait < *timeout_ms)
        *timeout_ms = wait;
    return count;
}

void meshlinks_process (meshlinks_t *self, int64_t now_ms)
{
    static const beacons_handler_t handler = { .heard = s_on_heard, .key = s_on_key };
    round_t round = { self, now_ms };
    s_read_door (self, now_ms);
    beacons_process (self->beacons, now_ms, &handler, &round);
    for (int i = 0; i < MESHLINKS_MAX; i++) {
        peer_t *peer = self->peers [i];
        if (peer && peer->link)
            s_read_dialled (self, peer, now_ms);
        if (peer)
            s_tend_peer (self, peer, now_ms);
    }
    s_sweep (self);
    s_tend_targets (self, now_ms);
    s_sweep (self);
    if (now_ms - self->beacon_ms >= BEACON_EVERY_MS) {
        self->beacon_ms = now_ms;
        beacons_send (self->beacons, self->routing, now_ms);
    }
}

void meshlinks_beacon (meshlinks_t *self, const uint8_t routing [BEACON_ROUTING])
{
    memcpy (self->routing, routing, BEACON_ROUTING);
}

int meshlinks_send (
    meshlinks_t *self, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    peer_t *peer = s_peer (self, link);
    return peer && peer->stage == PEER_UP ? s_post (self, peer, type, a, a_size, b, b_size) : -1;
}

void meshlinks_end (meshlinks_t *self, uint32_t link, int64_t ban_ms, int64_t now_ms)
{
    peer_t *peer = s_peer (self, link);
    if (!peer || peer->stage == PEER_ENDED)
        return;
    if (ban_ms)
        s_ban (self, peer->who.link_key, now_ms + ban_ms);
    if (peer->target >= 0)
        meshtarget_put_off (&self->targets.all [peer->target], now_ms);
    s_end (self, peer, "", false);
}

void meshlinks_recheck (meshlinks_t *self, int64_t now_ms)
{
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->peers [i] && self->peers [i]->stage == PEER_UP
            && self->handler.revoked (self->context, self->peers [i]->who.link_key)) {
            s_count_refused (self, self->peers [i], CARD_REVOKED, now_ms);
            s_end (self, self->peers [i], "the neighbour was revoked", true);
        }
}

uint16_t meshlinks_port (const meshlinks_t *self)
{
    return self->port;
}

const meshrefused_t *meshlinks_refused (const meshlinks_t *self)
{
    return &self->refused;
}

uint64_t meshlinks_bytes (const meshlinks_t *self, bool out)
{
    return out ? self->bytes_out : self->bytes_in;
}

const char *meshlinks_address (const meshlinks_t *self, uint32_t link)
{
    const peer_t *peer = s_peer (self, link);
    return peer ? peer->address : "";
}
