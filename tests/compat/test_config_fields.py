"""The walker over nested configurations: every field ends in exactly one list, and nothing is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError, RoundRobin, State
from lbalgo.compat.config import Account, Fields, Loaded, leaves, typed

CONFIG = {
    "name": "api",
    "lb_policy": "RING_HASH",
    "weight": 3,
    "tls": {"sni": "x"},
    "hosts": [{"address": "a", "weight": 2}, {"address": "b", "odd": {"deep": [1, 2]}}],
    "empty": {},
    "none": None,
}


def test_paths_and_lists():
    fields = Fields(CONFIG, "clusters[0]")
    assert fields.take("name", str) == "api"
    assert fields.take("lb_policy", str, "") == "RING_HASH"
    assert fields.take("weight", float) == 3.0
    assert fields.take("none", str, "default") == "default"
    assert fields.take("absent", int, 7) == 7
    fields.ignore("tls", "absent")
    assert [host.take("address", str) for host in fields.sections("hosts")] == ["a", "b"]
    assert fields.sections("hosts")[0].take("weight", int) == 2
    fields.settle()
    lists = fields.account.close(strict=False)
    assert lists["honoured"] == (
        "clusters[0].name",
        "clusters[0].lb_policy",
        "clusters[0].weight",
        "clusters[0].none",
        "clusters[0].hosts[0].address",
        "clusters[0].hosts[1].address",
        "clusters[0].hosts[0].weight",
    )
    assert lists["irrelevant"] == ("clusters[0].tls",)
    assert lists["unsupported"] == ("clusters[0].hosts[1].odd.deep", "clusters[0].empty")


def test_one_error_names_them_all():
    fields = Fields({"a": 1, "b": {"c": 2}})
    with pytest.raises(ConfigError) as refused:
        fields.close()
    assert refused.value.value == ("a", "b.c")
    assert "a" in str(refused.value) and "b.c" in str(refused.value)
    assert Fields({"a": 1}).close(strict=False)["unsupported"] == ("a",)


def test_a_reason_is_told():
    fields = Fields({"hash_function": "X", "other": 1})
    fields.refuse("hash_function", "only two are known")
    fields.refuse("absent", "is not there")
    fields.ignore("other")
    with pytest.raises(ConfigError, match="only two are known"):
        fields.close()


@pytest.mark.parametrize(
    ("call", "parameter", "value"),
    [
        (lambda f: f.take("name", int), "root.name", "api"),
        (lambda f: f.take("weight", bool), "root.weight", 3),
        (lambda f: f.take("weight", str), "root.weight", 3),
        (lambda f: f.take("absent", int), "root.absent", None),
        (lambda f: f.section("name"), "root.name", "api"),
        (lambda f: f.sections("name"), "root.name", "api"),
        (lambda f: f.sections("list"), "root.list[1]", 1),
        (lambda f: f.take_list("list", dict), "root.list[1]", 1),
        (lambda f: f.take_list("name", int), "root.name", "api"),
        (lambda f: f.take("flag", int), "root.flag", True),
        (lambda f: f.take("big", float), "root.big", 10**400),
    ],
)
def test_another_type_is_named(call, parameter, value):
    data = {"name": "api", "weight": 3, "list": [{}, 1], "flag": True, "big": 10**400}
    with pytest.raises(ConfigError) as refused:
        call(Fields(data, "root"))
    assert (refused.value.parameter, refused.value.value) == (parameter, value)


@pytest.mark.parametrize("value", [None, 3, "text", [1], {1: 2}, [("a", 1)]])
def test_only_mappings_with_names_are_walked(value):
    with pytest.raises(ConfigError, match="configuration"):
        Fields(value)


def test_two_spellings_of_one_field():
    spell = str.lower
    assert Fields({"Name": 1}, spell=spell).take("name", int) == 1
    assert Fields({"Name": 1}, spell=spell).where("name") == "Name"
    with pytest.raises(ConfigError, match="given twice"):
        Fields({"Name": 1, "name": 2}, spell=spell)


def test_kinds_may_be_functions():
    def seconds(path, value):
        if not isinstance(value, str) or not value.endswith("s"):
            raise ConfigError(path, value, "must be a duration")
        return float(value[:-1])

    assert Fields({"wait": "1.5s"}).take("wait", seconds) == 1.5
    with pytest.raises(ConfigError) as refused:
        Fields({"wait": 2}, "x").take("wait", seconds)
    assert refused.value.parameter == "x.wait"
    assert typed("p", 1, object) == 1 and typed("p", True, bool) is True


def test_the_gravest_account_of_a_path_counts():
    account = Account()
    account.refuse("a", "first")
    account.honour("a")
    account.ignore("b")
    account.honour("b")
    assert account.fields("unsupported") == ("a",)
    assert account.fields("honoured") == ("b",)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=2), plain, max_size=5), st.data())
def test_every_field_is_in_exactly_one_list(config, data):
    """Whatever a loader takes, ignores or forgets."""
    fields = Fields(config)
    names = sorted(config)
    taken = data.draw(st.sets(st.sampled_from(names)) if names else st.just(set()))
    ignored = data.draw(st.sets(st.sampled_from(names)) if names else st.just(set())) - taken
    for name in taken:
        fields.take(name, lambda path, value: value, None)
    fields.ignore(*ignored)
    lists = fields.close(strict=False)
    assert set(lists["honoured"]) == taken
    assert set(lists["irrelevant"]) == ignored
    rest = [path for name in names if name not in taken | ignored for path in leaves(name, config[name])]
    assert sorted(lists["unsupported"]) == sorted(set(rest))


def test_a_balancer_has_signals_of_its_own():
    loaded = Loaded(RoundRobin(), ("a", "b"), states=(("a", State.UNHEALTHY),))
    first, second = loaded.balancer(seed=1), loaded.balancer(seed=1)
    assert first.acquire().backend.id == second.acquire().backend.id == "b"
    assert loaded.view().eligible.tolist() == [False, True]
    assert loaded.balancer(seed=1, panic_below=0.9).view.panic
