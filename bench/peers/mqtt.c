//  mqtt - QoS 1 through a running mosquitto: publishers as nodes, subscribers with sessions that are kept as stations
//
//  All publishers are one thread's, all subscribers another's, each with one poll over its sockets.

#include "peer.h"

#include <mosquitto.h>
#include <poll.h>

#define CLIENTS_MAX 1000

typedef struct {
    struct mosquitto *client;
    uint32_t number_of [65536]; //  by message id: which message its next PUBACK means
} publisher_t;

static peer_t s_peer;
static publisher_t s_publishers [CLIENTS_MAX];
static struct mosquitto *s_subscribers [CLIENTS_MAX];

static void s_on_message (struct mosquitto *client, void *context, const struct mosquitto_message *message)
{
    (void)client;
    (void)context;
    BENCH_CHECK (message->payloadlen == BENCH_PAYLOAD);
    peer_delivery (&s_peer, message->payload);
}

static void s_on_subscribed (struct mosquitto *client, void *context, int id, int count, const int *granted)
{
    (void)client;
    (void)context;
    (void)id;
    BENCH_CHECK (count == 1 && granted [0] == 1);
    atomic_fetch_add (&s_peer.ready, 1);
}

static void s_on_published (struct mosquitto *client, void *context, int id)
{
    const publisher_t *self = context;
    (void)client;
    peer_receipt (&s_peer, self->number_of [id & 65535]);
}

static struct mosquitto *s_connect (const char *role, uint32_t number, bool clean, void *context)
{
    char name [32];
    snprintf (name, sizeof name, "%s-%u", role, number);
    struct mosquitto *client = mosquitto_new (name, clean, context);
    BENCH_CHECK (client);
    mosquitto_max_inflight_messages_set (client, 0);
    BENCH_CHECK (mosquitto_int_option (client, MOSQ_OPT_TCP_NODELAY, 1) == MOSQ_ERR_SUCCESS);
    BENCH_CHECK (mosquitto_connect (client, "127.0.0.1", s_peer.port, 60) == MOSQ_ERR_SUCCESS);
    return client;
}

//  One turn over the sockets of these clients.
static void s_turn (struct mosquitto *const *clients, uint32_t count, int wait_ms)
{
    struct pollfd items [CLIENTS_MAX];
    for (uint32_t index = 0; index < count; index++) {
        items [index].fd = mosquitto_socket (clients [index]);
        items [index].events = (short)(POLLIN | (mosquitto_want_write (clients [index]) ? POLLOUT : 0));
    }
    if (poll (items, count, wait_ms) <= 0) {
        return;
    }
    for (uint32_t index = 0; index < count; index++) {
        if (items [index].revents & (POLLIN | POLLHUP | POLLERR)) {
            BENCH_CHECK (mosquitto_loop_read (clients [index], 1) == MOSQ_ERR_SUCCESS);
        }
        if (mosquitto_want_write (clients [index])) {
            BENCH_CHECK (mosquitto_loop_write (clients [index], 1) == MOSQ_ERR_SUCCESS);
        }
    }
}

//  Also sends the last acknowledgements, so that nothing of this run is left for the next.
static void *s_consumer (void *unused)
{
    (void)unused;
    bool waiting = true;
    while (atomic_load (&s_peer.delivered) < s_peer.messages || waiting) {
        s_turn (s_subscribers, s_peer.consumers, 20);
        waiting = false;
        for (uint32_t index = 0; index < s_peer.consumers; index++) {
            waiting |= mosquitto_want_write (s_subscribers [index]);
        }
    }
    return NULL;
}

static void s_publish_one (uint32_t number, const uint8_t payload [BENCH_PAYLOAD])
{
    publisher_t *publisher = &s_publishers [number % s_peer.senders];
    char topic [32];
    int id = 0;
    snprintf (topic, sizeof topic, "tips/%u", number / s_peer.senders % s_peer.consumers);
    BENCH_CHECK (mosquitto_publish (publisher->client, &id, topic, BENCH_PAYLOAD, payload, 1, false) == MOSQ_ERR_SUCCESS);
    publisher->number_of [id & 65535] = number;
}

static void s_publish (void)
{
    static struct mosquitto *clients [CLIENTS_MAX];
    uint8_t payload [BENCH_PAYLOAD];
    uint32_t sent = 0;
    for (uint32_t index = 0; index < s_peer.senders; index++) {
        clients [index] = s_publishers [index].client;
    }
    s_peer.start_ns = bench_now_ns ();
    while (!peer_done (&s_peer)) {
        uint32_t before = sent;
        while (sent < s_peer.messages && sent - before < 32 * s_peer.senders && peer_due (&s_peer, sent, payload)) {
            s_publish_one (sent++, payload);
        }
        s_turn (clients, s_peer.senders, sent != before || s_peer.rate ? 0 : 1);
        if (sent == before && s_peer.rate) {
            peer_pause (100000);
        }
    }
}

//  A session that an earlier run left behind is dropped first.
static struct mosquitto *s_station (uint32_t number)
{
    char topic [32];
    struct mosquitto *client = s_connect ("station", number, true, NULL);
    mosquitto_disconnect (client);
    mosquitto_destroy (client);
    client = s_connect ("station", number, false, NULL);
    mosquitto_message_callback_set (client, s_on_message);
    mosquitto_subscribe_callback_set (client, s_on_subscribed);
    snprintf (topic, sizeof topic, "tips/%u", number);
    BENCH_CHECK (mosquitto_subscribe (client, NULL, topic, 1) == MOSQ_ERR_SUCCESS);
    return client;
}

static void s_close (struct mosquitto *client)
{
    mosquitto_disconnect (client);
    mosquitto_destroy (client);
}

int main (int argc, char **argv)
{
    pthread_t thread;
    peer_open (&s_peer, argc, argv);
    BENCH_CHECK (s_peer.senders <= CLIENTS_MAX && s_peer.consumers <= CLIENTS_MAX);
    mosquitto_lib_init ();
    for (uint32_t index = 0; index < s_peer.consumers; index++) {
        s_subscribers [index] = s_station (index);
    }
    for (uint32_t index = 0; index < s_peer.senders; index++) {
        s_publishers [index].client = s_connect ("node", index, true, &s_publishers [index]);
        mosquitto_publish_callback_set (s_publishers [index].client, s_on_published);
    }
    while (atomic_load (&s_peer.ready) < (int)s_peer.consumers) {
        s_turn (s_subscribers, s_peer.consumers, 5);
    }
    BENCH_CHECK (pthread_create (&thread, NULL, s_consumer, NULL) == 0);
    s_publish ();
    pthread_join (thread, NULL);
    for (uint32_t index = 0; index < s_peer.senders; index++) {
        s_close (s_publishers [index].client);
    }
    for (uint32_t index = 0; index < s_peer.consumers; index++) {
        s_close (s_subscribers [index]);
    }
    mosquitto_lib_cleanup ();
    peer_report (&s_peer);
    return 0;
}
