//  moves - people and vehicles on invented maps, for the city simulator: who was near whom, where everybody was, what was written
//
//    moves KIND SEED PREFIX [TIPS-EVERY]      KIND: town, villages, crowd
//
//  Writes PREFIX.contacts, PREFIX.messages and PREFIX.positions, as trace.h of tests/city reads them. The same seed makes the same
//  files. Streets are invented too: nothing here is taken from a real map or a real person. Nodes 0 to 2 (crowd: 0) are gateways.
//
//    town      6 h, 4.5 x 3.4 km, 500 nodes within 60 m of one another: taxis, sweepers, foot patrols, posts
//    villages  24 h, 14 x 14 km, 79 nodes within 80 m: seven villages, six vehicles between them
//    crowd     5 min, 300 nodes that all hear one another, and a gateway that nobody hears
//
//  Contacts begin 3 s late (they find each other, shake hands); what is left of less than a second is no contact.

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPOTS_MAX 512
#define ROADS_MAX 12 //  at one spot
#define NODES_MAX 512
#define PAIRS_MAX 65536
#define GATEWAYS 3
#define LATE_S 3
#define FIX_S 10

typedef struct {
    double x, y;
    int village;
    int road [ROADS_MAX], roads;
} spot_t;

//  How somebody goes about: to a spot drawn anew (of the own village only, or anywhere), street by street without aim, or not at all.
typedef struct {
    const char *what;
    enum { STAYS, STROLLS, GOES, TRAVELS } how;
    double slow, fast;      //  m/s
    double least_s, most_s; //  of waiting
} habit_t;

typedef struct {
    const habit_t *habit;
    int village;
    int path [SPOTS_MAX], left; //  spots still to come, the next one last
    int at;                     //  spot where it stands, or that it left
    double x, y, speed, wait_s;
} node_t;

typedef struct {
    int a, b;
    int since; //  s
} pair_t;

typedef struct {
    uint64_t random;
    spot_t spot [SPOTS_MAX];
    int spots, villages;
    node_t node [NODES_MAX];
    int nodes;
    double range;
    pair_t *near, *was; //  in order of (a, b)
    int near_count, was_count;
    FILE *contacts, *messages, *positions;
} world_t;

static double s_random (world_t *self)
{
    uint64_t z = self->random += UINT64_C (0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C (0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C (0x94D049BB133111EB);
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static double s_between (world_t *self, double low, double high)
{
    return low + (high - low) * s_random (self);
}

static int s_below (world_t *self, int count)
{
    return (int)(s_random (self) * count);
}

//  ---- the map

static double s_metres (const spot_t *a, const spot_t *b)
{
    return hypot (a->x - b->x, a->y - b->y);
}

static void s_road (world_t *self, int a, int b)
{
    spot_t *from = &self->spot [a], *to = &self->spot [b];
    for (int i = 0; i < from->roads; i++)
        if (from->road [i] == b)
            return;
    if (from->roads == ROADS_MAX || to->roads == ROADS_MAX)
        return;
    from->road [from->roads++] = b;
    to->road [to->roads++] = a;
}

//  Streets: a grid that is not quite straight, of which some are missing; a comb of them is always there, so all hangs together.
static void s_grid (world_t *self, double x, double y, int wide, int high, double step, int village)
{
    int first = self->spots;
    for (int i = 0; i < wide * high; i++)
        self->spot [self->spots++] = (spot_t){ .x = x + step * (i % wide + s_between (self, -0.25, 0.25)),
            .y = y + step * ((double)(i / wide) + s_between (self, -0.25, 0.25)),
            .village = village };
    for (int i = 0; i < wide * high; i++) {
        if (i % wide + 1 < wide)
            s_road (self, first + i, first + i + 1);
        if (i / wide + 1 < high && (i % wide == 0 || s_random (self) < 0.7))
            s_road (self, first + i, first + i + wide);
    }
}

static void s_join (world_t *self, int one, int other)
{
    int from = -1, to = -1;
    double least = INFINITY;
    for (int a = 0; a < self->spots; a++)
        for (int b = 0; b < self->spots; b++)
            if (self->spot [a].village == one && self->spot [b].village == other
                && s_metres (&self->spot [a], &self->spot [b]) < least) {
                least = s_metres (&self->spot [a], &self->spot [b]);
                from = a;
                to = b;
            }
    s_road (self, from, to);
}

//  Villages 3 km apart at least, a tree of country roads, and two roads more.
static void s_country (world_t *self, int villages)
{
    double x [16], y [16];
    for (int i = 0; i < villages; i++) {
        bool apart;
        do {
            x [i] = s_between (self, 0, 13000);
            y [i] = s_between (self, 0, 13000);
            apart = true;
            for (int k = 0; k < i; k++)
                apart = apart && hypot (x [i] - x [k], y [i] - y [k]) > 3000;
        } while (!apart);
        int side = i == 0 ? 6 : 3 + s_below (self, 3);
        s_grid (self, x [i], y [i], side, side, s_between (self, 170, 230), i);
        int nearest = 0;
        for (int k = 1; k < i; k++)
            if (hypot (x [i] - x [k], y [i] - y [k]) < hypot (x [i] - x [nearest], y [i] - y [nearest]))
                nearest = k;
        if (i > 0)
            s_join (self, nearest, i);
    }
    for (int more = 0; more < 2; more++)
        s_join (self, s_below (self, villages), s_below (self, villages));
    self->villages = villages;
}

//  ---- ways

//  Shortest way to a spot, left in path; nothing is left if there is none.
static void s_find_way (world_t *self, node_t *node, int to)
{
    double far [SPOTS_MAX];
    int next [SPOTS_MAX];
    bool done [SPOTS_MAX] = { false };
    for (int i = 0; i < self->spots; i++)
        far [i] = INFINITY;
    far [to] = 0;
    next [to] = -1;
    while (!done [node->at]) {
        int best = -1;
        for (int i = 0; i < self->spots; i++)
            if (!done [i] && far [i] < INFINITY && (best < 0 || far [i] < far [best]))
                best = i;
        if (best < 0)
            return;
        done [best] = true;
        const spot_t *spot = &self->spot [best];
        for (int i = 0; i < spot->roads; i++) {
            double through = far [best] + s_metres (spot, &self->spot [spot->road [i]]);
            if (through < far [spot->road [i]]) {
                far [spot->road [i]] = through;
                next [spot->road [i]] = best;
            }
        }
    }
    int steps = 0;
    for (int i = next [node->at]; i >= 0; i = next [i])
        node->path [steps++] = i;
    for (int i = 0; i < steps / 2; i++) {
        int other = node->path [i];
        node->path [i] = node->path [steps - 1 - i];
        node->path [steps - 1 - i] = other;
    }
    node->left = steps;
}

static int s_draw_spot (world_t *self, int village)
{
    for (;;) {
        int spot = s_below (self, self->spots);
        if (village < 0 || self->spot [spot].village == village)
            return spot;
    }
}

static void s_set_out (world_t *self, node_t *node)
{
    const habit_t *habit = node->habit;
    node->speed = s_between (self, habit->slow, habit->fast);
    node->wait_s = s_between (self, habit->least_s, habit->most_s);
    if (habit->how == STROLLS) {
        const spot_t *here = &self->spot [node->at];
        node->path [0] = here->road [s_below (self, here->roads)];
        node->left = self->spot [node->path [0]].village == node->village;
    } else
        s_find_way (self, node, s_draw_spot (self, habit->how == TRAVELS ? s_below (self, self->villages) : node->village));
}

static void s_step (world_t *self, node_t *node)
{
    if (node->habit->how == STAYS)
        return;
    if (node->wait_s > 0) {
        node->wait_s -= 1;
        return;
    }
    if (node->left == 0)
        s_set_out (self, node);
    for (double go = node->speed; node->left > 0 && go > 0;) {
        const spot_t *next = &self->spot [node->path [node->left - 1]];
        double metres = hypot (next->x - node->x, next->y - node->y);
        if (metres > go) {
            node->x += (next->x - node->x) * go / metres;
            node->y += (next->y - node->y) * go / metres;
            return;
        }
        go -= metres;
        node->x = next->x;
        node->y = next->y;
        node->at = node->path [--node->left];
    }
}

static void s_people (world_t *self, int count, const habit_t *habit, int village)
{
    for (int i = 0; i < count; i++) {
        node_t *node = &self->node [self->nodes++];
        int at = s_draw_spot (self, village);
        *node = (node_t){ .habit = habit,
            .village = self->spot [at].village,
            .at = at,
            .x = self->spot [at].x,
            .y = self->spot [at].y,
            .wait_s = s_between (self, 0, habit->most_s) };
    }
}

static void s_settle_town (world_t *self)
{
    static const habit_t gateway = { "gateway", STAYS, 0, 0, 0, 0 }, taxi = { "taxi", TRAVELS, 2.7, 13.9, 20, 600 },
                         sweeper = { "sweeper", STROLLS, 0.3, 1.0, 60, 600 }, patrol = { "patrol", GOES, 0.8, 1.6, 60, 900 },
                         post = { "post", STAYS, 0, 0, 0, 0 };
    s_grid (self, 0, 0, 19, 14, 245, 0);
    self->villages = 1;
    self->range = 60;
    s_people (self, GATEWAYS, &gateway, 0);
    s_people (self, 268, &taxi, 0);
    s_people (self, 124, &sweeper, 0);
    s_people (self, 63, &patrol, 0);
    s_people (self, 42, &post, 0);
}

static void s_settle_villages (world_t *self)
{
    static const habit_t gateway = { "gateway", STAYS, 0, 0, 0, 0 }, vehicle = { "vehicle", TRAVELS, 6, 15, 600, 5400 },
                         slow = { "slow worker", STROLLS, 0.3, 1.0, 300, 2400 },
                         patrol = { "patrol", GOES, 0.8, 1.6, 600, 5400 }, post = { "post", STAYS, 0, 0, 0, 0 };
    s_country (self, 7);
    self->range = 80;
    s_people (self, GATEWAYS - 1, &gateway, 0);
    s_people (self, 1, &gateway, 1);
    s_people (self, 6, &vehicle, -1);
    for (int village = 0; village < self->villages; village++) {
        s_people (self, 4, &slow, village);
        s_people (self, 4, &patrol, village);
        s_people (self, 2, &post, village);
    }
}

//  ---- who is near whom

static int s_by_pair (const void *left, const void *right)
{
    const pair_t *one = left, *other = right;
    return one->a != other->a ? one->a - other->a : one->b - other->b;
}

//  Those within range, by x: each is compared with those not far to its right only.
static void s_look (world_t *self, int now)
{
    static int order [NODES_MAX];
    static bool begun;
    for (int i = 0; !begun && i < self->nodes; i++)
        order [i] = i;
    begun = true;
    for (int i = 1; i < self->nodes; i++) { //  nearly in order already: they do not move far in a second
        int one = order [i], k = i;
        for (; k > 0 && self->node [order [k - 1]].x > self->node [one].x; k--)
            order [k] = order [k - 1];
        order [k] = one;
    }
    pair_t *swap = self->was;
    self->was = self->near;
    self->was_count = self->near_count;
    self->near = swap;
    self->near_count = 0;
    for (int i = 0; i < self->nodes; i++)
        for (int k = i + 1; k < self->nodes && self->node [order [k]].x - self->node [order [i]].x <= self->range; k++) {
            const node_t *one = &self->node [order [i]], *other = &self->node [order [k]];
            if (fabs (one->y - other->y) > self->range || hypot (one->x - other->x, one->y - other->y) > self->range
                || (order [i] < GATEWAYS && order [k] < GATEWAYS) || self->near_count == PAIRS_MAX)
                continue;
            int a = order [i] < order [k] ? order [i] : order [k];
            self->near [self->near_count++] = (pair_t){ a, order [i] + order [k] - a, now };
        }
    qsort (self->near, (size_t)self->near_count, sizeof *self->near, s_by_pair);
    int was = 0;
    for (int i = 0; i < self->near_count; i++) {
        pair_t *pair = &self->near [i];
        for (; was < self->was_count && s_by_pair (&self->was [was], pair) < 0; was++)
            if (now - self->was [was].since > LATE_S)
                fprintf (self->contacts, "%d %d %d down\n", now, self->was [was].a, self->was [was].b);
        if (was < self->was_count && s_by_pair (&self->was [was], pair) == 0)
            pair->since = self->was [was++].since;
        if (now - pair->since == LATE_S)
            fprintf (self->contacts, "%d %d %d up\n", now, pair->a, pair->b);
    }
    for (; was < self->was_count; was++)
        if (now - self->was [was].since > LATE_S)
            fprintf (self->contacts, "%d %d %d down\n", now, self->was [was].a, self->was [was].b);
}

static void s_walk (world_t *self, int warm_s, int seconds)
{
    for (int now = -warm_s; now <= seconds; now++) {
        for (int i = 0; i < self->nodes; i++)
            s_step (self, &self->node [i]);
        if (now < 0)
            continue;
        s_look (self, now);
        for (int i = 0; now == seconds && i < self->near_count; i++)
            if (now - self->near [i].since >= LATE_S)
                fprintf (self->contacts, "%d %d %d down\n", now, self->near [i].a, self->near [i].b);
        for (int i = now % FIX_S; i < self->nodes; i += FIX_S)
            fprintf (self->positions, "%d %d %.0f %.0f\n", now, i, self->node [i].x, self->node [i].y);
    }
}

//  ---- what is written: each node one tip in `every` seconds on average, 6 in 100 an sos

static void s_write (world_t *self, int first, int nodes, double every, double from_s, double to_s, int life_s)
{
    double now = from_s;
    for (int number = 0; every > 0; number++) {
        now -= log (1 - s_random (self)) * every / (nodes - first);
        if (now > to_s)
            return;
        bool sos = s_random (self) < 0.06;
        fprintf (self->messages, "%.1f m%d %d %d %s %d\n", now, number, first + s_below (self, nodes - first),
            sos ? 250 + s_below (self, 251) : 700 + s_below (self, 601), sos ? "sos" : "normal", life_s);
    }
}

static void s_crowd (world_t *self)
{
    enum { NODES = 301, CONTACTS = (NODES - 1) * (NODES - 2) / 2 };
    for (int a = 1; a < NODES; a++)
        for (int b = a + 1; b < NODES; b++)
            fprintf (self->contacts, "1 %d %d up\n", a, b);
    fprintf (self->contacts, "300 1 2 down\n");
    self->nodes = NODES;
}

static FILE *s_open (const char *prefix, const char *what)
{
    char path [4096];
    snprintf (path, sizeof path, "%s.%s", prefix, what);
    FILE *file = fopen (path, "we");
    if (!file) {
        fprintf (stderr, "moves: %s: cannot be written\n", path);
        exit (1);
    }
    return file;
}

static bool s_close (FILE *file)
{
    bool whole = !ferror (file);
    return fclose (file) == 0 && whole;
}

int main (int argc, char **argv)
{
    static world_t self;
    char *end = NULL;
    self.random = argc > 2 ? strtoull (argv [2], &end, 10) : 0;
    double every = argc > 4 ? strtod (argv [4], &end) : 0;
    bool town = argc > 1 && strcmp (argv [1], "town") == 0, villages = argc > 1 && strcmp (argv [1], "villages") == 0;
    bool crowd = argc > 1 && strcmp (argv [1], "crowd") == 0;
    if (argc < 4 || argc > 5 || *end || !(town || villages || crowd) || !(every >= 0)) {
        fprintf (stderr, "usage: moves town|villages|crowd SEED PREFIX [TIPS-EVERY]\n");
        return 2;
    }
    self.near = calloc (PAIRS_MAX, sizeof *self.near);
    self.was = calloc (PAIRS_MAX, sizeof *self.was);
    if (!self.near || !self.was)
        abort ();
    self.contacts = s_open (argv [3], "contacts");
    self.messages = s_open (argv [3], "messages");
    self.positions = s_open (argv [3], "positions");
    if (town) {
        s_settle_town (&self);
        s_walk (&self, 3600, 6 * 3600);
        s_write (&self, GATEWAYS, self.nodes, every > 0 ? every : 4500, 900, 4 * 3600, 7200);
    } else if (villages) {
        s_settle_villages (&self);
        s_walk (&self, 7200, 24 * 3600);
        s_write (&self, GATEWAYS, self.nodes, every > 0 ? every : 5400, 1800, 16 * 3600, 21600);
    } else {
        s_crowd (&self);
        s_write (&self, 1, self.nodes, every > 0 ? every : 300, 5, 120, 7200);
    }
    free (self.near);
    free (self.was);
    bool whole = s_close (self.contacts);
    whole = s_close (self.messages) && whole;
    whole = s_close (self.positions) && whole;
    if (!whole)
        fprintf (stderr, "moves: %s: not written whole\n", argv [3]);
    return whole ? 0 : 1;
}
