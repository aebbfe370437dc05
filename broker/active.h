//  active - what the engine has decided about incidents that may still change, durable or not
//
//  State answers only for what is durable; a burst of witnesses would wait one commit each. Here are version, owner, status and devices of every
//  incident that is open or ended within 72 hours, as of the last decision. An incident that is gone from here is asked of the state.

#ifndef ACTIVE_H_INCLUDED
#define ACTIVE_H_INCLUDED

#include <stddef.h>
#include "feeds.h"
#include "state.h"

#define ACTIVE_AFTER_END_MS (72 * 3600000ll)

typedef struct {
    uint64_t id, version;
    uint64_t into; //  merged into that one; 0 = not
    feed_t *owner;
    char *copies; //  ",B,C,", NULL = none; owned
    status_t status;
    bool touched;      //  a person has acted on it
    bool late;         //  all its tips were seen too long ago for the live picture
    int64_t ended_ms;  //  0 = not ended
    uint32_t *devices; //  that have reported it, each once; owned
    uint32_t device_count, device_room;
} active_incident_t;

typedef struct active_t active_t;

active_t *active_new (void);
void active_destroy (active_t **self_p);

//  Borrowed until the next put or expire.
active_incident_t *active_find (const active_t *self, uint64_t id);
//  The one it was merged into, as often as that happened; NULL if that is not here.
active_incident_t *active_follow (const active_t *self, uint64_t id);
//  Finds or adds.
active_incident_t *active_put (active_t *self, uint64_t id);
void active_set_copies (active_incident_t *incident, const char *copies);
void active_add_device (active_incident_t *incident, uint32_t device);
void active_drop_devices (active_incident_t *incident);
void active_set_status (active_t *self, active_incident_t *incident, status_t status, int64_t at_ms);

//  Takes out one incident that ended 72 hours before now: its id, 0 when there is none.
uint64_t active_expire (active_t *self, int64_t now_ms);

uint32_t active_count (const active_t *self);
size_t active_memory (const active_t *self); //  bytes

#endif
