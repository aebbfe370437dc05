//  beacon - see beacon.h

#include "beacon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bucket.h"

#define INTERFACES_MAX 16
#define LIST_EVERY_MS 5000
#define TOKEN_LIFE_MS (15 * 60000)
#define READ_AT_ONCE 64 //  datagrams a round; the rest waits in the kernel, and is dropped there when too many come
#define KEYS_AT_ONCE 64 //  answers to strangers,
#define KEYS_A_SECOND 16

struct beacons_t {
    beacons_options_t options;
    int beacon_fd, key_fd; //  beacon_fd -1: silent
    uint8_t token [BEACON_TOKEN], before [BEACON_TOKEN];
    int64_t token_ms, listed_ms; //  when made, when listed; 0 never
    struct sockaddr_in targets [INTERFACES_MAX];
    int target_count;
    bucket_t answers;
    uint64_t refused;
};

//  ---- bytes

static void s_put16 (uint8_t *out, uint16_t number)
{
    out [0] = (uint8_t)number;
    out [1] = (uint8_t)(number >> 8);
}

void beacon_tag (uint8_t tag [4], const uint8_t district [DISTRICT_SIZE], const uint8_t token [BEACON_TOKEN])
{
    uint8_t hash [32];
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, (const uint8_t *)"beacon", 6);
    crypto_generichash_update (&state, district, DISTRICT_SIZE);
    crypto_generichash_update (&state, token, BEACON_TOKEN);
    crypto_generichash_final (&state, hash, sizeof hash);
    memcpy (tag, hash, 4);
}

void beacon_write (uint8_t out [BEACON_SIZE], const beacon_t *beacon)
{
    out [0] = 'P';
    out [1] = 1;
    s_put16 (out + 2, beacon->port);
    memcpy (out + 4, beacon->token, BEACON_TOKEN);
    memcpy (out + 12, beacon->tag, 4);
    memcpy (out + 16, beacon->routing, BEACON_ROUTING);
}

int beacon_read (beacon_t *out, const uint8_t *bytes, size_t size)
{
    if (size != BEACON_SIZE || bytes [0] != 'P' || bytes [1] != 1)
        return -1;
    out->port = (uint16_t)(bytes [2] | bytes [3] << 8);
    memcpy (out->token, bytes + 4, BEACON_TOKEN);
    memcpy (out->tag, bytes + 12, 4);
    memcpy (out->routing, bytes + 16, BEACON_ROUTING);
    return out->port ? 0 : -1;
}

static void s_key_datagram (uint8_t out [KEY_DATAGRAM], key_word_t word, const uint8_t nonce [KEY_NONCE])
{
    memset (out, 0, KEY_DATAGRAM);
    out [0] = 'P';
    out [1] = 'K';
    out [2] = 1;
    out [3] = (uint8_t)word;
    memcpy (out + 4, nonce, KEY_NONCE);
}

void beacon_ask_key (uint8_t out [KEY_DATAGRAM], const uint8_t nonce [KEY_NONCE])
{
    s_key_datagram (out, KEY_ASKED, nonce);
}

void beacon_tell_key (uint8_t out [KEY_DATAGRAM], const uint8_t nonce [KEY_NONCE], const uint8_t key [KEY_SIZE])
{
    s_key_datagram (out, KEY_TOLD, nonce);
    memcpy (out + 4 + KEY_NONCE, key, KEY_SIZE);
}

key_word_t beacon_read_key (uint8_t nonce [KEY_NONCE], uint8_t key [KEY_SIZE], const uint8_t *bytes, size_t size)
{
    if (size != KEY_DATAGRAM || bytes [0] != 'P' || bytes [1] != 'K' || bytes [2] != 1)
        return KEY_NONE;
    const uint8_t *rest = bytes + 4 + KEY_NONCE;
    bool asked = bytes [3] == KEY_ASKED;
    size_t used = asked ? 0 : KEY_SIZE;
    if ((!asked && bytes [3] != KEY_TOLD) || !sodium_is_zero (rest + used, KEY_DATAGRAM - 4 - KEY_NONCE - used))
        return KEY_NONE;
    memcpy (nonce, bytes + 4, KEY_NONCE);
    if (!asked)
        memcpy (key, rest, KEY_SIZE);
    return asked ? KEY_ASKED : KEY_TOLD;
}

//  ---- sockets

static int s_udp (uint16_t port, bool shared)
{
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons (port), .sin_addr = { htonl (INADDR_ANY) } };
    if (fd < 0)
        return -1;
    //  Several nodes of one machine hear the same broadcasts.
    if ((shared && setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one))
        || (shared && setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one))
        || bind (fd, (struct sockaddr *)&any, sizeof any)) {
        int saved = errno;
        close (fd);
        errno = saved;
        return -1;
    }
    return fd;
}

beacons_t *beacons_new (const beacons_options_t *options)
{
    beacons_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->options = *options;
    self->beacon_fd = -1;
    self->key_fd = s_udp (options->port, false);
    if (self->key_fd < 0) {
        int saved = errno;
        if (saved != EADDRINUSE)
            fprintf (stderr, "mesh: UDP port %u cannot be used: %s\n", options->port, strerror (saved));
        beacons_destroy (&self);
        errno = saved;
        return NULL;
    }
    if (options->beacon_port) {
        self->beacon_fd = s_udp (options->beacon_port, true);
        if (self->beacon_fd < 0)
            fprintf (stderr, "mesh: no beacons, UDP port %u cannot be used: %s; --peer works all the same\n",
                options->beacon_port, strerror (errno));
    }
    randombytes_buf (self->token, sizeof self->token);
    return self;
}

void beacons_destroy (beacons_t **self_p)
{
    beacons_t *self = *self_p;
    if (!self)
        return;
    if (self->beacon_fd >= 0)
        close (self->beacon_fd);
    if (self->key_fd >= 0)
        close (self->key_fd);
    free (self);
    *self_p = NULL;
}

int beacons_items (const beacons_t *self, struct pollfd items [2])
{
    int count = 0;
    items [count++] = (struct pollfd){ .fd = self->key_fd, .events = POLLIN };
    if (self->beacon_fd >= 0)
        items [count++] = (struct pollfd){ .fd = self->beacon_fd, .events = POLLIN };
    return count;
}

//  ---- sending

//  Where broadcasts go now: every interface that is up. What cannot be listed this time stays as it was.
static void s_list (beacons_t *self)
{
    struct ifaddrs *first = NULL;
    if (getifaddrs (&first))
        return;
    self->target_count = 0;
    for (struct ifaddrs *at = first; at && self->target_count < INTERFACES_MAX; at = at->ifa_next) {
        bool loopback = at->ifa_flags & IFF_LOOPBACK;
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !(at->ifa_flags & IFF_UP)
            || (loopback && !self->options.loopback))
            continue;
        struct sockaddr_in target = { .sin_family = AF_INET, .sin_port = htons (self->options.beacon_port) };
        if (loopback)
            target.sin_addr.s_addr = htonl (0x7fffffff);
        else if ((at->ifa_flags & IFF_BROADCAST) && at->ifa_broadaddr)
            memcpy (&target.sin_addr, &((struct sockaddr_in *)(void *)at->ifa_broadaddr)->sin_addr, sizeof target.sin_addr);
        else
            continue;
        self->targets [self->target_count++] = target;
    }
    freeifaddrs (first);
}

static void s_renew_token (beacons_t *self, int64_t now_ms)
{
    if (self->token_ms && now_ms - self->token_ms < TOKEN_LIFE_MS)
        return;
    memcpy (self->before, self->token, BEACON_TOKEN);
    if (self->token_ms)
        randombytes_buf (self->token, BEACON_TOKEN);
    self->token_ms = now_ms ? now_ms : 1;
}

void beacons_send (beacons_t *self, const uint8_t routing [BEACON_ROUTING], int64_t now_ms)
{
    if (self->beacon_fd < 0)
        return;
    s_renew_token (self, now_ms);
    if (!self->listed_ms || now_ms - self->listed_ms >= LIST_EVERY_MS) {
        s_list (self);
        self->listed_ms = now_ms ? now_ms : 1;
    }
    beacon_t beacon = { .port = self->options.port };
    uint8_t bytes [BEACON_SIZE];
    memcpy (beacon.token, self->token, BEACON_TOKEN);
    beacon_tag (beacon.tag, self->options.district, self->token);
    memcpy (beacon.routing, routing, BEACON_ROUTING);
    beacon_write (bytes, &beacon);
    for (int i = 0; i < self->target_count; i++)
        if (sendto (self->beacon_fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&self->targets [i],
                sizeof self->targets [i])
            < 0)
            self->listed_ms = 0; //  the interface may be gone: look again next time
}

int beacons_ask (beacons_t *self, const char *host, uint16_t port, const uint8_t nonce [KEY_NONCE])
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (port) };
    if (inet_pton (AF_INET, host, &to.sin_addr) != 1) {
        struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *found = NULL;
        if (getaddrinfo (host, NULL, &hints, &found) || !found)
            return -1;
        memcpy (&to.sin_addr, &((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr, sizeof to.sin_addr);
        freeaddrinfo (found);
    }
    uint8_t bytes [KEY_DATAGRAM];
    beacon_ask_key (bytes, nonce);
    //  A datagram that is lost is asked for again by the caller's timer.
    return sendto (self->key_fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}

//  ---- hearing

static void s_on_beacon (beacons_t *self, const uint8_t *bytes, size_t size, const struct sockaddr_in *from,
    const beacons_handler_t *handler, void *context)
{
    beacon_t beacon;
    uint8_t tag [4];
    char address [INET_ADDRSTRLEN];
    if (beacon_read (&beacon, bytes, size)) {
        self->refused++;
        return;
    }
    beacon_tag (tag, self->options.district, beacon.token);
    if (memcmp (tag, beacon.tag, sizeof tag) != 0 || memcmp (beacon.token, self->token, BEACON_TOKEN) == 0
        || memcmp (beacon.token, self->before, BEACON_TOKEN) == 0)
        return; //  another district's, or our own
    if (inet_ntop (AF_INET, &from->sin_addr, address, sizeof address))
        handler->heard (context, address, &beacon);
}

static void s_on_key (beacons_t *self, const uint8_t *bytes, size_t size, const struct sockaddr_in *from, int64_t now_ms,
    const beacons_handler_t *handler, void *context)
{
    uint8_t nonce [KEY_NONCE], key [KEY_SIZE], answer [KEY_DATAGRAM];
    switch (beacon_read_key (nonce, key, bytes, size)) {
    case KEY_NONE:
        self->refused++;
        return;
    case KEY_ASKED:
        if (!bucket_take (&self->answers, KEYS_AT_ONCE, KEYS_A_SECOND, 1, now_ms))
            return;
        beacon_tell_key (answer, nonce, self->options.key);
        sendto (self->key_fd, answer, sizeof answer, MSG_DONTWAIT, (const struct sockaddr *)from, sizeof *from);
        return;
    case KEY_TOLD:
        handler->key (context, nonce, key);
        return;
    }
}

void beacons_process (beacons_t *self, int64_t now_ms, const beacons_handler_t *handler, void *context)
{
    int fds [2] = { self->key_fd, self->beacon_fd };
    for (int i = 0; i < 2; i++)
        for (int read = 0; fds [i] >= 0 && read < READ_AT_ONCE; read++) {
            uint8_t bytes [KEY_DATAGRAM + 1];
            struct sockaddr_in from;
            socklen_t from_size = sizeof from;
            ssize_t size = recvfrom (fds [i], bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
            if (size < 0)
                break; //  nothing more; an ICMP error of an earlier datagram comes here too, and the next one is read next round
            if (i == 0)
                s_on_key (self, bytes, (size_t)size, &from, now_ms, handler, context);
            else
                s_on_beacon (self, bytes, (size_t)size, &from, handler, context);
        }
}

const uint8_t *beacons_token (const beacons_t *self)
{
    return self->token;
}

uint64_t beacons_refused (const beacons_t *self)
{
    return self->refused;
}
