//  meshtarget - see meshtarget.h

#include "meshtarget.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_FIRST_MS 250 //  after a failed dial, doubling
#define AGAIN_MAX_MS 8000
#define FRESH_MS 5000 //  one heard so lately, and not called in vain, keeps its place

bool meshtarget_ok (const char *endpoint)
{
    char host [48];
    struct in_addr address;
    const char *colon = strrchr (endpoint, ':');
    if (strncmp (endpoint, "tcp://", 6) != 0 || !colon || colon < endpoint + 7)
        return false;
    size_t size = (size_t)(colon - endpoint) - 6, digits = strspn (colon + 1, "0123456789");
    long port = strtol (colon + 1, NULL, 10);
    if (size >= sizeof host || digits == 0 || digits > 5 || colon [1 + digits] || port < 1 || port > 65535)
        return false;
    memcpy (host, endpoint + 6, size);
    host [size] = 0;
    //  A name would be looked up in the loop, for seconds where there is no network: this is for places without one.
    return !strcmp (host, "localhost") || inet_pton (AF_INET, host, &address) == 1;
}

void meshtargets_configure (meshtargets_t *self, const char *endpoint, int index)
{
    meshtarget_t *target = &self->all [index];
    const char *host = endpoint + 6, *colon = strrchr (endpoint, ':');
    target->used = target->configured = true;
    if (!strncmp (host, "localhost:", 10))
        snprintf (target->host, sizeof target->host, "127.0.0.1");
    else
        snprintf (target->host, sizeof target->host, "%.*s", (int)(colon - host), host);
    target->address = inet_addr (target->host);
    target->port = (uint16_t)strtoul (colon + 1, NULL, 10);
}

static int s_places_of (const meshtargets_t *self, uint32_t address)
{
    int count = 0;
    for (int i = 0; i < MESHTARGETS_MAX; i++)
        count += self->all [i].address == address;
    return count;
}

//  A free one, or whose turn it is to give way to a host that has `ours` already.
static meshtarget_t *s_place (meshtargets_t *self, uint32_t address, int64_t now_ms)
{
    meshtarget_t *worst = NULL;
    int most = 0, ours = s_places_of (self, address);
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        meshtarget_t *target = &self->all [i];
        if (!target->used)
            return target;
        if (target->configured || target->peer)
            continue;
        int places = s_places_of (self, target->address);
        if (!target->failures && now_ms - target->heard_ms < FRESH_MS && places <= ours + 1)
            continue;
        if (!worst || places > most || (places == most && target->heard_ms < worst->heard_ms)) {
            worst = target;
            most = places;
        }
    }
    return worst;
}

meshtarget_t *meshtargets_at (meshtargets_t *self, const char *host, uint16_t port, int64_t now_ms)
{
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        meshtarget_t *target = &self->all [i];
        if (target->used && target->port == port && !strcmp (target->host, host))
            return target;
    }
    meshtarget_t *target = s_place (self, inet_addr (host), now_ms);
    if (!target)
        return NULL;
    *target = (meshtarget_t){ .used = true, .address = inet_addr (host), .port = port, .seen_ms = now_ms };
    snprintf (target->host, sizeof target->host, "%s", host);
    return target;
}

void meshtarget_put_off (meshtarget_t *target, int64_t now_ms)
{
    int64_t wait = target->failures < 4 ? (int64_t)AGAIN_FIRST_MS << target->failures : AGAIN_MAX_MS;
    target->failures++;
    target->asked_ms = 0;
    target->due_ms = now_ms + wait + (int64_t)randombytes_uniform (250);
}
