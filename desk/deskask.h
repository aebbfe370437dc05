//  deskask - questions to the broker (list, show, stations, replay), page by page, and the local copy's answer when it is away
//
//  The next page is asked for only while the client keeps up, so a long replay costs the same memory as a short one.

#ifndef DESKASK_H_INCLUDED
#define DESKASK_H_INCLUDED

#include "deskstore.h"
#include "local.h"
#include "session.h"

typedef struct deskask_t deskask_t;

//  What the desk itself wanted to know: code OK and a version, or why not. Called once.
typedef void (deskask_version_fn) (void *context, uint32_t code, const char *detail, uint64_t version);

//  Borrows the store.
deskask_t *deskask_new (deskstore_t *store);
void deskask_destroy (deskask_t **self_p);

//  {"do": "list" | "show" | "stations" | "replay", "incident", "status", "station", "area", "officer", "kinds": [...],
//  "from_ms", "to_ms", "box": [south, west, north, east] in degrees times 10^7}. Answers with {"lines": TEXT} objects,
//  before them {"as_of": TIME} when they come from the local copy.
void deskask_add (deskask_t *self, local_client_t *client, json_t *request, int64_t mono_ms);
void deskask_gone (deskask_t *self, local_client_t *client);

//  Asks for the newest version of an incident. Code NOT_FOUND with no detail: the broker is away.
void deskask_version (
    deskask_t *self, uint64_t incident, const char *officer, deskask_version_fn *fn, void *context, int64_t mono_ms);
void deskask_forget (deskask_t *self, void *context); //  the asker has left

//  ---- from the session
void deskask_answer (deskask_t *self, const Patrol__Answer *answer, uint64_t incarnation);
void deskask_refusal (deskask_t *self, const Patrol__Refusal *refusal);
void deskask_down (deskask_t *self, int64_t mono_ms);

//  Goes on with every question. `session` may be NULL. Returns ms until it wants to be called again, -1 = when something happens.
int64_t deskask_pump (deskask_t *self, session_t *session, int64_t mono_ms);

#endif
