//  hostiletips - attacks by envelopes that are not what they say, and tips that are not right

#include "hostileattacks.h"

#include <sodium.h>
#include <string.h>
#include <stdlib.h>
#include <zmq.h>
#include "timefmt.h"

//  An envelope of octets of our own under a header of the first one: what envelope_seal would not make.
static void s_seal_again (uint8_t *envelope, size_t size, const uint8_t *shared, const uint8_t *plain)
{
    size_t plain_size = size - ENVELOPE_OVERHEAD;
    crypto_box_easy_afternm (envelope + ENVELOPE_HEADER + NONCE_SIZE, plain, plain_size, envelope + ENVELOPE_HEADER, shared);
}

//  ---- envelopes that do not open

void attack_mutated (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    envelope [size - 20] ^= 1;
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  What an honest envelope says in clear is bound to what is sealed: neither its life nor its class can be changed on the way.
void attack_mutated_header (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    envelope [36] ^= 2;
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_envelope_version (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    envelope [0] = 9;
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_other_district (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    envelope [9] ^= 1;
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_unknown_handle (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    randombytes_buf (envelope + 16, HANDLE_SIZE);
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  The handle of another member, as a relay may have seen it, over our own seal.
void attack_foreign_handle (peer_t *self)
{
    uint8_t *envelope;
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    envelope_handle (envelope + 16, device_shared (self->other), envelope_day (time_now_ms ()));
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_domain (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        peer_die ("cannot open its own box");
    plain [0] = DOMAIN_UP;
    s_seal_again (envelope, size, self->shared, plain);
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_padding (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope);
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        peer_die ("cannot open its own box");
    plain [511] = 7;
    s_seal_again (envelope, size, self->shared, plain);
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

//  A field this version does not know, inside the seal.
void attack_unknown_field (peer_t *self)
{
    uint8_t *envelope, plain [512];
    tip_t tip = peer_tip (self);
    size_t size = peer_seal (self, &tip, &envelope), end = 511;
    if (crypto_box_open_easy_afternm (plain, envelope + ENVELOPE_HEADER + NONCE_SIZE, size - ENVELOPE_HEADER - NONCE_SIZE,
            envelope + ENVELOPE_HEADER, self->shared))
        peer_die ("cannot open its own box");
    while (plain [end] != 0x80)
        end--;
    plain [end++] = 0xf8; //  field 31, varint
    plain [end++] = 0x01;
    plain [end++] = 0x01;
    plain [end] = 0x80;
    s_seal_again (envelope, size, self->shared, plain);
    peer_submit (self, LANE_BULK, envelope, size);
    free (envelope);
}

void attack_tag (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.lie_about_tag = true;
    peer_submit_tip (self, &tip);
}

//  ---- tips that are not right

void attack_counter_zero (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.counter = 0;
    peer_submit_tip (self, &tip);
}

void attack_counter_far (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.counter = 20000;
    peer_submit_tip (self, &tip);
}

void attack_gaps (peer_t *self)
{
    peer_honest_tip (self);
    self->quiet = true;
    for (uint64_t i = 0; i < 70; i++) {
        tip_t tip = peer_tip (self);
        tip.counter = 10 + 2 * i;
        if (i == 69) {
            peer_attach (self);
            self->quiet = false;
        }
        peer_submit_tip (self, &tip);
    }
}

void attack_epochs (peer_t *self)
{
    for (uint64_t i = 0; i < 6; i++) {
        self->epoch += 1000 + i;
        tip_t tip = peer_tip (self);
        tip.counter = 1;
        peer_submit_tip (self, &tip);
        peer_await_word (self);
    }
}

void attack_unknown_kind (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.kind = "ufo";
    peer_submit_tip (self, &tip);
}

//  What is told about it must not carry it on to a terminal.
void attack_kind_escape (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.kind = "\x1b[31mred\x1b]0;x\x07\xff\xfe";
    peer_submit_tip (self, &tip);
}

void attack_severity (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.severity = 9;
    peer_submit_tip (self, &tip);
}

void attack_text_control (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.text = "bell \x07";
    peer_submit_tip (self, &tip);
}

void attack_text_utf8 (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.text = "\xc0\xaf over-long";
    peer_submit_tip (self, &tip);
}

void attack_text_bidi (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.text = "\xe2\x80\xae turned round";
    peer_submit_tip (self, &tip);
}

void attack_text_nul (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.text = "a\0b";
    tip.text_size = 3;
    peer_submit_tip (self, &tip);
}

void attack_text_long (peer_t *self)
{
    static char words [4002];
    tip_t tip = peer_tip (self);
    memset (words, 'a', 4001);
    tip.text = words;
    peer_submit_tip (self, &tip);
}

void attack_position (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.lat_e7 = 910000000;
    peer_submit_tip (self, &tip);
}

void attack_datum (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.datum = 3;
    peer_submit_tip (self, &tip);
}

void attack_accuracy (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.accuracy_m = 4000000000u;
    peer_submit_tip (self, &tip);
}

void attack_future (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.seen_ms = tip.written_ms + 3600000;
    peer_submit_tip (self, &tip);
}

void attack_before_1970 (peer_t *self)
{
    tip_t tip = peer_tip (self);
    tip.written_ms = -5;
    peer_submit_tip (self, &tip);
}
