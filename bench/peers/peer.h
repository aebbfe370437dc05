//  peer - what the load on another broker shares with ours: a sender with a window, a consumer thread, the same figures
//
//  A message is BENCH_PAYLOAD bytes and begins with its number. Receipt: the sender has the broker's acknowledgement. Delivery: the
//  consumer has it. End to end: the last of both for all messages, as for our tips.

#ifndef PEER_H_INCLUDED
#define PEER_H_INCLUDED

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "../bench.h"

typedef struct {
    int port;
    uint32_t messages, rate, window;
    uint32_t run;                //  of this run: a message of an older one is passed over
    uint32_t senders, consumers; //  connections; 1 and 1 unless told
    int64_t start_ns;
    int64_t *due_ns, *receipt_ns, *delivery_ns;
    atomic_uint receipted, delivered;
    atomic_int ready;     //  the consumer listens
    atomic_llong last_ns; //  of either
} peer_t;

//  PORT MESSAGES RATE WINDOW [SENDERS CONSUMERS]; rate 0 = as fast as the window allows.
static inline void peer_open (peer_t *self, int argc, char **argv)
{
    if (argc != 5 && argc != 7) {
        fprintf (stderr, "usage: %s PORT MESSAGES RATE WINDOW [SENDERS CONSUMERS]\n", argv [0]);
        exit (2);
    }
    self->port = atoi (argv [1]);
    self->messages = (uint32_t)atoi (argv [2]);
    self->rate = (uint32_t)atoi (argv [3]);
    self->window = (uint32_t)atoi (argv [4]);
    self->senders = argc == 7 ? (uint32_t)atoi (argv [5]) : 1;
    self->consumers = argc == 7 ? (uint32_t)atoi (argv [6]) : 1;
    self->run = (uint32_t)bench_now_ns ();
    self->due_ns = calloc (self->messages, sizeof *self->due_ns);
    self->receipt_ns = calloc (self->messages, sizeof *self->receipt_ns);
    self->delivery_ns = calloc (self->messages, sizeof *self->delivery_ns);
    BENCH_CHECK (self->messages && self->window && self->due_ns && self->receipt_ns && self->delivery_ns);
}

//  Fills the payload and returns true when message `number` may go now.
static inline bool peer_due (peer_t *self, uint32_t number, uint8_t payload [BENCH_PAYLOAD])
{
    int64_t now_ns = bench_now_ns (),
            due_ns = self->rate ? self->start_ns + (int64_t)((double)number * 1e9 / self->rate) : now_ns;
    if (due_ns > now_ns || number - atomic_load (&self->receipted) >= self->window) {
        return false;
    }
    self->due_ns [number] = due_ns;
    memset (payload, (int)(number & 127), BENCH_PAYLOAD);
    memcpy (payload, &number, sizeof number);
    memcpy (payload + sizeof number, &self->run, sizeof self->run);
    return true;
}

static inline void peer_receipt (peer_t *self, uint32_t number)
{
    BENCH_CHECK (number < self->messages);
    self->receipt_ns [number] = bench_now_ns ();
    atomic_store (&self->last_ns, self->receipt_ns [number]);
    atomic_fetch_add (&self->receipted, 1);
}

static inline void peer_delivery (peer_t *self, const void *payload)
{
    uint32_t number, run;
    memcpy (&number, payload, sizeof number);
    memcpy (&run, (const uint8_t *)payload + sizeof number, sizeof run);
    if (run != self->run) {
        return;
    }
    BENCH_CHECK (number < self->messages);
    if (self->delivery_ns [number]) {
        return; //  at least once: a second copy counts for nothing
    }
    self->delivery_ns [number] = bench_now_ns ();
    atomic_store (&self->last_ns, self->delivery_ns [number]);
    atomic_fetch_add (&self->delivered, 1);
}

static inline void peer_pause (long ns)
{
    struct timespec pause = { 0, ns };
    nanosleep (&pause, NULL);
}

static inline bool peer_done (peer_t *self)
{
    return atomic_load (&self->receipted) == self->messages && atomic_load (&self->delivered) == self->messages;
}

static inline void peer_report (peer_t *self)
{
    bench_figure (
        "end to end", (double)self->messages / ((double)(atomic_load (&self->last_ns) - self->start_ns) / 1e9), "/s");
    if (self->rate) {
        for (uint32_t number = 0; number < self->messages; number++) {
            self->receipt_ns [number] -= self->due_ns [number];
            self->delivery_ns [number] -= self->due_ns [number];
        }
        bench_latency ("receipt", self->receipt_ns, self->messages);
        bench_latency ("delivery", self->delivery_ns, self->messages);
    }
    free (self->due_ns);
    free (self->receipt_ns);
    free (self->delivery_ns);
}

#endif
