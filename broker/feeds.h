//  feeds - one numbered stream of items per station

#ifndef FEEDS_H_INCLUDED
#define FEEDS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
} feed_t;

typedef struct feeds_t feeds_t;

feeds_t *feeds_new (void);
void feeds_destroy (feeds_t **self_p);

//  Makes it if it is absent. Valid until destroy.
feed_t *feeds_get (feeds_t *self, const char *id, size_t size);
int feeds_count (const feeds_t *self);
feed_t *feeds_at (feeds_t *self, int index);

#endif
