//  testmesh - nodes on a table for the tests of the routing core: frames and tips go over at once, or one neighbour is played by the test

#ifndef TESTMESH_H_INCLUDED
#define TESTMESH_H_INCLUDED

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "mesh.h"
#include "meshreceipt.h"
#include "meshwire.h"

#define LIFE 7200u
#define NODES 6u

//  Nodes on a table: link number 10 a + b is the same on both sides, a below b.
static mesh_t *s_node [NODES];
static uint8_t s_key [NODES][MESH_KEY], s_public [MESHRECEIPT_KEY], s_secret [MESHRECEIPT_SECRET];
static int64_t s_now;
static unsigned s_accepted [NODES], s_carried [NODES], s_erased [NODES], s_submitted, s_closed, s_put;
#define SUBMITTED 4096u
static uint8_t s_submitted_mids [SUBMITTED][MESH_MID]; //  in their order
static uint32_t s_offences [MESH_OFFENCES];
static mesh_action_t s_last_frame;
static uint8_t s_last_bytes [MESH_FRAME_MAX];
static uint32_t s_epoch_bytes; //  of new nodes, 0 = as usual
static bool s_deaf; //  node 1 is played by the test: frames to it are kept, not delivered

#define FRAMES 1024u
typedef struct {
    uint32_t to, link;
    size_t size;
    uint8_t bytes [MESH_FRAME_MAX];
} frame_t;
static frame_t s_frames [FRAMES]; //  on their way
static uint32_t s_frame_first, s_frame_count;
static bool s_delivering;

static inline bool s_epoch_valid (void *arg, const uint8_t *bytes, size_t size)
{
    (void)arg;
    return meshreceipt_epoch_verify (bytes, size, s_public);
}

static inline bool s_single_valid (void *arg, const uint8_t *bytes, const uint8_t *mid)
{
    (void)arg;
    return meshreceipt_single_verify (bytes, mid, s_public);
}

static inline uint32_t s_link (uint32_t a, uint32_t b)
{
    return a < b ? 10 * a + b : 10 * b + a;
}

static inline mesh_tip_t s_tip (uint32_t number, uint8_t cls, uint8_t origin)
{
    mesh_tip_t tip = { .cls = cls, .size = 592, .life_s = LIFE };
    crypto_generichash (tip.mid, MESH_MID, (const uint8_t *)&number, sizeof number, NULL, 0);
    tip.origin [0] = origin;
    return tip;
}

static inline void s_run (uint32_t number);

static inline void s_transfer (uint32_t from, uint32_t link)
{
    uint32_t to = link / 10 == from ? link % 10 : link / 10;
    mesh_outgoing_t out;
    while (s_node [to] && mesh_next_tip (s_node [from], link, &out, s_now)) {
        mesh_sending (s_node [from], link, out.mid, s_now);
        mesh_sent (s_node [from], link, out.mid, true, s_now);
        uint8_t mid [MESH_MID], origin [MESH_ORIGIN] = { (uint8_t)from };
        memcpy (mid, out.mid, MESH_MID);
        //  class and life are in the envelope; here every tip that moves was made by s_tip with class 2 or 0
        mesh_tip_t row = { 0 };
        for (size_t index = 0; mesh_tip (s_node [from], index, &row, s_now) && memcmp (row.mid, mid, MESH_MID); index++)
            ;
        mesh_facts_t facts = { mid, origin, row.cls, out.size, LIFE };
        if (mesh_tip_in (s_node [to], link, out.head, &facts, s_now) == MESH_TAKEN)
            mesh_stored (s_node [to], mid, true, s_now);
        s_run (to);
        s_run (from);
    }
}

static inline void s_accept (uint32_t number, const uint8_t *mid)
{
    uint8_t single [MESHRECEIPT_SINGLE], copy [MESH_MID];
    memcpy (copy, mid, MESH_MID);
    meshreceipt_single_sign (single, copy, 1, s_secret);
    if (s_submitted < SUBMITTED)
        memcpy (s_submitted_mids [s_submitted], copy, MESH_MID);
    s_submitted++;
    mesh_accepted (s_node [number], copy, single, s_now);
}

//  In the order they were sent; what they cause comes after them.
static inline void s_deliver (void)
{
    s_delivering = true;
    while (s_frame_count) {
        frame_t *frame = &s_frames [s_frame_first];
        s_frame_first = (s_frame_first + 1) % FRAMES;
        s_frame_count--;
        uint8_t bytes [MESH_FRAME_MAX];
        memcpy (bytes, frame->bytes, frame->size);
        uint32_t to = frame->to;
        mesh_frame_in (s_node [to], frame->link, bytes, frame->size, s_now);
        s_run (to);
    }
    s_delivering = false;
}

static inline void s_run (uint32_t number)
{
    mesh_action_t action;
    while (s_node [number] && mesh_next_action (s_node [number], &action)) {
        uint32_t other = action.link / 10 == number ? action.link % 10 : action.link / 10;
        if (action.kind == MESH_SEND && s_deaf && !s_node [other]) {
            memcpy (s_last_bytes, action.bytes, action.size);
            s_last_frame = action;
        } else if (action.kind == MESH_SEND) {
            assert_true (s_frame_count < FRAMES);
            frame_t *frame = &s_frames [(s_frame_first + s_frame_count++) % FRAMES];
            *frame = (frame_t){ .to = other, .link = action.link, .size = action.size };
            memcpy (frame->bytes, action.bytes, action.size);
        } else if (action.kind == MESH_READY)
            s_transfer (number, action.link);
        else if (action.kind == MESH_SUBMIT)
            s_accept (number, action.mid);
        s_accepted [number] += action.kind == MESH_ACCEPTED;
        s_carried [number] += action.kind == MESH_CARRIED;
        s_erased [number] += action.kind == MESH_ERASE;
        s_put += action.kind == MESH_PUT;
        s_closed += action.kind == MESH_CLOSE;
        if (action.kind == MESH_OFFENCE)
            s_offences [action.offence]++;
    }
    if (!s_delivering)
        s_deliver ();
}

static inline void s_tick (int64_t ms)
{
    for (int64_t until = s_now + ms; s_now < until;) {
        s_now += 1000;
        for (uint32_t number = 0; number < NODES; number++)
            if (s_node [number]) {
                mesh_tick (s_node [number], s_now);
                s_run (number);
            }
    }
}

static inline void s_meet (uint32_t a, uint32_t b)
{
    mesh_link_up (s_node [a], s_link (a, b), s_key [b], NULL, s_now);
    mesh_link_up (s_node [b], s_link (a, b), s_key [a], NULL, s_now);
    s_run (a);
    s_run (b);
}

static inline void s_part (uint32_t a, uint32_t b)
{
    mesh_link_down (s_node [a], s_link (a, b), s_now);
    mesh_link_down (s_node [b], s_link (a, b), s_now);
    s_run (a);
    s_run (b);
}

static uint64_t s_buffer; //  of new nodes

static inline void s_new_node (uint32_t number)
{
    mesh_settings_t settings = {
        .buffer_bytes = s_buffer, .epoch_bytes = s_epoch_bytes, .epoch_valid = s_epoch_valid, .single_valid = s_single_valid
    };
    memset (s_key [number], (int)number + 1, MESH_KEY);
    s_node [number] = mesh_new (&settings, s_key [number], number, s_now);
}

static inline void s_begin (uint32_t count, uint64_t buffer)
{
    s_buffer = buffer;
    s_now = 1000000;
    s_submitted = s_closed = s_put = 0;
    s_deaf = s_delivering = false;
    s_frame_count = 0;
    memset (s_accepted, 0, sizeof s_accepted);
    memset (s_carried, 0, sizeof s_carried);
    memset (s_erased, 0, sizeof s_erased);
    memset (s_offences, 0, sizeof s_offences);
    for (uint32_t number = 0; number < count; number++)
        s_new_node (number);
}

static inline void s_nobody_offended (void)
{
    for (unsigned kind = 0; kind < MESH_OFFENCES; kind++)
        assert_int_equal (s_offences [kind], 0);
}

//  Before all tests of a group: the broker's receipts key.
static inline int s_keys (void **state)
{
    (void)state;
    return sodium_init () < 0 ? -1 : crypto_sign_keypair (s_public, s_secret);
}

static inline int s_end (void **state)
{
    (void)state;
    for (uint32_t number = 0; number < NODES; number++)
        mesh_destroy (&s_node [number]);
    return 0;
}

//  A neighbour of node 0 that the test plays, on the link of its number.
static inline void s_play_neighbour (uint32_t number, uint8_t hops)
{
    uint8_t beacon [MESH_BEACON];
    memset (s_key [number], (int)number + 1, MESH_KEY);
    meshwire_state_encode (beacon, &(meshwire_state_t){ .has_work = true, .hops = hops, .utility = 9 });
    mesh_link_up (s_node [0], number, s_key [number], beacon, s_now);
    s_run (0);
}

//  The test plays node 1, a neighbour of node 0 that says what it likes.
static inline void s_begin_against (uint64_t buffer)
{
    s_begin (1, buffer);
    s_deaf = true;
    s_play_neighbour (1, 255);
}

static inline int s_say (const meshwire_frame_t *frame)
{
    uint8_t bytes [MESH_FRAME_MAX];
    size_t size = meshwire_encode (bytes, frame);
    int rc = mesh_frame_in (s_node [0], 1, bytes, size, s_now);
    s_run (0);
    return rc;
}

//  To the offer before, which must have been answered.
static inline meshwire_answer_t s_answer (void)
{
    meshwire_frame_t frame;
    assert_int_equal (meshwire_decode (&frame, s_last_bytes, s_last_frame.size), 0);
    assert_int_equal (frame.type, MESHWIRE_WANT);
    return frame.answers [0];
}

//  Offers one tip and, if it is wanted, brings it under this head.
static inline mesh_verdict_t s_bring (const mesh_tip_t *tip, const meshwire_head_t *head)
{
    meshwire_salt_t salt = meshwire_salt (s_key [1], s_key [0], 5);
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 5, .count = 1 };
    offer.offers [0] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip->mid),
        .cls = tip->cls,
        .several = head->tokens > 1,
        .relayed = head->hops > 0,
        .best = meshwire_magnitude (meshwire_seconds (head->best)),
        .size = tip->size };
    s_say (&offer);
    uint8_t bytes [MESH_HEAD];
    meshwire_head_encode (bytes, head);
    mesh_facts_t facts = { tip->mid, tip->origin, tip->cls, tip->size, tip->life_s };
    mesh_verdict_t verdict = mesh_tip_in (s_node [0], 1, bytes, &facts, s_now);
    s_run (0);
    if (verdict == MESH_TAKEN)
        mesh_stored (s_node [0], tip->mid, true, s_now);
    s_run (0);
    return verdict;
}

#endif
