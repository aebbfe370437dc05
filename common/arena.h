//  arena - bounded memory for one message, reset before the next
//
//  protobuf-c unpacks into it through its allocator argument. When the arena is
//  full, unpack returns NULL: the size is the limit on what a stranger can make
//  us allocate. What must outlive the message is copied.

#ifndef ARENA_H_INCLUDED
#define ARENA_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

typedef struct arena_t arena_t;

#define ARENA_MESSAGE_SIZE 65536u //  enough for any message of patrol.proto that fits a frame

arena_t *arena_new (size_t size);
void arena_destroy (arena_t **self_p);

//  Forgets everything that was allocated.
void arena_reset (arena_t *self);

//  Returns 16-byte aligned memory, not zeroed, or NULL when the arena is full.
void *arena_alloc (arena_t *self, size_t size);

//  For *__unpack; its free does nothing. Valid as long as the arena.
ProtobufCAllocator *arena_allocator (arena_t *self);

//  True if the message or one anywhere inside it carries fields this version
//  does not know (pitfall: they cost the receiver memory and hide meaning).
bool arena_has_unknown (const ProtobufCMessage *message);

#endif
