//  areaverbs - the operator's commands about area files that need no home: check, derive

#ifndef AREAVERBS_H_INCLUDED
#define AREAVERBS_H_INCLUDED

#include "areas.h"
#include "cli.h"

int areaverbs_check (cli_t *cli);
int areaverbs_derive (cli_t *cli);

//  Loads the file named, in the datum of --datum, and tells every fault; *areas only when there is no fatal one. An exit code.
int areaverbs_load (cli_t *cli, const char *file, areas_t **areas);

//  One fault as a line on stderr. feature -1: the whole file.
void areaverbs_print_fault (const char *what, int64_t feature, const char *station, const char *words);

#endif
