//  arena_test - bounded memory for one message, and the search for unknown fields

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "patrol.pb-c.h"

//  What a receiving loop does with each message.
static void test_unpack_and_reset (void **state)
{
    (void)state;
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    static const uint8_t hello [] = { 0x08, 1, 0x12, 3, 'a', 'b', 'c' };
    for (int round = 0; round < 3000; round++) {
        Patrol__Hello *message = patrol__hello__unpack (arena_allocator (arena), sizeof hello, hello);
        assert_non_null (message);
        assert_int_equal (message->agent.len, 3);
        assert_false (arena_has_unknown (&message->base));
        arena_reset (arena);
    }
    arena_destroy (&arena);
    assert_null (arena);
    arena_destroy (&arena);
}

static void test_memory_is_aligned_apart_and_bounded (void **state)
{
    (void)state;
    arena_t *arena = arena_new (100); //  rounded up to 112
    uint8_t *first = arena_alloc (arena, 1);
    uint8_t *second = arena_alloc (arena, 17);
    assert_int_equal ((uintptr_t)first % 16, 0);
    assert_ptr_equal (second, first + 16);
    assert_null (arena_alloc (arena, SIZE_MAX));
    assert_null (arena_alloc (arena, SIZE_MAX - 14));
    assert_null (arena_alloc (arena, 65));
    uint8_t *third = arena_alloc (arena, 64);
    assert_ptr_equal (third, second + 32);
    memset (third, 1, 64);
    assert_null (arena_alloc (arena, 1));
    arena_reset (arena);
    assert_ptr_equal (arena_alloc (arena, 112), first);
    arena_destroy (&arena);
}

//  A Down with `count` items, packed; the caller frees.
static uint8_t *s_feed (size_t *size, unsigned count)
{
    Patrol__Item items [32];
    Patrol__Item *pointers [32];
    assert_true (count <= 32);
    for (unsigned index = 0; index < count; index++) {
        patrol__item__init (&items [index]);
        items [index].n = index + 1;
        items [index].text = (ProtobufCBinaryData){ 5, (uint8_t *)(uintptr_t) "smoke" };
        pointers [index] = &items [index];
    }
    Patrol__Feed feed = PATROL__FEED__INIT;
    feed.n_items = count;
    feed.items = pointers;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.body_case = PATROL__DOWN__BODY_FEED;
    down.feed = &feed;
    uint8_t *bytes = malloc (patrol__down__get_packed_size (&down));
    assert_non_null (bytes);
    *size = patrol__down__pack (&down, bytes);
    return bytes;
}

//  Full at any moment of an unpack: refused, or whole; never a crash.
static void test_every_size_of_arena (void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = s_feed (&size, 8);
    bool was_whole = false;
    for (size_t room = 0; room <= 8192; room += 16) {
        arena_t *arena = arena_new (room);
        Patrol__Down *down = patrol__down__unpack (arena_allocator (arena), size, bytes);
        if (down) {
            assert_int_equal (down->feed->n_items, 8);
            assert_memory_equal (down->feed->items [7]->text.data, "smoke", 5);
        }
        assert_false (was_whole && !down);
        was_whole = down != NULL;
        arena_destroy (&arena);
    }
    assert_true (was_whole);
    free (bytes);
}

//  The heap amplifier of protobuf-c: two octets a message, again and again.
static void test_many_empty_messages_are_refused (void **state)
{
    (void)state;
    static uint8_t bytes [16384];
    for (size_t at = 0; at < sizeof bytes; at += 2)
        bytes [at] = 0x12; //  Feed.items, length 0
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    assert_null (patrol__feed__unpack (arena_allocator (arena), sizeof bytes, bytes));
    arena_destroy (&arena);
}

static bool s_down_has_unknown (const uint8_t *bytes, size_t size)
{
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    Patrol__Down *down = patrol__down__unpack (arena_allocator (arena), size, bytes);
    assert_non_null (down);
    bool answer = arena_has_unknown (&down->base);
    arena_destroy (&arena);
    return answer;
}

static void test_unknown_fields_at_every_depth (void **state)
{
    (void)state;
    //  0xF8 0x3F 0x01 is field 1023, a varint of 1; Down.feed is field 13, Feed.items field 2.
    static const uint8_t outside [] = { 0xF8, 0x3F, 1 };
    static const uint8_t in_oneof [] = { 0x6A, 3, 0xF8, 0x3F, 1 };
    static const uint8_t in_repeated [] = { 0x6A, 7, 0x12, 0, 0x12, 3, 0xF8, 0x3F, 1 };
    static const uint8_t clean [] = { 0x6A, 6, 0x12, 0, 0x12, 2, 0x08, 1 };
    static const uint8_t other_arm [] = { 0x6A, 2, 0x12, 0, 0x72, 2, 0x08, 1 }; //  feed, then answer: the last wins
    assert_true (s_down_has_unknown (outside, sizeof outside));
    assert_true (s_down_has_unknown (in_oneof, sizeof in_oneof));
    assert_true (s_down_has_unknown (in_repeated, sizeof in_repeated));
    assert_false (s_down_has_unknown (clean, sizeof clean));
    assert_false (s_down_has_unknown (other_arm, sizeof other_arm));
    assert_false (s_down_has_unknown (NULL, 0));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_unpack_and_reset),
        cmocka_unit_test (test_memory_is_aligned_apart_and_bounded),
        cmocka_unit_test (test_every_size_of_arena),
        cmocka_unit_test (test_many_empty_messages_are_refused),
        cmocka_unit_test (test_unknown_fields_at_every_depth),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
