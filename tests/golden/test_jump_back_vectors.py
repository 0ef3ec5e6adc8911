"""JumpBackHash: the values in the README of its authors' library (dynatrace-oss/hash4j), through both twins."""

import pytest

from tests.both import both

KEYS = (0x7F7487EE708C8A96, 0x6265648FBC797F25, 0x85EF23A0B545D53B)


@pytest.mark.parametrize("module", both("jump_back"))
@pytest.mark.parametrize(("buckets", "answers"), [(2, [1, 0, 0]), (3, [1, 0, 2])])
def test_published_values(module, buckets, answers):
    assert [module.jump_back(key, buckets) for key in KEYS] == answers
