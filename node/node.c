//  node - the daemon: one loop over the broker's session, the local commands and the clock
//
//  Whatever came in one round is committed together, then answered and acknowledged, then sent on. The commands of
//  people are in noderequests.c, what is sent when in sender.c.

#include "node_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "home.h"
#include "timefmt.h"

#define CLIENTS_MAX 256 //  commands at a time; more wait
#define IDLE_MS 60000
#define FEED_AHEAD 1000 //  items the broker may send beyond what is stored
#define DONE_EACH 1000  //  settled envelopes between two DoneBelow
#define FORGET_EACH_MS 3600000
#define RETRY_LINK_MS 5000 //  after the disk did not take what the broker said

//  ---- the store

bool node_commit (node_t *self)
{
    bool wrote = nodestore_is_open (self->store), ok = nodestore_commit (self->store) == 0;
    if (self->mesh && wrote)
        meshnode_committed (self->mesh, ok);
    if (ok)
        return true;
    outbox_reload (self->outbox);
    sender_reset (self->sender);
    self->incarnation = (uint64_t)nodestore_fact (self->store, "incarnation");
    self->feed_stored = (uint64_t)nodestore_fact (self->store, "feed_stored");
    //  What was not written is sent again by the broker. A disk that fails otherwise is not trusted any further.
    self->done_due = self->ack_due = false;
    if (!nodestore_was_full (self->store)) {
        fprintf (stderr, "patrol-node: %s/outbox.db cannot be written; ending\n", self->home);
        self->broken = true;
    }
    return false;
}

static void s_keep_facts (node_t *self)
{
    if (nodestore_begin (self->store))
        return;
    nodestore_set_fact (self->store, "incarnation", (int64_t)self->incarnation);
    nodestore_set_fact (self->store, "feed_stored", (int64_t)self->feed_stored);
    nodestore_set_fact (self->store, "link_ms", self->link_ms);
    nodestore_set_fact (self->store, "clock_offset_ms", self->clock_offset_ms);
}

//  ---- what the session says

static void s_on_attach (void *context, Patrol__Attach *attach, arena_t *arena)
{
    node_t *self = context;
    uint64_t epochs [4], nexts [4];
    int count = outbox_origins (self->outbox, epochs, nexts);
    attach->incarnation = self->incarnation;
    attach->feed_stored = self->feed_stored;
    attach->feed_up_to = self->feed_granted = self->feed_stored + FEED_AHEAD;
    attach->origins = arena_alloc (arena, (size_t)count * sizeof *attach->origins);
    for (int index = 0; attach->origins && index < count; index++) {
        Patrol__OriginAsk *ask = arena_alloc (arena, sizeof *ask);
        if (!ask)
            break;
        patrol__origin_ask__init (ask);
        ask->epoch = epochs [index];
        ask->next = nexts [index];
        attach->origins [attach->n_origins++] = ask;
    }
    if (self->mesh)
        meshnode_attach (self->mesh, attach, arena);
}

static void s_on_attached (void *context, const Patrol__Attached *attached)
{
    node_t *self = context;
    int64_t now_ms = time_now_ms ();
    if (attached->incarnation != self->incarnation) {
        if (self->incarnation != 0)
            outbox_new_incarnation (self->outbox, attached);
        self->incarnation = attached->incarnation;
        self->feed_stored = attached->feed_next > 0 ? attached->feed_next - 1 : 0;
        self->ack_due = true; //  grants credit in the new numbering
    }
    for (size_t index = 0; index < attached->n_origins; index++)
        outbox_origin_state (self->outbox, attached->origins [index], attached->now_ms, now_ms);
    if (attached->kinds.len > 0)
        device_set_kinds (self->device, (const char *)attached->kinds.data, attached->kinds.len);
    if (attached->receipts_key.len)
        device_set_receipts_key (self->device, attached->receipts_key.data, attached->receipts_key.len);
    self->attached = true;
    self->done_due = true;
    self->link_ms = now_ms;
    self->clock_offset_ms = session_broker_offset_ms (self->session);
    self->refusal [0] = 0;
    self->forget_ms = 0;
    s_keep_facts (self);
    sender_reset (self->sender);
    if (self->mesh)
        meshnode_session (self->mesh, self->session);
}

static void s_apply_item (void *context, const inbox_item_t *item)
{
    node_t *self = context;
    int64_t row;
    if (item->type != PATROL__ITEM_TYPE__ITEM_STATUS || !item->status)
        return;
    outbox_status_t status = { .epoch = item->epoch,
        .counter = item->counter,
        .version = item->version,
        .at_ms = item->at_ms,
        .status = item->status,
        .actor = item->actor,
        .station = item->station };
    if (outbox_status (self->outbox, &status, &row))
        sender_settled (self->sender, row);
}

static void s_one_receipt (node_t *self, const Patrol__Taken *taken, int64_t now_ms, int64_t *other_tag)
{
    int64_t row;
    *other_tag = 0;
    receipt_t receipt = outbox_receipt (self->outbox, taken, now_ms, &row);
    switch (receipt) {
    case RECEIPT_UNKNOWN:
        return;
    case RECEIPT_LATER:
        sender_later (self->sender, row, time_mono_ms ());
        return;
    case RECEIPT_OTHER_TAG:
        *other_tag = row;
        return;
    case RECEIPT_REPEATED:
        sender_repeated (self->sender, row);
        break;
    case RECEIPT_ACCEPTED:
        sender_settled (self->sender, row);
        break;
    case RECEIPT_SETTLED:
        sender_settled (self->sender, row);
        break;
    }
    self->settled++;
    if (self->mesh)
        meshnode_settled (self->mesh, row);
    //  A status can be here before the receipt it depends on.
    if (receipt != RECEIPT_SETTLED)
        inbox_each_of (self->inbox, taken->epoch, taken->counter, s_apply_item, self);
}

static void s_on_receipts (void *context, const Patrol__Receipts *receipts)
{
    node_t *self = context;
    int64_t now_ms = time_now_ms ();
    uint64_t reopened = outbox_reopened (self->outbox);
    int64_t *others = calloc (receipts->n_taken + 1, sizeof *others);
    if (!others)
        abort ();
    for (size_t index = 0; index < receipts->n_taken; index++)
        s_one_receipt (self, receipts->taken [index], now_ms, &others [index]);
    //  Only when no other receipt of the same message has our tag is the number another's.
    for (size_t index = 0; index < receipts->n_taken; index++)
        if (others [index]) {
            sender_settled (self->sender, others [index]);
            outbox_reseal (self->outbox, others [index], now_ms);
        }
    free (others);
    self->refusal [0] = 0;
    //  Withdrawals that waited for these tips can go now, and what was sealed again.
    if (outbox_reopened (self->outbox) != reopened)
        sender_wake (self->sender);
    self->done_due = self->done_due || self->settled >= DONE_EACH;
}

static void s_on_delivered (void *context, const Patrol__Delivered *delivered)
{
    node_t *self = context;
    outbox_delivered (self->outbox, delivered->epoch, delivered->counters.data, delivered->counters.len,
        time_now_ms () - self->clock_offset_ms);
}

static void s_on_feed (void *context, const Patrol__Feed *feed)
{
    node_t *self = context;
    if (nodestore_begin (self->store))
        return;
    for (size_t index = 0; index < feed->n_items; index++) {
        const Patrol__Item *item = feed->items [index];
        if (item->n <= self->feed_stored)
            continue;
        if (inbox_add (self->inbox, item) && item->own_counter)
            inbox_each_of (self->inbox, item->tip_epoch, item->own_counter, s_apply_item, self);
        self->feed_stored = item->n;
    }
    nodestore_set_fact (self->store, "feed_stored", (int64_t)self->feed_stored);
    self->ack_due = true;
}

static void s_remember_refusal (node_t *self, uint32_t code, ProtobufCBinaryData detail)
{
    const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)code);
    snprintf (self->refusal, sizeof self->refusal, "%s %.*s", name ? name->name : "?",
        (int)(detail.len > 200 ? 200 : detail.len), (const char *)detail.data);
    fprintf (stderr, "patrol-node: the broker refused: %s\n", self->refusal);
}

static void s_on_refusal (void *context, const Patrol__Refusal *refusal)
{
    s_remember_refusal (context, refusal->code, refusal->detail);
}

static void s_on_notice (void *context, const Patrol__Notice *notice)
{
    s_remember_refusal (context, notice->code, notice->detail);
}

static void s_on_down (void *context, const char *reason)
{
    node_t *self = context;
    if (self->attached) {
        fprintf (stderr, "patrol-node: link lost: %s\n", reason);
        self->link_ms = time_now_ms ();
        s_keep_facts (self);
    }
    self->attached = false;
    sender_reset (self->sender);
    if (self->mesh)
        meshnode_session (self->mesh, NULL);
}

//  ---- what comes over the mesh

static void s_on_mesh (void *context, const Patrol__MeshNews *news)
{
    node_t *self = context;
    if (self->mesh)
        meshnode_news (self->mesh, news);
}

//  The same words as in a session, a snapshot of them: what is known already changes nothing. They are true of whatever
//  incarnation; what a new one lacks is offered again when this node attaches and sees that it is another.
static void s_on_letter (void *context, const Patrol__MeshLetter *letter)
{
    node_t *self = context;
    if (nodestore_begin (self->store))
        return;
    if (self->incarnation == 0) {
        self->incarnation = letter->incarnation;
        nodestore_set_fact (self->store, "incarnation", (int64_t)self->incarnation);
    }
    Patrol__Receipts receipts = PATROL__RECEIPTS__INIT;
    receipts.incarnation = letter->incarnation;
    receipts.taken = letter->taken;
    receipts.n_taken = letter->n_taken;
    s_on_receipts (self, &receipts);
    for (size_t i = 0; i < letter->n_taken; i++)
        if (letter->taken [i]->hops)
            outbox_hops (
                self->outbox, letter->taken [i]->epoch, letter->taken [i]->counter, (int)letter->taken [i]->hops - 1);
    for (size_t i = 0; i < letter->n_delivered; i++)
        outbox_delivered (self->outbox, letter->delivered [i]->epoch, letter->delivered [i]->counters.data,
            letter->delivered [i]->counters.len, letter->now_ms);
    for (size_t i = 0; i < letter->n_items; i++) {
        const Patrol__Item *item = letter->items [i];
        if (nodestore_begin (self->store) == 0 && inbox_add (self->inbox, item) && item->own_counter)
            inbox_each_of (self->inbox, item->tip_epoch, item->own_counter, s_apply_item, self);
    }
}

static void s_on_word (void *context, int64_t row)
{
    node_t *self = context;
    uint64_t epoch, counter;
    //  A status can be here before the word it depends on.
    if (outbox_word (self->outbox, row, time_now_ms () - self->clock_offset_ms, &epoch, &counter))
        inbox_each_of (self->inbox, epoch, counter, s_apply_item, self);
}

//  ---- after a commit

static void s_say_done (node_t *self)
{
    uint64_t epochs [4], nexts [4];
    int count = outbox_origins (self->outbox, epochs, nexts);
    bool said = true;
    for (int index = 0; index < count; index++) {
        Patrol__DoneBelow done = PATROL__DONE_BELOW__INIT;
        Patrol__Up up = PATROL__UP__INIT;
        done.epoch = epochs [index];
        done.counter = outbox_done_below (self->outbox, epochs [index]);
        up.body_case = PATROL__UP__BODY_DONE_BELOW;
        up.done_below = &done;
        if (done.counter > 1)
            said = session_up (self->session, &up) && said;
    }
    if (said) {
        self->done_due = false;
        self->settled = 0;
    }
}

static void s_acknowledge_feed (node_t *self)
{
    Patrol__FeedAck ack = PATROL__FEED_ACK__INIT;
    Patrol__Up up = PATROL__UP__INIT;
    ack.stored = self->feed_stored;
    up.body_case = PATROL__UP__BODY_FEED_ACK;
    up.feed_ack = &ack;
    if (!session_up (self->session, &up))
        return;
    uint64_t grant = self->feed_stored + FEED_AHEAD;
    if (grant != self->feed_granted && session_feed_credit (self->session, grant))
        self->feed_granted = grant;
    self->ack_due = false;
}

static bool s_submit (void *context, lane_t lane, const uint8_t *envelope, size_t size)
{
    node_t *self = context;
    return session_submit (self->session, lane, envelope, size);
}

static int s_new_session (node_t *self)
{
    static const session_handler_t handler = { .attach = s_on_attach,
        .attached = s_on_attached,
        .receipts = s_on_receipts,
        .delivered = s_on_delivered,
        .feed = s_on_feed,
        .refusal = s_on_refusal,
        .notice = s_on_notice,
        .mesh = s_on_mesh,
        .down = s_on_down };
    self->session = session_new (self->zmq, self->device, &handler, self);
    return self->session ? 0 : -1;
}

//  What could not be written is lost to this session: only a new attachment makes the broker say it again.
static void s_drop_link (node_t *self, int64_t now_mono_ms)
{
    if (self->mesh)
        meshnode_session (self->mesh, NULL);
    session_destroy (&self->session);
    self->attached = false;
    self->retry_ms = now_mono_ms + RETRY_LINK_MS;
}

//  Everything the broker said in this round is on disk before anything of it is acknowledged.
static int64_t s_tend_link (node_t *self, int64_t now_mono_ms)
{
    session_process (self->session, now_mono_ms);
    if (self->attached && nodestore_is_open (self->store)) {
        self->link_ms = time_now_ms ();
        nodestore_set_fact (self->store, "link_ms", self->link_ms);
    }
    if (!node_commit (self)) {
        s_drop_link (self, now_mono_ms);
        return RETRY_LINK_MS;
    }
    if (!self->attached)
        return -1;
    if (self->ack_due)
        s_acknowledge_feed (self);
    if (self->done_due)
        s_say_done (self);
    int64_t next = sender_run (self->sender, now_mono_ms, s_submit, self);
    session_flush (self->session);
    return next;
}

//  Forgetting by the clock is for clocks that the broker has just confirmed.
static void s_keep_house (node_t *self, int64_t now_mono_ms)
{
    if (!self->attached || now_mono_ms < self->forget_ms || llabs (self->clock_offset_ms) > CLOCK_OFF_MS)
        return;
    self->forget_ms = now_mono_ms + FORGET_EACH_MS;
    outbox_forget (self->outbox, time_now_ms ());
    inbox_forget (self->inbox, time_now_ms () - OUTBOX_MEMORY_MS);
    node_commit (self);
}

//  ---- the service manager

static void s_tell_manager (node_t *self, int64_t now_mono_ms)
{
    if (!self->is_daemon || self->watchdog_ms == 0 || now_mono_ms < self->watchdog_ms)
        return;
    uint64_t every_us = 0;
    sd_watchdog_enabled (0, &every_us);
    self->watchdog_ms = now_mono_ms + (int64_t)(every_us / 2000);
    sd_notify (0, "WATCHDOG=1");
}

static void s_ready (node_t *self)
{
    if (!self->is_daemon)
        return;
    uint64_t every_us = 0;
    unsigned long long waiting = outbox_waiting (self->outbox);
    printf ("patrol-node ready: %s, %llu waiting\n", self->home, waiting);
    fflush (stdout);
    sd_notifyf (0, "READY=1\nSTATUS=%llu waiting at start", waiting);
    if (sd_watchdog_enabled (0, &every_us) > 0)
        self->watchdog_ms = 1;
}

static void s_tell_link (node_t *self, bool was_attached)
{
    if (!self->is_daemon || was_attached == self->attached)
        return;
    sd_notifyf (0, "STATUS=%s, %llu waiting",
        self->attached      ? "connected"
            : self->session ? session_reason (self->session)
                            : "the disk is full",
        (unsigned long long)outbox_waiting (self->outbox));
    if (self->attached)
        fprintf (stderr, "patrol-node: connected to %s\n", device_endpoint (self->device));
}

//  ---- open, run, close

static void s_close (node_t **self_p)
{
    node_t *self = *self_p;
    if (!self)
        return;
    if (self->is_daemon)
        sd_notify (0, "STOPPING=1");
    if (self->session && self->attached && self->store) {
        self->link_ms = time_now_ms ();
        s_keep_facts (self);
        nodestore_commit (self->store);
    }
    if (self->local)
        requests_stop (self);
    meshnode_destroy (&self->mesh);
    session_destroy (&self->session);
    local_destroy (&self->local);
    requests_destroy (self);
    if (self->zmq)
        zmq_ctx_term (self->zmq);
    sender_destroy (&self->sender);
    inbox_close (&self->inbox);
    outbox_close (&self->outbox);
    nodestore_close (&self->store);
    device_destroy (&self->device);
    free (self);
    *self_p = NULL;
}

static int s_open_mesh (node_t *self)
{
    meshnode_parts_t parts = { .zmq = self->zmq,
        .device = self->device,
        .store = self->store,
        .outbox = self->outbox,
        .letter = s_on_letter,
        .word = s_on_word,
        .context = self };
    self->mesh = meshnode_new (&parts, &self->options.links);
    return self->mesh ? 0 : -1;
}

static int s_open_link (node_t *self)
{
    self->options.mesh = self->options.mesh && self->is_daemon;
    if (self->options.network != NODE_LINK && !self->options.mesh)
        return 0;
    self->zmq = zmq_ctx_new ();
    if (!self->zmq)
        return -1;
    zmq_ctx_set (self->zmq, ZMQ_MAX_SOCKETS, self->options.mesh ? 16 + 2 * MESHLINKS_MAX : 16);
    if (self->options.mesh && s_open_mesh (self))
        return -1;
    return self->options.network == NODE_LINK ? s_new_session (self) : 0;
}

static int s_open_store (node_t *self)
{
    char *path = home_path (self->home, "outbox.db");
    self->store = nodestore_open (path);
    free (path);
    if (!self->store)
        return -1;
    self->outbox
        = outbox_open (self->store, device_seal (self->device), device_keys (self->device)->public_key, time_now_ms ());
    if (!self->outbox)
        return -1;
    self->inbox = inbox_open (self->store);
    self->sender = sender_new (self->outbox);
    self->incarnation = (uint64_t)nodestore_fact (self->store, "incarnation");
    self->feed_stored = (uint64_t)nodestore_fact (self->store, "feed_stored");
    self->link_ms = nodestore_fact (self->store, "link_ms");
    self->clock_offset_ms = nodestore_fact (self->store, "clock_offset_ms");
    return 0;
}

static int s_open_local (node_t *self, const daemon_args_t *args)
{
    int listen_fd = -1;
    if (self->is_daemon) {
        listen_fd = home_listen (self->home, RUNNER_SOCKET);
        if (listen_fd < 0)
            return -1;
    }
    self->local = local_new (listen_fd, requests_handle, requests_gone, self);
    if (args->adopt_fd >= 0)
        local_adopt (self->local, args->adopt_fd);
    return 0;
}

//  One round of waiting: the session's sockets, the stop descriptor, the local clients. Returns true to stop.
static bool s_wait (node_t *self, int stop_fd, long timeout_ms, struct pollfd *clients, int *client_count)
{
    zmq_pollitem_t items [CLIENTS_MAX + 4 + MESHLINKS_ITEMS];
    int count = self->session ? session_items (self->session, items, &timeout_ms, time_mono_ms ()) : 0;
    if (self->mesh)
        count += meshnode_items (self->mesh, items + count, &timeout_ms, time_mono_ms ());
    if (self->mesh && self->options.gpsd)
        count += gpsd_items (self->options.gpsd, items + count, &timeout_ms, time_mono_ms ());
    int stop = count;
    items [count++] = (zmq_pollitem_t){ .fd = stop_fd, .events = ZMQ_POLLIN };
    *client_count = local_items (self->local, clients, CLIENTS_MAX);
    for (int index = 0; index < *client_count; index++)
        items [count++] = (zmq_pollitem_t){ .fd = clients [index].fd,
            .events = (short)((clients [index].events & POLLIN ? ZMQ_POLLIN : 0)
                | (clients [index].events & POLLOUT ? ZMQ_POLLOUT : 0)) };
    if (zmq_poll (items, count, timeout_ms) < 0)
        for (int index = 0; index < count; index++)
            items [index].revents = 0; //  interrupted
    for (int index = 0; index < *client_count; index++) {
        short events = items [stop + 1 + index].revents;
        clients [index].revents = (short)((events & ZMQ_POLLIN ? POLLIN : 0) | (events & ZMQ_POLLOUT ? POLLOUT : 0)
            | (events & ZMQ_POLLERR ? POLLIN | POLLHUP : 0));
    }
    return items [stop].revents != 0;
}

static long s_sooner (int64_t next, long timeout_ms)
{
    return next >= 0 && next < timeout_ms ? (long)next : timeout_ms;
}

//  What neighbours brought is on disk before it is acknowledged; what follows from that may be written in turn.
static int64_t s_tend_mesh (node_t *self, int64_t now_mono_ms)
{
    int64_t next = meshnode_tend (self->mesh, now_mono_ms);
    for (int i = 0; i < 4 && nodestore_is_open (self->store); i++)
        if (!node_commit (self))
            break;
    return nodestore_is_open (self->store) ? 0 : next;
}

static void s_on_fix (void *context, int32_t lat_e7, int32_t lon_e7)
{
    node_t *self = context;
    meshnode_position (self->mesh, lat_e7, lon_e7);
}

static void s_run (node_t *self, int stop_fd)
{
    struct pollfd clients [CLIENTS_MAX];
    int client_count = 0;
    long timeout_ms = 0;
    while (!self->broken && !s_wait (self, stop_fd, timeout_ms, clients, &client_count)) {
        int64_t now_ms = time_mono_ms ();
        bool was_attached = self->attached;
        local_process (self->local, clients, client_count);
        requests_settle (self);
        timeout_ms = IDLE_MS;
        if (self->mesh)
            meshnode_process (self->mesh, now_ms);
        if (self->mesh && self->options.gpsd)
            gpsd_process (self->options.gpsd, s_on_fix, self, now_ms);
        bool linked = self->options.network == NODE_LINK;
        if (linked && !self->session && now_ms >= self->retry_ms && s_new_session (self))
            self->retry_ms = now_ms + RETRY_LINK_MS;
        if (self->session)
            timeout_ms = s_sooner (s_tend_link (self, now_ms), timeout_ms);
        else if (linked)
            timeout_ms = s_sooner (RETRY_LINK_MS, timeout_ms);
        if (self->mesh)
            timeout_ms = s_sooner (s_tend_mesh (self, now_ms), timeout_ms);
        timeout_ms = s_sooner (requests_tend (self, now_ms), timeout_ms);
        s_keep_house (self, now_ms);
        s_tell_link (self, was_attached);
        s_tell_manager (self, now_ms);
        if (self->watchdog_ms)
            timeout_ms = s_sooner (self->watchdog_ms > now_ms ? self->watchdog_ms - now_ms : 0, timeout_ms);
    }
}

int node_daemon (const daemon_args_t *args)
{
    node_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->home = args->home;
    self->options = *(const node_options_t *)args->options;
    self->is_daemon = args->adopt_fd < 0;
    self->device = device_open_as (args->home, 1u << PATROL__ROLE__NODE);
    int rc = EXIT_FAILURE;
    if (self->device && s_open_store (self) == 0 && s_open_link (self) == 0 && s_open_local (self, args) == 0) {
        s_ready (self);
        s_run (self, args->stop_fd);
        rc = self->broken ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    s_close (&self);
    return rc;
}
