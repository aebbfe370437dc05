//  What a member seals: any Inner, through open, dedupe, validate, geotag, route and record, then applied to the state.
//
//  An input is a row of acts: envelopes made field by field from the bytes, which reach far inside, then packed bytes as they
//  are. What one act left in the state (an incident, a counter) is there for the next.

#include "fuzzbroker.h"

#define INCIDENTS 64
#define TIPS 64
#define SPLIT_MOST 40     //  tips named; 32 are allowed
#define STRAYS_MOST 8     //  records that one tip may bring with it
#define RENEW_AFTER 20000 //  records; then the broker starts anew, so that memory stays what one tip costs

static fuzz_broker_t s_broker;
static engine_t *s_engine;
static eventlog_t *s_log;
static eventlog_reader_t *s_reader;
static uint64_t s_seq;
static uint64_t s_incidents [INCIDENTS];
static unsigned s_incident_count;
static uint64_t s_tips [TIPS]; //  their public numbers
static unsigned s_tip_count;

static void s_close (void)
{
    engine_close (&s_engine);
    eventlog_reader_close (&s_reader);
    eventlog_close (&s_log);
    fuzz_folder_remove ();
}

static void s_apply (take_t *take)
{
    if (take->verdict != TAKE_RECORD) {
        return;
    }
    FUZZ_EXPECT (take->record && take->record_size > 0 && take->record_size <= EVENTLOG_RECORD_MAX);
    s_seq++;
    engine_appended (s_engine, take, s_seq);
    engine_completed (s_engine, s_seq);
    FUZZ_EXPECT (engine_apply (s_engine, s_seq, take->record, take->record_size) == 0);
    FUZZ_EXPECT (state_commit (engine_state (s_engine), FUZZ_NOW, false) == 0);
    free (take->record);
    free (take->texts);
    take->record = take->texts = NULL;
}

static void s_open (void)
{
    uint8_t hash [32];
    take_t take;
    fuzz_broker_make (&s_broker);
    s_log = eventlog_open (s_broker.log_path);
    s_reader = s_log ? eventlog_reader_open (s_broker.log_path) : NULL;
    s_engine = s_reader ? engine_open (s_broker.home, s_reader) : NULL;
    FUZZ_EXPECT (s_engine);
    s_seq = 0;
    fuzz_broker_members (&s_broker, s_engine);
    engine_load_areas (s_engine, fuzz_areas, sizeof fuzz_areas - 1, DATUM_WGS84, FUZZ_NOW, hash, NULL, NULL, &take);
    s_apply (&take);
    engine_load_places (s_engine, fuzz_places, sizeof fuzz_places - 1, DATUM_WGS84, FUZZ_NOW, hash, &take);
    s_apply (&take);
    FUZZ_EXPECT (s_seq == 2);
}

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    FUZZ_EXPECT (identity_init () == 0);
    s_open ();
    return 0;
}

//  ---- envelopes

//  What a tip brings with it: incidents that the machine takes along, each a record of its own, and an end to it.
static void s_more (void)
{
    take_t more;
    int count = 0;
    while (engine_more (s_engine, FUZZ_NOW, &more)) {
        FUZZ_EXPECT (more.verdict == TAKE_RECORD && more.incident != more.other && ++count <= STRAYS_MOST);
        s_apply (&more);
    }
}

//  Offered twice: what was taken is known the second time.
static void s_take (const uint8_t *envelope, size_t size, member_t *from)
{
    take_t take, again;
    engine_take (s_engine, envelope, size, from, FUZZ_NOW, &take);
    FUZZ_EXPECT (take.verdict <= TAKE_REFUSED && memchr (take.detail, 0, sizeof take.detail));
    bool taken = take.verdict == TAKE_RECORD;
    s_apply (&take);
    s_more ();
    if (taken) {
        if (take.incident) {
            s_incidents [s_incident_count++ % INCIDENTS] = take.incident;
        }
        engine_take (s_engine, envelope, size, from, FUZZ_NOW, &again);
        FUZZ_EXPECT (again.verdict == TAKE_AGAIN && again.tag == take.tag);
    }
}

static void s_take_sealed (uint8_t device, bool relayed, const uint8_t *inner, size_t size)
{
    uint8_t envelope [ENVELOPE_MAX];
    size_t whole = fuzz_seal (envelope, &s_broker.seals [device], CLASS_NORMAL, FUZZ_NOW, inner, size);
    s_take (envelope, whole, relayed ? NULL : members_get (engine_members (s_engine), device + 1u));
}

//  The tag and the header hash are made right, which no fuzzer guesses.
static void s_take_inner (uint8_t device, bool relayed, Patrol__Inner *inner)
{
    uint8_t *envelope = NULL;
    const envelope_seal_t *seal = &s_broker.seals [device];
    const ProtobufCMessage *body = inner->body_case == PATROL__INNER__BODY_TIP ? &inner->tip->base
        : inner->body_case == PATROL__INNER__BODY_WITHDRAW                     ? &inner->withdraw->base
                                                                               : &inner->command->base;
    inner->tag = envelope_tag (seal->shared, inner->epoch, inner->counter, body);
    size_t size = envelope_seal (&envelope, seal, CLASS_NORMAL, 24, FUZZ_NOW, inner);
    if (size) {
        s_take (envelope, size, relayed ? NULL : members_get (engine_members (s_engine), device + 1u));
    }
    free (envelope);
}

//  ---- from bytes to fields

typedef struct {
    const uint8_t *data;
    size_t size;
} bytes_t;

static uint64_t s_number (bytes_t *from, size_t width)
{
    uint64_t number = 0;
    while (width-- > 0) {
        number = number << 8 | fuzz_byte (&from->data, &from->size);
    }
    return number;
}

static ProtobufCBinaryData s_words (bytes_t *from)
{
    size_t length = s_number (from, 1);
    //  a few long ones, to come near the limits
    length = length > 250 ? length * 17 : length;
    length = length < from->size ? length : from->size;
    ProtobufCBinaryData words = { length, (uint8_t *)(uintptr_t)from->data };
    from->data += length;
    from->size -= length;
    return words;
}

static uint64_t s_incident (bytes_t *from)
{
    uint8_t which = (uint8_t)s_number (from, 1);
    //  0 is the newest
    return which == 255 ? s_number (from, 8) : s_incidents [(s_incident_count - 1 - which) % INCIDENTS];
}

static uint64_t s_tip_number (bytes_t *from)
{
    uint8_t which = (uint8_t)s_number (from, 1);
    return which == 255 ? s_number (from, 8) : s_tips [(s_tip_count - 1 - which) % TIPS];
}

static void s_tip (bytes_t *from, Patrol__Tip *tip, Patrol__TipRef *follows)
{
    static const char *const kinds []
        = { "crime", "order", "suspicious", "hazard", "fire", "traffic", "missing", "sos", "other" };
    uint8_t which = (uint8_t)s_number (from, 1), flags = (uint8_t)s_number (from, 1);
    const char *kind = kinds [which % 9];
    tip->kind = which & 128 ? s_words (from) : (ProtobufCBinaryData){ strlen (kind), (uint8_t *)(uintptr_t)kind };
    tip->severity = flags & 3;
    tip->cls = flags >> 2 & 3;
    tip->has_position = flags & 16;
    tip->anonymous = flags & 32;
    if (flags & 64) {
        follows->epoch = s_number (from, 1) % 3;
        follows->counter = s_number (from, 1);
        tip->follows = follows;
    }
    tip->lat_e7 = flags & 128 ? (int32_t)s_number (from, 4) : 329000000 + (int32_t)s_number (from, 3);
    tip->lon_e7 = flags & 128 ? (int32_t)s_number (from, 4) : 1091000000 + (int32_t)s_number (from, 3);
    tip->datum = (uint32_t)s_number (from, 1) & 3;
    tip->accuracy_m = (uint32_t)s_number (from, 1 + (flags & 1) * 2);
    tip->seen_ms = flags & 2 ? (int64_t)s_number (from, 8) : FUZZ_NOW - (int64_t)s_number (from, 3);
    tip->text = s_words (from);
    tip->place = s_words (from);
}

static void s_command (bytes_t *from, Patrol__Command *command, uint64_t *tips)
{
    static const Patrol__Verb verbs [] = { PATROL__VERB__VERB_NONE, PATROL__VERB__ACK, PATROL__VERB__DISPATCH,
        PATROL__VERB__CLOSE, PATROL__VERB__REOPEN, PATROL__VERB__PLACE, PATROL__VERB__MERGE, PATROL__VERB__SPLIT };
    command->verb = verbs [s_number (from, 1) % 8];
    command->incident = s_incident (from);
    command->based_on = s_number (from, 1);
    command->has_position = s_number (from, 1) & 1;
    command->lat_e7 = (int32_t)s_number (from, 4);
    command->lon_e7 = (int32_t)s_number (from, 4);
    command->officer = s_words (from);
    command->note = s_words (from);
    command->answer = s_words (from);
    command->reason = s_words (from);
    if (command->verb == PATROL__VERB__MERGE) {
        command->into = s_incident (from);
        command->into_based_on = s_number (from, 1);
    }
    if (command->verb == PATROL__VERB__SPLIT) {
        command->tips = tips;
        command->n_tips = s_number (from, 1) % (SPLIT_MOST + 1);
        for (size_t i = 0; i < command->n_tips; i++) {
            tips [i] = s_tip_number (from);
        }
    }
}

static void s_take_made (uint8_t device, bytes_t *from)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    Patrol__Withdraw withdraw = PATROL__WITHDRAW__INIT;
    Patrol__Command command = PATROL__COMMAND__INIT;
    Patrol__TipRef ref = PATROL__TIP_REF__INIT;
    uint64_t tips [SPLIT_MOST];
    member_t *member = members_get (engine_members (s_engine), device + 1u);
    uint8_t how = (uint8_t)s_number (from, 1);
    inner.epoch = how & 3;
    origin_t *origin = member_origin (member, inner.epoch);
    inner.counter = how & 4 ? s_number (from, 2) : (origin ? intervals_highest (&origin->seen) : 0) + 1;
    inner.written_ms = how & 8 ? (int64_t)s_number (from, 8) : FUZZ_NOW;
    inner.uptime_ms = s_number (from, 2);
    switch (how >> 4 & 3) {
    case 0:
    case 1:
        s_tip (from, &tip, &ref);
        s_tips [s_tip_count++ % TIPS] = tip_number (member->device_key, inner.epoch, inner.counter);
        inner.tip = &tip;
        inner.body_case = PATROL__INNER__BODY_TIP;
        break;
    case 2:
        ref.epoch = s_number (from, 1) % 4;
        ref.counter = s_number (from, 1);
        withdraw.tip = how & 128 ? NULL : &ref;
        inner.withdraw = &withdraw;
        inner.body_case = PATROL__INNER__BODY_WITHDRAW;
        break;
    default:
        s_command (from, &command, tips);
        inner.command = &command;
        inner.body_case = PATROL__INNER__BODY_COMMAND;
        break;
    }
    s_take_inner (device, how & 64, &inner);
}

//  ---- acts

static void s_take_packed (uint8_t device, const uint8_t *data, size_t size)
{
    Patrol__Inner *inner = patrol__inner__unpack (NULL, size, data);
    if (inner && inner->body_case != PATROL__INNER__BODY__NOT_SET && !arena_has_unknown (&inner->base)) {
        s_take_inner (device, false, inner);
    }
    if (inner) {
        patrol__inner__free_unpacked (inner, NULL);
    }
}

static void s_act (bytes_t *from)
{
    uint8_t how = (uint8_t)s_number (from, 1), device = how & 1;
    member_t *member = members_get (engine_members (s_engine), device + 1u);
    uint64_t first, second;
    take_t take;
    switch (how >> 1 & 7) {
    case 0:
    case 1:
    case 2:
        s_take_made (device, from);
        return;
    case 3:
        first = s_number (from, 1) % 4;
        second = s_number (from, 2);
        engine_done_below (s_engine, member, first, second, FUZZ_NOW, &take);
        s_apply (&take);
        return;
    case 4:
        first = s_number (from, 2);
        engine_delivered (s_engine, members_get (engine_members (s_engine), 2), first, FUZZ_NOW, &take);
        s_apply (&take);
        return;
    case 5:
        s_take_packed (device, from->data, from->size);
        break;
    case 6:
        s_take_sealed (device, how & 16, from->data, from->size);
        break;
    default:
        //  the bytes as they came: no seal fits
        engine_take (s_engine, from->data, from->size, member, FUZZ_NOW, &take);
        FUZZ_EXPECT (take.verdict == TAKE_REFUSED);
        break;
    }
    from->size = 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    bytes_t from = { data, size };
    for (int act = 0; act < 12 && from.size > 0; act++) {
        s_act (&from);
    }
    if (s_seq > RENEW_AFTER) {
        s_close ();
        s_open ();
    }
    return 0;
}
