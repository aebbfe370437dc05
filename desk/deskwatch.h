//  deskwatch - the daemon's side of `watch`: gives each watcher the items of the store, in order of arrival

#ifndef DESKWATCH_H_INCLUDED
#define DESKWATCH_H_INCLUDED

#include "deskstore.h"
#include "local.h"

typedef struct deskwatch_t deskwatch_t;

//  Borrows the store.
deskwatch_t *deskwatch_new (deskstore_t *store);
void deskwatch_destroy (deskwatch_t **self_p);

//  {"do": "watch", "from": "last" | "start" | POSITION, "count": N (absent = no end)}. Answers with
//  {"lines": TEXT, "upto": ID} objects; the client says {"do": "seen", "upto": ID} once they are out.
void deskwatch_add (deskwatch_t *self, local_client_t *client, json_t *request);
void deskwatch_gone (deskwatch_t *self, local_client_t *client);

//  Gives what is new, as far as each watcher keeps up. Call after each commit and when a client may have drained.
void deskwatch_pump (deskwatch_t *self);

//  Tells every watcher how the link is; NULL reason = attached. Those who come later are told the last word.
void deskwatch_link (deskwatch_t *self, const char *reason);

#endif
