//  meshstore - what the mesh keeps in HOME/outbox.db: copies that are carried, receipts, letters, and how their makers are reached
//
//  Writes go into the node's open transaction and are durable after nodestore_commit; nothing is promised to a
//  neighbour before. Ages are kept as durations: what passed while the process was down is added at the next start, by the
//  clock since boot where it is the same boot, else by the wall clock.

#ifndef MESHSTORE_H_INCLUDED
#define MESHSTORE_H_INCLUDED

#include "envelope.h"
#include "mesh.h"
#include "meshreceipt.h"
#include "nodestore.h"

typedef struct meshstore_t meshstore_t;

//  The store is borrowed.
meshstore_t *meshstore_open (nodestore_t *store);
void meshstore_close (meshstore_t **self_p);

//  CLOCK_BOOTTIME, milliseconds: the clock of every mesh_ call.
int64_t meshstore_clock_ms (void);

//  ---- copies. row: of the outbox for an own tip, whose envelope lies there; 0 and the envelope for a carried one.
int meshstore_put (meshstore_t *self, const mesh_tip_t *tip, int64_t row, const uint8_t *envelope, size_t size);
//  What changed of it. Kept in memory until something else is written or meshstore_flush: a flash card has few writes.
void meshstore_update (meshstore_t *self, const mesh_tip_t *tip);
//  Writes the updates if the oldest is older than this. True if a transaction was begun.
bool meshstore_flush (meshstore_t *self, int64_t older_ms);
void meshstore_erase (meshstore_t *self, const uint8_t mid [MESH_MID]);
//  The envelope of a carried copy; 0 if there is none.
size_t meshstore_envelope (meshstore_t *self, const uint8_t mid [MESH_MID], uint8_t out [ENVELOPE_MAX]);
//  What is kept of one, with its age as of now; *row as in put. False if there is none.
bool meshstore_tip (meshstore_t *self, const uint8_t mid [MESH_MID], mesh_tip_t *tip, int64_t *row);

//  Everything kept, with ages as of now, carried tips first, in the order they came. What the function returns -1 for is erased.
typedef int (meshstore_tip_fn) (void *context, const mesh_tip_t *tip);
void meshstore_each (meshstore_t *self, meshstore_tip_fn *tell, void *context);

//  ---- receipts and the revocation list, as signed
void meshstore_keep_epoch (meshstore_t *self, uint32_t series, uint32_t number, const uint8_t *bytes, size_t size);
void meshstore_forget_epoch (meshstore_t *self, uint32_t series, uint32_t number); //  and those before it
typedef void (meshstore_bytes_fn) (void *context, const uint8_t *bytes, size_t size);
void meshstore_each_epoch (meshstore_t *self, meshstore_bytes_fn *tell, void *context); //  oldest first
void meshstore_newest_epoch (meshstore_t *self, meshreceipt_epoch_t *head);             //  zeros if there is none

void meshstore_keep_revoked (meshstore_t *self, uint32_t number, const uint8_t *bytes, size_t size);
//  0 if there is none.
size_t meshstore_revoked (meshstore_t *self, uint32_t *number, uint8_t *out, size_t room);

//  ---- letters: the newest to each day handle
#define LETTERS_MAX 256

typedef struct {
    uint8_t handle [HANDLE_SIZE];
    uint32_t day;
    uint64_t number;
    int64_t until_ms; //  wall clock
    uint32_t copies;  //  that this node may still make, its own included
    const uint8_t *bytes;
    size_t size;
} kept_letter_t;

//  Replaces an older one to the same handle. Beyond LETTERS_MAX the one that ends first goes.
void meshstore_put_letter (meshstore_t *self, const kept_letter_t *letter);
void meshstore_letter_copies (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t copies);
//  False if there is none; bytes are valid until the next call of this function.
bool meshstore_letter (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], kept_letter_t *out);
//  All of them, without bytes.
typedef void (meshstore_letter_fn) (void *context, const kept_letter_t *letter);
void meshstore_each_letter (meshstore_t *self, meshstore_letter_fn *tell, void *context);
void meshstore_forget_letters (meshstore_t *self, int64_t now_ms);

//  ---- whose envelopes came this way: their letters may go back the same way
#define REACH_MAX 512
void meshstore_reach (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t day);
//  By the whole handle or its first octets.
bool meshstore_reaches (meshstore_t *self, const uint8_t *handle, size_t size);
//  The newest ones, newest first. Returns how many.
int meshstore_reach_newest (meshstore_t *self, uint8_t (*handles) [HANDLE_SIZE], uint32_t *days, int room);

#endif
