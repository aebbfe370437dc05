//  itemfold - the items of one incident, in order of version, folded into the one line a list shows

#ifndef ITEMFOLD_H_INCLUDED
#define ITEMFOLD_H_INCLUDED

#include "patrol.pb-c.h"

typedef struct {
    Patrol__Item *first, *status, *placed, *newest; //  owned; one object may stand in several places
    Patrol__Item result;
    uint32_t tips;
} itemfold_t; //  all zero = empty

//  Takes the item.
void itemfold_add (itemfold_t *self, Patrol__Item **item_p);
//  Borrowed until the next call. At least one item must have been added.
const Patrol__Item *itemfold_result (itemfold_t *self);
void itemfold_clear (itemfold_t *self);

#endif
