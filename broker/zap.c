//  zap - see zap.h

#include "zap.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "bucket.h"
#include "timefmt.h"
#include "zapframes.h"

#define BEAT_MS 250
#define HANDSHAKES 60 //  of one key at once,
#define A_SECOND 1    //  and after that
#define FIRST_ROOM 1024u
#define STACK_SIZE (512u * 1024)

typedef struct {
    uint8_t key [KEY_SIZE];
    admission_t admission;
    int64_t expires_ms; //  0 = never
    bool revoked;
    uint32_t listed; //  in which listing it was admitted last
    bucket_t handshakes;
} entry_t;

struct zap_t {
    void *socket; //  the thread's once it runs
    pthread_t thread;
    atomic_bool stop;
    _Atomic int64_t beat_ms;
    pthread_mutex_t mutex; //  guards all below
    entry_t *entries;      //  index 1 is entries [0]
    uint32_t count, room;
    uint32_t *table; //  open addressing, indexes; twice `room` places
    uint8_t seed [crypto_shorthash_KEYBYTES];
    uint32_t listing;
    bool listed; //  a list was complete once
    uint64_t refused [ZAP_REASONS];
};

//  ---- the table

//  The place of the key in the table, or the free one where it belongs.
static uint32_t *s_place (zap_t *self, const uint8_t *key)
{
    uint64_t hash;
    crypto_shorthash ((uint8_t *)&hash, key, KEY_SIZE, self->seed);
    uint32_t mask = self->room * 2 - 1;
    uint32_t at = (uint32_t)hash & mask;
    while (self->table [at] && memcmp (self->entries [self->table [at] - 1].key, key, KEY_SIZE) != 0)
        at = (at + 1) & mask;
    return &self->table [at];
}

static void s_grow (zap_t *self)
{
    self->room = self->room ? self->room * 2 : FIRST_ROOM;
    self->entries = realloc (self->entries, self->room * sizeof *self->entries);
    free (self->table);
    self->table = calloc ((size_t)self->room * 2, sizeof *self->table);
    if (!self->entries || !self->table)
        abort ();
    for (uint32_t i = 0; i < self->count; i++)
        *s_place (self, self->entries [i].key) = i + 1;
}

static uint32_t s_index_of_new (zap_t *self, const uint8_t *key)
{
    if (self->count == self->room)
        s_grow (self);
    memset (&self->entries [self->count], 0, sizeof self->entries [0]);
    memcpy (self->entries [self->count].key, key, KEY_SIZE);
    self->count++;
    *s_place (self, key) = self->count;
    return self->count;
}

static bool s_expired (const entry_t *entry)
{
    return entry->expires_ms && entry->expires_ms <= time_now_ms ();
}

uint32_t zap_admit (zap_t *self, const uint8_t key [KEY_SIZE], admission_t admission, int64_t expires_ms)
{
    pthread_mutex_lock (&self->mutex);
    uint32_t index = *s_place (self, key);
    if (!index)
        index = s_index_of_new (self, key);
    entry_t *entry = &self->entries [index - 1];
    entry->admission = admission;
    entry->expires_ms = expires_ms;
    entry->revoked = false;
    entry->listed = self->listing;
    pthread_mutex_unlock (&self->mutex);
    return index;
}

uint32_t zap_revoke (zap_t *self, const uint8_t key [KEY_SIZE])
{
    pthread_mutex_lock (&self->mutex);
    uint32_t index = *s_place (self, key);
    if (index)
        self->entries [index - 1].revoked = true;
    pthread_mutex_unlock (&self->mutex);
    return index;
}

void zap_list_begin (zap_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->listing++;
    pthread_mutex_unlock (&self->mutex);
}

void zap_list_end (zap_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->listed = true;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->entries [i].listed != self->listing)
            self->entries [i].revoked = true;
    pthread_mutex_unlock (&self->mutex);
}

int zap_key (zap_t *self, uint32_t index, uint8_t key [KEY_SIZE], admission_t *admission)
{
    int rc = -1;
    pthread_mutex_lock (&self->mutex);
    if (index >= 1 && index <= self->count) {
        const entry_t *entry = &self->entries [index - 1];
        if (!entry->revoked && !s_expired (entry)) {
            memcpy (key, entry->key, KEY_SIZE);
            *admission = entry->admission;
            rc = 0;
        }
    }
    pthread_mutex_unlock (&self->mutex);
    return rc;
}

void zap_counters (zap_t *self, uint64_t counts [ZAP_REASONS])
{
    pthread_mutex_lock (&self->mutex);
    memcpy (counts, self->refused, sizeof self->refused);
    pthread_mutex_unlock (&self->mutex);
}

void zap_start_over (zap_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->listed = false;
    memset (self->refused, 0, sizeof self->refused);
    pthread_mutex_unlock (&self->mutex);
}

int64_t zap_beat_ms (zap_t *self)
{
    return atomic_load (&self->beat_ms);
}

//  ---- the thread

//  The index of the key if it may come in; 0 with the status otherwise. After 300 libzmq says nothing more
//  until HANDSHAKE_IVL closes the connection, and the peer's libzmq tries again; after 400 it does not.
static uint32_t s_judge (zap_t *self, const zapframes_t *request, const char **status)
{
    *status = "400";
    if (!request->fits) {
        self->refused [ZAP_MALFORMED]++;
        return 0;
    }
    uint32_t index = *s_place (self, request->key);
    if (!index) {
        self->refused [ZAP_UNKNOWN]++;
        *status = self->listed ? "400" : "300";
        return 0;
    }
    entry_t *entry = &self->entries [index - 1];
    if (entry->revoked || s_expired (entry)) {
        self->refused [entry->revoked ? ZAP_REVOKED : ZAP_EXPIRED]++;
        return 0;
    }
    if (!bucket_take (&entry->handshakes, HANDSHAKES, A_SECOND, 1, time_mono_ms ())) {
        self->refused [ZAP_TOO_MANY]++;
        *status = "300";
        return 0;
    }
    *status = "200";
    return index;
}

static int s_answer (zap_t *self, const zapframes_t *request)
{
    const char *status;
    char user [16] = "";
    pthread_mutex_lock (&self->mutex);
    uint32_t index = s_judge (self, request, &status);
    pthread_mutex_unlock (&self->mutex);
    if (index)
        snprintf (user, sizeof user, "%u", index);
    return zapframes_answer (self->socket, request, status, user);
}

static void *s_main (void *argument)
{
    zap_t *self = argument;
    zapframes_t request;
    while (!atomic_load (&self->stop)) {
        zmq_pollitem_t item = { self->socket, 0, ZMQ_POLLIN, 0 };
        atomic_store (&self->beat_ms, time_mono_ms ());
        if (zmq_poll (&item, 1, BEAT_MS) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        while (zapframes_read (self->socket, ZAP_DOMAIN, &request) == 0)
            if (s_answer (self, &request))
                break;
    }
    zmq_close (self->socket);
    return NULL;
}

zap_t *zap_new (void *zmq)
{
    assert (zmq);
    zap_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    pthread_mutex_init (&self->mutex, NULL);
    randombytes_buf (self->seed, sizeof self->seed);
    s_grow (self);
    atomic_store (&self->beat_ms, time_mono_ms ());
    self->socket = zmq_socket (zmq, ZMQ_REP);
    int none = 0;
    bool ok = self->socket && zmq_setsockopt (self->socket, ZMQ_LINGER, &none, sizeof none) == 0
        && zmq_bind (self->socket, ZAPFRAMES_ENDPOINT) == 0;
    if (ok) {
        //  signals are the front's own thread's business
        sigset_t all, before;
        pthread_attr_t small;
        sigfillset (&all);
        pthread_sigmask (SIG_SETMASK, &all, &before);
        pthread_attr_init (&small);
        pthread_attr_setstacksize (&small, STACK_SIZE);
        ok = pthread_create (&self->thread, &small, s_main, self) == 0;
        pthread_attr_destroy (&small);
        pthread_sigmask (SIG_SETMASK, &before, NULL);
    }
    if (ok)
        return self;
    fprintf (stderr, "<3>front: the handler of handshakes cannot start: %s\n", zmq_strerror (errno));
    if (self->socket)
        zmq_close (self->socket);
    pthread_mutex_destroy (&self->mutex);
    free (self->entries);
    free (self->table);
    free (self);
    return NULL;
}

void zap_destroy (zap_t **self_p)
{
    assert (self_p);
    zap_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    pthread_mutex_destroy (&self->mutex);
    free (self->entries);
    free (self->table);
    free (self);
}
