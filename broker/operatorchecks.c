//  operatorchecks - verify, backup, a gazetteer's index: long work on a thread of its own, one at a time, while the core goes on

#include "operator_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backup.h"
#include "cli.h"
#include "timefmt.h"
#include "verify.h"

struct check_t {
    pthread_t thread;
    int fd;                 //  readable when the work is done
    local_client_t *client; //  NULL once it has left
    const char *home;
    char *path;  //  backup: its target
    char *bytes; //  places load: the file; with neither: verify
    size_t size;
    datum_t datum;
    places_t *places;
    char *reason;
    box_keys_t keys;
    uint8_t digest [32];
    char counts [400];
    uint64_t applied;
    json_t *result;
    int rc;
};

static void *s_work (void *arg)
{
    check_t *check = arg;
    if (check->bytes)
        check->places = places_load (check->bytes, check->size, check->datum, &check->reason);
    else if (check->path)
        check->rc = backup_make (check->home, check->path);
    else {
        const verify_t verify = { .home = check->home,
            .core_keys = &check->keys,
            .digest = check->digest,
            .counts = check->counts,
            .applied = check->applied };
        check->result = verify_run (&verify);
    }
    uint64_t one = 1;
    if (write (check->fd, &one, sizeof one) < 0)
        perror ("core: eventfd");
    return NULL;
}

static void s_free (check_t *check)
{
    json_decref (check->result);
    identity_wipe (&check->keys, sizeof check->keys);
    if (check->fd >= 0)
        close (check->fd);
    places_destroy (&check->places);
    free (check->reason);
    free (check->bytes);
    free (check->path);
    free (check);
}

//  NULL, and the client is told, while other work is under way.
static check_t *s_new (core_t *self, local_client_t *client)
{
    if (self->check) {
        operator_fail (
            client, EXIT_FAILED, "a verify, a backup or a load of places is under way; try again when it is done");
        return NULL;
    }
    check_t *check = calloc (1, sizeof *check);
    if (!check)
        abort ();
    check->home = self->home;
    check->client = client;
    check->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    return check;
}

//  Takes the check.
static void s_start (core_t *self, check_t *check)
{
    if (check->fd < 0 || pthread_create (&check->thread, NULL, s_work, check)) {
        operator_fail (check->client, EXIT_FAILED, strerror (errno));
        s_free (check);
        return;
    }
    self->check = check;
}

static void s_start_on_state (core_t *self, local_client_t *client, const char *path)
{
    check_t *check = s_new (self, client);
    if (!check)
        return;
    state_t *state = engine_state (self->engine);
    check->path = path ? strdup (path) : NULL;
    check->keys = *engine_core_keys (self->engine);
    if (state_commit (state, time_now_ms (), true)) {
        self->failed = true;
        s_free (check);
        return;
    }
    if (!path)
        state_digest (state, check->digest, check->counts, sizeof check->counts);
    check->applied = state_applied (state);
    s_start (self, check);
}

void operator_verify (core_t *self, local_client_t *client, json_t *request)
{
    (void)request;
    s_start_on_state (self, client, NULL);
}

void operator_backup (core_t *self, local_client_t *client, json_t *request)
{
    const char *path = json_string_value (json_object_get (request, "file"));
    if (path)
        s_start_on_state (self, client, path);
    else
        operator_fail (client, EXIT_USAGE, "FILE is needed");
}

void checks_load_places (core_t *self, local_client_t *client, char *bytes, size_t size, datum_t datum)
{
    check_t *check = s_new (self, client);
    if (!check) {
        free (bytes);
        return;
    }
    check->bytes = bytes;
    check->size = size;
    check->datum = datum;
    s_start (self, check);
}

int checks_fd (const core_t *self)
{
    return self->check ? self->check->fd : -1;
}

static void s_finish_places (core_t *self, check_t *check)
{
    if (check->places && !self->failed)
        operator_places_loaded (self, check->client, &check->places, check->bytes, check->size, check->datum);
    else if (check->client)
        operator_fail (check->client, EXIT_FAILED, check->reason ? check->reason : "the core is ending");
}

static void s_finish (check_t *check)
{
    bool ok = check->path ? check->rc == 0 : json_is_true (json_object_get (check->result, "ok"));
    if (!check->client)
        return;
    if (check->result)
        local_send (check->client, json_incref (check->result));
    local_end (check->client, ok ? EXIT_DONE : EXIT_FAILED,
        ok                ? NULL
            : check->path ? "the backup was not made; the broker's journal says why"
                          : "log, state and audit trail do not agree");
}

void checks_finish (core_t *self)
{
    check_t *check = self->check;
    if (!check)
        return;
    self->check = NULL;
    pthread_join (check->thread, NULL);
    if (check->bytes)
        s_finish_places (self, check);
    else
        s_finish (check);
    s_free (check);
}

void checks_gone (core_t *self, local_client_t *client)
{
    if (self->check && self->check->client == client)
        self->check->client = NULL;
}
