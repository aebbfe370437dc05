//  frontcore - the two connections to the core, and what the core says

#include <string.h>

#include "core.h"
#include "front_private.h"
#include "home.h"

#define CONNECT_AGAIN_MS 100
#define CONGESTED (2u << 20) //  lane 1: no new credit above it,
#define BULK_MAX (64u << 20) //  and the bound of its queue
#define URGENT_MAX (16u << 20)

static int s_connect_lane (front_t *self, lane_t lane)
{
    uint8_t octet = (uint8_t)lane;
    int fd = home_connect (self->home, CORE_SOCKET);
    if (fd < 0)
        return -1;
    front_fd_is_ours (self, fd);
    self->lanes [lane] = pipe_new (fd);
    pipe_put (self->lanes [lane], PIPE_LANE, 0, &octet, sizeof octet);
    //  The core takes the first octets of a connection for its lane: they go alone.
    return pipe_flush (self->lanes [lane]) || pipe_queued (self->lanes [lane]) ? -1 : 0;
}

void core_connect (front_t *self)
{
    if (self->lanes [0] || self->now_ms < self->connect_ms)
        return;
    self->connect_ms = self->now_ms + CONNECT_AGAIN_MS;
    if (s_connect_lane (self, LANE_URGENT) || s_connect_lane (self, LANE_BULK))
        core_gone (self);
    else
        zap_list_begin (self->zap); //  the core tells all its keys before it says that it is ready
}

void core_gone (front_t *self)
{
    bool was_up = self->core_up;
    for (int i = 0; i < LANE_COUNT; i++)
        pipe_destroy (&self->lanes [i]);
    self->core_up = false;
    self->incarnation = 0;
    for (uint32_t i = 0; was_up && i < SLOTS; i++)
        if (self->peers [i].id)
            peer_welcome (self, &self->peers [i]);
}

static void s_ready (front_t *self, const uint8_t *payload, size_t size)
{
    if (size != sizeof self->incarnation)
        return;
    memcpy (&self->incarnation, payload, size);
    zap_list_end (self->zap);
    front_check_peers (self); //  cuts those that the new list does not have
    self->core_up = true;
    memset (self->told, 0xff, sizeof self->told); //  it knows no counters yet
    for (uint32_t i = 0; i < SLOTS; i++)
        if (self->peers [i].id)
            peer_open (self, &self->peers [i]);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (self->peers [i].id)
            peer_welcome (self, &self->peers [i]);
}

static void s_admit (front_t *self, const uint8_t *payload, size_t size)
{
    int64_t expires_ms;
    if (size != KEY_SIZE + 1 + sizeof expires_ms)
        return;
    admission_t admission = (admission_t)payload [KEY_SIZE];
    memcpy (&expires_ms, payload + KEY_SIZE + 1, sizeof expires_ms);
    if (admission == ADMIT_MEMBER || admission == ADMIT_ENROL)
        zap_admit (self->zap, payload, admission, expires_ms);
}

static void s_message (front_t *self, pipe_kind_t kind, uint32_t session, const uint8_t *payload, size_t size)
{
    peer_t *peer;
    switch (kind) {
    case PIPE_READY:
        s_ready (self, payload, size);
        break;
    case PIPE_SEND:
        peer = peer_find (self, session);
        if (peer)
            peer_send (self, peer, payload, size);
        break;
    case PIPE_ADMIT:
        s_admit (self, payload, size);
        break;
    case PIPE_REVOKE:
        if (size == KEY_SIZE)
            front_cut_key (self, zap_revoke (self->zap, payload));
        break;
    case PIPE_FENCE:
        pipe_put (self->lanes [LANE_URGENT], PIPE_FENCE, session, NULL, 0);
        break;
    case PIPE_LANE:
    case PIPE_OPEN:
    case PIPE_CLOSE:
    case PIPE_FRAME:
    case PIPE_COUNTERS:
        break;
    }
}

//  -1: closed or nonsense.
static int s_read_lane (front_t *self, pipe_t *pipe)
{
    pipe_kind_t kind;
    uint32_t session;
    const uint8_t *payload;
    size_t size;
    bool broken = false;
    int rc = pipe_fill (pipe);
    while (pipe_next (pipe, &kind, &session, &payload, &size, &broken))
        s_message (self, kind, session, payload, size);
    return rc || broken ? -1 : 0;
}

void core_read (front_t *self)
{
    for (int i = 0; self->lanes [0] && i < LANE_COUNT; i++)
        if (s_read_lane (self, self->lanes [i]))
            core_gone (self);
}

void core_flush (front_t *self)
{
    if (!self->lanes [0])
        return;
    //  Lane 1 waits until lane 0 is out: what opened a session goes before what the session sends.
    if (pipe_flush (self->lanes [LANE_URGENT])
        || (pipe_queued (self->lanes [LANE_URGENT]) == 0 && pipe_flush (self->lanes [LANE_BULK])))
        core_gone (self);
}

bool core_forward (front_t *self, lane_t lane, const peer_t *peer, const uint8_t *frame, size_t size)
{
    size_t most = lane == LANE_URGENT ? URGENT_MAX : BULK_MAX;
    if (!self->core_up || pipe_queued (self->lanes [lane]) > most) {
        self->counters [FRONT_FRAMES_DROPPED]++;
        return false;
    }
    pipe_put (self->lanes [lane], PIPE_FRAME, peer->id, frame, size);
    return true;
}

bool core_is_congested (const front_t *self)
{
    return !self->core_up || pipe_queued (self->lanes [LANE_BULK]) > CONGESTED;
}
