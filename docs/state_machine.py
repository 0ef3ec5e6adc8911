"""Pictures of transition tables: `python docs/state_machine.py` prints what the pages on the machines show."""

from lbalgo import stages
from lbalgo.signals import breaker, drained, probed, standing


def dot(transitions):
    """The table as a Graphviz graph: an edge for every move, equal ways drawn once."""
    ways = {}
    for (at, trigger), to in transitions.items():
        ways.setdefault((at, to), []).append(trigger.value)
    lines = ["digraph standing {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f'  "{at.value}" -> "{to.value}" [label="{", ".join(names)}"];' for (at, to), names in ways.items()]
    return "\n".join([*lines, "}"])


def table(transitions):
    """The table as Markdown: a row for every standing, a column for every trigger, the next standing in the cell."""
    standings = list(dict.fromkeys(at for at, _ in transitions))
    triggers = list(dict.fromkeys(trigger for _, trigger in transitions))
    rows = [["", *(trigger.value for trigger in triggers)], ["---"] * (len(triggers) + 1)]
    for at in standings:
        cells = [transitions[at, trigger].value if (at, trigger) in transitions else "" for trigger in triggers]
        rows.append([f"**{at.value}**", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    for machine in (standing, breaker, probed, drained, stages):
        print(machine.__name__, table(machine.TRANSITIONS), dot(machine.TRANSITIONS), sep="\n\n", end="\n\n")
