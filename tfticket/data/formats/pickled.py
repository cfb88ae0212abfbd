"""CIFAR-10's Python pickles, read without executing them.

A pickle is a program for a small stack machine, and two of its instructions are dangerous: GLOBAL imports a name,
REDUCE calls it. This reader imports and calls nothing. It interprets only the instructions that plain data need.
GLOBAL compares its name with the five that NumPy's arrays have, refuses all others, and pushes it as text; REDUCE
makes of NumPy's two constructors an inert ``Rebuilt``. What comes out are dicts with text keys, lists, tuples,
numbers, text and bytes; ``array`` makes an array of the bytes after checking type, shape and length.

Memory is bounded. An instruction makes at most its own bytes of the file or one small object, long arguments are
views into the file, memo entries live in a dict (a huge index costs nothing), and instructions are counted. Keys
are text since hashing a deeply nested tuple would overflow the C stack.

The original files are of protocol 2, written by Python 2, with byte strings; those that Python 3 writes in the
protocols 2 to 4 are read as well.
"""

import math
import pickletools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.data.formats.raw import AGAIN, error_line
from tfticket.errors import InputError

MOST_BYTES = 50 * 10**6
MOST_INSTRUCTIONS = 300_000
"""An original batch has about 31 MB and 40,000 instructions."""

RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
DTYPE = "numpy dtype"
ENCODE = "_codecs encode"
KNOWN = (*RECONSTRUCT, DTYPE, ENCODE, "numpy ndarray")

INSTRUCTIONS = {ord(instruction.code): instruction.name for instruction in pickletools.opcodes}
NUMBERS = {
    **{"BININT": "<i", "BININT1": "<B", "BININT2": "<H", "PROTO": "<B", "FRAME": "<Q"},
    **{"BINPUT": "<B", "LONG_BINPUT": "<I", "BINGET": "<B", "LONG_BINGET": "<I"},
}
"""Instructions with a number, and its layout."""
BYTES = {"SHORT_BINSTRING": "<B", "BINSTRING": "<I", "SHORT_BINBYTES": "<B", "BINBYTES": "<I"}
TEXTS = {"SHORT_BINUNICODE": "<B", "BINUNICODE": "<I"}
"""Instructions with bytes or text, and the layout of their length."""
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()


class Name(str):
    """A name that a pickle would import; only compared."""


@dataclass
class Rebuilt:
    """An object that a pickle would construct; only inspected."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


def load(data: memoryview, where: object) -> dict[str, Any]:
    """Return the dict of plain data in a pickle, with text keys. Long byte strings are views of ``data``."""
    try:
        root = _run(data, where)
    except (ValueError, LookupError, TypeError, struct.error) as error:
        raise InputError(
            f"{where} is no pickle of plain data ({error_line(error)}); expected CIFAR-10's original file. {AGAIN}"
        ) from None
    if not isinstance(root, dict):
        raise InputError(f"{where} holds no dict; expected that of CIFAR-10's batches. {AGAIN}")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in root.items()}


def array(value: object, where: object) -> np.ndarray:
    """Return the uint8 matrix that NumPy's constructor would have made, as a view."""
    match value:
        case Rebuilt(name, _, (_, tuple(shape), Rebuilt("numpy dtype", (kind, *_)), order, data)):
            known = (
                name in RECONSTRUCT and kind in ("u1", "|u1", b"u1", b"|u1") and isinstance(data, bytes | memoryview)
            )
            whole = len(shape) == 2 and all(type(size) is int and size >= 0 for size in shape)
            if known and whole and math.prod(shape) == len(data):
                return np.frombuffer(data, np.uint8).reshape(shape, order="F" if order is True else "C")
    raise InputError(f"{where} is no uint8 array [rows, 3072] with all its bytes; expected CIFAR-10's. {AGAIN}")


def _instructions(data: memoryview) -> Iterator[tuple[str, Any]]:
    """Yield each instruction's name and argument."""
    position = 0

    def take(size: int) -> memoryview:
        nonlocal position
        if size > len(data) - position:
            raise ValueError(f"{size:,} bytes where {len(data) - position:,} are left")
        position += size
        return data[position - size : position]

    def number(layout: str) -> int:
        value: int = struct.unpack(layout, take(struct.calcsize(layout)))[0]
        return value

    def line() -> str:
        text, newline, _ = bytes(data[position : position + 256]).partition(b"\n")
        take(len(text) + len(newline))
        return text.decode("latin-1")

    for _ in range(MOST_INSTRUCTIONS):
        code = take(1)[0]
        name = INSTRUCTIONS.get(code, f"{code}")
        if name in NUMBERS:
            yield name, number(NUMBERS[name])
        elif name in BYTES:
            content = take(number(BYTES[name]))
            yield "push", content if len(content) > 255 else bytes(content)
        elif name in TEXTS:
            yield "push", str(take(number(TEXTS[name])), "utf-8")
        elif name in CONSTANTS:
            yield "push", CONSTANTS[name]
        elif name == "GLOBAL":
            yield name, f"{line()} {line()}"
        else:
            yield name, None
    raise ValueError(f"more than {MOST_INSTRUCTIONS:,} instructions")


def _run(data: memoryview, where: object) -> object:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = len(stack) - 1
        while stack[start] is not MARK:
            start -= 1
            if start < 0:
                raise ValueError("no mark on the stack")
        items = stack[start + 1 :]
        del stack[start:]
        return items

    for instruction, argument in _instructions(data):
        match instruction:
            case "push" | "BININT" | "BININT1" | "BININT2":
                stack.append(argument)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack[-SHORT_TUPLES[instruction] :] = [tuple(stack[-SHORT_TUPLES[instruction] :])]
            case "MARK":
                stack.append(MARK)
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "APPEND":
                item = stack.pop()
                _list(stack[-1]).append(item)
            case "APPENDS":
                items = since_mark()
                _list(stack[-1]).extend(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _fill(stack[-1], [key, value])
            case "SETITEMS":
                items = since_mark()
                _fill(stack[-1], items)
            case "GLOBAL":
                stack.append(_known(argument, where))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                # Only text is formatted: nested lists could have a text of any length.
                if not isinstance(name, str) or not isinstance(module, str):
                    raise ValueError("a name that is no text")
                stack.append(_known(f"{module} {name}", where))
            case "REDUCE":
                arguments, name = stack.pop(), stack.pop()
                stack.append(_reduced(name, arguments))
            case "BUILD":
                state = stack.pop()
                if not isinstance(stack[-1], Rebuilt):
                    raise ValueError("a state for what is no array")
                stack[-1].state = state
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case _:
                raise ValueError(f"the instruction {instruction}")
    return None


def _reduced(name: object, arguments: object) -> object:
    if not isinstance(name, Name) or not isinstance(arguments, tuple):
        raise ValueError("a call of what is no name")
    if name == ENCODE:
        # How Python 3 writes bytes for protocol 2.
        if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] != "latin1":
            raise ValueError("bytes in an unknown encoding")
        return arguments[0].encode("latin-1")
    if name == DTYPE or name in RECONSTRUCT:
        return Rebuilt(str(name), arguments)
    raise ValueError("a call of NumPy's array")


def _known(name: str, where: object) -> Name:
    if name in KNOWN:
        return Name(name)
    raise InputError(
        f"{where} is a pickle that would call {'.'.join(name.split(' '))!r} when loaded; nothing was executed. "
        f"Expected the plain data of CIFAR-10's original file. Do not open it elsewhere. {AGAIN}"
    )


def _list(target: object) -> list[Any]:
    if not isinstance(target, list):
        raise ValueError("items for what is no list")
    return target


def _fill(target: object, items: list[Any]) -> None:
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("items for what is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | bytes):
            raise ValueError("a key that is no text")
        target[key] = value
