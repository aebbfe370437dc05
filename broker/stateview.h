//  stateview - a second, read-only look at state.db, for the thread that answers queries
//
//  Sees what the engine's thread has committed. Every call leaves its statement reset, so no snapshot is held and the WAL can be checkpointed.

#ifndef STATEVIEW_H_INCLUDED
#define STATEVIEW_H_INCLUDED

#include "state.h"

typedef struct stateview_t stateview_t;

//  NULL with one line on stderr.
stateview_t *stateview_open (const char *path);
void stateview_close (stateview_t **self_p);

//  Adds the members that joined since the last call. -1 on a failure.
int stateview_members (stateview_t *self, members_t *members);
//  Position and log time up to which the state is applied. -1 on a failure.
int stateview_applied (stateview_t *self, uint64_t *seq, int64_t *log_time);

typedef struct {
    uint64_t id, seq, version;
    status_t status;
    int64_t at_ms, updated_ms;
    char station [33], kind [33], area [129], by [65], copies [110];
    uint32_t severity, cls;
    bool has_position;
    int32_t lat_e7, lon_e7;
    uint64_t into; //  merged into that one; 0 = not
} incident_view_t;

//  1 found, 0 none, -1 failed.
int stateview_incident (stateview_t *self, uint64_t id, incident_view_t *out);

//  Return false to stop.
typedef bool (incident_view_fn) (void *context, const incident_view_t *incident);
//  Incidents with an id above `after` (unsigned), in order of id, at most `most`. -1 failed, 0 all were seen, 1 there may be more.
int stateview_incidents (stateview_t *self, bool open_only, uint64_t after, int most, incident_view_fn *fn, void *context);

//  Positions of the records that belong to the incident beside its first one, above `after`, in order. Returns how many, <= room, -1 failed.
int stateview_history (stateview_t *self, uint64_t incident, uint64_t after, uint64_t *seqs, int room);
//  The newest `room` positions that are changes, not tips, newest first.
int stateview_changes (stateview_t *self, uint64_t incident, uint64_t *seqs, int room);
//  Devices whose tips belong to it. -1 failed.
int stateview_witnesses (stateview_t *self, uint64_t incident);

#endif
