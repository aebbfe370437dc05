//  land - water, roads and everything that has a name

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "ground.h"

enum { CHENGXI, LIUWAN, LIQIAO, MAILING, FENGDU, WUYAN };

//  Which towns a road joins; the trunk road (0) is drawn by itself.
static const int s_roads [ROADS][2] = { { -1, -1 }, { CHENGXI, LIUWAN }, { CHENGXI, MAILING }, { LIUWAN, LIQIAO },
    { MAILING, WUYAN }, { WUYAN, FENGDU }, { LIUWAN, MAILING }, { CHENGXI, WUYAN }, { MAILING, -1 } };

static const struct {
    const char *zh, *en;
} s_villages []
    = { { "青石沟", "Qingshigou" }, { "小河口", "Xiaohekou" }, { "杏花坪", "Xinghuaping" }, { "老槐树", "Laohuaishu" },
          { "竹林湾", "Zhulinwan" }, { "黑龙潭", "Heilongtan" }, { "上坝", "Shangba" }, { "下坝", "Xiaba" },
          { "牛角塘", "Niujiaotang" }, { "响水岩", "Xiangshuiyan" }, { "磨盘山", "Mopanshan" }, { "白果树", "Baiguoshu" },
          { "瓦窑坡", "Wayaopo" }, { "梨树垭", "Lishuya" }, { "双井", "Shuangjing" }, { "油坊沟", "Youfanggou" },
          { "鹰嘴石", "Yingzuishi" }, { "观音阁", "Guanyinge" }, { "茶园坪", "Chayuanping" }, { "红椿沟", "Hongchungou" },
          { "沙坝子", "Shabazi" }, { "水碾河", "Shuinianhe" }, { "三棵松", "Sankesong" }, { "大垭口", "Dayakou" },
          { "麻柳溪", "Maliuxi" }, { "石门洞", "Shimendong" }, { "烟墩梁", "Yandunliang" }, { "罗家院", "Luojiayuan" },
          { "赵家岭", "Zhaojialing" }, { "谢家营", "Xiejiaying" }, { "韩家寨", "Hanjiazhai" }, { "杜家河", "Dujiahe" },
          { "古楼", "Gulou" }, { "新店子", "Xindianzi" }, { "桃园", "Taoyuan" }, { "芦苇荡", "Luweidang" },
          { "桑树岭", "Sangshuling" }, { "铁匠铺", "Tiejiangpu" }, { "盐店", "Yandian" }, { "马蹄湾", "Matiwan" },
          { "金竹园", "Jinzhuyuan" }, { "云台", "Yuntai" }, { "枣木滩", "Zaomutan" }, { "纸坊", "Zhifang" },
          { "龙王沟", "Longwanggou" }, { "清泉", "Qingquan" }, { "月亮湾", "Yueliangwan" }, { "樱桃沟", "Yingtaogou" } };
#define VILLAGES ((int)(sizeof s_villages / sizeof s_villages [0]))

//  What every town has, and how far from its seat at most.
static const struct {
    const char *zh, *en, *kind;
    double far;
} s_town_things [] = { { "派出所", " police station", "police", 0 }, { "中心小学", " primary school", "school", 700 },
    { "卫生院", " health centre", "hospital", 800 }, { "农贸市场", " market", "market", 600 } };

//  What the county seat has besides.
static const struct {
    const char *zh, *en, *alias, *kind;
    double x, y;
} s_seat_things [] = { { "澄溪汽车站", "Chengxi bus station", "汽车站;bus station", "transport", 900, -700 },
    { "人民广场", "People's Square", "广场;the square", "square", -300, 350 },
    { "澄溪县第一中学", "Chengxi No. 1 Middle School", "县一中;一中", "school", -1100, 200 },
    { "县医院", "Chengxi County Hospital", "人民医院;county hospital", "hospital", 600, 900 },
    { "滨河公园", "Riverside Park", "河边公园", "park", 250, -1000 },
    { "夜市街", "Night Market Street", "夜市", "market", -700, -450 } };

static spot_t s_between (spot_t a, spot_t b, double share)
{
    return (spot_t){ a.x + share * (b.x - a.x), a.y + share * (b.y - a.y) };
}

//  A smooth line through all spots (Catmull-Rom).
static void s_smooth (line_t *out, const spot_t *spots, int count, int steps)
{
    for (int i = 0; i + 1 < count; i++) {
        spot_t p0 = spots [i ? i - 1 : 0], p1 = spots [i], p2 = spots [i + 1], p3 = spots [i + 2 < count ? i + 2 : i + 1];
        for (int step = 0; step < steps; step++) {
            double t = (double)step / steps, t2 = t * t, t3 = t2 * t;
            line_add (out,
                (spot_t){ 0.5
                        * (2 * p1.x + (p2.x - p0.x) * t + (2 * p0.x - 5 * p1.x + 4 * p2.x - p3.x) * t2
                            + (3 * p1.x - p0.x - 3 * p2.x + p3.x) * t3),
                    0.5
                        * (2 * p1.y + (p2.y - p0.y) * t + (2 * p0.y - 5 * p1.y + 4 * p2.y - p3.y) * t2
                            + (3 * p1.y - p0.y - 3 * p2.y + p3.y) * t3) });
        }
    }
    line_add (out, spots [count - 1]);
}

//  Puts bends of about `wave` metres into a course, then smooths it. The ends stay.
static void s_meander (line_t *out, const spot_t *course, int count, double wave, double swing, uint64_t *dice)
{
    spot_t bent [128];
    int used = 0;
    double turn = 1;
    for (int i = 0; i + 1 < count; i++) {
        double length = spot_apart (course [i], course [i + 1]);
        int pieces = (int)fmax (1, length / wave);
        for (int piece = 0; piece < pieces; piece++) {
            spot_t spot = s_between (course [i], course [i + 1], (double)piece / pieces);
            if (piece) {
                double aside = turn * dice_between (dice, 0.35, 1) * swing / length;
                spot.x -= aside * (course [i + 1].y - course [i].y);
                spot.y += aside * (course [i + 1].x - course [i].x);
                turn = -turn;
            }
            assert (used < 127);
            bent [used++] = spot;
        }
    }
    bent [used++] = course [count - 1];
    s_smooth (out, bent, used, 8);
}

static spot_t s_beside (spot_t spot, double x, double y)
{
    return (spot_t){ spot.x + x, spot.y + y };
}

static void s_water (ground_t *self, uint64_t *dice)
{
    spot_t seat = s_beside (self->towns [CHENGXI].seat, 100, -1150);
    spot_t ferry = s_beside (self->towns [FENGDU].seat, -300, 900);
    spot_t river [] = { { -29000, 9500 }, s_beside (self->towns [LIUWAN].seat, -500, -1500), { -6500, 500 }, seat,
        { 6000, -6500 }, ferry, { 21000, -8000 }, { 29000, -13500 } };
    s_meander (&self->river [0], river, sizeof river / sizeof river [0], 2300, 750, dice);
    spot_t stream []
        = { { -1500, 22000 }, s_beside (self->towns [MAILING].seat, -1600, 500), { 2200, 4000 }, { 1900, 600 } };
    spot_t mouth = self->river [0].spots [0];
    for (size_t i = 0; i < self->river [0].count; i++)
        if (spot_apart (self->river [0].spots [i], stream [3]) < spot_apart (mouth, stream [3]))
            mouth = self->river [0].spots [i];
    stream [3] = mouth;
    s_meander (&self->river [1], stream, 4, 1500, 420, dice);
}

static void s_trunk (ground_t *self, uint64_t *dice)
{
    spot_t course [] = { { -30000, -13500 }, s_beside (self->towns [LIQIAO].seat, 300, 350), { -6500, -4500 },
        s_beside (self->towns [CHENGXI].seat, 200, 250), { 6200, -4200 }, s_beside (self->towns [FENGDU].seat, 100, 300),
        { 19500, -11500 }, { 30000, -11000 } };
    s_meander (&self->road [0], course, sizeof course / sizeof course [0], 3600, 480, dice);
    for (size_t i = 0; i < self->road [0].count; i++)
        if (ring_covers (&self->outline, self->road [0].spots [i]))
            line_add (&self->trunk, self->road [0].spots [i]);
    assert (self->trunk.count > 8);
    self->checkpoint [0] = self->trunk.spots [4];
    self->checkpoint [1] = self->trunk.spots [self->trunk.count - 5];
}

static void s_draw_roads (ground_t *self, uint64_t *dice)
{
    s_trunk (self, dice);
    for (int road = 1; road < ROADS; road++) {
        spot_t north = { 9000, 24000 };
        const int *ends = s_roads [road];
        spot_t course [] = { self->towns [ends [0]].seat, ends [1] < 0 ? north : self->towns [ends [1]].seat };
        s_meander (&self->road [road], course, 2, 2600, 620, dice);
    }
}

static named_t *s_name (ground_t *self, const char *kind, int town, spot_t spot)
{
    assert (self->place_count < PLACES_ROOM);
    named_t *place = &self->places [self->place_count++];
    *place = (named_t){ .kind = kind, .town = town, .spot = spot };
    return place;
}

static void s_town_places (ground_t *self, int number, uint64_t *dice)
{
    const town_t *town = &self->towns [number];
    named_t *place = s_name (self, "town", number, town->seat);
    snprintf (place->zh, sizeof place->zh, "%s镇", town->zh);
    snprintf (place->en, sizeof place->en, "%s", town->en);
    snprintf (place->alias, sizeof place->alias, "%s", town->zh);
    for (size_t i = 0; i < sizeof s_town_things / sizeof s_town_things [0]; i++) {
        double far = s_town_things [i].far, angle = dice_between (dice, 0, 2 * M_PI);
        place = s_name (self, s_town_things [i].kind, number, s_beside (town->seat, far * cos (angle), far * sin (angle)));
        snprintf (place->zh, sizeof place->zh, "%s%s", town->zh, s_town_things [i].zh);
        snprintf (place->en, sizeof place->en, "%s%s", town->en, s_town_things [i].en);
        if (strcmp (place->kind, "market") == 0)
            snprintf (place->alias, sizeof place->alias, "%s菜市场", town->zh);
    }
}

static void s_seat_places (ground_t *self)
{
    for (size_t i = 0; i < sizeof s_seat_things / sizeof s_seat_things [0]; i++) {
        spot_t spot = s_beside (self->towns [CHENGXI].seat, s_seat_things [i].x, s_seat_things [i].y);
        named_t *place = s_name (self, s_seat_things [i].kind, CHENGXI, spot);
        snprintf (place->zh, sizeof place->zh, "%s", s_seat_things [i].zh);
        snprintf (place->en, sizeof place->en, "%s", s_seat_things [i].en);
        snprintf (place->alias, sizeof place->alias, "%s", s_seat_things [i].alias);
    }
}

static bool s_is_crowded (const ground_t *self, spot_t spot, double apart)
{
    for (int i = 0; i < self->place_count; i++)
        if (spot_apart (self->places [i].spot, spot) < apart)
            return true;
    return false;
}

static void s_village_places (ground_t *self, uint64_t *dice)
{
    for (int village = 0; village < VILLAGES; village++) {
        spot_t spot;
        int town;
        do
            spot = ground_spot (self, dice, &town);
        while (s_is_crowded (self, spot, 1700));
        named_t *place = s_name (self, "village", town, spot);
        snprintf (place->zh, sizeof place->zh, "%s村", s_villages [village].zh);
        snprintf (place->en, sizeof place->en, "%s", s_villages [village].en);
        snprintf (place->alias, sizeof place->alias, "%s", s_villages [village].zh);
    }
}

//  Where two pieces cross; false if they do not.
static bool s_meet (spot_t a, spot_t b, spot_t c, spot_t d, spot_t *where)
{
    double across = (b.x - a.x) * (d.y - c.y) - (b.y - a.y) * (d.x - c.x);
    if (across == 0)
        return false;
    double t = ((c.x - a.x) * (d.y - c.y) - (c.y - a.y) * (d.x - c.x)) / across;
    double u = ((c.x - a.x) * (b.y - a.y) - (c.y - a.y) * (b.x - a.x)) / across;
    *where = s_between (a, b, t);
    return t >= 0 && t < 1 && u >= 0 && u < 1;
}

//  A bridge wherever a road crosses water within the county, unless one is already near.
static void s_bridge_places (ground_t *self)
{
    static const char *const zh [] = { "大桥", "二桥", "三桥", "四桥", "五桥" };
    int built [TOWNS] = { 0 };
    int first = self->place_count;
    for (int road = 0; road < ROADS; road++)
        for (int river = 0; river < RIVERS; river++)
            for (size_t i = 0; i + 1 < self->road [road].count; i++)
                for (size_t j = 0; j + 1 < self->river [river].count; j++) {
                    spot_t where;
                    if (!s_meet (self->road [road].spots [i], self->road [road].spots [i + 1], self->river [river].spots [j],
                            self->river [river].spots [j + 1], &where))
                        continue;
                    int town = ground_town_at (self, where);
                    bool near = false;
                    for (int other = first; other < self->place_count; other++)
                        near = near || spot_apart (self->places [other].spot, where) < 900;
                    if (town < 0 || near || built [town] == 5)
                        continue;
                    named_t *place = s_name (self, "bridge", town, where);
                    snprintf (place->zh, sizeof place->zh, "%s%s", self->towns [town].zh, zh [built [town]]);
                    snprintf (place->en, sizeof place->en, "%s Bridge %d", self->towns [town].en, ++built [town]);
                }
}

static void s_checkpoint_places (ground_t *self)
{
    static const struct {
        const char *zh, *en, *alias;
    } names [CHECKPOINTS]
        = { { "澄溪西卡口", "West Checkpoint", "西卡口;西检查站" }, { "澄溪东卡口", "East Checkpoint", "东卡口;东检查站" } };
    for (int i = 0; i < CHECKPOINTS; i++) {
        named_t *place = s_name (self, "checkpoint", ground_town_at (self, self->checkpoint [i]), self->checkpoint [i]);
        snprintf (place->zh, sizeof place->zh, "%s", names [i].zh);
        snprintf (place->en, sizeof place->en, "%s", names [i].en);
        snprintf (place->alias, sizeof place->alias, "%s", names [i].alias);
    }
}

void land_draw (ground_t *self, uint64_t seed)
{
    uint64_t dice = seed * 2 + 1000003;
    s_water (self, &dice);
    s_draw_roads (self, &dice);
    for (int town = 0; town < TOWNS; town++)
        s_town_places (self, town, &dice);
    s_seat_places (self);
    s_bridge_places (self);
    s_checkpoint_places (self);
    s_village_places (self, &dice);
}
