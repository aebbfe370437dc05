//  limits - what this machine can do with each part alone, for the same rows and messages
//
//    limits append FILE ROWS SECONDS      400-byte rows appended, fdatasync after every ROWS
//    limits sqlite FILE ROWS SECONDS      the same rows into SQLite (WAL, synchronous=FULL), a commit every ROWS
//    limits curve NODES MESSAGES          300-byte messages from DEALERs to one ROUTER, CURVE, nothing else

#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>
#include <zmq.h>

#define ROW 400
#define COMMITS_MAX 2000000

static int s_append (const char *path, int rows, double seconds)
{
    static int64_t sync_ns [COMMITS_MAX];
    size_t size = (size_t)rows * ROW, commits = 0;
    uint8_t *bytes = malloc (size);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t seed = 1;
    BENCH_CHECK (bytes && fd >= 0);
    for (size_t at = 0; at < size; at++) {
        bytes [at] = (uint8_t)bench_random (&seed);
    }
    int64_t start_ns = bench_now_ns (), now_ns = start_ns;
    while ((double)(now_ns - start_ns) < seconds * 1e9 && commits < COMMITS_MAX) {
        BENCH_CHECK (write (fd, bytes, size) == (ssize_t)size);
        int64_t before = bench_now_ns ();
        BENCH_CHECK (fdatasync (fd) == 0);
        now_ns = bench_now_ns ();
        sync_ns [commits++] = now_ns - before;
    }
    close (fd);
    unlink (path);
    free (bytes);
    bench_figure ("rows", (double)commits * rows / ((double)(now_ns - start_ns) / 1e9), "/s");
    bench_latency ("sync", sync_ns, commits);
    return 0;
}

static void s_sql (sqlite3 *db, const char *sql)
{
    BENCH_CHECK (sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static int s_sqlite (const char *path, int rows, double seconds)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    uint8_t row [ROW] = { 0 };
    int64_t seq = 0;
    unlink (path);
    BENCH_CHECK (sqlite3_open (path, &db) == SQLITE_OK);
    s_sql (db,
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
        "CREATE TABLE log (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, record BLOB NOT NULL)");
    BENCH_CHECK (sqlite3_prepare_v2 (db, "INSERT INTO log VALUES (?, ?, ?)", -1, &insert, NULL) == SQLITE_OK);
    int64_t start_ns = bench_now_ns (), now_ns = start_ns;
    while ((double)(now_ns - start_ns) < seconds * 1e9) {
        s_sql (db, "BEGIN");
        for (int index = 0; index < rows; index++) {
            sqlite3_bind_int64 (insert, 1, ++seq);
            sqlite3_bind_int64 (insert, 2, now_ns / 1000000);
            memcpy (row, &seq, sizeof seq);
            sqlite3_bind_blob (insert, 3, row, sizeof row, SQLITE_STATIC);
            BENCH_CHECK (sqlite3_step (insert) == SQLITE_DONE);
            sqlite3_reset (insert);
        }
        s_sql (db, "COMMIT");
        now_ns = bench_now_ns ();
    }
    sqlite3_finalize (insert);
    sqlite3_close (db);
    unlink (path);
    bench_figure ("rows", (double)seq / ((double)(now_ns - start_ns) / 1e9), "/s");
    return 0;
}

//  ---- CURVE alone

typedef struct {
    void *zmq;
    int nodes, messages;
    char endpoint [64], server_key [41], public_key [41], secret_key [41];
} curve_t;

static void *s_senders (void *argument)
{
    curve_t *self = argument;
    void **sockets = calloc ((size_t)self->nodes, sizeof *sockets);
    uint8_t message [BENCH_PAYLOAD] = { 0 };
    BENCH_CHECK (sockets);
    for (int index = 0; index < self->nodes; index++) {
        sockets [index] = zmq_socket (self->zmq, ZMQ_DEALER);
        BENCH_CHECK (zmq_setsockopt (sockets [index], ZMQ_CURVE_SERVERKEY, self->server_key, 41) == 0);
        BENCH_CHECK (zmq_setsockopt (sockets [index], ZMQ_CURVE_PUBLICKEY, self->public_key, 41) == 0);
        BENCH_CHECK (zmq_setsockopt (sockets [index], ZMQ_CURVE_SECRETKEY, self->secret_key, 41) == 0);
        BENCH_CHECK (zmq_connect (sockets [index], self->endpoint) == 0);
    }
    //  blocks at the high water mark, which is how the receiver sets the pace
    for (int sent = 0; sent < self->messages; sent++) {
        BENCH_CHECK (zmq_send (sockets [sent % self->nodes], message, sizeof message, 0) == (int)sizeof message);
    }
    for (int index = 0; index < self->nodes; index++) {
        zmq_close (sockets [index]);
    }
    free (sockets);
    return NULL;
}

static int s_curve (int nodes, int messages)
{
    curve_t self = { .zmq = zmq_ctx_new (), .nodes = nodes, .messages = messages };
    char server_secret [41];
    int one = 1;
    size_t size = sizeof self.endpoint;
    void *router = zmq_socket (self.zmq, ZMQ_ROUTER);
    pthread_t thread;
    BENCH_CHECK (zmq_curve_keypair (self.server_key, server_secret) == 0);
    BENCH_CHECK (zmq_curve_keypair (self.public_key, self.secret_key) == 0);
    BENCH_CHECK (zmq_setsockopt (router, ZMQ_CURVE_SERVER, &one, sizeof one) == 0);
    BENCH_CHECK (zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, server_secret, sizeof server_secret) == 0);
    BENCH_CHECK (zmq_bind (router, "tcp://127.0.0.1:*") == 0);
    BENCH_CHECK (zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, self.endpoint, &size) == 0);
    BENCH_CHECK (pthread_create (&thread, NULL, s_senders, &self) == 0);
    int64_t start_ns = 0;
    uint8_t message [BENCH_PAYLOAD], id [16];
    for (int got = 0; got < messages; got++) {
        BENCH_CHECK (
            zmq_recv (router, id, sizeof id, 0) > 0 && zmq_recv (router, message, sizeof message, 0) == (int)sizeof message);
        start_ns = got == 0 ? bench_now_ns () : start_ns;
    }
    int64_t end_ns = bench_now_ns ();
    pthread_join (thread, NULL);
    zmq_close (router);
    zmq_ctx_term (self.zmq);
    bench_figure ("messages", (double)(messages - 1) / ((double)(end_ns - start_ns) / 1e9), "/s");
    return 0;
}

int main (int argc, char **argv)
{
    if (argc == 5 && !strcmp (argv [1], "append")) {
        return s_append (argv [2], atoi (argv [3]), atof (argv [4]));
    }
    if (argc == 5 && !strcmp (argv [1], "sqlite")) {
        return s_sqlite (argv [2], atoi (argv [3]), atof (argv [4]));
    }
    if (argc == 4 && !strcmp (argv [1], "curve")) {
        return s_curve (atoi (argv [2]), atoi (argv [3]));
    }
    fprintf (stderr, "usage: limits append|sqlite FILE ROWS SECONDS | limits curve NODES MESSAGES\n");
    return 2;
}
