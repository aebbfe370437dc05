//  The socket between front and core: any bytes, in any pieces.

#include "fuzz.h"

#include <sys/socket.h>
#include "pipe.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int fds [2];
    size_t piece = (size_t)fuzz_byte (&data, &size) * 8 + 1, seen = 0;
    FUZZ_EXPECT (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    pipe_t *pipe = pipe_new (fds [0]);
    bool broken = false;
    for (size_t at = 0; at < size && !broken; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        FUZZ_EXPECT (send (fds [1], data + at, count, 0) == (ssize_t)count);
        FUZZ_EXPECT (pipe_fill (pipe) == 0);
        pipe_kind_t kind;
        uint32_t session;
        const uint8_t *payload;
        size_t payload_size;
        while (pipe_next (pipe, &kind, &session, &payload, &payload_size, &broken)) {
            //  every byte of the payload is one that was sent
            FUZZ_EXPECT (seen + 9 + payload_size <= size && memcmp (payload, data + seen + 9, payload_size) == 0);
            seen += 9 + payload_size;
        }
    }
    pipe_destroy (&pipe);
    close (fds [1]);
    return 0;
}
