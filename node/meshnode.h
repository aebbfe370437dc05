//  meshnode - the daemon's mesh: links, routing core, letters, store, outbox and broker session brought together
//
//  The routing core decides, this module moves the bytes it is told to move. What a neighbour brought is committed with
//  everything else of the round, and only then acknowledged: the owner calls meshnode_committed after every commit.

#ifndef MESHNODE_H_INCLUDED
#define MESHNODE_H_INCLUDED

#include "device.h"
#include "local.h"
#include "meshlink.h"
#include "outbox.h"
#include "session.h"

typedef struct meshnode_t meshnode_t;

typedef struct {
    void *zmq;
    device_t *device;
    nodestore_t *store;
    outbox_t *outbox;
    //  A letter of the broker to this node, opened, checked to be new.
    void (*letter) (void *context, const Patrol__MeshLetter *letter);
    //  The broker's signed word for an own tip has come.
    void (*word) (void *context, int64_t row);
    void *context;
} meshnode_parts_t;

//  All parts are borrowed. NULL with one line on stderr.
meshnode_t *meshnode_new (const meshnode_parts_t *parts, const meshlinks_options_t *links);
void meshnode_destroy (meshnode_t **self_p);

//  Poll items, at most MESHLINKS_ITEMS; lowers *timeout_ms.
int meshnode_items (meshnode_t *self, zmq_pollitem_t *items, long *timeout_ms, int64_t now_mono_ms);
//  Reads what came, and tells the core about new envelopes of the outbox.
void meshnode_process (meshnode_t *self, int64_t now_mono_ms);
//  After a commit: what was taken is acknowledged, or forgotten.
void meshnode_committed (meshnode_t *self, bool ok);
//  Hands over to the broker, offers, writes late updates. Returns the milliseconds until it wants to be called again.
int64_t meshnode_tend (meshnode_t *self, int64_t now_mono_ms);

//  A fix of this node, WGS-84, degrees times 10^7.
void meshnode_position (meshnode_t *self, int32_t lat_e7, int32_t lon_e7);

//  ---- the session with the broker
void meshnode_attach (meshnode_t *self, Patrol__Attach *attach, arena_t *arena);
void meshnode_session (meshnode_t *self, session_t *session); //  attached; NULL: lost
void meshnode_news (meshnode_t *self, const Patrol__MeshNews *news);
//  The broker has taken or refused the envelope of this row for good, on this node's own link.
void meshnode_settled (meshnode_t *self, int64_t row);

//  What `mesh` shows; a new reference.
json_t *meshnode_view (meshnode_t *self);

#endif
