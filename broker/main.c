//  patrol-broker - takes tips, keeps the log, routes each to its station
//
//  Next: verbs.c for the operator's commands, core.c and engine.c for what becomes of a tip, front.c for the network,
//  DESIGN.md for the whole.

#include <sodium.h>

#include "cli.h"
#include "identity.h"
#include "verbs.h"

int main (int argc, char **argv)
{
    //  Two nonces a tip: libsodium's own generator, seeded by the kernel, instead of two system calls.
    randombytes_set_implementation (&randombytes_internal_implementation);
    if (identity_init ())
        return EXIT_FAILED;
    int rc;
    //  The supervisor starts its two children as verbs that no person types.
    if (verbs_child (argc, argv, &rc))
        return rc;
    return cli_main (argc, argv, "patrol-broker", T_BROKER_SUMMARY, broker_verbs);
}
