//  What a member seals: any Inner, through open, dedupe, validate, geotag, route and record, then applied to the state.

#include "fuzzbroker.h"

#define RENEW_AFTER 20000           //  records; then the broker starts anew, so that memory stays what one tip costs

static fuzz_broker_t s_broker;
static engine_t *s_engine;
static eventlog_t *s_log;
static eventlog_reader_t *s_reader;
static uint64_t s_seq;

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
    take->record = NULL;
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
    (void) argc;
    (void) argv;
    fuzz_quiet ();
    FUZZ_EXPECT (identity_init () == 0);
    s_open ();
    return 0;
}

//  Taken once, offered again: the second time it is known.
static void s_take (uint8_t device, bool relayed, const uint8_t *inner, size_t size)
{
    uint8_t envelope [ENVELOPE_MAX];
    take_t take, again;
    member_t *from = relayed ? NULL : members_get (engine_members (s_engine), device + 1u);
    size_t whole = fuzz_seal (envelope, &s_broker.seals [device], CLASS_NORMAL, FUZZ_NOW, inner, size);
    engine_take (s_engine, envelope, whole, from, FUZZ_NOW, &take);
    FUZZ_EXPECT (take.verdict <= TAKE_REFUSED && memchr (take.detail, 0, sizeof take.detail));
    bool taken = take.verdict == TAKE_RECORD;
    s_apply (&take);
    if (taken) {
        engine_take (s_engine, envelope, whole, from, FUZZ_NOW, &again);
        FUZZ_EXPECT (again.verdict == TAKE_AGAIN && again.code == take.code && again.tag == take.tag);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t how = fuzz_byte (&data, &size), device = how & 1;
    member_t *member = members_get (engine_members (s_engine), device + 1u);
    uint64_t numbers [2] = { 0, 0 };
    take_t take;
    switch (how >> 1 & 3) {
    case 0:
        s_take (device, false, data, size);
        break;
    case 1:
        s_take (device, true, data, size);
        break;
    case 2:
        memcpy (numbers, data, size < sizeof numbers ? size : sizeof numbers);
        engine_done_below (s_engine, member, numbers [0], numbers [1], FUZZ_NOW, &take);
        s_apply (&take);
        break;
    default:
        //  the bytes as they came: no seal fits
        engine_take (s_engine, data, size, member, FUZZ_NOW, &take);
        FUZZ_EXPECT (take.verdict == TAKE_REFUSED);
        break;
    }
    if (s_seq > RENEW_AFTER) {
        s_close ();
        s_open ();
    }
    return 0;
}
