//  mqtt - QoS 1 through a running mosquitto: one publisher, one subscriber with a session that is kept

#include "peer.h"

#include <mosquitto.h>

static peer_t s_peer;
static uint32_t s_number_of [65536];        //  by message id: which message the next PUBACK of this id means

static void s_on_message (struct mosquitto *client, void *context, const struct mosquitto_message *message)
{
    (void) client;
    (void) context;
    BENCH_CHECK (message->payloadlen == BENCH_PAYLOAD);
    peer_delivery (&s_peer, message->payload);
}

static void s_on_subscribed (struct mosquitto *client, void *context, int id, int count, const int *granted)
{
    (void) client;
    (void) context;
    (void) id;
    BENCH_CHECK (count == 1 && granted [0] == 1);
    atomic_store (&s_peer.ready, 1);
}

static void s_on_published (struct mosquitto *client, void *context, int id)
{
    (void) client;
    (void) context;
    peer_receipt (&s_peer, s_number_of [id & 65535]);
}

static struct mosquitto *s_connect (const char *name, bool clean)
{
    struct mosquitto *client = mosquitto_new (name, clean, NULL);
    BENCH_CHECK (client);
    mosquitto_max_inflight_messages_set (client, 0);
    BENCH_CHECK (mosquitto_int_option (client, MOSQ_OPT_TCP_NODELAY, 1) == MOSQ_ERR_SUCCESS);
    BENCH_CHECK (mosquitto_connect (client, "127.0.0.1", s_peer.port, 60) == MOSQ_ERR_SUCCESS);
    return client;
}

static void *s_consumer (void *argument)
{
    struct mosquitto *client = argument;
    while (atomic_load (&s_peer.delivered) < s_peer.messages) {
        BENCH_CHECK (mosquitto_loop (client, 20, 1) == MOSQ_ERR_SUCCESS);
    }
    mosquitto_disconnect (client);
    return NULL;
}

static void s_publish (struct mosquitto *client)
{
    uint8_t payload [BENCH_PAYLOAD];
    uint32_t sent = 0;
    s_peer.start_ns = bench_now_ns ();
    while (!peer_done (&s_peer)) {
        bool any = false;
        while (sent < s_peer.messages && peer_due (&s_peer, sent, payload)) {
            int id = 0;
            BENCH_CHECK (mosquitto_publish (client, &id, "tips/north", BENCH_PAYLOAD, payload, 1, false) == MOSQ_ERR_SUCCESS);
            s_number_of [id & 65535] = sent++;
            any = true;
            if ((sent & 31) == 0) {
                break;
            }
        }
        BENCH_CHECK (mosquitto_loop (client, any || s_peer.rate ? 0 : 1, 1) == MOSQ_ERR_SUCCESS);
        if (!any && s_peer.rate) {
            peer_pause (100000);
        }
    }
}

int main (int argc, char **argv)
{
    pthread_t thread;
    peer_open (&s_peer, argc, argv);
    mosquitto_lib_init ();
    struct mosquitto *subscriber = s_connect ("station", false), *publisher = s_connect ("node", true);
    mosquitto_message_callback_set (subscriber, s_on_message);
    mosquitto_subscribe_callback_set (subscriber, s_on_subscribed);
    mosquitto_publish_callback_set (publisher, s_on_published);
    BENCH_CHECK (mosquitto_subscribe (subscriber, NULL, "tips/#", 1) == MOSQ_ERR_SUCCESS);
    BENCH_CHECK (pthread_create (&thread, NULL, s_consumer, subscriber) == 0);
    while (!atomic_load (&s_peer.ready)) {
        BENCH_CHECK (mosquitto_loop (publisher, 5, 1) == MOSQ_ERR_SUCCESS);
    }
    s_publish (publisher);
    pthread_join (thread, NULL);
    mosquitto_disconnect (publisher);
    mosquitto_destroy (publisher);
    mosquitto_destroy (subscriber);
    mosquitto_lib_cleanup ();
    peer_report (&s_peer);
    return 0;
}
