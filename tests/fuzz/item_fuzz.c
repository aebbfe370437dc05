//  A record of the log, as a desk, another station's desk, a coordinator and a node are shown it.

#include "fuzzbroker.h"

#include "item.h"

static fuzz_broker_t s_broker;
static engine_t *s_engine;
static item_maker_t *s_maker;

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    FUZZ_EXPECT (identity_init () == 0);
    fuzz_broker_make (&s_broker);
    eventlog_t *log = eventlog_open (s_broker.log_path);
    eventlog_reader_t *reader = log ? eventlog_reader_open (s_broker.log_path) : NULL;
    s_engine = reader ? engine_open (s_broker.home, reader) : NULL;
    FUZZ_EXPECT (s_engine);
    //  the engine goes on reading from the log
    eventlog_close (&log);
    fuzz_broker_members (&s_broker, s_engine);
    s_maker = item_maker_new (engine_members (s_engine), engine_daykeys (s_engine));
    return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const viewer_t viewers [] = { { PATROL__ROLE__DESK, "north", 2 }, { PATROL__ROLE__DESK, "south", 3 },
        { PATROL__ROLE__COORDINATOR, "", 4 }, { PATROL__ROLE__NODE, "", 1 } };
    bool admin = fuzz_byte (&data, &size) & 1;
    uint8_t *record = fuzz_copy (data, size);
    for (size_t index = 0; index < sizeof viewers / sizeof viewers [0]; index++) {
        Patrol__Item item;
        if (item_make (
                s_maker, &(item_source_t){ .seq = 7, .record = record, .size = size }, &viewers [index], admin, &item)) {
            //  everything in it can be sent, and stays valid until the reset
            size_t packed = patrol__item__get_packed_size (&item);
            uint8_t *bytes = malloc (packed + 1);
            FUZZ_EXPECT (bytes && patrol__item__pack (&item, bytes) == packed);
            FUZZ_EXPECT (item.type && protobuf_c_enum_descriptor_get_value (&patrol__item_type__descriptor, (int)item.type));
            free (bytes);
        }
    }
    item_maker_reset (s_maker);
    free (record);
    return 0;
}
