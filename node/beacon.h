//  beacon - how nodes find one another without a server: 32 octets by UDP broadcast, and the key exchange that follows
//
//  Layout of a beacon, integers little endian: 0 'P' | 1 version 1 | 2 TCP port 2 | 4 token 8 | 12 district tag 4 | 16 routing 16.
//  The token is random, new with every start and every 15 minutes; the tag is the first 4 octets of BLAKE2b-256 ("beacon",
//  district, token): who does not know the district sees noise, and nobody sees a member. The routing part is the mesh's.
//
//  A beacon has no room for a CURVE key, so who wants a link asks for it: one datagram to the UDP port of the same
//  number as the TCP port, 'P', 'K', 1, 1, nonce 8, zeros to 64 octets; the answer is 'P', 'K', 1, 2, nonce 8, key 32, zeros
//  to 64 octets, never longer than the question. The key is one made at start, not the member's: what is said here is
//  worth nothing until both ends have shown their credentials inside (meshcard.h).
//
//  Interfaces are looked at anew every few seconds, so they may come and go. One thread; never blocks.

#ifndef BEACON_H_INCLUDED
#define BEACON_H_INCLUDED

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include "identity.h"

#define BEACON_SIZE 32u
#define BEACON_ROUTING 16u
#define BEACON_TOKEN 8u
#define BEACON_PORT 7421
#define KEY_DATAGRAM 64u
#define KEY_NONCE 8u

//  ---- bytes

typedef struct {
    uint16_t port;
    uint8_t token [BEACON_TOKEN], tag [4];
    uint8_t routing [BEACON_ROUTING];
} beacon_t;

void beacon_write (uint8_t out [BEACON_SIZE], const beacon_t *beacon);
//  -1 unless size, marks, version and port are right.
int beacon_read (beacon_t *out, const uint8_t *bytes, size_t size);
void beacon_tag (uint8_t tag [4], const uint8_t district [DISTRICT_SIZE], const uint8_t token [BEACON_TOKEN]);

typedef enum { KEY_NONE, KEY_ASKED, KEY_TOLD } key_word_t;
void beacon_ask_key (uint8_t out [KEY_DATAGRAM], const uint8_t nonce [KEY_NONCE]);
void beacon_tell_key (uint8_t out [KEY_DATAGRAM], const uint8_t nonce [KEY_NONCE], const uint8_t key [KEY_SIZE]);
//  key is set for KEY_TOLD only.
key_word_t beacon_read_key (uint8_t nonce [KEY_NONCE], uint8_t key [KEY_SIZE], const uint8_t *bytes, size_t size);

//  ---- sockets

typedef struct beacons_t beacons_t;

typedef struct {
    uint8_t district [DISTRICT_SIZE];
    uint8_t key [KEY_SIZE]; //  CURVE, told to who asks
    uint16_t port;          //  of our TCP listener; the key socket has the same number
    uint16_t beacon_port;   //  0: neither send nor hear beacons (--no-beacon)
    bool loopback;          //  beacons on lo as well, for several nodes of one machine
} beacons_options_t;

//  NULL with one line on stderr if the key port is taken (errno EADDRINUSE). A beacon port that cannot be opened is said and done without.
beacons_t *beacons_new (const beacons_options_t *options);
void beacons_destroy (beacons_t **self_p);

int beacons_items (const beacons_t *self, struct pollfd items [2]);

typedef struct {
    //  A beacon of our district, not our own. The address is where it came from, IPv4, for "tcp://ADDRESS:PORT".
    void (*heard) (void *context, const char *address, const beacon_t *beacon);
    //  An answer to beacons_ask with this nonce.
    void (*key) (void *context, const uint8_t nonce [KEY_NONCE], const uint8_t key [KEY_SIZE]);
} beacons_handler_t;
void beacons_process (beacons_t *self, int64_t now_ms, const beacons_handler_t *handler, void *context);

//  Sends one beacon on every interface. The interfaces are listed again every few seconds.
void beacons_send (beacons_t *self, const uint8_t routing [BEACON_ROUTING], int64_t now_ms);
//  Asks HOST:PORT for its key; the nonce is the caller's to remember. -1 if the host is not known (a name is looked up: IPv4 literals cost nothing).
int beacons_ask (beacons_t *self, const char *host, uint16_t port, const uint8_t nonce [KEY_NONCE]);

const uint8_t *beacons_token (const beacons_t *self);
//  Datagrams that were none of ours to read, since the start.
uint64_t beacons_refused (const beacons_t *self);

#endif
