//  frame - see frame.h

#include <assert.h>
#include <string.h>
#include "frame.h"

#define PREFIX_SIZE 2u //  u16 big endian before every envelope of a SUBMIT

void frame_begin (uint8_t *out, frame_type_t type, lane_t lane)
{
    out [0] = FRAME_VERSION;
    out [1] = (uint8_t)type;
    out [2] = (uint8_t)lane;
    out [3] = 0;
}

int frame_parse (frame_type_t *type, lane_t *lane, const uint8_t *bytes, size_t size)
{
    if (size < FRAME_HEADER || size > FRAME_MAX)
        return -1;
    if (bytes [0] != FRAME_VERSION || bytes [1] < FRAME_HELLO || bytes [1] > FRAME_NOTICE)
        return -1;
    if (bytes [2] >= LANE_COUNT || bytes [3] != 0)
        return -1;
    *type = (frame_type_t)bytes [1];
    *lane = (lane_t)bytes [2];
    return 0;
}

const uint8_t *frame_next_envelope (const uint8_t *body, size_t body_size, size_t *offset, size_t *size, bool *bad)
{
    assert (*offset <= body_size);
    *bad = false;
    *size = 0;
    size_t left = body_size - *offset;
    if (left == 0)
        return NULL;
    if (left < PREFIX_SIZE) {
        *bad = true;
        return NULL;
    }
    const uint8_t *prefix = body + *offset;
    size_t wanted = (size_t)prefix [0] << 8 | prefix [1];
    if (wanted == 0 || wanted > left - PREFIX_SIZE) {
        *bad = true;
        return NULL;
    }
    *size = wanted;
    *offset += PREFIX_SIZE + wanted;
    return prefix + PREFIX_SIZE;
}

bool frame_add_envelope (uint8_t *frame, size_t *used, const uint8_t *envelope, size_t size)
{
    assert (*used >= FRAME_HEADER && *used <= FRAME_MAX);
    assert (size > 0);
    size_t left = FRAME_MAX - *used;
    if (left < PREFIX_SIZE || size > left - PREFIX_SIZE)
        return false;
    uint8_t *prefix = frame + *used;
    prefix [0] = (uint8_t)(size >> 8);
    prefix [1] = (uint8_t)size;
    memcpy (prefix + PREFIX_SIZE, envelope, size);
    *used += PREFIX_SIZE + size;
    return true;
}
