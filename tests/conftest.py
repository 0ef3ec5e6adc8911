"""Hypothesis profiles: the default is reproducible and quick; `--hypothesis-profile=long` searches for hours;
`mutation` takes few examples, since each of thousands of mutants is judged by it."""

from hypothesis import HealthCheck, settings

from tests.both import BUILT

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", deadline=None, max_examples=5000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("mutation", parent=settings.get_profile("default"), max_examples=8, stateful_step_count=20)
settings.load_profile("default")

if not BUILT:  # installed without a compiler: there is nothing to compare or cimport
    collect_ignore = ["twins", "extending"]
