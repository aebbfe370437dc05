//  desk - the daemon: feed to disk, disk to watchers, commands to the broker
//
//  One turn of the loop: take what arrived (requests, frames), commit it all at once, then say so: acknowledge
//  the feed, answer those who wait, send commands, give lines to watchers. Nothing is said before the commit.

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "cli.h"
#include "desk.h"
#include "deskask.h"
#include "deskorders.h"
#include "deskoutbox.h"
#include "deskstore.h"
#include "deskwatch.h"
#include "home.h"
#include "session.h"
#include "timefmt.h"

#define FEED_AHEAD 4096u //  feed items that may be on their way
#define ITEMS_MAX 80     //  descriptors in the poll: session 2, stop 1, socket and clients
#define FULL_RETRY_MS 5000
#define AS_OF_EVERY_MS 60000
#define READER_EVERY_MS 50
#define IDLE_MS 1000
#define LINK_WORD_MS 3000
//  A coordinator's feed numbers are log positions: a long stretch of the log without items for it must not use up the credit
#define IDLE_AHEAD_MAX 1000000u

typedef struct {
    desk_options_t options;
    void *zmq;
    device_t *device;
    deskstore_t *store;
    deskoutbox_t *outbox;
    deskwatch_t *watch;
    deskask_t *asks;
    deskorders_t *orders;
    local_t *local;
    session_t *session; //  NULL while the disk is full
    uint64_t acked;     //  FeedAck sent for items up to here, in this attachment
    uint64_t granted;   //  feed credit given
    uint64_t ahead;     //  of what is stored
    int64_t fed_ms;     //  monotonic: when the last item came
    int64_t as_of_due_ms;
    int64_t reader; //  lines that are out, still to be written down
    int64_t reader_due_ms;
    int64_t retry_ms; //  when to look whether there is room again
    bool full;
    bool attached, link_told; //  as last told to people, if they were told
    int64_t link_due_ms;      //  when a link that is not there yet is worth a word
} desk_t;

static void s_say (const desk_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
static void s_say (const desk_t *self, const char *format, ...)
{
    if (!self->options.announce)
        return;
    va_list args;
    va_start (args, format);
    fprintf (stderr, "patrol-desk: ");
    vfprintf (stderr, format, args);
    fprintf (stderr, "\n");
    va_end (args);
}

//  ---- from the session

static void s_attach (void *context, Patrol__Attach *attach, arena_t *arena)
{
    desk_t *self = context;
    attach->incarnation = deskstore_incarnation (self->store);
    attach->feed_stored = deskstore_stored (self->store);
    attach->feed_up_to = attach->feed_stored + FEED_AHEAD;
    deskoutbox_attach (self->outbox, attach, arena);
}

//  A new incarnation numbers its feed anew: what this desk has counts by id, not by number.
static void s_attached (void *context, const Patrol__Attached *attached)
{
    desk_t *self = context;
    bool is_new = attached->incarnation != deskstore_incarnation (self->store);

    if (is_new
        && deskstore_set_feed (self->store, attached->incarnation, attached->feed_next ? attached->feed_next - 1 : 0) == -1)
        deskstore_spoil (self->store);
    if (deskoutbox_attached (self->outbox, attached, is_new, time_now_ms ()) == -1)
        deskstore_spoil (self->store);
    if (attached->kinds.len)
        device_set_kinds (self->device, (const char *)attached->kinds.data, attached->kinds.len);
    self->acked = 0;
    self->granted = 0;
    self->ahead = FEED_AHEAD;
    self->fed_ms = time_mono_ms ();
    self->as_of_due_ms = self->fed_ms;
}

static void s_receipts (void *context, const Patrol__Receipts *receipts)
{
    desk_t *self = context;
    for (size_t i = 0; i < receipts->n_taken; i++)
        if (deskorders_receipt (self->orders, receipts->taken [i], time_now_ms ()) == -1) {
            deskstore_spoil (self->store);
            return;
        }
}

static void s_feed (void *context, const Patrol__Feed *feed)
{
    desk_t *self = context;
    if (feed->incarnation != deskstore_incarnation (self->store) || self->full)
        return; //  from before an attach, or of a turn that cannot be kept
    for (size_t i = 0; i < feed->n_items; i++) {
        const Patrol__Item *item = feed->items [i];
        if (item->n <= deskstore_stored (self->store))
            self->acked = 0; //  sent again: our acknowledgement was lost
        else if (deskstore_keep (self->store, item) == KEPT_FAILED) {
            deskstore_spoil (self->store);
            self->full = true;
            return;
        }
    }
    self->fed_ms = time_mono_ms ();
    self->ahead = FEED_AHEAD;
    if (deskstore_set_as_of (self->store, time_now_ms ()) == -1)
        deskstore_spoil (self->store);
}

static void s_answer (void *context, const Patrol__Answer *answer)
{
    desk_t *self = context;
    deskask_answer (self->asks, answer, deskstore_incarnation (self->store));
}

static void s_refusal (void *context, const Patrol__Refusal *refusal)
{
    desk_t *self = context;
    deskask_refusal (self->asks, refusal);
    if (!refusal->query)
        s_say (self, "the broker refuses a message (code %u): %.*s", (unsigned)refusal->code, (int)refusal->detail.len,
            refusal->detail.len ? (const char *)refusal->detail.data : "");
}

static void s_notice (void *context, const Patrol__Notice *notice)
{
    desk_t *self = context;
    s_say (self, "the broker refuses a frame (code %u): %.*s", (unsigned)notice->code, (int)notice->detail.len,
        notice->detail.len ? (const char *)notice->detail.data : "");
}

static void s_down (void *context, const char *reason)
{
    desk_t *self = context;
    (void)reason;
    deskask_down (self->asks, time_mono_ms ());
    if (deskstore_set_as_of (self->store, time_now_ms ()) == -1)
        deskstore_spoil (self->store);
}

static session_t *s_connect (desk_t *self)
{
    static const session_handler_t handler = { .attach = s_attach,
        .attached = s_attached,
        .receipts = s_receipts,
        .feed = s_feed,
        .answer = s_answer,
        .refusal = s_refusal,
        .notice = s_notice,
        .down = s_down };
    return session_new (self->zmq, self->device, &handler, self);
}

//  ---- from the local socket

static void s_request (void *context, local_client_t *client, json_t *request)
{
    desk_t *self = context;
    const char *what = json_string_value (json_object_get (request, "do"));

    if (strcmp (what, "watch") == 0)
        deskwatch_add (self->watch, client, request);
    else if (strcmp (what, "command") == 0)
        deskorders_add (self->orders, client, request, time_now_ms (), time_mono_ms ());
    else if (strcmp (what, "list") == 0 || strcmp (what, "show") == 0 || strcmp (what, "stations") == 0
        || strcmp (what, "replay") == 0)
        deskask_add (self->asks, client, request, time_mono_ms ());
    else if (strcmp (what, "seen") == 0) {
        int64_t upto = json_integer_value (json_object_get (request, "upto"));
        self->reader = upto > self->reader ? upto : self->reader;
        local_end (client, EXIT_DONE, NULL);
    } else
        local_end (client, EXIT_USAGE, en_T_DESK_BAD_REQUEST);
}

static void s_gone (void *context, local_client_t *client)
{
    desk_t *self = context;
    deskwatch_gone (self->watch, client);
    deskask_gone (self->asks, client);
    deskorders_gone (self->orders, client);
}

//  ---- after the commit

static void s_acknowledge (desk_t *self)
{
    uint64_t stored = deskstore_stored (self->store);
    if (self->acked >= stored)
        return;
    Patrol__FeedAck ack = PATROL__FEED_ACK__INIT;
    Patrol__Up up = PATROL__UP__INIT;
    ack.stored = stored;
    up.body_case = PATROL__UP__BODY_FEED_ACK;
    up.feed_ack = &ack;
    if (session_up (self->session, &up))
        self->acked = stored;
}

//  Credit is absolute and given again when half of it is used.
static void s_grant (desk_t *self, int64_t mono_ms)
{
    uint64_t stored = deskstore_stored (self->store);
    bool coordinator = device_credential (self->device)->role == PATROL__ROLE__COORDINATOR;

    if (coordinator && mono_ms - self->fed_ms > IDLE_MS && self->ahead < IDLE_AHEAD_MAX) {
        self->ahead *= 2;
        self->fed_ms = mono_ms;
    }
    if (self->granted >= stored + self->ahead / 2 + 1)
        return;
    if (session_feed_credit (self->session, stored + self->ahead))
        self->granted = stored + self->ahead;
}

//  A link that is being made is not worth a word; one that is not there after some seconds is.
static void s_tell_link (desk_t *self, int64_t mono_ms)
{
    bool attached = self->session && session_attached (self->session);
    if (self->link_told ? attached == self->attached : !attached && mono_ms < self->link_due_ms)
        return;
    const char *reason = self->full ? en_T_DESK_DISK_FULL : attached ? NULL : session_reason (self->session);
    self->link_told = true;
    self->attached = attached;
    deskwatch_link (self->watch, reason);
    s_say (self, reason ? "not connected: %s" : "connected to %s", reason ? reason : device_endpoint (self->device));
    if (self->options.announce)
        sd_notifyf (0, "STATUS=%s, %d commands waiting", reason ? reason : "connected", deskoutbox_waiting (self->outbox));
}

//  What this turn has learned is on disk: tell everyone. Returns ms until something is due.
static int64_t s_after_commit (desk_t *self, int64_t mono_ms)
{
    bool attached = self->session && session_attached (self->session);
    const char *reason = self->full ? en_T_DESK_DISK_FULL : attached ? NULL : session_reason (self->session);
    if (attached) {
        s_acknowledge (self);
        s_grant (self, mono_ms);
    }
    s_tell_link (self, mono_ms);
    int64_t orders = deskorders_pump (self->orders, reason, mono_ms);
    int64_t outbox = deskoutbox_pump (self->outbox, self->session, mono_ms);
    int64_t asks = deskask_pump (self->asks, self->session, mono_ms);
    deskwatch_pump (self->watch);

    int64_t due = IDLE_MS;
    due = orders >= 0 && orders < due ? orders : due;
    due = outbox >= 0 && outbox < due ? outbox : due;
    return asks >= 0 && asks < due ? asks : due;
}

//  ---- a disk that is full

//  The turn is undone. The broker has sent items that are lost here; a new attach brings them again.
static void s_full (desk_t *self, int64_t mono_ms)
{
    if (self->session)
        fprintf (
            stderr, "patrol-desk: this desk cannot write its store; nothing more is acknowledged until there is room\n");
    self->full = true;
    self->retry_ms = mono_ms + FULL_RETRY_MS;
    deskoutbox_reload (self->outbox);
    deskorders_undone (self->orders);
    if (self->session)
        deskask_down (self->asks, mono_ms);
    session_destroy (&self->session);
}

static void s_look_for_room (desk_t *self, int64_t mono_ms)
{
    if (!self->full || mono_ms < self->retry_ms)
        return;
    self->retry_ms = mono_ms + FULL_RETRY_MS;
    if (!deskstore_writable (self->store) || deskoutbox_reload (self->outbox) == -1)
        return;
    self->session = s_connect (self);
    if (!self->session)
        return;
    self->full = false;
    fprintf (stderr, "patrol-desk: there is room again, going on\n");
}

//  ---- the loop

static void s_write_down (desk_t *self, int64_t mono_ms, bool now)
{
    if (self->reader > deskstore_reader (self->store) && (now || mono_ms >= self->reader_due_ms)) {
        deskstore_move_reader (self->store, self->reader);
        self->reader_due_ms = mono_ms + READER_EVERY_MS;
    }
    bool attached = self->session && session_attached (self->session);
    if (attached && (now || mono_ms >= self->as_of_due_ms)) {
        deskstore_set_as_of (self->store, time_now_ms ());
        self->as_of_due_ms = mono_ms + AS_OF_EVERY_MS;
    }
}

static int64_t s_turn (desk_t *self)
{
    int64_t mono_ms = time_mono_ms ();
    if (self->session)
        session_process (self->session, mono_ms);
    s_look_for_room (self, mono_ms);
    if (!self->full)
        s_write_down (self, mono_ms, false);
    if (deskstore_commit (self->store) == -1 || (self->full && self->session))
        s_full (self, mono_ms);
    return s_after_commit (self, mono_ms);
}

//  Waits. Returns false when the stop descriptor is readable.
static bool s_wait (desk_t *self, int stop_fd, int64_t due_ms)
{
    zmq_pollitem_t items [ITEMS_MAX];
    struct pollfd fds [ITEMS_MAX];
    long timeout = (long)due_ms;
    int count = self->session ? session_items (self->session, items, &timeout, time_mono_ms ()) : 0;
    int first = count;
    items [count++] = (zmq_pollitem_t){ .fd = stop_fd, .events = ZMQ_POLLIN };
    int clients = local_items (self->local, fds, ITEMS_MAX - count);

    for (int i = 0; i < clients; i++)
        items [count + i] = (zmq_pollitem_t){ .fd = fds [i].fd,
            .events = (short)((fds [i].events & POLLIN ? ZMQ_POLLIN : 0) | (fds [i].events & POLLOUT ? ZMQ_POLLOUT : 0)) };
    if (zmq_poll (items, count + clients, timeout < 0 ? 0 : timeout) == -1)
        return zmq_errno () == EINTR;
    for (int i = 0; i < clients; i++) {
        short got = items [count + i].revents;
        fds [i].revents = (short)((got & ZMQ_POLLIN ? POLLIN : 0) | (got & ZMQ_POLLOUT ? POLLOUT : 0)
            | (got & ZMQ_POLLERR ? POLLERR : 0));
    }
    bool stop = items [first].revents & ZMQ_POLLIN;
    local_process (self->local, fds, clients);
    return !stop;
}

static void s_loop (desk_t *self, int stop_fd)
{
    uint64_t watchdog_us = 0;
    int64_t due = 0;
    if (!self->options.announce || sd_watchdog_enabled (0, &watchdog_us) <= 0)
        watchdog_us = 0;
    while (s_wait (self, stop_fd, due)) {
        due = s_turn (self);
        if (watchdog_us) {
            sd_notify (0, "WATCHDOG=1");
            due = due > (int64_t)watchdog_us / 3000 ? (int64_t)watchdog_us / 3000 : due;
        }
        if (self->reader > deskstore_reader (self->store))
            due = due > READER_EVERY_MS ? READER_EVERY_MS : due;
    }
}

//  ---- opening and closing

static int s_open (desk_t *self, const daemon_args_t *args)
{
    char *path = home_path (args->home, "desk.db");
    self->device = device_open_as (args->home, 1u << PATROL__ROLE__DESK | 1u << PATROL__ROLE__COORDINATOR);
    self->store = self->device ? deskstore_open (path) : NULL;
    free (path);
    if (!self->store)
        return -1;
    self->outbox = deskoutbox_open (self->store, device_seal (self->device));
    if (!self->outbox || deskstore_commit (self->store) == -1)
        return -1;
    self->watch = deskwatch_new (self->store);
    self->asks = deskask_new (self->store);
    self->orders = deskorders_new (self->store, self->outbox, self->asks);
    self->zmq = zmq_ctx_new ();
    self->session = self->zmq ? s_connect (self) : NULL;
    if (!self->session)
        return -1;

    int fd = self->options.listen ? home_listen (args->home, RUNNER_SOCKET) : -1;
    if (self->options.listen && fd == -1)
        return -1;
    self->local = local_new (fd, s_request, s_gone, self);
    if (args->adopt_fd >= 0)
        local_adopt (self->local, args->adopt_fd);
    self->link_due_ms = time_mono_ms () + LINK_WORD_MS;
    return 0;
}

static void s_close (desk_t *self)
{
    if (self->local && !self->full) {
        s_write_down (self, time_mono_ms (), true);
        deskstore_commit (self->store);
    }
    local_destroy (&self->local);
    session_destroy (&self->session);
    if (self->zmq)
        zmq_ctx_term (self->zmq);
    deskorders_destroy (&self->orders);
    deskask_destroy (&self->asks);
    deskwatch_destroy (&self->watch);
    deskoutbox_close (&self->outbox);
    deskstore_close (&self->store);
    device_destroy (&self->device);
}

static void s_announce (const desk_t *self, const char *home)
{
    const credential_t *credential = device_credential (self->device);
    if (!self->options.announce)
        return;
    printf ("patrol-desk ready: %s, %s\n", credential->station [0] ? credential->station : "coordinator", home);
    fflush (stdout);
    sd_notify (0, "READY=1");
}

int desk_daemon (const daemon_args_t *args)
{
    desk_t self = { 0 };
    assert (args && args->options);
    self.options = *(const desk_options_t *)args->options;

    int exit_code = EXIT_FAILED;
    if (s_open (&self, args) == 0) {
        s_announce (&self, args->home);
        s_loop (&self, args->stop_fd);
        if (self.options.announce)
            sd_notify (0, "STOPPING=1");
        exit_code = EXIT_DONE;
    }
    s_close (&self);
    return exit_code;
}
