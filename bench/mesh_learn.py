#!/usr/bin/env python3
"""How many senders learn of the delivery, and how many could.

usage: mesh_learn.py CONTACTS MESSAGES GATEWAYS LOG
Prints four shares of the delivered tips: learnt by the end of the trace, could by then, learnt within the tip's life, could within it.
`Could`: if every contact carried every receipt at once, from the delivery in this log on.
"""
import sys


def main(contacts, messages, gateways, log):
    gateways = int(gateways)
    tips = {}
    for line in open(messages):
        time, tip, source, _, _, life = line.split()
        tips[tip] = (float(time) + float(life), int(source))
    delivered, learnt = {}, {}
    for line in open(log):
        field = line.split()
        if field[1] == "tx" and int(field[4]) < gateways:
            delivered.setdefault(field[2], float(field[0]))
        elif field[1] == "ack" and int(field[3]) == tips[field[2]][1]:
            learnt.setdefault(field[2], float(field[0]))
    events = []
    for line in open(contacts):
        time, a, b, state = line.split()
        events.append((float(time), 0 if state == "up" else 2, int(a), int(b)))
    end = events[-1][0]
    events += [(min(tips[tip][0], end), 1, tip, 0) for tip in delivered] + [(end, 3, tip, 0) for tip in delivered]
    events.sort(key=lambda event: event[:2])
    near, newest = {}, {}  # newest: when the gateways' news that a node may have left them

    def group(node):
        seen, to_do = {node}, [node]
        while to_do:
            for other in near.get(to_do.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    if other >= gateways:
                        to_do.append(other)
        return seen

    def news(members, now):
        return now if any(node < gateways for node in members) else max(newest.get(node, -1) for node in members)

    could_live = could_ever = 0
    for now, kind, a, b in events:
        if kind == 0:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        elif kind == 2:
            for node in (a, b):
                if node >= gateways:
                    members = group(node)
                    at = news(members, now)
                    newest.update((member, at) for member in members)
            near[a].discard(b)
            near[b].discard(a)
        else:
            could = news(group(tips[a][1]), now) >= delivered[a]
            could_live += could and kind == 1
            could_ever += could and kind == 3
    count = max(1, len(delivered))
    in_life = sum(learnt[tip] <= tips[tip][0] for tip in delivered if tip in learnt)
    ever = sum(tip in learnt for tip in delivered)
    print(*(f"{n / count:.4f}" for n in (ever, could_ever, in_life, could_live)))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
