"""``lbalgo advise``: the audit of a configuration, a recommendation for a workload, or both."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from lbalgo.advice import Facts, Recommendation, Setup, audit, recommend
from lbalgo.advice.reading import read_advice
from lbalgo.advice.trials import shown as policy_text
from lbalgo.cli_input import InputError, read_text
from lbalgo.cli_output import WIDTH, shown
from lbalgo.cli_sources import HAPROXY, KEYWORDS, SYSTEMS
from lbalgo.errors import LBError
from lbalgo.findings import Finding
from lbalgo.sim.traces import read_trace


def add_advise(commands: Any, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The command's options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "advise", parents=parents, help="what is wrong with a configuration, what to take for a workload"
    )
    parser.add_argument(
        "about", metavar="ADVICE.toml", nargs="?", help="a configuration, facts about it, or a workload"
    )
    for system, part in SYSTEMS.items():
        parser.add_argument(f"--{system}", metavar="FILE", help=f"audit a configuration of {system}")
        parser.add_argument(f"--{part}", metavar="NAME", help=f"which {part} of it, if there are several")
    parser.add_argument("--haproxy-version", choices=HAPROXY, help="whose rules hold; default 2.6")
    parser.add_argument("--trace", metavar="FILE", help="requests, CSV with time, cost and key; goes with a workload")
    return parser


def advise(args: argparse.Namespace) -> list[str]:
    """The lines of the answer.

    Raises
    ------
    InputError : a file cannot be read, or there is nothing to give advice about; the text says where and why.
    """
    setup, facts, workload = None, Facts(), None
    if args.about is not None:
        try:
            setup, facts, workload = read_advice(read_text(args.about))
        except LBError as error:
            raise InputError(f"{args.about}: {error}") from None
    read, unsupported = _system(args, facts)
    if read is not None:
        if setup is not None:
            raise InputError(f"{args.about}: policy, signals and gates are those of the configuration read")
        setup = read
    if args.trace is not None and workload is None:
        raise InputError(f"--trace {args.trace}: goes with a file that has a [workload]")
    if setup is None and workload is None:
        raise InputError("advise: give a file with a policy or a [workload], --envoy, --haproxy or --nginx")
    findings = None if setup is None else audit(setup)
    advice = None if workload is None else _recommend(workload, args.trace)
    if args.json:
        facts_of = {
            "findings": None if findings is None else [_finding(finding) for finding in findings],
            "unsupported": list(unsupported),
            "recommendation": None if advice is None else _finite(advice.to_dict()),
        }
        return [json.dumps(facts_of, indent=1)]
    lines = [] if findings is None else list(_audited(findings, unsupported))
    if advice is not None:
        lines += [*([""] if lines else []), *_recommended(advice)]
    return lines


def _system(args: argparse.Namespace, facts: Facts) -> tuple[Setup | None, tuple[str, ...]]:
    named = [system for system in SYSTEMS if getattr(args, system) is not None]
    if len(named) > 1:
        raise InputError(f"--{named[1]}: --{named[0]} names the configuration already")
    for system, part in SYSTEMS.items():
        if getattr(args, part) is not None and getattr(args, system) is None:
            raise InputError(f"--{part} {getattr(args, part)}: goes with --{system} FILE")
    if args.haproxy_version is not None and args.haproxy is None:
        raise InputError(f"--haproxy-version {args.haproxy_version}: goes with --haproxy FILE")
    if not named:
        return None, ()
    system, part = named[0], SYSTEMS[named[0]]
    path = getattr(args, system)
    text = read_text(path)
    try:
        room = import_module(f"lbalgo.compat.{system}")
        options: dict[str, Any] = {KEYWORDS.get(part, part): getattr(args, part)}
        if args.haproxy_version is not None:
            options["version"] = next(v for v in room.Version if v.text == args.haproxy_version)
        loaded = room.load(text, strict=False, **options)
        return Setup.of(loaded, facts), loaded.unsupported
    except ImportError as error:
        raise InputError(f"--{system} {path}: {error}") from None
    except LBError as error:
        raise InputError(f"{path}: {error}") from None


def _recommend(workload: Any, path: str | None) -> Recommendation:
    if path is None:
        return recommend(workload)
    text = read_text(path)
    try:
        return recommend(workload, trace=read_trace(text))
    except LBError as error:
        raise InputError(f"--trace {path}: {error}") from None


def _finding(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in finding.to_dict().items() if name != "type"}


def _finite(data: Any) -> Any:
    """JSON knows no nan."""
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _audited(findings: tuple[Finding, ...], unsupported: tuple[str, ...]) -> Iterator[str]:
    counts = Counter(finding.severity.name.lower() for finding in findings)
    yield "audit: " + (", ".join(f"{n} {name}{'s' * (n > 1)}" for name, n in counts.items()) or "nothing found")
    for finding in findings:
        yield ""
        yield f"{finding.severity.name.lower()}: {shown(finding.field)}"
        yield from _wrapped(finding.consequence)
        yield from _wrapped(finding.fix, "    fix: ")
    if unsupported:
        yield ""
        yield from _wrapped(f"not understood, and judged by name or not at all: {', '.join(unsupported)}", "")


def _recommended(advice: Recommendation) -> Iterator[str]:
    yield f"recommended: {policy_text(advice.policy)}"
    yield from _wrapped(f"{advice.because[0]}: {advice.because[1]}")
    for when, what, because in advice.additions:
        yield from _wrapped(f"also {what.replace('`', '')}: {when}: {because}")
    told = advice.measured
    if told is not None:
        yield ""
        figures = {"cost variance": told.variance, "burstiness": told.burstiness, "hottest key": told.hot_share}
        known = [f"{name} {value:.3g}" for name, value in figures.items() if value is not None]
        yield from _wrapped(f"trace: {told.requests} requests, {told.rate:.4g} a second, {', '.join(known)}", "")
    backends, balancers = advice.simulated
    yield ""
    yield f"simulated: {backends} backends, {balancers} balancers, load {advice.workload.load:g}; in mean service times"
    yield f"{'':<44}{'mean':>10}{'p99':>10}{'imbalance':>12}{'keys kept':>12}"
    for trial in advice.trials:
        kept = "-" if trial.kept is None else f"{trial.kept:.1%}"
        mark = "> " if trial.recommended else "  "
        yield f"{mark + trial.policy:<44}{trial.mean:>10.4g}{trial.p99:>10.4g}{trial.imbalance:>12.3f}{kept:>12}"
    for trial in advice.better:
        yield from _wrapped(
            f"{trial.policy} did better in this run; it is not recommended for what a run does not show: "
            "what a pick costs, and what it does with old news or failures",
            "",
        )


def _wrapped(text: str, lead: str = "    ") -> Iterator[str]:
    yield from textwrap.wrap(
        shown(text), WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
    )
