"""The agent check: one line in which a server says how it is and what weight it wants.

Words are separated by spaces, tabs or commas. Health, administrative state, weight and maxconn are independent; what a
line does not mention stays as it was. An agent that cannot be reached never downs a server.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbalgo.compat.haproxy.server import MAX_WEIGHT
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer
from lbalgo.types import State

MAX_PERCENT = 25600  # 256 times the configured weight
DOWN_WORDS = ("down", "fail", "stopped")


@dataclass(frozen=True)
class AgentReply:
    """What a line says; None for what it does not mention.

    Attributes
    ----------
    up : whether the server works.
    admin : ready, drain or maint.
    percent : of the configured weight.
    maxconn : most requests under way at once.
    """

    up: bool | None = None
    admin: str | None = None
    percent: int | None = None
    maxconn: int | None = None


def parse_agent(line: str) -> AgentReply:
    """Reads an agent's line; of several words on one subject the last counts, and unknown words nothing.

    A ``#`` begins a description only at the start of a word.

    Source: HAProxy Configuration Manual, "agent-check".

    Examples
    --------
    >>> parse_agent("down, 50% #because")
    AgentReply(up=False, admin=None, percent=50, maxconn=None)
    >>> parse_agent("fail#x")
    AgentReply(up=None, admin=None, percent=None, maxconn=None)
    """
    if not isinstance(line, str):
        raise ConfigError("line", line, "must be text")
    up: bool | None = None
    admin: str | None = None
    percent: int | None = None
    maxconn: int | None = None
    for word in line.splitlines()[0].replace(",", " ").replace("\t", " ").split(" ") if line else ():
        if word.startswith("#"):
            break
        lower = word.lower()
        if lower == "up":
            up = True
        elif lower in DOWN_WORDS:
            up = False
        elif lower in ("ready", "drain", "maint"):
            admin = lower
        elif word.endswith("%") and _digits(word[:-1]):
            percent = int(word[:-1])
        elif lower.startswith("maxconn:") and _digits(word[8:]):
            maxconn = int(word[8:])
    return AgentReply(up, admin, percent, maxconn)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


class Agent:
    """What a server's agent has said so far; a pure machine.

    Parameters
    ----------
    weight : configured weight, 0 to 256, of which an agent's per cents are.
    maxconn : configured maxconn.

    Attributes
    ----------
    weight, maxconn : as they are now: for the server's line in the next `Balancer.update`.
    up, drain, maint : as last said.

    Costs: O(length of the line). Source: HAProxy Configuration Manual, "agent-check".

    Examples
    --------
    >>> agent = Agent(weight=40)
    >>> agent.reply("drain 60%"); agent.status, agent.weight
    ('DRAIN (agent)', 24)
    """

    def __init__(self, weight: int = 1, maxconn: int = 0) -> None:
        self.initial = check_integer("weight", weight, low=0, high=MAX_WEIGHT)
        self.weight = self.initial
        self.maxconn = check_integer("maxconn", maxconn, low=0, high=2**31 - 1)
        self.up, self.drain, self.maint = True, False, False

    def reply(self, line: str) -> None:
        """Applies a line: administrative state, weight, maxconn, health.

        Raises
        ------
        ConfigError : it is no text.
        """
        said = parse_agent(line)
        if said.admin == "ready":
            self.drain = self.maint = False
        elif said.admin == "drain":
            self.drain, self.maint = True, False
        elif said.admin == "maint":
            self.maint = True
        if said.percent is not None:
            self.weight = min(self.initial * min(said.percent, MAX_PERCENT) // 100, MAX_WEIGHT)
        if said.maxconn is not None:
            self.maxconn = said.maxconn
        if said.up is not None:
            self.up = said.up

    @property
    def state(self) -> State:
        """For a view: HEALTHY, DRAINING or UNHEALTHY."""
        if self.maint or not self.up:
            return State.UNHEALTHY
        return State.DRAINING if self.drain else State.HEALTHY

    @property
    def status(self) -> str:
        """As the statistics show it, where the server has no other check."""
        if self.maint:
            return "MAINT"
        if not self.up:
            return "DOWN (agent)"
        return "DRAIN (agent)" if self.drain else "no check"
