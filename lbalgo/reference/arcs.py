"""Plain twin of `lbalgo.kernels.arcs`: exact shares of a ring, as a mean over the acceptance coins."""

from __future__ import annotations

from collections.abc import Sequence

from lbalgo.columns import arcs_of
from lbalgo.reference.hashing import WORD

CUTS = 1 << 20  # cuts a ring may have in all beyond one an arc; a piece out of cuts goes as its middle ticket


def _passed(owners: Sequence[int]) -> tuple[list[int], list[int]]:
    """For each point how many points back, and ahead, its owner has the next one: all if it has no other."""
    size = len(owners)
    last = {slot: place for place, slot in enumerate(owners)}
    before, after = [0] * size, [0] * size
    for place, slot in enumerate(owners):
        before[place] = (place - last[slot] - 1) % size + 1
        after[last[slot]] = before[place]
        last[slot] = place
    return before, after


def arc_shares(
    points: Sequence[int], owners: Sequence[int], accept: Sequence[float], eligible: Sequence[bool], nearest: bool
) -> list[float]:
    """Shares by slot of the ring with these sorted points and their owners.

    `accept` is, for each slot, the chance that it accepts a ticket (0 where it is not eligible); `eligible` whether it
    may be chosen at all.
    """
    at, owner, chance, able = (part.tolist() for part in arcs_of(points, owners, accept, eligible))
    size = len(at)
    shares = [0.0] * len(chance)
    everybody = sum(able[slot] for slot in set(owner))
    before, after = _passed(owner)
    for k in range(size if everybody else 0):
        if at[k] == at[k - 1] and (k or at[0] != at[-1]):
            continue  # no arc between points at one position
        low = (at[k - 1] + 1) & WORD
        cuts = CUTS // size + 1
        pieces = [(low, (at[k] - low) & WORD, k, k - 1, 0, 0, -1, 1.0)]
        while pieces:
            low, span, right, left, step, asked, head, going = pieces.pop()
            while True:
                turn = False
                if nearest and step < size - 1:
                    wide = (at[right % size] - at[left % size] - 1) & WORD
                    reach = (wide >> 1) + (wide & 1) - ((low - at[left % size]) & WORD)
                    if reach >= 0:
                        turn = reach >= (span if cuts else span >> 1)
                        if cuts and not turn:
                            cuts -= 1
                            rest = (low + reach + 1) & WORD, span - reach - 1
                            pieces.append((*rest, right, left, step, asked, head, going))
                            span, turn = reach, True
                place = (left if turn else right) % size
                slot = owner[place]
                if able[slot] and (after if turn else before)[place] > step:
                    mass = (float(span) + 1.0) * 2.0**-64
                    if asked == 0:
                        head = slot
                    asked += 1
                    shares[slot] += mass * going * chance[slot]
                    going *= 1.0 - chance[slot]
                    if going < 2.0**-53 or asked == everybody:
                        shares[head] += mass * going
                        break
                step += 1
                if turn:
                    left -= 1
                else:
                    right += 1
    return shares
