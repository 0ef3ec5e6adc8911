"""Where the command line gets its pool from: a file of backends, or the configuration of a real system."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lbalgo.cli_input import InputError, read_policy, read_pool, read_text
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, DuplicateBackend, LBError, UnknownBackend
from lbalgo.measure.compare import with_member, without
from lbalgo.measure.disruption import successor
from lbalgo.view import View

SYSTEMS = {"envoy": "cluster", "haproxy": "backend", "nginx": "upstream"}  # and what a part of its file is called
KEYWORDS = {"cluster": "name"}  # what `load` calls that part, if not the same
HAPROXY = ("2.6", "3.0", "3.2", "3.4")  # each stands for the releases up to the next
ADDRESSES = 1 << 16  # keys where none are given and only addresses will do


@dataclass
class Source:
    """A pool, what came with it, and the name by which errors speak of it."""

    view: View[Any]
    name: str
    policy: Any = None
    policy_name: str = ""

    def change(self, option: str, id: str, **columns: Any) -> None:
        """Changes one backend's column; an unknown id is told with the option and the file."""
        try:
            self.view = View.of(self.view, panic_below=self.view.panic_below, **columns)
        except UnknownBackend:
            raise InputError(f"{option} {id}: {self.name} has no backend {id!r}") from None

    def without(self, id: str) -> View[Any]:
        """The view without one backend."""
        try:
            return without(self.view, id)
        except UnknownBackend:
            raise InputError(f"--remove {id}: {self.name} has no backend {id!r}") from None

    def with_member(self, backend: Endpoint[Any]) -> View[Any]:
        """The view with one more backend."""
        try:
            return with_member(self.view, backend)
        except DuplicateBackend:
            raise InputError(f"--add {backend.id}: {self.name} has a backend {backend.id!r} already") from None

    def keys(self, texts: Sequence[bytes]) -> list[bytes]:
        """The keys that these texts are to the policy: addresses are written as text, and hashed as their bytes."""
        if not getattr(self.policy, "takes_addresses", False):
            return list(texts)
        try:
            return [ipaddress.ip_address(text.decode("ascii")).packed for text in texts]
        except ValueError as error:
            raise InputError(f"key: {error}, but {self.policy_name} hashes addresses") from None

    def usual_keys(self) -> list[bytes] | None:
        """What to ask where no keys are given: addresses of all parts of the space, None where any keys will do."""
        if not getattr(self.policy, "takes_addresses", False):
            return None
        return [(i * 2654435761 & 0xFFFFFFFF).to_bytes(4, "big") for i in range(ADDRESSES)]

    def build(self) -> Any:
        """The policy's picker; what it refuses is told with its name."""
        try:
            return self.policy.build(self.view)
        except ConfigError as error:
            raise InputError(f"{self.policy_name}: {error}") from None

    def after(self, picker: Any) -> Any:
        """The picker for the view as it is now, built from an earlier one, which stays as it was."""
        try:
            return successor(self.policy, picker, self.view)
        except ConfigError as error:
            raise InputError(f"{self.policy_name}: {error}") from None


def add_source(parser: argparse.ArgumentParser, *, otherwise: str = "") -> None:
    """The options that name a pool."""
    note = f"; default: {otherwise}" if otherwise else ""
    parser.add_argument("--backends", metavar="FILE", help=f"TOML or JSON{note}")
    for system, part in SYSTEMS.items():
        parser.add_argument(f"--{system}", metavar="FILE", help=f"a configuration of {system}: its policy and backends")
        parser.add_argument(f"--{part}", metavar="NAME", help=f"which {part} of it, if there are several")
    parser.add_argument("--haproxy-version", choices=HAPROXY, help="whose rules hold; default 2.6")


def read_source(args: argparse.Namespace, default: View[Any] | None = None, policy: str = "") -> Source:
    """The pool that the options name, with its policy: the configuration's own, or the one of `policy`.

    Parameters
    ----------
    default : the pool if none is named.
    policy : text of a policy, for pools that bring none; "" leaves it open.

    Raises
    ------
    InputError : no pool or several are named, a file is unreadable, or its content is refused.
    """
    named = [option for option in ("backends", *SYSTEMS) if getattr(args, option) is not None]
    if len(named) > 1:
        raise InputError(f"--{named[1]}: --{named[0]} names the pool already")
    for system, part in SYSTEMS.items():
        if getattr(args, part) is not None and getattr(args, system) is None:
            raise InputError(f"--{part} {getattr(args, part)}: goes with --{system} FILE")
    options = {}
    if args.haproxy_version is not None:
        if args.haproxy is None:
            raise InputError(f"--haproxy-version {args.haproxy_version}: goes with --haproxy FILE")
        haproxy = import_module("lbalgo.compat.haproxy")
        options["version"] = next(v for v in haproxy.Version if v.text == args.haproxy_version)
    if named and named[0] != "backends":
        return _system(named[0], getattr(args, named[0]), getattr(args, SYSTEMS[named[0]]), options)
    if not named and default is None:
        raise InputError(f"give --backends FILE, or one of {', '.join(f'--{system} FILE' for system in SYSTEMS)}")
    view = default if default is not None and not named else read_pool(args.backends)
    source = Source(view, args.backends if named else "the built-in pool")
    if policy:
        source.policy, source.policy_name = read_policy(policy), f"--policy {policy}"
    return source


def _system(system: str, path: str, part: str | None, options: dict[str, Any]) -> Source:
    text, word = read_text(path), KEYWORDS.get(SYSTEMS[system], SYSTEMS[system])
    try:
        loaded = import_module(f"lbalgo.compat.{system}").load(text, **{word: part}, **options)
        return Source(loaded.view(), path, loaded.policy, f"{system} {type(loaded.policy).__name__}")
    except ImportError as error:
        raise InputError(f"--{system} {path}: {error}") from None
    except LBError as error:
        raise InputError(f"{path}: {error}") from None
