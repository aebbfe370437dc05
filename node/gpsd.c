//  gpsd - see gpsd.h

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpsd.h"

#define LINE_MAX_BYTES 8192 //  gpsd's own limit is 10,240 for all it may say; a position is in some hundreds
#define RETRY_MS 10000
#define GAP_MS 30000      //  between two fixes that are passed on: a pace is taken from them
#define PRECISE_M 25      //  a fix that says to be worse than this is none
#define MODE_2D 2         //  "mode" of a TPV: the position is known
#define DEGREES_E7 10000000

static const char s_watch [] = "?WATCH={\"enable\":true,\"json\":true};\n";

struct gpsd_t {
    char endpoint [300];
    struct sockaddr_storage address;
    socklen_t address_size;
    int fd; //  -1 = none
    bool connecting, greeted, failing; //  greeted: a whole line came
    int64_t retry_ms, passed_ms;       //  monotonic; passed_ms 0 = none on this connection
    char time_told [32];
    char line [LINE_MAX_BYTES];
    size_t used;
    bool skipping; //  the rest of a line that was too long
    bool found;    //  a new fix, not passed on yet
    int32_t lat_e7, lon_e7;
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
    //  no look-up by name: nobody would answer in a power cut
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST }, *found = NULL;
    if (strcmp (host, "localhost") == 0)
        snprintf (host, sizeof host, "127.0.0.1");
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
    self->skipping = self->found = false;
    self->passed_ms = 0;
    self->fd = socket (self->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    self->connecting = true;
    //  one that lost its power is noticed
    static const int on = 1, idle_s = 30, every_s = 10, times = 3;
    if (self->fd >= 0) {
        setsockopt (self->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt (self->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
        setsockopt (self->fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
        setsockopt (self->fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    }
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
    double lat, lon, eph = 0;
    int rc = -1;
    //  a fix without a time cannot be told from the last one
    if (class && strcmp (class, "TPV") == 0 && json_integer_value (json_object_get (object, "mode")) >= MODE_2D && time
        && strlen (time) < 32 && strcmp (time, time_told) != 0 && s_number (object, "lat", 90, &lat)
        && s_number (object, "lon", 180, &lon)
        && (!json_object_get (object, "eph") || (s_number (object, "eph", PRECISE_M, &eph) && eph >= 0))) {
        snprintf (time_told, 32, "%s", time);
        *lat_e7 = (int32_t)lround (lat * DEGREES_E7);
        *lon_e7 = (int32_t)lround (lon * DEGREES_E7);
        rc = 0;
    }
    json_decref (object);
    return rc;
}

static void s_line (gpsd_t *self, const char *line, size_t size)
{
    if (!self->greeted)
        fprintf (stderr, "gpsd: %s: connected\n", self->endpoint);
    self->greeted = true;
    self->failing = false;
    self->found |= gpsd_parse (line, size, self->time_told, &self->lat_e7, &self->lon_e7) == 0;
}

static void s_lines (gpsd_t *self)
{
    char *at = self->line, *until = self->line + self->used, *end;
    while ((end = memchr (at, '\n', (size_t)(until - at)))) {
        if (!self->skipping && end > at)
            s_line (self, at, (size_t)(end - at));
        self->skipping = false;
        at = end + 1;
    }
    self->used = (size_t)(until - at);
    memmove (self->line, at, self->used);
    if (self->used == sizeof self->line) {
        self->skipping = true;
        self->used = 0;
    }
}

//  The newest of what came.
static void s_pass_on (gpsd_t *self, gpsd_fix_fn *fix, void *context, int64_t now_mono_ms)
{
    if (self->found && (!self->passed_ms || now_mono_ms - self->passed_ms >= GAP_MS)) {
        self->passed_ms = now_mono_ms;
        fix (context, self->lat_e7, self->lon_e7);
    }
    self->found = false;
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
    self->greeted = false;
    if (send (self->fd, s_watch, sizeof s_watch - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof s_watch - 1)) {
        s_fail (self, "does not take the request for fixes", now_mono_ms);
        return;
    }
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
        s_lines (self);
        s_pass_on (self, fix, context, now_mono_ms);
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
