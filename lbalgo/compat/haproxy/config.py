"""From an HAProxy configuration to a policy: a ``backend`` (or ``listen``) section and the defaults it inherits.

Every keyword of the section and of its defaults is honoured, irrelevant (`lbalgo.compat.haproxy.keywords` lists them
with reasons), or unsupported: persistence (``cookie``, ``stick``, ``use-server``, …) above all, which takes requests
past the algorithm. Other sections decide which requests come, not who serves them.

A section inherits from the ``defaults`` it names with ``from``, which may itself be ``from`` another, else from the
last one before it. Lines of the section win; ``no option`` takes an option back.

Costs: O(length). Source: HAProxy Configuration Manual.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lbalgo.compat.config import Account, Loaded
from lbalgo.compat.haproxy.checks import HealthChecks
from lbalgo.compat.haproxy.farm import check_servers
from lbalgo.compat.haproxy.hash import Affinity, Hash
from lbalgo.compat.haproxy.hashing import Function, HashType
from lbalgo.compat.haproxy.health import Observe
from lbalgo.compat.haproxy.keywords import KEYWORDS, OPTIONS
from lbalgo.compat.haproxy.policies import First, LeastConn, Random, RoundRobin, StaticRR
from lbalgo.compat.haproxy.rules import rule_of
from lbalgo.compat.haproxy.server import HashKey, Server, Version, numeric_ids
from lbalgo.compat.haproxy.servers import Options, make_server, number, read_options
from lbalgo.compat.haproxy.slow_start import SlowStart
from lbalgo.compat.haproxy.syntax import Line, Section, sections
from lbalgo.errors import ConfigError, DuplicateBackend
from lbalgo.spec import check_enum
from lbalgo.types import State

KEPT = ("balance", "hash-type", "hash-balance-factor", "hash-preserve-affinity", "fullconn")
STATE_FILE = "load-server-state-from-file"


def load(text: str, backend: str | None = None, *, version: Version = Version.V2_6, strict: bool = True) -> Loaded:
    """The policy, servers and signals of a backend.

    Parameters
    ----------
    text : a configuration that has the ``backend`` or ``listen`` section, and the ``defaults`` it inherits from.
    backend : the section's name; None if there is only one.
    version : whose rules hold; without ``balance`` the algorithm is round robin, as before 3.3, or random as since.
    strict : whether an unsupported field is an error; else it is only listed.

    Raises
    ------
    ConfigError : the text is not well-formed, there is no such section, or several and none is named; a value is
        invalid; strict, and a field is unsupported (one error for all of them).

    Checked servers come with a `HealthChecks` signal, which wants to be told of checks; slow starts with `SlowStart`.

    Examples
    --------
    >>> loaded = load('''
    ... defaults
    ...     mode http
    ...     balance uri
    ... backend app
    ...     hash-type consistent
    ...     server s1 10.0.0.1:80 weight 3 check
    ...     server s2 10.0.0.2:80
    ... ''')
    >>> type(loaded.policy).__name__, loaded.policy.balance.depth, [server.weight for server in loaded.backends]
    ('Hash', 0, [3, 1])
    >>> loaded.irrelevant
    ('defaults.mode',)
    """
    check_enum("version", version, Version)
    found = sections(text)
    chosen = _find(found, backend)
    account = Account()
    for section in found:
        if section is not chosen and section.kind != "defaults":
            account.ignore(section.path)
    chain = _chain(found, chosen)
    for section in found:
        if section.kind == "defaults" and section not in chain:
            account.ignore(section.path)
    state = _Backend(version, account)
    for section in (*chain, chosen):
        state.read(section)
    return state.loaded(chosen, strict)


def _find(found: Sequence[Section], name: str | None) -> Section:
    fit = [section for section in found if section.kind in ("backend", "listen")]
    names = [section.name for section in fit]
    if name is None and len(fit) == 1:
        return fit[0]
    if name is None or name not in names:
        raise ConfigError("backend", name, f"must be one of {', '.join(names)}" if names else "there is none")
    if names.count(name) > 1:
        raise ConfigError("backend", name, "is there twice")
    return fit[names.index(name)]


def _chain(found: Sequence[Section], chosen: Section) -> list[Section]:
    """The defaults that the section inherits from, the most distant first."""
    defaults = [section for section in found[: found.index(chosen)] if section.kind == "defaults"]
    chain: list[Section] = []
    wanted = chosen.parent
    if not wanted and defaults:
        chain.insert(0, defaults[-1])
        wanted = defaults[-1].parent
    while wanted:
        known = [section for section in defaults if section.name == wanted and section not in chain]
        if not known:
            raise ConfigError(f"{(chain[0] if chain else chosen).path}.from", wanted, "must name defaults before it")
        chain.insert(0, known[-1])
        wanted = known[-1].parent
    return chain


class _Backend:
    """What has been read so far."""

    def __init__(self, version: Version, account: Account) -> None:
        self.version = version
        self.account = account
        self.kept: dict[str, tuple[str, Line]] = {}  # keyword to the path and line that hold
        self.allbackups: tuple[str, bool] | None = None
        self.defaults: Options = {}
        self.servers: list[Server] = []
        self.disabled: list[str] = []
        self.agents = False

    def read(self, section: Section) -> None:
        """The lines of a section."""
        for line in section.lines:
            word = line.words[0]
            path = f"{section.path}.{word}"
            if line.environment:
                self.account.refuse(path, f"line {line.number}: reads the environment")
            elif word in KEPT:
                if word in self.kept:
                    self.account.ignore(self.kept[word][0])  # overridden
                self.kept[word] = path, line
            elif word == "server" and section.kind != "defaults":
                self._server(line, section.path)
            elif word == "default-server":
                self.defaults |= read_options(line.words[1:], path, self.account)
            elif word == "option" or line.words[:2] in (("no", "option"), ("default", "option")):
                self._option(line, section.path)
            elif word == STATE_FILE:
                if line.words[1:] == ("none",):
                    self.account.ignore(path)
                else:
                    self.account.refuse(path, "weights and states may come from a file that is not here")
            elif word == "no" and len(line.words) > 1 and line.words[1] in KEYWORDS:
                self.account.ignore(f"{path} {line.words[1]}")
            elif word in KEYWORDS:
                self.account.ignore(path)
            else:
                self.account.refuse(path)

    def _option(self, line: Line, where: str) -> None:
        sign = line.words[0] == "option"
        words = line.words[1:] if sign else line.words[2:]
        if not words:
            raise ConfigError(f"{where}.option", None, f"line {line.number}: has no name")
        path = f"{where}.{'' if sign else line.words[0] + ' '}option {words[0]}"
        if words[0] == "allbackups":
            self.allbackups = path, sign
            self.account.honour(path)
        elif words[0] in OPTIONS or not sign:  # what is taken back is as if it had not been
            self.account.ignore(path)
        else:
            self.account.refuse(path)

    def _server(self, line: Line, where: str) -> None:
        if len(line.words) < 3:
            raise ConfigError(f"{where}.server", line.words[1:], f"line {line.number}: must have a name and an address")
        name, address = line.words[1:3]
        path = f"{where}.server[{name}]"
        if any(server.id == name for server in self.servers):
            raise DuplicateBackend(name)
        self.account.honour(path)
        options = self.defaults | read_options(line.words[3:], path, self.account)
        if "hash_key" in options:
            since = Version.V3_4 if options["hash_key"] in (HashKey.ID32, HashKey.GUID) else Version.V3_0
            if not self._has(since, f"{path}.hash-key"):
                del options["hash_key"]
        server = make_server(name, address, options, path)
        if server.check is None and options.get("observe", Observe.NONE) is not Observe.NONE:
            self.account.refuse(f"{path}.observe", "needs check")
        if server.hash_key in (HashKey.ADDR, HashKey.ADDR_PORT) and server.addr is None:
            self.account.refuse(f"{path}.hash-key", "needs an IP address, not a name")
        self.servers.append(server)
        self.agents = self.agents or bool(options.get("agent"))
        if options.get("disabled"):
            self.disabled.append(name)

    def _has(self, since: Version, path: str, text: str = "") -> bool:
        """Whether the version has what is at this path; else it is refused."""
        if self.version.since(since):
            return True
        self.account.refuse(path, f"is not in {self.version.text}, but since {text or since.text}")
        return False

    def loaded(self, chosen: Section, strict: bool) -> Loaded:
        """What all lines together make."""
        if not self.servers:
            self.account.close(strict=strict)
            raise ConfigError(f"{chosen.path}.server", None, "is missing")
        policy = self._policy(chosen)
        signals: list[Any] = []
        checks = {server.id: server.check for server in self.servers if server.check is not None}
        if checks or self.agents:
            weights = {server.id: server.weight for server in self.servers}
            maxconns = {server.id: server.maxconn for server in self.servers}
            signals.append(HealthChecks(checks, weights=weights, maxconns=maxconns))
        warm = {server.id: server.slowstart for server in self.servers if server.slowstart}
        if warm:
            signals.append(SlowStart(warm))
        states = tuple((name, State.UNHEALTHY) for name in self.disabled)
        lists = self.account.close(strict=strict)
        if strict:  # what else only a build would find: numeric ids given twice, keywords of later versions
            try:
                numeric_ids(self.servers)
                check_servers(self.servers, self.version, policy.fullconn)
            except ConfigError as error:
                raise ConfigError(f"{chosen.path}.{error.parameter}", error.value, error.why) from None
        return Loaded(policy, tuple(self.servers), tuple(signals), states, **lists)

    def _policy(self, chosen: Section) -> Any:
        pool: dict[str, Any] = {"version": self.version, "allbackups": bool(self.allbackups and self.allbackups[1])}
        path, words = self._take("fullconn")
        pool["fullconn"] = number(path, words[0]) if words else 0
        for server in self.servers:
            if 0 < server.minconn < server.maxconn and not pool["fullconn"]:
                why = "needs fullconn, which HAProxy would derive from the frontends"
                self.account.refuse(f"{chosen.path}.server[{server.id}].minconn", why)
        path, words = self._take("balance")
        default = ("random",) if self.version.since(Version.V3_4) else ("roundrobin",)
        name, rest = (words or default)[0], (words or default)[1:]
        hashing = self._hashing()
        try:
            rule = rule_of(path, name, rest)
            if rule is not None:
                return Hash(rule, **hashing, **pool)
            if name.startswith("random"):
                draws = re.fullmatch(r"random(?:\(([0-9]{1,4})\))?", name)
                if draws and not rest:
                    return Random(int(draws[1] or 2), hashing["hash_balance_factor"], **pool)
            plain = {"roundrobin": RoundRobin, "static-rr": StaticRR, "leastconn": LeastConn, "first": First}
            if name in plain and not rest:
                return plain[name](**pool)
        except ConfigError as error:
            if error.parameter.startswith(chosen.path) or error.parameter == path:
                raise
            raise ConfigError(f"{chosen.path}.{error.parameter}", error.value, error.why) from None
        self.account.refuse(path, f"{' '.join(words)!r} is not supported")
        return RoundRobin(**pool)

    def _hashing(self) -> dict[str, Any]:
        """The three keywords that say how keys are hashed; they count for nothing with the other algorithms."""
        fields: dict[str, Any] = {"hash_type": HashType(), "hash_balance_factor": 0}
        path, words = self._take("hash-type")
        if words:
            try:
                hash_type = HashType.parse(" ".join(words))
            except ConfigError as error:
                raise ConfigError(path, error.value, error.why) from None
            if hash_type.function is not Function.NONE or self._has(Version.V3_0, path, "2.9"):
                fields["hash_type"] = hash_type
        path, words = self._take("hash-balance-factor")
        if words:
            fields["hash_balance_factor"] = number(path, words[0])
        path, words = self._take("hash-preserve-affinity")
        if words:
            try:
                affinity = Affinity(words[0])
            except ValueError:
                raise ConfigError(path, words[0], "must be always, maxconn or maxqueue") from None
            if self._has(Version.V3_2, path):
                fields["hash_preserve_affinity"] = affinity
        return fields

    def _take(self, keyword: str) -> tuple[str, tuple[str, ...]]:
        if keyword not in self.kept:
            return keyword, ()
        path, line = self.kept[keyword]
        if len(line.words) < 2:
            raise ConfigError(path, None, f"line {line.number}: has no value")
        self.account.honour(path)
        return path, line.words[1:]
