//  meshbacklog - see meshbacklog.h

#include "meshbacklog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH 2u

int meshbacklog_add (meshbacklog_t *self, const uint8_t *frame, size_t size)
{
    size_t held = self->end - self->first, more = LENGTH + size;
    assert (size > 0 && size <= UINT16_MAX);
    if (held + more > MESHBACKLOG_MAX)
        return -1;
    if (self->first) {
        memmove (self->bytes, self->bytes + self->first, held);
        self->first = 0;
        self->end = held;
    }
    while (self->room < self->end + more)
        self->room = self->room ? self->room * 2 : 1024;
    self->bytes = realloc (self->bytes, self->room);
    if (!self->bytes)
        abort ();
    uint16_t length = (uint16_t)size;
    memcpy (self->bytes + self->end, &length, LENGTH);
    memcpy (self->bytes + self->end + LENGTH, frame, size);
    self->end += more;
    return 0;
}

const uint8_t *meshbacklog_first (const meshbacklog_t *self, size_t *size)
{
    uint16_t length;
    if (!self->bytes)
        return NULL;
    memcpy (&length, self->bytes + self->first, LENGTH);
    *size = length;
    return self->bytes + self->first + LENGTH;
}

void meshbacklog_drop (meshbacklog_t *self)
{
    size_t size;
    if (!meshbacklog_first (self, &size))
        return;
    self->first += LENGTH + size;
    if (self->first == self->end)
        meshbacklog_clear (self);
}

void meshbacklog_clear (meshbacklog_t *self)
{
    free (self->bytes);
    *self = (meshbacklog_t){ 0 };
}
