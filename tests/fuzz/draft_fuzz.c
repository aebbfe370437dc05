//  A line of an import file: JSON, then a tip as a person would give it.

#include "fuzz.h"

#include "draft.h"
#include "utf8.h"

#define NOW 1795420800000ll //  2026-11-23

static kinds_t *s_kinds;

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char *reason = NULL;
    s_kinds = kinds_load (NULL, 0, &reason);
    FUZZ_EXPECT (s_kinds);
    return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char error [DRAFT_ERROR_ROOM] = "";
    json_error_t fault;
    draft_t draft;
    json_t *line = json_loadb ((const char *)data, size, JSON_REJECT_DUPLICATES, &fault);
    if (!line) {
        return 0;
    }
    if (draft_read (&draft, line, s_kinds, NOW, error)) {
        FUZZ_EXPECT (error [0] && memchr (error, 0, sizeof error));
    } else {
        //  nothing leaves this node that the broker would refuse
        const Patrol__Tip *tip = &draft.tip;
        FUZZ_EXPECT (tip->severity >= 1 && tip->severity <= 3 && tip->datum <= 2 && tip->accuracy_m <= 100000);
        FUZZ_EXPECT (tip->text.len <= TEXT_MAX && tip->place.len <= PLACE_MAX && tip->kind.len <= 32);
        FUZZ_EXPECT (utf8_check (tip->text.data, tip->text.len, TEXT_MAX, true) == UTF8_OK);
        FUZZ_EXPECT (utf8_check (tip->place.data, tip->place.len, PLACE_MAX, true) == UTF8_OK);
        FUZZ_EXPECT (!tip->has_position
            || (tip->lat_e7 >= -900000000 && tip->lat_e7 <= 900000000 && tip->lon_e7 >= -1800000000
                && tip->lon_e7 <= 1800000000));
        FUZZ_EXPECT (tip->seen_ms <= NOW + 300000);
    }
    json_decref (line);
    return 0;
}
