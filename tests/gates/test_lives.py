"""The lives of a flow and of a request, as the pages draw them: long random histories take every edge, and no other."""

import importlib.util
import random
from pathlib import Path

import pytest

import lbalgo as lb
from lbalgo.gates import FlowTable, Limits, Queue, Request

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("state_machine", DOCS / "state_machine.py")
draw = importlib.util.module_from_spec(spec)
spec.loader.exec_module(draw)


def test_the_life_of_a_flow():
    chance, seen, now = random.Random(1), set(), 0.0
    flows = FlowTable(capacity=8, idle=20.0, young_idle=5.0, young_share=0.5)
    members = ["a", "b", "c", "d"]
    picker = lb.Maglev(251).build(members)
    keys, where = range(12), {}

    def stages():
        young, old = ({bytes.fromhex(row[0]) for row in flows.snapshot()[part]} for part in ("young", "old"))
        return {key: "young" if name in young else "old" if name in old else "unknown" for key, name in names.items()}

    names = {}
    for key in keys:  # what each is called in a snapshot
        flows.pick(picker, key, now=now)
        names[key] = bytes.fromhex(flows.snapshot()["young"][-1][0])
    assert len(set(names.values())) == len(keys)
    flows = FlowTable(capacity=8, idle=20.0, young_idle=5.0, young_share=0.5)
    for _ in range(4000):
        what = chance.choices(("packet", "opening", "end", "wait", "leave"), (12, 2, 1, 3, 1))[0]
        key, before, counted = chance.choice(keys), stages(), flows.stats()
        if what == "leave":
            picker = lb.Maglev(251).build(chance.sample(members, 3))
            continue
        if what == "wait":
            now += chance.choice((0.5, 2.0, 6.0))
            flows.advance(now)
            trigger = dict.fromkeys(keys, "idle")
        elif what == "end":
            flows.end(key)
            trigger = {key: "end"}
        else:
            lost = where.get(key) not in {b.id for b in picker.backends} and what == "packet"
            where[key] = flows.pick(picker, key, now=now, opening=what == "opening").id
            trigger = dict.fromkeys(keys, "no room")
            trigger[key] = "backend lost" if lost and before[key] != "unknown" else what
            assert (flows.stats().moved > counted.moved) == (trigger[key] == "backend lost")
        after = stages()
        for k, stage in after.items():
            if (k == key and what in ("packet", "opening")) or stage != before[k]:
                seen.add(((before[k], trigger[k]), stage))
    assert seen == set(draw.FLOW.items())


def test_the_life_of_a_request():
    chance, seen, now = random.Random(1), set(), 0.0
    limits = Limits(pool=2, queue=Queue(capacity=3, timeout=1.0))
    stage, bits = {}, 0

    def move(request, trigger, to):
        seen.add(((stage[request], trigger), to))
        stage[request] = to

    for _ in range(4000):
        now += chance.choice((0.0, 0.01, 0.4))
        what = chance.choice(("come", "come", "go on", "end", "release"))
        standing = [request for request, at in stage.items() if at in ("admitted", "called")]
        flying = [request for request, at in stage.items() if at == "in flight"]
        if what == "come" and not any(at == "admitted" for at in stage.values()):
            bits += 1
            request = Request(bits=bits)
            stage[request] = "new"
            decision = limits.admit(now, request)
            if decision.admitted:
                move(request, "admit", "admitted")
            elif decision.may_wait:
                assert limits.wait(now, request)
                move(request, "may wait", "waiting")
            else:
                assert not limits.wait(now, request)
                move(request, "refuse", "refused")
        elif what == "go on" and standing:
            request = chance.choice(standing)
            assert limits.admit(now, request).admitted
            if chance.random() < 0.8:
                limits.started(now, request)
                move(request, "started", "in flight")
            else:
                limits.refused(now, request)
                move(request, "refused elsewhere", "refused")
        elif what == "end" and flying:
            request = chance.choice(flying)
            limits.finished(now, request, lb.Outcome.SUCCESS)
            move(request, "finished", "done")
        elif what == "release" and not any(at == "admitted" for at in stage.values()):
            go, late = limits.released(now)
            for request in go:
                move(request, "released", "called")
            for request in late:
                move(request, "too late", "dropped")
        held = sum(at in ("in flight", "called") for at in stage.values())
        assert held <= 2 and limits.in_flight == sum(at == "in flight" for at in stage.values())
    assert seen == set(draw.REQUEST.items())


@pytest.mark.parametrize(("page", "life"), [("flows", "FLOW"), ("admission", "REQUEST")])
def test_the_pages_show_them(page, life):
    text = (DOCS / "guide" / f"{page}.md").read_text(encoding="utf-8")
    assert f"```dot\n{draw.dot(getattr(draw, life))}\n```\n" in text
