//  The local socket of a daemon: lines of JSON from any process of the same user, in any pieces.

#include "fuzz.h"

#include <sys/socket.h>
#include "local.h"

static void s_request (void *context, local_client_t *client, json_t *request)
{
    int *requests = context;
    (*requests)++;
    FUZZ_EXPECT (json_is_object (request));
    local_send (client, json_pack ("{s:O}", "said", request));
    local_end (client, 0, NULL);
}

static void s_gone (void *context, local_client_t *client)
{
    (void)context;
    FUZZ_EXPECT (client);
}

static void s_turn (local_t *local)
{
    struct pollfd items [LOCAL_ITEMS];
    int count = local_items (local, items, LOCAL_ITEMS);
    if (poll (items, (nfds_t)count, 0) > 0) {
        local_process (local, items, count);
    }
}

//  What the client reads must be whole lines of JSON too.
static void s_client (const uint8_t *data, size_t size)
{
    int fds [2];
    FUZZ_EXPECT (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    FUZZ_EXPECT (send (fds [1], data, size, 0) == (ssize_t)size);
    close (fds [1]);
    void *state = NULL;
    json_t *object = NULL;
    while (local_get (fds [0], &object, &state) == 1) {
        FUZZ_EXPECT (json_is_object (object));
        json_decref (object);
    }
    free (state);
    close (fds [0]);
}

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int fds [2], requests = 0;
    char waste [65536];
    size_t piece = (size_t)fuzz_byte (&data, &size) * 16 + 1;
    FUZZ_EXPECT (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    local_t *local = local_new (-1, s_request, s_gone, &requests);
    local_adopt (local, fds [0]);
    for (size_t at = 0; at < size; at += piece) {
        if (send (fds [1], data + at, size - at < piece ? size - at : piece, MSG_NOSIGNAL) < 0) {
            break; //  it hung up on us
        }
        s_turn (local);
        while (recv (fds [1], waste, sizeof waste, 0) > 0) {
        }
    }
    for (int turn = 0; turn < 4; turn++) {
        s_turn (local);
    }
    close (fds [1]);
    s_turn (local);
    local_destroy (&local);
    s_client (data, size);
    return 0;
}
