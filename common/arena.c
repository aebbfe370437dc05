//  arena - see arena.h

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include "arena.h"

#define ARENA_ALIGN 16u

struct arena_t {
    ProtobufCAllocator allocator; //  handed to protobuf-c; points back to us
    size_t size;                  //  bytes in data
    size_t used;                  //  bytes given out, always a multiple of ARENA_ALIGN
    alignas (ARENA_ALIGN) uint8_t data [];
};

static void *s_alloc (void *context, size_t size)
{
    return arena_alloc (context, size);
}

static void s_free (void *context, void *pointer)
{
    (void)context;
    (void)pointer; //  all goes at once, with arena_reset
}

arena_t *arena_new (size_t size)
{
    assert (size <= SIZE_MAX / 2);
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    arena_t *self = malloc (sizeof (arena_t) + size);
    if (!self)
        abort (); //  no heap left is the end; no arena left is ordinary bad input
    self->allocator = (ProtobufCAllocator){ .alloc = s_alloc, .free = s_free, .allocator_data = self };
    self->size = size;
    self->used = 0;
    return self;
}

void arena_destroy (arena_t **self_p)
{
    assert (self_p);
    free (*self_p);
    *self_p = NULL;
}

void arena_reset (arena_t *self)
{
    self->used = 0;
}

void *arena_alloc (arena_t *self, size_t size)
{
    //  Compared before rounding up, so that no size can wrap around.
    if (size > self->size - self->used)
        return NULL;
    void *memory = self->data + self->used;
    self->used += (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    return memory;
}

ProtobufCAllocator *arena_allocator (arena_t *self)
{
    return &self->allocator;
}

//  The message behind a field that holds one, or NULL: protobuf-c keeps the arms of a oneof in a union, and
//  only the arm named by the case may be looked at.
static const ProtobufCMessage *s_single (const uint8_t *message, const ProtobufCFieldDescriptor *field)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        const uint32_t *which = (const void *)(message + field->quantifier_offset);
        if (*which != field->id)
            return NULL;
    }
    const ProtobufCMessage *const *member = (const void *)(message + field->offset);
    return *member;
}

static bool s_field_has_unknown (const uint8_t *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        const ProtobufCMessage *inside = s_single (message, field);
        return inside && arena_has_unknown (inside);
    }
    const size_t *count = (const void *)(message + field->quantifier_offset);
    const ProtobufCMessage *const *const *members = (const void *)(message + field->offset);
    for (size_t index = 0; index < *count; index++)
        if (arena_has_unknown ((*members) [index]))
            return true;
    return false;
}

bool arena_has_unknown (const ProtobufCMessage *message)
{
    assert (message && message->descriptor);
    if (message->n_unknown_fields)
        return true;
    //  Recursion ends: no message of patrol.proto contains itself, directly or through another.
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned index = 0; index < descriptor->n_fields; index++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields [index];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && s_field_has_unknown ((const uint8_t *)message, field))
            return true;
    }
    return false;
}
