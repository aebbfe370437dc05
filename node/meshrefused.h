//  meshrefused - who was refused a link, and why: by reason since the start, and by the key that knocked
//
//  The key is what the card claims: proven by a signature for an expired, revoked or banned member, believed by nobody for a
//  stranger. A table of fixed size; the key not refused for longest gives up its place. A pure library.

#ifndef MESHREFUSED_H_INCLUDED
#define MESHREFUSED_H_INCLUDED

#include "meshcard.h"

#define REFUSED_KEYS 32

typedef struct {
    uint8_t key [KEY_SIZE];
    uint32_t counts [CARD_VERDICTS];
    int64_t last_ms; //  0: a free place
} refused_key_t;

typedef struct {
    uint64_t totals [CARD_VERDICTS];
    refused_key_t keys [REFUSED_KEYS];
} meshrefused_t;

//  key may be NULL; now_ms is above 0. Says it on stderr the first time and at each power of two: a flood cannot fill the journal.
void meshrefused_count (meshrefused_t *self, card_verdict_t verdict, const uint8_t *key, int64_t now_ms);

#endif
