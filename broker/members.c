//  members - devices, invitations, origins

#include "members.h"

#include <sodium.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

//  Keys are uniformly distributed, so their first 8 bytes are hash enough.
typedef struct {
    uint32_t *slots; //  number + 0, 0 = empty
    uint32_t room;   //  power of two
} keymap_t;

typedef struct {
    uint32_t day;
    keymap_t map;
    int known; //  members hashed so far
    uint8_t (*handles) [HANDLE_SIZE];
} dayhandles_t;

#define HANDLE_DAYS 12

struct members_t {
    box_keys_t core_keys;
    uint8_t pseudonym_key [32];
    member_t **items;
    int count, room;
    invited_t **invited;
    int invited_count, invited_room;
    keymap_t by_link, by_device;
    dayhandles_t days [HANDLE_DAYS];
};

static uint64_t s_hash (const uint8_t *key)
{
    uint64_t hash;
    memcpy (&hash, key, sizeof hash);
    return hash;
}

members_t *members_new (const box_keys_t *core_keys)
{
    members_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->core_keys = *core_keys;
    crypto_generichash (
        self->pseudonym_key, sizeof self->pseudonym_key, (const uint8_t *)"pseudonym", 9, core_keys->secret_key, KEY_SIZE);
    return self;
}

void members_destroy (members_t **self_p)
{
    members_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (int i = 0; i < self->count; i++) {
        member_t *member = self->items [i];
        for (int j = 0; j < member->origin_count; j++) {
            intervals_clear (&member->origins [j].seen);
            intervals_clear (&member->origins [j].durable);
            intervals_clear (&member->origins [j].delivered);
        }
        free (member->origins);
        sodium_memzero (member, sizeof *member);
        free (member);
    }
    for (int i = 0; i < self->invited_count; i++)
        free (self->invited [i]);
    for (int i = 0; i < HANDLE_DAYS; i++) {
        free (self->days [i].map.slots);
        free (self->days [i].handles);
    }
    free (self->invited);
    free (self->items);
    free (self->by_link.slots);
    free (self->by_device.slots);
    sodium_memzero (self, sizeof *self);
    free (self);
}

//  ---- from a credential

static void s_copy (char *out, size_t room, ProtobufCBinaryData from)
{
    size_t size = from.len < room - 1 ? from.len : room - 1;
    if (size)
        memcpy (out, from.data, size);
    out [size] = 0;
}

int members_from_credential (
    member_t *out, uint32_t number, const uint8_t *packed, size_t size, const char *name, int64_t at_ms)
{
    int rc = -1;
    memset (out, 0, sizeof *out);
    Patrol__Signed *outer = patrol__signed__unpack (NULL, size, packed);
    Patrol__Credential *credential = outer ? patrol__credential__unpack (NULL, outer->body.len, outer->body.data) : NULL;
    if (credential && credential->device_key.len == KEY_SIZE && credential->link_key.len == KEY_SIZE) {
        out->number = number;
        out->member = credential->member;
        out->role = credential->role;
        s_copy (out->station, sizeof out->station, credential->station);
        s_copy (out->unit, sizeof out->unit, credential->unit);
        snprintf (out->name, sizeof out->name, "%s", name);
        memcpy (out->device_key, credential->device_key.data, KEY_SIZE);
        memcpy (out->link_key, credential->link_key.data, KEY_SIZE);
        out->until_ms = credential->until_ms;
        out->enrolled_ms = at_ms;
        out->inbox_next = 1;
        rc = 0;
    }
    if (credential)
        patrol__credential__free_unpacked (credential, NULL);
    if (outer)
        patrol__signed__free_unpacked (outer, NULL);
    return rc;
}

//  ---- hash maps from a key to a member number

typedef const uint8_t *(key_of_fn)(const members_t *self, uint32_t number);

static const uint8_t *s_link_key (const members_t *self, uint32_t number)
{
    return self->items [number - 1]->link_key;
}

static const uint8_t *s_device_key (const members_t *self, uint32_t number)
{
    return self->items [number - 1]->device_key;
}

static void s_map_put (keymap_t *map, uint64_t hash, uint32_t number)
{
    uint32_t i = (uint32_t)hash & (map->room - 1);
    while (map->slots [i])
        i = (i + 1) & (map->room - 1);
    map->slots [i] = number;
}

static void s_map_add (const members_t *self, keymap_t *map, key_of_fn *key_of, uint32_t number)
{
    if (number * 2 > map->room) {
        free (map->slots);
        map->room = map->room ? map->room * 4 : 256;
        map->slots = calloc (map->room, sizeof *map->slots);
        if (!map->slots)
            abort ();
        for (uint32_t i = 1; i < number; i++)
            s_map_put (map, s_hash (key_of (self, i)), i);
    }
    s_map_put (map, s_hash (key_of (self, number)), number);
}

static member_t *s_map_find (const members_t *self, const keymap_t *map, key_of_fn *key_of, const uint8_t *key)
{
    if (!map->room)
        return NULL;
    for (uint32_t i = (uint32_t)s_hash (key) & (map->room - 1); map->slots [i]; i = (i + 1) & (map->room - 1))
        if (memcmp (key_of (self, map->slots [i]), key, KEY_SIZE) == 0)
            return self->items [map->slots [i] - 1];
    return NULL;
}

member_t *members_add (members_t *self, const member_t *member)
{
    if (member->number != (uint32_t)self->count + 1 || members_by_link (self, member->link_key)
        || members_by_device (self, member->device_key))
        return NULL;
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->items = realloc (self->items, (size_t)self->room * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    member_t *copy = malloc (sizeof *copy);
    if (!copy)
        abort ();
    *copy = *member;
    copy->origins = NULL;
    copy->origin_count = 0;
    copy->shared_ready = false;
    copy->handle_day = UINT32_MAX;
    copy->session = 0;
    self->items [self->count++] = copy;
    s_map_add (self, &self->by_link, s_link_key, copy->number);
    s_map_add (self, &self->by_device, s_device_key, copy->number);
    return copy;
}

invited_t *members_invite (members_t *self, const invited_t *invited)
{
    if (self->invited_count == self->invited_room) {
        self->invited_room = self->invited_room ? self->invited_room * 2 : 64;
        self->invited = realloc (self->invited, (size_t)self->invited_room * sizeof *self->invited);
        if (!self->invited)
            abort ();
    }
    invited_t *copy = malloc (sizeof *copy);
    if (!copy)
        abort ();
    *copy = *invited;
    return self->invited [self->invited_count++] = copy;
}

int members_count (const members_t *self)
{
    return self->count;
}

member_t *members_get (members_t *self, uint32_t number)
{
    return number >= 1 && number <= (uint32_t)self->count ? self->items [number - 1] : NULL;
}

member_t *members_by_link (members_t *self, const uint8_t key [KEY_SIZE])
{
    return s_map_find (self, &self->by_link, s_link_key, key);
}

member_t *members_by_device (members_t *self, const uint8_t key [KEY_SIZE])
{
    return s_map_find (self, &self->by_device, s_device_key, key);
}

member_t *members_by_id (members_t *self, uint64_t member)
{
    for (int i = 0; i < self->count; i++)
        if (self->items [i]->member == member)
            return self->items [i];
    return NULL;
}

int members_invited_count (const members_t *self)
{
    return self->invited_count;
}

invited_t *members_invited_at (members_t *self, int index)
{
    return self->invited [index];
}

invited_t *members_invited_by_link (members_t *self, const uint8_t key [KEY_SIZE])
{
    for (int i = self->invited_count; i-- > 0;)
        if (memcmp (self->invited [i]->link_key, key, KEY_SIZE) == 0)
            return self->invited [i];
    return NULL;
}

invited_t *members_invited_by_hash (members_t *self, const uint8_t hash [32])
{
    for (int i = self->invited_count; i-- > 0;)
        if (sodium_memcmp (self->invited [i]->token_hash, hash, 32) == 0)
            return self->invited [i];
    return NULL;
}

//  ---- keys and handles

const uint8_t *members_shared (members_t *self, member_t *member)
{
    if (!member->shared_ready) {
        if (envelope_shared (member->shared, member->device_key, self->core_keys.secret_key))
            return NULL;
        member->shared_ready = true;
    }
    return member->shared;
}

bool members_handle_is (members_t *self, member_t *member, const uint8_t handle [HANDLE_SIZE], uint32_t day)
{
    const uint8_t *shared = members_shared (self, member);
    if (!shared)
        return false;
    if (member->handle_day != day) {
        envelope_handle (member->handle, shared, day);
        member->handle_day = day;
    }
    return memcmp (member->handle, handle, HANDLE_SIZE) == 0;
}

static void s_hash_day (members_t *self, dayhandles_t *day)
{
    if (day->known == self->count)
        return;
    day->map.room = 256;
    while (day->map.room < (uint32_t)self->count * 2)
        day->map.room *= 2;
    free (day->map.slots);
    day->map.slots = calloc (day->map.room, sizeof *day->map.slots);
    day->handles = realloc (day->handles, (size_t)self->count * sizeof *day->handles);
    if (!day->map.slots || !day->handles)
        abort ();
    for (int i = 0; i < self->count; i++) {
        const uint8_t *shared = members_shared (self, self->items [i]);
        if (!shared)
            continue;
        if (i >= day->known)
            envelope_handle (day->handles [i], shared, day->day);
        s_map_put (&day->map, s_hash (day->handles [i]), (uint32_t)i + 1);
    }
    day->known = self->count;
}

member_t *members_by_handle (members_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t day, uint32_t today)
{
    //  Relays carry a tip 72 hours at most; beyond that and a day of clock error nobody's handle is looked for.
    if (day + 8 < today || day > today + 2 || !self->count)
        return NULL;
    dayhandles_t *slot = &self->days [day % HANDLE_DAYS];
    if (slot->day != day) {
        slot->day = day;
        slot->known = 0;
    }
    s_hash_day (self, slot);
    for (uint32_t i = (uint32_t)s_hash (handle) & (slot->map.room - 1); slot->map.slots [i];
         i = (i + 1) & (slot->map.room - 1))
        if (memcmp (slot->handles [slot->map.slots [i] - 1], handle, HANDLE_SIZE) == 0)
            return self->items [slot->map.slots [i] - 1];
    return NULL;
}

//  ---- origins

origin_t *member_origin (member_t *member, uint64_t epoch)
{
    for (int i = member->origin_count; i-- > 0;)
        if (member->origins [i].epoch == epoch)
            return &member->origins [i];
    return NULL;
}

origin_t *member_add_origin (member_t *member, uint64_t epoch)
{
    member->origins = realloc (member->origins, (size_t)(member->origin_count + 1) * sizeof *member->origins);
    if (!member->origins)
        abort ();
    origin_t *origin = &member->origins [member->origin_count++];
    memset (origin, 0, sizeof *origin);
    origin->epoch = epoch;
    return origin;
}

int member_live_epochs (const member_t *member, int64_t now_ms)
{
    int live = 0;
    for (int i = 0; i < member->origin_count; i++)
        live += now_ms - member->origins [i].last_ms < EPOCH_LIFE_MS;
    return live;
}

void members_pseudonym (const members_t *self, const member_t *member, uint32_t day, char out [16])
{
    uint8_t in [12], hash [16];
    memcpy (in, &member->number, 4);
    memcpy (in + 4, &day, 4);
    memcpy (in + 8, "rday", 4);
    crypto_generichash (hash, sizeof hash, in, sizeof in, self->pseudonym_key, sizeof self->pseudonym_key);
    uint64_t number;
    memcpy (&number, hash, sizeof number);
    char id [14];
    id64_format (id, number);
    snprintf (out, 16, "r-%.8s", id + 5);
}
