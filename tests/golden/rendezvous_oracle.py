"""Weighted rendezvous from its formula, in 50 decimal digits, on the `xxhash` package: nothing of the library."""

from decimal import Decimal, localcontext

import xxhash

MASK = 2**64 - 1


def product(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    return (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK


def mix64(x):
    x = product(x)
    return x ^ (x >> 31)


def neg_log(k):
    with localcontext() as context:
        context.prec = 50
        return -(Decimal(2 * k + 1) / 2**53).ln()


def order(ticket, weights):
    """Ids by ascending -ln(u) / w."""

    def score(name):
        k = product(ticket ^ mix64(xxhash.xxh64_intdigest(name.encode()))) >> 12
        return neg_log(k) / Decimal(weights[name])

    return sorted((name for name in weights if weights[name] > 0), key=score)


def ticket(key, seed=0):
    return xxhash.xxh64_intdigest(key, seed)
