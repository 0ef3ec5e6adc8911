"""The order in which libc++'s `std::sort` leaves equal elements: Envoy's order of ring points with equal hashes.

`std::sort` is not stable. Two hosts with one hash key have the same points, and which of them owns a point is then
decided by how the sort happened to move them. This is an emulation of libc++'s introsort (LLVM 16 and later, for
elements compared by a function): networks up to 5 elements, insertion below 24, else a pivot by median of three, or of
three medians above 128, and partitions that put equals to one side. It is here for fidelity alone; nobody should want
this order.

Cost: O(n log n) in plain Python, about 3 microseconds an element. The heap sort into which introsort falls after
2 log2(n) bad pivots is not emulated: a stable sort stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence

INSERTION = 24  # shorter runs are sorted by insertion
NINTHER = 128  # longer ones take the median of three medians for a pivot
MOVES = 8  # an insertion sort on probation gives up after as many


def libcxx_order(keys: Sequence[int]) -> list[int]:
    """Positions of the keys in the order in which `std::sort` leaves them.

    Examples
    --------
    >>> libcxx_order([3, 1, 2])
    [1, 2, 0]
    >>> libcxx_order([1, 0] * 12)[12:15]
    [12, 10, 14]
    """
    a = [(key, place) for place, key in enumerate(keys)]
    if len(a) > 1:
        _introsort(a, 0, len(a), 2 * (len(a).bit_length() - 1), True)
    return [place for _, place in a]


_Items = list[tuple[int, int]]


def _swap(a: _Items, i: int, j: int) -> None:
    a[i], a[j] = a[j], a[i]


def _sort3(a: _Items, x: int, y: int, z: int) -> None:
    if not a[y][0] < a[x][0]:
        if a[z][0] < a[y][0]:
            _swap(a, y, z)
            if a[y][0] < a[x][0]:
                _swap(a, x, y)
    elif a[z][0] < a[y][0]:
        _swap(a, x, z)
    else:
        _swap(a, x, y)
        if a[z][0] < a[y][0]:
            _swap(a, y, z)


def _network(a: _Items, first: int, last: int) -> None:
    """Up to five elements: three by the network, each further one sinks by neighbours."""
    n = last - first
    if n == 2 and a[first + 1][0] < a[first][0]:
        _swap(a, first, first + 1)
    if n >= 3:
        _sort3(a, first, first + 1, first + 2)
        for i in range(first + 3, last):
            _sink(a, first, i)


def _sink(a: _Items, first: int, i: int) -> bool:
    """Moves the element at i down past all that are greater; whether it moved."""
    j, item = i, a[i]
    while j > first and item[0] < a[j - 1][0]:
        a[j] = a[j - 1]
        j -= 1
    a[j] = item
    return j < i


def _settled(a: _Items, first: int, last: int) -> bool:
    """Insertion sort that gives up after `MOVES` moves; whether all is sorted."""
    if last - first <= 5:
        _network(a, first, last)
        return True
    _sort3(a, first, first + 1, first + 2)
    moved = 0
    for i in range(first + 3, last):
        if _sink(a, first, i):
            moved += 1
            if moved == MOVES:
                return i + 1 == last
    return True


def _equals_right(a: _Items, first: int, last: int) -> tuple[int, bool]:
    """Partition by the first element, equals to the right; its place, and whether nothing had to move."""
    begin, item = first, a[first]
    pivot = item[0]
    first += 1
    while a[first][0] < pivot:
        first += 1
    last -= 1
    if begin == first - 1:
        while first < last and not a[last][0] < pivot:
            last -= 1
    else:
        while not a[last][0] < pivot:
            last -= 1
    partitioned = first >= last
    while first < last:
        _swap(a, first, last)
        first += 1
        while a[first][0] < pivot:
            first += 1
        last -= 1
        while not a[last][0] < pivot:
            last -= 1
    a[begin] = a[first - 1]
    a[first - 1] = item
    return first - 1, partitioned


def _equals_left(a: _Items, first: int, last: int) -> int:
    """Partition by the first element, equals to the left; where the greater ones begin."""
    begin, end, item = first, last, a[first]
    pivot = item[0]
    first += 1
    while first < end and not pivot < a[first][0]:
        first += 1
    if first < last:
        last -= 1
        while pivot < a[last][0]:
            last -= 1
    while first < last:
        _swap(a, first, last)
        first += 1
        while not pivot < a[first][0]:
            first += 1
        last -= 1
        while pivot < a[last][0]:
            last -= 1
    a[begin] = a[first - 1]
    a[first - 1] = item
    return first


def _introsort(a: _Items, first: int, last: int, depth: int, leftmost: bool) -> None:
    while True:
        n = last - first
        if n <= 5:
            _network(a, first, last)
            return
        if n < INSERTION:
            for i in range(first + 1, last):
                _sink(a, first, i)
            return
        if depth == 0:
            a[first:last] = sorted(a[first:last], key=lambda item: item[0])
            return
        depth -= 1
        half = first + n // 2
        if n > NINTHER:
            _sort3(a, first, half, last - 1)
            _sort3(a, first + 1, half - 1, last - 2)
            _sort3(a, first + 2, half + 1, last - 3)
            _sort3(a, half - 1, half, half + 1)
            _swap(a, first, half)
        else:
            _sort3(a, half, first, last - 1)
        if not leftmost and not a[first - 1][0] < a[first][0]:
            first = _equals_left(a, first, last)
            continue
        pivot, partitioned = _equals_right(a, first, last)
        if partitioned:
            low = _settled(a, first, pivot)
            if _settled(a, pivot + 1, last):
                if low:
                    return
                last = pivot
                continue
            if low:
                first = pivot + 1
                continue
        _introsort(a, first, pivot, depth, leftmost)
        leftmost = False
        first = pivot + 1
