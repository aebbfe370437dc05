//  deskstore - the desk's own copy: every feed item it was given, once, and how far each reader has read
//
//  HOME/desk.db, opened by the one daemon of the home. Writes collect in one transaction that the caller commits
//  once per turn of its loop; only after deskstore_commit has returned 0 may anything be acknowledged.

#ifndef DESKSTORE_H_INCLUDED
#define DESKSTORE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>
#include "patrol.pb-c.h"

typedef struct deskstore_t deskstore_t;

deskstore_t *deskstore_open (const char *path);
//  Commits what is open.
void deskstore_close (deskstore_t **self_p);

//  ---- the turn's transaction

//  Begins one unless it is open. -1: nothing can be written now.
int deskstore_begin (deskstore_t *self);
//  Commits if one is open. -1: everything since begin is undone, here and on disk.
int deskstore_commit (deskstore_t *self);
//  A write has failed half-way: the next commit will undo the turn and return -1.
void deskstore_spoil (deskstore_t *self);
//  Is there room to go on? Tries a write, and wants some MiB free beyond it.
bool deskstore_writable (deskstore_t *self);
//  For the module that keeps the command outbox in the same file.
sqlite3 *deskstore_db (deskstore_t *self);

//  ---- the feed

typedef enum { KEPT_NEW, KEPT_REPEAT, KEPT_FAILED } kept_t;

uint64_t deskstore_incarnation (const deskstore_t *self); //  the last one seen, 0 = none
uint64_t deskstore_stored (const deskstore_t *self);      //  every feed item of it up to this one is here
int deskstore_set_feed (deskstore_t *self, uint64_t incarnation, uint64_t stored);

//  Keeps one feed item of the current incarnation and moves `stored` to its number. An item with the same
//  incident, version, type and tip is a repeat: it is here already, from a resend or an earlier incarnation.
//  An item about two incidents is kept under both.
kept_t deskstore_keep (deskstore_t *self, const Patrol__Item *item);

//  When this copy was last known to be whole (0 = never).
int64_t deskstore_as_of (const deskstore_t *self);
int deskstore_set_as_of (deskstore_t *self, int64_t now_ms);

//  ---- reading; ids are given in order of arrival, 1, 2, 3 ...

//  The item is borrowed for the call. Return false to stop; that item counts as given.
typedef bool (deskstore_item_fn) (void *context, int64_t id, uint64_t incarnation, const Patrol__Item *item);

int64_t deskstore_newest (const deskstore_t *self); //  id of the last item, 0 = none
//  At most `limit` items after `after`. Returns the id of the last one given (`after` if there is none), -1 on a failure.
int64_t deskstore_read (deskstore_t *self, int64_t after, int limit, deskstore_item_fn *fn, void *context);
//  Those of one incident.
int64_t deskstore_read_incident (
    deskstore_t *self, uint64_t incident, int64_t after, int limit, deskstore_item_fn *fn, void *context);
//  At most `limit` incidents with an id above `after`, each folded into one item: the first tip's words, the newest place, status
//  and version. Returns the last incident given (`after` if there is none left).
uint64_t deskstore_read_incidents (deskstore_t *self, uint64_t after, int limit, deskstore_item_fn *fn, void *context);

//  Id of the last item at or before a log position; -1 if nothing of that incarnation is here.
int64_t deskstore_find_position (deskstore_t *self, uint64_t incarnation, uint64_t seq);

//  Newest version of an incident; 0 if the incident is not here.
uint64_t deskstore_version (deskstore_t *self, uint64_t incident);

typedef enum { INCIDENT_FOUND, INCIDENT_UNKNOWN, INCIDENT_AMBIGUOUS, INCIDENT_MALFORMED } incident_found_t;
//  A whole id (13 characters, found even if it is not here) or the last 4 or more characters of one that is here.
incident_found_t deskstore_find_incident (deskstore_t *self, const char *id, uint64_t *incident);

//  ---- readers

//  Id of the last line that `watch` of this home has put out. Moves forward only.
int64_t deskstore_reader (const deskstore_t *self);
int deskstore_move_reader (deskstore_t *self, int64_t id);

#endif
