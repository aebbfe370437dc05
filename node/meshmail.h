//  meshmail - letters: the broker's sealed words to members that have no link of their own
//
//  A letter (meshword.h) is a snapshot of what the broker knows of one member's tips, so only the newest to each day handle
//  is kept, and a node needs to hold few. It goes where its reader's envelopes came from: a node takes a letter when it
//  is its own, when an envelope under that handle came this way, or while the letter may still be copied (8 copies at the
//  gateway, halved with each giving). The signature is checked before anything else is done with it.
//
//    LETTERS  n entries of 14, n 1 to 64: first 8 octets of the handle | number, low 5 octets | 1 if it may be copied
//    WANTED   n times the first 8 octets, n 1 to 64
//    LETTER   copies 1 | word
//
//  A pure library over the store: no sockets, time is an argument. Writes are durable after the caller's commit; a lost letter
//  is no loss, the broker writes it again.

#ifndef MESHMAIL_H_INCLUDED
#define MESHMAIL_H_INCLUDED

#include "device.h"
#include "meshlink.h"
#include "meshstore.h"

typedef struct meshmail_t meshmail_t;

typedef struct {
    //  Sends a frame; false: the link cannot take it, it is offered again with the next one.
    bool (*send) (
        void *context, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
    //  A letter to this node, opened.
    void (*ours) (void *context, const Patrol__MeshLetter *letter);
    //  The newest time the broker has signed.
    void (*signed_at) (void *context, int64_t ms);
} meshmail_handler_t;

#define MAIL_COPIES 8u

//  Store and device are borrowed.
meshmail_t *meshmail_new (meshstore_t *store, const device_t *device, const meshmail_handler_t *handler, void *context);
void meshmail_destroy (meshmail_t **self_p);

void meshmail_link_up (meshmail_t *self, uint32_t link);
void meshmail_link_down (meshmail_t *self, uint32_t link);
//  LETTER, LETTERS or WANTED. -1: malformed or forged, what nobody honest sends; 1: too many at once, left unread.
int meshmail_frame (meshmail_t *self, uint32_t link, meshframe_t type, const uint8_t *body, size_t size, int64_t now_ms);
//  A letter from the broker.
int meshmail_from_broker (meshmail_t *self, const uint8_t *word, size_t size, int64_t now_ms);
//  Offers what is new to all links, and forgets what has ended.
void meshmail_tend (meshmail_t *self, int64_t now_ms);

int meshmail_count (meshmail_t *self); //  letters kept for others

#endif
