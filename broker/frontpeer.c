//  frontpeer - sessions, and what a peer may send

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "front_private.h"
#include "patrol.pb-c.h"

#define ROUTING_SIZE 5u //  zero and a number, as libzmq gives them
#define URGENT_ROOM 60  //  lane-0 envelopes of a key without credit,
#define URGENT_A_SECOND 1
#define TALK_ROOM 1000 //  and its other frames
#define TALK_A_SECOND 1000
#define KEY_SESSIONS 64  //  connections of one key
#define WINDOW_MAX 2048u //  credit of one session
#define WINDOW_MIN 64u
#define WINDOW_ALL 65536u //  shared by all
#define BAD_MAX 16        //  frames that do not parse before the session ends
#define NOTICE_EVERY_MS 1000
#define SILENT_MS 60000        //  then the session is asked for a sign of life
#define STUCK_MS 10000         //  a peer that takes nothing for so long is cut
#define UNSENT_MAX (1u << 20)  //  or when so much waits for it,
#define UNSENT_ALL (64u << 20) //  or for all
#define FD_MAX (1 << 22)
#define DETAIL_MAX 100u

//  ---- lists

static void s_push (uint32_t **list, uint32_t *count, uint32_t *room, uint32_t id)
{
    if (*count == *room) {
        *room = *room ? *room * 2 : 256;
        *list = realloc (*list, *room * sizeof **list);
        if (!*list)
            abort ();
    }
    (*list) [(*count)++] = id;
}

static void s_want_credit (front_t *self, peer_t *peer)
{
    if (peer->wants_credit)
        return;
    peer->wants_credit = true;
    s_push (&self->wanting, &self->wanting_count, &self->wanting_room, peer->id);
}

static quota_t *s_quota (front_t *self, uint32_t key)
{
    if (key >= self->quota_room) {
        uint32_t room = self->quota_room ? self->quota_room : 1024;
        while (room <= key)
            room *= 2;
        self->quotas = realloc (self->quotas, room * sizeof *self->quotas);
        if (!self->quotas)
            abort ();
        memset (self->quotas + self->quota_room, 0, (room - self->quota_room) * sizeof *self->quotas);
        self->quota_room = room;
    }
    return &self->quotas [key];
}

//  ---- sessions: by id, by routing id, by descriptor

peer_t *peer_find (front_t *self, uint32_t id)
{
    peer_t *peer = &self->peers [id % SLOTS];
    return id && peer->id == id ? peer : NULL;
}

static uint32_t *s_chain (front_t *self, uint32_t routing)
{
    return &self->chains [(routing ^ routing >> 16) % SLOTS];
}

static peer_t *s_by_routing (front_t *self, uint32_t routing)
{
    uint32_t slot = *s_chain (self, routing);
    while (slot != NO_SLOT && self->peers [slot].routing != routing)
        slot = self->peers [slot].next;
    return slot == NO_SLOT ? NULL : &self->peers [slot];
}

static void s_unchain (front_t *self, const peer_t *peer)
{
    uint32_t *link = s_chain (self, peer->routing);
    while (*link != (uint32_t)(peer - self->peers))
        link = &self->peers [*link].next;
    *link = peer->next;
}

//  The session whose connection has this descriptor.
static peer_t *s_by_fd (front_t *self, int fd)
{
    return fd >= 0 && (size_t)fd < self->fd_room ? peer_find (self, self->fd_owner [fd]) : NULL;
}

static void s_own_fd (front_t *self, int fd, uint32_t id)
{
    if (fd < 0 || fd > FD_MAX)
        return;
    if ((size_t)fd >= self->fd_room) {
        size_t room = self->fd_room ? self->fd_room : 1024;
        while (room <= (size_t)fd)
            room *= 2;
        self->fd_owner = realloc (self->fd_owner, room * sizeof *self->fd_owner);
        if (!self->fd_owner)
            abort ();
        memset (self->fd_owner + self->fd_room, 0, (room - self->fd_room) * sizeof *self->fd_owner);
        self->fd_room = room;
    }
    self->fd_owner [fd] = id;
}

void front_fd_is_ours (front_t *self, int fd)
{
    peer_t *peer = s_by_fd (self, fd);
    if (peer)
        peer_close (self, peer);
}

void peer_close (front_t *self, peer_t *peer)
{
    if (self->core_up)
        pipe_put (self->lanes [LANE_URGENT], PIPE_CLOSE, peer->id, NULL, 0);
    s_unchain (self, peer);
    if (s_by_fd (self, peer->fd) == peer)
        s_own_fd (self, peer->fd, 0);
    self->unsent_size -= peer->unsent_size;
    while (peer->unsent_first) {
        unsent_t *next = peer->unsent_first->next;
        free (peer->unsent_first);
        peer->unsent_first = next;
    }
    s_quota (self, peer->key)->sessions--;
    self->live--;
    *peer = (peer_t){ .generation = peer->generation };
}

void peer_cut (front_t *self, peer_t *peer)
{
    self->counters [FRONT_PEERS_CUT]++;
    if (s_by_fd (self, peer->fd) == peer)
        shutdown (peer->fd, SHUT_RDWR);
    peer_close (self, peer);
}

//  Cuts a connection without a session. The descriptor may belong to someone else by now: never one with a session, nor ours.
static void s_cut_stranger (front_t *self, int fd)
{
    for (int i = 0; i < LANE_COUNT; i++)
        if (self->lanes [i] && pipe_fd (self->lanes [i]) == fd)
            return;
    if (fd < 0 || s_by_fd (self, fd))
        return;
    self->counters [FRONT_PEERS_CUT]++;
    shutdown (fd, SHUT_RDWR);
}

static void s_cut (front_t *self, peer_t *peer, int fd)
{
    if (peer)
        peer_cut (self, peer);
    else
        s_cut_stranger (self, fd);
}

void front_cut_key (front_t *self, uint32_t key)
{
    for (uint32_t i = 0; key && i < SLOTS; i++)
        if (self->peers [i].id && self->peers [i].key == key)
            peer_cut (self, &self->peers [i]);
}

void front_read_monitor (front_t *self)
{
    uint8_t event [6];
    int size;
    while ((size = zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT)) >= 0) {
        uint16_t what;
        uint32_t fd;
        zmq_recv (self->monitor, NULL, 0, ZMQ_DONTWAIT); //  the endpoint
        memcpy (&what, event, sizeof what);
        memcpy (&fd, event + 2, sizeof fd);
        //  A failed handshake's value is an error, not a descriptor.
        if (what != ZMQ_EVENT_DISCONNECTED) {
            self->not_curve++;
            continue;
        }
        peer_t *peer = size == sizeof event ? s_by_fd (self, (int)fd) : NULL;
        if (peer)
            peer_close (self, peer);
    }
}

//  ---- to the peer

typedef enum { SEND_DONE, SEND_FULL, SEND_GONE } send_t;

static send_t s_send (front_t *self, uint32_t routing, const uint8_t *frame, size_t size)
{
    uint8_t id [ROUTING_SIZE] = { 0 };
    memcpy (id + 1, &routing, sizeof routing);
    if (zmq_send (self->router, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno == EAGAIN ? SEND_FULL : SEND_GONE;
    if (zmq_send (self->router, frame, size, ZMQ_DONTWAIT) < 0)
        return SEND_GONE;
    self->counters [FRONT_FRAMES_OUT]++;
    return SEND_DONE;
}

//  libzmq's queue is full for a moment after a burst, and for good when the peer takes nothing.
static bool s_keep_unsent (front_t *self, peer_t *peer, const uint8_t *frame, size_t size)
{
    if (peer->unsent_size + size > UNSENT_MAX || self->unsent_size + size > UNSENT_ALL) {
        peer_cut (self, peer);
        return false;
    }
    unsent_t *unsent = malloc (sizeof *unsent + size);
    if (!unsent)
        abort ();
    unsent->next = NULL;
    unsent->size = size;
    memcpy (unsent->bytes, frame, size);
    if (peer->unsent_last)
        peer->unsent_last->next = unsent;
    else {
        peer->unsent_first = unsent;
        peer->stuck_ms = self->now_ms;
    }
    peer->unsent_last = unsent;
    peer->unsent_size += size;
    self->unsent_size += size;
    if (!peer->is_stuck) {
        peer->is_stuck = true;
        s_push (&self->stuck, &self->stuck_count, &self->stuck_room, peer->id);
    }
    return true;
}

bool peer_send (front_t *self, peer_t *peer, const uint8_t *frame, size_t size)
{
    send_t sent = peer->unsent_first ? SEND_FULL : s_send (self, peer->routing, frame, size);
    if (sent == SEND_FULL)
        return s_keep_unsent (self, peer, frame, size);
    if (sent == SEND_GONE)
        peer_close (self, peer);
    return sent == SEND_DONE;
}

//  True when nothing waits any more or the session is over.
static bool s_retry (front_t *self, peer_t *peer)
{
    while (peer->unsent_first) {
        unsent_t *unsent = peer->unsent_first;
        send_t sent = s_send (self, peer->routing, unsent->bytes, unsent->size);
        if (sent == SEND_FULL && self->now_ms - peer->stuck_ms < STUCK_MS)
            return false;
        if (sent != SEND_DONE) {
            peer_cut (self, peer);
            return true;
        }
        peer->stuck_ms = self->now_ms;
        peer->unsent_first = unsent->next;
        if (!unsent->next)
            peer->unsent_last = NULL;
        peer->unsent_size -= unsent->size;
        self->unsent_size -= unsent->size;
        free (unsent);
    }
    peer->is_stuck = false;
    return true;
}

void front_send_unsent (front_t *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->stuck_count; i++) {
        peer_t *peer = peer_find (self, self->stuck [i]);
        if (peer && !s_retry (self, peer))
            self->stuck [kept++] = self->stuck [i];
    }
    self->stuck_count = kept;
}

static bool s_send_message (front_t *self, peer_t *peer, frame_type_t type, const ProtobufCMessage *message)
{
    uint8_t frame [512];
    frame_begin (frame, type, LANE_URGENT);
    size_t size = protobuf_c_message_get_packed_size (message);
    if (size > sizeof frame - FRAME_HEADER)
        abort (); //  our own small messages: a Notice with its detail is the largest
    protobuf_c_message_pack (message, frame + FRAME_HEADER);
    return peer_send (self, peer, frame, FRAME_HEADER + size);
}

static void s_make_notice (Patrol__Notice *notice, Patrol__Code code, const char *detail)
{
    patrol__notice__init (notice);
    notice->code = code;
    notice->detail = (ProtobufCBinaryData){ strlen (detail), (uint8_t *)(uintptr_t)detail };
}

static void s_notice (front_t *self, peer_t *peer, Patrol__Code code, const char *detail)
{
    Patrol__Notice notice;
    if (self->now_ms - peer->noticed_ms < NOTICE_EVERY_MS)
        return;
    peer->noticed_ms = self->now_ms;
    s_make_notice (&notice, code, detail);
    s_send_message (self, peer, FRAME_NOTICE, &notice.base);
}

//  ---- credit

static uint32_t s_window (const front_t *self)
{
    uint32_t share = WINDOW_ALL / (self->live ? self->live : 1);
    return share > WINDOW_MAX ? WINDOW_MAX : share < WINDOW_MIN ? WINDOW_MIN : share;
}

//  Raises what the peer may send, never lowers it; later if the core does not keep up.
static bool s_raise_grant (front_t *self, peer_t *peer)
{
    if (core_is_congested (self)) {
        s_want_credit (self, peer);
        return false;
    }
    uint64_t granted = peer->received + s_window (self);
    peer->charged = 0;
    if (granted > peer->granted)
        peer->granted = granted;
    return true;
}

static bool s_send_credit (front_t *self, peer_t *peer)
{
    Patrol__Credit credit = PATROL__CREDIT__INIT;
    credit.submit_up_to = peer->granted;
    return s_send_message (self, peer, FRAME_CREDIT, &credit.base);
}

static void s_used_credit (front_t *self, peer_t *peer)
{
    uint64_t used = peer->received + peer->charged;
    if (used + s_window (self) / 2 >= peer->granted && s_raise_grant (self, peer))
        s_send_credit (self, peer);
}

void front_grant (front_t *self)
{
    if (core_is_congested (self))
        return;
    for (uint32_t i = 0; i < self->wanting_count; i++) {
        peer_t *peer = peer_find (self, self->wanting [i]);
        if (!peer)
            continue;
        peer->wants_credit = false;
        if (s_raise_grant (self, peer))
            s_send_credit (self, peer);
    }
    self->wanting_count = 0;
}

//  ---- Hello

bool peer_welcome (front_t *self, peer_t *peer)
{
    Patrol__Welcome welcome = PATROL__WELCOME__INIT;
    s_raise_grant (self, peer);
    welcome.version = FRAME_VERSION;
    welcome.core_up = self->core_up;
    welcome.incarnation = self->incarnation;
    welcome.submit_up_to = peer->granted;
    return s_send_message (self, peer, FRAME_WELCOME, &welcome.base);
}

void peer_open (front_t *self, const peer_t *peer)
{
    uint8_t payload [KEY_SIZE + 1];
    admission_t admission;
    if (zap_key (self->zap, peer->key, payload, &admission))
        return; //  revoked this moment: the next check cuts it
    payload [KEY_SIZE] = (uint8_t)peer->admission;
    pipe_put (self->lanes [LANE_URGENT], PIPE_OPEN, peer->id, payload, sizeof payload);
}

static peer_t *s_free_slot (front_t *self)
{
    if (self->live == SLOTS)
        return NULL;
    //  Round and round, so that a session id comes back as late as possible.
    do
        self->last_slot = (self->last_slot + 1) % SLOTS;
    while (self->peers [self->last_slot].id);
    return &self->peers [self->last_slot];
}

static peer_t *s_new_peer (front_t *self, uint32_t routing, uint32_t key, int fd)
{
    uint8_t link_key [KEY_SIZE];
    admission_t admission;
    quota_t *quota = s_quota (self, key);
    if (fd < 0 || zap_key (self->zap, key, link_key, &admission) || quota->sessions >= KEY_SESSIONS)
        return NULL;
    front_fd_is_ours (self, fd); //  whoever had this descriptor is gone
    peer_t *peer = s_free_slot (self);
    if (!peer)
        return NULL;
    uint16_t generation = (uint16_t)(peer->generation + 1);
    if (!generation)
        generation = 1;
    uint32_t slot = (uint32_t)(peer - self->peers);
    *peer = (peer_t){
        .id = (uint32_t)generation << 16 | slot,
        .generation = generation,
        .routing = routing,
        .key = key,
        .fd = fd,
        .admission = admission,
        .heard_ms = self->now_ms,
        .noticed_ms = self->now_ms - NOTICE_EVERY_MS,
        .next = *s_chain (self, routing),
    };
    *s_chain (self, routing) = slot;
    s_own_fd (self, fd, peer->id);
    quota->sessions++;
    self->live++;
    return peer;
}

static bool s_hello_is_good (front_t *self, const uint8_t *body, size_t size)
{
    arena_reset (self->arena);
    Patrol__Hello *hello = patrol__hello__unpack (arena_allocator (self->arena), size, body);
    return hello && !arena_has_unknown (&hello->base) && hello->version == FRAME_VERSION && hello->agent.len <= 64;
}

static void s_hello (front_t *self, uint32_t routing, uint32_t key, const uint8_t *body, size_t size)
{
    int fd = zmq_msg_get (&self->body, ZMQ_SRCFD);
    //  The end of the connection that had this descriptor before was told earlier than this Hello came.
    front_read_monitor (self);
    peer_t *peer = s_by_routing (self, routing);
    if (peer && peer->fd != fd) {
        peer_close (self, peer);
        peer = NULL;
    }
    if (!s_hello_is_good (self, body, size)) {
        self->counters [FRONT_FRAMES_BAD]++;
        s_cut (self, peer, fd);
        return;
    }
    if (peer) {
        peer_welcome (self, peer);
        return;
    }
    peer = s_new_peer (self, routing, key, fd);
    if (!peer) {
        self->counters [FRONT_FRAMES_NOT_ALLOWED]++;
        s_cut_stranger (self, fd);
        return;
    }
    if (self->core_up)
        peer_open (self, peer);
    peer_welcome (self, peer);
}

//  ---- frames of a session

static void s_bad_frame (front_t *self, peer_t *peer, const char *detail)
{
    self->counters [FRONT_FRAMES_BAD]++;
    if (++peer->bad >= BAD_MAX)
        peer_cut (self, peer);
    else
        s_notice (self, peer, PATROL__CODE__BAD_FRAME, detail);
}

static void s_over (front_t *self, peer_t *peer, const char *detail)
{
    self->counters [FRONT_FRAMES_OVER_CREDIT]++;
    s_notice (self, peer, PATROL__CODE__SLOW_DOWN, detail);
}

//  0 if the body does not divide into envelopes.
static uint32_t s_count_envelopes (const uint8_t *body, size_t body_size)
{
    size_t offset = 0, size;
    bool bad;
    uint32_t count = 0;
    while (frame_next_envelope (body, body_size, &offset, &size, &bad))
        count++;
    return bad ? 0 : count;
}

//  "submit_up_to counts the lane-1 envelopes sent in this session and is absolute"; "lane 0 needs none within a bucket per link key
//  (60, refilled 1/s); beyond that lane-0 envelopes are charged like lane 1".
static void s_submit (front_t *self, peer_t *peer, lane_t lane, const uint8_t *frame, size_t size)
{
    uint32_t count = s_count_envelopes (frame + FRAME_HEADER, size - FRAME_HEADER);
    if (!count) {
        s_bad_frame (self, peer, "a Submit holds whole envelopes, each after its size");
        return;
    }
    if (lane == LANE_URGENT) {
        if (bucket_take (&s_quota (self, peer->key)->urgent, URGENT_ROOM, URGENT_A_SECOND, count, self->now_ms)) {
            core_forward (self, LANE_URGENT, peer, frame, size);
            return;
        }
        if (peer->received + peer->charged + count > peer->granted) {
            s_over (self, peer, "too many urgent tips at once and no credit left");
            return;
        }
        peer->charged += count;
    } else {
        peer->received += count; //  as the peer counts, whatever becomes of them
        if (peer->received > peer->granted) {
            s_over (self, peer, "more tips than the credit given");
            s_want_credit (self, peer);
            return;
        }
    }
    core_forward (self, LANE_BULK, peer, frame, size);
    s_used_credit (self, peer);
}

static void s_talk (front_t *self, peer_t *peer, const uint8_t *frame, size_t size)
{
    if (bucket_take (&s_quota (self, peer->key)->talk, TALK_ROOM, TALK_A_SECOND, 1, self->now_ms))
        core_forward (self, LANE_URGENT, peer, frame, size);
    else
        s_over (self, peer, "more than 1,000 frames a second");
}

static bool s_may (const peer_t *peer, frame_type_t type)
{
    return peer->admission == ADMIT_MEMBER || type == FRAME_ENROL;
}

static void s_session_frame (front_t *self, peer_t *peer, frame_type_t type, lane_t lane, const uint8_t *frame, size_t size)
{
    peer->heard_ms = self->now_ms;
    if (!s_may (peer, type)) {
        self->counters [FRONT_FRAMES_NOT_ALLOWED]++;
        s_notice (self, peer, PATROL__CODE__NOT_ALLOWED, "an invitation's key may enrol and nothing else");
        return;
    }
    switch (type) {
    case FRAME_SUBMIT:
        s_submit (self, peer, lane, frame, size);
        break;
    case FRAME_CREDIT:
    case FRAME_SESSION:
    case FRAME_ENROL:
        s_talk (self, peer, frame, size);
        break;
    case FRAME_HELLO:
    case FRAME_WELCOME:
    case FRAME_NOTICE:
        s_bad_frame (self, peer, "a frame of this type is the front's to send");
        break;
    }
}

//  ---- what came from the network

//  The key's index from the body's metadata; 0 if libzmq does not vouch for one.
static uint32_t s_user (zmq_msg_t *body)
{
    const char *text = zmq_msg_gets (body, "User-Id");
    uint32_t index = 0;
    for (; text && *text >= '0' && *text <= '9'; text++) {
        if (index > UINT32_MAX / 10 - 1)
            return 0;
        index = index * 10 + (uint32_t)(*text - '0');
    }
    return text && !*text ? index : 0;
}

//  A peer of another version is told so, session or not; the header is all that is understood of it.
static void s_unparsed (front_t *self, peer_t *peer, uint32_t routing, const uint8_t *frame, size_t size)
{
    bool other = size >= FRAME_HEADER && size <= FRAME_MAX && frame [0] != FRAME_VERSION;
    if (peer) {
        s_bad_frame (self, peer, other ? "this broker speaks version 1" : "frame header or size not right");
        return;
    }
    self->counters [FRONT_FRAMES_BAD]++;
    if (!other)
        return;
    Patrol__Notice notice;
    uint8_t answer [FRAME_HEADER + DETAIL_MAX];
    s_make_notice (&notice, PATROL__CODE__WRONG_VERSION, "this broker speaks version 1");
    frame_begin (answer, FRAME_NOTICE, LANE_URGENT);
    s_send (self, routing, answer, FRAME_HEADER + patrol__notice__pack (&notice, answer + FRAME_HEADER));
}

static void s_frame (front_t *self, uint32_t routing)
{
    const uint8_t *frame = zmq_msg_data (&self->body);
    size_t size = zmq_msg_size (&self->body);
    peer_t *peer = s_by_routing (self, routing);
    uint32_t user = s_user (&self->body);
    frame_type_t type;
    lane_t lane;
    if (!user || (peer && peer->key != user)) {
        self->counters [FRONT_FRAMES_BAD]++;
        s_cut (self, peer, zmq_msg_get (&self->body, ZMQ_SRCFD));
        return;
    }
    if (frame_parse (&type, &lane, frame, size)) {
        s_unparsed (self, peer, routing, frame, size);
        return;
    }
    if (type == FRAME_HELLO) {
        if (bucket_take (&s_quota (self, user)->talk, TALK_ROOM, TALK_A_SECOND, 1, self->now_ms))
            s_hello (self, routing, user, frame + FRAME_HEADER, size - FRAME_HEADER);
        else
            self->counters [FRONT_FRAMES_OVER_CREDIT]++;
    } else if (peer)
        s_session_frame (self, peer, type, lane, frame, size);
    else
        self->counters [FRONT_FRAMES_NO_HELLO]++;
}

bool front_receive (front_t *self)
{
    uint8_t id [ROUTING_SIZE];
    uint32_t routing = 0;
    if (zmq_msg_recv (&self->routing, self->router, ZMQ_DONTWAIT) < 0)
        return false;
    bool ours = zmq_msg_size (&self->routing) == ROUTING_SIZE;
    if (ours) {
        memcpy (id, zmq_msg_data (&self->routing), sizeof id);
        memcpy (&routing, id + 1, sizeof routing);
        ours = id [0] == 0;
    }
    //  libzmq delivers a message whole, so none of these waits.
    bool one = zmq_msg_more (&self->routing) && zmq_msg_recv (&self->body, self->router, ZMQ_DONTWAIT) >= 0
        && !zmq_msg_more (&self->body);
    self->counters [FRONT_FRAMES_IN]++;
    if (ours && one) {
        s_frame (self, routing);
        return true;
    }
    int fd = zmq_msg_get (&self->body, ZMQ_SRCFD);
    while (zmq_msg_more (&self->body) && zmq_msg_recv (&self->body, self->router, ZMQ_DONTWAIT) >= 0)
        continue;
    self->counters [ours ? FRONT_FRAMES_MULTIPART : FRONT_FRAMES_ROUTING_ID]++;
    s_cut (self, ours ? s_by_routing (self, routing) : NULL, fd);
    return true;
}

void front_check_peers (front_t *self)
{
    uint8_t key [KEY_SIZE];
    admission_t admission;
    for (uint32_t i = 0; i < SLOTS; i++) {
        peer_t *peer = &self->peers [i];
        if (!peer->id)
            continue;
        if (zap_key (self->zap, peer->key, key, &admission))
            peer_cut (self, peer);
        else if (self->now_ms - peer->heard_ms > SILENT_MS) {
            peer->heard_ms = self->now_ms;
            s_send_credit (self, peer); //  fails if the connection is gone
        }
    }
}
