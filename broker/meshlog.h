//  meshlog - HOME/receipts.key and HOME/mesh.db: the receipt epochs this broker has signed
//
//  An epoch repeats what the log says, for those who have no link: losing mesh.db loses no promise (what is offered again is named
//  again), but numbers may not be given twice, so a lost file or another incarnation begins a new series. One thread.

#ifndef MESHLOG_H_INCLUDED
#define MESHLOG_H_INCLUDED

#include "envelope.h"
#include "meshreceipt.h"

typedef struct meshlog_t meshlog_t;

#define MESHLOG_EVERY_MS 60000 //  between two epochs,
#define MESHLOG_SOON_MS 3000   //  and this long after the first tip when the last one is older

//  Makes the key where there is none yet. NULL with one line on stderr.
meshlog_t *meshlog_open (const char *home, uint64_t incarnation, int64_t now_ms);
void meshlog_close (meshlog_t **self_p);

const sign_keys_t *meshlog_keys (const meshlog_t *self);

//  The tip of this mid is durable and accepted, and copies of it are about: the next epoch names it. One that was named
//  not long ago is not named again.
void meshlog_add (meshlog_t *self, const uint8_t mid [MID_SIZE], bool sos, int64_t now_ms);
//  Closes an epoch if one is due: it is on disk then, and told to the function of meshlog_since. True if there is a new one.
//  *failed: the disk did not take it; it is tried again.
bool meshlog_close_epoch (meshlog_t *self, int64_t now_ms, bool *failed);

//  Epochs after (series, number), oldest first; those of an older series are told whole. At most `limit`.
typedef void (meshlog_fn) (void *context, const uint8_t *bytes, size_t size);
void meshlog_since (meshlog_t *self, uint32_t series, uint32_t number, int limit, meshlog_fn *tell, void *context);
void meshlog_newest (const meshlog_t *self, uint32_t *series, uint32_t *number);

#endif
