//  The device's end of the protocol: whatever a broker, or somebody in its place, sends after the handshake.
//
//  The link is this file: frames come from the input, what the session sends is looked at and dropped.

#include "fuzzbroker.h"

#include <fcntl.h>
#include "session.h"

//  ---- a link without a network

struct link_t {
    int open;
};
static struct link_t s_link;
static struct {
    bool up_due, down_due;
    uint8_t frame [FRAME_MAX + 8];
    size_t size;
} s_next;
static uint64_t s_nonce, s_session; //  of the last Attach; what the broker gave
static const uint8_t *s_shared;

link_t *link_new (void *zmq, const char *endpoint, const uint8_t server_key [KEY_SIZE], const box_keys_t *keys)
{
    (void)zmq;
    FUZZ_EXPECT (endpoint && server_key && keys);
    s_link.open++;
    return &s_link;
}

void link_destroy (link_t **self_p)
{
    if (*self_p) {
        (*self_p)->open--;
    }
    *self_p = NULL;
}

int link_items (link_t *self, zmq_pollitem_t items [2], long *timeout_ms, int64_t now_ms)
{
    (void)self;
    (void)items;
    (void)timeout_ms;
    (void)now_ms;
    return 0;
}

bool link_process (link_t *self, int64_t now_ms, link_event_t *event, const uint8_t **frame, size_t *size)
{
    (void)self;
    (void)now_ms;
    *event = s_next.up_due ? LINK_UP : s_next.down_due ? LINK_DOWN : LINK_FRAME;
    bool any = s_next.up_due || s_next.down_due || s_next.size > 0;
    *frame = s_next.frame;
    *size = s_next.size;
    if (!s_next.up_due && !s_next.down_due) {
        s_next.size = 0;
    }
    s_next.up_due = s_next.down_due = false;
    return any;
}

//  Remembers the nonce of an Attach: without it no Attached is ever believed.
int link_send (link_t *self, const uint8_t *frame, size_t size)
{
    static uint8_t plain [FRAME_MAX];
    frame_type_t type;
    lane_t lane;
    size_t inside;
    (void)self;
    FUZZ_EXPECT (frame_parse (&type, &lane, frame, size) == 0);
    if (type != FRAME_SESSION) {
        return 0;
    }
    const uint8_t *bytes = box_open (plain, &inside, s_shared, DOMAIN_UP, frame + FRAME_HEADER, size - FRAME_HEADER);
    Patrol__Up *up = bytes ? patrol__up__unpack (NULL, inside, bytes) : NULL;
    FUZZ_EXPECT (up);
    if (up->body_case == PATROL__UP__BODY_ATTACH) {
        s_nonce = up->attach->nonce;
    }
    patrol__up__free_unpacked (up, NULL);
    return 0;
}

bool link_is_up (const link_t *self)
{
    (void)self;
    return true;
}

const char *link_reason (const link_t *self)
{
    (void)self;
    return "";
}

//  ---- a device of its own district

static device_t *s_device;
static box_keys_t s_core;

static void s_write (const char *name, const char *text)
{
    char path [128];
    snprintf (path, sizeof path, "%s/%s", fuzz_folder, name);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_EXPECT (fd >= 0 && write (fd, text, strlen (text)) == (ssize_t)strlen (text));
    close (fd);
}

static const char *s_hex (const uint8_t *bytes, size_t size)
{
    static char out [8][2048];
    static unsigned next;
    return sodium_bin2hex (out [next++ % 8], sizeof out [0], bytes, size);
}

static void s_join (void)
{
    sign_keys_t authority, issuer;
    credential_t credential = { .member = 7, .role = PATROL__ROLE__NODE, .from_ms = 0, .until_ms = INT64_MAX / 2 };
    box_keys_t keys, link, transport;
    uint8_t *packed = NULL, *cert = NULL;
    char path [128], json [8192];
    fuzz_folder_make ();
    sign_keys_make (&authority);
    sign_keys_make (&issuer);
    fuzz_keys (&keys, 1);
    fuzz_keys (&link, 2);
    fuzz_keys (&transport, 3);
    fuzz_keys (&s_core, 99);
    identity_district (credential.district, authority.public_key, "fuzz");
    memcpy (credential.device_key, keys.public_key, KEY_SIZE);
    memcpy (credential.link_key, link.public_key, KEY_SIZE);
    size_t size = credential_issue (&packed, &credential, &issuer);
    size_t cert_size = issuer_issue (&cert, credential.district, "fuzz", issuer.public_key, 0, INT64_MAX / 2, &authority);
    FUZZ_EXPECT (size && cert_size);
    snprintf (path, sizeof path, "%s/device.key", fuzz_folder);
    FUZZ_EXPECT (box_keys_save (&keys, path, "device") == 0);
    snprintf (path, sizeof path, "%s/link.key", fuzz_folder);
    FUZZ_EXPECT (box_keys_save (&link, path, "link") == 0);
    snprintf (json, sizeof json,
        "{\"version\":1,\"endpoint\":\"tcp://"
        "127.0.0.1:1\",\"transport_key\":\"%s\",\"core_key\":\"%s\",\"authority\":\"%s\","
        "\"district\":\"%s\",\"credential\":\"%s\",\"issuer\":\"%s\",\"enrolled_ms\":1000}",
        s_hex (transport.public_key, KEY_SIZE), s_hex (s_core.public_key, KEY_SIZE), s_hex (authority.public_key, KEY_SIZE),
        s_hex (credential.district, DISTRICT_SIZE), s_hex (packed, size), s_hex (cert, cert_size));
    s_write ("device.json", json);
    free (packed);
    free (cert);
    s_device = device_open (fuzz_folder);
    FUZZ_EXPECT (s_device);
    s_shared = device_shared (s_device);
}

//  ---- what the owner would do with it

static session_t *s_here;

static void s_attached (void *context, const Patrol__Attached *attached)
{
    (void)context;
    FUZZ_EXPECT (attached->nonce == s_nonce && attached->incarnation && session_attached (s_here));
    if (attached->kinds.len && device_set_kinds (s_device, (const char *)attached->kinds.data, attached->kinds.len) == 0) {
        FUZZ_EXPECT (kinds_count (device_kinds (s_device)) > 0);
    }
}

static void s_receipts (void *context, const Patrol__Receipts *receipts)
{
    (void)context;
    FUZZ_EXPECT (receipts->incarnation == session_incarnation (s_here));
    for (size_t index = 0; index < receipts->n_taken; index++) {
        FUZZ_EXPECT (receipts->taken [index]->counter && receipts->taken [index]->station.len <= STATION_MAX);
    }
}

static void s_delivered (void *context, const Patrol__Delivered *delivered)
{
    intervals_t set = { 0 };
    (void)context;
    intervals_unpack (&set, delivered->counters.data, delivered->counters.len, 4096);
    intervals_clear (&set);
}

static void s_feed (void *context, const Patrol__Feed *feed)
{
    (void)context;
    for (size_t index = 1; index < feed->n_items; index++) {
        FUZZ_EXPECT (feed->items [index]->n > feed->items [index - 1]->n);
    }
}

static void s_answer (void *context, const Patrol__Answer *answer)
{
    (void)context;
    FUZZ_EXPECT (answer->n_items <= 500);
}

static const session_handler_t s_handler
    = { .attached = s_attached, .receipts = s_receipts, .delivered = s_delivered, .feed = s_feed, .answer = s_answer };

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    FUZZ_EXPECT (identity_init () == 0);
    s_join ();
    return 0;
}

//  ---- from the input

static int64_t s_now;

static void s_give (size_t size)
{
    s_next.size = size;
    session_process (s_here, s_now += 10);
}

//  A Down around the bytes; `help` puts in the nonce and the session that the device waits for.
static void s_give_down (const uint8_t *data, size_t size, bool help)
{
    static uint8_t plain [FRAME_MAX];
    size_t most = FRAME_MAX - FRAME_HEADER - BOX_OVERHEAD;
    Patrol__Down *down = help ? patrol__down__unpack (NULL, size, data) : NULL;
    plain [0] = DOMAIN_DOWN;
    size = size < most ? size : most;
    if (size) {
        memcpy (plain + 1, data, size);
    }
    if (down && patrol__down__get_packed_size (down) + 32 < most) {
        if (down->body_case == PATROL__DOWN__BODY_ATTACHED) {
            down->attached->nonce = s_nonce;
            s_session = down->session;
        } else {
            down->session = s_session;
        }
        size = patrol__down__pack (down, plain + 1);
    }
    if (down) {
        patrol__down__free_unpacked (down, NULL);
    }
    frame_begin (s_next.frame, FRAME_SESSION, LANE_URGENT);
    memset (s_next.frame + FRAME_HEADER, 6, NONCE_SIZE);
    FUZZ_EXPECT (crypto_box_easy_afternm (
                     s_next.frame + FRAME_HEADER + NONCE_SIZE, plain, size + 1, s_next.frame + FRAME_HEADER, s_shared)
        == 0);
    s_give (FRAME_HEADER + BOX_OVERHEAD + size);
}

static void s_submit_some (void)
{
    static const uint8_t envelope [ENVELOPE_MIN];
    for (int index = 0; index < 40; index++) {
        session_submit (s_here, index & 1 ? LANE_BULK : LANE_URGENT, envelope, sizeof envelope);
    }
    session_flush (s_here);
    session_feed_credit (s_here, 100);
}

static void s_one (uint8_t how, const uint8_t *data, size_t size)
{
    switch (how & 7) {
    case 0:
    case 1:
        s_give_down (data, size, true);
        break;
    case 2:
        s_give_down (data, size, false);
        break;
    case 3:
        //  Welcome, Credit, Notice, or a frame of another type
        frame_begin (s_next.frame, (frame_type_t)(1 + (how >> 3) % 7), LANE_URGENT);
        size = size < FRAME_MAX - FRAME_HEADER ? size : FRAME_MAX - FRAME_HEADER;
        memcpy (s_next.frame + FRAME_HEADER, data, size);
        s_give (FRAME_HEADER + size);
        break;
    case 4:
        s_submit_some ();
        break;
    case 5:
        s_next.down_due = true;
        s_give (0);
        break;
    case 6:
        s_next.up_due = true;
        s_give (0);
        break;
    default:
        size = size < sizeof s_next.frame ? size : sizeof s_next.frame;
        memcpy (s_next.frame, data, size);
        s_give (size);
        break;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    s_next.size = 0;
    s_next.up_due = s_next.down_due = false;
    s_session = 0;
    s_now = 1000;
    s_here = session_new (&s_link, s_device, &s_handler, NULL);
    FUZZ_EXPECT (s_here);
    s_next.up_due = true;
    s_give (0);
    //  each step: one byte how, two bytes size
    for (int step = 0; step < 12 && size >= 3; step++) {
        uint8_t how = fuzz_byte (&data, &size);
        size_t part = (size_t)fuzz_byte (&data, &size) << 8;
        part |= fuzz_byte (&data, &size);
        part = part < size ? part : size;
        s_one (how, data, part);
        data += part;
        size -= part;
    }
    session_destroy (&s_here);
    FUZZ_EXPECT (s_link.open == 0);
    return 0;
}
