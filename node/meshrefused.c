//  meshrefused - see meshrefused.h

#include "meshrefused.h"

#include <stdio.h>
#include <string.h>

void meshrefused_count (meshrefused_t *self, card_verdict_t verdict, const uint8_t *key, int64_t now_ms)
{
    uint64_t total = ++self->totals [verdict];
    //  No address, no member.
    if (verdict != CARD_OURSELF && (total & (total - 1)) == 0)
        fprintf (stderr, "mesh: a neighbour is refused: %s (%llu so far)\n", card_verdict_name (verdict),
            (unsigned long long)total);
    if (!key || verdict == CARD_OURSELF)
        return;
    refused_key_t *place = &self->keys [0];
    for (int i = 0; i < REFUSED_KEYS; i++) {
        refused_key_t *one = &self->keys [i];
        if (one->last_ms && memcmp (one->key, key, KEY_SIZE) == 0) {
            place = one;
            break;
        }
        if (one->last_ms < place->last_ms)
            place = one;
    }
    if (memcmp (place->key, key, KEY_SIZE) != 0)
        *place = (refused_key_t){ .last_ms = 0 };
    memcpy (place->key, key, KEY_SIZE);
    if (place->counts [verdict] < UINT32_MAX)
        place->counts [verdict]++;
    place->last_ms = now_ms;
}
