//  foebeacons - see foebeacons.h

#include "foebeacons.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "beacon.h"

#define ANSWERING 16
#define AT_ONCE 20 //  every 20 ms
#define EACH_MS 20

typedef struct {
    int beacons, answering [ANSWERING];
    uint16_t ports [ANSWERING];
    uint8_t district [DISTRICT_SIZE];
    beacon_t heard; //  an honest one
    bool has_heard;
} foebeacons_t;

static int s_udp (uint16_t *port)
{
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons (*port) };
    socklen_t size = sizeof at;
    if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes)
        || setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes) || bind (fd, (struct sockaddr *)&at, sizeof at)
        || getsockname (fd, (struct sockaddr *)&at, &size))
        return -1;
    *port = ntohs (at.sin_port);
    return fd;
}

static void s_say (foebeacons_t *self)
{
    struct sockaddr_in all = { .sin_family = AF_INET, .sin_port = htons (BEACON_PORT) };
    uint8_t bytes [BEACON_SIZE];
    all.sin_addr.s_addr = htonl (0x7fffffff);
    for (int i = 0; i < AT_ONCE; i++) {
        beacon_t beacon = self->heard;
        bool replayed = self->has_heard && i % 2;
        if (!replayed) {
            randombytes_buf (beacon.token, sizeof beacon.token);
            beacon_tag (beacon.tag, self->district, beacon.token);
            memset (beacon.routing, 0, sizeof beacon.routing);
            beacon.routing [0] = 0x80;
        }
        beacon.port = i % 4 ? (uint16_t)(1024 + randombytes_uniform (60000)) : self->ports [randombytes_uniform (ANSWERING)];
        beacon_write (bytes, &beacon);
        sendto (self->beacons, bytes, sizeof bytes, 0, (struct sockaddr *)&all, sizeof all);
    }
}

static void s_listen (foebeacons_t *self)
{
    uint8_t bytes [KEY_DATAGRAM], tag [4];
    beacon_t beacon;
    ssize_t size;
    while ((size = recv (self->beacons, bytes, sizeof bytes, 0)) >= 0) {
        if (self->has_heard || beacon_read (&beacon, bytes, (size_t)size))
            continue;
        beacon_tag (tag, self->district, beacon.token);
        if (memcmp (tag, beacon.tag, sizeof tag) != 0)
            continue;
        self->heard = beacon;
        self->has_heard = true;
        printf ("heard\n");
        fflush (stdout);
    }
}

//  A key that nobody has: who dials it gets no further.
static void s_answer (const foebeacons_t *self)
{
    struct sockaddr_in from;
    uint8_t bytes [KEY_DATAGRAM], nonce [KEY_NONCE], key [KEY_SIZE];
    for (int i = 0; i < ANSWERING; i++) {
        socklen_t room = sizeof from;
        ssize_t size;
        while ((size = recvfrom (self->answering [i], bytes, sizeof bytes, 0, (struct sockaddr *)&from, &room)) >= 0) {
            if (beacon_read_key (nonce, key, bytes, (size_t)size) != KEY_ASKED)
                continue;
            randombytes_buf (key, sizeof key);
            beacon_tell_key (bytes, nonce, key);
            sendto (self->answering [i], bytes, sizeof bytes, 0, (struct sockaddr *)&from, room);
        }
    }
}

void foebeacons_run (const device_t *device)
{
    foebeacons_t self = { .has_heard = false };
    uint16_t port = BEACON_PORT;
    memcpy (self.district, device_credential (device)->district, DISTRICT_SIZE);
    self.beacons = s_udp (&port);
    for (int i = 0; i < ANSWERING; i++)
        self.answering [i] = s_udp (&self.ports [i]);
    //  it hears its own, too: those come before the first honest one is known
    for (;;) {
        struct pollfd none;
        s_listen (&self);
        if (self.has_heard)
            s_say (&self);
        s_answer (&self);
        poll (&none, 0, EACH_MS);
    }
}
