//  tips - what people see on an ordinary day, and on a bad one

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tips.h"
#include "timefmt.h"

#define WORDINGS 4
#define RECENT 12

//  @ stands for the name of a place nearby. The share of each kind is out of the sum of all.
typedef struct {
    const char *kind;
    int share;
    int red, yellow; //  of a hundred; the rest is blue
    const char *zh [WORDINGS], *en [WORDINGS];
} subject_t;

static const subject_t s_subjects [] = { { "traffic", 17, 8, 45,
                                             { "@附近两车追尾，占了一条道，人没事", "@有辆三轮车逆行，差点撞到学生",
                                                 "一辆白色面包车在@路边超员，车上至少十二人", "@信号灯坏了，路口堵死了" },
                                             { "Two cars collided near @, one lane blocked, nobody hurt",
                                                 "Three-wheeler going the wrong way at @, nearly hit pupils",
                                                 "White van overloaded near @, at least twelve people in it",
                                                 "Lights out at the crossing by @, everything is stuck" } },
    { "civility", 15, 0, 15, { "@有人往河里倒建筑垃圾", "@门口烧秸秆，烟很大", "@路灯连着三盏不亮", "@墙上又贴满小广告" },
        { "Someone is tipping rubble into the river at @", "Straw burning by @, a lot of smoke",
            "Three street lamps in a row are out at @", "Walls at @ covered with leaflets again" } },
    { "order", 12, 10, 50,
        { "@夜市摊主和客人吵起来，围了二十多人", "几个喝醉的在@砸酒瓶", "@有人堵门讨工钱，情绪激动",
            "@广场音响太大，两拨人推搡" },
        { "Stall holder and customers shouting at @, twenty people around", "Drunk men smashing bottles at @",
            "Workers blocking the gate at @ over unpaid wages", "Two groups pushing each other over loud music at @" } },
    { "suspicious", 12, 4, 40,
        { "两个陌生人在@挨户拍门，说是查燃气", "@停着一辆没牌照的车，三天没动", "有人翻@的院墙，看见我就跑了",
            "@有人用无人机对着住户窗户" },
        { "Two strangers knocking door to door at @, say they check gas", "Car without plates parked at @ for three days",
            "Someone climbed the yard wall at @ and ran when he saw me", "Drone hovering in front of windows at @" } },
    { "dispute", 10, 6, 40,
        { "@两家为宅基地吵起来，拿了锄头", "@邻居因为狗咬人争执，越吵越凶", "@一家夫妻打架，孩子在哭", "@租客和房东抢钥匙" },
        { "Two families quarrel over a plot at @, one has a hoe", "Neighbours arguing over a dog bite at @, getting worse",
            "A couple fighting at @, a child is crying", "Tenant and landlord struggling over keys at @" } },
    { "hazard", 10, 22, 55,
        { "@附近闻到很浓的煤气味", "@山坡往下掉石头，路上有大块", "@井盖没了，晚上很危险", "@河水涨到护栏下面了" },
        { "Strong smell of gas near @", "Rocks coming down the slope at @, big ones on the road",
            "Manhole cover missing at @, dangerous in the dark", "River up to the railing at @" } },
    { "lost", 6, 0, 10,
        { "在@捡到一个黑色钱包，里面有身份证", "@有人丢了一部手机，壳是红的", "@捡到一串钥匙",
            "@跑来一只走失的黄狗，戴着项圈" },
        { "Found a black wallet with an ID card at @", "A phone with a red case was lost at @", "Found a bunch of keys at @",
            "A stray yellow dog with a collar at @" } },
    { "fraud", 5, 5, 60,
        { "@有人给老人发鸡蛋，拉去听保健品课", "冒充银行的人在@让人扫码", "@一位阿姨正要给“公安”转账，劝不住",
            "@有人卖假药，自称祖传" },
        { "People at @ hand out eggs to the old and take them to a health-product talk",
            "Someone posing as bank staff at @ asks people to scan a code",
            "A woman at @ is about to transfer money to a false police officer", "Fake medicine sold at @" } },
    { "crime", 6, 40, 45,
        { "@有人撬电动车，两个男的，穿黑衣服", "@小卖部被抢，人往河边跑了", "@有人偷牛，一辆蓝色货车", "看见@有人拿刀追人" },
        { "Two men in black forcing e-bike locks at @", "Small shop at @ robbed, he ran towards the river",
            "Cattle being stolen at @, a blue lorry", "A man with a knife chasing someone at @" } },
    { "missing", 4, 45, 50,
        { "@一个穿黄衣服的小女孩找不到家长，约五岁", "老人从@走失，拄拐杖，灰色外套", "@孩子放学没回家，十岁，蓝书包",
            "@有位老太太说不清住哪里" },
        { "Little girl in yellow at @ cannot find her parents, about five",
            "Old man with a stick and grey coat missing from @", "Boy of ten, blue bag, not home after school at @",
            "Old lady at @ cannot say where she lives" } },
    { "medical", 3, 60, 40,
        { "@有人突然倒地，叫不醒", "@老人摔倒，头上流血", "@有人中暑，走不动了", "@有孕妇肚子疼，需要车" },
        { "Man collapsed at @, does not wake up", "Old person fell at @, bleeding from the head",
            "Someone with heat stroke at @ cannot walk", "Pregnant woman in pain at @, needs a car" } },
    { "fire", 3, 70, 30, { "@后面仓库冒黑烟", "@山上起火，往村里烧", "@电表箱着火了", "@厨房着火，楼道全是烟" },
        { "Black smoke from the store behind @", "Hill fire moving towards the houses at @", "Meter box burning at @",
            "Kitchen fire at @, stairway full of smoke" } },
    { "other", 4, 0, 20,
        { "@水管爆了，水流到路上", "@停电两个小时了，问问情况", "@桥上的限高杆被撞歪", "@有人放了一窝马蜂，孩子经过" },
        { "Water main burst at @", "No power at @ for two hours", "Height bar at @ knocked askew",
            "Wasps' nest at @ where children pass" } },
    { "sos", 1, 100, 0, { "有人跟着我，在@", "我在@，车翻了", "@，被困住了，水在涨", "在@，他们有刀" },
        { "Someone is following me, at @", "My car has overturned at @", "Trapped at @, water rising",
            "At @, they have knives" } } };
#define SUBJECTS ((int)(sizeof s_subjects / sizeof s_subjects [0]))

//  One thing that happened; a second witness sees the same event from a few steps away.
typedef struct {
    const subject_t *subject;
    const named_t *place;
    spot_t spot;
    const char *severity;
    int64_t ago_ms;
} event_t;

static const subject_t *s_subject (uint64_t *dice)
{
    int sum = 0;
    for (int i = 0; i < SUBJECTS; i++)
        sum += s_subjects [i].share;
    int left = dice_below (dice, sum), i = 0;
    while (left >= s_subjects [i].share)
        left -= s_subjects [i++].share;
    return &s_subjects [i];
}

static const named_t *s_nearest (const ground_t *ground, spot_t spot)
{
    const named_t *nearest = &ground->places [0];
    for (int i = 1; i < ground->place_count; i++)
        if (spot_apart (ground->places [i].spot, spot) < spot_apart (nearest->spot, spot))
            nearest = &ground->places [i];
    return nearest;
}

static bool s_on_roads (const subject_t *subject)
{
    return strcmp (subject->kind, "traffic") == 0 || strcmp (subject->kind, "hazard") == 0;
}

//  Most things happen where people are: near a named place; a good part of traffic on the trunk road.
static spot_t s_where (const ground_t *ground, const subject_t *subject, uint64_t *dice)
{
    int town, where = dice_below (dice, 100);
    if (s_on_roads (subject) && where < 35)
        return ground->trunk.spots [2 + dice_below (dice, (int)ground->trunk.count - 4)];
    if (where >= 75)
        return ground_spot (ground, dice, &town);
    spot_t spot;
    do {
        spot = ground->places [dice_below (dice, ground->place_count)].spot;
        double far = dice_between (dice, 15, 350), angle = dice_between (dice, 0, 2 * M_PI);
        spot.x += far * cos (angle);
        spot.y += far * sin (angle);
    } while (ground_town_at (ground, spot) < 0);
    return spot;
}

static event_t s_event (const ground_t *ground, uint64_t *dice)
{
    event_t event = { .subject = s_subject (dice) };
    event.spot = s_where (ground, event.subject, dice);
    event.place = s_nearest (ground, event.spot);
    int rank = dice_below (dice, 100);
    event.severity = rank < event.subject->red              ? "red"
        : rank < event.subject->red + event.subject->yellow ? "yellow"
                                                            : "blue";
    event.ago_ms = dice_below (dice, 1200) * 1000LL;
    return event;
}

static event_t s_witnessed (const ground_t *ground, const event_t *seen, uint64_t *dice)
{
    event_t event = *seen;
    spot_t beside = { seen->spot.x + dice_between (dice, -35, 35), seen->spot.y + dice_between (dice, -35, 35) };
    if (ground_town_at (ground, beside) >= 0)
        event.spot = beside;
    return event;
}

//  The wording with the place's name in it; the caller frees.
static char *s_words (const char *wording, const char *name)
{
    const char *at = strchr (wording, '@');
    char *text = NULL;
    if (asprintf (&text, "%.*s%s%s", (int)(at - wording), wording, name, at + 1) < 0)
        abort ();
    return text;
}

static void s_put_position (json_t *tip, spot_t spot, uint64_t *dice)
{
    static const int metres [] = { 5, 8, 12, 20, 35, 60, 120 };
    datum_t datum = dice_below (dice, 5) ? DATUM_WGS84 : DATUM_GCJ02;
    position_t position = datum_from_wgs84 (ground_position (spot), datum);
    char at [48];
    snprintf (at, sizeof at, "%.6f,%.6f", position.lat, position.lon);
    json_object_set_new (tip, "at", json_string (at));
    if (datum != DATUM_WGS84)
        json_object_set_new (tip, "datum", json_string (datum_name (datum)));
    if (dice_below (dice, 4))
        json_object_set_new (tip, "accuracy", json_integer (metres [dice_below (dice, 7)]));
}

static void s_write (const event_t *event, int64_t now_ms, uint64_t *dice, FILE *out)
{
    bool english = dice_below (dice, 5) == 0;
    int wording = dice_below (dice, WORDINGS), way = dice_below (dice, 100);
    char *text = english ? s_words (event->subject->en [wording], event->place->en)
                         : s_words (event->subject->zh [wording], event->place->zh);
    json_t *tip = json_pack ("{s:s,s:s}", "kind", event->subject->kind, "severity", event->severity);
    //  One in twelve knows only the name of the place, one in a hundred says nothing of where
    if (way >= 9)
        s_put_position (tip, event->spot, dice);
    if (way >= 1 && way < 24) {
        const char *name = english            ? event->place->en
            : *event->place->alias && way % 2 ? event->place->alias
                                              : event->place->zh;
        json_object_set_new (tip, "place", json_stringn (name, strcspn (name, ";")));
    }
    if (now_ms && dice_below (dice, 3) == 0) {
        char seen [32];
        time_format_utc (seen, now_ms - event->ago_ms);
        json_object_set_new (tip, "seen", json_string (seen));
    }
    json_object_set_new (tip, "text", json_string (text));
    json_dumpf (tip, out, JSON_COMPACT);
    fputc ('\n', out);
    json_decref (tip);
    free (text);
}

void tips_write (const ground_t *ground, uint64_t seed, int count, int64_t now_ms, FILE *out)
{
    uint64_t dice = seed * 2 + 77;
    event_t recent [RECENT];
    for (int i = 0; i < count; i++) {
        event_t event = i && dice_below (&dice, 6) == 0
            ? s_witnessed (ground, &recent [dice_below (&dice, i < RECENT ? i : RECENT)], &dice)
            : s_event (ground, &dice);
        recent [i % RECENT] = event;
        s_write (&event, now_ms, &dice, out);
    }
}
