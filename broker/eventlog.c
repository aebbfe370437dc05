//  eventlog - the embedded log: one SQLite file, WAL, synchronous=FULL, group commit on a thread of its own

#include "eventlog.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store.h"

static const char *const s_steps []
    = { "CREATE TABLE record (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, sum INTEGER NOT NULL, body BLOB NOT NULL);"
        "CREATE TABLE blob (hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), incarnation INTEGER NOT NULL,"
        " writer INTEGER NOT NULL, sumkey BLOB NOT NULL);"
        "INSERT INTO meta VALUES (1, 1, 0, randomblob (16));",
          NULL };

typedef struct {
    const uint8_t *bytes;
    size_t size;
    int64_t at_ms;
} entry_t;

typedef struct {
    uint8_t hash [32];
    uint8_t *bytes;
    size_t size;
} blob_t;

typedef struct {
    entry_t entries [EVENTLOG_BATCH_MAX];
    uint32_t count;
    blob_t *blobs;
    uint32_t blob_count;
    uint64_t first_ticket;
} batch_t;

struct eventlog_t {
    sqlite3 *db; //  used by the committer thread only, after open
    sqlite3_stmt *insert, *insert_blob, *writer;
    uint8_t sumkey [crypto_shorthash_KEYBYTES];
    uint64_t incarnation, last, next_ticket;
    int64_t fence; //  this opener's random number; another writer changes it
    int fd;
    pthread_t thread;
    bool thread_started;
    pthread_mutex_t mutex; //  guards what follows
    pthread_cond_t wake;
    batch_t batches [2];
    int filling; //  index of the batch the engine adds to
    bool busy, finished, failed, quit;
    eventlog_done_t done;
};

static int64_t s_sum (const uint8_t *key, const uint8_t *bytes, size_t size)
{
    uint8_t hash [crypto_shorthash_BYTES];
    crypto_shorthash (hash, bytes, size, key);
    int64_t sum;
    memcpy (&sum, hash, sizeof sum);
    return sum;
}

//  ---- committer thread

static int s_commit_batch (eventlog_t *self, const batch_t *batch)
{
    if (store_exec (self->db, "BEGIN IMMEDIATE"))
        return -1;
    //  A second writer is fenced: it has put its own number there.
    if (store_step (self->writer) != 1 || store_int (self->writer, 0) != self->fence) {
        sqlite3_reset (self->writer);
        fprintf (stderr, "<3>log: another writer has taken this log over; this one ends\n");
        return -1;
    }
    sqlite3_reset (self->writer);
    for (uint32_t i = 0; i < batch->blob_count; i++) {
        const blob_t *blob = &batch->blobs [i];
        store_bind (self->insert_blob, "bb", blob->hash, sizeof blob->hash, blob->bytes, blob->size);
        if (store_run (self->insert_blob))
            return -1;
    }
    uint64_t seq = self->last;
    for (uint32_t i = 0; i < batch->count; i++) {
        const entry_t *entry = &batch->entries [i];
        store_bind (self->insert, "iiib", (int64_t)++seq, entry->at_ms, s_sum (self->sumkey, entry->bytes, entry->size),
            entry->bytes, entry->size);
        if (store_run (self->insert))
            return -1;
    }
    return store_exec (self->db, "COMMIT");
}

static void *s_committer (void *arg)
{
    eventlog_t *self = arg;
    pthread_mutex_lock (&self->mutex);
    for (;;) {
        while (!self->quit && !(self->busy && !self->finished))
            pthread_cond_wait (&self->wake, &self->mutex);
        if (self->busy && !self->finished) {
            batch_t *batch = &self->batches [!self->filling];
            pthread_mutex_unlock (&self->mutex);
            int rc = s_commit_batch (self, batch);
            char reason [sizeof self->done.reason] = "";
            if (rc)
                snprintf (reason, sizeof reason, "%s", sqlite3_errmsg (self->db));
            pthread_mutex_lock (&self->mutex);
            self->done.first_ticket = batch->first_ticket;
            self->done.last_ticket = batch->first_ticket + batch->count - 1;
            self->done.first_seq = self->last + 1;
            self->done.failed = rc != 0;
            memcpy (self->done.reason, reason, sizeof reason);
            if (rc == 0)
                self->last += batch->count;
            self->finished = true;
            pthread_cond_broadcast (&self->wake);
            uint64_t one = 1;
            if (write (self->fd, &one, sizeof one) < 0)
                perror ("log: eventfd");
        } else if (self->quit)
            break;
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

//  ---- owner's side

static int s_load_meta (sqlite3 *db, uint64_t *incarnation, uint8_t *sumkey, uint64_t *last)
{
    sqlite3_stmt *st
        = store_prepare (db, "SELECT incarnation, sumkey, (SELECT coalesce (max (seq), 0) FROM record) FROM meta");
    int rc = -1;
    if (store_step (st) == 1 && sqlite3_column_bytes (st, 1) == crypto_shorthash_KEYBYTES) {
        *incarnation = (uint64_t)store_int (st, 0);
        memcpy (sumkey, sqlite3_column_blob (st, 1), crypto_shorthash_KEYBYTES);
        *last = (uint64_t)store_int (st, 2);
        rc = 0;
    }
    sqlite3_finalize (st);
    return rc;
}

eventlog_t *eventlog_open (const char *path)
{
    eventlog_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = -1;
    self->next_ticket = 1;
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->wake, NULL);
    self->db = store_open (path, STORE_FULL, s_steps);
    if (!self->db || s_load_meta (self->db, &self->incarnation, self->sumkey, &self->last)) {
        eventlog_close (&self);
        return NULL;
    }
    store_exec (self->db, "PRAGMA wal_autocheckpoint = 4000");
    randombytes_buf (&self->fence, sizeof self->fence);
    sqlite3_stmt *st = store_prepare (self->db, "UPDATE meta SET writer = ?1");
    store_bind (st, "i", self->fence);
    int rc = store_run (st);
    sqlite3_finalize (st);
    self->insert = store_prepare (self->db, "INSERT INTO record (seq, at, sum, body) VALUES (?1, ?2, ?3, ?4)");
    self->insert_blob = store_prepare (self->db, "INSERT OR IGNORE INTO blob (hash, body) VALUES (?1, ?2)");
    self->writer = store_prepare (self->db, "SELECT writer FROM meta");
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (rc || self->fd < 0 || pthread_create (&self->thread, NULL, s_committer, self)) {
        fprintf (stderr, "<3>log: cannot start: %s\n", rc ? sqlite3_errmsg (self->db) : strerror (errno));
        eventlog_close (&self);
        return NULL;
    }
    self->thread_started = true;
    return self;
}

static void s_clear (batch_t *batch)
{
    for (uint32_t i = 0; i < batch->blob_count; i++)
        free (batch->blobs [i].bytes);
    free (batch->blobs);
    batch->blobs = NULL;
    batch->blob_count = batch->count = 0;
}

void eventlog_close (eventlog_t **self_p)
{
    eventlog_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->thread_started) {
        pthread_mutex_lock (&self->mutex);
        self->quit = true;
        pthread_cond_broadcast (&self->wake);
        pthread_mutex_unlock (&self->mutex);
        pthread_join (self->thread, NULL);
    }
    s_clear (&self->batches [0]);
    s_clear (&self->batches [1]);
    sqlite3_finalize (self->insert);
    sqlite3_finalize (self->insert_blob);
    sqlite3_finalize (self->writer);
    if (self->db)
        store_close (&self->db);
    if (self->fd >= 0)
        close (self->fd);
    pthread_mutex_destroy (&self->mutex);
    pthread_cond_destroy (&self->wake);
    free (self);
}

uint64_t eventlog_incarnation (const eventlog_t *self)
{
    return self->incarnation;
}

uint64_t eventlog_last (const eventlog_t *self)
{
    return self->last;
}

uint64_t eventlog_append (eventlog_t *self, const uint8_t *record, size_t size, int64_t at_ms)
{
    assert (size > 0 && size <= EVENTLOG_RECORD_MAX);
    batch_t *batch = &self->batches [self->filling];
    if (batch->count == EVENTLOG_BATCH_MAX)
        return 0;
    if (batch->count == 0)
        batch->first_ticket = self->next_ticket;
    batch->entries [batch->count++] = (entry_t){ record, size, at_ms };
    return self->next_ticket++;
}

void eventlog_append_blob (eventlog_t *self, const uint8_t hash [32], const uint8_t *bytes, size_t size)
{
    batch_t *batch = &self->batches [self->filling];
    batch->blobs = realloc (batch->blobs, (batch->blob_count + 1) * sizeof *batch->blobs);
    blob_t *blob = &batch->blobs [batch->blob_count++];
    memcpy (blob->hash, hash, sizeof blob->hash);
    blob->bytes = malloc (size ? size : 1);
    memcpy (blob->bytes, bytes, size);
    blob->size = size;
}

void eventlog_kick (eventlog_t *self)
{
    if (!self->batches [self->filling].count)
        return;
    pthread_mutex_lock (&self->mutex);
    if (!self->busy && !self->failed) {
        self->filling = !self->filling;
        self->busy = true;
        self->finished = false;
        pthread_cond_broadcast (&self->wake);
    }
    pthread_mutex_unlock (&self->mutex);
}

int eventlog_fd (const eventlog_t *self)
{
    return self->fd;
}

bool eventlog_done (eventlog_t *self, eventlog_done_t *done)
{
    uint64_t count;
    if (read (self->fd, &count, sizeof count) < 0 && errno != EAGAIN)
        perror ("log: eventfd");
    pthread_mutex_lock (&self->mutex);
    bool ready = self->busy && self->finished;
    if (ready) {
        *done = self->done;
        s_clear (&self->batches [!self->filling]);
        self->busy = self->finished = false;
        self->failed = done->failed;
    }
    pthread_mutex_unlock (&self->mutex);
    return ready;
}

bool eventlog_flush (eventlog_t *self, eventlog_done_t *last)
{
    eventlog_kick (self);
    pthread_mutex_lock (&self->mutex);
    while (self->busy && !self->finished)
        pthread_cond_wait (&self->wake, &self->mutex);
    pthread_mutex_unlock (&self->mutex);
    return eventlog_done (self, last) ? !last->failed : true;
}

//  ---- readers

struct eventlog_reader_t {
    sqlite3 *db;
    sqlite3_stmt *page, *one, *blob, *at;
    uint8_t sumkey [crypto_shorthash_KEYBYTES];
    uint8_t record [EVENTLOG_RECORD_MAX]; //  of the last eventlog_get
};

eventlog_reader_t *eventlog_reader_open (const char *path)
{
    eventlog_reader_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    uint64_t incarnation, last;
    self->db = store_open (path, STORE_READ, s_steps);
    if (!self->db || s_load_meta (self->db, &incarnation, self->sumkey, &last)) {
        eventlog_reader_close (&self);
        return NULL;
    }
    self->page = store_prepare (self->db, "SELECT seq, at, sum, body FROM record WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    self->one = store_prepare (self->db, "SELECT sum, body FROM record WHERE seq = ?1");
    self->blob = store_prepare (self->db, "SELECT body FROM blob WHERE hash = ?1");
    self->at = store_prepare (self->db, "SELECT seq, at FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1");
    return self;
}

void eventlog_reader_close (eventlog_reader_t **self_p)
{
    eventlog_reader_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    sqlite3_finalize (self->page);
    sqlite3_finalize (self->one);
    sqlite3_finalize (self->blob);
    sqlite3_finalize (self->at);
    if (self->db)
        store_close (&self->db);
    free (self);
}

//  True if the row's bytes are those that were written.
static bool s_sound (const eventlog_reader_t *self, uint64_t seq, int64_t sum, const void *bytes, size_t size)
{
    if (bytes && s_sum (self->sumkey, bytes, size) == sum)
        return true;
    fprintf (stderr, "<3>log: record %llu is damaged: its checksum is wrong; restore a backup\n", (unsigned long long)seq);
    return false;
}

int eventlog_read (eventlog_reader_t *self, uint64_t after, int max, eventlog_record_fn *fn, void *context)
{
    store_bind (self->page, "ii", (int64_t)after, (int64_t)max);
    int count = 0, rc;
    while ((rc = store_step (self->page)) == 1) {
        uint64_t seq = (uint64_t)store_int (self->page, 0);
        const uint8_t *body = sqlite3_column_blob (self->page, 3);
        size_t size = (size_t)sqlite3_column_bytes (self->page, 3);
        if (!s_sound (self, seq, store_int (self->page, 2), body, size)) {
            rc = -1;
            break;
        }
        count++;
        if (!fn (context, seq, store_int (self->page, 1), body, size))
            break;
    }
    sqlite3_reset (self->page);
    return rc < 0 ? -1 : count;
}

size_t eventlog_get (eventlog_reader_t *self, uint64_t seq, const uint8_t **record)
{
    //  Copied: a statement left on its row would pin the WAL until the next call.
    size_t size = 0;
    store_bind (self->one, "i", (int64_t)seq);
    if (store_step (self->one) == 1) {
        const uint8_t *body = sqlite3_column_blob (self->one, 1);
        size = (size_t)sqlite3_column_bytes (self->one, 1);
        if (size > sizeof self->record || !s_sound (self, seq, store_int (self->one, 0), body, size))
            size = 0;
        else
            memcpy (self->record, body, size);
    }
    sqlite3_reset (self->one);
    *record = self->record;
    return size;
}

uint64_t eventlog_reader_last (eventlog_reader_t *self)
{
    uint64_t last = 0;
    sqlite3_stmt *st = store_prepare (self->db, "SELECT coalesce (max (seq), 0) FROM record");
    if (store_step (st) == 1)
        last = (uint64_t)store_int (st, 0);
    sqlite3_finalize (st);
    return last;
}

uint64_t eventlog_reader_incarnation (eventlog_reader_t *self)
{
    uint64_t incarnation = 0, last;
    uint8_t sumkey [crypto_shorthash_KEYBYTES];
    return s_load_meta (self->db, &incarnation, sumkey, &last) ? 0 : incarnation;
}

uint64_t eventlog_before (eventlog_reader_t *self, int64_t at_ms)
{
    uint64_t low = 0, high = eventlog_reader_last (self); //  answer is in low..high
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2, seq = 0;
        store_bind (self->at, "i", (int64_t)middle);
        int64_t at = INT64_MAX;
        if (store_step (self->at) == 1) {
            seq = (uint64_t)store_int (self->at, 0);
            at = store_int (self->at, 1);
        }
        sqlite3_reset (self->at);
        if (seq && at < at_ms)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint8_t *eventlog_blob (eventlog_reader_t *self, const uint8_t hash [32], size_t *size)
{
    store_bind (self->blob, "b", hash, (size_t)32);
    uint8_t *bytes = NULL;
    if (store_step (self->blob) == 1) {
        *size = (size_t)sqlite3_column_bytes (self->blob, 0);
        bytes = malloc (*size + 1);
        if (*size)
            memcpy (bytes, sqlite3_column_blob (self->blob, 0), *size);
        bytes [*size] = 0;
    }
    sqlite3_reset (self->blob);
    return bytes;
}

int eventlog_backup (eventlog_reader_t *self, const char *path)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2 (path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *job = rc == SQLITE_OK ? sqlite3_backup_init (to, "main", self->db, "main") : NULL;
    if (job) {
        rc = sqlite3_backup_step (job, -1);
        int end = sqlite3_backup_finish (job);
        rc = rc == SQLITE_DONE ? end : rc;
    } else
        rc = sqlite3_errcode (to);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec (to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        fprintf (stderr, "<3>backup to %s failed: %s\n", path, sqlite3_errstr (rc));
    sqlite3_close (to);
    return rc == SQLITE_OK ? 0 : -1;
}

int eventlog_begin_incarnation (const char *path)
{
    sqlite3 *db = store_open (path, STORE_FULL, s_steps);
    if (!db)
        return -1;
    int rc = store_exec (db, "UPDATE meta SET incarnation = incarnation + 1, writer = 0");
    store_close (&db);
    return rc;
}
