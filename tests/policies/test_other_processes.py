"""A keyed picker is the same in another process with another string hash seed: by pickle, and by plain data."""

import json
import os
import pickle
import subprocess
import sys

import pytest

import lbalgo as lb

THERE = """
import json, pickle, sys
import lbalgo as lb
picker = pickle.loads(sys.stdin.buffer.read())
built = type(picker.policy)(table_size=1009) if hasattr(picker.policy, "table_size") else type(picker.policy)()
built = built.build(picker.view)
print(json.dumps([[p.fingerprint(), [p.pick(f"key-{i}").id for i in range(200)], [p.pick().id for _ in range(20)]]
                  for p in (picker, built)]))
"""


@pytest.mark.parametrize("policy", [lb.Maglev(table_size=1009), lb.Rendezvous()], ids=lambda p: type(p).__name__)
def test_another_process_agrees(policy):
    view = lb.View.of({f"b{i}": 1.0 + i % 3 for i in range(20)}, factors={"b2": 0.4}, states={"b7": lb.State.UNHEALTHY})
    picker = policy.build(view)
    picker.pick()  # the cursor has moved: it has to travel, too
    answer = subprocess.run(
        [sys.executable, "-c", THERE],
        input=pickle.dumps(picker),
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=True,
    )
    travelled, built = json.loads(answer.stdout)
    keyed = [picker.pick(f"key-{i}").id for i in range(200)]
    assert travelled == [picker.fingerprint(), keyed, [picker.pick().id for _ in range(20)]]
    assert built[:2] == travelled[:2]


WITHOUT_KERNELS = """
import importlib.abc, os, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("lbalgo.kernels."):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden())
os.environ.update(LBALGO_KERNELS="python", LBALGO_REQUIRE_KERNELS="0", LBALGO_SIMD="")
import lbalgo, pickle
picker = pickle.loads(sys.stdin.buffer.read())
print(lbalgo.kernels(), *[picker.pick("user-17").id for _ in range(12)])
"""


@pytest.mark.parametrize(
    "policy", [lb.Maglev(), lb.WeightedRoundRobin(), lb.PowerOfTwo()], ids=lambda p: type(p).__name__
)
def test_a_picker_travels_to_where_nothing_is_compiled(policy):
    picker = policy.build({"a": 5, "b": 1, "c": 1})
    picker.pick()
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_KERNELS],
        input=pickle.dumps(picker),
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode().split() == ["python", *[picker.pick("user-17").id for _ in range(12)]]
