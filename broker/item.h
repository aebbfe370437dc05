//  item - one line of a feed, an answer or a replay, made from a log record for one reader
//
//  The same for live feeds, resumed feeds, lists, histories and replays, so that what a reader may see is decided in one place.

#ifndef ITEM_H_INCLUDED
#define ITEM_H_INCLUDED

#include "daykeys.h"
#include "members.h"
#include "patrol.pb-c.h"

typedef struct {
    Patrol__Role role;
    const char *station; //  of a desk
    uint32_t device;     //  of a node: its own inbox
} viewer_t;

typedef struct item_maker_t item_maker_t;

//  Members and day keys are borrowed. One thread.
item_maker_t *item_maker_new (members_t *members, daykeys_t *daykeys);
void item_maker_destroy (item_maker_t **self_p);

//  Fills *out from a packed record. False if this reader may not see it or it has nothing to show. `admin` also shows
//  administrative and delivery records (replay). Everything in out stays valid until
//  item_maker_reset, which is to be called at least every 16 items.
typedef struct {
    uint64_t seq;
    const uint8_t *record; //  packed
    size_t size;
    const uint8_t *texts; //  what it holds sealed, if that is at hand in clear; NULL: it is opened
    size_t texts_size;
} item_source_t;
bool item_make (item_maker_t *self, const item_source_t *source, const viewer_t *viewer, bool admin, Patrol__Item *out);

//  Forgets the items made so far.
void item_maker_reset (item_maker_t *self);

#endif
