//  The whole core behind its front: frames of two members and of a holder of an invitation, over the two lanes.
//
//  The core's own loop is left out: this target includes core.c and takes its steps one after the other, so that an input
//  does the same each time. The seals are right; what is in them is the fuzzer's.

#include "fuzzbroker.h"

#include "../../broker/core.c"

static fuzz_broker_t s_broker;
static core_t *s_core;
static int s_front [LANE_COUNT];
static uint64_t s_seen;
static bool s_asked; //  the reader's thread has a query of this input

//  ---- a core without a loop

static void s_drain (void)
{
    char waste [65536];
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        FUZZ_EXPECT (pipe_flush (s_core->lanes [lane]) == 0);
        while (recv (s_front [lane], waste, sizeof waste, MSG_DONTWAIT) > 0) {
        }
    }
}

static void s_settle (void)
{
    eventlog_done_t done;
    while (s_core->effect_count) {
        FUZZ_EXPECT (eventlog_flush (s_core->log, &done) && !done.failed);
        s_durable (s_core, &done);
        FUZZ_EXPECT (!s_core->failed);
    }
    if (s_asked) {
        //  the answer belongs to this input, not to a later one
        struct pollfd item = { .fd = reader_fd (s_core->reader), .events = POLLIN };
        poll (&item, 1, 50);
        s_asked = false;
    }
    s_answers (s_core);
    feed_pump (s_core);
    FUZZ_EXPECT (state_commit (engine_state (s_core->engine), FUZZ_NOW, false) == 0);
    s_drain ();
}

static void s_end (void)
{
    s_close (s_core);
    s_core = NULL;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        close (s_front [lane]);
    }
    fuzz_folder_remove ();
}

static void s_begin (void)
{
    take_t take;
    effect_t effect = { 0 };
    uint8_t hash [32];
    daemon_args_t args = { .lock_fd = -1, .adopt_fd = -1, .stop_fd = -1 };
    fuzz_broker_make (&s_broker);
    s_core = calloc (1, sizeof *s_core);
    FUZZ_EXPECT (s_core);
    s_core->home = args.home = s_broker.home;
    s_core->listen_fd = s_core->stop_fd = -1;
    for (int index = 0; index < 4; index++) {
        s_core->fresh_fds [index] = -1;
    }
    s_core->arena = arena_new (ARENA_MESSAGE_SIZE);
    FUZZ_EXPECT (s_open (s_core, &args) == 0);
    fuzz_broker_members (&s_broker, s_core->engine);
    engine_load_areas (s_core->engine, fuzz_areas, sizeof fuzz_areas - 1, DATUM_WGS84, FUZZ_NOW, hash, NULL, NULL, &take);
    FUZZ_EXPECT (take.verdict == TAKE_RECORD);
    core_append (s_core, &take, &effect);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        int fds [2];
        FUZZ_EXPECT (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        s_front [lane] = fds [1];
        s_adopt_lane (s_core, fds [0], (lane_t)lane);
    }
    s_settle ();
    s_seen = 0;
}

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    FUZZ_EXPECT (identity_init () == 0);
    s_begin ();
    return 0;
}

//  ---- frames

static void s_session (uint8_t device, const uint8_t *up, size_t size)
{
    static uint8_t frame [FRAME_MAX], plain [FRAME_MAX];
    size_t most = sizeof frame - FRAME_HEADER - BOX_OVERHEAD;
    size = size < most ? size : most;
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    memset (frame + FRAME_HEADER, 3, NONCE_SIZE);
    plain [0] = DOMAIN_UP;
    if (size) {
        memcpy (plain + 1, up, size);
    }
    FUZZ_EXPECT (crypto_box_easy_afternm (frame + FRAME_HEADER + NONCE_SIZE, plain, size + 1, frame + FRAME_HEADER,
                     s_broker.seals [device].shared)
        == 0);
    session_frame (s_core, device + 1u, frame, FRAME_HEADER + BOX_OVERHEAD + size);
}

//  The message as the fuzzer packed it, with the number and the order of the session at hand: otherwise all are replays.
static void s_current (uint8_t device, const uint8_t *data, size_t size)
{
    Patrol__Up *up = patrol__up__unpack (NULL, size, data);
    core_session_t *session = core_session (s_core, device + 1u);
    if (up && session && patrol__up__get_packed_size (up) < FRAME_MAX / 2) {
        uint8_t packed [FRAME_MAX];
        const Patrol__Query *query = up->body_case == PATROL__UP__BODY_QUERY ? up->query : NULL;
        s_asked |= query && device == 1 && session->attached && query->ask != PATROL__ASK__STATIONS && query->limit >= 1
            && query->limit <= 500 && query->n_kinds <= 16;
        up->session = session->number;
        up->seq = session->last_seq + 1;
        s_session (device, packed, patrol__up__pack (up, packed));
    }
    if (up) {
        patrol__up__free_unpacked (up, NULL);
    }
}

static void s_submit_one (uint8_t device, const uint8_t *data, size_t size)
{
    static uint8_t frame [FRAME_MAX];
    uint8_t *envelope = NULL;
    size_t used = FRAME_HEADER;
    Patrol__Inner *inner = patrol__inner__unpack (NULL, size, data);
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    if (inner && inner->body_case == PATROL__INNER__BODY_TIP) {
        inner->tag = envelope_tag (s_broker.seals [device].shared, inner->epoch, inner->counter, &inner->tip->base);
    }
    if (inner && inner->body_case == PATROL__INNER__BODY_COMMAND) {
        inner->tag = envelope_tag (s_broker.seals [device].shared, inner->epoch, inner->counter, &inner->command->base);
    }
    if (inner) {
        size_t whole = envelope_seal (&envelope, &s_broker.seals [device], CLASS_NORMAL, 24, time_now_ms (), inner);
        if (whole && frame_add_envelope (frame, &used, envelope, whole)) {
            session_frame (s_core, device + 1u, frame, used);
        }
        free (envelope);
        patrol__inner__free_unpacked (inner, NULL);
    }
}

static void s_enrolment (const uint8_t *data, size_t size)
{
    static uint8_t frame [FRAME_MAX], plain [FRAME_MAX];
    uint8_t shared [KEY_SIZE];
    box_keys_t device;
    size_t most = sizeof frame - FRAME_HEADER - KEY_SIZE - BOX_OVERHEAD;
    size = size < most ? size : most;
    fuzz_keys (&device, 77);
    FUZZ_EXPECT (envelope_shared (shared, engine_core_keys (s_core->engine)->public_key, device.secret_key) == 0);
    frame_begin (frame, FRAME_ENROL, LANE_URGENT);
    memcpy (frame + FRAME_HEADER, device.public_key, KEY_SIZE);
    uint8_t *box = frame + FRAME_HEADER + KEY_SIZE;
    memset (box, 4, NONCE_SIZE);
    plain [0] = DOMAIN_ENROL_UP;
    if (size) {
        memcpy (plain + 1, data, size);
    }
    FUZZ_EXPECT (crypto_box_easy_afternm (box + NONCE_SIZE, plain, size + 1, box, shared) == 0);
    session_frame (s_core, 3, frame, FRAME_HEADER + KEY_SIZE + BOX_OVERHEAD + size);
}

static void s_open_sessions (void)
{
    for (uint8_t device = 0; device < 3; device++) {
        uint8_t payload [KEY_SIZE + 1] = { 0 };
        if (device < FUZZ_DEVICES) {
            memcpy (payload, s_broker.links [device].public_key, KEY_SIZE);
        }
        payload [KEY_SIZE] = device < FUZZ_DEVICES ? ADMIT_MEMBER : ADMIT_ENROL;
        session_open (s_core, device + 1u, payload, sizeof payload);
    }
}

static void s_one_frame (uint8_t how, const uint8_t *data, size_t size)
{
    uint8_t device = how & 1;
    switch (how >> 1 & 7) {
    case 0:
    case 1:
        s_current (device, data, size);
        break;
    case 2:
    case 3:
        s_submit_one (device, data, size);
        break;
    case 4:
        s_session (device, data, size);
        break;
    case 5:
        s_enrolment (data, size);
        break;
    case 6:
        //  anything the front might hand on
        session_frame (s_core, how >> 4 & 3, data, size < FRAME_MAX ? size : FRAME_MAX);
        break;
    default:
        s_front_message (s_core, (pipe_kind_t)(how >> 4), device + 1u, data, size);
        break;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    //  each frame: one byte how, two bytes size
    s_open_sessions ();
    for (int frame = 0; frame < 8 && size >= 3; frame++) {
        uint8_t how = fuzz_byte (&data, &size);
        size_t part = (size_t)fuzz_byte (&data, &size) << 8;
        part |= fuzz_byte (&data, &size);
        part = part < size ? part : size;
        s_one_frame (how, data, part);
        data += part;
        size -= part;
        if (how & 128) {
            s_settle ();
        }
    }
    s_settle ();
    session_close_all (s_core);
    if (++s_seen > 50000) {
        s_end ();
        s_begin ();
    }
    return 0;
}
