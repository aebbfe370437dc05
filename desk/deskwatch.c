//  deskwatch - live feeds to the watchers of this home

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "deskwatch.h"
#include "itemjson.h"

#define QUEUE_ENOUGH (256u * 1024u) //  local.h: long answers pause above it
#define PAGE 512

typedef struct {
    local_client_t *client;
    int64_t after; //  id of the last item given
    int64_t left;  //  items still to give, -1 = no end
} watcher_t;

struct deskwatch_t {
    deskstore_t *store; //  borrowed
    watcher_t *watchers;
    int count, room;
    char *reason; //  why the link is down; NULL = it is up
    bool link_known;
    lines_t lines;
};

deskwatch_t *deskwatch_new (deskstore_t *store)
{
    assert (store);
    deskwatch_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    return self;
}

void deskwatch_destroy (deskwatch_t **self_p)
{
    assert (self_p);
    deskwatch_t *self = *self_p;
    if (!self)
        return;
    lines_clear (&self->lines);
    free (self->reason);
    free (self->watchers);
    free (self);
    *self_p = NULL;
}

//  ---- coming and going

//  -1 if the position is not one or lies outside this copy.
static int64_t s_start (deskwatch_t *self, const char *from)
{
    uint64_t incarnation, seq;
    if (strcmp (from, "last") == 0)
        return deskstore_reader (self->store);
    if (strcmp (from, "start") == 0)
        return 0;
    if (log_position_parse (&incarnation, &seq, from) == -1)
        return -1;
    return deskstore_find_position (self->store, incarnation, seq);
}

static void s_tell_link (deskwatch_t *self, local_client_t *client)
{
    if (self->link_known)
        local_send (client, json_pack ("{s:s?}", "link", self->reason));
}

void deskwatch_add (deskwatch_t *self, local_client_t *client, json_t *request)
{
    const char *from = "last";
    json_int_t count = -1;

    if (json_unpack (request, "{s?s, s?I}", "from", &from, "count", &count) == -1 || count == 0 || count < -1) {
        local_end (client, EXIT_USAGE, en_T_DESK_BAD_WATCH);
        return;
    }
    int64_t after = s_start (self, from);
    if (after == -1) {
        local_end (client, EXIT_MISSING, en_T_DESK_NO_SUCH_POSITION);
        return;
    }
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 4;
        self->watchers = realloc (self->watchers, (size_t)self->room * sizeof *self->watchers);
        if (!self->watchers)
            abort ();
    }
    self->watchers [self->count++] = (watcher_t){ .client = client, .after = after, .left = count };
    s_tell_link (self, client);
}

void deskwatch_gone (deskwatch_t *self, local_client_t *client)
{
    for (int i = self->count - 1; i >= 0; i--)
        if (self->watchers [i].client == client)
            self->watchers [i] = self->watchers [--self->count];
}

void deskwatch_link (deskwatch_t *self, const char *reason)
{
    free (self->reason);
    self->reason = reason ? strdup (reason) : NULL;
    self->link_known = true;
    for (int i = 0; i < self->count; i++)
        s_tell_link (self, self->watchers [i].client);
}

//  ---- giving

static bool s_line (void *context, int64_t id, uint64_t incarnation, const Patrol__Item *item)
{
    deskwatch_t *self = context;
    (void)id;
    lines_item (&self->lines, incarnation, item, 0);
    return self->lines.used < LINES_BATCH;
}

//  One batch. Returns false when there is nothing more for this watcher now.
static bool s_give (deskwatch_t *self, watcher_t *watcher)
{
    int limit = watcher->left >= 0 && watcher->left < PAGE ? (int)watcher->left : PAGE;
    lines_reset (&self->lines);
    int64_t upto = deskstore_read (self->store, watcher->after, limit, s_line, self);
    if (upto <= watcher->after)
        return false;
    watcher->after = upto;
    if (self->lines.count == 0)
        return true; //  damaged rows only: what follows them is still to be given
    if (watcher->left > 0)
        watcher->left -= self->lines.count;
    local_send (
        watcher->client, json_pack ("{s:s%, s:I}", "lines", self->lines.bytes, self->lines.used, "upto", (json_int_t)upto));
    return watcher->left != 0;
}

void deskwatch_pump (deskwatch_t *self)
{
    for (int i = self->count - 1; i >= 0; i--) {
        //  a client that is dropped while we send calls deskwatch_gone; take nothing from the array afterwards
        watcher_t watcher = self->watchers [i];
        bool more = true;
        while (more && watcher.after < deskstore_newest (self->store) && local_queued (watcher.client) < QUEUE_ENOUGH)
            more = s_give (self, &watcher);
        if (i >= self->count || self->watchers [i].client != watcher.client)
            continue;
        self->watchers [i] = watcher;
        if (watcher.left == 0) {
            deskwatch_gone (self, watcher.client);
            local_end (watcher.client, EXIT_DONE, NULL);
        }
    }
}
