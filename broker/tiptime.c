#include "tiptime.h"

#include <stdlib.h>

#define TOLERATED_MS 60000 //  smaller differences are not worth a correction

static int64_t s_offset (const member_t *member, int64_t written_ms, int64_t at_ms)
{
    int64_t measured = llabs (member->clock_offset_ms) > TOLERATED_MS ? member->clock_offset_ms : 0;
    int64_t written = written_ms - measured;
    bool possible = written <= at_ms + TOLERATED_MS && written >= member->enrolled_ms - TOLERATED_MS;
    return possible ? measured : written_ms - at_ms;
}

tiptime_t tiptime_judge (
    const member_t *member, const kind_t *kind, class_t cls, int64_t written_ms, int64_t seen_ms, int64_t at_ms)
{
    tiptime_t time = { .offset_ms = s_offset (member, written_ms, at_ms) };
    time.seen_ms = (seen_ms ? seen_ms : written_ms) - time.offset_ms;
    time.late = cls != CLASS_SOS && at_ms - time.seen_ms > (int64_t)kind->life_h * 3600000;
    return time;
}
