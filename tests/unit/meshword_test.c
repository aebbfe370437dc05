//  meshword_test - letters, the revocation list, the trailer: what is signed is believed, and nothing else

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "meshword.h"

#define NOW INT64_C (1795811237000)

typedef struct {
    sign_keys_t keys;
    box_keys_t core, device;
    uint8_t shared [KEY_SIZE], word [WORD_MAX];
    size_t size;
} fixture_t;

static word_t s_facts (uint64_t number)
{
    word_t word = { .number = number, .at_ms = NOW, .district = { 1, 2, 3, 4, 5, 6, 7, 8 } };
    return word;
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    sign_keys_make (&f->keys);
    box_keys_make (&f->core);
    box_keys_make (&f->device);
    assert_int_equal (envelope_shared (f->shared, f->core.public_key, f->device.secret_key), 0);
    Patrol__MeshLetter message = PATROL__MESH_LETTER__INIT;
    message.incarnation = 77;
    message.now_ms = NOW;
    word_t word = s_facts (41);
    f->size = letter_write (f->word, &word, 20000, 24, f->shared, &message.base, &f->keys);
    assert_true (f->size > 0);
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    free (*state);
    return 0;
}

static void test_a_letter_is_known_by_handle_and_opened_by_its_reader_only (void **state)
{
    fixture_t *f = *state;
    word_t word;
    letter_t letter;
    uint8_t handle [HANDLE_SIZE], plain [WORD_MAX], stranger [KEY_SIZE] = { 9 };
    size_t size;
    assert_int_equal (word_verify (&word, f->word, f->size, f->keys.public_key), 0);
    assert_int_equal (word.kind, WORD_LETTER);
    assert_int_equal (word.number, 41);
    assert_int_equal (word.at_ms, NOW);
    assert_int_equal (letter_parse (&letter, &word), 0);
    envelope_handle (handle, f->shared, 20000);
    assert_memory_equal (letter.handle, handle, HANDLE_SIZE);
    assert_int_equal (letter.day, 20000);
    assert_int_equal (letter.life_h, 24);
    const uint8_t *message = box_open (plain, &size, f->shared, DOMAIN_LETTER, letter.box, letter.box_size);
    assert_non_null (message);
    Patrol__MeshLetter *read = patrol__mesh_letter__unpack (NULL, size, message);
    assert_int_equal (read->incarnation, 77);
    patrol__mesh_letter__free_unpacked (read, NULL);
    assert_null (box_open (plain, &size, stranger, DOMAIN_LETTER, letter.box, letter.box_size));
    assert_null (box_open (plain, &size, f->shared, DOMAIN_DOWN, letter.box, letter.box_size));
}

static void test_no_octet_can_be_changed_or_left_out (void **state)
{
    fixture_t *f = *state;
    word_t word;
    sign_keys_t other;
    sign_keys_make (&other);
    assert_int_equal (word_verify (&word, f->word, f->size, other.public_key), -1);
    for (size_t i = 0; i < f->size; i++) {
        f->word [i] ^= 1;
        assert_int_equal (word_verify (&word, f->word, f->size, f->keys.public_key), -1);
        f->word [i] ^= 1;
        assert_int_equal (word_verify (&word, f->word, i, f->keys.public_key), -1);
    }
    assert_int_equal (word_verify (&word, f->word, f->size, f->keys.public_key), 0);
}

static void test_a_letter_that_is_too_long_is_not_written (void **state)
{
    fixture_t *f = *state;
    uint8_t *text = calloc (1, WORD_MAX);
    Patrol__Item item = PATROL__ITEM__INIT, *items = &item;
    Patrol__MeshLetter message = PATROL__MESH_LETTER__INIT;
    word_t word = s_facts (1);
    message.items = &items;
    message.n_items = 1;
    item.answer = (ProtobufCBinaryData){ WORD_MAX, text };
    assert_int_equal (letter_write (f->word, &word, 1, 24, f->shared, &message.base, &f->keys), 0);
    item.answer.len = LETTER_BOX_MAX - BOX_OVERHEAD - 40;
    size_t size = letter_write (f->word, &word, 1, 24, f->shared, &message.base, &f->keys);
    assert_true (size > 0 && size <= WORD_MAX);
    //  one that says nothing is a letter all the same
    letter_t letter;
    message.n_items = 0;
    size = letter_write (f->word, &word, 1, 24, f->shared, &message.base, &f->keys);
    assert_int_equal (word_verify (&word, f->word, size, f->keys.public_key), 0);
    assert_int_equal (letter_parse (&letter, &word), 0);
    free (text);
}

static void test_the_list_of_revoked_devices (void **state)
{
    fixture_t *f = *state;
    uint8_t ids [2 * REVOKED_ID], other [KEY_SIZE] = { 5 };
    word_t word = s_facts (2);
    revoked_id (ids, f->device.public_key);
    revoked_id (ids + REVOKED_ID, f->core.public_key);
    word.kind = WORD_REVOKED;
    word.body = ids;
    word.body_size = sizeof ids;
    size_t size = word_sign (f->word, &word, &f->keys);
    assert_int_equal (word_verify (&word, f->word, size, f->keys.public_key), 0);
    assert_true (revoked_has (&word, f->device.public_key));
    assert_true (revoked_has (&word, f->core.public_key));
    assert_false (revoked_has (&word, other));
    letter_t letter;
    assert_int_equal (letter_parse (&letter, &word), -1);
    //  the longest one fits what a mesh frame may carry
    assert_true (REVOKED_MAX * REVOKED_ID + WORD_MIN <= 8192);
}

static void test_the_trailer (void **state)
{
    fixture_t *f = *state;
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    envelope_seal_t seal = { .key_id = 1 };
    uint8_t *envelope = NULL, bytes [ENVELOPE_MAX + CARRIED_SIZE];
    memcpy (seal.shared, f->shared, KEY_SIZE);
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    size_t size = envelope_seal (&envelope, &seal, CLASS_NORMAL, 24, NOW, &inner), whole = size + CARRIED_SIZE;
    carried_t carried = { .hops = 5, .age_s = 70000, .told = true }, again;
    memcpy (bytes, envelope, size);
    carried_write (bytes + size, &carried);
    assert_true (carried_split (&again, bytes, &whole));
    assert_int_equal (whole, size);
    assert_int_equal (again.hops, 5);
    assert_int_equal (again.age_s, 70000);
    assert_true (again.told);
    //  a bare envelope has none, and what only looks like one is none
    whole = size;
    assert_false (carried_split (&again, bytes, &whole));
    assert_int_equal (whole, size);
    whole = size + CARRIED_SIZE;
    bytes [size + 2] = 1;
    assert_false (carried_split (&again, bytes, &whole));
    bytes [size + 2] = 0;
    bytes [size + 1] = 2;
    assert_false (carried_split (&again, bytes, &whole));
    carried.hops = 100000;
    carried_write (bytes + size, &carried);
    assert_true (carried_split (&again, bytes, &whole));
    assert_int_equal (again.hops, 255);
    free (envelope);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (
            test_a_letter_is_known_by_handle_and_opened_by_its_reader_only, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_no_octet_can_be_changed_or_left_out, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_letter_that_is_too_long_is_not_written, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_the_list_of_revoked_devices, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_the_trailer, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
