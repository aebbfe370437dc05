//  redis - a stream of a running Redis: XADD by one sender, XREADGROUP and XACK by one consumer

#include "peer.h"

#include <hiredis/hiredis.h>
#include <poll.h>

static peer_t s_peer;

static redisContext *s_connect (void)
{
    redisContext *context = redisConnect ("127.0.0.1", s_peer.port);
    BENCH_CHECK (context && !context->err);
    redisEnableKeepAlive (context);
    return context;
}

static void s_command (redisContext *context, const char *command)
{
    redisReply *reply = redisCommand (context, command);
    BENCH_CHECK (reply && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject (reply);
}

//  Entry: id, then field and value.
static void s_take (redisContext *context, const redisReply *entry)
{
    const redisReply *fields = entry->element [1];
    BENCH_CHECK (fields->elements == 2 && fields->element [1]->len == BENCH_PAYLOAD);
    peer_delivery (&s_peer, fields->element [1]->str);
    BENCH_CHECK (redisAppendCommand (context, "XACK tips desk %s", entry->element [0]->str) == REDIS_OK);
}

static void *s_consumer (void *unused)
{
    redisContext *context = s_connect ();
    (void)unused;
    atomic_store (&s_peer.ready, 1);
    while (atomic_load (&s_peer.delivered) < s_peer.messages) {
        redisReply *reply = redisCommand (context, "XREADGROUP GROUP desk one COUNT 256 BLOCK 1000 STREAMS tips >");
        BENCH_CHECK (reply && reply->type != REDIS_REPLY_ERROR);
        size_t count = 0;
        if (reply->type == REDIS_REPLY_ARRAY) {
            const redisReply *entries = reply->element [0]->element [1];
            for (; count < entries->elements; count++) {
                s_take (context, entries->element [count]);
            }
        }
        freeReplyObject (reply);
        for (; count > 0; count--) {
            BENCH_CHECK (redisGetReply (context, (void **)&reply) == REDIS_OK && reply->type == REDIS_REPLY_INTEGER);
            freeReplyObject (reply);
        }
    }
    redisFree (context);
    return NULL;
}

//  Takes every answer that has come; they come in order.
static void s_answers (redisContext *context, int wait_ms)
{
    struct pollfd item = { .fd = context->fd, .events = POLLIN };
    void *reply = NULL;
    if (poll (&item, 1, wait_ms) > 0) {
        BENCH_CHECK (redisBufferRead (context) == REDIS_OK);
    }
    while (redisGetReplyFromReader (context, &reply) == REDIS_OK && reply) {
        BENCH_CHECK (((redisReply *)reply)->type == REDIS_REPLY_STRING);
        freeReplyObject (reply);
        peer_receipt (&s_peer, atomic_load (&s_peer.receipted));
    }
}

static void s_send (redisContext *context)
{
    uint8_t payload [BENCH_PAYLOAD];
    uint32_t sent = 0;
    s_peer.start_ns = bench_now_ns ();
    while (!peer_done (&s_peer)) {
        bool any = false;
        while (sent < s_peer.messages && peer_due (&s_peer, sent, payload)) {
            BENCH_CHECK (redisAppendCommand (context, "XADD tips * t %b", payload, (size_t)BENCH_PAYLOAD) == REDIS_OK);
            sent++;
            any = true;
        }
        int done = 0;
        while (!done) {
            BENCH_CHECK (redisBufferWrite (context, &done) == REDIS_OK);
        }
        s_answers (context, any || s_peer.rate ? 0 : 1);
        if (!any && s_peer.rate) {
            peer_pause (100000);
        }
    }
}

int main (int argc, char **argv)
{
    pthread_t thread;
    peer_open (&s_peer, argc, argv);
    redisContext *context = s_connect ();
    s_command (context, "DEL tips");
    s_command (context, "XGROUP CREATE tips desk $ MKSTREAM");
    BENCH_CHECK (pthread_create (&thread, NULL, s_consumer, NULL) == 0);
    while (!atomic_load (&s_peer.ready)) {
        peer_pause (1000000);
    }
    s_send (context);
    pthread_join (thread, NULL);
    s_command (context, "DEL tips");
    redisFree (context);
    peer_report (&s_peer);
    return 0;
}
