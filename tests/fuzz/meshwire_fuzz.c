//  Control frames between neighbours, the head of a tip, the beacon's state: what is taken can be written again as it was.

#include "fuzz.h"

#include "meshreceipt.h"
#include "meshwire.h"

static void s_frame (const uint8_t *data, size_t size)
{
    static uint8_t again [MESHWIRE_FRAME_MAX];
    meshwire_frame_t frame;
    if (meshwire_decode (&frame, data, size) < 0)
        return;
    FUZZ_EXPECT (size <= MESHWIRE_FRAME_MAX);
    FUZZ_EXPECT (frame.type != MESHWIRE_OFFER || (frame.count >= 1 && frame.count <= MESHWIRE_OFFER_MAX));
    if (frame.type == MESHWIRE_REVOKED)
        FUZZ_EXPECT (frame.size <= MESHWIRE_REVOKED_MAX);
    FUZZ_EXPECT (meshwire_encode (again, &frame) == size);
    FUZZ_EXPECT (memcmp (again, data, size) == 0);
}

static void s_epoch (const uint8_t *data, size_t size)
{
    meshreceipt_epoch_t epoch;
    static const uint8_t mid [MESHRECEIPT_MID] = "sixteen bytes id";
    if (meshreceipt_epoch_parse (&epoch, data, size) < 0)
        return;
    FUZZ_EXPECT (epoch.number >= epoch.oldest && epoch.shorts + epoch.longs <= MESHRECEIPT_IDS_MAX);
    meshreceipt_epoch_has (data, size, mid, false);
    meshreceipt_epoch_has (data, size, mid, true);
}

static void s_parts (const uint8_t *data, size_t size)
{
    uint8_t again [MESHWIRE_STATE];
    meshwire_state_t state;
    meshwire_head_t head;
    if (size >= MESHWIRE_STATE && meshwire_state_decode (&state, data) == 0) {
        meshwire_state_encode (again, &state);
        FUZZ_EXPECT (memcmp (again, data, MESHWIRE_STATE) == 0);
        if (state.utility < MESHWIRE_UNKNOWN && meshwire_seconds (state.utility) != UINT32_MAX)
            FUZZ_EXPECT (meshwire_utility (meshwire_seconds (state.utility)) <= state.utility);
    }
    if (size >= MESHWIRE_HEAD && meshwire_head_decode (&head, data) == 0) {
        meshwire_head_encode (again, &head);
        FUZZ_EXPECT (memcmp (again, data, MESHWIRE_HEAD) == 0);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t which = fuzz_byte (&data, &size) % 3;
    uint8_t *copy = fuzz_copy (data, size);
    if (which == 0)
        s_frame (copy, size);
    else if (which == 1)
        s_epoch (copy, size);
    else
        s_parts (copy, size);
    free (copy);
    return 0;
}
