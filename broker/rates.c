//  rates - counts in an open-addressing table

#include "rates.h"

#include <math.h>
#include <stdlib.h>

#include "keyed.h"

#define CELL_M 1000.0
#define METRES_PER_E7 0.0111195 //  of latitude
#define DAY_MS 86400000
#define DAYS 3

typedef struct {
    uint64_t key;          //  0 = free
    int32_t day;           //  newest one counted
    uint16_t count [DAYS]; //  of day, day - 1, day - 2
} cell_t;

struct rates_t {
    cell_t *cells;
    uint32_t room, used;
    int32_t newest; //  day of all cells
};

rates_t *rates_new (void)
{
    rates_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->room = 1024;
    self->newest = INT32_MIN;
    self->cells = calloc (self->room, sizeof *self->cells);
    if (!self->cells)
        abort ();
    return self;
}

void rates_destroy (rates_t **self_p)
{
    if (*self_p)
        free ((*self_p)->cells);
    free (*self_p);
    *self_p = NULL;
}

static int32_t s_row (int32_t lat_e7)
{
    return (int32_t)floor (lat_e7 * METRES_PER_E7 / CELL_M);
}

//  Columns of a row are as wide as its middle makes them, so that a cell is a square kilometre everywhere.
static int32_t s_column (int32_t row, int32_t lon_e7)
{
    double middle = (row + 0.5) * CELL_M / METRES_PER_E7 * 1e-7 * M_PI / 180;
    return (int32_t)floor (lon_e7 * METRES_PER_E7 * cos (middle) / CELL_M);
}

static uint64_t s_key (uint32_t kind, int32_t row, int32_t column)
{
    return keyed_mix ((uint64_t)kind << 32 ^ keyed_mix ((uint64_t)(uint32_t)row << 32 | (uint32_t)column)) | 1;
}

//  The cell, or the free one where it would be.
static cell_t *s_cell (const rates_t *self, uint64_t key)
{
    return keyed_slot (self->cells, sizeof *self->cells, self->room, key, key);
}

static void s_rebuild (rates_t *self)
{
    cell_t *old = self->cells;
    uint32_t room = self->room, living = 0;
    for (uint32_t i = 0; i < room; i++)
        living += old [i].key && old [i].day > self->newest - 2 * DAYS;
    while (living * 3 > self->room)
        self->room *= 2;
    self->cells = calloc (self->room, sizeof *self->cells);
    if (!self->cells)
        abort ();
    self->used = living;
    for (uint32_t i = 0; i < room; i++)
        if (old [i].key && old [i].day > self->newest - 2 * DAYS)
            *s_cell (self, old [i].key) = old [i];
    free (old);
}

static int32_t s_day (int64_t seen_ms)
{
    return (int32_t)(seen_ms / DAY_MS);
}

static void s_count (rates_t *self, uint64_t key, int32_t day)
{
    cell_t *cell = s_cell (self, key);
    if (!cell->key) {
        if ((self->used + 1) * 2 > self->room) {
            s_rebuild (self);
            cell = s_cell (self, key);
        }
        *cell = (cell_t){ .key = key, .day = day };
        self->used++;
    }
    for (; cell->day < day && cell->day > day - DAYS; cell->day++) {
        cell->count [2] = cell->count [1];
        cell->count [1] = cell->count [0];
        cell->count [0] = 0;
    }
    if (cell->day < day)
        *cell = (cell_t){ .key = key, .day = day };
    int32_t age = cell->day - day;
    if (age < DAYS && cell->count [age] < UINT16_MAX)
        cell->count [age]++;
}

void rates_add (rates_t *self, uint32_t kind, int32_t lat_e7, int32_t lon_e7, int64_t seen_ms)
{
    int32_t row = s_row (lat_e7), column = s_column (row, lon_e7), day = s_day (seen_ms);
    if (day > self->newest)
        self->newest = day;
    s_count (self, s_key (kind, row, column), day);
}

uint32_t rates_count (const rates_t *self, uint32_t kind, int32_t lat_e7, int32_t lon_e7, int64_t seen_ms)
{
    int32_t middle = s_row (lat_e7), day = s_day (seen_ms);
    uint32_t sum = 0;
    for (int32_t row = middle - 1; row <= middle + 1; row++) {
        int32_t column = s_column (row, lon_e7);
        for (int32_t i = column - 1; i <= column + 1; i++) {
            const cell_t *cell = s_cell (self, s_key (kind, row, i));
            for (int32_t k = 0; cell->key && k < DAYS; k++)
                if (cell->day - k <= day && cell->day - k > day - DAYS)
                    sum += cell->count [k];
        }
    }
    return sum;
}

size_t rates_memory (const rates_t *self)
{
    return sizeof *self + self->room * sizeof *self->cells;
}
