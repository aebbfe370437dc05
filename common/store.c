//  store - SQLite as we use it: pragmas checked, migrations, statements
//
//  Everything here is set on the connection and read back: a pragma that SQLite does not take is silence,
//  not an error.

#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define JOURNAL_LIMIT (64 * 1024 * 1024)
#define BUSY_MS 2000

//  Not in every linux/magic.h.
#define MAGIC_CIFS 0xFF534D42u
#define MAGIC_SMB2 0xFE534D42u
#define MAGIC_CEPH 0x00C36400u

//  ---- where the file lies

//  WAL needs shared memory between processes, which network filesystems do not give.

static int s_check_filesystem (const char *path)
{
    struct statfs about;
    if (statfs (path, &about)) {
        fprintf (stderr, "%s: cannot be opened: %s\n", path, strerror (errno));
        return -1;
    }
    const char *name = NULL;
    switch ((uint32_t)about.f_type) {
    case NFS_SUPER_MAGIC:
        name = "NFS";
        break;
    case SMB_SUPER_MAGIC:
    case MAGIC_CIFS:
    case MAGIC_SMB2:
        name = "SMB";
        break;
    case V9FS_MAGIC:
        name = "9P";
        break;
    case AFS_SUPER_MAGIC:
        name = "AFS";
        break;
    case MAGIC_CEPH:
        name = "Ceph";
        break;
    default:
        break;
    }
    if (name)
        fprintf (stderr,
            "%s: refused: it lies on a network filesystem (%s), where a power cut or a second machine can "
            "corrupt it; put the home on a local disk\n",
            path, name);
    return name ? -1 : 0;
}

//  SQLite would create the file with the umask's mode; -wal and -shm take the mode of the main file.

static int s_make_file (const char *path, store_mode_t mode)
{
    struct stat about;
    int result = stat (path, &about);
    if (result && errno == ENOENT && mode != STORE_READ) {
        int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
        result = fd < 0 ? -1 : fstat (fd, &about);
        if (fd >= 0)
            close (fd);
    }
    if (result) {
        fprintf (stderr, "%s: cannot be opened: %s\n", path, strerror (errno));
        return -1;
    }
    if (!S_ISREG (about.st_mode)) {
        fprintf (stderr, "%s: refused: not a regular file\n", path);
        return -1;
    }
    return s_check_filesystem (path);
}

//  ---- settings of the connection

static int s_said (sqlite3 *db, const char *path, const char *what)
{
    fprintf (stderr, "%s: %s: %s (SQLite code %d)\n", path, what, sqlite3_errmsg (db), sqlite3_extended_errcode (db));
    return -1;
}

//  Runs "PRAGMA name=value", then reads it back and compares.

static int s_pragma (sqlite3 *db, const char *path, const char *name, const char *value, const char *wanted)
{
    char sql [128];
    snprintf (sql, sizeof sql, "PRAGMA %s=%s", name, value);
    if (sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return s_said (db, path, sql);

    snprintf (sql, sizeof sql, "PRAGMA %s", name);
    sqlite3_stmt *statement = NULL;
    int result = -1;
    if (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step (statement) != SQLITE_ROW)
        s_said (db, path, sql);
    else {
        const char *found = (const char *)sqlite3_column_text (statement, 0);
        if (found && strcmp (found, wanted) == 0)
            result = 0;
        else
            fprintf (stderr, "%s: refused: SQLite set %s to %s, not %s\n", path, name, found ? found : "nothing", wanted);
    }
    sqlite3_finalize (statement);
    return result;
}

static int s_config (sqlite3 *db, const char *path, int option, const char *name, int wanted)
{
    int found = -1;
    if (sqlite3_db_config (db, option, wanted, &found) == SQLITE_OK && found == wanted)
        return 0;
    fprintf (stderr, "%s: refused: SQLite did not take %s=%d\n", path, name, wanted);
    return -1;
}

//  No SQL comes from outside, but a file may: its schema is not trusted.

static int s_defend (sqlite3 *db, const char *path)
{
    sqlite3_extended_result_codes (db, 1);
    sqlite3_busy_timeout (db, BUSY_MS);
    sqlite3_limit (db, SQLITE_LIMIT_ATTACHED, 1); //  VACUUM INTO takes one
    sqlite3_limit (db, SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024);
    if (s_config (db, path, SQLITE_DBCONFIG_DEFENSIVE, "DEFENSIVE", 1)
        || s_config (db, path, SQLITE_DBCONFIG_TRUSTED_SCHEMA, "TRUSTED_SCHEMA", 0)
        || s_config (db, path, SQLITE_DBCONFIG_DQS_DML, "DQS_DML", 0)
        || s_config (db, path, SQLITE_DBCONFIG_DQS_DDL, "DQS_DDL", 0)
        || s_config (db, path, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, "ENABLE_LOAD_EXTENSION", 0))
        return -1;
    return s_pragma (db, path, "mmap_size", "0", "0");
}

static int s_set_up (sqlite3 *db, const char *path, store_mode_t mode)
{
    char limit [24];
    snprintf (limit, sizeof limit, "%d", JOURNAL_LIMIT);
    if (s_defend (db, path))
        return -1;
    if (mode == STORE_READ) {
        //  the writer alone checkpoints (the WAL-reset fault of 3.7.0 to 3.51.2), also at close
        if (s_config (db, path, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, "NO_CKPT_ON_CLOSE", 1)
            || s_pragma (db, path, "wal_autocheckpoint", "0", "0") || s_pragma (db, path, "query_only", "1", "1"))
            return -1;
        return 0;
    }
    if (s_pragma (db, path, "journal_mode", "WAL", "wal")
        || s_pragma (db, path, "synchronous", mode == STORE_FULL ? "FULL" : "NORMAL", mode == STORE_FULL ? "2" : "1")
        || s_pragma (db, path, "journal_size_limit", limit, limit) || s_pragma (db, path, "foreign_keys", "1", "1"))
        return -1;
    return 0;
}

//  ---- migrations

static int64_t s_version (sqlite3 *db, const char *path)
{
    sqlite3_stmt *statement = NULL;
    int64_t version = -1;
    if (sqlite3_prepare_v2 (db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK
        && sqlite3_step (statement) == SQLITE_ROW)
        version = sqlite3_column_int64 (statement, 0);
    else
        s_said (db, path, "cannot be used");
    sqlite3_finalize (statement);
    return version;
}

static int s_step_up (sqlite3 *db, const char *path, const char *sql, int64_t version)
{
    char done [64], what [64];
    snprintf (done, sizeof done, "PRAGMA user_version=%" PRId64 "; COMMIT", version);
    snprintf (what, sizeof what, "schema step %" PRId64 " failed", version);
    if (sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK
        && sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_exec (db, done, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    s_said (db, path, what);
    if (!sqlite3_get_autocommit (db))
        sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

static int s_migrate (sqlite3 *db, const char *path, store_mode_t mode, const char *const *steps)
{
    int64_t known = 0;
    while (steps && steps [known])
        known++;
    int64_t version = s_version (db, path);
    if (version < 0)
        return -1;
    if (version > known) {
        fprintf (stderr,
            "%s: refused: its schema is version %" PRId64 ", this program knows up to %" PRId64 "; use the newer program\n",
            path, version, known);
        return -1;
    }
    if (mode == STORE_READ) {
        if (version < known)
            fprintf (stderr,
                "%s: refused: its schema is version %" PRId64 ", %" PRId64 " is needed to read it; start the "
                "program that writes it first\n",
                path, version, known);
        return version < known ? -1 : 0;
    }
    for (; version < known; version++)
        if (s_step_up (db, path, steps [version], version + 1))
            return -1;
    return 0;
}

//  ---- open and close

//  SQLite counts its memory under a mutex that all connections of the process share; nobody here asks for the count.
static void s_configure (void)
{
    if (sqlite3_config (SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        fprintf (stderr, "<4>store: SQLite was used before: it goes on counting its memory\n");
}

sqlite3 *store_open (const char *path, store_mode_t mode, const char *const *steps)
{
    assert (path);
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once (&configured, s_configure);
    if (s_make_file (path, mode))
        return NULL;
    sqlite3 *db = NULL;
    //  a reader of a WAL file needs a connection that may write to -shm; query_only keeps it off the data
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2 (path, &db, flags, NULL) != SQLITE_OK) {
        s_said (db, path, "cannot be opened");
        store_close (&db);
        return NULL;
    }
    if (s_set_up (db, path, mode) || s_migrate (db, path, mode, steps))
        store_close (&db);
    return db;
}

void store_close (sqlite3 **db_p)
{
    assert (db_p);
    if (!*db_p)
        return;
    //  close_v2 would keep the file open behind a statement somebody forgot: say so instead
    if (sqlite3_close (*db_p) != SQLITE_OK) {
        const char *path = sqlite3_db_filename (*db_p, "main");
        sqlite3_stmt *left = sqlite3_next_stmt (*db_p, NULL);
        fprintf (stderr, "%s: closed with a statement left: %s\n", path ? path : "?", left ? sqlite3_sql (left) : "?");
        sqlite3_close_v2 (*db_p);
    }
    *db_p = NULL;
}

//  ---- statements

static int s_failed (sqlite3 *db, const char *sql)
{
    const char *path = sqlite3_db_filename (db, "main");
    int code = sqlite3_extended_errcode (db);
    fprintf (stderr, "%s: failed: %s: %s (SQLite code %d, %s)\n", path && *path ? path : "(memory)", sql ? sql : "?",
        sqlite3_errmsg (db), code, sqlite3_errstr (code));
    return -1;
}

sqlite3_stmt *store_prepare (sqlite3 *db, const char *sql)
{
    assert (db && sql);
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3 (db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK || !statement) {
        s_failed (db, sql);
        abort ();
    }
    return statement;
}

int store_exec (sqlite3 *db, const char *sql)
{
    assert (db && sql);
    return sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : s_failed (db, sql);
}

int store_run (sqlite3_stmt *statement)
{
    int result = store_step (statement);
    if (result == 1) {
        //  a statement with rows here is one of ours, misused; its first row is dropped
        sqlite3_reset (statement);
        result = 0;
    }
    return result;
}

int store_step (sqlite3_stmt *statement)
{
    assert (statement);
    int code = sqlite3_step (statement);
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        s_failed (sqlite3_db_handle (statement), sqlite3_sql (statement));
    sqlite3_reset (statement);
    return code == SQLITE_DONE ? 0 : -1;
}

void store_bind (sqlite3_stmt *statement, const char *types, ...)
{
    assert (statement && types);
    assert ((int)strlen (types) == sqlite3_bind_parameter_count (statement));
    //  a statement left in the middle of its rows cannot be bound
    sqlite3_reset (statement);
    va_list args;
    va_start (args, types);
    for (int position = 1; types [position - 1]; position++) {
        int code = SQLITE_MISUSE;
        const void *bytes;
        switch (types [position - 1]) {
        case 'i':
            code = sqlite3_bind_int64 (statement, position, va_arg (args, int64_t));
            break;
        case 's':
            //  NULL binds null
            code = sqlite3_bind_text (statement, position, va_arg (args, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'b':
            bytes = va_arg (args, const void *);
            //  a NULL pointer would bind null even with size 0: an empty blob is meant
            code = sqlite3_bind_blob64 (statement, position, bytes ? bytes : "", va_arg (args, size_t), SQLITE_STATIC);
            break;
        case 't':
            bytes = va_arg (args, const void *);
            code = sqlite3_bind_text64 (
                statement, position, bytes ? bytes : "", va_arg (args, size_t), SQLITE_TRANSIENT, SQLITE_UTF8);
            break;
        case 'n':
            code = sqlite3_bind_null (statement, position);
            break;
        default:
            assert (false);
        }
        if (code != SQLITE_OK) {
            s_failed (sqlite3_db_handle (statement), sqlite3_sql (statement));
            abort ();
        }
    }
    va_end (args);
}

int64_t store_int (sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64 (statement, column);
}

void store_text (sqlite3_stmt *statement, int column, char *out, size_t room)
{
    assert (out && room > 0);
    const unsigned char *found = sqlite3_column_text (statement, column);
    size_t size = found ? (size_t)sqlite3_column_bytes (statement, column) : 0;
    if (size > room - 1) {
        size = room - 1;
        //  not in the middle of a character
        while (size > 0 && (found [size] & 0xC0) == 0x80)
            size--;
    }
    if (size)
        memcpy (out, found, size);
    out [size] = 0;
}
