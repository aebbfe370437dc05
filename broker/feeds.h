//  feeds - one numbered stream of items per station

#ifndef FEEDS_H_INCLUDED
#define FEEDS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  One item of a feed or an inbox: which record shows it, and of an item that a feed owns, whose tip it is.
typedef struct {
    uint64_t n, seq, epoch, counter;
    uint32_t device; //  0: nobody's (a copy, a change)
    bool copy;
} slot_t;

typedef struct {
    uint32_t number; //  in the state's tables: order of first item in the log; 0 = no item yet
    char id [33];
    uint64_t next;            //  the number the next item gets (decided, maybe not durable)
    uint64_t durable;         //  highest in the log
    uint64_t delivered;       //  highest that a first desk has on disk
    uint64_t acked;           //  highest a desk has said so of, on its way into the log
    uint32_t acked_by;        //  by this device
    int desks;                //  attached now
    int64_t no_desk_since_ms; //  0 while a desk is attached
    //  the newest durable items, a ring: all with n > recent_after
    slot_t *recent;
    uint32_t recent_room, recent_first, recent_count;
    uint64_t recent_after;
} feed_t;

typedef struct feeds_t feeds_t;

feeds_t *feeds_new (void);
void feeds_destroy (feeds_t **self_p);

//  Makes it if it is absent. Valid until destroy.
feed_t *feeds_get (feeds_t *self, const char *id, size_t size);
int feeds_count (const feeds_t *self);
feed_t *feeds_at (feeds_t *self, int index);

#define FEED_RECENT 16384u //  the items of that many newest records are remembered at least
//  Remembers a durable item; n and seq only grow.
void feed_remember (feed_t *self, const slot_t *slot);
//  Items after `after` from memory, at most room. -1 if it does not reach back that far.
int feed_recall (const feed_t *self, uint64_t after, slot_t *out, int room);

#endif
