//  keyed - a hash table of structs that begin with a 64-bit key, 0 = free, and the hash: what near dedupe's tables have in common
//
//  Open addressing; the room is a power of 2 and never more than half full. Who owns the table makes, grows and frees it.

#ifndef KEYED_H_INCLUDED
#define KEYED_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

static inline uint64_t keyed_mix (uint64_t value)
{
    value ^= value >> 31;
    value *= 0x9e3779b97f4a7c15u;
    value ^= value >> 29;
    value *= 0xbf58476d1ce4e5b9u;
    return value ^ value >> 32;
}

//  The slot of the key, or the free one where it would be. The hash is the key mixed, or the key itself where it is a mix.
static inline void *keyed_slot (void *slots, size_t each, uint32_t room, uint64_t key, uint64_t hash)
{
    for (uint32_t at = (uint32_t)(hash >> 16);; at++) {
        uint64_t *slot = (uint64_t *)(void *)((char *)slots + (at & (room - 1)) * each);
        if (!*slot || *slot == key)
            return slot;
    }
}

#endif
