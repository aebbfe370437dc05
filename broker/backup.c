//  backup - out into one file, and back

#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "eventlog.h"
#include "home.h"
#include "identity.h"
#include "store.h"
#include "timefmt.h"

#define FILE_MAX (1024 * 1024) //  of settings.json, the largest

static const char *const s_files [] = { "district.id", "settings.json", "issuer.cert", "authority.pub" };
#define FILES (sizeof s_files / sizeof s_files [0])

static int __attribute__ ((format (printf, 1, 2))) s_fail (const char *format, ...)
{
    char line [700];
    va_list args;
    va_start (args, format);
    vsnprintf (line, sizeof line, format, args);
    va_end (args);
    fprintf (stderr, "%s\n", line);
    return -1;
}

//  ---- files

static char *s_join (const char *a, const char *b)
{
    size_t size = strlen (a) + strlen (b) + 1;
    char *joined = malloc (size);
    if (!joined)
        abort ();
    snprintf (joined, size, "%s%s", a, b);
    return joined;
}

//  The bytes of HOME/name, caller frees; NULL if it is absent or no small regular file.
static uint8_t *s_read_file (const char *home, const char *name, size_t *size)
{
    char *path = home_path (home, name);
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    free (path);
    struct stat about;
    uint8_t *bytes = NULL;
    if (fd >= 0 && fstat (fd, &about) == 0 && S_ISREG (about.st_mode) && about.st_size <= FILE_MAX) {
        bytes = malloc ((size_t)about.st_size + 1);
        if (!bytes)
            abort ();
        ssize_t got = read (fd, bytes, (size_t)about.st_size);
        *size = got > 0 ? (size_t)got : 0;
        bytes [*size] = 0;
        if (got != about.st_size) {
            free (bytes);
            bytes = NULL;
        }
    }
    if (fd >= 0)
        close (fd);
    return bytes;
}

static int s_sync (const char *path, int flags)
{
    int fd = open (path, flags | O_CLOEXEC);
    int rc = fd >= 0 ? fsync (fd) : -1;
    if (fd >= 0)
        close (fd);
    return rc;
}

static int s_sync_folder_of (const char *path)
{
    char *folder = s_join (path, "");
    char *slash = strrchr (folder, '/');
    if (slash)
        slash [slash == folder] = 0;
    int rc = s_sync (slash ? folder : ".", O_RDONLY | O_DIRECTORY);
    free (folder);
    return rc;
}

//  A new empty file that only we may read, so that SQLite does not make one with the umask's mode.
static int s_new_file (const char *path)
{
    unlink (path);
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close (fd);
    return fd >= 0 ? 0 : -1;
}

static int s_write_file (const char *path, const void *bytes, size_t size)
{
    unlink (path);
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc = fd >= 0 && write (fd, bytes, size) == (ssize_t)size && fsync (fd) == 0 ? 0 : -1;
    if (fd >= 0)
        close (fd);
    return rc;
}

//  ---- backup

typedef struct {
    sqlite3_stmt *insert;
    bool failed;
} rows_t;

static bool s_copy_row (void *context, uint64_t seq, const audit_row_t *row, const uint8_t hash [32])
{
    rows_t *rows = context;
    store_bind (rows->insert, "iiiissssb", (int64_t)seq, row->at_ms, (int64_t)row->member, (int64_t)row->role, row->station,
        row->officer, row->ask, row->detail, hash, (size_t)32);
    rows->failed = store_run (rows->insert) != 0;
    return !rows->failed;
}

static int s_add_audit (sqlite3 *db, const char *home)
{
    char *path = home_path (home, "audit.db");
    rows_t rows = { .insert = store_prepare (db, "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") };
    if (access (path, F_OK) == 0 && audit_each (path, s_copy_row, &rows) < 0)
        rows.failed = true;
    sqlite3_finalize (rows.insert);
    int rc = rows.failed ? s_fail ("%s cannot be copied", path) : 0;
    free (path);
    return rc;
}

static int s_add_files (sqlite3 *db, const char *home)
{
    sqlite3_stmt *insert = store_prepare (db, "INSERT INTO file VALUES (?1, ?2)");
    int rc = 0;
    for (size_t i = 0; i < FILES && rc == 0; i++) {
        size_t size = 0;
        uint8_t *bytes = s_read_file (home, s_files [i], &size);
        if (bytes) {
            store_bind (insert, "sb", s_files [i], bytes, size);
            rc = store_run (insert) ? s_fail ("%s cannot be copied", s_files [i]) : 0;
        } else if (i == 0)
            rc = s_fail ("%s/%s cannot be read: is this a broker's home?", home, s_files [i]);
        free (bytes);
    }
    sqlite3_finalize (insert);
    return rc;
}

//  Into a copy of the log that is nobody's yet: its journal is a rollback journal, synchronous is FULL.
static int s_add_tables (const char *path, const char *home)
{
    sqlite3 *db = NULL;
    int rc = 0;
    if (sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK
        || store_exec (db,
            "BEGIN IMMEDIATE;"
            "CREATE TABLE file (name TEXT PRIMARY KEY, body BLOB NOT NULL);"
            "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER, member INTEGER, role INTEGER, station TEXT, officer "
            "TEXT,"
            " ask TEXT, detail TEXT, hash BLOB)"))
        rc = s_fail ("%s cannot be written", path);
    if (rc == 0)
        rc = s_add_files (db, home) || s_add_audit (db, home) ? -1 : 0;
    if (rc == 0 && store_exec (db, "COMMIT"))
        rc = s_fail ("%s cannot be written: is the disk full?", path);
    sqlite3_close (db);
    return rc;
}

int backup_make (const char *home, const char *path)
{
    if (access (path, F_OK) == 0)
        return s_fail ("%s exists already; a backup never overwrites: give another name", path);
    char *log = home_path (home, "log.db"), *tmp = s_join (path, ".tmp");
    int rc = 0;
    eventlog_reader_t *reader = NULL;
    if (s_new_file (tmp))
        rc = s_fail ("%s cannot be made: %s", tmp, strerror (errno));
    else if (!(reader = eventlog_reader_open (log)))
        rc = s_fail ("%s cannot be read", log);
    //  The log first: the audit rows that follow are then never fewer than the log says.
    else if (eventlog_backup (reader, tmp))
        rc = s_fail ("the log cannot be copied to %s: is the disk full?", tmp);
    eventlog_reader_close (&reader);
    if (rc == 0)
        rc = s_add_tables (tmp, home);
    if (rc == 0 && (s_sync (tmp, O_RDWR) || rename (tmp, path) || s_sync_folder_of (path)))
        rc = s_fail ("%s cannot be finished: %s", path, strerror (errno));
    if (rc)
        unlink (tmp);
    free (log);
    free (tmp);
    return rc;
}

//  ---- restore: is it the right place?

static int s_check_keys (const char *dir)
{
    static const struct {
        const char *name, *kind;
    } keys [] = { { "core.key", "core" }, { "transport.key", "transport" }, { "issuer.key", "issuer" } };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++) {
        char *path = home_path (dir, keys [i].name);
        int rc = access (path, R_OK);
        free (path);
        if (rc)
            return s_fail (
                "%s/%s is missing; copy core.key, transport.key, issuer.key, district.id and daykeys.db from the old machine"
                " (mode 0600): a backup holds no keys",
                dir, keys [i].name);
    }
    return 0;
}

static uint8_t *s_backed_up (sqlite3 *db, const char *name, size_t *size)
{
    sqlite3_stmt *st = NULL;
    uint8_t *bytes = NULL;
    if (sqlite3_prepare_v2 (db, "SELECT body FROM file WHERE name = ?1", -1, &st, NULL) == SQLITE_OK) {
        store_bind (st, "s", name);
        if (store_step (st) == 1) {
            *size = (size_t)sqlite3_column_bytes (st, 0);
            bytes = malloc (*size + 1);
            if (!bytes)
                abort ();
            if (*size)
                memcpy (bytes, sqlite3_column_blob (st, 0), *size);
            bytes [*size] = 0;
        }
    }
    sqlite3_finalize (st);
    return bytes;
}

static int s_check_district (sqlite3 *backup, const char *dir, const char *path)
{
    size_t size = 0, own_size = 0;
    uint8_t *theirs = s_backed_up (backup, "district.id", &size), *own = s_read_file (dir, "district.id", &own_size);
    int rc = 0;
    if (!theirs)
        rc = s_fail ("%s is no backup of a broker: make one with `patrol-broker backup --home DIR FILE`", path);
    else if (!own)
        rc = s_fail ("%s/district.id is missing; copy core.key, transport.key, issuer.key, district.id and daykeys.db from "
                     "the old machine",
            dir);
    else if (size != own_size || memcmp (theirs, own, size))
        rc = s_fail (
            "the backup is of district %.16s, the keys in %s are of district %.16s; copy the keys of the backup's district"
            " from the old machine",
            (const char *)theirs, dir, (const char *)own);
    free (theirs);
    free (own);
    return rc;
}

//  ---- restore: the new files beside the old ones

static bool s_count (void *context, uint64_t seq, int64_t at_ms, const uint8_t *record, size_t size)
{
    (void)at_ms;
    (void)record;
    (void)size;
    *(uint64_t *)context = seq;
    return true;
}

//  Reads every record once, so that a damaged backup is refused before anything is moved.
static int s_copy_log (const char *path, const char *to)
{
    eventlog_reader_t *reader = eventlog_reader_open (path);
    if (!reader)
        return s_fail ("%s is no backup that can be read", path);
    uint64_t seq = 0;
    int count, rc = 0;
    while ((count = eventlog_read (reader, seq, 500, s_count, &seq)) > 0)
        ;
    if (count < 0)
        rc = s_fail ("%s is damaged after record %llu; use another backup", path, (unsigned long long)seq);
    else if (s_new_file (to) || eventlog_backup (reader, to))
        rc = s_fail ("%s cannot be written: is the disk full?", to);
    eventlog_reader_close (&reader);
    return rc;
}

//  The same backup restored twice, be it on two machines, must not give the same incarnation twice, or devices would keep back what the
//  first one lost: so it is above the one that is here and at least the time.
static uint64_t s_incarnation_above (const char *dir)
{
    char *path = home_path (dir, "log.db");
    uint64_t least = (uint64_t)(time_now_ms () / 1000), here = 0;
    eventlog_reader_t *reader = access (path, F_OK) ? NULL : eventlog_reader_open (path);
    if (reader)
        here = eventlog_reader_incarnation (reader);
    eventlog_reader_close (&reader);
    free (path);
    return here > least ? here : least;
}

static int s_make_log (const char *dir, const char *to)
{
    char sql [160];
    sqlite3 *db = NULL;
    snprintf (sql, sizeof sql,
        "BEGIN; DROP TABLE file; DROP TABLE audit; UPDATE meta SET incarnation = max (incarnation, %llu); COMMIT",
        (unsigned long long)s_incarnation_above (dir));
    int rc = sqlite3_open_v2 (to, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK ? store_exec (db, sql) : -1;
    sqlite3_close (db);
    if (rc || eventlog_begin_incarnation (to) || s_sync (to, O_RDWR))
        return s_fail ("%s cannot be written: is the disk full?", to);
    return 0;
}

static int s_make_audit (sqlite3 *backup, const char *to)
{
    sqlite3_stmt *st = NULL;
    unlink (to);
    audit_t *audit = audit_open (to);
    int rc = audit
            && sqlite3_prepare_v2 (backup,
                   "SELECT seq, at, member, role, station, officer, ask, detail, hash FROM audit ORDER BY seq", -1, &st,
                   NULL)
                == SQLITE_OK
        ? 0
        : -1;
    int found = 0;
    while (rc == 0 && (found = store_step (st)) == 1) {
        const char *texts [4];
        for (int i = 0; i < 4; i++) {
            texts [i] = (const char *)sqlite3_column_text (st, 4 + i);
            texts [i] = texts [i] ? texts [i] : "";
        }
        audit_row_t row = { .at_ms = store_int (st, 1),
            .member = (uint64_t)store_int (st, 2),
            .role = (uint32_t)store_int (st, 3),
            .station = texts [0],
            .officer = texts [1],
            .ask = texts [2],
            .detail = texts [3] };
        rc = sqlite3_column_bytes (st, 8) == 32
            ? audit_put (audit, (uint64_t)store_int (st, 0), &row, sqlite3_column_blob (st, 8))
            : -1;
    }
    sqlite3_finalize (st);
    audit_close (&audit);
    return rc || found < 0 ? s_fail ("the audit trail of the backup cannot be restored to %s", to) : 0;
}

//  ---- restore: the change-over

//  Empties the WAL of a database that nobody has open, so that the main file is all of it.
static void s_settle (const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_exec (db, "PRAGMA wal_checkpoint (TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close (db);
}

//  Moves DIR/name with its WAL aside. With `keep` the main file stays where it is as well, to be replaced in one rename.
static int s_aside (const char *dir, const char *name, const char *suffix, bool keep)
{
    char *path = home_path (dir, name), *aside = s_join (path, suffix);
    int rc = 0;
    if (access (path, F_OK) == 0) {
        size_t size = strlen (name);
        if (size > 3 && strcmp (name + size - 3, ".db") == 0)
            s_settle (path);
        static const char *const parts [] = { "-wal", "-shm" };
        for (size_t i = 0; i < 2; i++) {
            char *from = s_join (path, parts [i]), *to = s_join (aside, parts [i]);
            if (rename (from, to) && errno != ENOENT)
                rc = -1;
            free (from);
            free (to);
        }
        if (rc == 0)
            rc = keep ? link (path, aside) : rename (path, aside);
    }
    free (path);
    free (aside);
    return rc;
}

//  Puts a small file of the backup in its place; `replace` false: only if there is none.
static int s_install_file (sqlite3 *backup, const char *dir, const char *name, const char *suffix, bool replace)
{
    size_t size = 0;
    uint8_t *bytes = s_backed_up (backup, name, &size);
    char *path = home_path (dir, name), *fresh = s_join (path, ".restore");
    int rc = 0;
    if (bytes && (replace || access (path, F_OK)))
        rc = s_write_file (fresh, bytes, size) || s_aside (dir, name, suffix, true) || rename (fresh, path) ? -1 : 0;
    free (bytes);
    free (path);
    free (fresh);
    return rc;
}

static int s_change_over (sqlite3 *backup, const char *dir, const char *log, const char *audit)
{
    char suffix [64];
    char *log_path = home_path (dir, "log.db"), *audit_path = home_path (dir, "audit.db");
    snprintf (suffix, sizeof suffix, ".before-restore-%lld", (long long)time_now_ms ());
    //  The state goes first: without one, whichever log is found is the truth.
    int rc = s_aside (dir, "state.db", suffix, false) || s_aside (dir, "audit.db", suffix, true)
            || rename (audit, audit_path) || s_install_file (backup, dir, "settings.json", suffix, true)
            || s_install_file (backup, dir, "issuer.cert", suffix, false)
            || s_install_file (backup, dir, "authority.pub", suffix, false) || s_sync (dir, O_RDONLY | O_DIRECTORY)
            || s_aside (dir, "log.db", suffix, true) || rename (log, log_path) || s_sync (dir, O_RDONLY | O_DIRECTORY)
        ? -1
        : 0;
    if (rc)
        s_fail ("the restored files cannot be put into place in %s: %s; give the command again", dir, strerror (errno));
    free (log_path);
    free (audit_path);
    return rc;
}

static int s_restore (sqlite3 *backup, const char *dir, const char *path)
{
    char *log = home_path (dir, "log.db.restore"), *audit = home_path (dir, "audit.db.restore"),
         *daykeys = home_path (dir, "daykeys.db");
    int rc = s_check_district (backup, dir, path) || s_check_keys (dir) || s_copy_log (path, log) || s_make_log (dir, log)
            || s_make_audit (backup, audit) || s_change_over (backup, dir, log, audit)
        ? -1
        : 0;
    if (rc) {
        unlink (log);
        unlink (audit);
    } else if (access (daykeys, F_OK))
        s_fail (
            "%s is missing: what people wrote cannot be read; copy it from the old machine before the broker runs", daykeys);
    free (log);
    free (audit);
    free (daykeys);
    return rc;
}

int backup_restore (const char *dir, const char *path)
{
    sqlite3 *backup = NULL;
    if (home_check (dir, false))
        return s_fail ("%s is not a folder that can be used; copy the keys of the old machine into one (mode 0700)", dir);
    int lock = home_lock (dir);
    if (lock < 0)
        return s_fail ("a broker runs in %s; stop it first", dir);
    int rc
        = sqlite3_open_v2 (path, &backup, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? 0 : s_fail ("%s cannot be read", path);
    if (rc == 0)
        rc = s_restore (backup, dir, path);
    sqlite3_close (backup);
    close (lock);
    return rc;
}
