"""Keys in bulk, in every form that `hash_many` takes, each beside C that hashes the same bytes where they lie.

The C loop is told where each key's bytes are and how many: it is hashing alone, without a type to look at, an object to
ask or an offset to check. Texts of NumPy are 4 bytes a character and have to become UTF-8 first, which is no hashing,
and so is not in that loop either; beside it is another that cuts them. What it takes to find where NumPy's
variable-width strings are is in none.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

import lbalgo as lb

from .timing import Bar, Case, statement
from .yardstick import bulk_loop

MANY = 100_000
TEXTS, CUT = "text array, U16", "16 characters of 4 bytes each"
FORMS = {  # what of `hash_many`, and the C loop over the same keys
    "uint64 array": "8 bytes each",
    "bytes array, S16": "16 bytes each",
    "offset buffer, int64": "16 bytes each",
    "offset buffer, int32": "16 bytes each",
    "list of str": "16 bytes each, by pointer",
    TEXTS: "16 bytes each",
    "text array, StringDType": "16 bytes each, by pointer",
}
HASH, LOOP = "hash_many of {}", "C loop, XXH64 of {}"
FEW = "hash_many of {}, 16 keys, the call"
BARS = (
    *(Bar(HASH.format(form), LOOP.format(loop), 1.3) for form, loop in FORMS.items()),
    Bar(HASH.format(TEXTS), LOOP.format(CUT), 1.3),
)


def cases() -> list[Case]:
    """Per key, and of few by the call; the tickets of all forms are compared first."""
    words = np.random.default_rng(3).integers(0, 2**64, MANY, dtype=np.uint64)
    keys = [f"user-{i:011d}" for i in range(MANY)]
    raw = "".join(keys).encode()
    data, edges = np.frombuffer(raw, np.uint8), np.arange(0, 16 * MANY + 1, 16)
    addresses = np.array([address(key) for key in keys], np.uint64)
    forms: dict[str, Any] = {
        "uint64 array": words,
        "bytes array, S16": data.view("S16"),
        "offset buffer, int64": (raw, edges),
        "offset buffer, int32": (raw, edges.astype(np.int32)),
        "list of str": keys,
        TEXTS: np.array(keys),
    }
    if hasattr(np.dtypes, "StringDType"):  # from NumPy 2 on
        forms["text array, StringDType"] = np.array(keys, np.dtypes.StringDType())
    loops = {
        "8 bytes each": ("hash_cells", words, 8),
        "16 bytes each": ("hash_cells", data, 16),
        "16 bytes each, by pointer": ("hash_pointers", addresses, np.full(MANY, 16)),
        CUT: ("hash_texts", forms[TEXTS].view(np.uint32), 16),
    }
    out, tickets = [], {}
    for name, (loop, given, more) in loops.items():
        tickets[name] = np.empty(MANY, np.uint64)
        call = bulk_loop(loop, given, tickets[name], more, n=MANY)
        call()
        out.append(statement(LOOP.format(name), "f()", MANY, f=call))
    for form, given in forms.items():
        assert (lb.hash_many(given) == tickets[FORMS[form]]).all()
        out.append(statement(HASH.format(form), "f(k)", MANY, f=lb.hash_many, k=given))
    few = ("list of str", "uint64 array", TEXTS)
    return out + [statement(FEW.format(name), "f(k)", f=lb.hash_many, k=forms[name][:16]) for name in few]


def address(text: str) -> int:
    """Where the bytes of an ASCII string are."""
    find = ctypes.pythonapi.PyUnicode_AsUTF8
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.py_object]
    return int(find(text))
