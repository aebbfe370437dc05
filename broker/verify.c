//  verify - one walk over the log, a second state beside it

#include "verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "audit.h"
#include "eventlog.h"
#include "home.h"
#include "state.h"

#define READ_AT_ONCE 500
#define COMMIT_EVERY 5000
#define FAULTS_MAX 100
#define RECORD_ARENA (256u * 1024)

typedef struct {
    const verify_t *verify;
    json_t *faults;
    bool stop; //  enough faults, or the caller's wish
    eventlog_reader_t *log;
    arena_t *arena;
    members_t *members; //  of the rebuilt state
    feeds_t *feeds;
    state_t *state;
    bool broken; //  the rebuild cannot be gone on with
    uint64_t seq, last, records, tips;
    int64_t at_ms;
    uint64_t audit_rows; //  newest head in the log
    uint8_t audit_hash [32];
} walk_t;

static void __attribute__ ((format (printf, 2, 3))) s_fault (walk_t *walk, const char *format, ...)
{
    char line [400];
    va_list args;
    va_start (args, format);
    vsnprintf (line, sizeof line, format, args);
    va_end (args);
    json_array_append_new (walk->faults, json_string (line));
    if (json_array_size (walk->faults) >= FAULTS_MAX && !walk->stop) {
        walk->stop = true;
        json_array_append_new (walk->faults, json_string ("stopped here: more faults than can be listed"));
    }
}

//  ---- one record

static void s_tip (walk_t *walk, uint64_t seq, const Patrol__From *from)
{
    taken_t taken;
    walk->tips++;
    if (!from) {
        s_fault (walk, "record %llu: a tip without a sender", (unsigned long long)seq);
        return;
    }
    if (!walk->broken && state_taken (walk->state, from->device, from->epoch, from->counter, from->tag, &taken)
        && taken.tag == from->tag)
        s_fault (walk, "record %llu: the tip %llu of device %u was accepted before, by record %llu", (unsigned long long)seq,
            (unsigned long long)from->counter, from->device, (unsigned long long)taken.seq);
}

static void s_apply (walk_t *walk, uint64_t seq, const Patrol__Record *record)
{
    if (walk->broken)
        return;
    if (state_apply (walk->state, seq, record)) {
        s_fault (walk, "record %llu contradicts the records before it; the state was rebuilt up to there",
            (unsigned long long)seq);
        walk->broken = true;
    } else if (walk->records % COMMIT_EVERY == 0 && state_commit (walk->state, 0, true)) {
        s_fault (walk, "the rebuilt state cannot be written: is the disk full?");
        walk->broken = true;
    }
}

static bool s_record (void *context, uint64_t seq, int64_t at_ms, const uint8_t *bytes, size_t size)
{
    walk_t *walk = context;
    if (seq > walk->last) {
        //  Appended since the walk began; the record that should have been the last must have been met.
        if (walk->seq < walk->last)
            s_fault (walk, "record %llu is missing", (unsigned long long)walk->last);
        walk->seq = walk->last;
        return false;
    }
    arena_reset (walk->arena);
    Patrol__Record *record = patrol__record__unpack (arena_allocator (walk->arena), size, bytes);
    walk->records++;
    if (seq <= walk->seq)
        s_fault (walk, "record %llu stands after record %llu", (unsigned long long)seq, (unsigned long long)walk->seq);
    walk->seq = seq;
    if (!record || record->event_case == PATROL__RECORD__EVENT__NOT_SET) {
        s_fault (walk, "record %llu: what it holds cannot be read", (unsigned long long)seq);
        walk->broken = true;
        return !walk->stop;
    }
    if (record->at_ms != at_ms)
        s_fault (walk, "record %llu: its time differs from the time it was stored under", (unsigned long long)seq);
    if (at_ms < walk->at_ms)
        s_fault (walk, "record %llu: its time lies before the time of the record before it", (unsigned long long)seq);
    walk->at_ms = at_ms > walk->at_ms ? at_ms : walk->at_ms;
    if (record->event_case == PATROL__RECORD__EVENT_TIP)
        s_tip (walk, seq, record->tip->from);
    if (record->event_case == PATROL__RECORD__EVENT_AUDIT_HEAD && record->audit_head->hash.len == sizeof walk->audit_hash) {
        walk->audit_rows = record->audit_head->rows;
        memcpy (walk->audit_hash, record->audit_head->hash.data, sizeof walk->audit_hash);
    }
    s_apply (walk, seq, record);
    return !walk->stop;
}

//  ---- the log

//  Steps over one record that cannot be read.
static void s_unreadable (walk_t *walk)
{
    walk->seq++;
    walk->records++;
    walk->broken = true;
    s_fault (walk, "record %llu is damaged: its checksum is wrong", (unsigned long long)walk->seq);
}

static void s_log (walk_t *walk)
{
    const verify_t *verify = walk->verify;
    while (!walk->stop && walk->seq < walk->last) {
        int count = eventlog_read (walk->log, walk->seq, READ_AT_ONCE, s_record, walk);
        if (count < 0 && !walk->stop)
            s_unreadable (walk);
        if (count == 0) {
            s_fault (walk, "the log ends at record %llu; the state knows record %llu", (unsigned long long)walk->seq,
                (unsigned long long)walk->last);
            return;
        }
        if (verify->progress && !verify->progress (verify->context, walk->seq, walk->last)) {
            walk->stop = true;
            s_fault (walk, "stopped before its end");
        }
    }
}

//  ---- the state

static const char *s_compare (walk_t *walk)
{
    uint8_t digest [32];
    char counts [320] = "";
    if (!walk->verify->digest || walk->broken || walk->stop)
        return "not compared";
    if (state_commit (walk->state, 0, true) || state_digest (walk->state, digest, counts, sizeof counts)) {
        s_fault (walk, "the rebuilt state cannot be read");
        return "not compared";
    }
    if (memcmp (digest, walk->verify->digest, sizeof digest) == 0)
        return "equal";
    s_fault (walk, "the state differs from what the log says; stop the broker, remove state.db and start it: it is rebuilt");
    s_fault (walk, "by the log: %s", counts);
    if (walk->verify->counts)
        s_fault (walk, "in state.db: %s", walk->verify->counts);
    return "differs";
}

static void s_remove_rebuild (const char *folder)
{
    static const char *const names [] = { "state.db", "state.db-wal", "state.db-shm", "state.db-journal" };
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++) {
        char *path = home_path (folder, names [i]);
        unlink (path);
        free (path);
    }
    rmdir (folder);
}

static int s_begin (walk_t *walk, const char *folder)
{
    char *log = home_path (walk->verify->home, "log.db"), *state = home_path (folder, "state.db");
    //  What a verify left behind that did not come to its end.
    s_remove_rebuild (folder);
    walk->arena = arena_new (RECORD_ARENA);
    walk->members = members_new (walk->verify->core_keys);
    walk->feeds = feeds_new ();
    walk->log = eventlog_reader_open (log);
    if (!walk->log)
        s_fault (walk, "%s cannot be read", log);
    else if (mkdir (folder, 0700))
        s_fault (walk, "%s cannot be made: %s", folder, strerror (errno));
    else
        walk->state = state_open (state, walk->members, walk->feeds);
    if (walk->log && !walk->state)
        s_fault (walk, "%s cannot be made", state);
    free (log);
    free (state);
    return walk->state ? 0 : -1;
}

//  ---- the audit trail

static int64_t s_audit (walk_t *walk)
{
    char *path = home_path (walk->verify->home, "audit.db");
    const char *reason = NULL;
    uint64_t bad_row = 0;
    uint8_t hash [32] = { 0 };
    int64_t rows = access (path, F_OK) ? 0 : audit_verify (path, hash, &reason, &bad_row);
    if (rows < 0)
        s_fault (walk, "audit trail, row %llu: %s", (unsigned long long)bad_row, reason);
    else if ((uint64_t)rows < walk->audit_rows)
        s_fault (walk, "the audit trail has %lld rows; by the log there were %llu: its end is missing", (long long)rows,
            (unsigned long long)walk->audit_rows);
    else if (walk->audit_rows
        && (audit_hash_at (path, walk->audit_rows, hash) != 1 || memcmp (hash, walk->audit_hash, sizeof hash)))
        s_fault (walk, "the audit trail was rewritten: row %llu is not the one the log remembers",
            (unsigned long long)walk->audit_rows);
    free (path);
    return rows;
}

//  ---- all

json_t *verify_run (const verify_t *verify)
{
    walk_t walk = { .verify = verify, .faults = json_array () };
    char *folder = home_path (verify->home, "verify.rebuild");
    const char *state = "not compared";
    if (s_begin (&walk, folder) == 0) {
        walk.last = verify->digest ? verify->applied : eventlog_reader_last (walk.log);
        s_log (&walk);
        state = s_compare (&walk);
    }
    int64_t audit_rows = s_audit (&walk);
    state_close (&walk.state);
    eventlog_reader_close (&walk.log);
    members_destroy (&walk.members);
    feeds_destroy (&walk.feeds);
    arena_destroy (&walk.arena);
    s_remove_rebuild (folder);
    free (folder);
    return json_pack ("{s:b, s:I, s:I, s:s, s:I, s:o}", "ok", json_array_size (walk.faults) == 0, "records",
        (json_int_t)walk.records, "tips", (json_int_t)walk.tips, "state", state, "audit_rows",
        (json_int_t)(audit_rows < 0 ? 0 : audit_rows), "faults", walk.faults);
}
