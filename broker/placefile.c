#include <assert.h>
#include <string.h>
#include "placefile.h"

void placefile_begin (placefile_t *self, char *text, size_t size)
{
    assert (self && text);
    *self = (placefile_t){ .at = text, .end = text + size, .next_line = 1 };
    if (size >= 3 && memcmp (text, "\xEF\xBB\xBF", 3) == 0)
        self->at += 3;
}

//  Moves a quoted field's content to the front; returns where reading goes on, or NULL with a fault.
static char *s_unquote (placefile_t *self, char *from, char **end)
{
    char *to = from;
    from++;
    while (from < self->end) {
        if (*from == '"' && from + 1 < self->end && from [1] == '"')
            from++;
        else if (*from == '"') {
            *end = to;
            return from + 1;
        }
        if (*from == '\n')
            self->next_line++;
        *to++ = *from++;
    }
    self->fault = "a quote is opened and never closed";
    return NULL;
}

//  One field; *last is set when it ends its row.
static int s_read_field (placefile_t *self, bool *last)
{
    if (self->field_count == PLACEFILE_FIELDS) {
        self->fault = "more than 64 fields";
        return -1;
    }
    char *start = self->at, *end, *at;
    if (start < self->end && *start == '"') {
        at = s_unquote (self, start, &end);
        if (!at)
            return -1;
        if (at < self->end && *at != ',' && *at != '\n' && !(*at == '\r' && at + 1 < self->end && at [1] == '\n')) {
            self->fault = "something stands between a closing quote and the next comma";
            return -1;
        }
    } else {
        for (at = start; at < self->end && *at != ',' && *at != '\n'; at++)
            if (*at == '"') {
                self->fault = "a quote inside a field that does not begin with one";
                return -1;
            }
        end = at > start && at [-1] == '\r' && (at == self->end || *at == '\n') ? at - 1 : at;
    }
    if (at < self->end && *at == '\r')
        at++;
    *last = at >= self->end || *at == '\n';
    if (at < self->end && *at == '\n')
        self->next_line++;
    *end = 0;
    if (memchr (start, 0, (size_t)(end - start))) {
        self->fault = "a zero byte in a field";
        return -1;
    }
    self->fields [self->field_count++] = start;
    self->at = at < self->end ? at + 1 : self->end;
    return 0;
}

int placefile_next (placefile_t *self)
{
    while (self->at < self->end
        && (*self->at == '\n' || (*self->at == '\r' && self->at + 1 < self->end && self->at [1] == '\n'))) {
        self->next_line += *self->at == '\n';
        self->at++;
    }
    self->field_count = 0;
    self->line = self->next_line;
    if (self->at >= self->end)
        return 0;
    for (bool last = false; !last;)
        if (s_read_field (self, &last) != 0)
            return -1;
    return 1;
}
