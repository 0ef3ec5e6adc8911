"""Both sides' decisions, counted."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.live.drawing import Config
from tests.live.origins import Origins

SYSTEMS = ("envoy", "haproxy", "nginx", "twemproxy", "pylibmc", "varnish", "apache", "redis")
_TOGETHER = 25  # configurations that one capture gets: some systems run them in one process
_REFUSING = 8  # ports that refuse, for servers that are dead


@dataclass
class Disagreement:
    """A configuration on which both sides do not agree, or which one of them refused."""

    seed: int
    config: Config
    real: list[Any]
    ours: list[Any]
    refused: str = ""

    def __str__(self) -> str:
        name = f"seed {self.seed} ({self.config['kind']})"
        if self.refused:
            return f"{name}: {self.refused}"
        wrong = [i for i, (a, b) in enumerate(zip(self.real, self.ours, strict=False)) if a != b]
        first = wrong[0] if wrong else min(len(self.real), len(self.ours))
        return (
            f"{name}: {len(wrong)} of {len(self.real)} differ, from decision {first} on:"
            f" real {self.real[first : first + 12]}, ours {self.ours[first : first + 12]}"
        )

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {**self.__dict__}


@dataclass
class Total:
    """What came of a system's configurations."""

    system: str
    configurations: int = 0
    decisions: int = 0
    mismatches: int = 0
    capturing: float = 0.0
    predicting: float = 0.0
    disagreeing: list[Disagreement] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.system}: {self.configurations} configurations {self.decisions} decisions"
            f" {self.mismatches} mismatches"
            f" ({self.capturing:.1f} s the program, {self.predicting:.1f} s lbalgo)"
        )


def drawn(system: str, seed: int) -> Config:
    """The configuration of a seed; consecutive seeds go through all kinds."""
    module = importlib.import_module(f"tests.live.{system}")
    config: Config = module.draw(random.Random(f"{system} {seed}"), module.KINDS[seed % len(module.KINDS)])
    return config


def compare(system: str, seeds: Sequence[int]) -> Total:
    """Captures and predicts the configurations of these seeds."""
    module = importlib.import_module(f"tests.live.{system}")
    total = Total(system)
    for start in range(0, len(seeds), _TOGETHER):
        some = seeds[start : start + _TOGETHER]
        configs = [drawn(system, seed) for seed in some]
        began = time.monotonic()
        with Origins(60, _REFUSING) as origins:
            captured = module.capture(configs, origins)
        total.capturing += time.monotonic() - began
        began = time.monotonic()
        for seed, config, real in zip(some, configs, captured, strict=True):
            _judge(total, seed, config, real, module)
        total.predicting += time.monotonic() - began
    return total


def _judge(total: Total, seed: int, config: Config, real: list[Any], module: Any) -> None:
    total.configurations += 1
    total.decisions += len(real)
    try:
        ours = module.predict(config, real)
    except Exception as error:  # what the real program accepts has to be accepted
        total.mismatches += len(real)
        total.disagreeing.append(Disagreement(seed, config, real, [], f"{type(error).__name__}: {error}"))
        return
    wrong = sum(a != b for a, b in zip(real, ours, strict=False)) + abs(len(real) - len(ours))
    total.mismatches += wrong
    if wrong:
        total.disagreeing.append(Disagreement(seed, config, real, ours))
