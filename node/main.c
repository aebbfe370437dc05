//  patrol-node - the volunteer's program: writes tips down, carries them to the broker, tells what became of them
//
//  Next: nodeverbs.c for the commands, node.c for the daemon behind them, DESIGN.md for the whole.

#include <malloc.h>
#include "cli.h"
#include "identity.h"
#include "nodeverbs.h"

int main (int argc, char **argv)
{
    //  A node runs for months on a small device: one arena and an early return of memory instead of one per thread.
    mallopt (M_ARENA_MAX, 1);
    mallopt (M_TRIM_THRESHOLD, 64 * 1024);
    if (identity_init ())
        return EXIT_FAILED;
    return cli_main (argc, argv, "patrol-node", T_NODE_SUMMARY, node_verbs);
}
