//  tiptime - when a tip was seen, as well as the device's clock lets us know, and whether that is too long ago for the live picture
//
//  Three times are kept and none is overwritten: seen and written by the device's clock, accepted by the log's. What is judged here
//  is written beside them: how far the device's clock was off, and `late`.
//
//  The offset is the one measured when the device last attached, if it is over a minute. A tip cannot have been written after it
//  came nor before its device was enrolled; when the measured offset says so, the clock was another one when it was written
//  (set since, or lost without power), and the tip is taken as written when it came.

#ifndef TIPTIME_H_INCLUDED
#define TIPTIME_H_INCLUDED

#include "kinds.h"
#include "members.h"

typedef struct {
    int64_t seen_ms;   //  corrected
    int64_t offset_ms; //  device clock minus ours; 0 = not worth a correction
    bool late;         //  seen longer ago than the life of its kind; never of an sos
} tiptime_t;

//  written_ms and seen_ms (0 = when written) by the device's clock; at_ms is the log's.
tiptime_t tiptime_judge (
    const member_t *member, const kind_t *kind, class_t cls, int64_t written_ms, int64_t seen_ms, int64_t at_ms);

#endif
