"""CIFAR-10's Python pickles, read without executing them.

A pickle is a program for a small stack machine, and two of its instructions are dangerous: GLOBAL imports a name,
REDUCE calls it. ``Unpickler.find_class`` allows the five names that NumPy's arrays have, and stands inert functions in
for them; all others are refused. Before that, the instructions are scanned: only those of plain data are allowed, and
their number, memo indices and tuples are bounded, so that memory is, and no key is a tuple too deep to be hashed.

The original files are of protocol 2, written by Python 2, with byte strings; those that Python 3 writes in the
protocols 2 to 4 are read as well.
"""

import io
import math
import pickle
import pickletools
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.data.formats.raw import AGAIN, error_line
from tfticket.errors import InputError

MOST_BYTES = 50 * 10**6
MOST_INSTRUCTIONS = 300_000
MOST_TUPLES = 5_000
"""An original batch has about 31 MB, 40,000 instructions and a few tuples."""

_PLAIN = """
PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 SHORT_BINSTRING BINSTRING SHORT_BINBYTES BINBYTES
SHORT_BINUNICODE BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD
"""
INSTRUCTIONS = frozenset(_PLAIN.split())
"""Instructions that plain data need."""


@dataclass
class Rebuilt:
    """An array or a data type that a pickle would construct; only inspected."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def load(data: memoryview, where: object) -> dict[str, Any]:
    """Return the dict of plain data in a pickle, with text keys."""
    try:
        _check_instructions(data)
        root = _Unpickler(io.BytesIO(data), where).load()
    except InputError:
        raise
    except Exception as error:  # an unpickler may raise anything
        raise InputError(
            f"{where} is no pickle of plain data ({error_line(error)}); expected CIFAR-10's original file. {AGAIN}"
        ) from None
    if not isinstance(root, dict):
        raise InputError(f"{where} holds no dict; expected that of CIFAR-10's batches. {AGAIN}")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in root.items()}


def array(value: object, where: object) -> np.ndarray:
    """Return the uint8 matrix that NumPy's constructor would have made, as a view."""
    match value:
        case Rebuilt("array", _, (_, tuple(shape), Rebuilt("dtype", (kind, *_)), order, bytes(data))):
            whole = len(shape) == 2 and all(type(size) is int and size >= 0 for size in shape)
            if kind in ("u1", "|u1", b"u1", b"|u1") and whole and math.prod(shape) == len(data):
                return np.frombuffer(data, np.uint8).reshape(shape, order="F" if order is True else "C")
    raise InputError(f"{where} is no uint8 array [rows, 3072] with all its bytes; expected CIFAR-10's. {AGAIN}")


def _check_instructions(data: memoryview) -> None:
    """Refuse instructions that plain data do not need, and more than they need."""
    counts: Counter[str] = Counter()
    for instruction, argument, _ in pickletools.genops(io.BytesIO(data)):
        name = instruction.name
        counts["all"] += 1
        counts["tuples"] += "TUPLE" in name
        if name not in INSTRUCTIONS:
            raise ValueError(f"the instruction {name}")
        if name == "LONG_BINPUT" and int(argument or 0) > MOST_INSTRUCTIONS:
            raise ValueError(f"the memo index {argument:,}")
        if counts["all"] > MOST_INSTRUCTIONS or counts["tuples"] > MOST_TUPLES:
            raise ValueError(f"more than {MOST_INSTRUCTIONS:,} instructions or {MOST_TUPLES:,} tuples")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, where: object) -> None:
        super().__init__(file, encoding="bytes")
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        """Return the inert stand-in of a name."""
        if (stand_in := _STAND_INS.get(f"{module} {name}")) is not None:
            return stand_in
        raise InputError(
            f"{self._where} is a pickle that would call {f'{module}.{name}'!r} when loaded; nothing was executed. "
            f"Expected the plain data of CIFAR-10's original file. Do not open it elsewhere. {AGAIN}"
        )


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes, as Python 3 writes them for protocol 2."""
    if encoding != "latin1":
        raise ValueError("bytes in an unknown encoding")
    return text.encode("latin-1")


def _ndarray(*_: Any) -> None:
    raise ValueError("a call of NumPy's array")


_STAND_INS: dict[str, Any] = {
    "numpy.core.multiarray _reconstruct": lambda *arguments: Rebuilt("array", arguments),
    "numpy._core.multiarray _reconstruct": lambda *arguments: Rebuilt("array", arguments),
    "numpy dtype": lambda *arguments: Rebuilt("dtype", arguments),
    "numpy ndarray": _ndarray,
    "_codecs encode": _encode,
}
"""Names that NumPy's arrays need -> inert functions."""
