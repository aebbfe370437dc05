//  deskorders - officers' commands in the daemon: from the request to the outbox, and back to the one who waits

#ifndef DESKORDERS_H_INCLUDED
#define DESKORDERS_H_INCLUDED

#include "deskask.h"
#include "deskoutbox.h"

typedef struct deskorders_t deskorders_t;

//  All borrowed.
deskorders_t *deskorders_new (deskstore_t *store, deskoutbox_t *outbox, deskask_t *asks);
void deskorders_destroy (deskorders_t **self_p);

//  {"do": "command", "verb": "ack" | "dispatch" | "close" | "reopen" | "place", "incident", "officer", "note", "answer", "reason",
//  "at": [lat, lon] in degrees times 10^7, "timeout_ms"}. Answers with one {"command": {...}} object.
void deskorders_add (deskorders_t *self, local_client_t *client, json_t *request, int64_t now_ms, int64_t mono_ms);
void deskorders_gone (deskorders_t *self, local_client_t *client);

//  A receipt for any command. -1 if the store cannot be written.
int deskorders_receipt (deskorders_t *self, const Patrol__Taken *taken, int64_t now_ms);

//  After a rollback: what this turn stored or settled has not happened.
void deskorders_undone (deskorders_t *self);
//  After a commit: tells those who wait. `reason`: why the link is down, NULL = up. Returns ms until the next deadline, -1 = none.
int64_t deskorders_pump (deskorders_t *self, const char *reason, int64_t mono_ms);

#endif
