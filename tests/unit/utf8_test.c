//  utf8: what is fit to keep and show

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "utf8.h"

static utf8_verdict_t s_check (const char *text, bool lines)
{
    return utf8_check ((const uint8_t *)text, strlen (text), TEXT_MAX, lines);
}

static void test_accepts (void **state)
{
    (void)state;
    assert_int_equal (s_check ("", false), UTF8_OK);
    assert_int_equal (s_check ("two men at the north gate", false), UTF8_OK);
    assert_int_equal (s_check ("学校门口有人打架 🚨", false), UTF8_OK);
    assert_int_equal (s_check ("one\n\ttwo", true), UTF8_OK);
    assert_int_equal (s_check ("\xF4\x8F\xBF\xBF", false), UTF8_OK); //  U+10FFFF
}

static void test_refuses_what_is_not_utf8 (void **state)
{
    (void)state;
    static const char *const bad [] = { "\x80", "\xC0\xAF", "\xC1\x81", "\xE0\x80\xAF", "\xE0\x9F\xBF", "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE5\xAD",
        ("\xE5"
         "a\xA6"),
        "\xC2", "\xF0\x9F\x9A" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        if (s_check (bad [index], true) != UTF8_INVALID)
            fail_msg ("accepted: entry %zu", index);
}

static void test_refuses_what_does_not_show (void **state)
{
    (void)state;
    static const char *const bad [] = { "\x01", "\x1B[31m", "a\rb", "\x7F", "\xC2\x80", "\xC2\x9F", "\uFEFF", "\u061C",
        "\u200E", "\u200F", "\u2028", "\u2029", "\u202A", "\u202E", "\u2066", "\u2069" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        if (s_check (bad [index], true) != UTF8_CONTROL)
            fail_msg ("accepted: entry %zu", index);
    assert_int_equal (utf8_check ((const uint8_t *)"a\0b", 3, 10, true), UTF8_CONTROL);
    assert_int_equal (s_check ("one\ntwo", false), UTF8_CONTROL);
    assert_int_equal (s_check ("one\ttwo", false), UTF8_CONTROL);
    assert_int_equal (s_check ("\u2027\u202F\u2065\u206A", false), UTF8_OK); //  their neighbours
}

static void test_words_name_the_byte (void **state)
{
    (void)state;
    assert_int_equal (s_check ("17 good bytes are\xFF", false), UTF8_INVALID);
    assert_string_equal (utf8_words (UTF8_INVALID), "byte 17 is not UTF-8");
    assert_int_equal (s_check ("好\x07", false), UTF8_CONTROL);
    assert_string_equal (utf8_words (UTF8_CONTROL), "byte 3 is a control character");
    assert_int_equal (utf8_check ((const uint8_t *)"abc", 3, 2, false), UTF8_TOO_LONG);
    assert_string_equal (utf8_words (UTF8_TOO_LONG), "too long");
}

static void test_next_walks (void **state)
{
    (void)state;
    const uint8_t *bytes = (const uint8_t *)"a\xC3\xA9\xE5\xAD\xA6\xF0\x9F\x9A\xA8";
    static const uint32_t codes [] = { 'a', 0xE9, 0x5B66, 0x1F6A8 };
    size_t size = 10, at = 0;
    for (int index = 0; index < 4; index++) {
        uint32_t code;
        int length = utf8_next (bytes + at, size - at, &code);
        assert_int_equal (length, index + 1);
        assert_int_equal (code, codes [index]);
        at += (size_t)length;
    }
    assert_int_equal (at, size);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_accepts),
        cmocka_unit_test (test_refuses_what_is_not_utf8),
        cmocka_unit_test (test_refuses_what_does_not_show),
        cmocka_unit_test (test_words_name_the_byte),
        cmocka_unit_test (test_next_walks),
    };
    return cmocka_run_group_tests_name ("utf8", tests, NULL, NULL);
}
