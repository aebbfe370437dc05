//  itemturn - an item about two incidents, seen from the other one

#include "itemturn.h"

#include <assert.h>

void item_turn (Patrol__Item *item)
{
    assert (item->other);
    uint64_t incident = item->incident, version = item->version;
    item->incident = item->other;
    item->version = item->other_version;
    item->other = incident;
    item->other_version = version;
    //  What ended by the merge is a duplicate of what goes on, not the other way.
    item->duplicate_of = 0;
    item->status.len = 0;
}

void item_turn_to (Patrol__Item *item, uint64_t incident)
{
    if (item->incident == incident)
        return;
    if (item->other == incident)
        item_turn (item);
    else if (item->type == PATROL__ITEM_TYPE__ITEM_TIP) {
        item->incident = incident;
        item->duplicate_of = item->duplicate_of ? incident : 0;
    }
}
