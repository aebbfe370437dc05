//  A frame from the network: the header, and the walk over the envelopes of a SUBMIT.

#include "fuzz.h"

#include "frame.h"

//  What was walked, put together again, is the same frame.
static void s_same_again (const uint8_t *frame, size_t size, lane_t lane)
{
    static uint8_t again [FRAME_MAX];
    size_t used = FRAME_HEADER, offset = 0, one;
    bool bad = false;
    const uint8_t *envelope;
    frame_begin (again, FRAME_SUBMIT, lane);
    while ((envelope = frame_next_envelope (frame + FRAME_HEADER, size - FRAME_HEADER, &offset, &one, &bad)) != NULL) {
        FUZZ_EXPECT (one > 0);
        FUZZ_EXPECT (envelope >= frame + FRAME_HEADER && envelope + one <= frame + size);
        FUZZ_EXPECT (frame_add_envelope (again, &used, envelope, one));
    }
    FUZZ_EXPECT (bad || (used == size && memcmp (again, frame, size) == 0));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    frame_type_t type;
    lane_t lane;
    uint8_t *frame = fuzz_copy (data, size);
    if (frame_parse (&type, &lane, frame, size) == 0) {
        FUZZ_EXPECT (size >= FRAME_HEADER && size <= FRAME_MAX);
        FUZZ_EXPECT (type >= FRAME_HELLO && type <= FRAME_NOTICE && lane < LANE_COUNT);
        if (type == FRAME_SUBMIT) {
            s_same_again (frame, size, lane);
        }
    }
    free (frame);
    return 0;
}
