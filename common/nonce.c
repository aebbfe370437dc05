//  nonce - see nonce.h

#include "nonce.h"

#include <sodium.h>
#include <string.h>

#define DRAWN 100u

static _Thread_local struct {
    uint8_t pool [DRAWN * NONCE_SIZE];
    uint32_t left; //  the unused ones are the first of the pool
} s_thread;

void nonce_next (uint8_t nonce [NONCE_SIZE])
{
    if (!s_thread.left) {
        randombytes_buf (s_thread.pool, sizeof s_thread.pool);
        s_thread.left = DRAWN;
    }
    uint8_t *mine = s_thread.pool + NONCE_SIZE * --s_thread.left;
    memcpy (nonce, mine, NONCE_SIZE);
    memset (mine, 0, NONCE_SIZE);
}
