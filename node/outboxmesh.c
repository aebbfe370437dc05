//  outboxmesh - the outbox's part in the mesh: who carries a tip, and the broker's signed word for it

#include "outbox_private.h"

void outbox_carried (outbox_t *self, int64_t row, int64_t now_ms)
{
    row_t tip;
    if (nodestore_begin (self->store) || !outbox_row (self, row, &tip))
        return;
    store_bind (self->sql [MESH_CARRIER], "i", row);
    nodestore_run (self->store, self->sql [MESH_CARRIER]);
    if (tip.target || tip.state != TIP_HELD)
        return;
    change_t change = { .at_ms = now_ms };
    outbox_set_state (self, row, TIP_CARRIED, &change);
}

bool outbox_word (outbox_t *self, int64_t row, int64_t at_ms, uint64_t *epoch, uint64_t *counter)
{
    row_t tip;
    if (nodestore_begin (self->store) || !outbox_row (self, row, &tip) || tip.target || tip.state >= TIP_ACCEPTED)
        return false;
    store_bind (self->sql [MESH_WORD], "ii", row, at_ms);
    nodestore_run (self->store, self->sql [MESH_WORD]);
    change_t change = { .at_ms = at_ms };
    outbox_set_state (self, row, TIP_ACCEPTED, &change);
    outbox_free_withdrawals (self, row, 1);
    //  A letter may have told of its delivery before.
    const origin_t *origin = outbox_origin (self, tip.epoch);
    if (origin && intervals_has (&origin->delivered, tip.counter))
        outbox_set_state (self, row, TIP_DELIVERED, &change);
    *epoch = tip.epoch;
    *counter = tip.counter;
    return true;
}

void outbox_hops (outbox_t *self, uint64_t epoch, uint64_t counter, int hops)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [MESH_HOPS], "iii", (int64_t)epoch, (int64_t)counter, (int64_t)hops);
    nodestore_run (self->store, self->sql [MESH_HOPS]);
}
