//  zap - who may finish a handshake: the front's answer to libzmq, a table in memory in a thread of its own
//
//  REP at inproc://zeromq.zap.01. Only CURVE, only the domain "patrol", only keys the core told us. No file and no core is
//  asked during a handshake. An admitted key's User-Id is the decimal index of its entry; an index is never given to
//  another key in the life of the process. zauth is not used: docs/design.md says why.

#ifndef ZAP_H_INCLUDED
#define ZAP_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "identity.h"
#include "pipe.h"

#define ZAP_DOMAIN "patrol"

typedef enum { ZAP_UNKNOWN, ZAP_EXPIRED, ZAP_REVOKED, ZAP_TOO_MANY, ZAP_MALFORMED, ZAP_REASONS } zap_reason_t;

typedef struct zap_t zap_t;

//  Binds in the context (borrowed) and starts the thread; before any CURVE server of the context. NULL with one line on stderr.
zap_t *zap_new (void *zmq);
//  Ends the thread. Call it before zmq_ctx_term.
void zap_destroy (zap_t **self_p);

//  Admits a key, or changes what it is admitted to. expires_ms is wall clock, 0 = never. Returns the index, never 0.
uint32_t zap_admit (zap_t *self, const uint8_t key [KEY_SIZE], admission_t admission, int64_t expires_ms);
//  Refuses a key from now on, whether it was admitted or not. Its open connections are the caller's to cut.
//  Returns the index, 0 if the key was never seen.
uint32_t zap_revoke (zap_t *self, const uint8_t key [KEY_SIZE]);

//  Listing anew: between begin and end every key of the list is admitted again; end revokes those that were not. Until the first
//  end an unknown key is put off (the peer tries again by itself) instead of being refused.
void zap_list_begin (zap_t *self);
void zap_list_end (zap_t *self);

//  What an index stands for now. -1 if there is none, or it is revoked or expired.
int zap_key (zap_t *self, uint32_t index, uint8_t key [KEY_SIZE], admission_t *admission);

//  Handshakes refused, by reason, since the start.
void zap_counters (zap_t *self, uint64_t counts [ZAP_REASONS]);
//  After a self-test: as if nobody had knocked and no list had come.
void zap_start_over (zap_t *self);

//  When the thread last showed that it lives (time_mono_ms); at least twice a second.
int64_t zap_beat_ms (zap_t *self);

#endif
