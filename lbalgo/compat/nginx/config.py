"""From an nginx configuration to a policy: the ``upstream`` block, and what of the rest bears on it.

Inside the block every directive and parameter is honoured, in `IRRELEVANT` with its reason, or unsupported. Outside it
only the words of ``proxy_next_upstream`` (and its siblings of FastCGI and others) change a decision, since they say
which ends of a request count as failures; those of the places that pass requests to this upstream are taken, and must
agree. Everything else there decides which requests come, and what becomes of them, not which peer serves.

One ``server`` line is one peer: of a name with several addresses nginx makes several, which no text can tell.

Costs: O(length). Source: nginx documentation, ngx_http_upstream_module, ngx_http_proxy_module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lbalgo.compat.config import Account, Loaded
from lbalgo.compat.nginx.described import LeastTime, Sticky
from lbalgo.compat.nginx.failures import NEXT_UPSTREAM, OUTCOMES
from lbalgo.compat.nginx.keyed import Hash, IpHash
from lbalgo.compat.nginx.policies import LeastConn, Random, RoundRobin
from lbalgo.compat.nginx.server import Server
from lbalgo.compat.nginx.syntax import Directive, parse, seconds
from lbalgo.errors import ConfigError

IRRELEVANT = {  # in an upstream block
    "zone": "shares one state among workers; what is decided here is decided by one",
    "keepalive": "keeps connections, and chooses no peer",
    "keepalive_requests": "keeps connections, and chooses no peer",
    "keepalive_time": "keeps connections, and chooses no peer",
    "keepalive_timeout": "keeps connections, and chooses no peer",
    "resolver": "finds addresses; peers are as configured here",
    "resolver_timeout": "finds addresses; peers are as configured here",
}
PROTOCOLS = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached")
FIRST_ONLY = (Hash, IpHash, Random)  # methods that refuse backup servers
METHODS = ("hash", "ip_hash", "least_conn", "least_time", "random", "sticky")


def load(text: str, upstream: str | None = None, *, strict: bool = True) -> Loaded:
    """The policy and the servers of an upstream.

    Parameters
    ----------
    text : an ``upstream`` block, or a whole configuration that has it in its ``http`` block.
    upstream : its name; None if there is only one.
    strict : whether an unsupported field is an error; else it is only listed.

    Raises
    ------
    ConfigError : the text is not well-formed, there is no such upstream, or several and none is named; a value is
        invalid; strict, and a field is unsupported (one error for all of them).

    A key of ``hash`` is what the caller makes of the text after it (``$request_uri``, …); that of ``ip_hash`` is
    `lbalgo.compat.nginx.address` of the client. Retries are the caller's, by `exclude`.

    Examples
    --------
    >>> text = "upstream api { least_conn; server 10.0.0.1 weight=2; server 10.0.0.2 backup; keepalive 8; }"
    >>> loaded = load(text)
    >>> loaded.policy, [server.weight for server in loaded.backends]
    (LeastConn(proxy_next_upstream=('error', 'timeout')), [2, 1])
    >>> loaded.irrelevant
    ('upstream[api].keepalive',)
    """
    directives = parse(text)
    block = _find(directives, upstream)
    account = Account()
    words = _next_upstream(directives, block, account)
    make, servers = _upstream(block, account)
    policy = make(words)
    if isinstance(policy, FIRST_ONLY):
        for i, server in enumerate(servers):
            if server.backup:
                raise ConfigError(f"{_path(block)}.server[{i}].backup", True, "is not taken by this method")
    return Loaded(policy, tuple(servers), **account.close(strict=strict))


def _find(directives: Sequence[Directive], name: str | None) -> Directive:
    found = [d for d in directives if d.name == "upstream"]
    found += [d for http in directives if http.name == "http" for d in http.block or () if d.name == "upstream"]
    for d in found:
        if len(d.args) != 1 or d.block is None:
            raise ConfigError("upstream", d.args, f"line {d.line}: must have a name and a block")
    names = [d.args[0] for d in found]
    if name is None and len(found) == 1:
        return found[0]
    if name is None or name not in names:
        raise ConfigError("upstream", name, f"must be one of {', '.join(names)}" if names else "there is none")
    if names.count(name) > 1:
        raise ConfigError("upstream", name, "is there twice")
    return found[names.index(name)]


def _path(block: Directive) -> str:
    return f"upstream[{block.args[0]}]"


# -- the upstream block


def _upstream(block: Directive, account: Account) -> tuple[Callable[[tuple[str, ...]], Any], list[Server]]:
    """What makes the policy of the words of ``proxy_next_upstream``, and the servers."""
    where, servers, seen = _path(block), list[Server](), dict[str, int]()
    make: Callable[[tuple[str, ...]], Any] | None = None
    for d in block.block or ():
        path = f"{where}.{d.name}"
        if d.name == "server":
            server = _server(d, f"{where}.server[{len(servers)}]", account)
            seen[server.id] = seen.get(server.id, 0) + 1
            if seen[server.id] > 1:  # nginx takes it for another peer
                fields = {**vars(server), "id": f"{server.id}#{seen[server.id]}"}
                server = Server(**fields)
            servers.append(server)
        elif d.name in METHODS:
            if make is not None:
                raise ConfigError(path, d.args, f"line {d.line}: is the second method")
            make = _method(d, path, account)
        elif d.name in IRRELEVANT:
            account.ignore(path)
        else:
            account.refuse(path)
    if not servers:
        raise ConfigError(f"{where}.server", None, "is missing")
    return make or (lambda words: RoundRobin(words)), servers


def _method(d: Directive, path: str, account: Account) -> Callable[[tuple[str, ...]], Any]:
    args = list(d.args)
    account.honour(path)
    if d.name == "hash" and args and args[1:] in ([], ["consistent"]):
        return lambda words: Hash(len(args) > 1, words)
    if d.name == "ip_hash" and not args:
        return IpHash
    if d.name == "least_conn" and not args:
        return LeastConn
    if d.name == "random" and args in ([], ["two"], ["two", "least_conn"]):
        return lambda words: Random(bool(args), None, words)
    if d.name == "random" and len(args) == 2 and args[0] == "two" and args[1].startswith("least_time="):
        account.refuse(path, "random two least_time is not open source")
        return lambda words: Random(True, None, words)
    if d.name == "least_time" and args[:1] in (["header"], ["last_byte"]) and args[1:] in ([], ["inflight"]):
        return lambda words: LeastTime(args[0], len(args) > 1, words)
    if d.name == "sticky" and args and args[0] in ("cookie", "route", "learn"):
        return Sticky
    raise ConfigError(path, d.args, f"line {d.line}: is no such method")


NUMBERS = ("weight", "max_fails", "max_conns")


def _server(d: Directive, path: str, account: Account) -> Server:
    if not d.args or d.block is not None:
        raise ConfigError(path, d.args, f"line {d.line}: must have an address")
    address, given = d.args[0], dict[str, Any]()
    account.honour(path)
    for word in d.args[1:]:
        name, equals, value = word.partition("=")
        field = f"{path}.{name}"
        if name in given:
            raise ConfigError(field, value, f"line {d.line}: is given twice")
        if name in NUMBERS and equals:
            given[name] = _number(field, value, low=int(name == "weight"))
        elif name == "fail_timeout" and equals:
            given[name] = seconds(value)
            if given[name] is None or given[name] >= 2**31:
                raise ConfigError(field, value, f"line {d.line}: must be a time in whole seconds")
        elif name in ("backup", "down") and not equals:
            given[name] = True
        elif name == "route" and equals:
            given[name] = value
        else:
            account.refuse(field, "is not supported" if name in ("slow_start", "resolve") else "is not understood")
            continue
        account.honour(field)
    try:
        return Server(peer_id(address), name=address, **given)
    except ConfigError as error:
        raise ConfigError(path, address, f"line {d.line}: {error}") from None


def peer_id(address: str) -> str:
    """The address with its port, which is 80 where none is given.

    Examples
    --------
    >>> [peer_id(a) for a in ("10.0.0.1", "10.0.0.1:81", "[::1]", "unix:/run/x")]
    ['10.0.0.1:80', '10.0.0.1:81', '[::1]:80', 'unix:/run/x']
    """
    if address.startswith("unix:") or re.search(r":[0-9]+\Z", address):
        return address
    return f"{address}:80"


def _number(path: str, text: str, low: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) < 2**31:
        raise ConfigError(path, text, f"must be an integer from {low} to {2**31 - 1}")
    return int(text)


# -- outside of it


def _next_upstream(directives: Sequence[Directive], block: Directive, account: Account) -> tuple[str, ...]:
    """The words that hold where requests are passed to this upstream; what is outside is accounted for."""
    found = dict(_passes(directives, block, "", {}, account))
    if len(set(found.values())) > 1:
        for path in found:
            account.refuse(path, "the places that pass requests to this upstream disagree on what is a failure")
    return next(iter(found.values()), NEXT_UPSTREAM)


def _passes(
    directives: Sequence[Directive],
    block: Directive,
    where: str,
    inherited: dict[str, tuple[str, tuple[str, ...]]],
    account: Account,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(path, words) of each place that passes requests to the upstream."""
    here, counts = dict(inherited), dict[str, int]()
    for d in directives:
        protocol, _, rest = d.name.partition("_")
        if rest == "next_upstream" and protocol in PROTOCOLS:
            for word in d.args:
                if word not in OUTCOMES:
                    raise ConfigError(f"{where}{d.name}", word, f"line {d.line}: must be of {', '.join(OUTCOMES)}")
            here[protocol] = f"{where}{d.name}", d.args
    for d in directives:
        if d is block:
            continue
        number = counts[d.name] = counts.get(d.name, 0) + 1
        path = f"{where}{d.name}"
        protocol, _, rest = d.name.partition("_")
        if d.block is not None:
            account.ignore(f"{path}[{number - 1}]")
            yield from _passes(d.block, block, f"{path}[{number - 1}].", here, account)
        else:
            account.ignore(path)
        if rest == "pass" and protocol in PROTOCOLS and d.args and _host(d.args[0]) == block.args[0]:
            source, words = here.get(protocol, (path, NEXT_UPSTREAM))
            account.honour(source)
            yield source, words


def _host(target: str) -> str:
    """The host of a URL, or of a bare address.

    Examples
    --------
    >>> _host("http://api/v1"), _host("grpc://api"), _host("api")
    ('api', 'api', 'api')
    """
    return target.partition("://")[2].partition("/")[0] if "://" in target else target
