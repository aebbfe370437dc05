//  setup - init, written so that core.key comes last: a home without it is not a broker yet

#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "home.h"
#include "timefmt.h"
#include "utf8.h"

#define ISSUER_LIFE_MS (3650ll * 86400000)

const setting_spec_t setup_specs [] = { { "name", SETTING_TEXT, NULL, 1, 64, "the district's name" },
    { "listen", SETTING_TEXT, "tcp://127.0.0.1:7410", 8, 128, "where the front listens" },
    { "endpoint", SETTING_TEXT, "", 0, 128, "what invitations tell devices to connect to; empty: the same as listen" },
    { NULL, SETTING_TEXT, NULL, 0, 0, NULL } };

static int s_write (const char *home, const char *name, const void *bytes, size_t size)
{
    char *path = home_path (home, name);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = fd >= 0 && write (fd, bytes, size) == (ssize_t)size && fsync (fd) == 0 ? 0 : -1;
    if (rc)
        fprintf (stderr, "patrol-broker: %s: %s\n", path, strerror (errno));
    if (fd >= 0)
        close (fd);
    free (path);
    return rc;
}

static int s_write_hex (const char *home, const char *name, const uint8_t *bytes, size_t size)
{
    char hex [2 * KEY_SIZE + 2];
    sodium_bin2hex (hex, sizeof hex, bytes, size);
    size_t length = strlen (hex);
    hex [length] = '\n';
    return s_write (home, name, hex, length + 1);
}

static int s_read_hex (const char *home, const char *name, uint8_t *bytes, size_t size)
{
    char hex [2 * KEY_SIZE + 2] = "";
    char *path = home_path (home, name);
    FILE *file = fopen (path, "re");
    size_t got = 0;
    int rc = file && fgets (hex, sizeof hex, file) && sodium_hex2bin (bytes, size, hex, strlen (hex), "\n", &got, NULL) == 0
            && got == size
        ? 0
        : -1;
    if (file)
        fclose (file);
    free (path);
    return rc;
}

//  The authority: the file that was named, made if it is absent.
static int s_authority (const setup_t *setup, char **path, sign_keys_t *keys)
{
    const char *reason = NULL;
    *path = setup->authority ? strdup (setup->authority) : home_path (setup->home, "authority.key");
    if (access (*path, F_OK) == 0) {
        if (sign_keys_load (keys, *path, "authority", &reason) == 0)
            return 0;
        fprintf (stderr, "patrol-broker: %s: %s\n", *path, reason ? reason : "cannot be read");
        return -1;
    }
    sign_keys_make (keys);
    return sign_keys_save (keys, *path, "authority");
}

static int s_issuer (const setup_t *setup, const sign_keys_t *authority, const uint8_t district [DISTRICT_SIZE])
{
    sign_keys_t issuer;
    uint8_t *cert = NULL;
    sign_keys_make (&issuer);
    int64_t now_ms = time_now_ms ();
    size_t size = issuer_issue (
        &cert, district, setup->name, issuer.public_key, now_ms - 86400000, now_ms + ISSUER_LIFE_MS, authority);
    char *path = home_path (setup->home, "issuer.key");
    int rc = size && s_write (setup->home, "issuer.cert", cert, size) == 0 ? sign_keys_save (&issuer, path, "issuer") : -1;
    free (path);
    free (cert);
    identity_wipe (&issuer, sizeof issuer);
    return rc;
}

static int s_box_key (const char *home, const char *file, const char *kind)
{
    box_keys_t keys;
    box_keys_make (&keys);
    char *path = home_path (home, file);
    int rc = box_keys_save (&keys, path, kind);
    free (path);
    identity_wipe (&keys, sizeof keys);
    return rc;
}

static int s_settings (const setup_t *setup)
{
    settings_t *settings = settings_new (setup_specs);
    int rc = settings_set (settings, "name", setup->name) || settings_set (settings, "listen", setup->listen)
            || (setup->endpoint && settings_set (settings, "endpoint", setup->endpoint))
        ? -1
        : settings_save (settings, setup->home);
    settings_destroy (&settings);
    return rc;
}

int setup_make (const setup_t *setup, char **authority_path)
{
    *authority_path = NULL;
    if (utf8_check ((const uint8_t *)setup->name, strlen (setup->name), NAME_MAX_BYTES, false) != UTF8_OK
        || !setup->name [0]) {
        fprintf (stderr, "patrol-broker: --name: 1 to %u bytes of UTF-8 would be right\n", NAME_MAX_BYTES);
        return -1;
    }
    if (strncmp (setup->listen, "tcp://", 6) != 0 || !strrchr (setup->listen + 6, ':')) {
        fprintf (stderr, "patrol-broker: --listen \"%s\": tcp://ADDRESS:PORT would be right\n", setup->listen);
        return -1;
    }
    if (home_check (setup->home, true))
        return -1;
    char *core = home_path (setup->home, "core.key");
    bool exists = access (core, F_OK) == 0;
    free (core);
    if (exists) {
        fprintf (stderr, "patrol-broker: %s is a broker's home already\n", setup->home);
        return -1;
    }
    sign_keys_t authority;
    uint8_t district [DISTRICT_SIZE];
    int rc = s_authority (setup, authority_path, &authority);
    if (rc == 0) {
        identity_district (district, authority.public_key, setup->name);
        rc = s_write_hex (setup->home, "authority.pub", authority.public_key, KEY_SIZE)
                || s_write_hex (setup->home, "district.id", district, DISTRICT_SIZE)
                || s_issuer (setup, &authority, district) || s_settings (setup)
                || s_box_key (setup->home, "transport.key", "transport") || s_box_key (setup->home, "core.key", "core")
            ? -1
            : 0;
    }
    identity_wipe (&authority, sizeof authority);
    return rc;
}

int setup_public (
    const char *home, uint8_t transport_key [KEY_SIZE], uint8_t authority_key [KEY_SIZE], char *endpoint, size_t room)
{
    box_keys_t keys;
    const char *reason;
    char *path = home_path (home, "transport.key");
    int rc = box_keys_load (&keys, path, "transport", &reason);
    free (path);
    settings_t *settings = settings_load (home, setup_specs);
    if (rc || !settings || s_read_hex (home, "authority.pub", authority_key, KEY_SIZE)) {
        settings_destroy (&settings);
        return -1;
    }
    memcpy (transport_key, keys.public_key, KEY_SIZE);
    identity_wipe (&keys, sizeof keys);
    const char *told = settings_text (settings, "endpoint");
    const char *listen = settings_text (settings, "listen");
    if (told [0])
        snprintf (endpoint, room, "%s", told);
    else if (strncmp (listen, "tcp://*:", 8) == 0 || strncmp (listen, "tcp://0.0.0.0:", 14) == 0)
        snprintf (endpoint, room, "tcp://127.0.0.1%s", strrchr (listen, ':'));
    else
        snprintf (endpoint, room, "%s", listen);
    settings_destroy (&settings);
    return 0;
}
