//  active - a hash table of incidents and a queue of those that ended

#include "active.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t id;
    int64_t ended_ms;
} ended_t;

struct active_t {
    active_incident_t **slots;
    uint32_t room, count;
    ended_t *ended; //  ring, in order of ending
    uint32_t ended_room, ended_first, ended_count;
};

static void *s_zeroed (size_t count, size_t size)
{
    void *memory = calloc (count, size);
    if (!memory)
        abort ();
    return memory;
}

active_t *active_new (void)
{
    active_t *self = s_zeroed (1, sizeof *self);
    self->room = 1024;
    self->slots = s_zeroed (self->room, sizeof *self->slots);
    self->ended_room = 64;
    self->ended = s_zeroed (self->ended_room, sizeof *self->ended);
    return self;
}

static void s_free (active_incident_t *incident)
{
    free (incident->copies);
    free (incident->devices);
    free (incident);
}

void active_destroy (active_t **self_p)
{
    active_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (uint32_t i = 0; i < self->room; i++)
        if (self->slots [i])
            s_free (self->slots [i]);
    free (self->slots);
    free (self->ended);
    free (self);
}

static uint32_t s_at (const active_t *self, uint64_t id)
{
    uint32_t at = (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (self->room - 1);
    while (self->slots [at] && self->slots [at]->id != id)
        at = (at + 1) & (self->room - 1);
    return at;
}

active_incident_t *active_find (const active_t *self, uint64_t id)
{
    return self->slots [s_at (self, id)];
}

active_incident_t *active_follow (const active_t *self, uint64_t id)
{
    active_incident_t *incident = active_find (self, id);
    //  No ring can arise: only an incident that is not merged is merged into.
    while (incident && incident->into)
        incident = active_find (self, incident->into);
    return incident;
}

active_incident_t *active_put (active_t *self, uint64_t id)
{
    uint32_t at = s_at (self, id);
    if (self->slots [at])
        return self->slots [at];
    if ((self->count + 1) * 2 > self->room) {
        active_incident_t **old = self->slots;
        uint32_t room = self->room;
        self->room *= 2;
        self->slots = s_zeroed (self->room, sizeof *self->slots);
        for (uint32_t i = 0; i < room; i++)
            if (old [i])
                self->slots [s_at (self, old [i]->id)] = old [i];
        free (old);
        at = s_at (self, id);
    }
    self->count++;
    self->slots [at] = s_zeroed (1, sizeof **self->slots);
    self->slots [at]->id = id;
    return self->slots [at];
}

void active_set_copies (active_incident_t *incident, const char *copies)
{
    free (incident->copies);
    incident->copies = copies && copies [0] ? strdup (copies) : NULL;
    if (copies && copies [0] && !incident->copies)
        abort ();
}

void active_add_device (active_incident_t *incident, uint32_t device)
{
    for (uint32_t i = 0; i < incident->device_count; i++)
        if (incident->devices [i] == device)
            return;
    if (incident->device_count == incident->device_room) {
        incident->device_room = incident->device_room ? incident->device_room * 2 : 2;
        incident->devices = realloc (incident->devices, incident->device_room * sizeof *incident->devices);
        if (!incident->devices)
            abort ();
    }
    incident->devices [incident->device_count++] = device;
}

void active_drop_devices (active_incident_t *incident)
{
    incident->device_count = 0;
}

static void s_remember_end (active_t *self, uint64_t id, int64_t at_ms)
{
    if (self->ended_count == self->ended_room) {
        ended_t *bigger = s_zeroed (self->ended_room * 2, sizeof *bigger);
        for (uint32_t i = 0; i < self->ended_count; i++)
            bigger [i] = self->ended [(self->ended_first + i) & (self->ended_room - 1)];
        free (self->ended);
        self->ended = bigger;
        self->ended_room *= 2;
        self->ended_first = 0;
    }
    self->ended [(self->ended_first + self->ended_count++) & (self->ended_room - 1)] = (ended_t){ id, at_ms };
}

void active_set_status (active_t *self, active_incident_t *incident, status_t status, int64_t at_ms)
{
    bool ends = status >= STATUS_CLOSED;
    incident->status = status;
    if (ends && !incident->ended_ms)
        s_remember_end (self, incident->id, at_ms);
    incident->ended_ms = !ends ? 0 : incident->ended_ms ? incident->ended_ms : at_ms;
}

static void s_remove (active_t *self, uint32_t at)
{
    s_free (self->slots [at]);
    self->slots [at] = NULL;
    self->count--;
    for (uint32_t i = (at + 1) & (self->room - 1); self->slots [i]; i = (i + 1) & (self->room - 1)) {
        active_incident_t *moved = self->slots [i];
        self->slots [i] = NULL;
        self->slots [s_at (self, moved->id)] = moved;
    }
}

uint64_t active_expire (active_t *self, int64_t now_ms)
{
    while (self->ended_count) {
        ended_t oldest = self->ended [self->ended_first];
        if (oldest.ended_ms > now_ms - ACTIVE_AFTER_END_MS)
            return 0;
        self->ended_first = (self->ended_first + 1) & (self->ended_room - 1);
        self->ended_count--;
        uint32_t at = s_at (self, oldest.id);
        //  One that was opened again since has another end, or none.
        if (!self->slots [at] || self->slots [at]->ended_ms != oldest.ended_ms)
            continue;
        s_remove (self, at);
        return oldest.id;
    }
    return 0;
}

uint32_t active_count (const active_t *self)
{
    return self->count;
}

size_t active_memory (const active_t *self)
{
    size_t bytes = sizeof *self + self->room * sizeof *self->slots + self->ended_room * sizeof *self->ended;
    for (uint32_t i = 0; i < self->room; i++)
        if (self->slots [i])
            bytes += sizeof **self->slots + self->slots [i]->device_room * sizeof (uint32_t)
                + (self->slots [i]->copies ? strlen (self->slots [i]->copies) + 1 : 0);
    return bytes;
}
