//  meshmail - see meshmail.h

#include "meshmail.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "meshword.h"

#define SHORT 8u
#define ENTRY 14u
#define ENTRIES 64u
#define OWN_DAYS 11         //  8 before today to 2 after: as long as the broker looks for a handle
#define LETTERS_AT_ONCE 128 //  from one neighbour: offers, wishes and letters together,
#define LETTERS_A_SECOND 8
#define FORGET_EACH_MS 60000

typedef struct {
    uint32_t link;
    bool greet; //  offer everything
    bucket_t bucket;
} mate_t;

struct meshmail_t {
    meshstore_t *store;
    const device_t *device;
    meshmail_handler_t handler;
    void *context;
    arena_t *arena;
    mate_t mates [MESHLINKS_MAX];
    uint8_t fresh [ENTRIES][HANDLE_SIZE]; //  kept since the last offers went out
    size_t fresh_count;
    uint8_t own [OWN_DAYS][HANDLE_SIZE]; //  this node's handles
    uint32_t own_day;                    //  the last of those days
    uint64_t own_number;                 //  of the newest letter to us
    int64_t forget_ms;
    uint8_t plain [WORD_MAX];
};

meshmail_t *meshmail_new (meshstore_t *store, const device_t *device, const meshmail_handler_t *handler, void *context)
{
    meshmail_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    self->device = device;
    self->handler = *handler;
    self->context = context;
    self->arena = arena_new (4 * ARENA_MESSAGE_SIZE);
    return self;
}

void meshmail_destroy (meshmail_t **self_p)
{
    meshmail_t *self = *self_p;
    if (!self)
        return;
    arena_destroy (&self->arena);
    identity_wipe (self->plain, sizeof self->plain);
    free (self);
    *self_p = NULL;
}

static mate_t *s_mate (meshmail_t *self, uint32_t link)
{
    for (int i = 0; i < MESHLINKS_MAX; i++)
        if (self->mates [i].link == link)
            return &self->mates [i];
    return NULL;
}

void meshmail_link_up (meshmail_t *self, uint32_t link)
{
    mate_t *mate = s_mate (self, 0);
    if (mate)
        *mate = (mate_t){ .link = link, .greet = true };
}

void meshmail_link_down (meshmail_t *self, uint32_t link)
{
    mate_t *mate = s_mate (self, link);
    if (mate)
        mate->link = 0;
}

static void s_own_handles (meshmail_t *self, int64_t now_ms)
{
    uint32_t last = envelope_day (now_ms) + 2;
    if (last == self->own_day)
        return;
    self->own_day = last;
    for (uint32_t i = 0; i < OWN_DAYS; i++)
        envelope_handle (self->own [i], device_shared (self->device), last - i);
}

//  By the first octets: among a node's own eleven handles that is enough.
static bool s_is_own (const meshmail_t *self, const uint8_t *handle, size_t size)
{
    for (int i = 0; i < OWN_DAYS; i++)
        if (memcmp (self->own [i], handle, size) == 0)
            return true;
    return false;
}

//  ---- what is kept, by the short names that travel

typedef struct {
    const uint8_t *handle; //  SHORT octets
    kept_letter_t found;
    bool any;
} search_t;

static void s_match (void *context, const kept_letter_t *letter)
{
    search_t *search = context;
    if (!search->any && memcmp (letter->handle, search->handle, SHORT) == 0) {
        search->found = *letter;
        search->any = true;
    }
}

static bool s_find (meshmail_t *self, const uint8_t *handle, kept_letter_t *out)
{
    search_t search = { .handle = handle };
    meshstore_each_letter (self->store, s_match, &search);
    *out = search.found;
    return search.any;
}

static uint64_t s_low (uint64_t number)
{
    return number & 0xffffffffffull;
}

static void s_entry (uint8_t *out, const kept_letter_t *letter)
{
    memcpy (out, letter->handle, SHORT);
    for (int i = 0; i < 5; i++)
        out [SHORT + (size_t)i] = (uint8_t)(letter->number >> (8 * i));
    out [ENTRY - 1] = letter->copies > 1;
}

//  ---- letters in

static void s_open (meshmail_t *self, const word_t *word, const letter_t *letter)
{
    size_t size = 0;
    if (word->number <= self->own_number || letter->box_size > sizeof self->plain)
        return;
    const uint8_t *bytes
        = box_open (self->plain, &size, device_shared (self->device), DOMAIN_LETTER, letter->box, letter->box_size);
    arena_reset (self->arena);
    Patrol__MeshLetter *message = bytes ? patrol__mesh_letter__unpack (arena_allocator (self->arena), size, bytes) : NULL;
    if (!message || arena_has_unknown (&message->base))
        return;
    self->own_number = word->number;
    self->handler.ours (self->context, message);
}

static void s_keep (
    meshmail_t *self, const word_t *word, const letter_t *letter, const uint8_t *bytes, size_t size, uint32_t copies)
{
    kept_letter_t kept = { .day = letter->day,
        .number = word->number,
        .until_ms = word->at_ms + (int64_t)letter->life_h * 3600000,
        .copies = copies,
        .bytes = bytes,
        .size = size };
    memcpy (kept.handle, letter->handle, HANDLE_SIZE);
    meshstore_put_letter (self->store, &kept);
    if (self->fresh_count < ENTRIES)
        memcpy (self->fresh [self->fresh_count++], letter->handle, HANDLE_SIZE);
}

//  -1 only for what nobody honest sends.
static int s_take (meshmail_t *self, const uint8_t *bytes, size_t size, uint32_t copies, bool must, int64_t now_ms)
{
    word_t word;
    letter_t letter;
    kept_letter_t kept;
    const uint8_t *key = device_receipts_key (self->device);
    if (!key)
        return 0; //  cannot be judged yet
    if (word_verify (&word, bytes, size, key) || letter_parse (&letter, &word)
        || memcmp (word.district, device_credential (self->device)->district, DISTRICT_SIZE) != 0)
        return -1;
    self->handler.signed_at (self->context, word.at_ms);
    s_own_handles (self, now_ms);
    if (s_is_own (self, letter.handle, HANDLE_SIZE)) {
        s_open (self, &word, &letter);
        return 0;
    }
    if (word.at_ms + (int64_t)letter.life_h * 3600000 < now_ms
        || (meshstore_letter (self->store, letter.handle, &kept) && kept.number >= word.number))
        return 0;
    if (must || copies > 1 || meshstore_reaches (self->store, letter.handle, HANDLE_SIZE))
        s_keep (self, &word, &letter, bytes, size, copies);
    return 0;
}

int meshmail_from_broker (meshmail_t *self, const uint8_t *word, size_t size, int64_t now_ms)
{
    return s_take (self, word, size, MAIL_COPIES, true, now_ms);
}

//  ---- frames

static int s_on_offers (meshmail_t *self, uint32_t link, const uint8_t *body, size_t size, int64_t now_ms)
{
    uint8_t wanted [ENTRIES * SHORT];
    size_t used = 0;
    if (size == 0 || size % ENTRY || size > ENTRIES * ENTRY)
        return -1;
    s_own_handles (self, now_ms);
    for (const uint8_t *entry = body; entry < body + size; entry += ENTRY) {
        uint64_t number = 0;
        kept_letter_t kept;
        for (int i = 4; i >= 0; i--)
            number = number << 8 | entry [SHORT + (size_t)i];
        bool own = s_is_own (self, entry, SHORT), have = !own && s_find (self, entry, &kept);
        uint64_t newest = own ? s_low (self->own_number) : have ? s_low (kept.number) : 0;
        if (number <= newest)
            continue;
        if (own || have || entry [ENTRY - 1] || meshstore_reaches (self->store, entry, SHORT)) {
            memcpy (wanted + used, entry, SHORT);
            used += SHORT;
        }
    }
    if (used)
        self->handler.send (self->context, link, MESHFRAME_WANTED, wanted, used, NULL, 0);
    return 0;
}

static int s_on_wanted (meshmail_t *self, uint32_t link, const uint8_t *body, size_t size)
{
    if (size == 0 || size % SHORT || size > ENTRIES * SHORT)
        return -1;
    for (const uint8_t *name = body; name < body + size; name += SHORT) {
        kept_letter_t found, letter;
        if (!s_find (self, name, &found) || !meshstore_letter (self->store, found.handle, &letter))
            continue;
        //  Half of the copies go along; the last one is given to whoever has a reason to want it.
        uint8_t copies = (uint8_t)(letter.copies > 1 ? letter.copies / 2 : 1);
        if (!self->handler.send (self->context, link, MESHFRAME_LETTER, &copies, 1, letter.bytes, letter.size))
            return 0;
        if (letter.copies > 1)
            meshstore_letter_copies (self->store, letter.handle, letter.copies - copies);
    }
    return 0;
}

int meshmail_frame (meshmail_t *self, uint32_t link, meshframe_t type, const uint8_t *body, size_t size, int64_t now_ms)
{
    mate_t *mate = s_mate (self, link);
    if (!mate)
        return -1;
    if (!bucket_take (&mate->bucket, LETTERS_AT_ONCE, LETTERS_A_SECOND, 1, now_ms))
        return 1;
    if (type == MESHFRAME_LETTERS)
        return s_on_offers (self, link, body, size, now_ms);
    if (type == MESHFRAME_WANTED)
        return s_on_wanted (self, link, body, size);
    if (size < 1 + WORD_MIN || body [0] < 1)
        return -1;
    return s_take (self, body + 1, size - 1, body [0] < MAIL_COPIES ? body [0] : MAIL_COPIES, false, now_ms);
}

//  ---- offers out

typedef struct {
    uint8_t bytes [ENTRIES * ENTRY];
    size_t used;
} offer_t;

static void s_add_offer (void *context, const kept_letter_t *letter)
{
    offer_t *offer = context;
    if (offer->used < sizeof offer->bytes) {
        s_entry (offer->bytes + offer->used, letter);
        offer->used += ENTRY;
    }
}

void meshmail_tend (meshmail_t *self, int64_t now_ms)
{
    offer_t all = { .used = 0 }, fresh = { .used = 0 };
    bool greet = false;
    if (now_ms >= self->forget_ms) {
        if (self->forget_ms)
            meshstore_forget_letters (self->store, now_ms);
        self->forget_ms = now_ms + FORGET_EACH_MS;
    }
    for (int i = 0; i < MESHLINKS_MAX; i++)
        greet = greet || (self->mates [i].link && self->mates [i].greet);
    //  The newest 64 to who has just come, the new ones to the others.
    if (greet)
        meshstore_each_letter (self->store, s_add_offer, &all);
    for (size_t i = 0; i < self->fresh_count; i++) {
        kept_letter_t letter;
        if (meshstore_letter (self->store, self->fresh [i], &letter))
            s_add_offer (&fresh, &letter);
    }
    self->fresh_count = 0;
    for (int i = 0; i < MESHLINKS_MAX; i++) {
        mate_t *mate = &self->mates [i];
        const offer_t *offer = mate->greet ? &all : &fresh;
        if (!mate->link)
            continue;
        mate->greet = false;
        if (offer->used)
            self->handler.send (self->context, mate->link, MESHFRAME_LETTERS, offer->bytes, offer->used, NULL, 0);
    }
}

static void s_count (void *context, const kept_letter_t *letter)
{
    (void)letter;
    (*(int *)context)++;
}

int meshmail_count (meshmail_t *self)
{
    int count = 0;
    meshstore_each_letter (self->store, s_count, &count);
    return count;
}
