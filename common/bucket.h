//  bucket - so many at once, so many a second after that

#ifndef BUCKET_H_INCLUDED
#define BUCKET_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t at_ms; //  when `spent` was last true; all zero is a full bucket
    double spent;
} bucket_t;

//  Takes `count` if that many are left; false takes nothing. Time is any clock that does not go back.
static inline bool bucket_take (bucket_t *self, double room, double a_second, double count, int64_t now_ms)
{
    if (now_ms > self->at_ms) {
        self->spent -= (double)(now_ms - self->at_ms) * a_second / 1000;
        self->at_ms = now_ms;
    }
    if (self->spent < 0)
        self->spent = 0;
    if (self->spent + count > room)
        return false;
    self->spent += count;
    return true;
}

#endif
