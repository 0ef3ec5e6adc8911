"""The deterministic keys that the vector files name (see README.md)."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+,./:;<=>?@[]^_`{|}~"


def mix(i: int) -> bytes:
    r = i % 6
    if r == 0:
        return b"%d" % i
    if r == 1:
        return b"user:%d" % i
    if r == 2:
        return b"%08x" % ((i * 2654435761) & 0xFFFFFFFF)
    if r == 3:
        return b"/a/%d/b/%d.png" % (i % 97, i)
    if r == 4:
        return f"k\u00e9y-{i}-\u4e2d".encode()
    return b"k" + b"x" * (i % 29) + b"%d" % i


def asc(i: int) -> bytes:
    """mix with its non-ASCII class replaced."""
    return b"key_%d" % i if i % 6 == 4 else mix(i)


def ip127(i: int) -> bytes:
    """A loopback address 127.a.b.c, four raw bytes."""
    v = (i * 2654435761) & 0xFFFFFF
    a, b, c = v >> 16, (v >> 8) & 255, v & 255
    return bytes((127, a, b, {0: 1, 255: 254}.get(c, c)))


def ip4(i: int) -> bytes:
    """Any IPv4 address, four raw bytes."""
    return ((i * 2654435761 + 12345) & 0xFFFFFFFF).to_bytes(4, "big")
