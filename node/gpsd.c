//  gpsd - see gpsd.h

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpsd.h"

#define LINE_MAX_BYTES 8192 //  gpsd's own limit is 10,240 for all it may say; a position is in some hundreds
#define RETRY_MS 10000
#define GAP_MS 10000      //  between two fixes that are passed on
#define PRECISE_M 100     //  a fix that says to be worse than this is none
#define MODE_2D 2         //  "mode" of a TPV: the position is known
#define DEGREES_E7 10000000

static const char s_watch [] = "?WATCH={\"enable\":true,\"json\":true};\n";

struct gpsd_t {
    char endpoint [300];
    struct sockaddr_storage address;
    socklen_t address_size;
    int fd; //  -1 = none
    bool connecting, failing;
    int64_t retry_ms, passed_ms; //  monotonic; passed_ms 0 = never
    char time_told [32];
    char line [LINE_MAX_BYTES];
    size_t used;
    bool skipping; //  the rest of a line that was too long
};

gpsd_t *gpsd_new (const char *endpoint)
{
    const char *colon = strrchr (endpoint, ':');
    char host [256];
    size_t size = colon ? (size_t)(colon - endpoint) : 0;
    if (size == 0 || size >= sizeof host || !colon [1])
        return NULL;
    bool brackets = endpoint [0] == '[' && endpoint [size - 1] == ']';
    snprintf (host, sizeof host, "%.*s", (int)(brackets ? size - 2 : size), endpoint + brackets);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
    if ((!brackets && strchr (host, ':')) || getaddrinfo (host, colon + 1, &hints, &found) || !found)
        return NULL;
    gpsd_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = -1;
    memcpy (&self->address, found->ai_addr, found->ai_addrlen);
    self->address_size = found->ai_addrlen;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    freeaddrinfo (found);
    return self;
}

//  Told once until it works again.
static void s_fail (gpsd_t *self, const char *why, int64_t now_mono_ms)
{
    if (!self->failing)
        fprintf (stderr, "gpsd: %s: %s; trying every %d s\n", self->endpoint, why, RETRY_MS / 1000);
    self->failing = true;
    self->connecting = false;
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
    self->retry_ms = now_mono_ms + RETRY_MS;
}

void gpsd_destroy (gpsd_t **self_p)
{
    if (*self_p && (*self_p)->fd >= 0)
        close ((*self_p)->fd);
    free (*self_p);
    *self_p = NULL;
}

static void s_connect (gpsd_t *self, int64_t now_mono_ms)
{
    self->used = 0;
    self->skipping = false;
    self->fd = socket (self->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    self->connecting = true;
    if (self->fd < 0
        || (connect (self->fd, (struct sockaddr *)&self->address, self->address_size) && errno != EINPROGRESS))
        s_fail (self, strerror (errno), now_mono_ms);
}

int gpsd_items (gpsd_t *self, zmq_pollitem_t *item, long *timeout_ms, int64_t now_mono_ms)
{
    if (self->fd < 0 && now_mono_ms >= self->retry_ms)
        s_connect (self, now_mono_ms);
    if (self->fd < 0) {
        int64_t wait = self->retry_ms - now_mono_ms;
        *timeout_ms = wait < *timeout_ms ? (long)wait : *timeout_ms;
        return 0;
    }
    *item = (zmq_pollitem_t){ .fd = self->fd, .events = self->connecting ? ZMQ_POLLOUT : ZMQ_POLLIN };
    return 1;
}

static bool s_number (const json_t *object, const char *key, double most, double *out)
{
    const json_t *value = json_object_get (object, key);
    *out = json_number_value (value);
    return json_is_number (value) && isfinite (*out) && fabs (*out) <= most;
}

int gpsd_parse (const char *line, size_t size, char time_told [32], int32_t *lat_e7, int32_t *lon_e7)
{
    json_t *object = json_loadb (line, size, 0, NULL);
    const char *class = json_string_value (json_object_get (object, "class"));
    const char *time = json_string_value (json_object_get (object, "time"));
    double lat, lon, eph;
    int rc = -1;
    //  a fix without a time cannot be told from the last one
    if (class && strcmp (class, "TPV") == 0 && json_integer_value (json_object_get (object, "mode")) >= MODE_2D && time
        && strlen (time) < 32 && strcmp (time, time_told) != 0 && s_number (object, "lat", 90, &lat)
        && s_number (object, "lon", 180, &lon) && (!s_number (object, "eph", 1e9, &eph) || eph <= PRECISE_M)) {
        snprintf (time_told, 32, "%s", time);
        *lat_e7 = (int32_t)lround (lat * DEGREES_E7);
        *lon_e7 = (int32_t)lround (lon * DEGREES_E7);
        rc = 0;
    }
    json_decref (object);
    return rc;
}

static void s_line (gpsd_t *self, size_t size, gpsd_fix_fn *fix, void *context, int64_t now_mono_ms)
{
    int32_t lat_e7, lon_e7;
    if (self->passed_ms && now_mono_ms - self->passed_ms < GAP_MS)
        return;
    if (gpsd_parse (self->line, size, self->time_told, &lat_e7, &lon_e7))
        return;
    self->passed_ms = now_mono_ms;
    fix (context, lat_e7, lon_e7);
}

static void s_lines (gpsd_t *self, gpsd_fix_fn *fix, void *context, int64_t now_mono_ms)
{
    char *end;
    while ((end = memchr (self->line, '\n', self->used))) {
        size_t size = (size_t)(end - self->line);
        if (!self->skipping)
            s_line (self, size, fix, context, now_mono_ms);
        self->skipping = false;
        self->used -= size + 1;
        memmove (self->line, end + 1, self->used);
    }
    if (self->used == sizeof self->line) {
        self->skipping = true;
        self->used = 0;
    }
}

//  The connection stands, or failed, or is still being made.
static void s_greet (gpsd_t *self, int64_t now_mono_ms)
{
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer, size = sizeof (int);
    int error = 0;
    getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        s_fail (self, strerror (error), now_mono_ms);
        return;
    }
    if (getpeername (self->fd, (struct sockaddr *)&peer, &peer_size))
        return;
    self->connecting = false;
    if (send (self->fd, s_watch, sizeof s_watch - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof s_watch - 1)) {
        s_fail (self, "does not take the request for fixes", now_mono_ms);
        return;
    }
    fprintf (stderr, "gpsd: %s: connected\n", self->endpoint);
    self->failing = false;
}

void gpsd_process (gpsd_t *self, gpsd_fix_fn *fix, void *context, int64_t now_mono_ms)
{
    if (self->fd < 0)
        return;
    if (self->connecting) {
        s_greet (self, now_mono_ms);
        return;
    }
    //  one buffer a round: who talks without end does not keep the node from its work
    ssize_t got = recv (self->fd, self->line + self->used, sizeof self->line - self->used, 0);
    if (got > 0) {
        self->used += (size_t)got;
        s_lines (self, fix, context, now_mono_ms);
    } else if (got == 0)
        s_fail (self, "closed the connection", now_mono_ms);
    else if (errno != EAGAIN && errno != EINTR)
        s_fail (self, strerror (errno), now_mono_ms);
}

bool gpsd_connected (const gpsd_t *self)
{
    return self->fd >= 0 && !self->connecting;
}

int64_t gpsd_fix_age_ms (const gpsd_t *self, int64_t now_mono_ms)
{
    return self->passed_ms ? now_mono_ms - self->passed_ms : -1;
}
