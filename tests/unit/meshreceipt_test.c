//  meshreceipt_test - epochs and singles: what is signed verifies, what was touched does not

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <string.h>
#include "meshreceipt.h"

static uint8_t s_public [MESHRECEIPT_KEY], s_secret [MESHRECEIPT_SECRET], s_bytes [MESHRECEIPT_EPOCH_MAX];
static uint8_t s_mids [6][MESHRECEIPT_MID];

static size_t s_epoch (void)
{
    static const uint8_t salt [8] = "saltsalt";
    const bool sos [5] = { false, true, false, false, true };
    meshreceipt_epoch_t head = { .series = 9, .number = 7, .oldest = 2, .closed_s = 1000 };
    for (uint8_t index = 0; index < 6; index++)
        memset (s_mids [index], index + 1, MESHRECEIPT_MID);
    return meshreceipt_epoch_sign (s_bytes, &head, salt, (const uint8_t (*) [MESHRECEIPT_MID])s_mids, sos, 5, s_secret);
}

static void test_epoch (void **state)
{
    (void)state;
    meshreceipt_epoch_t head;
    size_t size = s_epoch ();
    assert_int_equal (size, MESHRECEIPT_EPOCH_MIN + 3 * 5 + 2 * 8);
    assert_int_equal (meshreceipt_epoch_parse (&head, s_bytes, size), 0);
    assert_true (head.series == 9 && head.number == 7 && head.oldest == 2 && head.closed_s == 1000 && head.shorts == 3
        && head.longs == 2);
    assert_true (meshreceipt_epoch_verify (s_bytes, size, s_public));
    assert_true (meshreceipt_epoch_has (s_bytes, size, s_mids [0], false));
    assert_true (meshreceipt_epoch_has (s_bytes, size, s_mids [4], true));
    assert_false (meshreceipt_epoch_has (s_bytes, size, s_mids [4], false)); //  an sos is named by its long id only
    assert_false (meshreceipt_epoch_has (s_bytes, size, s_mids [5], false));
}

static void test_every_byte_is_covered (void **state)
{
    (void)state;
    size_t size = s_epoch ();
    for (size_t at = 0; at < size; at++) {
        s_bytes [at] ^= 1;
        assert_false (meshreceipt_epoch_verify (s_bytes, size, s_public));
        s_bytes [at] ^= 1;
    }
    assert_false (meshreceipt_epoch_verify (s_bytes, size - 1, s_public));
    s_public [0] ^= 1;
    assert_false (meshreceipt_epoch_verify (s_bytes, size, s_public));
    s_public [0] ^= 1;
}

static void test_single (void **state)
{
    (void)state;
    uint8_t single [MESHRECEIPT_SINGLE], mid [MESHRECEIPT_MID] = { 1 };
    meshreceipt_single_sign (single, mid, 1234, s_secret);
    assert_true (meshreceipt_single_verify (single, mid, s_public));
    mid [15] ^= 1;
    assert_false (meshreceipt_single_verify (single, mid, s_public));
    mid [15] ^= 1;
    single [0] ^= 1;
    assert_false (meshreceipt_single_verify (single, mid, s_public));
}

int main (void)
{
    if (sodium_init () < 0)
        return 1;
    crypto_sign_keypair (s_public, s_secret);
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_epoch),
        cmocka_unit_test (test_every_byte_is_covered),
        cmocka_unit_test (test_single),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
