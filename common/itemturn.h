//  itemturn - an item about two incidents, seen from the other one
//
//  A merge and a split are one record about two incidents. The item names the first in `incident`, the second in `other`; whoever keeps
//  or shows histories keeps it under both, turned round for the second.

#ifndef ITEMTURN_H_INCLUDED
#define ITEMTURN_H_INCLUDED

#include <stdint.h>
#include "patrol.pb-c.h"

//  Changes the item in place so that it is about its second incident. Only where `other` is set.
void item_turn (Patrol__Item *item);
//  Makes an item of an incident's history be about that incident: turned if it names it as the other, and a tip that came
//  to it from another incident is shown under this one.
void item_turn_to (Patrol__Item *item, uint64_t incident);

#endif
