"""Plain twin of `kernels/bits.h`."""


def lowest(word: int) -> int:
    """Position of the lowest bit that is set in a word, not 0, of 64 bits."""
    return (word & -word).bit_length() - 1


def ones(word: int) -> int:
    """How many bits of a word are set."""
    return word.bit_count()
