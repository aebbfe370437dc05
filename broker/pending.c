//  pending - an open-addressing set whose entries end with their ticket

#include "pending.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t id, ticket; //  ticket 0 = empty slot
} entry_t;

struct pending_t {
    entry_t *slots;
    uint32_t room, used; //  used counts ended entries too, until the next rebuild
    uint64_t completed;
};

static uint32_t s_slot (const pending_t *self, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (self->room - 1);
}

pending_t *pending_new (void)
{
    pending_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->room = 1024;
    self->slots = calloc (self->room, sizeof *self->slots);
    if (!self->slots)
        abort ();
    return self;
}

void pending_destroy (pending_t **self_p)
{
    if (*self_p)
        free ((*self_p)->slots);
    free (*self_p);
    *self_p = NULL;
}

static void s_put (pending_t *self, entry_t entry)
{
    uint32_t i = s_slot (self, entry.id);
    while (self->slots [i].ticket && self->slots [i].id != entry.id)
        i = (i + 1) & (self->room - 1);
    self->used += self->slots [i].ticket == 0;
    self->slots [i] = entry;
}

//  Drops ended entries; doubles when the living ones need it.
static void s_rebuild (pending_t *self)
{
    entry_t *old = self->slots;
    uint32_t room = self->room, living = 0;
    for (uint32_t i = 0; i < room; i++)
        living += old [i].ticket > self->completed;
    if (living * 3 > room)
        self->room *= 2;
    self->slots = calloc (self->room, sizeof *self->slots);
    if (!self->slots)
        abort ();
    self->used = 0;
    for (uint32_t i = 0; i < room; i++)
        if (old [i].ticket > self->completed)
            s_put (self, old [i]);
    free (old);
}

void pending_add (pending_t *self, uint64_t id, uint64_t ticket)
{
    if ((self->used + 1) * 2 > self->room)
        s_rebuild (self);
    s_put (self, (entry_t){ id, ticket });
}

bool pending_has (const pending_t *self, uint64_t id)
{
    for (uint32_t i = s_slot (self, id); self->slots [i].ticket; i = (i + 1) & (self->room - 1))
        if (self->slots [i].id == id)
            return self->slots [i].ticket > self->completed;
    return false;
}

void pending_complete (pending_t *self, uint64_t ticket)
{
    self->completed = ticket;
}
