//  Words that neighbours pass on, before and after their signature; letters within them; the trailer of a carried envelope.

#include "fuzz.h"

#include "meshword.h"

static sign_keys_t s_keys;

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    sign_keys_make (&s_keys);
    return 0;
}

static void s_look (const word_t *word)
{
    letter_t letter;
    uint8_t key [KEY_SIZE] = { 1 }, plain [WORD_MAX];
    size_t size;
    if (letter_parse (&letter, word) == 0) {
        FUZZ_EXPECT (letter.life_h >= 1 && letter.life_h <= 72 && letter.box_size <= WORD_MAX);
        FUZZ_EXPECT (!box_open (plain, &size, key, DOMAIN_LETTER, letter.box, letter.box_size));
    }
    revoked_has (word, key);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    word_t word;
    uint8_t out [WORD_MAX];
    uint8_t how = fuzz_byte (&data, &size);
    if (how & 1) {
        //  as it comes: no stranger's bytes verify
        FUZZ_EXPECT (word_verify (&word, data, size, s_keys.public_key) == -1);
        if (word_parse (&word, data, size) == 0)
            s_look (&word);
    } else if (how & 2) {
        carried_t carried;
        size_t whole = size;
        uint8_t trailer [CARRIED_SIZE];
        if (carried_split (&carried, data, &whole)) {
            FUZZ_EXPECT (whole + CARRIED_SIZE == size && carried.hops <= 255);
            carried_write (trailer, &carried);
            FUZZ_EXPECT (memcmp (trailer, data + whole, CARRIED_SIZE) == 0);
        } else
            FUZZ_EXPECT (whole == size);
    } else {
        //  any body the core might have signed
        word_t facts
            = { .kind = how & 4 ? WORD_LETTER : WORD_REVOKED, .number = how, .at_ms = how, .body = data, .body_size = size };
        size_t written = word_sign (out, &facts, &s_keys);
        FUZZ_EXPECT ((written == 0) == (size > WORD_MAX - WORD_MIN));
        if (written) {
            FUZZ_EXPECT (word_verify (&word, out, written, s_keys.public_key) == 0);
            FUZZ_EXPECT (word.body_size == size && (!size || memcmp (word.body, data, size) == 0));
            s_look (&word);
        }
    }
    return 0;
}
