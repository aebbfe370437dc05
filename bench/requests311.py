#!/usr/bin/env python3
"""311 requests as tips, and how the engine's incidents agree with the city's parent links. Python's own library only.

    requests311.py tips FILE.csv > tips.tsv         as bench/dedupe.c reads them, in order of time
    requests311.py count FILE.csv < incidents       figures: NAME TAB VALUE TAB UNIT [TAB TARGET]
    requests311.py kinds < names                    which kind each name of a request is given

A request's name becomes a kind of bench/kinds-311.json by the words in it, so that names of another day or city find theirs too. What the rules ask is
what the thing is: does it stand at a spot, belong to one address, move, or is it one household's own request?
Two forms of file: requests (sr_type, parent_sr_number) and sanitation complaints (Status with "Dup").
"""
import csv
import datetime
import math
import random
import re
import sys

# in order: the first rule whose words are all in the name wins
RULES = [
    # asked for by one household or person, or about what one person met
    ("own", r"information|feedback|sticker|permit request|test kit|\bcart\b|recycling|pick.?up|missed|yard waste|inspection request$|planting|trim"),
    ("own", r"business|consumer|restaurant|rental|taxi|cab\b|ride.?share|price|wage|licen[cs]e|scooter|homeless|shared housing|assist|volunteer|library"),
    ("moving", r"noise|aircraft|vehicle|parked|parking|bicycle|coyote|stray|injured|vicious|nuisance animal|\bbees?\b|wasp"),
    ("street-snow", r"(ice|snow).*(removal|plow|street)|plow"),
    ("snow", r"snow|uncleared"),
    ("signal", r"traffic signal|signal|stop sign|railroad cross"),
    ("sign", r"\bsign\b"),
    ("pole", r"\bpole|hydrant|\bwire|cable|\bmeter"),
    ("light", r"light"),
        ("graffiti", r"graffiti|vandal"),
    ("rodent", r"rodent|\brat|mice|pest"),
    ("tree", r"\btrees?\b"),
    ("animal", r"animal|\bpet|\bdog|\bcat\b"),
    ("plumbing", r"plumb|water in|no water|water pressure|leak|heat|basement|lead"),
    ("waste", r"\blot\b"),
    ("building", r"building|vacant|abandoned|construction|porch|property|zoning"),
    ("waste", r"dump|sanitation|garbage|litter|weed|debris|trash|waste"),
    ("road", r"pothole|street|alley|sidewalk|curb|sewer|water|way|lane|bridge|viaduct|pavement|cleaning"),
]
# a dead animal lies somewhere: that is no pick-up of one household
DEAD = re.compile(r"dead animal")


def kind_of(name):
    words = name.lower()
    if DEAD.search(words):
        return "animal"
    return next((kind for kind, rule in RULES if re.search(rule, words)), "own")


def rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if "sr_type" in row:
                when = datetime.datetime.fromisoformat(row["created_date"][:19])
                yield {"id": row["sr_number"], "kind": row["sr_type"], "when": when, "address": row["street_address"], "lat": row["latitude"],
                       "lon": row["longitude"], "parent": row["parent_sr_number"], "flagged": row["duplicate"].lower() == "true"}
            else:
                when = datetime.datetime.fromisoformat(row["Creation_Date"]) + datetime.timedelta(hours=12)
                yield {"id": row["Service_Request_Number"], "kind": row["Type_of_Service_Request"], "when": when, "address": row["Street_Address"],
                       "lat": row["Latitude"], "lon": row["Longitude"], "parent": "", "flagged": "Dup" in row["Status"],
                       "nature": row["What_is_the_Nature_of_this_Code_Violation"]}


def in_time(path):
    return sorted(rows(path), key=lambda row: (row["when"], row["id"]))


def clean(text):
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def tips(path):
    for row in in_time(path):
        ms = int(row["when"].replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
        kind = "waste" if "nature" in row else kind_of(row["kind"])
        text = row.get("nature") or row["kind"]
        print("1", kind, "1", row["lat"], row["lon"], "0", ms, ms, clean(row["address"]), clean(text) or "-", sep="\t")


def pairs(labels):
    groups = {}
    for index, label in enumerate(labels):
        groups.setdefault(label, []).append(index)
    return {(a, b) for group in groups.values() for i, b in enumerate(group) for a in group[:i]}


def cluster(row, parents):
    label = row["parent"] or row["id"]
    while parents.get(label):
        label = parents[label]
    return label


def scores(right, found, true):
    precision = right / found if found else 1.0
    recall = right / true if true else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def bootstrap(true, found, rounds=2000):
    """95 % of F1, clusters drawn anew: pairs of one true or found cluster are not independent, so whole groups are drawn."""
    parent = {}

    def root(item):
        while parent.get(item, item) != item:
            item = parent[item]
        return item
    for a, b in true | found:
        parent[root(a)] = root(b)
    groups = {}
    for pair in true | found:
        group = groups.setdefault(root(pair[0]), [0, 0, 0])
        group[0] += pair in true and pair in found
        group[1] += pair in found
        group[2] += pair in true
    groups = list(groups.values())
    draw = random.Random(1)
    values = []
    for _ in range(rounds):
        sums = [sum(column) for column in zip(*(draw.choice(groups) for _ in groups))]
        values.append(scores(*sums)[2])
    values.sort()
    return values[int(rounds * 0.025)], values[int(rounds * 0.975)]


def count(path):
    all_rows = in_time(path)
    incidents = [line.split("\t")[0] for line in sys.stdin]
    if len(incidents) != len(all_rows):
        sys.exit(f"requests311: {len(incidents)} incidents for {len(all_rows)} rows")
    if "nature" in all_rows[0]:
        return count_flags(all_rows, incidents)
    parents = {row["id"]: row["parent"] for row in all_rows}
    true = pairs([cluster(row, parents) for row in all_rows])
    found = pairs(incidents)
    precision, recall, f1 = scores(len(true & found), len(found), len(true))
    low, high = bootstrap(true, found)
    print(f"311: requests\t{len(all_rows)}\trows")
    print(f"311: pairs by the parent links\t{len(true)}\tpairs")
    print(f"311: pairs merged\t{len(found)}\tpairs")
    print(f"311: pairs merged that are right\t{len(true & found)}\tpairs")
    print(f"311: pairwise F1\t{f1:.4f}\tratio\t>=0.92")
    print(f"311: pairwise F1, 95 % from\t{low:.4f}\t")
    print(f"311: pairwise F1, 95 % to\t{high:.4f}\t")
    print(f"311: pairwise precision\t{precision:.4f}\tratio\t>=0.88")
    print(f"311: pairwise recall\t{recall:.4f}\t")
    by_incident = {}
    for row, incident in zip(all_rows, incidents):
        by_incident.setdefault(incident, []).append(row["kind"])
    for name, words in (("information calls", "INFORMATION ONLY"), ("aircraft complaints", "Aircraft Noise")):
        folded = sum(len(kinds) for kinds in by_incident.values() if len(kinds) > 1 and any(words in kind for kind in kinds))
        print(f"311: {name} merged with anything\t{folded}\trows\t<1")


def metres(a, b):
    north = (float(a["lat"]) - float(b["lat"])) * 111195
    east = (float(a["lon"]) - float(b["lon"])) * 111195 * math.cos(math.radians(float(a["lat"])))
    return math.hypot(north, east)


def count_flags(all_rows, incidents):
    """The flag has no parent, and a parent may be two months old: within reach is a flagged row with an earlier row at its address in three days."""
    before, size, reachable, merged, other = {}, {}, 0, 0, 0
    for incident in incidents:
        size[incident] = size.get(incident, 0) + 1
    last = {}
    flagged = [row for row in all_rows if row["flagged"]]
    found = sum(size[incident] > 1 for row, incident in zip(all_rows, incidents) if row["flagged"])
    for row, incident in zip(all_rows, incidents):
        earlier = last.get(row["address"])
        near = earlier is not None and (row["when"] - earlier).days <= 3
        if row["flagged"] and near:
            reachable += 1
            merged += before.get(incident, 0) > 0
        if not row["flagged"]:
            other += before.get(incident, 0) > 0
        before[incident] = before.get(incident, 0) + 1
        last[row["address"]] = row["when"]
    unflagged = len(all_rows) - len(flagged)
    print(f"sanitation 2014: flagged duplicates\t{len(flagged)}\trows")
    print(f"sanitation 2014: flagged and merged\t{found / len(flagged):.4f}\t")
    print(f"sanitation 2014: flagged, same address within three days before\t{reachable}\trows")
    print(f"sanitation 2014: of those, merged\t{merged / max(1, reachable):.4f}\t")
    print(f"sanitation 2014: not flagged, merged into an earlier one\t{other / unflagged:.4f}\t")


def main():
    if sys.argv[1:] == ["kinds"]:
        for line in sys.stdin:
            print(kind_of(line.strip()), line.strip(), sep="\t")
    elif len(sys.argv) == 3 and sys.argv[1] in ("tips", "count"):
        {"tips": tips, "count": count}[sys.argv[1]](sys.argv[2])
    else:
        sys.exit(__doc__)


main()
