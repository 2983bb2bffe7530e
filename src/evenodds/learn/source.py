"""The text of scratch.py as a thing to look into: patched, compared, loaded, and X-rayed.

An X-rayed module is the same program: each operation (a call, a product, a comparison, a slice) hands its value to a
probe, which gives it back. Lines and columns are those of the text, so a value can be shown where it was computed.
"""

import ast
import difflib
import re
import types
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "scratch.py"
SOURCE = PATH.read_bytes().decode("utf-8")

Place = tuple[int, int, int, int]
Patch = tuple[str, str]
_OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Compare, ast.Subscript)


def patched(patches: Sequence[Patch]) -> str:
    """Put the new texts in the place of the old ones.

    Parameters
    ----------
    patches : sequence of (old, new)
        Each old text has to be there exactly once, after the patches before it.

    Raises
    ------
    ValueError
        If an old text is not there once: two patches of the same line do not fit together.
    """
    text = SOURCE
    for old, new in patches:
        if text.count(old) != 1:
            raise ValueError(f"found {text.count(old)} times, not once: {old.strip()}")
        text = text.replace(old, new)
    return text


def diff(text: str) -> list[tuple[str, int, str]]:
    """Compare a text with the source, line by line.

    Returns
    -------
    list of (mark, line, text)
        The lines of `text` with the mark " " or "+" and their number, and in their places the lines that are gone,
        "-" with the number 0.
    """
    old, new = SOURCE.split("\n"), text.split("\n")
    rows = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            rows += [("-", 0, line) for line in old[a:b]]
        rows += [(" " if kind == "equal" else "+", number + 1, new[number]) for number in range(c, d)]
    return rows


@lru_cache(maxsize=64)
def functions(text: str) -> dict[str, tuple[int, int]]:
    """Return the first and the last line of each function."""
    return {
        node.name: (node.lineno, node.end_lineno or node.lineno)
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


def load(text: str) -> types.ModuleType:
    """Run the text as a module of its own."""
    return _run(compile(text, "scratch.py", "exec"), {})


def xrayed(
    text: str,
    probe: Callable[[Any, Place], Any],
    batch: Callable[[], None],
    start: dict[str, Any] | None = None,
) -> types.ModuleType:
    """Load the text with a probe in every operation.

    Parameters
    ----------
    text : str
        The source, patched or not.
    probe : callable (value, place)
        Gets each value and its place (line, column, last line, last column; columns are of bytes, from 0), and
        returns the value.
    batch : callable
        Called at the beginning of each mini-batch.
    start : dict, optional
        Values of `rng`, `w` and `b` at which `epochs` shall start, in the place of its own.
    """
    names = {f"__{name}": value for name, value in (start or {}).items()}
    return _run(_compiled(text, start is not None), {"__probe": probe, "__batch": batch, **names})


@lru_cache(maxsize=64)
def _compiled(text: str, resumed: bool) -> types.CodeType:
    tree = _XRay(resumed).visit(ast.parse(text))
    return compile(ast.fix_missing_locations(tree), "scratch.py", "exec")


def expression(text: str, place: Place) -> str:
    """Return the text of a place, on one line."""
    first, left, last, right = place
    lines = [line.encode() for line in text.split("\n")[first - 1 : last]]
    lines[-1] = lines[-1][:right]
    lines[0] = lines[0][left:]
    return re.sub(r"\s+", " ", b"\n".join(lines).decode())


def _run(code: types.CodeType, names: dict[str, Any]) -> types.ModuleType:
    module = types.ModuleType("scratch")
    module.__dict__.update(names)
    exec(code, module.__dict__)
    return module


class _XRay(ast.NodeTransformer):
    """Put probes into functions; on demand let `epochs` start from given values."""

    def __init__(self, resumed: bool) -> None:
        self.resumed = resumed
        self.function = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.function = node.name
        node.body = [line for statement in node.body for line in self._statements(statement)]
        self.function = ""
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        stored = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if self.function and isinstance(node, _OPERATIONS) and not stored:
            return _probe(node, node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # the words of an error; before Python 3.12 places in them are wrong

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = node.value and self.visit(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        names = ast.unparse(node.targets[0])
        if self.resumed and self.function == "epochs" and names in ("rng", "(w, b)", "w, b"):
            if isinstance(node.value, ast.Tuple):
                node.value.elts = [_name("__w"), _name("__b")]
                return node
            if names == "rng":
                node.value = _name("__rng")
                return node
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        if self.function == "epochs":
            node.body.insert(0, ast.copy_location(ast.Expr(ast.Call(_name("__batch"), [], [])), node.body[0]))
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        node.value = self.visit(node.value)
        after = _probe(ast.parse(ast.unparse(node.target), mode="eval").body, node)
        return [node, ast.copy_location(ast.Expr(after), node)]

    def _statements(self, statement: ast.stmt) -> list[Any]:
        visited = self.visit(statement)
        return visited if isinstance(visited, list) else [visited]


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _probe(value: ast.expr, at: ast.expr | ast.stmt) -> ast.Call:
    numbers = (at.lineno, at.col_offset, at.end_lineno, at.end_col_offset)
    place = ast.Tuple([ast.Constant(number) for number in numbers], ast.Load())
    return ast.copy_location(ast.Call(_name("__probe"), [value, place], []), at)
