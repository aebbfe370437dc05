//  inbox - what came back to this node: statuses and answers to its tips

#ifndef INBOX_H_INCLUDED
#define INBOX_H_INCLUDED

#include "nodestore.h"
#include "patrol.pb-c.h"

typedef struct inbox_t inbox_t;

//  The store is borrowed.
inbox_t *inbox_open (nodestore_t *store);
void inbox_close (inbox_t **self_p);

//  Keeps an item unless (incident, version, type, tip) is there already: returns true if it was new.
//  Durable after the caller's nodestore_commit.
bool inbox_add (inbox_t *self, const Patrol__Item *item);

typedef struct {
    int64_t row, at_ms;
    int type; //  Patrol__ItemType
    uint64_t incident, version, epoch, counter;
    const char *status, *actor, *station, *answer; //  NULL or borrowed for the call
} inbox_item_t;
typedef void (inbox_fn) (void *context, const inbox_item_t *item);

//  Items with row > after, oldest first. Returns the last row told, `after` when there was none.
int64_t inbox_each (inbox_t *self, int64_t after, int limit, inbox_fn *tell, void *context);
//  The items about one tip, oldest version first.
void inbox_each_of (inbox_t *self, uint64_t epoch, uint64_t counter, inbox_fn *tell, void *context);

//  Drops what is older; call only when the clock is known to be right.
void inbox_forget (inbox_t *self, int64_t before_ms);

const char *inbox_type_name (int type); //  "status" "placed" ...; a contract

#endif
