//  hostile - a peer that does what it should not, one thing an invocation, and prints what came of it
//
//    hostile HOME ATTACK [OTHER]     with the keys of a member's home; OTHER: another member's home, for `foreign-*`
//    hostile HOME stranger           keys nobody knows, at the broker of HOME
//    hostile HOME guest LINE         with an invitation's key: all but enrolment is forbidden to it
//
//  One line an event: `admitted`, `shut out`, `cut`, `notice CODE: DETAIL`, `refusal CODE: DETAIL`, `receipt CODE: DETAIL`, `taken N`, `silence`. Every
//  attack is followed by an honest attach, whose answer ends the wait, so nothing here depends on how long something takes.

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "hostileattacks.h"

//  ---- the table

static const struct {
    const char *name;
    void (*run) (peer_t *);
    bool receipt; //  the broker answers with a receipt
} s_attacks [] = {
    { "honest", peer_honest_tip },
    { "oversize", attack_oversize },
    { "frame-too-long", attack_frame_too_long },
    { "frame-too-short", attack_frame_too_short },
    { "frame-empty", attack_frame_empty },
    { "frame-version", attack_frame_version },
    { "frame-type", attack_frame_type },
    { "frame-lane", attack_frame_lane },
    { "frame-reserved", attack_frame_reserved },
    { "frame-of-front", attack_frame_of_front },
    { "multipart", attack_multipart },
    { "truncated", attack_truncated },
    { "bulk-flood", attack_bulk_flood },
    { "urgent-flood", attack_urgent_flood },
    { "talk-flood", attack_talk_flood },
    { "mutated", attack_mutated },
    { "mutated-header", attack_mutated_header },
    { "envelope-version", attack_envelope_version },
    { "other-district", attack_other_district },
    { "unknown-handle", attack_unknown_handle },
    { "foreign-handle", attack_foreign_handle },
    { "domain", attack_domain },
    { "padding", attack_padding },
    { "unknown-field", attack_unknown_field },
    { "tag", attack_tag },
    { "replay-envelope", attack_replay_envelope, true },
    { "replay-session", attack_replay_session },
    { "other-session", attack_other_session },
    { "old-session", attack_old_session },
    { "mutated-session", attack_mutated_session },
    { "foreign-box", attack_foreign_box },
    { "ack-beyond", attack_ack_beyond },
    { "query", attack_query },
    { "command", attack_command, true },
    { "counter-zero", attack_counter_zero },
    { "counter-far", attack_counter_far },
    { "gaps", attack_gaps },
    { "epochs", attack_epochs },
    { "unknown-kind", attack_unknown_kind, true },
    { "kind-escape", attack_kind_escape, true },
    { "severity", attack_severity, true },
    { "text-control", attack_text_control, true },
    { "text-utf8", attack_text_utf8, true },
    { "text-bidi", attack_text_bidi, true },
    { "text-nul", attack_text_nul, true },
    { "text-long", attack_text_long, true },
    { "position", attack_position, true },
    { "datum", attack_datum, true },
    { "accuracy", attack_accuracy, true },
    { "future", attack_future, true },
    { "before-1970", attack_before_1970, true },
};

static int s_attack (peer_t *self, const char *name)
{
    for (size_t i = 0; i < sizeof s_attacks / sizeof s_attacks [0]; i++)
        if (strcmp (s_attacks [i].name, name) == 0) {
            peer_enter (self);
            s_attacks [i].run (self);
            if (s_attacks [i].receipt)
                peer_await_word (self);
            //  an honest attach: whatever the attack brought has come when its answer does
            memcpy (self->shared, device_shared (self->device), KEY_SIZE);
            peer_attach (self);
            peer_attach (self);
            printf ("%s\n", self->cut ? "cut" : self->attached ? "still there" : "silence");
            return 0;
        }
    fprintf (stderr, "hostile: no attack is called %s; there are:", name);
    for (size_t i = 0; i < sizeof s_attacks / sizeof s_attacks [0]; i++)
        fprintf (stderr, " %s", s_attacks [i].name);
    fprintf (stderr, "\n");
    return 2;
}

//  Keeps the session and says when it is cut; then tries to come back.
static int s_hold (peer_t *self)
{
    bool never = false;
    peer_enter (self);
    printf ("attached\n");
    fflush (stdout);
    while (!self->cut)
        peer_listen (self, &never, PATIENCE_MS);
    printf ("cut\n");
    fflush (stdout);
    return 0;
}

static int s_knock (peer_t *self)
{
    peer_connect (self);
    printf ("%s\n", peer_admitted (self) ? "admitted" : "shut out");
    return 0;
}

//  A weak key, a box that does not open, and what only members may send, all with an invitation's key.
static int s_guest (peer_t *self, const char *line)
{
    invitation_t invitation;
    uint8_t token [TOKEN_SIZE], frame [FRAME_HEADER + KEY_SIZE + 64] = { 0 };
    const char *reason;
    if (invitation_parse (&invitation, line, &reason))
        peer_die ("%s", reason);
    invitation_derive (&invitation, &self->link, token);
    peer_connect (self);
    if (!peer_admitted (self)) {
        printf ("shut out\n");
        return 0;
    }
    peer_hello (self);
    tip_t tip = peer_tip (self);
    peer_submit_tip (self, &tip);
    //  all zeros is a low-order point
    frame_begin (frame, FRAME_ENROL, LANE_URGENT);
    peer_put (self, frame, sizeof frame);
    memset (frame + FRAME_HEADER, 7, KEY_SIZE + 64);
    peer_put (self, frame, sizeof frame);
    peer_put (self, frame, FRAME_HEADER + 5);
    //  no answer is owed to an enrolment that does not open: the credit asked for last is refused by a notice at most
    self->welcome = 0;
    peer_hello (self);
    printf ("%s\n", self->cut ? "cut" : "still there");
    return 0;
}

int main (int argc, char **argv)
{
    peer_t peer = { .arena = arena_new (ARENA_MESSAGE_SIZE), .zmq = zmq_ctx_new () };
    if (argc < 3 || identity_init ())
        peer_die ("usage: hostile HOME ATTACK [OTHER]");
    setvbuf (stdout, NULL, _IOLBF, 0);
    peer.device = device_open (argv [1]);
    peer.other = argc > 3 && strncmp (argv [3], INVITATION_PREFIX, 4) != 0 ? device_open (argv [3]) : NULL;
    if (!peer.device)
        return 1;
    peer.link = *device_link_keys (peer.device);
    memcpy (peer.shared, device_shared (peer.device), KEY_SIZE);
    randombytes_buf (&peer.epoch, sizeof peer.epoch);
    //  The same device again: its next tip has the number after HOSTILE_COUNTER.
    const char *counter = getenv ("HOSTILE_COUNTER");
    if (counter) {
        peer.epoch = 1;
        peer.counter = strtoull (counter, NULL, 10);
    }
    int rc;
    if (strcmp (argv [2], "stranger") == 0) {
        box_keys_make (&peer.link);
        rc = s_knock (&peer);
    } else if (strcmp (argv [2], "knock") == 0)
        rc = s_knock (&peer);
    else if (strcmp (argv [2], "hold") == 0)
        rc = s_hold (&peer);
    else if (strcmp (argv [2], "guest") == 0 && argc > 3)
        rc = s_guest (&peer, argv [3]);
    else if (strcmp (argv [2], "own-routing-id") == 0) {
        peer.routing_id = "mallory";
        peer_connect (&peer);
        peer_admitted (&peer);
        peer_hello (&peer);
        printf ("%s\n", peer.cut ? "cut" : peer.welcome ? "welcome" : "silence");
        rc = 0;
    } else
        rc = s_attack (&peer, argv [2]);
    zmq_close (peer.monitor);
    zmq_close (peer.socket);
    zmq_ctx_term (peer.zmq);
    device_destroy (&peer.device);
    device_destroy (&peer.other);
    arena_destroy (&peer.arena);
    return rc;
}
