#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include "areafault.h"
#include "areamem.h"

typedef struct {
    areas_fault_t fault;
    int order; //  when it was found; keeps the sort stable
} s_found_t;

struct areafaults_t {
    s_found_t *list;
    size_t count, room;
    int fatal_count;
    int dropped; //  faults beyond the limits
};

areafaults_t *areafaults_new (void)
{
    return area_zeroed (1, sizeof (areafaults_t));
}

void areafaults_destroy (areafaults_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        free ((*self_p)->list);
        free (*self_p);
        *self_p = NULL;
    }
}

//  What a person reads is one line of whole characters, whatever the file holds.
static void s_clean (char *line, size_t room)
{
    size_t size = strlen (line);
    if (size == room - 1) {
        while (size > 0 && ((unsigned char)line [size - 1] & 0xC0) == 0x80)
            size--;
        if (size > 0 && (unsigned char)line [size - 1] >= 0xC0)
            size--;
        line [size] = 0;
    }
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
}

__attribute__ ((format (printf, 5, 0))) static void s_add (
    areafaults_t *self, bool fatal, int feature, const char *station, const char *format, va_list values)
{
    self->fatal_count += fatal;
    if (self->count >= AREAFAULTS_MAX || (fatal && self->fatal_count > AREAFAULTS_FATAL_MAX)) {
        self->dropped++;
        return;
    }
    self->list = area_grow (self->list, self->count, &self->room, sizeof *self->list);
    s_found_t *found = &self->list [self->count];
    memset (found, 0, sizeof *found);
    found->order = (int)self->count++;
    found->fault.fatal = fatal;
    found->fault.feature = feature;
    if (station) {
        strncpy (found->fault.station, station, STATION_MAX);
        s_clean (found->fault.station, sizeof found->fault.station);
    }
    vsnprintf (found->fault.text, sizeof found->fault.text, format, values);
    s_clean (found->fault.text, sizeof found->fault.text);
}

void areafaults_fatal (areafaults_t *self, int feature, const char *station, const char *format, ...)
{
    va_list values;
    va_start (values, format);
    s_add (self, true, feature, station, format, values);
    va_end (values);
}

void areafaults_warn (areafaults_t *self, int feature, const char *station, const char *format, ...)
{
    va_list values;
    va_start (values, format);
    s_add (self, false, feature, station, format, values);
    va_end (values);
}

int areafaults_fatal_count (const areafaults_t *self)
{
    return self->fatal_count;
}

static int s_by_feature (const void *left, const void *right)
{
    const s_found_t *a = left, *b = right;
    if (a->fault.feature != b->fault.feature)
        return a->fault.feature < b->fault.feature ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void areafaults_tell (areafaults_t *self, areas_fault_fn *fault, void *context)
{
    if (!fault)
        return;
    if (self->count)
        qsort (self->list, self->count, sizeof *self->list, s_by_feature);
    for (size_t i = 0; i < self->count; i++)
        fault (context, &self->list [i].fault);
    if (self->dropped) {
        areas_fault_t last = { .fatal = self->fatal_count > 0, .feature = -1 };
        snprintf (last.text, sizeof last.text, "and %d more; mend these first", self->dropped);
        fault (context, &last);
    }
}
