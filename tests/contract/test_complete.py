"""No policy and no load without its contract: what is public is under the laws somewhere in the suite."""

import importlib

import lbalgo as lb
from lbalgo.testing import KeyedContract, LoadContract, MinimalContract, PolicyContract, TicketContract

ROOMS = [
    *(f"tests.contract.test_{name}" for name in ("policies", "load_aware", "keyed_relatives", "loads")),
    *(f"tests.policies.test_{name}" for name in ("subset", "parted", "by_score")),
]
KINDS = (PolicyContract, TicketContract, KeyedContract, MinimalContract)


def held():
    """The types of the policies and of the loads that are under laws."""
    modules = [importlib.import_module(room) for room in ROOMS]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    policies = {type(each.policy) for each in classes if issubclass(each, KINDS) and each not in KINDS}
    loads = {type(each) for module in modules for each in getattr(module, "LOADS", ())}
    return policies, loads | {
        type(each.load) for each in classes if issubclass(each, LoadContract) and each is not LoadContract
    }


def public(room, method):
    return {kind for kind in map(room.__dict__.get, room.__all__) if callable(getattr(kind, method, None))}


def test_every_policy_is_under_the_laws_of_policies():
    assert {kind.__name__ for kind in public(lb.policies, "build") - held()[0]} == set()


def test_every_load_is_under_the_laws_of_loads():
    """Those of policies that have a load of their own included."""
    loads = public(lb.loads, "start") | public(lb.policies, "start")
    assert {kind.__name__ for kind in loads - held()[1]} == set()
