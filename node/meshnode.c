//  meshnode - see meshnode.h
//
//  Every call of the routing core is followed by s_act, which does what the core asks for. The clock of the core is
//  CLOCK_BOOTTIME, that of links and timers the monotonic one; both in milliseconds.

#include "meshnode.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meshgate.h"
#include "meshmail.h"
#include "meshreceipt.h"
#include "meshreport.h"
#include "meshword.h"
#include "timefmt.h"

#define OWN_MAX 1000      //  own envelopes with the core at a time: the most pressing and oldest ones
#define OWN_WAIT_MS 10000 //  with a session of our own, only what was not taken after this needs neighbours
#define OWN_LOOK_MS 2000
#define OWN_SOON_MS 50 //  when something was written: an import is not looked at row by row
#define UPDATE_MS 5000 //  what changed of a copy is written after this at the latest
#define AGAIN_MS 100   //  a link whose queue was full is tried again
#define TOLD_MS 1500   //  an own envelope is told to the epochs when its own receipt has had time to come
#define BAN_MS (10 * 60000)
#define REACH_ASK 64

struct meshnode_t {
    meshnode_parts_t parts;
    mesh_t *mesh;
    meshlinks_t *links;
    meshstore_t *kept;
    meshmail_t *mail;
    meshgate_t *gate;
    session_t *session; //  attached, or NULL
    mesh_settings_t settings;

    int64_t *own; //  outbox rows that the core knows, ascending
    size_t own_count;
    int64_t own_looked_ms;
    uint64_t own_changes;

    uint8_t (*storing) [MESH_MID]; //  taken in this round, not committed yet
    size_t storing_count, storing_room;
    const uint8_t *incoming; //  the envelope that mesh_tip_in is about
    size_t incoming_size;
    uint32_t incoming_day;

    uint32_t blocked [MESHLINKS_MAX]; //  links whose queue was full
    size_t blocked_count;
    int64_t core_due_ms; //  clock of the core
    int64_t signed_ms;   //  newest time the broker has signed
    uint8_t revoked [WORD_MAX];
    size_t revoked_size;
    uint64_t offences [MESH_OFFENCES];
};

static void s_act (meshnode_t *self);

//  ---- own envelopes

static size_t s_own_at (const meshnode_t *self, int64_t row)
{
    size_t low = 0, high = self->own_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->own [middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool s_is_own (const meshnode_t *self, int64_t row)
{
    size_t at = s_own_at (self, row);
    return at < self->own_count && self->own [at] == row;
}

static void s_add_own (meshnode_t *self, int64_t row)
{
    size_t at = s_own_at (self, row);
    if ((at < self->own_count && self->own [at] == row) || self->own_count == OWN_MAX)
        return;
    memmove (self->own + at + 1, self->own + at, (self->own_count - at) * sizeof *self->own);
    self->own [at] = row;
    self->own_count++;
}

static void s_drop_own (meshnode_t *self, int64_t row)
{
    size_t at = s_own_at (self, row);
    if (at >= self->own_count || self->own [at] != row)
        return;
    self->own_count--;
    memmove (self->own + at, self->own + at + 1, (self->own_count - at) * sizeof *self->own);
}

//  The row goes to the store first: a restart finds it with the core's state of the copy.
static void s_give_own (meshnode_t *self, const outbox_entry_t *entry)
{
    uint8_t bytes [ENVELOPE_MAX];
    envelope_header_t header;
    size_t size = outbox_sealed (self->parts.outbox, entry->row, bytes);
    if (!size || envelope_parse (&header, bytes, size))
        return;
    int64_t age_ms = time_now_ms () - entry->written_ms, row;
    mesh_tip_t known,
        tip = { .cls = (uint8_t)header.cls,
            .own = true,
            .tokens = self->settings.tokens [header.cls],
            .best = UINT16_MAX,
            .size = (uint32_t)size,
            .life_s = header.life_h * 3600,
            .age_ms = age_ms > 0 ? age_ms : 0 };
    envelope_mid (tip.mid, bytes, size);
    memcpy (tip.origin, header.handle, HANDLE_SIZE);
    s_add_own (self, entry->row); //  also what has outlived its life: it is not looked at again
    if (tip.age_ms >= (int64_t)tip.life_s * 1000 || meshstore_tip (self->kept, tip.mid, &known, &row)
        || meshstore_put (self->kept, &tip, entry->row, NULL, 0))
        return;
    mesh_own (self->mesh, &tip, meshstore_clock_ms ());
    s_act (self);
}

//  With a session of our own, neighbours are for what it does not take; without one, for everything.
static void s_look_for_own (meshnode_t *self, int64_t now_mono_ms)
{
    outbox_entry_t entries [64];
    bool changed = self->own_changes != outbox_changes (self->parts.outbox);
    if (now_mono_ms - self->own_looked_ms < (changed ? OWN_SOON_MS : OWN_LOOK_MS))
        return;
    self->own_changes = outbox_changes (self->parts.outbox);
    self->own_looked_ms = now_mono_ms;
    int64_t before_ms = self->session ? time_now_ms () - OWN_WAIT_MS : INT64_MAX;
    for (int cls = CLASS_SOS; cls < CLASS_COUNT; cls++) {
        int64_t after = 0;
        int count = 64;
        while (count == 64 && self->own_count < OWN_MAX) {
            count = outbox_open_entries (self->parts.outbox, (class_t)cls, after, entries, 64);
            for (int i = 0; i < count; i++) {
                after = entries [i].row;
                if (entries [i].written_ms < before_ms && !entries [i].taken && !s_is_own (self, after))
                    s_give_own (self, &entries [i]);
            }
        }
    }
}

//  ---- what the core asks for

static void s_put (meshnode_t *self, const mesh_tip_t *tip)
{
    if (tip->own || !self->incoming)
        return; //  an own one was written before the core was told of it
    if (meshstore_put (self->kept, tip, 0, self->incoming, self->incoming_size))
        return; //  spoilt: the commit fails and says so
    meshstore_reach (self->kept, tip->origin, self->incoming_day);
    if (self->storing_count == self->storing_room) {
        self->storing_room = self->storing_room ? self->storing_room * 2 : 16;
        self->storing = realloc (self->storing, self->storing_room * sizeof *self->storing);
        if (!self->storing)
            abort ();
    }
    memcpy (self->storing [self->storing_count++], tip->mid, MESH_MID);
}

//  A tip's envelope wherever it lies. 0 if it is gone.
static size_t s_envelope (meshnode_t *self, const uint8_t *mid, uint8_t out [ENVELOPE_MAX], mesh_tip_t *tip, int64_t *row)
{
    if (!meshstore_tip (self->kept, mid, tip, row))
        return 0;
    return *row ? outbox_sealed (self->parts.outbox, *row, out) : meshstore_envelope (self->kept, mid, out);
}

static void s_block (meshnode_t *self, uint32_t link)
{
    for (size_t i = 0; i < self->blocked_count; i++)
        if (self->blocked [i] == link)
            return;
    if (self->blocked_count < MESHLINKS_MAX)
        self->blocked [self->blocked_count++] = link;
}

static void s_send_tip (meshnode_t *self, uint32_t link)
{
    uint8_t bytes [ENVELOPE_MAX];
    mesh_outgoing_t out;
    mesh_tip_t tip;
    int64_t row, now = meshstore_clock_ms ();
    if (!mesh_next_tip (self->mesh, link, &out, now))
        return;
    size_t size = s_envelope (self, out.mid, bytes, &tip, &row);
    mesh_sending (self->mesh, link, out.mid, now);
    bool sent = size && meshlinks_send (self->links, link, MESHFRAME_TIP, out.head, MESH_HEAD, bytes, size) == 0;
    if (!sent)
        s_block (self, link); //  what else it waits for is looked at soon
    mesh_sent (self->mesh, link, out.mid, sent, now);
    if (!size)
        mesh_withdraw (self->mesh, out.mid, now); //  its bytes are gone: nothing can be offered any more
}

static void s_end_link (meshnode_t *self, uint32_t link, int64_t ban_ms)
{
    meshlinks_end (self->links, link, ban_ms, time_mono_ms ());
    meshmail_link_down (self->mail, link);
    mesh_link_down (self->mesh, link, meshstore_clock_ms ());
}

static void s_on_own_carried (meshnode_t *self, const uint8_t *mid)
{
    mesh_tip_t tip;
    int64_t row;
    if (meshstore_tip (self->kept, mid, &tip, &row) && row)
        outbox_carried (self->parts.outbox, row, time_now_ms ());
}

static void s_on_own_accepted (meshnode_t *self, const uint8_t *mid)
{
    mesh_tip_t tip;
    int64_t row;
    if (meshstore_tip (self->kept, mid, &tip, &row) && row)
        self->parts.word (self->parts.context, row);
}

static void s_erase (meshnode_t *self, const uint8_t *mid)
{
    meshgate_done (self->gate, mid);
    meshstore_erase (self->kept, mid);
}

static void s_submit (meshnode_t *self, const uint8_t *mid)
{
    mesh_tip_t tip;
    int64_t row;
    //  what is carried is due at once, whatever came first: the gate goes by class
    if (meshstore_tip (self->kept, mid, &tip, &row))
        meshgate_add (self->gate, mid, (class_t)tip.cls, row ? time_mono_ms () + TOLD_MS : 0);
}

static void s_keep_revoked (meshnode_t *self, const mesh_action_t *action)
{
    if (action->size > sizeof self->revoked)
        return;
    memcpy (self->revoked, action->bytes, action->size);
    self->revoked_size = action->size;
    meshstore_keep_revoked (self->kept, action->number, action->bytes, action->size);
    meshlinks_recheck (self->links, time_mono_ms ());
}

static void s_act_one (meshnode_t *self, const mesh_action_t *action)
{
    switch (action->kind) {
    case MESH_SEND:
        //  A neighbour that does not take even our words is stuck; it begins anew when it is met again.
        if (meshlinks_send (self->links, action->link, MESHFRAME_MESH, action->bytes, action->size, NULL, 0))
            s_end_link (self, action->link, 0);
        break;
    case MESH_READY:
        s_send_tip (self, action->link);
        break;
    case MESH_PUT:
        s_put (self, action->tip);
        break;
    case MESH_UPDATE:
        meshstore_update (self->kept, action->tip);
        break;
    case MESH_ERASE:
        s_erase (self, action->mid);
        break;
    case MESH_CARRIED:
        s_on_own_carried (self, action->mid);
        break;
    case MESH_ACCEPTED:
        s_on_own_accepted (self, action->mid);
        break;
    case MESH_SUBMIT:
        s_submit (self, action->mid);
        break;
    case MESH_KEEP_EPOCH:
        meshstore_keep_epoch (self->kept, action->series, action->number, action->bytes, action->size);
        break;
    case MESH_FORGET_EPOCH:
        meshstore_forget_epoch (self->kept, action->series, action->number);
        break;
    case MESH_KEEP_REVOKED:
        s_keep_revoked (self, action);
        break;
    case MESH_OFFENCE:
        self->offences [action->offence]++;
        break;
    case MESH_CLOSE:
        s_end_link (self, action->link, BAN_MS);
        break;
    }
}

static void s_act (meshnode_t *self)
{
    mesh_action_t action;
    while (mesh_next_action (self->mesh, &action))
        s_act_one (self, &action);
}

//  ---- links

static void s_on_up (void *context, uint32_t link, const credential_t *who, const uint8_t *routing)
{
    meshnode_t *self = context;
    mesh_link_up (self->mesh, link, who->device_key, routing, meshstore_clock_ms ());
    meshmail_link_up (self->mail, link);
    s_act (self);
}

static void s_on_down (void *context, uint32_t link, const char *reason)
{
    meshnode_t *self = context;
    (void)reason;
    meshmail_link_down (self->mail, link);
    mesh_link_down (self->mesh, link, meshstore_clock_ms ());
    s_act (self);
}

//  Head and envelope. What it is called is computed here, never believed.
static void s_on_tip (meshnode_t *self, uint32_t link, const uint8_t *body, size_t size)
{
    envelope_header_t header;
    uint8_t mid [MID_SIZE];
    int64_t now = meshstore_clock_ms ();
    const uint8_t *envelope = body + MESH_HEAD;
    if (size <= MESH_HEAD || envelope_parse (&header, envelope, size - MESH_HEAD)
        || memcmp (header.district, device_credential (self->parts.device)->district, DISTRICT_SIZE) != 0) {
        mesh_bad_tip (self->mesh, link, now);
        s_act (self);
        return;
    }
    envelope_mid (mid, envelope, size - MESH_HEAD);
    mesh_facts_t facts = { .mid = mid,
        .origin = header.handle,
        .cls = (uint8_t)header.cls,
        .size = (uint32_t)(size - MESH_HEAD),
        .life_s = header.life_h * 3600 };
    self->incoming = envelope;
    self->incoming_size = size - MESH_HEAD;
    self->incoming_day = header.day;
    mesh_tip_in (self->mesh, link, body, &facts, now);
    s_act (self);
    self->incoming = NULL;
}

static void s_on_frame (void *context, uint32_t link, meshframe_t type, const uint8_t *body, size_t size)
{
    meshnode_t *self = context;
    switch (type) {
    case MESHFRAME_TIP:
        s_on_tip (self, link, body, size);
        return;
    case MESHFRAME_MESH:
        mesh_frame_in (self->mesh, link, body, size, meshstore_clock_ms ());
        s_act (self);
        //  An acknowledgement makes room for the next one, without a word of the core.
        s_send_tip (self, link);
        s_act (self);
        return;
    case MESHFRAME_LETTER:
    case MESHFRAME_LETTERS:
    case MESHFRAME_WANTED:
        if (meshmail_frame (self->mail, link, type, body, size, time_now_ms ()) < 0)
            mesh_offend (self->mesh, link, MESH_BAD_FRAME, meshstore_clock_ms ());
        s_act (self);
        return;
    case MESHFRAME_CARD:
    case MESHFRAME_ANSWER:
    case MESHFRAME_PROOF:
    case MESHFRAME_REFUSE:
    case MESHFRAME_PING:
        return;
    }
}

static void s_on_heard (void *context, uint32_t link, const uint8_t routing [BEACON_ROUTING])
{
    meshnode_t *self = context;
    mesh_beacon_in (self->mesh, link, routing, meshstore_clock_ms ());
    s_act (self);
}

static mesh_link_worth_t s_on_worth (void *context, const uint8_t routing [BEACON_ROUTING])
{
    meshnode_t *self = context;
    return mesh_link_worth (self->mesh, routing, meshstore_clock_ms ());
}

static bool s_on_revoked (void *context, const uint8_t link_key [KEY_SIZE])
{
    const meshnode_t *self = context;
    word_t word;
    return self->revoked_size && word_parse (&word, self->revoked, self->revoked_size) == 0 && revoked_has (&word, link_key);
}

static int64_t s_judge_ms (void *context)
{
    const meshnode_t *self = context;
    int64_t now_ms = time_now_ms ();
    return now_ms > self->signed_ms ? now_ms : self->signed_ms;
}

//  ---- the broker's signed words, judged for the core

static bool s_epoch_valid (void *context, const uint8_t *bytes, size_t size)
{
    meshnode_t *self = context;
    meshreceipt_epoch_t epoch;
    const uint8_t *key = device_receipts_key (self->parts.device);
    if (!key || meshreceipt_epoch_parse (&epoch, bytes, size) || !meshreceipt_epoch_verify (bytes, size, key))
        return false;
    if ((int64_t)epoch.closed_s * 1000 > self->signed_ms)
        self->signed_ms = (int64_t)epoch.closed_s * 1000;
    return true;
}

static bool s_single_valid (void *context, const uint8_t *bytes, const uint8_t *mid)
{
    const meshnode_t *self = context;
    const uint8_t *key = device_receipts_key (self->parts.device);
    return key && meshreceipt_single_verify (bytes, mid, key);
}

static bool s_revocations_valid (void *context, uint32_t number, const uint8_t *bytes, size_t size)
{
    const meshnode_t *self = context;
    const uint8_t *key = device_receipts_key (self->parts.device);
    word_t word;
    return key && word_verify (&word, bytes, size, key) == 0 && word.kind == WORD_REVOKED && word.number == number
        && memcmp (word.district, device_credential (self->parts.device)->district, DISTRICT_SIZE) == 0;
}

static void s_signed_at (void *context, int64_t ms)
{
    meshnode_t *self = context;
    if (ms > self->signed_ms)
        self->signed_ms = ms;
}

static bool s_mail_send (
    void *context, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    meshnode_t *self = context;
    return meshlinks_send (self->links, link, type, a, a_size, b, b_size) == 0;
}

static void s_mail_ours (void *context, const Patrol__MeshLetter *letter)
{
    meshnode_t *self = context;
    self->parts.letter (self->parts.context, letter);
}

static void s_beacon (meshnode_t *self)
{
    uint8_t routing [BEACON_ROUTING];
    mesh_beacon (self->mesh, routing, meshstore_clock_ms ());
    meshlinks_beacon (self->links, routing);
}

//  ---- open and close

static int s_restore_tip (void *context, const mesh_tip_t *tip)
{
    meshnode_t *self = context;
    return mesh_restore_tip (self->mesh, tip, meshstore_clock_ms ());
}

static void s_restore_epoch (void *context, const uint8_t *bytes, size_t size)
{
    meshnode_t *self = context;
    mesh_restore_epoch (self->mesh, bytes, size, meshstore_clock_ms ());
}

//  If the last was closed longer ago than a tip can live none of them names one, and neighbours say of numbers only what is near to their
//  own: a node that was away for weeks begins anew.
static void s_restore_epochs (meshnode_t *self)
{
    meshreceipt_epoch_t last;
    meshstore_newest_epoch (self->kept, &last);
    if (last.number && last.closed_s + (int64_t)LIFE_MAX_H * 3600 < time_now_ms () / 1000)
        meshstore_forget_epoch (self->kept, last.series, last.number);
    else
        meshstore_each_epoch (self->kept, s_restore_epoch, self);
}

static void s_restore (meshnode_t *self)
{
    uint32_t number;
    s_restore_epochs (self);
    self->revoked_size = meshstore_revoked (self->kept, &number, self->revoked, sizeof self->revoked);
    if (self->revoked_size)
        mesh_restore_revocations (self->mesh, number, self->revoked, self->revoked_size);
    if (nodestore_begin (self->parts.store) == 0)
        meshstore_each (self->kept, s_restore_tip, self);
    s_act (self);
    s_beacon (self);
}

meshnode_t *meshnode_new (const meshnode_parts_t *parts, const meshlinks_options_t *links)
{
    static const meshlinks_handler_t on_links = { .up = s_on_up,
        .down = s_on_down,
        .frame = s_on_frame,
        .heard = s_on_heard,
        .worth = s_on_worth,
        .revoked = s_on_revoked,
        .judge_ms = s_judge_ms };
    static const meshmail_handler_t on_mail = { .send = s_mail_send, .ours = s_mail_ours, .signed_at = s_signed_at };
    meshnode_t *self = calloc (1, sizeof *self);
    uint64_t seed;
    if (!self)
        abort ();
    self->parts = *parts;
    self->own = calloc (OWN_MAX, sizeof *self->own);
    if (!self->own)
        abort ();
    self->settings = (mesh_settings_t){
        .epoch_valid = s_epoch_valid, .single_valid = s_single_valid, .revocations_valid = s_revocations_valid, .arg = self
    };
    mesh_settings_default (&self->settings);
    randombytes_buf (&seed, sizeof seed);
    self->kept = meshstore_open (parts->store);
    self->mesh = mesh_new (&self->settings, device_keys (parts->device)->public_key, seed, meshstore_clock_ms ());
    self->mail = meshmail_new (self->kept, parts->device, &on_mail, self);
    self->gate = meshgate_new ();
    self->links = meshlinks_new (parts->zmq, parts->device, links, &on_links, self);
    if (!self->links) {
        meshnode_destroy (&self);
        return NULL;
    }
    s_restore (self);
    return self;
}

void meshnode_destroy (meshnode_t **self_p)
{
    meshnode_t *self = *self_p;
    if (!self)
        return;
    meshlinks_destroy (&self->links);
    meshgate_destroy (&self->gate);
    meshmail_destroy (&self->mail);
    mesh_destroy (&self->mesh);
    meshstore_close (&self->kept);
    free (self->storing);
    free (self->own);
    free (self);
    *self_p = NULL;
}

//  ---- the loop

int meshnode_items (meshnode_t *self, zmq_pollitem_t *items, long *timeout_ms, int64_t now_mono_ms)
{
    return meshlinks_items (self->links, items, timeout_ms, now_mono_ms);
}

void meshnode_process (meshnode_t *self, int64_t now_mono_ms)
{
    s_look_for_own (self, now_mono_ms);
    meshlinks_process (self->links, now_mono_ms);
    s_act (self);
}

void meshnode_committed (meshnode_t *self, bool ok)
{
    //  What the core does about it may take and write further ones: those belong to the next commit.
    size_t count = self->storing_count;
    uint8_t (*storing) [MESH_MID] = self->storing;
    self->storing = NULL;
    self->storing_count = self->storing_room = 0;
    for (size_t i = 0; i < count; i++)
        mesh_stored (self->mesh, storing [i], ok, meshstore_clock_ms ());
    free (storing);
    s_act (self);
}

void meshnode_position (meshnode_t *self, int32_t lat_e7, int32_t lon_e7)
{
    mesh_position (self->mesh, lat_e7, lon_e7, meshstore_clock_ms ());
    s_act (self);
}

static gate_t s_hand_over (void *context, lane_t lane, const uint8_t mid [MID_SIZE])
{
    meshnode_t *self = context;
    uint8_t bytes [ENVELOPE_MAX + CARRIED_SIZE];
    mesh_tip_t tip;
    int64_t row;
    size_t size = s_envelope (self, mid, bytes, &tip, &row);
    if (!size)
        return GATE_GONE;
    carried_t carried = { .hops = tip.hops, .age_s = (uint32_t)(tip.age_ms / 1000), .told = true };
    carried_write (bytes + size, &carried);
    return session_submit (self->session, lane, bytes, size + CARRIED_SIZE) ? GATE_SENT : GATE_FULL;
}

static void s_unblock (meshnode_t *self)
{
    uint32_t links [MESHLINKS_MAX];
    size_t count = self->blocked_count;
    memcpy (links, self->blocked, sizeof links);
    self->blocked_count = 0;
    for (size_t i = 0; i < count; i++)
        s_send_tip (self, links [i]);
    if (count)
        s_act (self);
}

int64_t meshnode_tend (meshnode_t *self, int64_t now_mono_ms)
{
    int64_t now = meshstore_clock_ms (), next = -1;
    s_unblock (self);
    self->core_due_ms = mesh_tick (self->mesh, now);
    s_act (self);
    meshmail_tend (self->mail, time_now_ms ());
    s_beacon (self);
    meshstore_flush (self->kept, UPDATE_MS);
    if (self->session)
        next = meshgate_run (self->gate, now_mono_ms, s_hand_over, self);
    int64_t wait = self->core_due_ms > now ? self->core_due_ms - now : 0;
    if (self->blocked_count && wait > AGAIN_MS)
        wait = AGAIN_MS;
    return next >= 0 && next < wait ? next : wait;
}

//  ---- the session with the broker

void meshnode_attach (meshnode_t *self, Patrol__Attach *attach, arena_t *arena)
{
    uint8_t handles [REACH_ASK][HANDLE_SIZE];
    uint32_t days [REACH_ASK];
    Patrol__MeshAttach *mesh = arena_alloc (arena, sizeof *mesh);
    int count = meshstore_reach_newest (self->kept, handles, days, REACH_ASK);
    mesh_counters_t counters;
    mesh_counters (self->mesh, &counters, meshstore_clock_ms ());
    if (!mesh)
        return;
    patrol__mesh_attach__init (mesh);
    meshreceipt_epoch_t newest;
    meshstore_newest_epoch (self->kept, &newest);
    mesh->series = newest.series;
    mesh->newest = newest.number;
    mesh->revoked = counters.revocations;
    mesh->reach = arena_alloc (arena, (size_t)count * sizeof *mesh->reach + 1);
    for (int i = 0; mesh->reach && i < count; i++) {
        Patrol__MeshHandle *handle = arena_alloc (arena, sizeof *handle);
        uint8_t *bytes = arena_alloc (arena, HANDLE_SIZE);
        if (!handle || !bytes)
            break;
        patrol__mesh_handle__init (handle);
        memcpy (bytes, handles [i], HANDLE_SIZE);
        handle->day = days [i];
        handle->handle = (ProtobufCBinaryData){ HANDLE_SIZE, bytes };
        mesh->reach [mesh->n_reach++] = handle;
    }
    attach->mesh = mesh;
}

void meshnode_session (meshnode_t *self, session_t *session)
{
    bool was = self->session != NULL;
    self->session = session;
    if (session && !was)
        mesh_broker_up (self->mesh, meshstore_clock_ms ());
    if (!session && was) {
        meshgate_clear (self->gate);
        mesh_broker_down (self->mesh, meshstore_clock_ms ());
    }
    s_act (self);
}

void meshnode_news (meshnode_t *self, const Patrol__MeshNews *news)
{
    int64_t now = meshstore_clock_ms ();
    word_t word;
    for (size_t i = 0; i < news->n_epochs; i++)
        mesh_epoch_in (self->mesh, news->epochs [i].data, news->epochs [i].len, now);
    if (news->revoked.len && word_parse (&word, news->revoked.data, news->revoked.len) == 0 && word.number <= UINT32_MAX)
        mesh_revocations_in (self->mesh, (uint32_t)word.number, news->revoked.data, news->revoked.len, now);
    for (size_t i = 0; i < news->n_taken; i++) {
        const Patrol__MeshTaken *taken = news->taken [i];
        if (taken->mid.len != MID_SIZE || (taken->single.len && taken->single.len != MESHRECEIPT_SINGLE))
            continue;
        //  The core may forget the copy with the first word: the gate looks no more for it.
        meshgate_done (self->gate, taken->mid.data);
        mesh_accepted (self->mesh, taken->mid.data, taken->single.len ? taken->single.data : NULL, now);
        s_act (self);
    }
    for (size_t i = 0; i < news->n_letters; i++)
        if (meshmail_from_broker (self->mail, news->letters [i].data, news->letters [i].len, time_now_ms ()))
            fprintf (stderr, "mesh: a letter of the broker is not signed by the district's receipts key\n");
    s_act (self);
}

//  Copies of it may be about, so its mid is wanted in an epoch: it is handed over once more, with a trailer.
void meshnode_settled (meshnode_t *self, int64_t row)
{
    uint8_t bytes [ENVELOPE_MAX], mid [MID_SIZE];
    mesh_tip_t tip;
    int64_t kept_row;
    if (!s_is_own (self, row))
        return;
    size_t size = outbox_sealed (self->parts.outbox, row, bytes);
    if (size)
        envelope_mid (mid, bytes, size);
    s_drop_own (self, row);
    if (!size || !meshstore_tip (self->kept, mid, &tip, &kept_row))
        return;
    mesh_accepted (self->mesh, mid, NULL, meshstore_clock_ms ());
    s_act (self);
    if (self->session)
        meshgate_add (self->gate, mid, (class_t)tip.cls, time_mono_ms ());
}

//  ---- what there is to see

json_t *meshnode_view (meshnode_t *self)
{
    meshreport_t from = { .mesh = self->mesh,
        .links = self->links,
        .settings = &self->settings,
        .offences = self->offences,
        .waiting = meshgate_count (self->gate),
        .letters = meshmail_count (self->mail),
        .now = meshstore_clock_ms () };
    return meshreport (&from);
}
