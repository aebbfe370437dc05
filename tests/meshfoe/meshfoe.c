//  meshfoe - an enrolled node that does what it should not, one thing an invocation, until it is killed
//
//    meshfoe HOME ATTACK tcp://ADDRESS:PORT...
//    meshfoe HOME forged-beacons
//    meshfoe HOME key                     nothing but its key
//    meshfoe HOME expire ISSUER.key       the home's credential is from now on one that is over; for `patrol-node run`
//
//  It has a valid credential: everything up to the link is honest, by the node's own modules, and so is the talk where an attack
//  needs one. Prints `key` and its own as others show it, `up` and `down` with each link; what came of the attack, the victim's
//  `mesh --json` tells.

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "foebeacons.h"
#include "home.h"
#include "mesh.h"
#include "meshreceipt.h"
#include "meshwire.h"
#include "meshtarget.h"
#include "meshword.h"
#include "timefmt.h"
#include "../unit/testlinks.h"

#define TIPS_MAX 600
#define OLD_DAYS 5

typedef struct foe_t {
    device_t *device;
    meshlinks_t *links;
    mesh_t *mesh;
    const char *attack;
    uint8_t *tips [TIPS_MAX], mids [TIPS_MAX][MID_SIZE];
    size_t sizes [TIPS_MAX];
    int tip_count;
    uint32_t link; //  the newest, 0 = none
    uint8_t victim [KEY_SIZE];
    uint8_t epoch [MESHRECEIPT_EPOCH_MAX]; //  a true one, as it came
    size_t epoch_size;
    uint32_t offered; //  ids in the last offer
} foe_t;

static bool s_is (const foe_t *self, const char *attack)
{
    return strcmp (self->attack, attack) == 0;
}

static bool s_yes_epoch (void *context, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
    return true;
}

//  ---- its own tips, as its credential allows

static void s_write_tips (foe_t *self, int count, size_t text)
{
    uint8_t *words = calloc (1, text + 1);
    if (!words)
        abort ();
    //  what is older than its life, and says that it was written just now
    bool old = s_is (self, "old");
    int64_t written_ms = time_now_ms () - (old ? OLD_DAYS * INT64_C (86400000) : 0);
    memset (words, 'x', text);
    for (int i = 0; i < count; i++) {
        Patrol__Tip tip = PATROL__TIP__INIT;
        Patrol__Inner inner = PATROL__INNER__INIT;
        envelope_header_t header;
        inner.counter = (uint64_t)i + 1;
        inner.epoch = 12345;
        inner.written_ms = written_ms;
        inner.body_case = PATROL__INNER__BODY_TIP;
        inner.tip = &tip;
        tip.kind = (ProtobufCBinaryData){ 5, (uint8_t *)"other" };
        tip.severity = 1;
        tip.cls = CLASS_NORMAL;
        tip.text = (ProtobufCBinaryData){ text, words };
        inner.tag = envelope_tag (device_shared (self->device), inner.epoch, inner.counter, &tip.base);
        self->sizes [i]
            = envelope_seal (&self->tips [i], device_seal (self->device), CLASS_NORMAL, old ? 1 : 24, written_ms, &inner);
        envelope_mid (self->mids [i], self->tips [i], self->sizes [i]);
        envelope_parse (&header, self->tips [i], self->sizes [i]);
        mesh_tip_t own = { .cls = 2, .own = true, .size = (uint32_t)self->sizes [i], .life_s = 86400 };
        memcpy (own.mid, self->mids [i], MID_SIZE);
        memcpy (own.origin, header.handle, HANDLE_SIZE);
        mesh_own (self->mesh, &own, time_mono_ms ());
        self->tip_count++;
    }
    free (words);
}

static void s_send_tip (foe_t *self, uint32_t link)
{
    mesh_outgoing_t out;
    if (!mesh_next_tip (self->mesh, link, &out, time_mono_ms ()))
        return;
    if (s_is (self, "stall"))
        return;
    for (int i = 0; i < self->tip_count; i++) {
        uint8_t bytes [ENVELOPE_MAX];
        if (memcmp (self->mids [i], out.mid, MID_SIZE) != 0)
            continue;
        memcpy (bytes, self->tips [i], self->sizes [i]);
        meshwire_head_t head;
        meshwire_head_decode (&head, out.head);
        if (s_is (self, "altered"))
            bytes [self->sizes [i] - 1] ^= 1;
        if (s_is (self, "minted"))
            head.tokens = 60000;
        if (s_is (self, "old"))
            head.age_ds = 0;
        if (s_is (self, "swapped")) {
            //  a good envelope, and not the one that was asked for
            int other = self->tip_count - 1;
            memcpy (bytes, self->tips [other], self->sizes [other]);
        }
        meshwire_head_encode (out.head, &head);
        mesh_sending (self->mesh, link, out.mid, time_mono_ms ());
        bool sent = meshlinks_send (self->links, link, MESHFRAME_TIP, out.head, MESH_HEAD, bytes, self->sizes [i]) == 0;
        mesh_sent (self->mesh, link, out.mid, sent, time_mono_ms ());
        return;
    }
}

static void s_act (foe_t *self)
{
    mesh_action_t action;
    while (mesh_next_action (self->mesh, &action)) {
        meshwire_frame_t frame;
        if (action.kind == MESH_SEND && meshwire_decode (&frame, action.bytes, action.size) == 0
            && frame.type == MESHWIRE_OFFER)
            self->offered = frame.count;
        if (action.kind == MESH_SEND)
            meshlinks_send (self->links, action.link, MESHFRAME_MESH, action.bytes, action.size, NULL, 0);
        else if (action.kind == MESH_READY)
            s_send_tip (self, action.link);
        else if (action.kind == MESH_PUT)
            mesh_stored (self->mesh, action.tip->mid, true, time_mono_ms ()); //  it stores nothing
    }
}

//  ---- single frames

static void s_post (foe_t *self, const meshwire_frame_t *frame)
{
    uint8_t bytes [MESHWIRE_FRAME_MAX];
    meshlinks_send (self->links, self->link, MESHFRAME_MESH, bytes, meshwire_encode (bytes, frame), NULL, 0);
}

static void s_forged_epoch (foe_t *self)
{
    sign_keys_t keys;
    uint8_t bytes [MESHRECEIPT_EPOCH_MAX], mid [1][MID_SIZE], salt [8] = { 1 };
    bool sos = false;
    meshreceipt_epoch_t epoch
        = { .series = 4000000000u, .number = 1, .oldest = 1, .closed_s = (uint32_t)(time_now_ms () / 1000) };
    sign_keys_make (&keys);
    randombytes_buf (mid, sizeof mid);
    size_t size
        = meshreceipt_epoch_sign (bytes, &epoch, salt, (const uint8_t (*) [MESHRECEIPT_MID])mid, &sos, 1, keys.secret_key);
    s_post (self, &(meshwire_frame_t){ .type = MESHWIRE_EPOCH, .bytes = bytes, .size = size });
}

//  One that the victim has itself given.
static void s_replayed_epoch (foe_t *self)
{
    if (self->epoch_size)
        s_post (self, &(meshwire_frame_t){ .type = MESHWIRE_EPOCH, .bytes = self->epoch, .size = self->epoch_size });
}

//  "The broker has it", of a tip that was just given to us.
static void s_forged_single (foe_t *self, const uint8_t *mid)
{
    uint8_t single [MESHWIRE_SINGLE];
    meshwire_salt_t salt = meshwire_salt (device_keys (self->device)->public_key, self->victim, 0);
    randombytes_buf (single, sizeof single);
    s_post (self, &(meshwire_frame_t){ .type = MESHWIRE_ONE, .id = meshwire_short (&salt, mid), .single = single });
}

static void s_forged_revocation (foe_t *self)
{
    sign_keys_t keys;
    uint8_t bytes [WORD_MAX], ids [REVOKED_ID] = { 7 };
    word_t word = { .kind = WORD_REVOKED, .number = 1000000, .at_ms = time_now_ms (), .body = ids, .body_size = sizeof ids };
    memcpy (word.district, device_credential (self->device)->district, DISTRICT_SIZE);
    sign_keys_make (&keys);
    size_t size = word_sign (bytes, &word, &keys);
    s_post (self, &(meshwire_frame_t){ .type = MESHWIRE_REVOKED, .number = 1000000, .bytes = bytes, .size = size });
}

static void s_many_ids (foe_t *self)
{
    meshwire_frame_t frame = { .type = MESHWIRE_OFFER, .count = MESHWIRE_OFFER_MAX };
    for (uint32_t i = 0; i < frame.count; i++)
        frame.offers [i] = (meshwire_offer_t){ .id = randombytes_random (), .cls = 2, .size = 640 };
    frame.nonce = (uint16_t)(1 + randombytes_uniform (60000));
    s_post (self, &frame);
}

static void s_junk (foe_t *self)
{
    uint8_t bytes [300];
    randombytes_buf (bytes, sizeof bytes);
    meshlinks_send (self->links, self->link, MESHFRAME_MESH, bytes, 1 + randombytes_uniform (sizeof bytes - 1), NULL, 0);
}

static void s_forged_letter (foe_t *self)
{
    uint8_t bytes [200];
    randombytes_buf (bytes, sizeof bytes);
    meshlinks_send (self->links, self->link, MESHFRAME_LETTER, bytes, sizeof bytes, NULL, 0);
}

//  ---- links

static void s_up (void *context, uint32_t link, const credential_t *who, const uint8_t *routing)
{
    foe_t *self = context;
    self->link = link;
    memcpy (self->victim, who->device_key, KEY_SIZE);
    printf ("up\n");
    mesh_link_up (self->mesh, link, who->device_key, routing, time_mono_ms ());
    s_act (self);
}

static void s_down (void *context, uint32_t link, const char *reason)
{
    foe_t *self = context;
    printf ("down %s\n", reason);
    self->link = 0;
    mesh_link_down (self->mesh, link, time_mono_ms ());
    s_act (self);
}

//  An honest core makes a pause when it is told that there is no room for its own tips: this one hears that they are there, and goes on.
static void s_deaf_to_refusals (foe_t *self, uint32_t link, const uint8_t *body, size_t size)
{
    uint8_t bytes [MESHWIRE_FRAME_MAX];
    meshwire_frame_t want;
    if (meshwire_decode (&want, body, size) == 0 && want.type == MESHWIRE_WANT) {
        for (uint32_t index = 0; index < self->offered; index++)
            if (want.answers [index] == MESHWIRE_NO_ROOM)
                want.answers [index] = MESHWIRE_HAVE;
        size = meshwire_encode (bytes, &want);
        body = bytes;
    }
    mesh_frame_in (self->mesh, link, body, size, time_mono_ms ());
}

static void s_frame (void *context, uint32_t link, meshframe_t type, const uint8_t *body, size_t size)
{
    foe_t *self = context;
    envelope_header_t header;
    if (type == MESHFRAME_MESH && body [0] == MESHWIRE_EPOCH && size - 1 <= sizeof self->epoch) {
        self->epoch_size = size - 1;
        memcpy (self->epoch, body + 1, size - 1);
    }
    if (type == MESHFRAME_MESH && s_is (self, "flood"))
        s_deaf_to_refusals (self, link, body, size);
    else if (type == MESHFRAME_MESH)
        mesh_frame_in (self->mesh, link, body, size, time_mono_ms ());
    if (type == MESHFRAME_TIP && size > MESH_HEAD && envelope_parse (&header, body + MESH_HEAD, size - MESH_HEAD) == 0) {
        uint8_t mid [MID_SIZE];
        envelope_mid (mid, body + MESH_HEAD, size - MESH_HEAD);
        mesh_facts_t facts = { mid, header.handle, (uint8_t)header.cls, (uint32_t)(size - MESH_HEAD), header.life_h * 3600 };
        mesh_tip_in (self->mesh, link, body, &facts, time_mono_ms ());
        printf ("swallowed\n");
        if (s_is (self, "forged-single"))
            s_forged_single (self, mid);
    }
    s_act (self);
    //  an acknowledgement makes room for the next one
    if (type == MESHFRAME_MESH) {
        s_send_tip (self, link);
        s_act (self);
    }
}

static const struct {
    const char *name;
    void (*each) (foe_t *self); //  again and again while the link is up
    int tips;                   //  of its own that it offers
    size_t text;
} s_attacks [] = { { "junk", s_junk, 0, 0 }, { "forged-epoch", s_forged_epoch, 0, 0 },
    { "forged-revocation", s_forged_revocation, 0, 0 }, { "forged-letter", s_forged_letter, 0, 0 },
    { "forged-single", NULL, 0, 0 }, { "replayed-epoch", s_replayed_epoch, 0, 0 }, { "many-ids", s_many_ids, 0, 0 },
    { "altered", NULL, 3, 100 }, { "swapped", NULL, 3, 100 }, { "minted", NULL, 3, 100 }, { "stall", NULL, 3, 100 },
    { "old", NULL, 50, 100 }, { "flood", NULL, TIPS_MAX, 8000 }, { "black-hole", NULL, 0, 0 } };

static void s_loop (foe_t *self, void (*each) (foe_t *self))
{
    for (;;) {
        zmq_pollitem_t items [MESHLINKS_ITEMS];
        long timeout = 20;
        int count = meshlinks_items (self->links, items, &timeout, time_mono_ms ());
        zmq_poll (items, count, timeout);
        meshlinks_process (self->links, time_mono_ms ());
        mesh_tick (self->mesh, time_mono_ms ());
        s_act (self);
        if (self->link && each)
            each (self);
        fflush (stdout);
    }
}

//  ---- a credential that is over

static int s_expire (const char *home, const device_t *device, const char *issuer_path)
{
    sign_keys_t issuer;
    const char *reason = NULL;
    uint8_t *packed = NULL;
    credential_t credential = *device_credential (device);
    credential.from_ms = time_now_ms () - 7200000;
    credential.until_ms = time_now_ms () - 60000;
    char *path = home_path (home, "device.json");
    json_t *file = json_load_file (path, 0, NULL);
    size_t size
        = sign_keys_load (&issuer, issuer_path, "issuer", &reason) ? 0 : credential_issue (&packed, &credential, &issuer);
    int rc = 1;
    if (file && size) {
        char *hex = malloc (2 * size + 1);
        if (!hex)
            abort ();
        sodium_bin2hex (hex, 2 * size + 1, packed, size);
        json_object_set_new (file, "credential", json_string (hex));
        //  a home is judged by the day it was enrolled on
        json_object_set_new (file, "enrolled_ms", json_integer (credential.from_ms + 1000));
        rc = json_dump_file (file, path, JSON_INDENT (1)) ? 1 : 0;
        free (hex);
    }
    if (rc)
        fprintf (stderr, "meshfoe: %s: no other credential: %s\n", path, reason ? reason : "cannot be written");
    json_decref (file);
    free (packed);
    free (path);
    return rc;
}

static void s_print_key (const device_t *device)
{
    char hex [17];
    sodium_bin2hex (hex, sizeof hex, device_keys (device)->public_key, 8);
    printf ("key %s\n", hex);
    fflush (stdout);
}

static int s_attack (foe_t *self, const char *const *peers, int peer_count)
{
    static const meshlinks_handler_t handler
        = { s_up, s_down, s_frame, testlinks_heard, testlinks_worth, testlinks_revoked, testlinks_judge };
    mesh_settings_t settings = { .epoch_valid = s_yes_epoch };
    mesh_settings_default (&settings);
    self->mesh = mesh_new (&settings, device_keys (self->device)->public_key, 1, time_mono_ms ());
    meshlinks_options_t options = { .peers = peers, .peer_count = peer_count };
    void *zmq = zmq_ctx_new ();
    self->links = meshlinks_new (zmq, self->device, &options, &handler, self);
    if (!self->links)
        return 1;
    for (size_t i = 0; i < sizeof s_attacks / sizeof s_attacks [0]; i++)
        if (strcmp (s_attacks [i].name, self->attack) == 0) {
            if (s_is (self, "black-hole"))
                mesh_broker_up (self->mesh, time_mono_ms ()); //  so it says
            s_write_tips (self, s_attacks [i].tips, s_attacks [i].text);
            s_act (self);
            s_loop (self, s_attacks [i].each);
        }
    fprintf (stderr, "meshfoe: no attack %s\n", self->attack);
    return 2;
}

int main (int argc, char **argv)
{
    foe_t *self = calloc (1, sizeof *self);
    if (argc < 3 || !self || identity_init ())
        return 2;
    self->device = device_open (argv [1]);
    self->attack = argv [2];
    if (!self->device)
        return 2;
    s_print_key (self->device);
    if (s_is (self, "key"))
        return 0;
    if (s_is (self, "forged-beacons"))
        foebeacons_run (self->device);
    if (s_is (self, "expire"))
        return argc == 4 ? s_expire (argv [1], self->device, argv [3]) : 2;
    for (int i = 3; i < argc; i++)
        if (!meshtarget_ok (argv [i]))
            return 2;
    return s_attack (self, (const char *const *)argv + 3, argc - 3);
}
