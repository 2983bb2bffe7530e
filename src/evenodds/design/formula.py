"""Formulas: formulaic reads the algebra of terms, and this what stands inside of them.

Nothing of a formula is run as Python: names are columns, and calls those of a short list.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..exceptions import EvenOddsError
from ..naming import nearest
from .expressions import BASES, FUNCTIONS, PARTS, Expression
from .splines import OPTIONS, formulaic

_OPERATORS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_CALLS = ("C", "I", *FUNCTIONS, *BASES, *PARTS)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|[⧛⧚]")
_OTHERWISE = {name: f"{name}\u2060" for name in "1."}  # names that mean something else to formulaic


@dataclass(frozen=True)
class Wanted:
    """One atom of a term, as the formula has it.

    factor : whether it is made a factor whatever the column holds
    reference, levels : what was asked for
    """

    text: str
    expression: Expression
    factor: bool = False
    reference: Any = None
    levels: tuple[Any, ...] | None = None

    @property
    def is_column(self) -> bool:
        """Whether it is a column as it stands."""
        return self.expression.operation == "column"


@dataclass(frozen=True)
class Formula:
    """A formula: the target, None where it has no left side, the terms, and whether there is an intercept."""

    target: str | None
    terms: list[list[Wanted]] = field(default_factory=list)
    intercept: bool = True

    def columns(self) -> list[str]:
        """The names of the columns that it takes."""
        return list(dict.fromkeys(name for term in self.terms for one in term for name in one.expression.columns()))


def parsed(text: str, columns: Sequence[str], target: str | None = None) -> Formula:
    """Read a formula.

    columns : those of the table, among which `.` means all but the target
    target : of a formula without a left side
    """
    named, right = left_side(text), _sides(text)[1]
    if named is not None:
        if target is not None and named != target:
            raise EvenOddsError(f"The formula is about {named!r}, and the target is {target!r}.")
        target = named
    others = [name for name in columns if name != target]
    found = _formulaic(right, text, others)
    terms, intercept = [], False
    for term in found:
        factors = [factor.expr for factor in term.factors]
        if factors == ["1"]:
            intercept = True
            continue
        methods = [factor.eval_method.value for factor in term.factors]
        own = [_renamed(expr, {alias: name for name, alias in _OTHERWISE.items()}) for expr in factors]
        terms.append([_wanted(expr, method, text) for expr, method in zip(own, methods, strict=True)])
    return Formula(target, terms, intercept)


def is_formula(text: str) -> bool:
    """Whether a text has two sides."""
    return _tilde(text) is not None


def left_side(text: str) -> str | None:
    """The column on the left of a formula, None where there is none."""
    left, _ = _sides(text)
    return None if left is None else _column_name(left)


def _tilde(text: str) -> int | None:
    """Where the first ~ outside of quotes is."""
    quote = ""
    for k, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "`'\"":
            quote = sign
        elif sign == "~":
            return k
    return None


def _sides(text: str) -> tuple[str | None, str]:
    where = _tilde(text)
    if where is None:
        return None, text
    return text[:where].strip() or None, text[where + 1 :]


def _column_name(left: str) -> str:
    if len(left) > 2 and left[0] == left[-1] == "`" and "`" not in left[1:-1]:
        return left[1:-1]
    if not left.isidentifier():
        raise EvenOddsError(
            f"The left side of a formula is one column, as in y ~ x, got {left!r}. Put a name with spaces or signs "
            "between backticks."
        )
    return left


def _formulaic(right: str, text: str, others: Sequence[str]) -> Any:
    if not right.strip():
        raise EvenOddsError(f"The formula {text!r} has no right side.")
    parser = formulaic(".parser").DefaultFormulaParser()
    names = [_OTHERWISE.get(name, name) for name in others]
    quoted = {f"`{name}`": f"`{alias}`" for name, alias in _OTHERWISE.items()}
    try:
        terms = parser.get_terms(_renamed(right, quoted), context={"__formulaic_variables_available__": names})
        found = list(terms.root if hasattr(terms, "root") else terms)
    except Exception as error:  # of whatever kind: the text is the user's
        why = " ".join(_COLOUR.sub("", str(error)).split())
        raise EvenOddsError(f"The formula {text!r} cannot be read: {why}") from None
    if not all(hasattr(term, "factors") for term in found):
        raise EvenOddsError(f"The formula {text!r} has several parts, and a model takes one.")
    return sorted(found, key=lambda term: term.degree)


def _renamed(text: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def _wanted(expr: str, method: str, text: str) -> Wanted:
    if method == "lookup":
        return Wanted(expr, Expression("column", (expr,)))
    if method == "literal":
        raise EvenOddsError(f"The formula {text!r} has the term {expr}, which is no column.")
    plain, quoted = _unquoted(expr)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise EvenOddsError(f"{expr!r} in the formula {text!r} cannot be read.") from None
    return _Reader(quoted).atom(tree, expr)


def _unquoted(expr: str) -> tuple[str, dict[str, str]]:
    """The text with names between backticks replaced by others that Python can read."""
    found: dict[str, str] = {}
    parts, quote, start = [], "", 0
    for k, sign in enumerate(expr):
        if quote == "`" and sign == "`":
            name = f"quoted_{len(found)}_"
            found[name] = expr[start:k]
            parts.append(name)
            quote = ""
        elif quote:
            quote = "" if sign == quote else quote
            if quote != "`":
                parts.append(sign)
        elif sign == "`":
            quote, start = sign, k + 1
        else:
            quote = sign if sign in "'\"" else ""
            parts.append(sign)
    return "".join(parts), found


class _Reader:
    """Reads a tree of Python's grammar as an expression of ours."""

    def __init__(self, quoted: dict[str, str]) -> None:
        self._quoted = quoted

    def atom(self, tree: ast.AST, text: str) -> Wanted:
        """What stands alone in a term."""
        if isinstance(tree, ast.Call) and _name(tree.func) == "C":
            return self._categorical(tree, text)
        if isinstance(tree, ast.Call) and _name(tree.func) in PARTS:
            return Wanted(text, self._part(tree), factor=True)
        expression = self.number(tree)
        if not expression.columns():
            raise EvenOddsError(f"{text!r} has no column in it.")
        return Wanted(text, expression)

    def number(self, tree: ast.AST, inner: bool = False) -> Expression:
        """An expression of numbers. inner : whether it has to be of one column"""
        if isinstance(tree, ast.Name):
            return Expression("column", (self._quoted.get(tree.id, tree.id),))
        if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
            return Expression("number", (tree.value,))
        if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
            return Expression(_OPERATORS[type(tree.op)], (self.number(tree.left, True), self.number(tree.right, True)))
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
            value = self.number(tree.operand, True)
            return value if isinstance(tree.op, ast.UAdd) else Expression("neg", (value,))
        if isinstance(tree, ast.Call):
            return self._call(tree, inner)
        raise EvenOddsError(f"{self._shown(tree)} is not among what formulas are made of: {_vocabulary()}")

    def _call(self, tree: ast.Call, inner: bool) -> Expression:
        name = _name(tree.func)
        name = {"np.abs": "abs"}.get(name, name.removeprefix("np."))
        if name in PARTS:
            return self._part(tree)
        if name == "C" or (name in BASES and inner):
            raise EvenOddsError(f"{self._shown(tree)} stands alone in a term: nothing is computed with it.")
        if name not in _CALLS:
            close = nearest(name, _CALLS, "It may be")
            raise EvenOddsError(f"There is no function {name!r} in formulas. {close}")
        if not tree.args:
            raise EvenOddsError(f"{self._shown(tree)} needs a column.")
        value = self.number(tree.args[0], True)
        if name in BASES:
            return Expression(name, (value,), self._options(tree, OPTIONS[name]))
        if len(tree.args) > 1 or tree.keywords:
            raise EvenOddsError(f"{self._shown(tree)}: {name} takes one column and nothing else.")
        return value if name == "I" else Expression(name, (value,))

    def _part(self, tree: ast.Call) -> Expression:
        if len(tree.args) != 1 or tree.keywords or not isinstance(tree.args[0], ast.Name):
            raise EvenOddsError(f"{self._shown(tree)}: a part of dates is of one column.")
        return Expression(_name(tree.func), (self.number(tree.args[0]),))

    def _categorical(self, tree: ast.Call, text: str) -> Wanted:
        given = dict(zip(("column", "contrasts"), tree.args, strict=False))
        given |= {word.arg or "": word.value for word in tree.keywords}
        unknown = given.keys() - {"column", "contrasts", "levels"}
        if "column" not in given or unknown or len(tree.args) > 2:
            raise EvenOddsError(f'{self._shown(tree)}: C takes a column, Treatment("level") and levels=[...].')
        inside = given["column"]
        is_part = isinstance(inside, ast.Call) and _name(inside.func) in PARTS
        expression = self._part(inside) if is_part and isinstance(inside, ast.Call) else self.number(inside)
        if not is_part and expression.operation != "column":
            raise EvenOddsError(f"{self._shown(tree)}: C makes a factor of a column, or of a part of dates.")
        reference = self._treatment(given["contrasts"]) if "contrasts" in given else None
        levels = _literal(given["levels"], self._shown(tree)) if "levels" in given else None
        if levels is not None and not isinstance(levels, list | tuple):
            raise EvenOddsError(f"{self._shown(tree)}: levels is a list.")
        return Wanted(text, expression, True, reference, None if levels is None else tuple(levels))

    def _treatment(self, tree: ast.AST) -> Any:
        call = tree if isinstance(tree, ast.Call) else None
        if _name(tree if call is None else call.func) not in ("Treatment", "contr.treatment"):
            raise EvenOddsError(
                f'{self._shown(tree)}: factors are coded by treatment, as in C(x, Treatment("b")), where every level '
                "is compared with a reference. Other codings of the same factor give the same model."
            )
        values = [] if call is None else [*call.args, *(word.value for word in call.keywords)]
        if len(values) > 1:
            raise EvenOddsError(f"{self._shown(tree)}: Treatment takes one level.")
        return _literal(values[0], self._shown(tree)) if values else None

    def _options(self, tree: ast.Call, names: Sequence[str]) -> dict[str, Any]:
        shown = self._shown(tree)
        if len(tree.args) - 1 > len(names):
            raise EvenOddsError(f"{shown} has too many options: they are {', '.join(names)}.")
        given = dict(zip(names, tree.args[1:], strict=False))
        given |= {word.arg or "**": word.value for word in tree.keywords}
        unknown = [name for name in given if name not in names]
        if unknown:
            raise EvenOddsError(f"{shown} has no option {unknown[0]!r}. {nearest(unknown[0], names, 'They are')}")
        return {name: _literal(value, shown) for name, value in given.items()}

    def _shown(self, tree: ast.AST) -> str:
        text = ast.unparse(tree)
        for name, column in self._quoted.items():
            text = text.replace(name, f"`{column}`")
        return text


def _name(tree: ast.AST) -> str:
    if isinstance(tree, ast.Attribute):
        return f"{_name(tree.value)}.{tree.attr}"
    return tree.id if isinstance(tree, ast.Name) else ""


def _literal(tree: ast.AST, shown: str) -> Any:
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise EvenOddsError(f"{shown}: {ast.unparse(tree)} is neither a number nor a text.") from None


def _vocabulary() -> str:
    return f"columns, numbers, + - * / **, and {', '.join(_CALLS)}."
