//  trace - see trace.h

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace.h"

#define NODES_MAX 100000u

//  Appends one element of `size` bytes to a growing array; returns where it lies.
static void *s_append (void **items, size_t *count, size_t size)
{
    if ((*count & (*count - 1)) == 0) {
        void *more = realloc (*items, (*count ? *count * 2 : 1) * size);
        if (!more)
            abort ();
        *items = more;
    }
    return (char *)*items + size * (*count)++;
}

typedef int (line_fn) (trace_t *self, const char *line);

static int s_contact (trace_t *self, const char *line)
{
    double time;
    unsigned a, b;
    char state [8];
    if (sscanf (line, "%lf %u %u %7s", &time, &a, &b, state) != 4 || a == b || a >= NODES_MAX || b >= NODES_MAX
        || !(time >= 0) || time > 1e9)
        return -1;
    bool up = strcmp (state, "up") == 0;
    if (!up && strcmp (state, "down") != 0)
        return -1;
    trace_contact_t *one = s_append ((void **)&self->contacts, &self->contact_count, sizeof *one);
    *one = (trace_contact_t){ (int64_t)(time * 1000 + 0.5), a < b ? a : b, a < b ? b : a, up };
    uint32_t high = (a > b ? a : b) + 1;
    self->nodes = high > self->nodes ? high : self->nodes;
    self->end_ms = one->ms;
    return self->contact_count > 1 && one [-1].ms > one->ms ? -1 : 0;
}

static int s_message (trace_t *self, const char *line)
{
    static const char *const classes [] = { "sos", "urgent", "normal", "bulk" };
    double time, life;
    trace_message_t message = { 0 };
    char cls [8];
    if (sscanf (line, "%lf %23s %u %u %7s %lf", &time, message.id, &message.src, &message.size, cls, &life) != 6
        || message.src >= NODES_MAX || message.size == 0 || message.size > 65536 || !(time >= 0) || time > 1e9 || !(life > 0)
        || life > 259200)
        return -1;
    while (message.cls < 4 && strcmp (cls, classes [message.cls]) != 0)
        message.cls++;
    if (message.cls == 4)
        return -1;
    message.ms = (int64_t)(time * 1000 + 0.5);
    message.life_ms = (int64_t)(life * 1000 + 0.5);
    self->nodes = message.src + 1 > self->nodes ? message.src + 1 : self->nodes;
    trace_message_t *one = s_append ((void **)&self->messages, &self->message_count, sizeof *one);
    *one = message;
    return self->message_count > 1 && one [-1].ms > one->ms ? -1 : 0;
}

static int s_fix (trace_t *self, const char *line)
{
    double time;
    trace_fix_t fix;
    if (sscanf (line, "%lf %u %lf %lf", &time, &fix.node, &fix.x, &fix.y) != 4 || !(time >= 0) || time > 1e9
        || fix.node >= NODES_MAX)
        return -1;
    fix.ms = (int64_t)(time * 1000 + 0.5);
    trace_fix_t *one = s_append ((void **)&self->fixes, &self->fix_count, sizeof *one);
    *one = fix;
    return self->fix_count > 1 && one [-1].ms > one->ms ? -1 : 0;
}

static int s_read (trace_t *self, const char *path, line_fn *take, const char *form)
{
    FILE *file = fopen (path, "re");
    if (!file) {
        fprintf (stderr, "city: %s: cannot be read\n", path);
        return -1;
    }
    char line [256];
    unsigned long number = 0;
    int rc = 0;
    while (rc == 0 && fgets (line, sizeof line, file)) {
        number++;
        if (line [0] != '#' && line [0] != '\n')
            rc = take (self, line);
    }
    fclose (file);
    if (rc < 0)
        fprintf (stderr, "city: %s:%lu: not `%s`, out of range, or earlier than the line before\n", path, number, form);
    return rc;
}

int trace_load (trace_t *self, const char *contacts, const char *messages, const char *fixes)
{
    *self = (trace_t){ 0 };
    if (s_read (self, contacts, s_contact, "time a b up|down") < 0
        || s_read (self, messages, s_message, "time id src size sos|urgent|normal|bulk life") < 0
        || (fixes && s_read (self, fixes, s_fix, "time node x y") < 0)) {
        trace_clear (self);
        return -1;
    }
    return 0;
}

void trace_clear (trace_t *self)
{
    free (self->contacts);
    free (self->messages);
    free (self->fixes);
    *self = (trace_t){ 0 };
}
