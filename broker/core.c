//  core - the loop: what arrived, which function is its whole story
//
//  Read next: coresession.c (what a peer may say), engine.c (what becomes of a tip), corefeed.c (what goes out).

#include "core_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli.h"
#include "home.h"
#include "supervisor.h"
#include "timefmt.h"

//  Records on their way at which a lane is no longer read: the urgent lane finds room when the bulk lane finds none, and
//  one message (at most 27 envelopes) always fits what is left.
static const uint32_t s_batch_limit [LANE_COUNT] = { EVENTLOG_BATCH_MAX - 96, EVENTLOG_BATCH_MAX - 1000 };

#define DEFERRED_MAX 4096u

//  ---- records on their way to the log

static effect_t *s_effect (core_t *self, uint32_t index)
{
    return &self->effects [(self->effect_first + index) & (self->effect_room - 1)];
}

static effect_t *s_push_effect (core_t *self)
{
    if (self->effect_count == self->effect_room) {
        uint32_t room = self->effect_room ? self->effect_room * 2 : 8192;
        effect_t *bigger = calloc (room, sizeof *bigger);
        if (!bigger)
            abort ();
        for (uint32_t i = 0; i < self->effect_count; i++)
            bigger [i] = *s_effect (self, i);
        free (self->effects);
        self->effects = bigger;
        self->effect_room = room;
        self->effect_first = 0;
    }
    return s_effect (self, self->effect_count++);
}

//  What was decided while the state's tables are behind is thrown away: the core ends and is started again from the log.
static bool s_state_failed (core_t *self, take_t *take)
{
    if (!state_failed (engine_state (self->engine)))
        return false;
    self->failed = true;
    free (take->record);
    free (take->texts);
    take->record = take->texts = NULL;
    return true;
}

void core_append (core_t *self, take_t *take, effect_t *effect)
{
    if (s_state_failed (self, take))
        return;
    uint64_t ticket = eventlog_append (self->log, take->record, take->record_size, take->at_ms);
    if (!ticket) {
        //  A batch this full never happens while the loop asks core_batch_is_full; losing the record here would be a lie.
        fprintf (stderr, "<3>core: the batch is full\n");
        abort ();
    }
    effect->ticket = ticket;
    effect->take = *take;
    *s_push_effect (self) = *effect;
    engine_appended (self->engine, take, ticket);
}

bool core_batch_is_full (const core_t *self, lane_t lane)
{
    return self->effect_count >= s_batch_limit [lane];
}

static void s_defer (core_t *self, uint32_t session, const uint8_t *envelope, size_t size)
{
    if (self->deferred_count == DEFERRED_MAX)
        return; //  the sender offers it again
    if (self->deferred_count == self->deferred_room) {
        self->deferred_room = self->deferred_room ? self->deferred_room * 2 : 64;
        self->deferred = realloc (self->deferred, self->deferred_room * sizeof *self->deferred);
        if (!self->deferred)
            abort ();
    }
    uint8_t *copy = malloc (size);
    if (!copy)
        abort ();
    memcpy (copy, envelope, size);
    self->deferred [self->deferred_count].bytes = copy;
    self->deferred [self->deferred_count].size = size;
    self->deferred [self->deferred_count++].session = session;
}

void core_refused (core_t *self, Patrol__Code code, const char *detail, const core_session_t *session)
{
    uint64_t count = ++self->refused [(unsigned)code < CODE_COUNT ? code : 0];
    //  One line for the first and then for each power of two: a flood cannot fill the journal. No key, no address.
    if ((count & (count - 1)) == 0)
        fprintf (stderr, "<4>refused: %s: %s (%llu so far%s)\n",
            protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)code)
                ? protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)code)->name
                : "?",
            detail, (unsigned long long)count, session && !session->member ? ", not a member" : "");
}

void core_decide (core_t *self, take_t *take, core_session_t *session, const uint8_t *envelope, size_t size)
{
    effect_t effect = { 0 };
    take_t more;
    if (s_state_failed (self, take))
        return;
    switch (take->verdict) {
    case TAKE_RECORD:
        core_append (self, take, &effect);
        while (engine_more (self->engine, time_now_ms (), &more))
            core_append (self, &more, &(effect_t){ 0 });
        break;
    case TAKE_AGAIN:
        self->duplicates++;
        feed_receipt (self, take);
        mesh_taken (self, take);
        break;
    case TAKE_WAIT:
        self->duplicates++;
        break;
    case TAKE_DEFER:
        s_defer (self, session ? session->id : 0, envelope, size);
        break;
    case TAKE_REFUSED:
        core_refused (self, take->code, take->detail, session);
        if (take->relayed)
            mesh_refused (self, take);
        else if (session)
            session_refusal (self, session, take->code, take->detail, 0);
        break;
    }
}

static void s_retry_deferred (core_t *self)
{
    uint32_t count = self->deferred_count;
    for (uint32_t i = 0; i < count && !core_batch_is_full (self, LANE_BULK); i++) {
        take_t take;
        core_session_t *session = core_session (self, self->deferred [i].session);
        mesh_take (self, session, self->deferred [i].bytes, self->deferred [i].size, time_now_ms (), &take);
        core_decide (self, &take, session, self->deferred [i].bytes, self->deferred [i].size);
        free (self->deferred [i].bytes);
        self->deferred [i].bytes = NULL;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->deferred_count; i++)
        if (self->deferred [i].bytes)
            self->deferred [kept++] = self->deferred [i];
    self->deferred_count = kept;
}

static void s_remember (core_t *self, uint64_t seq, effect_t *effect)
{
    recent_t *slot = &self->recent [seq % RECENT];
    free (slot->record);
    free (slot->texts);
    *slot = (recent_t){ .seq = seq,
        .record = effect->take.record,
        .size = effect->take.record_size,
        .texts = effect->take.texts,
        .texts_size = effect->take.texts_size };
    effect->take.record = effect->take.texts = NULL;
}

//  Until a desk has it.
static void s_watch_sos (
    core_t *self, uint64_t incident, uint32_t device, uint64_t epoch, uint64_t counter, int64_t at_ms, const char *station)
{
    if (self->sos_count == sizeof self->sos / sizeof self->sos [0])
        return;
    sos_t *sos = &self->sos [self->sos_count++];
    *sos = (sos_t){ .incident = incident, .epoch = epoch, .counter = counter, .device = device, .at_ms = at_ms };
    memcpy (sos->station, station, sizeof sos->station);
}

static void s_old_sos (void *core, const incident_t *incident)
{
    s_watch_sos (
        core, incident->id, incident->device, incident->epoch, incident->counter, incident->at_ms, incident->station_id);
}

static void s_count (core_t *self, const take_t *take)
{
    //  A withdrawal names no station.
    if (take->member && take->code == PATROL__CODE__OK && take->member->role == PATROL__ROLE__NODE && take->station [0]) {
        self->accepted++;
        if (take->sos)
            s_watch_sos (self, take->incident, take->member->number, take->epoch, take->counter, take->at_ms, take->station);
    } else if (take->member && take->code != PATROL__CODE__OK)
        core_refused (self, take->code, take->detail, member_session (self, take->member));
    else if (take->member)
        self->commands++;
}

//  A batch is durable: state, receipts, feeds, in this order.
static void s_durable (core_t *self, const eventlog_done_t *done)
{
    self->batches++;
    engine_completed (self->engine, done->last_ticket);
    uint64_t seq = done->first_seq;
    while (self->effect_count && s_effect (self, 0)->ticket <= done->last_ticket) {
        effect_t effect = *s_effect (self, 0);
        self->effect_first = (self->effect_first + 1) & (self->effect_room - 1);
        self->effect_count--;
        if (engine_apply (self->engine, seq, effect.take.record, effect.take.record_size)) {
            self->failed = true;
            free (effect.take.record);
            free (effect.take.texts);
            return;
        }
        s_count (self, &effect.take);
        s_remember (self, seq, &effect);
        self->durable = seq++;
        if (effect.take.member)
            feed_receipt (self, &effect.take);
        mesh_taken (self, &effect.take);
        feed_wake (self, &effect.take);
        if (effect.done)
            effect.done (self, &effect, self->durable);
    }
    s_retry_deferred (self);
}

static void s_log_completed (core_t *self)
{
    eventlog_done_t done;
    while (eventlog_done (self->log, &done)) {
        if (done.failed) {
            fprintf (stderr,
                "<2>core: the log cannot be written: %s; no receipt is given, the core ends and is started again\n",
                done.reason);
            self->failed = true;
            return;
        }
        s_durable (self, &done);
    }
}

//  ---- front

core_session_t *core_session (core_t *self, uint32_t id)
{
    core_session_t *session = self->sessions [id % SESSION_SLOTS];
    return session && session->id == id ? session : NULL;
}

static void s_front_gone (core_t *self)
{
    for (int i = 0; i < LANE_COUNT; i++)
        pipe_destroy (&self->lanes [i]);
    operator_fenced (self, UINT32_MAX);
    session_close_all (self);
}

static void s_front_message (core_t *self, pipe_kind_t kind, uint32_t id, const uint8_t *payload, size_t size)
{
    switch (kind) {
    case PIPE_OPEN:
        session_open (self, id, payload, size);
        break;
    case PIPE_CLOSE:
        session_close (self, id);
        break;
    case PIPE_FRAME:
        session_frame (self, id, payload, size);
        break;
    case PIPE_COUNTERS:
        self->front_counter_count = (int)(size / 8 < 16 ? size / 8 : 16);
        memcpy (self->front_counters, payload, (size_t)self->front_counter_count * 8);
        break;
    case PIPE_FENCE:
        operator_fenced (self, id);
        break;
    case PIPE_LANE:
    case PIPE_READY:
    case PIPE_SEND:
    case PIPE_ADMIT:
    case PIPE_REVOKE:
        break;
    }
}

static void s_read_lane (core_t *self, lane_t lane)
{
    pipe_t *pipe = self->lanes [lane];
    pipe_kind_t kind;
    uint32_t id;
    const uint8_t *payload;
    size_t size;
    bool broken = false;
    //  A lane stops at a full batch; what is read already stays in the pipe's buffer.
    while (!core_batch_is_full (self, lane) && pipe_next (pipe, &kind, &id, &payload, &size, &broken))
        s_front_message (self, kind, id, payload, size);
    if (broken)
        s_front_gone (self);
}

//  A connection has told which lane it is; two of them are a front.
static void s_adopt_lane (core_t *self, int fd, lane_t lane)
{
    if (lane == LANE_URGENT)
        s_front_gone (self);
    pipe_destroy (&self->lanes [lane]);
    self->lanes [lane] = pipe_new (fd);
    if (lane == LANE_URGENT) {
        core_admit_all (self);
        uint64_t incarnation = eventlog_incarnation (self->log);
        pipe_put (self->lanes [lane], PIPE_READY, 0, &incarnation, sizeof incarnation);
    }
}

static void s_accept (core_t *self)
{
    int fd = accept4 (self->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (int i = 0; i < 4; i++)
        if (self->fresh_fds [i] < 0) {
            self->fresh_fds [i] = fd;
            return;
        }
    close (fd);
}

static void s_fresh (core_t *self, int i)
{
    uint8_t head [10];
    ssize_t got = recv (self->fresh_fds [i], head, sizeof head, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    int fd = self->fresh_fds [i];
    self->fresh_fds [i] = -1;
    if (got == (ssize_t)sizeof head && head [4] == PIPE_LANE && head [9] < LANE_COUNT)
        s_adopt_lane (self, fd, (lane_t)head [9]);
    else
        close (fd);
}

//  ---- the loop

//  The audit trail's head goes into the log: each minute, each hundred rows and at the end, so that a tail cut off shows.
static void s_log_audit_head (core_t *self, int64_t now_ms, bool last)
{
    uint64_t rows;
    uint8_t hash [32];
    reader_audit_head (self->reader, &rows, hash);
    bool due = last || now_ms >= self->next_audit_ms || rows >= self->audit_rows + 100;
    if (!due || rows == self->audit_rows || core_batch_is_full (self, LANE_URGENT))
        return;
    self->next_audit_ms = now_ms + 60000;
    self->audit_rows = rows;
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__AuditHead head = PATROL__AUDIT_HEAD__INIT;
    take_t take = { 0 };
    effect_t effect = { 0 };
    head.rows = rows;
    head.hash = (ProtobufCBinaryData){ sizeof hash, hash };
    record.event_case = PATROL__RECORD__EVENT_AUDIT_HEAD;
    record.audit_head = &head;
    engine_record (self->engine, &record, now_ms, &take);
    core_append (self, &take, &effect);
}

static void s_second (core_t *self, int64_t now_ms)
{
    sign_of_life (self->life_fd);
    operator_second (self, now_ms);
    mesh_second (self, now_ms);
    s_log_audit_head (self, now_ms, false);
}

static void s_answers (core_t *self)
{
    reader_answer_t answer;
    while (reader_next (self->reader, &answer)) {
        core_session_t *session = core_session (self, answer.session);
        if (answer.watch) {
            feed_watch (self, session, answer.last);
            continue;
        }
        if (session && answer.last)
            session->read_cursor = answer.cursor;
        session_answer (self, answer.session, answer.answer, answer.size);
        free (answer.answer);
    }
}

enum { P_STOP, P_LOG, P_READER, P_CHECK, P_SWAP, P_LISTEN, P_LANES, P_FRESH = P_LANES + LANE_COUNT, P_LOCAL = P_FRESH + 4 };

static void s_poll_items (core_t *self, struct pollfd *items)
{
    items [P_STOP] = (struct pollfd){ self->stop_fd, POLLIN, 0 };
    items [P_LOG] = (struct pollfd){ eventlog_fd (self->log), POLLIN, 0 };
    items [P_READER] = (struct pollfd){ reader_fd (self->reader), POLLIN, 0 };
    items [P_CHECK] = (struct pollfd){ checks_fd (self), POLLIN, 0 };
    items [P_SWAP] = (struct pollfd){ swap_fd (self), POLLIN, 0 };
    items [P_LISTEN] = (struct pollfd){ self->listen_fd, POLLIN, 0 };
    for (int i = 0; i < LANE_COUNT; i++) {
        short events = core_batch_is_full (self, (lane_t)i) ? 0 : POLLIN;
        if (self->lanes [i] && pipe_queued (self->lanes [i]))
            events |= POLLOUT;
        items [P_LANES + i] = (struct pollfd){ self->lanes [i] ? pipe_fd (self->lanes [i]) : -1, events, 0 };
    }
    for (int i = 0; i < 4; i++)
        items [P_FRESH + i] = (struct pollfd){ self->fresh_fds [i], POLLIN, 0 };
}

static int s_fill_lane (core_t *self, lane_t lane, bool readable)
{
    return self->lanes [lane] && readable && !core_batch_is_full (self, lane) ? pipe_fill (self->lanes [lane]) : 0;
}

static void s_read_front (core_t *self, const struct pollfd *items)
{
    //  The urgent lane is filled after the bulk lane, whenever that is, and taken first: what opened a session, or shall overtake,
    //  was written there before.
    bool bulk = items [P_LANES + LANE_BULK].revents & (POLLIN | POLLHUP | POLLERR);
    bool urgent = bulk || (items [P_LANES + LANE_URGENT].revents & (POLLIN | POLLHUP | POLLERR));
    if (s_fill_lane (self, LANE_BULK, bulk) || s_fill_lane (self, LANE_URGENT, urgent)) {
        s_front_gone (self);
        return;
    }
    for (int i = 0; i < LANE_COUNT; i++)
        if (self->lanes [i])
            s_read_lane (self, (lane_t)i);
}

static int s_loop (core_t *self)
{
    struct pollfd items [P_LOCAL + LOCAL_ITEMS];
    int64_t now_ms = time_now_ms ();
    while (!self->failed) {
        s_poll_items (self, items);
        int local_count = local_items (self->local, items + P_LOCAL, LOCAL_ITEMS);
        if (poll (items, (nfds_t)(P_LOCAL + local_count), self->delivered_due_ms ? 10 : 200) < 0 && errno != EINTR)
            return EXIT_FAILED;
        now_ms = time_now_ms ();
        if (items [P_STOP].revents)
            break;
        if (items [P_LOG].revents)
            s_log_completed (self);
        if (self->failed)
            break;
        if (items [P_READER].revents)
            s_answers (self);
        if (items [P_CHECK].revents)
            checks_finish (self);
        if (items [P_SWAP].revents)
            swap_finish (self, false);
        for (int i = 0; i < 4; i++)
            if (self->fresh_fds [i] >= 0 && items [P_FRESH + i].revents)
                s_fresh (self, i);
        if (items [P_LISTEN].revents)
            s_accept (self);
        s_read_front (self, items);
        local_process (self->local, items + P_LOCAL, local_count);
        session_flush_delivered (self, now_ms);
        eventlog_kick (self->log);
        feed_pump (self);
        mesh_pump (self);
        for (int i = 0; i < LANE_COUNT; i++)
            if (self->lanes [i] && pipe_flush (self->lanes [i])) {
                s_front_gone (self);
                break;
            }
        if (state_commit (engine_state (self->engine), now_ms, false))
            self->failed = true;
        if (now_ms >= self->next_second_ms) {
            self->next_second_ms = now_ms + 1000;
            s_second (self, now_ms);
        }
    }
    return self->failed ? CORE_EXIT_STORAGE : EXIT_DONE;
}

//  ---- opening and closing

//  The log says when each incarnation began: what was written before it may refer to what is still to be offered again.
static void s_begin_incarnation (core_t *self)
{
    uint64_t incarnation = eventlog_incarnation (self->log);
    if ((uint64_t)state_value (engine_state (self->engine), "incarnation") == incarnation)
        return;
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__IncarnationBegun event = PATROL__INCARNATION_BEGUN__INIT;
    take_t take = { 0 };
    effect_t effect = { 0 };
    event.incarnation = incarnation;
    record.event_case = PATROL__RECORD__EVENT_INCARNATION;
    record.incarnation = &event;
    engine_record (self->engine, &record, time_now_ms (), &take);
    core_append (self, &take, &effect);
}

static int s_open (core_t *self, const daemon_args_t *args)
{
    const core_options_t *options = args->options;
    //  A folder that is no broker's home is not a matter of storage that time may heal.
    char *key_path = home_path (self->home, "core.key"), *log_path = home_path (self->home, "log.db");
    self->is_home = access (key_path, R_OK) == 0;
    free (key_path);
    if (!self->is_home) {
        fprintf (stderr, "<3>core: %s has no core.key: is this a broker's home? (patrol-broker init DIR --name NAME)\n",
            self->home);
        free (log_path);
        return -1;
    }
    self->log = eventlog_open (log_path);
    self->log_reader = self->log ? eventlog_reader_open (log_path) : NULL;
    free (log_path);
    self->engine = self->log_reader ? engine_open (self->home, self->log_reader) : NULL;
    if (!self->engine)
        return -1;
    self->durable = eventlog_last (self->log);
    self->reader = reader_open (self->home, engine_core_keys (self->engine));
    if (!self->reader)
        return -1;
    self->mesh = mesh_open (self);
    if (!self->mesh)
        return -1;
    self->audit_rows = (uint64_t)state_value (engine_state (self->engine), "audit_rows");
    s_begin_incarnation (self);
    self->items = item_maker_new (engine_members (self->engine), engine_daykeys (self->engine));
    state_on_delivered (engine_state (self->engine), feed_delivered, self);
    state_open_sos (engine_state (self->engine), s_old_sos, self);
    int local_fd = home_listen (self->home, RUNNER_SOCKET);
    self->local = local_new (local_fd, operator_request, operator_gone, self);
    if (args->adopt_fd >= 0)
        local_adopt (self->local, args->adopt_fd);
    if (options && options->with_front) {
        self->listen_fd = home_listen (self->home, CORE_SOCKET);
        if (self->listen_fd < 0 || local_fd < 0) {
            fprintf (stderr, "<3>core: cannot listen in %s: %s\n", self->home, strerror (errno));
            return -1;
        }
    }
    return 0;
}

static void s_close (core_t *self)
{
    s_front_gone (self);
    checks_finish (self);
    swap_finish (self, true);
    if (self->local)
        local_destroy (&self->local);
    eventlog_done_t done;
    //  What is decided and not durable is finished on a clean end, so that senders need not offer it again.
    if (self->reader && !self->failed)
        s_log_audit_head (self, time_now_ms (), true);
    if (self->log && self->engine && !self->failed)
        while (self->effect_count && eventlog_flush (self->log, &done) && !self->failed)
            s_durable (self, &done);
    if (self->reader)
        reader_close (&self->reader);
    mesh_close (&self->mesh);
    if (self->items)
        item_maker_destroy (&self->items);
    engine_close (&self->engine);
    eventlog_reader_close (&self->log_reader);
    eventlog_close (&self->log);
    for (uint32_t i = 0; i < self->effect_count; i++) {
        free (s_effect (self, i)->take.record);
        free (s_effect (self, i)->take.texts);
    }
    for (uint32_t i = 0; i < RECENT; i++) {
        free (self->recent [i].record);
        free (self->recent [i].texts);
    }
    for (uint32_t i = 0; i < self->deferred_count; i++)
        free (self->deferred [i].bytes);
    for (int i = 0; i < 4; i++)
        if (self->fresh_fds [i] >= 0)
            close (self->fresh_fds [i]);
    if (self->listen_fd >= 0)
        close (self->listen_fd);
    arena_destroy (&self->arena);
    free (self->deferred);
    free (self->effects);
    free (self->dirty);
    free (self);
}

int core_run (const daemon_args_t *args)
{
    const core_options_t *options = args->options;
    core_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->home = args->home;
    self->stop_fd = args->stop_fd;
    self->listen_fd = -1;
    self->life_fd = options ? options->life_fd : -1;
    for (int i = 0; i < 4; i++)
        self->fresh_fds [i] = -1;
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    self->started_ms = time_now_ms ();
    int rc = CORE_EXIT_STORAGE;
    if (s_open (self, args) == 0) {
        sign_of_life (self->life_fd);
        rc = s_loop (self);
    } else if (args->adopt_fd >= 0 || !self->is_home)
        rc = EXIT_FAILED;
    s_close (self);
    return rc;
}
