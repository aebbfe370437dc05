//  zapframes - see zapframes.h

#include "zapframes.h"

#include <assert.h>
#include <string.h>

enum { VERSION, REQUEST, DOMAIN_NAME, ADDRESS, IDENTITY, MECHANISM, KEY, PARTS };

static bool s_is (const uint8_t *bytes, size_t size, const char *wanted)
{
    return size == strlen (wanted) && memcmp (bytes, wanted, size) == 0;
}

//  What the part says is as it should be, or of no interest.
static bool s_part (zapframes_t *out, int part, const uint8_t *bytes, size_t size, const char *domain)
{
    switch (part) {
    case VERSION:
        return s_is (bytes, size, "1.0");
    case REQUEST:
        memcpy (out->id, bytes, size);
        out->id_size = size;
        return true;
    case DOMAIN_NAME:
        return s_is (bytes, size, domain);
    case MECHANISM:
        return s_is (bytes, size, "CURVE");
    case KEY:
        if (size == KEY_SIZE)
            memcpy (out->key, bytes, KEY_SIZE);
        return size == KEY_SIZE;
    default:
        return part < PARTS;
    }
}

int zapframes_read (void *rep, const char *domain, zapframes_t *out)
{
    int parts = 0, more = 1;
    out->id_size = 0;
    out->fits = true;
    for (; more; parts++) {
        uint8_t bytes [ZAPFRAMES_PART];
        size_t more_size = sizeof more;
        int size = zmq_recv (rep, bytes, sizeof bytes, ZMQ_DONTWAIT);
        if (size < 0)
            return -1;
        if ((size_t)size > sizeof bytes || !s_part (out, parts, bytes, (size_t)size, domain))
            out->fits = false;
        zmq_getsockopt (rep, ZMQ_RCVMORE, &more, &more_size);
    }
    if (parts != PARTS)
        out->fits = false;
    return 0;
}

//  REP over inproc to libzmq itself: there is always room.
int zapframes_answer (void *rep, const zapframes_t *request, const char *status, const char *user)
{
    assert (strlen (status) == 3);
    if (zmq_send (rep, "1.0", 3, ZMQ_SNDMORE) < 0 || zmq_send (rep, request->id, request->id_size, ZMQ_SNDMORE) < 0
        || zmq_send (rep, status, 3, ZMQ_SNDMORE) < 0 || zmq_send (rep, "", 0, ZMQ_SNDMORE) < 0
        || zmq_send (rep, user, strlen (user), ZMQ_SNDMORE) < 0 || zmq_send (rep, "", 0, 0) < 0)
        return -1;
    return 0;
}
