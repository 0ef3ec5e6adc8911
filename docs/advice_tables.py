"""Tables of advice: `python docs/advice_tables.py` prints what the page on advice shows."""

import inspect

from lbalgo.advice import ADDITIONS, CHECKS, MATRIX


def markdown(*rows):
    """Rows as a Markdown table, the first one its head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def matrix():
    """The decision matrix."""
    return markdown(["when (the first that holds)", "take", "because"], *([r.when, r.what, r.because] for r in MATRIX))


def additions():
    """What comes on top."""
    return markdown(["when", "add", "because"], *([a.when, a.what, a.because] for a in ADDITIONS))


def checks():
    """The checks of the audit: where they are, and the first line of what they say of themselves."""
    told = [[f"`{c.__module__.rpartition('.')[2]}.{c.__name__}`", inspect.getdoc(c).split("\n")[0]] for c in CHECKS]
    return markdown(["check", "finds"], *told)


if __name__ == "__main__":
    print(matrix(), additions(), checks(), sep="\n\n")
