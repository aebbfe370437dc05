//  itemjson - an item of a feed, an answer or a replay as the JSON line of docs/man/patrol-desk.1
//
//  The only place that knows the keys. Lines are written as text straight into a growing buffer: a desk that
//  catches up writes tens of thousands of them a second, and building a tree for each costs ten times more.

#ifndef ITEMJSON_H_INCLUDED
#define ITEMJSON_H_INCLUDED

#include <stdint.h>
#include "patrol.pb-c.h"

typedef struct {
    char *bytes; //  always ends with a NUL once something was written
    size_t used, room;
    int count; //  lines in it
} lines_t;     //  all zero = empty; a value type

#define LINES_BATCH 65536u //  a batch is sent once it is larger than this

//  Forgets the lines, keeps the memory / frees it.
void lines_reset (lines_t *self);
void lines_clear (lines_t *self);

//  Appends one line with its newline. as_of_ms: 0, or the time the local copy was last known to be whole.
//  What the item says is checked again here: bytes that are not UTF-8 become U+FFFD, numbers out of range are left out.
void lines_item (lines_t *self, uint64_t incarnation, const Patrol__Item *item, int64_t as_of_ms);
void lines_station (lines_t *self, const Patrol__StationRow *row);

//  "INCARNATION-SEQ", both decimal. Parse returns -1 if it is not one.
void position_format (char out [48], uint64_t incarnation, uint64_t seq);
int log_position_parse (uint64_t *incarnation, uint64_t *seq, const char *position);

#endif
