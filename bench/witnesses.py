#!/usr/bin/env python3
"""The witness test: real events of Chicago's September 2014, each reported by 1 to 8 invented witnesses, among all other incidents of the month.
We made this test ourselves; what it assumes is written here. Python's own library only.

    witnesses.py make SHARED OUT SEED [late|seen|other] [own|ours]   OUT/tips.tsv (as bench/dedupe.c reads them), OUT/truth, OUT/places.csv, OUT/kinds.json
    witnesses.py count OUT NAME < incidents                    figures: NAME TAB VALUE TAB UNIT [TAB TARGET]

- 500 events are drawn from the incidents of kinds that merge. Witnesses: 1 to 8, all equally likely, each with another device.
- Position: off by a log-normal distance, median 40 m, 95 % within 300 m, in any direction, no accuracy stated; one in five gives only the block's name, which a
  gazetteer of all blocks (mean position of their incidents) knows.
- Delay: log-normal, median 3 min, 95 % within 40 min. It is when the report arrives. `seen` says the event's own minute, as a form asks for
  it; `late` takes the time of writing for it, as when nobody fills the form in.
- `other` is another world altogether, held against overfitting: 1 to 8 witnesses, fewer more often (half again as many stay alone with each step); error of a normal distribution of 25 m, of one in five
  100 m, stated as accuracy (twice the deviation) by half; 45 % only a place name, some with the street's neighbour block; delay uniform up to 30 min; half say when it was, rounded to five minutes, the rest
  the time of writing; three in four write Chinese, and every second one in words of his own (a complaint of any kind) that have nothing of the event in them.
- Words: in Chinese or English, of a few phrases for what happened, with openings and endings of their own; the other incidents are written the same way.
- Kinds: `own` takes the city's 29 types of incident as kinds (what is reported is what happened); `ours` folds them into the built-in kinds, where
  nearly all are "crime".
"""
import collections
import csv
import datetime
import json
import math
import os
import random
import re
import sys

EVENTS = 500
# ours, by the city's type; what is not here is a crime
OURS = {"DECEPTIVE PRACTICE": "fraud", "PUBLIC PEACE VIOLATION": "order", "INTERFERENCE WITH PUBLIC OFFICER": "order", "LIQUOR LAW VIOLATION": "order",
        "STALKING": "suspicious", "ARSON": "fire", "KIDNAPPING": "missing", "OTHER OFFENSE": "other", "NON-CRIMINAL": "other", "NON - CRIMINAL": "other"}
# what has no place that others could see it at
NEVER = {"DECEPTIVE PRACTICE", "OTHER OFFENSE", "NON-CRIMINAL", "NON - CRIMINAL", "STALKING", "INTIMIDATION"}
WORDS = {
    "THEFT": (["somebody stole a {}", "a {} was taken", "thief ran off with a {}"], ["有人偷了{}", "{}被偷了", "小偷拿着{}跑了"]),
    "BATTERY": (["a fight, one hurt, {}", "man hitting people near a {}", "someone was beaten by the {}"], ["有人打架，{}旁边", "有人被打伤了，{}", "打人，在{}那里"]),
    "NARCOTICS": (["drug dealing by the {}", "selling drugs, {}", "dealers next to a {}"], ["有人在{}旁卖毒品", "贩毒，{}附近", "毒贩在{}"]),
    "CRIMINAL DAMAGE": (["they smash a {}", "a {} is being broken", "vandals at a {}"], ["有人砸{}", "{}被砸坏了", "破坏{}"]),
    "BURGLARY": (["break-in at a {}", "someone forced the door of a {}", "burglars in the {}"], ["有人撬{}", "{}进了贼", "入室盗窃，{}"]),
    "ROBBERY": (["robbery, gun, {}", "he was robbed of a {}", "two men robbing people, {}"], ["抢劫，{}", "有人抢{}", "两个人拦路抢{}"]),
    "": (["something is wrong by the {}", "please come, {}", "trouble near a {}"], ["{}这里出事了", "快来，{}", "{}附近有情况"]),
}
THINGS = (["car", "shop", "phone", "bag", "bus stop", "house", "gate", "bike", "garage", "school"], ["车", "商店", "手机", "包", "车站", "房子", "大门", "自行车", "车库", "学校"])
AROUND = (["", "Hello, ", "right now ", "I just saw: ", "please hurry, "], ["", "你好，", "刚刚", "我看到", "赶紧来，"])


def seen_at(date):
    """Two forms: 09/30/2014 11:55:00 PM, month first; 2014/12/09 23:56:00, where the middle is the day and the last the month."""
    if date[2] == "/":
        when = datetime.datetime.strptime(date, "%m/%d/%Y %I:%M:%S %p")
    else:
        when = datetime.datetime.strptime(date, "%Y/%d/%m %H:%M:%S" if " " in date else "%Y/%d/%m")
    return int(when.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-5))).timestamp() * 1000)


def incidents(shared):
    with open(os.path.join(shared, "data/chicago-reports/crimes-2014-09.csv"), encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["Latitude"]:
                yield {"at": seen_at(row["Date"]), "lat": float(row["Latitude"]), "lon": float(row["Longitude"]), "block": row["Block"],
                       "type": row["Primary Type"], "what": row["Description"]}


def log_normal(draw, median, most):
    """A draw whose median and 95 % these are."""
    return median * math.exp(draw.gauss(0, math.log(most / median) / 1.6449))


def words(draw, event, chinese=0.5):
    language = draw.random() < chinese
    phrase = draw.choice(WORDS.get(event["type"], WORDS[""])[language])
    return draw.choice(AROUND[language]) + phrase.format(THINGS[language][event["thing"]])


def moved(row, off, way):
    return (f"{row['lat'] + off * math.cos(way) / 111195:.7f}", f"{row['lon'] + off * math.sin(way) / 111195 / math.cos(math.radians(row['lat'])):.7f}")


def usual(draw, row, when, _near):
    """One witness's report: arrives, seen, lat, lon, accuracy, place, text."""
    arrives = row["at"] + int(log_normal(draw, 3, 40) * 60000)
    lat = lon = ""
    place = row["block"]
    if draw.random() >= 0.2:
        lat, lon = moved(row, log_normal(draw, 40, 300), draw.uniform(0, 2 * math.pi))
        place = ""
    return arrives, row["at"] if when == "seen" else arrives, lat, lon, 0, place, words(draw, row)


def other(draw, row, _when, near):
    arrives = row["at"] + int(draw.uniform(0, 30) * 60000)
    seen = row["at"] // 300000 * 300000 if draw.random() < 0.5 else arrives
    lat = lon = ""
    accuracy, place = 0, draw.choice(near[row["block"]]) if draw.random() < 0.1 else row["block"]
    if draw.random() >= 0.45:
        error = 100 if draw.random() < 0.2 else 25
        lat, lon = moved(row, math.hypot(draw.gauss(0, error), draw.gauss(0, error)), draw.uniform(0, 2 * math.pi))
        accuracy, place = 2 * error if draw.random() < 0.5 else 0, ""
    event = row if draw.random() < 0.5 else {"type": draw.choice(list(WORDS)), "thing": draw.randrange(len(THINGS[0]))}
    return arrives, seen, lat, lon, accuracy, place, words(draw, event, 0.75)


def neighbours(blocks):
    """The blocks of the same street next to each: 029XX W 63RD ST has 028XX and 030XX."""
    near = {}
    for block in blocks:
        number, rest = block[:3], block[3:]
        near[block] = [f"{int(number) + step:03d}{rest}" for step in (-1, 1) if number.isdigit() and f"{int(number) + step:03d}{rest}" in blocks] or [block]
    return near


def kind_id(name):
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:32]


def kinds_file(path, types):
    """The city's own types as kinds: somebody who sees one sees it from the street."""
    classes = {"blue": "bulk", "yellow": "normal", "red": "urgent"}
    kinds = []
    names = {kind_id(name): name for name in types}
    for name in sorted(names.values()):
        kind = {"id": kind_id(name), "en": name.capitalize(), "zh": name.capitalize(), "severity": "yellow", "class": classes, "acknowledge": "30m", "life": "48h"}
        if name not in NEVER:
            kind["merge"] = {"radius_m": 1000, "window": "24h"} if name == "KIDNAPPING" else {"radius_m": 500 if name == "ARSON" else 150, "window": "2h"}
        kinds.append(kind)
    kinds.append({"id": "sos", "en": "SOS", "zh": "求助", "severity": "red", "class": {"blue": "sos", "yellow": "sos", "red": "sos"}, "acknowledge": "2m", "life": "72h"})
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "kinds": kinds}, file)


def make(shared, out, seed, when="seen", kinds="own"):
    draw = random.Random(int(seed))
    rows = list(incidents(shared))
    for row in rows:
        row["thing"] = draw.randrange(len(THINGS[0]))
    os.makedirs(out, exist_ok=True)
    kinds_file(os.path.join(out, "kinds.json"), {row["type"] for row in rows})
    blocks = collections.defaultdict(list)
    for row in rows:
        blocks[row["block"]].append((row["lat"], row["lon"]))
    with open(os.path.join(out, "places.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "lat", "lon", "kind", "area", "aliases"])
        for block, spots in blocks.items():
            writer.writerow([block, f"{sum(spot[0] for spot in spots) / len(spots):.7f}", f"{sum(spot[1] for spot in spots) / len(spots):.7f}", "block", "", ""])
    near = neighbours(blocks)
    may = [index for index, row in enumerate(rows) if row["type"] not in NEVER and OURS.get(row["type"], "crime") not in ("other", "fraud")]
    drawn = set(draw.sample(may, EVENTS))
    tips = []
    for index, row in enumerate(rows):
        kind = kind_id(row["type"]) if kinds == "own" else OURS.get(row["type"], "crime")
        if index not in drawn:
            tips.append((row["at"], draw.randrange(1, 2001), kind, f"{row['lat']:.7f}", f"{row['lon']:.7f}", 0, row["at"], row["block"], words(draw, row), index))
            continue
        count = draw.choices(range(1, 9), [0.67**n for n in range(8)])[0] if when == "other" else draw.randint(1, 8)
        for device in draw.sample(range(2001, 4001), count):
            arrives, seen, lat, lon, accuracy, place, text = (other if when == "other" else usual)(draw, row, when, near)
            tips.append((arrives, device, kind, lat, lon, accuracy, seen, place, text, index))
    tips.sort()
    with open(os.path.join(out, "tips.tsv"), "w", encoding="utf-8") as file, open(os.path.join(out, "truth"), "w", encoding="utf-8") as truth:
        for arrives, device, kind, lat, lon, accuracy, seen, place, text, index in tips:
            print(device, kind, 2, lat, lon, accuracy, seen, arrives, place, text, sep="\t", file=file)
            print(index, int(index in drawn), sep="\t", file=truth)


def pair_count(labels):
    return sum(n * (n - 1) // 2 for n in collections.Counter(labels).values())


def count(out, name):
    with open(os.path.join(out, "truth"), encoding="utf-8") as file:
        truth = [tuple(line.split()) for line in file]
    found = [line.split("\t")[0] for line in sys.stdin]
    if len(found) != len(truth):
        sys.exit(f"witnesses: {len(found)} incidents for {len(truth)} tips")
    events = [event for event, _ in truth]
    true, merged, right = pair_count(events), pair_count(found), pair_count(list(zip(events, found)))
    # who the wrong pairs are between: a drawn event and a background incident, two drawn ones, two of the background
    groups, wrong = collections.defaultdict(collections.Counter), collections.Counter()
    for (event, drawn), incident in zip(truth, found):
        groups[incident][(event, drawn)] += 1
    for members in groups.values():
        members = list(members.items())
        for i, ((_, a), n) in enumerate(members):
            for (_, b), m in members[:i]:
                wrong[int(a) + int(b)] += n * m
    print(f"{name}: precision\t{right / merged if merged else 1:.4f}\t")
    print(f"{name}: recall\t{right / true:.4f}\t")
    print(f"{name}: pairs true, merged, right\t{true}, {merged}, {right}\tpairs")
    print(f"{name}: wrong pairs background-background, event-background, event-event\t{wrong[0]}, {wrong[1]}, {wrong[2]}\tpairs")


def main():
    if len(sys.argv) in (5, 6, 7) and sys.argv[1] == "make":
        make(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "count":
        count(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)


main()
