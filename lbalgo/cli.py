"""The command line: ``lbalgo compare``, ``pick``, ``move``, ``explain``, ``simulate`` and ``advise``.

Exit status: 0 done; 1 the results could not be written; 2 a wrong option or input, one line on standard error says
which; 130 interrupted; 141 the reader of the output went away. Results go to standard output, all else to standard
error, and nothing is written before everything has been computed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import lbalgo
from lbalgo.cli_advise import add_advise, advise
from lbalgo.cli_input import (
    InputError,
    default_policies,
    id_and_weight,
    policy_classes,
    read_keys,
    read_policy,
)
from lbalgo.cli_output import WIDTH, disruption_to_dict, movement, row_to_dict, shown, table
from lbalgo.cli_simulate import add_simulate, simulate
from lbalgo.cli_sources import Source, add_source, read_source
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, LBError, NoBackend
from lbalgo.measure import Row, compare, disruption
from lbalgo.measure.compare import newcomer
from lbalgo.types import State
from lbalgo.view import View

POOL = {f"backend-{i:02d}": 1.0 + i % 4 for i in range(100)}  # weights 1 to 4: unequal, as pools are
KEYS = 1_000_000  # the integers below it


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Parameters
    ----------
    argv : arguments without the program's name; those of the process if None.

    Returns the exit status; ``--help`` and ``--version`` leave by SystemExit.
    """
    try:
        args = _parser().parse_args(argv)
        lines: list[str] = args.command(args)
    except (InputError, LBError) as error:
        print("lbalgo:", " ".join(str(error).splitlines()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    return _write("".join(f"{line}\n" for line in lines))


def _write(text: str) -> int:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the shutdown's flush is quiet
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"lbalgo: standard output: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    names = f"policies: {', '.join(policy_classes())}"
    status = "exit status: 0 done, 1 not written, 2 wrong option or input, 130 interrupted, 141 nobody reads the output"
    parser = _Parser(prog="lbalgo", description="Measure and ask load-balancing policies.", epilog=f"{names}; {status}")
    parser.add_argument("--version", action="version", version=f"lbalgo {lbalgo.__version__} ({lbalgo.kernels()})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    pool = _Parser(add_help=False)
    pool.add_argument("--json", action="store_true", help="write JSON")
    keys = _Parser(add_help=False)
    keys.add_argument("--keys", metavar="FILE", help="one key a line; - reads standard input")

    one = commands.add_parser("compare", parents=[pool, keys], help="one row for each policy", epilog=names)
    add_source(one, otherwise="100 backends of weights 1 to 4")
    one.add_argument("--policy", metavar="NAME[:PARAM=VALUE,...]", action="append", help="repeatable; default: all")
    one.add_argument("--remove", metavar="ID", help="the backend that leaves; default: the last one")
    one.add_argument("--add", metavar="ID[:WEIGHT]", help="the one that joins; default: a new one of the mean weight")
    one.add_argument("--plot", metavar="FILE", help="also draw a figure (.png, .pdf or .svg)")
    one.set_defaults(command=_compare)

    two = commands.add_parser("pick", parents=[pool, keys], help="where keys go", epilog=names)
    two.add_argument("--walk", action="store_true", help="every backend in the key's order of preference")
    two.add_argument("key", metavar="KEY", nargs="*")
    two.set_defaults(command=_pick)

    three = commands.add_parser("move", parents=[pool, keys], help="what a change moves", epilog=names)
    three.add_argument("--remove", metavar="ID", action="append", default=[], help="the backend leaves the pool")
    three.add_argument("--fail", metavar="ID", action="append", default=[], help="it becomes unhealthy, and stays")
    three.add_argument("--weight", metavar="ID=W", action="append", default=[], help="its weight changes")
    three.add_argument("--add", metavar="ID[:WEIGHT]", action="append", default=[], help="a backend joins, listed last")
    three.add_argument("--top", metavar="N", type=int, default=20, help="flows to show; default 20")
    three.set_defaults(command=_move)

    four = commands.add_parser("explain", parents=[pool], help="why a key goes where it goes", epilog=names)
    four.add_argument("key", metavar="KEY", nargs="+")
    four.set_defaults(command=_explain)
    five = add_simulate(commands, [pool], names)
    five.set_defaults(command=lambda args: simulate(args, _progress, _drawing))
    add_advise(commands, [pool]).set_defaults(command=advise)
    for command in (two, three, four):
        add_source(command)
        command.add_argument(
            "--policy", metavar="NAME[:PARAM=VALUE,...]", help="default: maglev, or the configuration's"
        )
    return parser


def _compare(args: argparse.Namespace) -> list[str]:
    pool = read_source(args, View.of(POOL))
    view = pool.view
    policies = {} if pool.policy is None else {pool.policy_name: pool.policy}
    policies |= {text: read_policy(text) for text in args.policy} if args.policy else default_policies()
    leaves = view.ids[-1] if args.remove is None else args.remove
    pool.without(leaves)
    joins: Any = newcomer(view)
    if args.add is not None:
        joins = Endpoint(*id_and_weight("--add", args.add, separator=":", default=joins.weight))
        pool.with_member(joins)
    save = _drawing(args.plot, lambda plotting, rows: plotting.plot_comparison(rows)) if args.plot else None
    keys: Any = pool.keys(read_keys(args.keys)) if args.keys else pool.usual_keys()
    if keys is None:
        keys = np.arange(KEYS, dtype=np.uint64)
    rows: list[Row] = []
    for name, policy in policies.items():
        _progress(f"{name} ({len(rows) + 1} of {len(policies)})")
        rows += compare({name: policy}, view, keys, timer=time.perf_counter, leaves=leaves, joins=joins)
    _progress("")
    if save is not None:
        save(rows)
    if args.json:
        facts = {"backends": len(view), "keys": len(keys), "leaves": leaves, "joins": joins.id}
        return [
            json.dumps({**facts, "kernels": lbalgo.kernels(), "rows": [row_to_dict(row) for row in rows]}, indent=1)
        ]
    title = f"{len(view)} backends, {len(keys)} keys; {leaves!r} leaves, {joins.id!r} of weight {joins.weight:g} joins"
    return [*textwrap.wrap(title, WIDTH), "", *table(rows)]


def _pick(args: argparse.Namespace) -> list[str]:
    pool = _single(args)
    keys = [os.fsencode(key) for key in args.key]
    if args.keys:
        keys += read_keys(args.keys)
    if not keys:
        raise InputError("pick: give a KEY or --keys FILE")
    picker = pool.build()
    found = [[b.id for b in picker.walk(key)] if args.walk else [picker.pick(key).id] for key in pool.keys(keys)]
    names = [key.decode("utf-8", "surrogateescape") for key in keys]
    if args.json:
        field = "walk" if args.walk else "backend"
        answers = [ids if args.walk else ids[0] for ids in found]
        return [json.dumps([{"key": k, field: a} for k, a in zip(names, answers, strict=True)], indent=1)]
    return ["\t".join(map(shown, [name, *ids])) for name, ids in zip(names, found, strict=True)]


def _move(args: argparse.Namespace) -> list[str]:
    if not (args.remove or args.fail or args.weight or args.add):
        raise InputError("move: give --remove, --fail, --weight or --add")
    if args.top < 0:
        raise InputError(f"--top {args.top}: must be >= 0")
    pool = _single(args)
    before, picker = pool.view, pool.build()
    for text in args.weight:
        id, weight = id_and_weight("--weight", text, separator="=", default=None)
        pool.change("--weight", id, weights={id: weight})
    for id in args.fail:
        pool.change("--fail", id, states={id: State.UNHEALTHY})
    for id in args.remove:
        pool.view = pool.without(id)
    for text in args.add:
        pool.view = pool.with_member(Endpoint(*id_and_weight("--add", text, separator=":", default=1.0)))
    keys = pool.keys(read_keys(args.keys)) if args.keys else pool.usual_keys()
    try:
        change = disruption(picker, pool.after(picker), keys)
    except NoBackend as error:
        raise InputError(f"move: after the change {error}") from None
    except LBError as error:
        raise InputError(f"{pool.policy_name}: {_why(error)}") from None
    name = pool.policy_name.removeprefix("--policy ")
    if args.json:
        columns = {title: list(column) for title, column in change.columns().items()}
        return [json.dumps({"policy": name, **disruption_to_dict(change), "flows": columns}, indent=1)]
    lines = list(movement(name, change, args.top))
    if pool.view.panic and not before.panic:
        lines.append("the pool is in panic: too few backends are healthy, so the unhealthy are used again")
    return lines


def _explain(args: argparse.Namespace) -> list[str]:
    pool = _single(args)
    picker = pool.build()
    told = [lbalgo.explain(picker, key) for key in pool.keys([os.fsencode(key) for key in args.key])]
    if args.json:
        rows = [
            {"key": key, "backend": one.backend, "steps": [{"step": name, "text": text} for name, text in one.steps]}
            for key, one in zip(args.key, told, strict=True)
        ]
        return [json.dumps(rows, indent=1)]
    return "\n\n".join(str(one) for one in told).split("\n")


def _single(args: argparse.Namespace) -> Source:
    """The pool of a command that asks one policy: the configuration's own, else the one named, else Maglev."""
    pool = read_source(args, policy=args.policy or "maglev")
    if args.policy and not pool.policy_name.startswith("--policy"):
        pool.policy, pool.policy_name = read_policy(args.policy), f"--policy {args.policy}"
    return pool


def _why(error: LBError) -> str:
    """What is wrong; of a picker that cannot be measured the reason alone, not the picker."""
    return error.why if isinstance(error, ConfigError) and error.parameter in ("before", "after") else str(error)


def _drawing(path: str, draw: Callable[[Any, Any], Any]) -> Callable[[Any], None]:
    """The function that saves what `draw` makes of results; what would stop it is refused before there are any."""
    if not path.endswith((".png", ".pdf", ".svg")):
        raise InputError(f"--plot {path}: must end in .png, .pdf or .svg")
    if not os.access(Path(path).parent, os.W_OK) or Path(path).is_dir():
        raise InputError(f"--plot {path}: cannot be written")
    from lbalgo import plotting

    try:
        plotting.require()
    except ImportError as error:
        raise InputError(f"--plot {path}: {error}") from None

    def save(results: Any) -> None:
        try:
            draw(plotting, results).savefig(path, dpi=150)
        except OSError as error:
            raise InputError(f"--plot {path}: {os.strerror(error.errno or 0)}") from None

    return save


def _progress(what: str) -> None:
    """Rewrites one line of standard error, if a person is watching."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
