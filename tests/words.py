"""Words with a given mix: what a generator has to be at for a test to know its next draw to the last bit."""


def unmixed(h):
    """The x with mix64(x) = h: every step of mix64 undone."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        x = h
        for _ in range(64 // shift + 1):
            x = h ^ (x >> shift)
        h = x * pow(factor, -1, 2**64) % 2**64
    return h


def undrawn(word):
    """What the product that ends mix64 but for its last shift is `word` of: of a rendezvous race, ticket ^ salt."""
    return unmixed(word ^ word >> 31)
