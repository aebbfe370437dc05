//  LETTER, LETTERS and WANTED frames of a neighbour with a valid credential; and what is inside letters that are signed.

#include "fuzz.h"

#include "../unit/testdistrict.h"
#include "meshmail.h"
#include "meshword.h"

static testdistrict_t s_district;
static device_t *s_device;
static nodestore_t *s_store;
static meshstore_t *s_kept;

static bool s_send (
    void *context, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    (void)context;
    (void)a;
    (void)b;
    FUZZ_EXPECT (link == 1 && type >= MESHFRAME_LETTER && a_size + b_size <= MESHLINKS_BODY_MAX);
    return true;
}

static void s_ours (void *context, const Patrol__MeshLetter *letter)
{
    (void)context;
    FUZZ_EXPECT (letter);
}

static void s_signed_at (void *context, int64_t ms)
{
    (void)context;
    (void)ms;
}

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *folder = fuzz_folder_make ();
    char path [200];
    FUZZ_EXPECT (identity_init () == 0);
    fuzz_quiet ();
    testdistrict_make (&s_district, "fuzz");
    s_device = testdistrict_node (&s_district, folder);
    snprintf (path, sizeof path, "%s/outbox.db", folder);
    s_store = nodestore_open (path);
    FUZZ_EXPECT (s_device && s_store);
    s_kept = meshstore_open (s_store);
    return 0;
}

//  A letter with any bytes for its message, sealed and signed as the core does.
static size_t s_letter (uint8_t *out, const uint8_t *plain, size_t size, bool ours, uint32_t day)
{
    uint8_t body [WORD_MAX] = { 0 }, other [KEY_SIZE] = { 3 };
    const uint8_t *shared = ours ? device_shared (s_device) : other;
    if (size > 8000)
        return 0;
    memcpy (body, &day, 4);
    envelope_handle (body + 4, shared, day);
    body [4 + HANDLE_SIZE] = 24;
    uint8_t *box = body + LETTER_HEADER, domained [8001];
    domained [0] = DOMAIN_LETTER;
    if (size)
        memcpy (domained + 1, plain, size);
    randombytes_buf (box, NONCE_SIZE);
    crypto_box_easy_afternm (box + NONCE_SIZE, domained, size + 1, box, shared);
    word_t word = { .kind = WORD_LETTER, .number = (uint64_t)time_now_ms (), .at_ms = time_now_ms (), .body = body };
    word.body_size = LETTER_HEADER + NONCE_SIZE + MAC_SIZE + 1 + size;
    memcpy (word.district, s_district.id, DISTRICT_SIZE);
    return word_sign (out, &word, &s_district.receipts);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const meshmail_handler_t handler = { s_send, s_ours, s_signed_at };
    meshmail_t *mail = meshmail_new (s_kept, s_device, &handler, NULL);
    int64_t now_ms = time_now_ms ();
    uint8_t how = fuzz_byte (&data, &size), frame [WORD_MAX + 1] = { 4 };
    meshmail_link_up (mail, 1);
    if (how & 1) {
        size_t written = s_letter (frame + 1, data, size, how & 2, envelope_day (now_ms));
        if (written)
            FUZZ_EXPECT (meshmail_frame (mail, 1, MESHFRAME_LETTER, frame, written + 1, now_ms) == 0);
    } else
        meshmail_frame (mail, 1, (meshframe_t)(MESHFRAME_LETTER + how % 3), data, size, now_ms);
    meshmail_tend (mail, now_ms);
    FUZZ_EXPECT (meshmail_count (mail) <= LETTERS_MAX);
    meshmail_destroy (&mail);
    nodestore_rollback (s_store);
    return 0;
}
