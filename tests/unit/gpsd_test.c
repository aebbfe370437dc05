//  gpsd_test - what a gpsd says is a position once, or nothing

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gpsd.h"

#define AT(time) "\"mode\":3,\"time\":\"2026-11-28T08:00:" time "Z\""

static void test_lines (void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int rc;
    } cases [] = { { "{\"class\":\"VERSION\",\"release\":\"3.22\"}", -1 },
        { "{\"class\":\"TPV\"," AT ("01") ",\"lat\":34.3,\"lon\":-108.9,\"eph\":17.1}\r", 0 },
        //  the same fix once more, as gpsd does
        { "{\"class\":\"TPV\"," AT ("01") ",\"lat\":34.3,\"lon\":-108.9,\"eph\":17.1}", -1 },
        { "{\"class\":\"TPV\"," AT ("02") ",\"lat\":34.3,\"lon\":-108.9}", 0 },
        { "{\"class\":\"TPV\",\"mode\":3,\"lat\":34.3,\"lon\":-108.9}", -1 },
        { "{\"class\":\"TPV\",\"mode\":1,\"time\":\"2026-11-28T08:00:03Z\",\"lat\":34.3,\"lon\":-108.9}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":91,\"lon\":-108.9}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3,\"lon\":180.5}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3,\"lon\":1e999}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":\"34.3\",\"lon\":-108.9}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3,\"lon\":-108.9,\"eph\":400}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3,\"lon\":-108.9,\"eph\":-1}", -1 },
        { "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.3,\"lon\":-108.9,\"eph\":\"1\"}", -1 },
        { "{\"class\":\"TPV\",\"mode\":3,\"time\":\"a time that is much longer than any\",\"lat\":34.3,\"lon\":-108.9}",
            -1 },
        { "[{\"class\":\"TPV\"}]", -1 }, { "not JSON", -1 }, { "", -1 } };
    char told [32] = "";
    for (size_t index = 0; index < sizeof cases / sizeof cases [0]; index++) {
        int32_t lat = 0, lon = 0;
        assert_int_equal (gpsd_parse (cases [index].line, strlen (cases [index].line), told, &lat, &lon), cases [index].rc);
        assert_int_equal (lat, cases [index].rc ? 0 : 343000000);
        assert_int_equal (lon, cases [index].rc ? 0 : -1089000000);
    }
}

static void test_endpoints (void **state)
{
    (void)state;
    static const char *const good [] = { "127.0.0.1:2947", "[::1]:2947", "localhost:1" };
    static const char *const bad []
        = { "", ":2947", "127.0.0.1", "127.0.0.1:", "127.0.0.1:gps", "::1:2947", "a b:1", "gps.example:2947" };
    for (size_t index = 0; index < sizeof good / sizeof good [0]; index++) {
        gpsd_t *self = gpsd_new (good [index]);
        assert_non_null (self);
        assert_false (gpsd_connected (self));
        assert_int_equal (gpsd_fix_age_ms (self, 1), -1);
        gpsd_destroy (&self);
        assert_null (self);
    }
    for (size_t index = 0; index < sizeof bad / sizeof bad [0]; index++)
        assert_null (gpsd_new (bad [index]));
}

static int s_fixes;
static int32_t s_lat, s_lon;

static void s_on_fix (void *context, int32_t lat_e7, int32_t lon_e7)
{
    (void)context;
    s_fixes++;
    s_lat = lat_e7;
    s_lon = lon_e7;
}

//  Until nothing more happens: all is on loopback.
static void s_rounds (gpsd_t *self, int64_t now)
{
    zmq_pollitem_t item;
    long timeout = 50;
    while (gpsd_items (self, &item, &timeout, now) == 1 && zmq_poll (&item, 1, 50) > 0)
        gpsd_process (self, s_on_fix, NULL, now);
}

//  Whoever answers there: lines without end, in pieces, nonsense; then it goes away, and comes back.
static void test_a_server_that_cannot_be_trusted (void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal (listen (listener, 1), 0);
    assert_int_equal (getsockname (listener, (struct sockaddr *)&address, &size), 0);
    char endpoint [40], asked [100], rubbish [20000];
    snprintf (endpoint, sizeof endpoint, "127.0.0.1:%d", ntohs (address.sin_port));
    gpsd_t *self = gpsd_new (endpoint);
    assert_non_null (self);
    s_rounds (self, 1000);
    int peer = accept (listener, NULL, NULL);
    s_rounds (self, 1000);
    ssize_t got = recv (peer, asked, sizeof asked - 1, 0);
    assert_true (got > 0 && strncmp (asked, "?WATCH={\"enable\":true,\"json\":true};\n", (size_t)got) == 0);
    static const char first [] = "{\"class\":\"TPV\"," AT ("01") ",\"lat\":34.3,\"lon\":108.9}\n";
    static const char second [] = "{\"class\":\"TPV\"," AT ("02") ",\"lat\":34.4,\"lon\":108.9}\n";
    static const char third []
        = "{\"class\":\"TPV\"," AT ("03") ",\"lat\":34.3,\"lon\":108.9}\n"
                                          "{\"class\":\"TPV\"," AT ("04") ",\"lat\":34.5,\"lon\":108.9}\n";
    memset (rubbish, 'x', sizeof rubbish);
    assert_int_equal (send (peer, rubbish, sizeof rubbish, 0), sizeof rubbish);
    assert_int_equal (send (peer, "\n\n", 2, 0), 2);
    s_rounds (self, 1000);
    assert_int_equal (s_fixes, 0);
    assert_int_equal (send (peer, first, 20, 0), 20);
    s_rounds (self, 1000);
    assert_int_equal (send (peer, first + 20, sizeof first - 21, 0), sizeof first - 21);
    s_rounds (self, 1000);
    assert_true (s_fixes == 1 && s_lat == 343000000 && s_lon == 1089000000);
    //  not more than one in 30 s, then the newest
    assert_int_equal (send (peer, second, sizeof second - 1, 0), sizeof second - 1);
    s_rounds (self, 2000);
    assert_int_equal (s_fixes, 1);
    assert_int_equal (send (peer, third, sizeof third - 1, 0), sizeof third - 1);
    s_rounds (self, 31000);
    assert_true (s_fixes == 2 && s_lat == 345000000);
    assert_int_equal (gpsd_fix_age_ms (self, 32000), 1000);
    close (peer);
    s_rounds (self, 32000);
    assert_false (gpsd_connected (self));
    long timeout = 60000;
    zmq_pollitem_t item;
    assert_int_equal (gpsd_items (self, &item, &timeout, 33000), 0);
    assert_int_equal (timeout, 9000);
    peer = -1;
    s_rounds (self, 42000);
    peer = accept (listener, NULL, NULL);
    assert_int_equal (send (peer, first, sizeof first - 1, 0), sizeof first - 1);
    s_rounds (self, 62000);
    assert_true (gpsd_connected (self) && s_fixes == 3 && s_lat == 343000000);
    close (peer);
    gpsd_destroy (&self);
    close (listener);
}

int main (void)
{
    const struct CMUnitTest tests [] = { cmocka_unit_test (test_lines), cmocka_unit_test (test_endpoints),
        cmocka_unit_test (test_a_server_that_cannot_be_trusted) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
