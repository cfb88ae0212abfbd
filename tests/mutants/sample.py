"""Mutants by Cosmic Ray: places in the code, each with an operator, and a sample of them that stays the same.

A sample consists of the mutants with the smallest hashes of file, operator, function and line, so it does not change
when other lines move.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

BINARY = "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul Mod_FloorDiv Pow_Mul BitOr_BitAnd BitAnd_BitOr BitXor_BitAnd"
COMPARISON = "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
OPERATORS = [
    *(f"ReplaceBinaryOperator_{swap}" for swap in BINARY.split()),
    *(f"ReplaceComparisonOperator_{swap}" for swap in COMPARISON.split()),
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_Invert"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "ZeroIterationForLoop"),
    "NumberReplacer",
]
ARITHMETIC = {"arith_expr", "term", "power", "expr", "xor_expr", "and_expr", "shift_expr"}
"""Parents of binary operators in parso's trees; elsewhere ``*`` and ``**`` unpack or separate parameters."""

LONGEST_TABLE = 8
"""Numbers in a constant that is mutated; a test of a longer table could only be a copy of it."""


@dataclass(frozen=True)
class Mutant:
    """A place and an operator; the statement of the line begins at ``first``, and may be executed by an import."""

    key: str
    file: str
    line: int
    first: int
    at_import: bool
    function: str
    operator: str
    occurrence: int
    before: str


def find_mutants(file: str, source: str, seed: int = 0) -> Iterator[Mutant]:
    """Yield the mutants of a file, except in annotations, decorators, texts of errors and long tables."""
    tree, nodes, lines = ast.parse(source), list(ast_nodes(get_ast(source))), source.splitlines()
    ignored = [_span(node, lines) for node in _ignored(tree)]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    scopes = [node for node in statements if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    counts: Counter[tuple[str, ...]] = Counter()
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        places = [(node, start) for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (node, (line, column)) in enumerate(places):
            unpacks = "Binary" in name and node.parent.type not in ARITHMETIC
            if unpacks or any(begin <= (line, column) < end for begin, end in ignored):
                continue
            inside = [scope for scope in scopes if scope.body[0].lineno <= line <= (scope.end_lineno or 0)]
            function, text = ".".join(scope.name for scope in inside), lines[line - 1].strip()
            counts[name, function, text] += 1
            identity = repr((seed, file, name, function, text, counts[name, function, text]))
            key = hashlib.sha256(identity.encode()).hexdigest()[:16]
            first = max(node.lineno for node in statements if node.lineno <= line <= (node.end_lineno or 0))
            at_import = all(isinstance(scope, ast.ClassDef) for scope in inside)
            yield Mutant(key, file, line, first, at_import, function, name, occurrence, text)


def _ignored(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        yield from getattr(node, "decorator_list", [])
        yield from filter(None, (getattr(node, name, None) for name in ("annotation", "returns")))
        if isinstance(node, ast.Raise):
            yield from (part for part in ast.walk(node) if isinstance(part, ast.JoinedStr))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            yield node.args[1]
    for node in tree.body:
        values = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
        is_table = sum(type(value) in {int, float} for value in values) > LONGEST_TABLE
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_table:
            yield node


def _span(node: Any, lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return begin and end as (line, column) in characters, as in parso; ast counts bytes."""
    ends = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return [(line, len(lines[line - 1].encode()[:column].decode())) for line, column in ends]


def mutate(mutant: Mutant, source: str) -> str | None:
    """Return the mutated source; None if its bytecode is the same or if it is not Python."""
    mutated: str = mutate_code(source, get_operator(f"core/{mutant.operator}")(), mutant.occurrence)
    with suppress(SyntaxError):
        before, after = (_essence(compile(text, "", "exec", optimize=2)) for text in (source, mutated))
        return mutated if before != after else None
    return None


def _essence(code: CodeType) -> tuple[Any, ...]:
    """Return bytecode without its line numbers."""
    constants = [_essence(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_exceptiontable, constants


def draw_sample(sources: Mapping[str, str], size: int, seed: int = 0) -> dict[Mutant, str]:
    """Return the mutants with the smallest keys, each with its source."""
    sample: dict[Mutant, str] = {}
    mutants = [mutant for file, source in sources.items() for mutant in find_mutants(file, source, seed)]
    for mutant in sorted(mutants, key=lambda mutant: mutant.key):
        if len(sample) < size and (mutated := mutate(mutant, sources[mutant.file])):
            sample[mutant] = mutated
    return sample
