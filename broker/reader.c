//  reader - a thread, its queue of queries, its queue of answers

#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arena.h"
#include "home.h"
#include "query.h"
#include "timefmt.h"

#define JOBS_MAX 64
#define ANSWERS_MAX 512 //  waiting for the core, of at most 14,500 bytes each; then the thread waits too

typedef struct {
    asker_t asker;
    uint8_t *query; //  NULL: a watch
    size_t size;
    uint64_t after; //  a watch: from where
} job_t;

struct reader_t {
    query_t *query; //  the thread's
    audit_t *audit; //  the thread's; its head is copied below
    arena_t *arena;
    int fd;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; //  guards what follows
    pthread_cond_t wake;   //  a job, room for answers, or the end
    job_t jobs [JOBS_MAX];
    int job_first, job_count;
    reader_answer_t answers [ANSWERS_MAX];
    int answer_first, answer_count;
    uint64_t audit_rows;
    uint8_t audit_hash [32];
    bool quit;
};

//  ---- the thread

//  One row, on disk when it returns 0.
static int s_audit (
    reader_t *self, const asker_t *asker, const char *ask, const char *officer, const char *detail, int64_t now_ms)
{
    audit_row_t row = { .at_ms = now_ms,
        .member = asker->member,
        .role = (uint32_t)asker->role,
        .station = asker->station,
        .officer = officer,
        .ask = ask,
        .detail = detail };
    if (audit_append (self->audit, &row))
        return -1;
    pthread_mutex_lock (&self->mutex);
    audit_head (self->audit, &self->audit_rows, self->audit_hash);
    pthread_mutex_unlock (&self->mutex);
    return 0;
}

static int s_audit_page (reader_t *self, const asker_t *asker, const page_t *page, int64_t now_ms)
{
    char detail [640];
    const ProtobufCEnumValue *code = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)page->code);
    if (page->code == PATROL__CODE__OK)
        snprintf (detail, sizeof detail, "%s", page->detail);
    else
        snprintf (
            detail, sizeof detail, "refused %s%s%s", code ? code->name : "", page->detail [0] ? ": " : "", page->detail);
    return s_audit (self, asker, page->ask, page->officer, detail, now_ms);
}

//  Hands one answer over. The core takes answers fast; a longer wait means that it is ending: false.
static bool s_publish_one (reader_t *self, const reader_answer_t *answer)
{
    pthread_mutex_lock (&self->mutex);
    while (self->answer_count == ANSWERS_MAX && !self->quit)
        pthread_cond_wait (&self->wake, &self->mutex);
    bool taken = !self->quit;
    if (taken) {
        self->answers [(self->answer_first + self->answer_count++) % ANSWERS_MAX] = *answer;
        eventfd_write (self->fd, 1);
    }
    pthread_mutex_unlock (&self->mutex);
    return taken;
}

static void s_publish (reader_t *self, const asker_t *asker, page_t *page)
{
    for (int i = 0; i < page->answers.count; i++) {
        bool last = i == page->answers.count - 1;
        reader_answer_t answer = { .session = asker->session,
            .cursor = last ? page->cursor : 0,
            .last = last,
            .answer = page->answers.bytes [i],
            .size = page->answers.sizes [i] };
        if (!s_publish_one (self, &answer))
            break;
        page->answers.bytes [i] = NULL;
    }
}

static void s_watch (reader_t *self, const job_t *job)
{
    char detail [64];
    snprintf (detail, sizeof detail, "live, after log position %llu", (unsigned long long)job->after);
    bool recorded = s_audit (self, &job->asker, "watch", "", detail, time_now_ms ()) == 0;
    s_publish_one (self, &(reader_answer_t){ .session = job->asker.session, .watch = true, .last = recorded });
}

static void s_work (reader_t *self, const job_t *job)
{
    arena_reset (self->arena);
    Patrol__Query *query = patrol__query__unpack (arena_allocator (self->arena), job->size, job->query);
    if (!query)
        return;
    int64_t now_ms = time_now_ms ();
    page_t page;
    query_page (self->query, &job->asker, query, now_ms, &page);
    //  Every read is on record before its first line goes out; so is every one that was refused.
    if ((job->asker.fresh || page.code != PATROL__CODE__OK) && s_audit_page (self, &job->asker, &page, now_ms))
        query_refuse (&page, PATROL__CODE__SLOW_DOWN, "the audit trail cannot be written; nothing is shown until it can");
    s_publish (self, &job->asker, &page);
    answers_clear (&page.answers);
}

static void *s_thread (void *arg)
{
    reader_t *self = arg;
    pthread_mutex_lock (&self->mutex);
    while (!self->quit) {
        if (!self->job_count) {
            pthread_cond_wait (&self->wake, &self->mutex);
            continue;
        }
        job_t job = self->jobs [self->job_first];
        self->job_first = (self->job_first + 1) % JOBS_MAX;
        self->job_count--;
        pthread_mutex_unlock (&self->mutex);
        if (job.query)
            s_work (self, &job);
        else
            s_watch (self, &job);
        free (job.query);
        pthread_mutex_lock (&self->mutex);
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

//  ---- opening and closing

reader_t *reader_open (const char *home, const box_keys_t *core_keys)
{
    reader_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->wake, NULL);
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0)
        fprintf (stderr, "<3>reader: no event descriptor: %s\n", strerror (errno));
    char *path = home_path (home, "audit.db");
    self->query = self->fd < 0 ? NULL : query_open (home, core_keys);
    self->audit = self->query ? audit_open (path) : NULL;
    free (path);
    if (self->audit) {
        audit_head (self->audit, &self->audit_rows, self->audit_hash);
        int rc = pthread_create (&self->thread, NULL, s_thread, self);
        self->started = rc == 0;
        if (rc)
            fprintf (stderr, "<3>reader: no thread: %s\n", strerror (rc));
    }
    if (!self->started)
        reader_close (&self);
    return self;
}

void reader_close (reader_t **self_p)
{
    reader_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    pthread_mutex_lock (&self->mutex);
    self->quit = true;
    pthread_cond_broadcast (&self->wake);
    pthread_mutex_unlock (&self->mutex);
    if (self->started)
        pthread_join (self->thread, NULL);
    for (int i = 0; i < self->job_count; i++)
        free (self->jobs [(self->job_first + i) % JOBS_MAX].query);
    for (int i = 0; i < self->answer_count; i++)
        free (self->answers [(self->answer_first + i) % ANSWERS_MAX].answer);
    audit_close (&self->audit);
    query_close (&self->query);
    arena_destroy (&self->arena);
    if (self->fd >= 0)
        close (self->fd);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->mutex);
    free (self);
}

//  ---- the core's side

static int s_queue (reader_t *self, const job_t *job)
{
    pthread_mutex_lock (&self->mutex);
    bool room = self->job_count < JOBS_MAX;
    if (room) {
        self->jobs [(self->job_first + self->job_count++) % JOBS_MAX] = *job;
        pthread_cond_broadcast (&self->wake);
    }
    pthread_mutex_unlock (&self->mutex);
    return room ? 0 : -1;
}

int reader_ask (reader_t *self, const asker_t *asker, const uint8_t *query, size_t size)
{
    uint8_t *copy = malloc (size + 1);
    if (!copy)
        abort ();
    if (size)
        memcpy (copy, query, size);
    if (s_queue (self, &(job_t){ .asker = *asker, .query = copy, .size = size }) == 0)
        return 0;
    free (copy);
    return -1;
}

int reader_watch (reader_t *self, const asker_t *asker, uint64_t after)
{
    return s_queue (self, &(job_t){ .asker = *asker, .after = after });
}

int reader_fd (const reader_t *self)
{
    return self->fd;
}

bool reader_next (reader_t *self, reader_answer_t *answer)
{
    pthread_mutex_lock (&self->mutex);
    bool found = self->answer_count > 0;
    if (found) {
        *answer = self->answers [self->answer_first];
        self->answer_first = (self->answer_first + 1) % ANSWERS_MAX;
        self->answer_count--;
        pthread_cond_broadcast (&self->wake);
    } else {
        eventfd_t waiting;
        eventfd_read (self->fd, &waiting);
    }
    pthread_mutex_unlock (&self->mutex);
    return found;
}

void reader_audit_head (reader_t *self, uint64_t *rows, uint8_t hash [32])
{
    pthread_mutex_lock (&self->mutex);
    *rows = self->audit_rows;
    memcpy (hash, self->audit_hash, 32);
    pthread_mutex_unlock (&self->mutex);
}
