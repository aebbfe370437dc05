//  deskoutbox - commands on their way to the broker

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "deskoutbox.h"
#include "store.h"

#define COMMAND_LIFE_H 72
#define FIRST_RETRY_MS 5000
#define LAST_RETRY_MS 60000

//  A command to be sent until its receipt comes.
typedef struct {
    int64_t row;
    command_id_t id;
    int64_t due_ms, wait_ms; //  monotonic
    bool again;              //  done before, offered to a new incarnation
} waiting_t;

struct deskoutbox_t {
    deskstore_t *store;
    const envelope_seal_t *seal;
    uint64_t epoch, next; //  current origin
    waiting_t *waiting;   //  in the order they were given
    int count, room;
    sqlite3_stmt *insert, *done, *waits, *envelope, *reseal, *version, *origin_read, *origin_write, *origins;
    sqlite3_stmt *lookup, *offer, *purge, *body;
};

static void s_prepare (deskoutbox_t *self)
{
    sqlite3 *db = deskstore_db (self->store);
    self->insert = store_prepare (db,
        "INSERT INTO command (epoch, counter, tag, incident, based_on, body, envelope,"
        " resealed, state, code, version, settled_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0)");
    self->lookup = store_prepare (db, "SELECT id, tag, resealed, state FROM command WHERE epoch = ? AND counter = ?");
    self->done = store_prepare (db, "UPDATE command SET state = 1, code = ?, version = ?, settled_ms = ? WHERE id = ?");
    self->waits = store_prepare (db, "SELECT id, epoch, counter, state FROM command WHERE state <> 1 ORDER BY id");
    self->envelope = store_prepare (db, "SELECT envelope FROM command WHERE id = ?");
    self->body = store_prepare (db, "SELECT body FROM command WHERE id = ?");
    self->reseal = store_prepare (db,
        "UPDATE command SET epoch = ?, counter = ?, tag = ?, envelope = ?, resealed = 1"
        " WHERE id = ?");
    self->version = store_prepare (db,
        "SELECT coalesce (max (CASE state WHEN 0 THEN based_on + 1 ELSE version END), 0)"
        " FROM command WHERE incident = ?");
    self->origin_read = store_prepare (db, "SELECT epoch, next FROM origin ORDER BY id DESC LIMIT 1");
    self->origin_write = store_prepare (db,
        "INSERT INTO origin (epoch, next) VALUES (?, ?)"
        " ON CONFLICT (epoch) DO UPDATE SET next = excluded.next");
    self->origins = store_prepare (db,
        "SELECT epoch, next FROM origin WHERE epoch = ?1 OR epoch IN"
        " (SELECT epoch FROM command WHERE state <> 1) ORDER BY id DESC LIMIT 4");
    self->offer = store_prepare (db, "UPDATE command SET state = 2 WHERE state = 1 AND code = 0 AND settled_ms > ?");
    self->purge = store_prepare (db, "DELETE FROM command WHERE state = 1 AND settled_ms < ?");
}

//  ---- the list in memory

static void s_wait (deskoutbox_t *self, int64_t row, command_id_t id, bool again)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 16;
        self->waiting = realloc (self->waiting, (size_t)self->room * sizeof *self->waiting);
        if (!self->waiting)
            abort ();
    }
    self->waiting [self->count++] = (waiting_t){ .row = row, .id = id, .wait_ms = FIRST_RETRY_MS, .again = again };
}

static void s_forget (deskoutbox_t *self, int64_t row)
{
    for (int i = 0; i < self->count; i++)
        if (self->waiting [i].row == row) {
            memmove (self->waiting + i, self->waiting + i + 1, (size_t)(self->count - i - 1) * sizeof *self->waiting);
            self->count--;
            return;
        }
}

static int s_new_epoch (deskoutbox_t *self)
{
    do
        randombytes_buf (&self->epoch, sizeof self->epoch);
    while (self->epoch == 0);
    self->next = 1;
    if (deskstore_begin (self->store) == -1)
        return -1;
    store_bind (self->origin_write, "ii", (int64_t)self->epoch, (int64_t)self->next);
    return store_run (self->origin_write);
}

int deskoutbox_reload (deskoutbox_t *self)
{
    int rc = store_step (self->origin_read);
    if (rc == 1) {
        self->epoch = (uint64_t)store_int (self->origin_read, 0);
        self->next = (uint64_t)store_int (self->origin_read, 1);
    }
    sqlite3_reset (self->origin_read);
    if (rc == -1 || (rc == 0 && s_new_epoch (self) == -1))
        return -1;

    self->count = 0;
    while ((rc = store_step (self->waits)) == 1) {
        command_id_t id = { (uint64_t)store_int (self->waits, 1), (uint64_t)store_int (self->waits, 2) };
        s_wait (self, store_int (self->waits, 0), id, store_int (self->waits, 3) == 2);
    }
    sqlite3_reset (self->waits);
    return rc;
}

deskoutbox_t *deskoutbox_open (deskstore_t *store, const envelope_seal_t *seal)
{
    assert (store && seal);
    deskoutbox_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    self->seal = seal;
    s_prepare (self);
    if (deskoutbox_reload (self) == -1)
        deskoutbox_close (&self);
    return self;
}

void deskoutbox_close (deskoutbox_t **self_p)
{
    assert (self_p);
    deskoutbox_t *self = *self_p;
    if (!self)
        return;
    sqlite3_stmt *all [] = { self->insert, self->done, self->waits, self->envelope, self->reseal, self->version,
        self->origin_read, self->origin_write, self->origins, self->lookup, self->offer, self->purge, self->body };
    for (size_t i = 0; i < sizeof all / sizeof all [0]; i++)
        sqlite3_finalize (all [i]);
    free (self->waiting);
    free (self);
    *self_p = NULL;
}

//  ---- giving a command

//  Seals under the next number. The caller frees *envelope.
static size_t s_seal (deskoutbox_t *self, const Patrol__Command *command, int64_t now_ms, uint64_t uptime_ms,
    uint8_t **envelope, uint64_t *tag)
{
    Patrol__Inner inner = PATROL__INNER__INIT;
    *tag = envelope_tag (self->seal->shared, self->epoch, self->next, &command->base);
    inner.epoch = self->epoch;
    inner.counter = self->next;
    inner.tag = *tag;
    inner.written_ms = now_ms;
    inner.uptime_ms = uptime_ms;
    inner.body_case = PATROL__INNER__BODY_COMMAND;
    inner.command = (Patrol__Command *)command;
    return envelope_seal (envelope, self->seal, CLASS_URGENT, COMMAND_LIFE_H, now_ms, &inner);
}

//  The number is used up on disk in the same transaction as the bytes sealed under it.
static int s_count_up (deskoutbox_t *self)
{
    self->next++;
    store_bind (self->origin_write, "ii", (int64_t)self->epoch, (int64_t)self->next);
    return store_run (self->origin_write);
}

int deskoutbox_add (deskoutbox_t *self, const Patrol__Command *command, int64_t now_ms, uint64_t uptime_ms, command_id_t *id)
{
    uint8_t *envelope = NULL;
    uint64_t tag;

    if (deskstore_begin (self->store) == -1)
        return -1;
    size_t size = s_seal (self, command, now_ms, uptime_ms, &envelope, &tag);
    if (size == 0)
        return -1;
    size_t body_size = patrol__command__get_packed_size (command);
    uint8_t *body = malloc (body_size + 1);
    if (!body)
        abort ();
    patrol__command__pack (command, body);

    *id = (command_id_t){ self->epoch, self->next };
    store_bind (self->insert, "iiiiibb", (int64_t)id->epoch, (int64_t)id->counter, (int64_t)tag, (int64_t)command->incident,
        (int64_t)command->based_on, (const void *)body, body_size, (const void *)envelope, size);
    int rc = store_run (self->insert);
    if (rc == 0) {
        s_wait (self, sqlite3_last_insert_rowid (deskstore_db (self->store)), *id, false);
        rc = s_count_up (self);
    }
    free (body);
    free (envelope);
    return rc;
}

uint64_t deskoutbox_version (deskoutbox_t *self, uint64_t incident)
{
    uint64_t known = deskstore_version (self->store, incident), given = 0;
    store_bind (self->version, "i", (int64_t)incident);
    if (store_step (self->version) == 1)
        given = (uint64_t)store_int (self->version, 0);
    sqlite3_reset (self->version);
    return given > known ? given : known;
}

//  ---- receipts

//  PROTOCOL.md 4: "A counter whose receipt has another tag means that the device's store is a copy: the tip is
//  sealed again in a new epoch, once."
static settled_t s_reseal (deskoutbox_t *self, int64_t row, uint64_t old_epoch, int64_t now_ms, command_id_t *anew)
{
    uint8_t *envelope = NULL;
    uint64_t tag;
    settled_t result = SETTLED_FAILED;

    if (self->epoch == old_epoch && s_new_epoch (self) == -1)
        return SETTLED_FAILED;
    store_bind (self->body, "i", row);
    Patrol__Command *command = store_step (self->body) == 1
        ? patrol__command__unpack (NULL, (size_t)sqlite3_column_bytes (self->body, 0), sqlite3_column_blob (self->body, 0))
        : NULL;
    sqlite3_reset (self->body);
    if (!command)
        return SETTLED_FAILED;
    size_t size = s_seal (self, command, now_ms, 0, &envelope, &tag);
    if (size) {
        *anew = (command_id_t){ self->epoch, self->next };
        store_bind (self->reseal, "iiibi", (int64_t)anew->epoch, (int64_t)anew->counter, (int64_t)tag,
            (const void *)envelope, size, row);
        if (store_run (self->reseal) == 0 && s_count_up (self) == 0) {
            s_forget (self, row);
            s_wait (self, row, *anew, false);
            result = SETTLED_RESEALED;
        }
    }
    patrol__command__free_unpacked (command, NULL);
    free (envelope);
    return result;
}

static settled_t s_done (deskoutbox_t *self, int64_t row, const Patrol__Taken *taken, int64_t now_ms)
{
    store_bind (self->done, "iiii", (int64_t)taken->code, (int64_t)taken->version, now_ms, row);
    if (store_run (self->done) == -1)
        return SETTLED_FAILED;
    s_forget (self, row);
    return SETTLED_DONE;
}

settled_t deskoutbox_settle (deskoutbox_t *self, const Patrol__Taken *taken, int64_t now_ms, command_id_t *anew)
{
    if (taken->code == PATROL__CODE__SLOW_DOWN)
        return SETTLED_NOT_OURS; //  not logged: the next retry sends it again
    store_bind (self->lookup, "ii", (int64_t)taken->epoch, (int64_t)taken->counter);
    int rc = store_step (self->lookup);
    int64_t row = rc == 1 ? store_int (self->lookup, 0) : 0;
    uint64_t tag = rc == 1 ? (uint64_t)store_int (self->lookup, 1) : 0;
    bool resealed = rc == 1 && store_int (self->lookup, 2);
    int64_t state = rc == 1 ? store_int (self->lookup, 3) : 1;
    sqlite3_reset (self->lookup);
    if (rc == -1)
        return SETTLED_FAILED;
    if (state == 1)
        return SETTLED_NOT_OURS;
    if (deskstore_begin (self->store) == -1)
        return SETTLED_FAILED;

    if (taken->tag == tag || resealed)
        return s_done (self, row, taken, now_ms);
    return s_reseal (self, row, taken->epoch, now_ms, anew);
}

bool deskoutbox_about (deskoutbox_t *self, uint64_t epoch, uint64_t counter, uint64_t *incident, char officer [65])
{
    sqlite3_stmt *about
        = store_prepare (deskstore_db (self->store), "SELECT incident, body FROM command WHERE epoch = ?1 AND counter = ?2");
    store_bind (about, "ii", (int64_t)epoch, (int64_t)counter);
    bool found = store_step (about) == 1;
    Patrol__Command *command = found
        ? patrol__command__unpack (NULL, (size_t)sqlite3_column_bytes (about, 1), sqlite3_column_blob (about, 1))
        : NULL;
    if (command) {
        *incident = (uint64_t)store_int (about, 0);
        snprintf (officer, 65, "%.*s", (int)(command->officer.len < 64 ? command->officer.len : 64),
            (const char *)command->officer.data);
        patrol__command__free_unpacked (command, NULL);
    }
    sqlite3_finalize (about);
    return command != NULL;
}

//  ---- attach

void deskoutbox_attach (deskoutbox_t *self, Patrol__Attach *attach, arena_t *arena)
{
    attach->n_origins = 0;
    attach->origins = arena_alloc (arena, 4 * sizeof *attach->origins);
    store_bind (self->origins, "i", (int64_t)self->epoch);
    while (attach->origins && store_step (self->origins) == 1) {
        Patrol__OriginAsk *ask = arena_alloc (arena, sizeof *ask);
        if (!ask)
            break;
        patrol__origin_ask__init (ask);
        ask->epoch = (uint64_t)store_int (self->origins, 0);
        ask->next = (uint64_t)store_int (self->origins, 1);
        attach->origins [attach->n_origins++] = ask;
    }
    sqlite3_reset (self->origins);
}

//  "A device whose next counter is not above `highest` SHALL begin a new epoch."
static int s_check_epoch (deskoutbox_t *self, const Patrol__Attached *attached)
{
    for (size_t i = 0; i < attached->n_origins; i++) {
        const Patrol__OriginState *origin = attached->origins [i];
        if (origin->epoch == self->epoch && origin->highest >= self->next)
            return s_new_epoch (self);
    }
    return 0;
}

int deskoutbox_attached (deskoutbox_t *self, const Patrol__Attached *attached, bool new_incarnation, int64_t now_ms)
{
    if (deskstore_begin (self->store) == -1 || s_check_epoch (self, attached) == -1)
        return -1;
    store_bind (self->purge, "i", now_ms - DESKOUTBOX_KEEP_MS);
    if (store_run (self->purge) == -1)
        return -1;
    if (new_incarnation) {
        store_bind (self->offer, "i", now_ms - DESKOUTBOX_KEEP_MS);
        if (store_run (self->offer) == -1)
            return -1;
    }
    return deskoutbox_reload (self);
}

//  ---- sending

static bool s_send (deskoutbox_t *self, session_t *session, const waiting_t *command)
{
    store_bind (self->envelope, "i", command->row);
    bool sent = store_step (self->envelope) == 1
        && session_submit (
            session, LANE_URGENT, sqlite3_column_blob (self->envelope, 0), (size_t)sqlite3_column_bytes (self->envelope, 0));
    sqlite3_reset (self->envelope);
    return sent;
}

int64_t deskoutbox_pump (deskoutbox_t *self, session_t *session, int64_t mono_ms)
{
    int64_t next_ms = -1;
    bool sent = false;

    if (!session || !session_attached (session))
        return -1;
    for (int i = 0; i < self->count; i++) {
        waiting_t *command = &self->waiting [i];
        if (command->due_ms <= mono_ms) {
            if (!s_send (self, session, command)) {
                next_ms = 100; //  the lane is full; those behind must not overtake
                break;
            }
            sent = true;
            command->due_ms = mono_ms + command->wait_ms;
            command->wait_ms = command->wait_ms * 2 > LAST_RETRY_MS ? LAST_RETRY_MS : command->wait_ms * 2;
        }
        int64_t left = command->due_ms - mono_ms;
        if (next_ms == -1 || left < next_ms)
            next_ms = left;
    }
    if (sent)
        session_flush (session);
    return next_ms;
}

int deskoutbox_waiting (const deskoutbox_t *self)
{
    int count = 0;
    for (int i = 0; i < self->count; i++)
        count += self->waiting [i].again ? 0 : 1;
    return count;
}
