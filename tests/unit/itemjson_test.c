//  desk/itemjson.c: the keys of a line, exact numbers, and what a hostile item may not do

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "itemjson.h"

static ProtobufCBinaryData s_bytes (const char *words)
{
    return (ProtobufCBinaryData){ strlen (words), (uint8_t *)words };
}

static json_t *s_line (const Patrol__Item *item, int64_t as_of_ms)
{
    lines_t lines = { 0 };
    lines_item (&lines, 3, item, as_of_ms);
    assert_int_equal (lines.count, 1);
    assert_true (lines.bytes [lines.used - 1] == '\n');
    json_t *object = json_loadb (lines.bytes, lines.used, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null (object);
    lines_clear (&lines);
    return object;
}

static const char *s_get (json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

static void s_writes_a_tip (void **state)
{
    (void)state;
    Patrol__Item item = PATROL__ITEM__INIT;
    item.n = 4;
    item.seq = 42;
    item.type = PATROL__ITEM_TYPE__ITEM_TIP;
    item.at_ms = INT64_C (1795000000123);
    item.incident = 12345;
    item.version = 1;
    item.tip = 99;
    item.tip_epoch = 5; //  never for a reader's eyes
    item.own_counter = 17;
    item.kind = s_bytes ("fire");
    item.severity = 3;
    item.cls = 0;
    item.station = s_bytes ("north");
    item.has_position = true;
    item.lat_e7 = -5;
    item.lon_e7 = 1137654321;
    item.accuracy_m = 20;
    item.place = s_bytes ("North Gate");
    item.text = s_bytes ("烟 \"smoke\"\n\\ and\ttabs");
    item.witnesses = 2;
    item.duplicate_of = 7;
    item.score_e3 = 875;
    json_t *line = s_line (&item, 0);
    assert_string_equal (s_get (line, "position"), "3-42");
    assert_string_equal (s_get (line, "type"), "tip");
    assert_string_equal (s_get (line, "role"), "owner");
    assert_string_equal (s_get (line, "tip"), "0000000000033");
    assert_null (json_object_get (line, "counter"));
    assert_string_equal (s_get (line, "severity"), "red");
    assert_string_equal (s_get (line, "class"), "sos");
    assert_string_equal (s_get (line, "text"), "烟 \"smoke\"\n\\ and\ttabs");
    assert_true (json_real_value (json_object_get (line, "lat")) == -0.0000005);
    assert_true (json_real_value (json_object_get (line, "lon")) == 113.7654321);
    assert_true (json_real_value (json_object_get (line, "score")) == 0.875);
    assert_int_equal (json_integer_value (json_object_get (line, "accuracy")), 20);
    assert_null (json_object_get (line, "status"));
    assert_null (json_object_get (line, "as_of"));
    assert_null (json_object_get (line, "note"));
    json_decref (line);
}

//  A status says no severity, so it says no class either, although class 0 is a class.
static void s_leaves_out_what_does_not_apply (void **state)
{
    (void)state;
    Patrol__Item item = PATROL__ITEM__INIT;
    item.type = PATROL__ITEM_TYPE__ITEM_STATUS;
    item.incident = 12345;
    item.copy = true;
    item.status = s_bytes ("closed");
    item.actor = s_bytes ("Li");
    json_t *line = s_line (&item, 1000);
    assert_string_equal (s_get (line, "role"), "copy");
    assert_string_equal (s_get (line, "as_of"), "1970-01-01T00:00:01Z");
    const char *absent [] = { "position", "class", "severity", "lat", "lon", "tip", "kind", "at", "seen", "witnesses" };
    for (size_t i = 0; i < sizeof absent / sizeof absent [0]; i++)
        assert_null (json_object_get (line, absent [i]));
    json_decref (line);
}

static void s_withstands_hostile_items (void **state)
{
    (void)state;
    Patrol__Item item = PATROL__ITEM__INIT;
    item.type = (Patrol__ItemType)77;
    item.severity = 900;
    item.cls = 900;
    item.seq = UINT64_MAX;
    item.version = UINT64_MAX;
    item.incident = UINT64_MAX;
    item.has_position = true;
    item.lat_e7 = INT32_MIN;
    item.at_ms = INT64_MAX;
    item.text = s_bytes ("烟 a\xff\xfe\x80 \x1b[2J \xed\xa0\x80 z");
    item.note = (ProtobufCBinaryData){ 3, (uint8_t *)"x\0y" };
    json_t *line = s_line (&item, 0);
    assert_null (json_object_get (line, "type"));
    assert_null (json_object_get (line, "lat"));
    assert_null (json_object_get (line, "severity"));
    assert_null (json_object_get (line, "version"));
    assert_non_null (strstr (s_get (line, "text"), "\xef\xbf\xbd"));
    assert_non_null (strstr (s_get (line, "text"), "烟 a"));
    assert_string_equal (s_get (line, "note"),
        "x\xef\xbf\xbd"
        "y");
    json_decref (line);
}

static void s_reads_positions (void **state)
{
    (void)state;
    uint64_t incarnation, seq;
    assert_int_equal (log_position_parse (&incarnation, &seq, "3-42"), 0);
    assert_int_equal (incarnation, 3);
    assert_int_equal (seq, 42);
    assert_int_equal (log_position_parse (&incarnation, &seq, "18446744073709551615-0"), 0);
    const char *bad [] = { "", "-", "3-", "-3", "3-4-5", "3--4", " 3-4", "3-4 ", "0x3-4", "18446744073709551616-1", "a-b" };
    for (size_t i = 0; i < sizeof bad / sizeof bad [0]; i++)
        assert_int_equal (log_position_parse (&incarnation, &seq, bad [i]), -1);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (s_writes_a_tip),
        cmocka_unit_test (s_leaves_out_what_does_not_apply),
        cmocka_unit_test (s_withstands_hostile_items),
        cmocka_unit_test (s_reads_positions),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
