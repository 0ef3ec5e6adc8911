"""Pictures of transition tables: `python docs/state_machine.py` prints what the pages on the machines show."""

from lbalgo import stages
from lbalgo.gates import sticky
from lbalgo.signals import breaker, drained, probed, standing

FLOW = {  # in a FlowTable; every edge and no other is seen in tests/gates/test_lives.py
    ("unknown", "packet"): "young",
    ("unknown", "opening"): "young",
    ("young", "packet"): "old",
    ("young", "opening"): "young",
    ("young", "backend lost"): "young",
    ("young", "end"): "unknown",
    ("young", "idle"): "unknown",
    ("young", "no room"): "unknown",
    ("old", "packet"): "old",
    ("old", "opening"): "young",
    ("old", "backend lost"): "young",
    ("old", "end"): "unknown",
    ("old", "idle"): "unknown",
    ("old", "no room"): "unknown",
}
REQUEST = {  # under Limits with a Queue; see there too
    ("new", "admit"): "admitted",
    ("new", "may wait"): "waiting",
    ("new", "refuse"): "refused",
    ("admitted", "started"): "in flight",
    ("admitted", "refused elsewhere"): "refused",
    ("waiting", "released"): "called",
    ("waiting", "too late"): "dropped",
    ("called", "started"): "in flight",
    ("called", "refused elsewhere"): "refused",
    ("in flight", "finished"): "done",
}


def name(thing):
    """What a state or a trigger is called in pictures."""
    return getattr(thing, "value", thing)


def dot(transitions):
    """The table as a Graphviz graph: an edge for every move, equal ways drawn once."""
    ways = {}
    for (at, trigger), to in transitions.items():
        ways.setdefault((at, to), []).append(name(trigger))
    lines = ["digraph standing {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f'  "{name(at)}" -> "{name(to)}" [label="{", ".join(names)}"];' for (at, to), names in ways.items()]
    return "\n".join([*lines, "}"])


def table(transitions):
    """The table as Markdown: a row for every standing, a column for every trigger, the next standing in the cell."""
    standings = list(dict.fromkeys(at for at, _ in transitions))
    triggers = list(dict.fromkeys(trigger for _, trigger in transitions))
    rows = [["", *(name(trigger) for trigger in triggers)], ["---"] * (len(triggers) + 1)]
    for at in standings:
        cells = [name(transitions.get((at, trigger), "")) for trigger in triggers]
        rows.append([f"**{name(at)}**", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def ways(verdicts, fallbacks):
    """Where a session goes, as a Graphviz graph, from the table of verdicts on its home and the ways out."""
    lines = ["digraph session {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    for stands, (why, overruled_by) in verdicts.items():
        home = f'"home {stands.value}"'
        if why.value == "hit":
            lines.append(f'  {home} -> "kept" [label="{why.value}"];')
            continue
        if overruled_by is not None:
            lines.append(f'  {home} -> "kept" [label="hit, if {overruled_by}=True"];')
        lines.append(f'  {home} -> "away" [label="{why.value}"];')
    lines += [f'  "away" -> "{fallback.value}";' for fallback in fallbacks]
    return "\n".join([*lines, "}"])


if __name__ == "__main__":
    machines = {machine.__name__: machine.TRANSITIONS for machine in (standing, breaker, probed, drained, stages)}
    for title, transitions in (machines | {"flow": FLOW, "request": REQUEST}).items():
        print(title, table(transitions), dot(transitions), sep="\n\n", end="\n\n")
    print(sticky.__name__, ways(sticky.VERDICTS, sticky.Fallback), sep="\n\n")
