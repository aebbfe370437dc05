//  itemfold - the items of one incident as one

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "itemfold.h"

//  Puts the item in a place; what stood there is freed unless it stands elsewhere too.
static void s_place (itemfold_t *self, Patrol__Item **place, Patrol__Item *item)
{
    Patrol__Item *old = *place;
    *place = item;
    if (old && old != self->first && old != self->status && old != self->placed && old != self->newest)
        patrol__item__free_unpacked (old, NULL);
}

void itemfold_add (itemfold_t *self, Patrol__Item **item_p)
{
    assert (self && item_p && *item_p);
    Patrol__Item *item = *item_p;
    *item_p = NULL;

    //  Late in the feed of a copy the tip may come after a status; the words are the tip's in any case
    bool is_tip = item->type == PATROL__ITEM_TYPE__ITEM_TIP;
    if (!self->first || (is_tip && self->first->type != PATROL__ITEM_TYPE__ITEM_TIP))
        s_place (self, &self->first, item);
    //  a further tip says what the incident was when it came
    if (item->status.len && !is_tip)
        s_place (self, &self->status, item);
    if (item->type == PATROL__ITEM_TYPE__ITEM_PLACED && item->has_position)
        s_place (self, &self->placed, item);
    s_place (self, &self->newest, item);
    self->tips += is_tip ? 1 : 0;
}

const Patrol__Item *itemfold_result (itemfold_t *self)
{
    assert (self->first && self->newest);
    self->result = *self->first;
    self->result.version = self->newest->version;
    self->result.at_ms = self->newest->at_ms;
    self->result.seq = self->newest->seq;
    self->result.copy = self->newest->copy;
    if (self->newest->station.len)
        self->result.station = self->newest->station;
    if (self->status) {
        self->result.status = self->status->status;
        self->result.actor = self->status->actor;
        self->result.reason = self->status->reason;
    }
    if (self->placed) {
        self->result.has_position = true;
        self->result.lat_e7 = self->placed->lat_e7;
        self->result.lon_e7 = self->placed->lon_e7;
        self->result.accuracy_m = self->placed->accuracy_m;
        self->result.place = self->placed->place;
        self->result.unlocated = false;
    }
    //  The newest count of devices; tips only where none is said (what an older broker has sent)
    if (self->newest->witnesses)
        self->result.witnesses = self->newest->witnesses;
    else if (self->result.witnesses < self->tips)
        self->result.witnesses = self->tips;
    self->result.duplicate_of = self->status ? self->status->duplicate_of : 0;
    self->result.score_e3 = 0;
    return &self->result;
}

void itemfold_clear (itemfold_t *self)
{
    s_place (self, &self->first, NULL);
    s_place (self, &self->status, NULL);
    s_place (self, &self->placed, NULL);
    s_place (self, &self->newest, NULL);
    memset (self, 0, sizeof *self);
}
