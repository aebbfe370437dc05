//  daykeys - one secret key a day; what people wrote lies in the log sealed under the key of its accept day
//
//  In their own file, out of the ordinary backup: destroying a key takes the texts of that day out of log,
//  replica and backup alike. A key is on disk, synced, before anything is sealed under it. Not shared between threads.

#ifndef DAYKEYS_H_INCLUDED
#define DAYKEYS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include "patrol.pb-c.h"
#include "arena.h"

typedef struct daykeys_t daykeys_t;

//  `write` false: a second, reading connection. NULL with one line on stderr.
daykeys_t *daykeys_open (const char *path, int write);
void daykeys_close (daykeys_t **self_p);

//  Seals a packed Texts under the day's key, made if need be. Returns the size written into out
//  (room >= size + 40), 0 if the key cannot be made durable.
size_t daykeys_seal (daykeys_t *self, uint32_t day, const uint8_t *plain, size_t size, uint8_t *out, size_t room);

//  Opens a DayText. NULL if its key was destroyed or the bytes are not what was sealed.
Patrol__Texts *daykeys_open_texts (daykeys_t *self, const Patrol__DayText *sealed, arena_t *arena);

#endif
