//  trace - a scenario read from files: contacts, messages, and positions where there are any

#ifndef TRACE_H_INCLUDED
#define TRACE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t ms;
    uint32_t a, b; //  a < b
    bool up;
} trace_contact_t;

typedef struct {
    int64_t ms;
    char id [24];
    uint32_t src, size;
    uint8_t cls; //  0 sos, 1 urgent, 2 normal, 3 bulk
    int64_t life_ms;
} trace_message_t;

typedef struct {
    int64_t ms;
    uint32_t node;
    double x, y; //  metres
} trace_fix_t;

typedef struct {
    trace_contact_t *contacts;
    size_t contact_count;
    trace_message_t *messages;
    size_t message_count;
    trace_fix_t *fixes;
    size_t fix_count;
    uint32_t nodes; //  highest number + 1
    int64_t end_ms;
} trace_t;

//  Reads `time a b up|down`, `time id src size class life` and, unless its path is NULL, `time node x y`, each sorted by time.
//  Returns -1 with one line on stderr that names file and line of what is wrong.
int trace_load (trace_t *self, const char *contacts, const char *messages, const char *fixes);
void trace_clear (trace_t *self);

#endif
