"""Every decision of the real programs, on configurations drawn at random, is that of `lbalgo.compat`.

LBALGO_LIVE=quick compares 24 configurations of each system, LBALGO_LIVE=long 480.
"""

from __future__ import annotations

import pytest

from tests.live.comparing import SYSTEMS, compare
from tests.live.conftest import MODE

TOGETHER = 24
GROUPS = {"quick": 1, "long": 20}[MODE]
LEAST = 300  # decisions a configuration


@pytest.mark.parametrize("seed", [group * TOGETHER + 1 for group in range(GROUPS)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_decision_is_the_real_one(system: str, seed: int) -> None:
    total = compare(system, range(seed, seed + TOGETHER))
    print(total)
    if total.disagreeing:
        pytest.fail("\n".join(map(str, total.disagreeing)), pytrace=False)
    assert total.mismatches == 0
    assert total.configurations == TOGETHER
    assert total.decisions >= LEAST * TOGETHER
