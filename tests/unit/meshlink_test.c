//  meshlink_test - neighbours find, admit and lose one another over real sockets; who has no business here is shut out

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "link.h"
#include "testlinks.h"

#define PATIENCE_MS 20000

typedef struct {
    char home [96];
    device_t *device;
    void *zmq;
    meshlinks_t *links;
    uint32_t link; //  the newest
    int ups, downs, frames, in_order;
    uint8_t body [64];
    size_t body_size;
    meshframe_t type;
    credential_t who;
    bool revokes;
} node_t;

typedef struct {
    testlinks_t at;
    node_t nodes [3];
} fixture_t;

static void s_up (void *context, uint32_t link, const credential_t *who, const uint8_t *routing)
{
    node_t *node = context;
    (void)routing;
    node->link = link;
    node->who = *who;
    node->ups++;
}

static void s_down (void *context, uint32_t link, const char *reason)
{
    node_t *node = context;
    (void)link;
    assert_true (strlen (reason) > 0);
    node->downs++;
}

static void s_frame (void *context, uint32_t link, meshframe_t type, const uint8_t *body, size_t size)
{
    node_t *node = context;
    (void)link;
    uint32_t number = 0;
    if (type == MESHFRAME_MESH && size >= sizeof number)
        memcpy (&number, body, sizeof number);
    node->in_order += number == (uint32_t)node->frames;
    node->frames++;
    node->type = type;
    node->body_size = size < sizeof node->body ? size : sizeof node->body;
    memcpy (node->body, body, node->body_size);
}

static bool s_revoked (void *context, const uint8_t *link_key)
{
    (void)link_key;
    return ((node_t *)context)->revokes;
}

static void s_start (node_t *node, const char *peer)
{
    static const meshlinks_handler_t handler
        = { s_up, s_down, s_frame, testlinks_heard, testlinks_worth, s_revoked, testlinks_judge };
    meshlinks_options_t options = { .listen = "tcp://127.0.0.1:*", .peers = &peer, .peer_count = peer ? 1 : 0 };
    node->links = meshlinks_new (node->zmq, node->device, &options, &handler, node);
    assert_non_null (node->links);
}

static void s_endpoint (const node_t *node, char out [48])
{
    snprintf (out, 48, "tcp://127.0.0.1:%u", meshlinks_port (node->links));
}

static void s_start_peer (node_t *node, const node_t *other)
{
    char endpoint [48];
    s_endpoint (other, endpoint);
    s_start (node, endpoint);
}

static void s_round (fixture_t *f)
{
    for (int i = 0; i < 3; i++) {
        node_t *node = &f->nodes [i];
        zmq_pollitem_t items [MESHLINKS_ITEMS];
        long timeout = 5;
        if (!node->links)
            continue;
        int count = meshlinks_items (node->links, items, &timeout, time_mono_ms ());
        assert_true (count <= MESHLINKS_ITEMS);
        zmq_poll (items, count, timeout);
        meshlinks_process (node->links, time_mono_ms ());
    }
}

//  Runs all nodes until the number is reached.
static void s_until (fixture_t *f, const int *number, int wanted)
{
    int64_t end = time_mono_ms () + PATIENCE_MS;
    while (*number < wanted && time_mono_ms () < end)
        s_round (f);
    assert_true (*number >= wanted);
}

//  ann has dialled bob, and both know it.
static void s_link (fixture_t *f, node_t *ann, node_t *bob)
{
    s_start (bob, NULL);
    s_start_peer (ann, bob);
    s_until (f, &ann->ups, 1);
    s_until (f, &bob->ups, 1);
}

static void s_until_refused (fixture_t *f, const node_t *node, card_verdict_t verdict)
{
    int64_t end = time_mono_ms () + PATIENCE_MS;
    while (!meshlinks_refused (node->links)->totals [verdict] && time_mono_ms () < end)
        s_round (f);
    assert_true (meshlinks_refused (node->links)->totals [verdict] > 0);
}

//  What the node has counted under the other's key.
static const refused_key_t *s_refused_key (const node_t *node, const node_t *other)
{
    const meshrefused_t *refused = meshlinks_refused (node->links);
    for (int i = 0; i < REFUSED_KEYS; i++)
        if (memcmp (refused->keys [i].key, device_keys (other->device)->public_key, KEY_SIZE) == 0)
            return &refused->keys [i];
    fail_msg ("nothing is counted under that key");
    return NULL;
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (testlinks_begin (&f->at), 0);
    for (int i = 0; i < 3; i++) {
        node_t *node = &f->nodes [i];
        char home [96];
        snprintf (home, sizeof home, "%s/%d", f->at.folder, i);
        memcpy (node->home, home, sizeof home);
        node->device = testdistrict_node (i < 2 ? &f->at.ours : &f->at.theirs, node->home);
        assert_non_null (node->device);
        node->zmq = zmq_ctx_new ();
    }
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 3; i++) {
        meshlinks_destroy (&f->nodes [i].links);
        device_destroy (&f->nodes [i].device);
        zmq_ctx_term (f->nodes [i].zmq);
    }
    int rc = testlinks_end (&f->at);
    free (f);
    return rc;
}

static void test_two_members_know_each_other_and_talk (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1];
    s_link (f, ann, bob);
    assert_memory_equal (ann->who.device_key, device_keys (bob->device)->public_key, KEY_SIZE);
    assert_memory_equal (bob->who.device_key, device_keys (ann->device)->public_key, KEY_SIZE);
    assert_int_equal (
        meshlinks_send (ann->links, ann->link, MESHFRAME_TIP, (const uint8_t *)"he", 2, (const uint8_t *)"llo", 3), 0);
    s_until (f, &bob->frames, 1);
    assert_int_equal (bob->type, MESHFRAME_TIP);
    assert_memory_equal (bob->body, "hello", 5);
    assert_int_equal (meshlinks_send (bob->links, bob->link, MESHFRAME_LETTER, (const uint8_t *)"back", 4, NULL, 0), 0);
    s_until (f, &ann->frames, 1);
    assert_int_equal (ann->type, MESHFRAME_LETTER);
    //  one end goes, the other notices without waiting for silence
    meshlinks_destroy (&ann->links);
    s_until (f, &bob->downs, 1);
    assert_int_equal (meshlinks_send (bob->links, bob->link, MESHFRAME_TIP, NULL, 0, NULL, 0), -1);
}

//  A neighbour that is busy for a moment is told many words, more than a queue holds: they wait, in order, and so does what comes after. One
//  that takes nothing gets no more than a bound.
static void test_words_wait_for_a_busy_neighbour (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1];
    s_link (f, ann, bob);
    for (unsigned from = 0; from < 2; from++) {
        node_t *teller = from ? bob : ann, *busy = from ? ann : bob;
        uint8_t word [700] = { 0 };
        int sent = 0;
        for (; sent < 100000; sent++) {
            memcpy (word, &sent, sizeof sent);
            if (meshlinks_send (teller->links, teller->link, MESHFRAME_MESH, word, from ? 70 : sizeof word, NULL, 0))
                break;
        }
        assert_in_range (sent, 100, 99999);
        assert_int_equal (meshlinks_send (teller->links, teller->link, MESHFRAME_TIP, word, sizeof word, NULL, 0), -1);
        s_until (f, &busy->frames, sent);
        assert_int_equal (busy->in_order, sent);
        assert_int_equal (meshlinks_send (teller->links, teller->link, MESHFRAME_TIP, word, sizeof word, NULL, 0), 0);
        s_until (f, &busy->frames, sent + 1);
        assert_int_equal (busy->type, MESHFRAME_TIP);
    }
    assert_int_equal (ann->downs + bob->downs, 0);
}

//  Both dial: in the end there is one link, at both ends the same one.
static void test_one_link_a_pair (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1];
    char endpoint [48];
    s_start (bob, NULL);
    s_start_peer (ann, bob);
    s_endpoint (ann, endpoint);
    //  bob is made anew on its port, so that each knows where the other is
    char listen [48];
    s_endpoint (bob, listen);
    meshlinks_destroy (&bob->links);
    static const meshlinks_handler_t handler
        = { s_up, s_down, s_frame, testlinks_heard, testlinks_worth, s_revoked, testlinks_judge };
    const char *peer = endpoint;
    meshlinks_options_t options = { .listen = listen, .peers = &peer, .peer_count = 1 };
    //  libzmq gives a port back a moment after the socket was closed
    for (int tries = 0; tries < 200 && !bob->links; tries++) {
        bob->links = meshlinks_new (bob->zmq, bob->device, &options, &handler, bob);
        s_round (f);
    }
    assert_non_null (bob->links);
    s_until (f, &ann->ups, 1);
    s_until (f, &bob->ups, 1);
    int64_t end = time_mono_ms () + 1500;
    while (time_mono_ms () < end)
        s_round (f);
    assert_int_equal (ann->ups - ann->downs, 1);
    assert_int_equal (bob->ups - bob->downs, 1);
    int before = bob->frames;
    assert_int_equal (meshlinks_send (ann->links, ann->link, MESHFRAME_TIP, (const uint8_t *)"x", 1, NULL, 0), 0);
    s_until (f, &bob->frames, before + 1);
}

static void test_a_foreign_credential_is_refused (void **state)
{
    fixture_t *f = *state;
    node_t *bob = &f->nodes [1], *eve = &f->nodes [2];
    s_start (bob, NULL);
    s_start_peer (eve, bob);
    s_until_refused (f, bob, CARD_FOREIGN);
    assert_int_equal (bob->ups + eve->ups, 0);
    assert_true (s_refused_key (bob, eve)->counts [CARD_FOREIGN] > 0);
}

//  Its credential is good and over. Whoever of the two dials.
static void test_an_expired_credential_is_refused (void **state)
{
    fixture_t *f = *state;
    node_t *bob = &f->nodes [1], *eve = &f->nodes [2];
    int64_t now = time_now_ms ();
    device_destroy (&eve->device);
    strcat (eve->home, "x");
    eve->device = testdistrict_join (&f->at.ours, eve->home, PATROL__ROLE__NODE, now - 3 * DISTRICT_DAY_MS, now - 1000);
    assert_non_null (eve->device);
    s_start (bob, NULL);
    s_start_peer (eve, bob);
    s_until_refused (f, bob, CARD_EXPIRED);
    assert_true (s_refused_key (bob, eve)->counts [CARD_EXPIRED] > 0);
    meshlinks_destroy (&eve->links);
    meshlinks_destroy (&bob->links);
    s_start (eve, NULL);
    s_start_peer (bob, eve);
    s_until_refused (f, bob, CARD_EXPIRED);
    assert_true (s_refused_key (bob, eve)->counts [CARD_EXPIRED] > 0);
    assert_int_equal (bob->ups + eve->ups, 0);
}

static void test_a_revoked_neighbour_is_cut_and_stays_out (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1];
    s_start (bob, NULL);
    s_start_peer (ann, bob);
    s_until (f, &bob->ups, 1);
    bob->revokes = true;
    meshlinks_recheck (bob->links, time_mono_ms ());
    assert_int_equal (bob->downs, 1);
    s_until (f, &ann->downs, 1);
    uint64_t refused = meshlinks_refused (bob->links)->totals [CARD_REVOKED];
    int64_t end = time_mono_ms () + PATIENCE_MS;
    while (meshlinks_refused (bob->links)->totals [CARD_REVOKED] == refused && time_mono_ms () < end)
        s_round (f);
    assert_true (meshlinks_refused (bob->links)->totals [CARD_REVOKED] > refused);
    assert_int_equal (bob->ups, 1);
}

//  A banned one likewise, for a time.
static void test_a_ban_ends (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1];
    s_start (bob, NULL);
    s_start_peer (ann, bob);
    s_until (f, &bob->ups, 1);
    meshlinks_end (bob->links, bob->link, 1000, time_mono_ms ());
    s_until (f, &ann->downs, 1);
    s_until (f, &bob->ups, 2);
}

//  A thief has ann's card and not her keys: the card is answered, the proof is not believed.
static void test_a_copied_card_is_not_enough (void **state)
{
    fixture_t *f = *state;
    node_t *ann = &f->nodes [0], *bob = &f->nodes [1], *thief = &f->nodes [2];
    uint8_t frame [FRAME_HEADER + CARD_MAX] = { FRAME_VERSION, MESHFRAME_CARD }, nonce [KEY_NONCE] = "thief";
    s_start (bob, NULL);
    //  bob's CURVE key, as everybody can ask for it
    beacons_options_t options = { .port = 0 };
    beacons_t *asking = beacons_new (&options);
    assert_non_null (asking);
    uint8_t key [KEY_SIZE], bytes [KEY_DATAGRAM];
    struct pollfd items [2];
    beacons_items (asking, items);
    assert_int_equal (beacons_ask (asking, "127.0.0.1", meshlinks_port (bob->links), nonce), 0);
    for (int i = 0; i < 50; i++)
        s_round (f);
    assert_int_equal (recv (items [0].fd, bytes, sizeof bytes, 0), KEY_DATAGRAM);
    assert_int_equal (beacon_read_key (nonce, key, bytes, sizeof bytes), KEY_TOLD);
    beacons_destroy (&asking);
    box_keys_t keys;
    box_keys_make (&keys);
    char endpoint [48];
    s_endpoint (bob, endpoint);
    link_t *link = link_new (thief->zmq, endpoint, key, &keys);
    size_t size = meshcard_write (frame + FRAME_HEADER, ann->device);
    int64_t end = time_mono_ms () + PATIENCE_MS;
    bool answered = false;
    while (!meshlinks_refused (bob->links)->totals [CARD_UNPROVEN] && time_mono_ms () < end) {
        link_event_t event;
        const uint8_t *got;
        size_t got_size;
        s_round (f);
        while (link_process (link, time_mono_ms (), &event, &got, &got_size)) {
            if (event == LINK_UP)
                link_send (link, frame, FRAME_HEADER + size);
            if (event == LINK_FRAME && got [1] == MESHFRAME_ANSWER) {
                uint8_t proof [FRAME_HEADER + PROOF_SIZE] = { FRAME_VERSION, MESHFRAME_PROOF };
                //  the best it has: what bob has just sent
                memcpy (proof + FRAME_HEADER, got + FRAME_HEADER, PROOF_SIZE);
                link_send (link, proof, sizeof proof);
                answered = true;
            }
        }
    }
    assert_true (answered);
    assert_int_equal (meshlinks_refused (bob->links)->totals [CARD_UNPROVEN], 1);
    assert_int_equal (bob->ups, 0);
    link_destroy (&link);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_two_members_know_each_other_and_talk, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_words_wait_for_a_busy_neighbour, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_one_link_a_pair, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_foreign_credential_is_refused, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_an_expired_credential_is_refused, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_revoked_neighbour_is_cut_and_stays_out, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_ban_ends, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_copied_card_is_not_enough, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
