//  borders - towns' borders that look grown
//
//  The nearest-seat partition of an ellipse gives the rough plan. Its corners are then named, so that two towns mean the same
//  corner by the same number, and each straight edge between two corners is bent once, by moving midpoints, for both sides.

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ground.h"

#define CORNERS_ROOM 64
#define EDGES_ROOM 96
#define OUTLINE_CORNERS 13

typedef struct {
    int from, to;    //  corners
    int left, right; //  towns; right is -1 at the county's outline
    line_t line;     //  bent, from first to last corner
} edge_t;

typedef struct {
    spot_t corner [CORNERS_ROOM];
    int corner_count;
    edge_t edge [EDGES_ROOM];
    int edge_count;
    int ring [TOWNS][CORNERS_ROOM]; //  each town's corners, counter-clockwise
    int ring_count [TOWNS];
} plan_t;

static const struct {
    const char *station, *zh, *en;
    double x, y;
} s_towns [TOWNS] = { { "chengxi", "澄溪", "Chengxi", -500, -1500 }, { "liuwan", "柳湾", "Liuwan", -14000, 5500 },
    { "liqiao", "栎桥", "Liqiao", -12500, -8500 }, { "mailing", "麦岭", "Mailing", 1500, 10500 },
    { "fengdu", "枫渡", "Fengdu", 12500, -8000 }, { "wuyan", "雾岩", "Wuyan", 15500, 6500 } };

//  Cuts away what is nearer to other than to seat.
static void s_keep_near (line_t *ring, spot_t seat, spot_t other)
{
    spot_t middle = { (seat.x + other.x) / 2, (seat.y + other.y) / 2 };
    spot_t away = { other.x - seat.x, other.y - seat.y };
    line_t kept = { 0 };
    for (size_t i = 0; i < ring->count; i++) {
        spot_t a = ring->spots [i], b = ring->spots [(i + 1) % ring->count];
        double at_a = (a.x - middle.x) * away.x + (a.y - middle.y) * away.y;
        double at_b = (b.x - middle.x) * away.x + (b.y - middle.y) * away.y;
        if (at_a <= 0)
            line_add (&kept, a);
        if ((at_a < 0 && at_b > 0) || (at_a > 0 && at_b < 0)) {
            double share = at_a / (at_a - at_b);
            line_add (&kept, (spot_t){ a.x + share * (b.x - a.x), a.y + share * (b.y - a.y) });
        }
    }
    line_clear (ring);
    *ring = kept;
}

//  The number of the corner at spot; two towns reach the same corner by different sums, a metre apart is the same.
static int s_corner (plan_t *plan, spot_t spot)
{
    for (int i = 0; i < plan->corner_count; i++)
        if (spot_apart (plan->corner [i], spot) < 1)
            return i;
    assert (plan->corner_count < CORNERS_ROOM);
    plan->corner [plan->corner_count] = spot;
    return plan->corner_count++;
}

static void s_rough_plan (plan_t *plan, ground_t *ground, uint64_t *dice)
{
    line_t ellipse = { 0 };
    for (int i = 0; i < OUTLINE_CORNERS; i++) {
        double angle = 2 * M_PI * (i + dice_between (dice, -0.25, 0.25)) / OUTLINE_CORNERS;
        line_add (&ellipse, (spot_t){ 24500 * cos (angle), 17500 * sin (angle) });
    }
    for (int town = 0; town < TOWNS; town++) {
        line_t ring = { 0 };
        for (size_t i = 0; i < ellipse.count; i++)
            line_add (&ring, ellipse.spots [i]);
        for (int other = 0; other < TOWNS; other++)
            if (other != town)
                s_keep_near (&ring, ground->towns [town].seat, ground->towns [other].seat);
        for (size_t i = 0; i < ring.count; i++) {
            int corner = s_corner (plan, ring.spots [i]);
            int *count = &plan->ring_count [town];
            if (*count == 0 || plan->ring [town][*count - 1] != corner)
                plan->ring [town][(*count)++] = corner;
        }
        if (plan->ring [town][0] == plan->ring [town][plan->ring_count [town] - 1])
            plan->ring_count [town]--;
        line_clear (&ring);
    }
    line_clear (&ellipse);
}

static int s_edge (const plan_t *plan, int a, int b)
{
    for (int i = 0; i < plan->edge_count; i++) {
        const edge_t *edge = &plan->edge [i];
        if ((edge->from == a && edge->to == b) || (edge->from == b && edge->to == a))
            return i;
    }
    return -1;
}

static void s_edges (plan_t *plan)
{
    for (int town = 0; town < TOWNS; town++)
        for (int i = 0; i < plan->ring_count [town]; i++) {
            int a = plan->ring [town][i], b = plan->ring [town][(i + 1) % plan->ring_count [town]];
            int known = s_edge (plan, a, b);
            if (known >= 0)
                plan->edge [known].right = town;
            else {
                assert (plan->edge_count < EDGES_ROOM);
                plan->edge [plan->edge_count++] = (edge_t){ .from = a, .to = b, .left = town, .right = -1 };
            }
        }
}

//  Adds everything after a up to and with b.
static void s_bend (line_t *line, spot_t a, spot_t b, double bend, uint64_t *dice)
{
    double length = spot_apart (a, b);
    if (length < 260) {
        line_add (line, b);
        return;
    }
    double along = dice_between (dice, 0.42, 0.58), aside = dice_between (dice, -bend, bend);
    spot_t middle = { a.x + along * (b.x - a.x) - aside * (b.y - a.y), a.y + along * (b.y - a.y) + aside * (b.x - a.x) };
    s_bend (line, a, middle, bend * 0.94, dice);
    s_bend (line, middle, b, bend * 0.94, dice);
}

static double s_side (spot_t a, spot_t b, spot_t c)
{
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

static bool s_same (spot_t a, spot_t b)
{
    return a.x == b.x && a.y == b.y;
}

//  Do two lines meet anywhere but at a shared corner? For one line with itself, neighbouring pieces are left out.
static bool s_cross (const line_t *one, const line_t *two)
{
    for (size_t i = 0; i + 1 < one->count; i++)
        for (size_t j = one == two ? i + 2 : 0; j + 1 < two->count; j++) {
            spot_t a = one->spots [i], b = one->spots [i + 1], c = two->spots [j], d = two->spots [j + 1];
            if (s_same (a, c) || s_same (a, d) || s_same (b, c) || s_same (b, d))
                continue;
            if (s_side (a, b, c) * s_side (a, b, d) <= 0 && s_side (c, d, a) * s_side (c, d, b) <= 0)
                return true;
        }
    return false;
}

//  Bends every edge; one that would cross another is drawn again, straighter each time.
static void s_bend_all (plan_t *plan, uint64_t seed)
{
    for (int i = 0; i < plan->edge_count; i++) {
        edge_t *edge = &plan->edge [i];
        double bend = edge->right < 0 ? 0.21 : 0.17;
        uint64_t dice = seed ^ ((uint64_t)(i + 1) << 32);
        for (bool crosses = true; crosses; bend *= 0.85) {
            line_clear (&edge->line);
            line_add (&edge->line, plan->corner [edge->from]);
            s_bend (&edge->line, plan->corner [edge->from], plan->corner [edge->to], bend, &dice);
            crosses = s_cross (&edge->line, &edge->line);
            for (int other = 0; other < i && !crosses; other++)
                crosses = s_cross (&edge->line, &plan->edge [other].line);
        }
    }
}

//  Adds the edge from corner a to corner b, without its last spot.
static void s_walk (const plan_t *plan, line_t *ring, int a, int b)
{
    const edge_t *edge = &plan->edge [s_edge (plan, a, b)];
    for (size_t i = 0; i + 1 < edge->line.count; i++)
        line_add (ring, edge->line.spots [edge->from == a ? i : edge->line.count - 1 - i]);
}

static void s_outline (const plan_t *plan, line_t *outline)
{
    int first = 0;
    while (plan->edge [first].right >= 0)
        first++;
    int corner = plan->edge [first].from;
    do {
        int next = -1;
        for (int i = 0; i < plan->edge_count && next < 0; i++)
            if (plan->edge [i].right < 0 && plan->edge [i].from == corner)
                next = plan->edge [i].to;
        assert (next >= 0);
        s_walk (plan, outline, corner, next);
        corner = next;
    } while (corner != plan->edge [first].from);
}

void borders_draw (ground_t *self, uint64_t seed)
{
    uint64_t dice = seed * 2 + 1;
    plan_t *plan = calloc (1, sizeof *plan);
    if (!plan)
        abort ();
    for (int town = 0; town < TOWNS; town++) {
        self->towns [town] = (town_t){ .station = s_towns [town].station, .zh = s_towns [town].zh, .en = s_towns [town].en };
        self->towns [town].seat.x = s_towns [town].x + dice_between (&dice, -1200, 1200);
        self->towns [town].seat.y = s_towns [town].y + dice_between (&dice, -1200, 1200);
    }
    s_rough_plan (plan, self, &dice);
    s_edges (plan);
    s_bend_all (plan, dice_next (&dice));
    for (int town = 0; town < TOWNS; town++)
        for (int i = 0; i < plan->ring_count [town]; i++)
            s_walk (
                plan, &self->towns [town].ring, plan->ring [town][i], plan->ring [town][(i + 1) % plan->ring_count [town]]);
    s_outline (plan, &self->outline);
    for (int i = 0; i < plan->edge_count; i++)
        line_clear (&plan->edge [i].line);
    free (plan);
}
