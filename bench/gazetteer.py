#!/usr/bin/env python3
"""Gazetteers for the bench, with questions whose answers are known. Python's own library only.

    gazetteer.py shaanxi SHARED OUT            OUT/places.csv (GCJ-02), OUT/asked.tsv
    gazetteer.py made SHARED OUT [N] [SEED]    the same for N (620,000) invented villages in the shape of the real names (WGS-84)

A line of asked.tsv: GROUP TAB TEXT TAB LAT,LON or empty TAB NAME TAB AREA; NAME empty: only the time counts. docs/bench.md says what is asked.
"""
import collections
import csv
import json
import os
import random
import sys

HEADER = ["name", "lat", "lon", "kind", "area", "aliases"]
SUFFIXES = ["社区居民委员会", "社区居委会", "村民委员会", "居民委员会", "街道办事处", "村委会", "居委会", "办事处", "街道", "社区",
            "省", "市", "区", "县", "镇", "乡", "村"]


def stem(name):
    """The name without what people leave out; never shorter than two characters."""
    found = True
    while found:
        found = False
        for suffix in SUFFIXES:
            if name.endswith(suffix) and len(name) - len(suffix) >= 2:
                name, found = name[:-len(suffix)], True
                break
    return name


def read(shared, name):
    with open(os.path.join(shared, "data/shaanxi-gazetteer", name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Place:
    def __init__(self, row):
        self.name, self.kind, self.lat, self.lon = row["name"], row["level"], row["lat"], row["lon"]
        self.code, self.above, self.aliases, self.new = row["code"], None, [], False

    def rename(self, name):
        """The name of today; the old one is still said."""
        if name != self.name:
            self.aliases.append(self.name)
            self.name = name

    def area(self):
        """A town's name needs its county, a village's its town and county."""
        if self.above is None:
            return ""
        return (self.above.above.name if self.kind == "village" else "") + self.above.name

    def row(self):
        return [self.name, self.lat, self.lon, self.kind, self.area(), ";".join(self.aliases)]


def load_2016(shared):
    """Places by their code of 2016. The ten formal 市辖区 are no places."""
    places = {}
    for row in read(shared, "places-2016.csv"):
        if row["name"] != "市辖区":
            place = places[row["code"]] = Place(row)
            place.above = places.get(row["parent"])
    return places


def match_counties(places, divisions):
    """2023's code of six digits -> our place: the same code, else the one of its city whose towns are the same."""
    counties = {p.code[:6]: p for p in places.values() if p.kind == "county"}
    names = {d["code"]: d["name"] for d in divisions if d["level"] == "county"}
    towns = collections.defaultdict(set)
    for d in divisions:
        if d["level"] == "town":
            towns[d["parent"]].add(stem(d["name"]))
    ours = collections.defaultdict(set)
    for p in places.values():
        if p.kind == "town":
            ours[p.above.code[:6]].add(stem(p.name))
    gone = [code for code in counties if code not in names]
    matched = {}
    for code, name in names.items():
        if code in counties:
            matched[code] = counties[code]
        else:
            best = max((c for c in gone if c[:4] == code[:4]), key=lambda c: len(ours[c] & towns[code]))
            matched[code] = counties[best]
        matched[code].rename(name)
    return matched


def match_below(above, rows, kind, places):
    """Renames what lies under `above` to the (code, name) of 2023, by the same name, then the same stem; adds what is new. By code."""
    ours = [p for p in places.values() if p.above is above and p.kind == kind]
    matched = {}
    for key in (lambda name: name, stem):
        for code, name in rows:
            if code not in matched:
                same = [p for p in ours if key(p.name) == key(name) and p not in matched.values()]
                if same:
                    matched[code] = same[0]
    for code, name in rows:
        if code not in matched:
            matched[code] = places["2023-" + code] = Place({"name": name, "level": kind, "lat": "", "lon": "", "code": code})
            matched[code].above, matched[code].new = above, True
        matched[code].rename(name)
    return matched


def load_today(shared):
    """All places: those of 2016 with the names of 2023, what is new, and pinyin. By their code of 2016, or 2023-CODE."""
    places, divisions = load_2016(shared), read(shared, "divisions-2023.csv")
    by_code = match_counties(places, divisions)
    for d in divisions:
        if d["level"] == "city":
            by_code[d["code"]] = places[d["code"] + "0" * 8]
    for code, county in list(by_code.items()):
        if len(code) == 6:
            by_code.update(match_below(county, [(d["code"], d["name"]) for d in divisions if d["parent"] == code], "town", places))
    villages = collections.defaultdict(list)
    for v in read(shared, "villages-2023.csv"):
        villages[v["town_code"]].append((v["code"], v["name"]))
    for town, rows in villages.items():
        match_below(by_code[town], rows, "village", places)
    for row in read(shared, "pinyin-2025.csv"):
        if row["id"] in by_code:
            by_code[row["id"]].aliases.append(row["pinyin"].replace(" ", "").capitalize())
    return places


def write(out, rows, asked):
    with open(os.path.join(out, "places.csv"), "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER] + rows)
    with open(os.path.join(out, "asked.tsv"), "w", encoding="utf-8") as file:
        for line in asked:
            file.write("\t".join(line) + "\n")


def at(place):
    while place is not None and not place.lat:
        place = place.above
    return f"{place.lat},{place.lon}" if place else ""


def shaanxi(shared, out):
    places = load_today(shared)
    old = {row["code"]: row for row in read(shared, "places-2016.csv")}
    with open(os.path.join(shared, "data/shaanxi-boundaries/counties.gcj02.geojson"), encoding="utf-8") as file:
        outlines = {f["properties"]["adcode"] for f in json.load(file)["features"]}
    towns = [p for p in places.values() if p.kind == "town"]
    villages = [p for p in places.values() if p.kind == "village" and not p.new]
    repeated = collections.Counter(p.name for p in towns)
    pinyin = {p: p.aliases[-1] for p in places.values() if p.aliases and p.aliases[-1].isascii()}
    asked = []

    def ask(group, text, place, near=""):
        asked.append((group, text, near, place.name, place.area()))

    for p in towns:
        if p.lat and p.code[:6] in outlines:
            ask("town: county of 2016 + town", old[p.code]["county"] + old[p.code]["name"], p)
            ask("town: county of today + town", p.above.name + p.name, p)
        if p.name == "城关镇":
            ask("城关镇", "城关镇", p)
            ask("城关镇 with a position", "城关镇", p, at(p))
        if repeated[p.name] > 1 and p.lat:
            ask("repeated town with a position", p.name, p, at(p))
        if p in pinyin and p.above in pinyin:
            ask("pinyin: Xunyang Shuhe" if p.name == "蜀河镇" else "pinyin: County Town", f"{pinyin[p.above]} {pinyin[p]}", p)
    for p in places.values():
        if p.kind == "county" and old[p.code]["name"] != p.name:
            ask("county, old name", old[p.code]["name"], p)
            ask("county, new name", p.name, p)
    for p in villages:
        ask("village: county + town + village", p.area() + p.name, p)
        if len(stem(p.name)) == 2:
            ask("two characters, bare", stem(p.name), p)
            ask("two characters, after county + town", p.area() + stem(p.name), p)
    write(out, [p.row() for p in places.values()], asked)


class Names:
    """Invents village and town names: real ones half the time (so that many repeat), else chains of their characters."""

    def __init__(self, places):
        self.villages = [p.name for p in places if p.kind == "village"]
        self.towns = [p.name for p in places if p.kind == "town"]
        self.next = collections.defaultdict(list)
        for name in self.villages:
            short = stem(name)
            for a, b in zip("^" + short, short + "$"):
                self.next[a].append(b)
        self.endings = [name[len(stem(name)):] for name in self.villages]
        self.sounds = {}
        for p in places:
            sound = p.sound.split() if p.sound else []
            if len(sound) == len(stem(p.name)):
                self.sounds.update(zip(stem(p.name), sound))

    def invent(self):
        name, a = "", "^"
        while len(name) < 7:
            a = random.choice(self.next[a])
            if a == "$":
                if len(name) >= 2:
                    return name
                a = "^"
                continue
            name += a
        return name

    def village(self):
        return random.choice(self.villages) if random.random() < 0.5 else self.invent() + random.choice(self.endings)

    def town(self):
        return random.choice(self.towns) if random.random() < 0.5 else self.invent() + random.choice(["镇", "镇", "乡", "街道"])

    def pinyin(self, name):
        sound = [self.sounds.get(c) for c in stem(name)]
        return "".join(sound).capitalize() if all(sound) else ""


def made(shared, out, count=620000, seed=1):
    random.seed(seed)
    real = load_2016(shared)
    sounds = {row["id"]: row["pinyin"] for row in read(shared, "pinyin-2025.csv")}
    for p in real.values():
        p.sound = sounds.get(p.code[:9] if p.kind == "town" else p.code[:6], "")
    names = Names(real.values())
    share = {kind: sum(bool(p.lat) for p in real.values() if p.kind == kind) / sum(p.kind == kind for p in real.values())
             for kind in ("town", "village")}
    rows, villages, used = [], [], set()

    def add(name, lat, lon, kind, area, aliases, has_point):
        rows.append([name, f"{lat:.6f}" if has_point else "", f"{lon:.6f}" if has_point else "", kind, area, aliases])

    while len(villages) < count:
        lat, lon = random.uniform(22, 45), random.uniform(85, 125)
        county = names.invent() + random.choice(["县", "县", "市", "区"])
        if county in used:
            continue
        used.add(county)
        add(county, lat, lon, "county", "", names.pinyin(county), True)
        towns = set()
        for _ in range(random.randint(6, 20)):
            town = names.town()
            if town in towns:
                continue
            towns.add(town)
            tlat, tlon = lat + random.gauss(0, 0.2), lon + random.gauss(0, 0.2)
            add(town, tlat, tlon, "town", county, names.pinyin(town), random.random() < share["town"])
            here = set()
            for _ in range(min(random.randint(4, 34), count - len(villages))):
                village = names.village()
                if village in here:
                    continue
                here.add(village)
                vlat, vlon = tlat + random.gauss(0, 0.03), tlon + random.gauss(0, 0.03)
                add(village, vlat, vlon, "village", county + town, "", random.random() < share["village"])
                villages.append((county, town, village, f"{vlat:.6f},{vlon:.6f}"))
    asked = []
    for county, town, village, where in random.sample(villages, 2000):
        short = stem(village)
        asked += [("county + town + village", county + town + village, "", village, county + town),
                  ("town + village", stem(town) + village, "", village, county + town),
                  ("county + village", county + short, "", village, county + town),
                  ("village alone", short, "", village, county + town),
                  ("village alone, with a position", short, where, village, county + town),
                  ("a part of a name", village[1:3], where, "", ""),
                  ("a name in a long text", f"{county}{town}{village}小学后面的河边有人打架请快点来人看看", "", village, county + town),
                  ("town in pinyin", names.pinyin(town), where, "", ""),
                  ("no such place", names.invent() + names.invent() + names.invent(), "", "", ""),
                  ("200 bytes of names", (short + town + county + names.invent() * 9)[:66], "", "", ""),
                  ("200 letters", "".join(random.choice("aeghinouxyz") for _ in range(200)), "", "", "")]
    write(out, rows, [a for a in asked if a[1]])


def main():
    what, shared, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    if what == "shaanxi":
        shaanxi(shared, out)
    else:
        made(shared, out, *(int(arg) for arg in sys.argv[4:6]))


main()
