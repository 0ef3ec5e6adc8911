"""What every system's configurations are drawn from: pool sizes, weights, keys, scripts of held requests."""

from __future__ import annotations

import random
from typing import Any

Config = dict[str, Any]
WORDS = ("user", "cart", "img", "v2", "föö", "中文", "session", "a", "zz", "x-y_z")


def size(rng: random.Random, most: int = 60) -> int:
    """A pool size: small ones as often as large ones, one backend seldom."""
    return rng.choice(
        [rng.randint(1, 4), rng.randint(2, 8), rng.randint(4, 20), rng.randint(10, most), rng.randint(1, most)]
    )


def weights(rng: random.Random, count: int, most: int, zero: bool = False) -> list[int]:
    """Weights: all equal, of few steps, or of any size up to `most`; some 0 if `zero`."""
    shape = rng.choice(["one", "equal", "few", "few", "any"])
    top = {"one": 1, "equal": 1, "few": min(most, 5), "any": most}[shape]
    equal = rng.randint(1, min(most, 12))
    found = [equal if shape == "equal" else rng.randint(1, top) for _ in range(count)]
    if zero and count > 2 and rng.random() < 0.25:
        for index in rng.sample(range(count), max(1, count // 5)):
            found[index] = 0
    return found


def some(rng: random.Random, count: int, often: float = 0.5, share: float = 0.3) -> list[int]:
    """None, or some, of `count` indices."""
    if rng.random() > often:
        return []
    return [index for index in range(count) if rng.random() < share]


def keys(rng: random.Random, count: int, ascii_only: bool = False) -> list[str]:
    """Keys without blanks or controls, of several makes and lengths; never empty, seldom equal."""
    made = []
    for _ in range(count):
        word = rng.choice(WORDS[:4] if ascii_only else WORDS)
        kind = rng.randrange(6)
        if kind == 0:
            key = str(rng.randrange(1 << rng.randint(1, 40)))
        elif kind == 1:
            key = f"{word}:{rng.randrange(100000)}"
        elif kind == 2:
            key = f"{rng.getrandbits(64):016x}"
        elif kind == 3:
            key = f"/{word}/{rng.randrange(1000)}/{word}.{rng.choice(['png', 'html'])}"
        elif kind == 4:
            key = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789-_.") for _ in range(rng.randint(1, 60)))
        else:
            key = f"{word}-{rng.randrange(1 << 20)}-" + "y" * rng.randrange(20)
        made.append(key)
    return made


def script(rng: random.Random, requests: int, most: int) -> list[int]:
    """Held requests: -1 opens one, j >= 0 closes the j-th of those that are open; all are closed at the end."""
    steps, opened, now = [], 0, 0
    while opened < requests:
        if now < most and (now == 0 or rng.random() < 0.55):
            steps.append(-1)
            opened, now = opened + 1, now + 1
        else:
            now -= 1
            steps.append(rng.randint(0, now))
    return steps


def addresses(rng: random.Random, count: int) -> list[str]:
    """Source addresses out of 127/8, as any process on this machine may bind."""
    return [f"127.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randint(1, 254)}" for _ in range(count)]
