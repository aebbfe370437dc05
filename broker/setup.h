//  setup - the home of a new broker: keys, certificate, settings
//
//  authority.key (to be moved off the machine), issuer.key, issuer.cert, core.key, transport.key, authority.pub, district.id, settings.json.

#ifndef SETUP_H_INCLUDED
#define SETUP_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include "identity.h"
#include "settings.h"

extern const setting_spec_t setup_specs [];

typedef struct {
    const char *home, *name, *listen, *endpoint, *authority; //  endpoint, authority: NULL = derived
} setup_t;

//  Makes everything but the log; -1 with one line on stderr, nothing left behind that a second try would trip over.
//  *authority_path (caller frees) says where the authority's key lies.
int setup_make (const setup_t *setup, char **authority_path);

//  What an invitation carries. -1 if a file cannot be read.
int setup_public (
    const char *home, uint8_t transport_key [KEY_SIZE], uint8_t authority_key [KEY_SIZE], char *endpoint, size_t room);

#endif
