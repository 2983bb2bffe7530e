"""The numbers of a model in SQL: a tree of sqlglot's, which writes it and quotes all names and texts in it.

What `predict_proba` refuses, or has no probability for, is NULL: that comes of itself where a NULL is added, and of
conditions elsewhere. No function is called outside of what it is defined for: PostgreSQL would end the query there.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..design import Design
from .dialects import Dialect, sqlglot_expressions
from .polynomials import Polynomials

if TYPE_CHECKING:
    from sqlglot import exp

    E = exp.Expression

_LARGEST, _SMALLEST = 709.78, -708.39  # between them the exponential is a number with all its digits
_LARGE = 1e308  # beyond which a number may be infinity
_CHAIN = 100  # numbers that are added in one chain: databases bound how deep an expression may be
_LOGS = {"log": 1.0, "log2": math.log(2.0), "log10": math.log(10.0)}


class Sql:
    """Writes expressions of the columns of one table.

    design : what knows the kinds of columns; None where all are numbers
    alias : of the table
    """

    def __init__(self, dialect: Dialect, design: Design | None, alias: str) -> None:
        self.dialect, self.design, self._alias = dialect, design, alias
        self.exp: Any = sqlglot_expressions()

    # Names and numbers.

    def name(self, column: str, table: str | None = None) -> "E":
        """A column of the table, or of another."""
        quoted = self.exp.to_identifier
        found: E = self.exp.Column(this=quoted(column, quoted=True), table=quoted(table or self._alias, quoted=True))
        return found

    def number(self, value: float) -> "E":
        """A double, with all its digits."""
        if value < 0:
            negative: E = self.exp.Neg(this=self.number(-value))
            return negative
        text = repr(float(value)).removesuffix(".0")
        text = text if "e" in text else f"{text}e0"  # without an exponent it would be a decimal
        if self.dialect.quoted_numbers:
            return self._double(self.exp.Literal.string(text))
        literal: E = self.exp.Literal.number(text)
        return self._double(literal) if self.dialect.name == "postgres" else literal

    def nothing(self) -> "E":
        """NULL."""
        null: E = self.exp.Null()
        return null

    def _double(self, a: "E") -> "E":
        found: E = self.exp.cast(a, self.exp.DataType.Type.DOUBLE)
        return found

    def whole(self, a: "E") -> "E":
        """As a whole number."""
        found: E = self.exp.cast(a, self.exp.DataType.Type.INT)
        return found

    # Columns.

    def plain(self, column: str) -> "E":
        """A column as doubles, in which NaN may stand for a missing value."""
        a = self.name(column)
        if self.kind_of(column) == "boolean":
            return self._double(self.whole(a))
        if self.dialect.name == "sqlite":  # where a cast makes 0 of any text
            number = self.exp.In(
                this=self.exp.Anonymous(this="TYPEOF", expressions=[a]),
                expressions=[self.exp.Literal.string(kind) for kind in ("integer", "real")],
            )
            return self.case([(number, self._double(a.copy()))])
        return self._double(a)

    def known(self, column: str) -> "E":
        """A column as doubles, NULL where its value is missing."""
        a = self.plain(column)
        if not self.dialect.nan or self.kind_of(column) == "boolean":
            return a
        if self.dialect.name == "bigquery":  # where NaN is not equal to itself
            return self.case([(self.exp.Not(this=self.exp.IsNan(this=a)), a.copy())])
        found: E = self.exp.Nullif(this=a, expression=self._double(self.exp.Literal.string("NaN")))
        return found

    def column(self, name: str) -> "E":
        """A column as doubles, filled in where the model fills it in."""
        a, fill = self.known(name), self.fill_of(name)
        if fill is None:
            return a
        found: E = self.exp.Coalesce(this=a, expressions=[self.number(fill)])
        return found

    def fill_of(self, name: str) -> float | None:
        """What stands for the missing values of a column, if anything does."""
        return None if self.design is None else self.design.fills.get(name)

    def missing(self, name: str) -> "E":
        """1 where a column has no value, else 0."""
        return self.case([(self.is_null(self.known(name)), self.number(1.0))], self.number(0.0))

    def kind_of(self, column: str) -> str:
        """What kind of values a column has."""
        return "number" if self.design is None else self.design.kinds.get(column, "number")

    # Conditions.

    def is_null(self, a: "E") -> "E":
        """Whether there is no value."""
        found: E = self.exp.Is(this=a, expression=self.nothing())
        return found

    def compared(self, a: "E", sign: str, b: "E | float") -> "E":
        """Whether a < b, and so on."""
        kinds = {"<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE", "=": "EQ", "<>": "NEQ"}
        b = self.number(b) if isinstance(b, int | float) else b
        found: E = getattr(self.exp, kinds[sign])(this=self.wrapped(a), expression=self.wrapped(b))
        return found

    def between(self, a: "E", low: float, high: float) -> "E":
        """Whether low <= a <= high: never where a is NULL or NaN."""
        found: E = self.exp.Between(this=self.wrapped(a), low=self.number(low), high=self.number(high))
        return found

    def case(self, branches: "Sequence[tuple[E, E]]", default: "E | None" = None) -> "E":
        """The value of the first branch whose condition holds."""
        ifs = [self.exp.If(this=condition, true=value) for condition, value in branches]
        if default is not None and isinstance(default, self.exp.Null):
            default = None
        found: E = self.exp.Case(ifs=ifs, default=default)
        return found

    # Arithmetic.

    def wrapped(self, a: "E") -> "E":
        """In parentheses, where it is no single word."""
        exp = self.exp
        found: E = exp.Paren(this=a) if isinstance(a, exp.Binary | exp.Between | exp.Not) else a
        return found

    def added(self, numbers: "Sequence[E]") -> "E":
        """The sum of numbers."""
        groups = list(numbers)
        while len(groups) > 1:
            sums = []
            for start in range(0, len(groups), _CHAIN):
                chain, *rest = groups[start : start + _CHAIN]
                for one in rest:
                    chain = self.exp.Add(this=chain, expression=self._summand(one))
                sums.append(chain)
            groups = sums
        return groups[0] if groups else self.number(0.0)

    def _summand(self, a: "E") -> "E":
        """In parentheses, where it is no product."""
        return a if isinstance(a, self.exp.Mul | self.exp.Div) else self.wrapped(a)

    def negative(self, a: "E") -> "E":
        """Less than nothing."""
        found: E = self.exp.Neg(this=self.wrapped(a))
        return found

    def times(self, a: "E", b: "E") -> "E":
        """The product of two."""
        found: E = self.exp.Mul(this=self.wrapped(a), expression=self.wrapped(b))
        return found

    def minus(self, a: "E", b: "E") -> "E":
        """The difference of two."""
        found: E = self.exp.Sub(this=self._summand(a), expression=self._summand(b))
        return found

    def over(self, a: "E", b: "E") -> "E":
        """The quotient of two, the second of which is not 0."""
        found: E = self.exp.Div(this=self.wrapped(a), expression=self.wrapped(b), typed=True)
        return found

    def call(self, name: str, *args: "E") -> "E":
        """A function that all dialects have: EXP, LN, SQRT, ABS, FLOOR or POWER."""
        kinds = {"EXP": "Exp", "LN": "Ln", "SQRT": "Sqrt", "ABS": "Abs", "FLOOR": "Floor", "POWER": "Pow"}
        slots = dict(zip(("this", "expression"), args, strict=False))
        found: E = getattr(self.exp, kinds[name])(**slots)
        return found

    def greatest(self, numbers: "Sequence[E]") -> "E":
        """The greatest of numbers that are all NULL or none of them."""
        native = self.dialect.name in ("duckdb", "postgres")
        first, *rest = numbers
        while rest:  # SQLite bounds how many arguments there are
            first = self.exp.Greatest(this=first, expressions=rest[:_CHAIN], ignore_nulls=native)
            rest = rest[_CHAIN:]
        return first

    def arithmetic(self, sign: str, a: "E", b: "E") -> "E":
        """The sum, difference, product, quotient or power of two; NULL where it is none, or no number."""
        if sign == "**":
            return self._power(a, b)
        if sign == "/":
            divisor = b.this if isinstance(b, self.exp.Neg) else b
            constant = isinstance(divisor, self.exp.Literal | self.exp.Cast) and not b.find(self.exp.Column)
            if constant:
                return self.over(a, b)
            return self.case([(self.compared(b, "<>", 0.0), self.over(a.copy(), b.copy()))])
        return {"+": lambda: self.added([a, b]), "-": lambda: self.minus(a, b), "*": lambda: self.times(a, b)}[sign]()

    def _power(self, x: "E", y: "E") -> "E":
        size = self.times(y.copy(), self.call("LN", self.call("ABS", x.copy())))
        zero = self.case(
            [
                (self.compared(y.copy(), ">", 0.0), self.number(0.0)),
                (self.compared(y.copy(), "=", 0.0), self.number(1.0)),
            ]
        )
        odd = self.exp.And(
            this=self.compared(x.copy(), "<", 0.0),
            expression=self.compared(y.copy(), "<>", self.call("FLOOR", y.copy())),
        )
        return self.case(
            [
                (self.compared(x, "=", 0.0), zero),
                (odd, self.nothing()),
                (self.compared(size, "<", _SMALLEST), self.number(0.0)),
                (self.compared(size.copy(), "<=", _LARGEST), self.call("POWER", x.copy(), y)),
            ]
        )

    def function(self, name: str, a: "E") -> "E":
        """A function of one, NULL where it is not defined."""
        if name == "neg":
            return self.negative(a)
        if name == "abs":
            return self.call("ABS", a)
        if name == "sqrt":
            return self.case([(self.compared(a, ">=", 0.0), self.call("SQRT", a.copy()))])
        if name in _LOGS:
            value = self.call("LN", a.copy())
            value = value if name == "log" else self.over(value, self.number(_LOGS[name]))
            return self.case([(self.compared(a, ">", 0.0), value)])
        if name == "log1p":  # where 1 + a has lost digits of a, the quotient has lost the same
            one = self.added([self.number(1.0), a.copy()])
            value = self.over(self.times(self.call("LN", one), a.copy()), self.minus(one.copy(), self.number(1.0)))
            small = self.case([(self.compared(one.copy(), "=", 1.0), a.copy())], value)
            return self.case([(self.compared(a, ">", -1.0), small)])
        if name == "exp2":
            small = self.compared(a, "<", _SMALLEST / _LOGS["log2"])
            power = self.call("POWER", self.number(2.0), a.copy())
            return self.case(
                [(small, self.number(0.0)), (self.compared(a.copy(), "<=", _LARGEST / _LOGS["log2"]), power)]
            )
        power = self.exponential(a)
        if name != "expm1":
            return power
        less = self.minus(self.call("EXP", a.copy()), self.number(1.0))
        value = self.over(self.times(less, a.copy()), self.call("LN", self.call("EXP", a.copy())))
        flat = self.exp.EQ(this=self.call("EXP", a.copy()), expression=self.number(1.0))
        small = self.case([(flat, a.copy())], value)
        return self.case([(self.between(a.copy(), -30.0, 30.0), small)], self.minus(power, self.number(1.0)))

    def exponential(self, a: "E") -> "E":
        """The exponential, NULL where it is too large to be a number."""
        small = self.compared(a, "<", _SMALLEST)
        return self.case(
            [(small, self.number(0.0)), (self.compared(a.copy(), "<=", _LARGEST), self.call("EXP", a.copy()))]
        )

    def polynomials(self, found: Polynomials, a: "E") -> "list[E]":
        """The columns of a basis, each a polynomial between breaks."""
        return [self._polynomial(found, k, a) for k in range(found.coefs.shape[2])]

    def _polynomial(self, found: Polynomials, k: int, a: "E") -> "E":
        pieces = []
        for centre, coefs in zip(found.centres, found.coefs[:, :, k], strict=True):
            u = a.copy() if centre == 0 else self.minus(a.copy(), self.number(float(centre)))
            value = self.number(float(coefs[-1]))
            for coef in coefs[-2::-1]:
                value = self.times(value, u.copy())
                value = value if coef == 0 else self.added([value, self.number(float(coef))])
            pieces.append(value)
        branches = [
            (self.compared(a.copy(), "<", float(end)), piece)
            for end, piece in zip(found.breaks, pieces[:-1], strict=True)
        ]
        if found.bounds is None:
            if branches:
                branches.append((self.compared(a.copy(), ">=", float(found.breaks[-1])), pieces[-1]))
            return self.case(branches) if branches else pieces[-1]
        low, high = found.bounds
        ends: list[E] = [self.nothing(), self.nothing()]
        if found.outside == "zero":
            ends = [self.number(0.0), self.number(0.0)]
        elif found.outside == "clip":
            ends = [self.number(float(found.values(np.array([end]))[0, k])) for end in (low, high)]
        last = (self.compared(a.copy(), "<=", high), pieces[-1])
        inside = [(self.compared(a.copy(), "<", low), self.nothing()), *branches, last]
        if found.outside == "nothing":
            return self.case(inside)
        below, above = self.compared(a.copy(), "<", low), self.compared(a.copy(), ">", high)  # a NULL meets neither
        if not found.endless:
            below = self.exp.And(this=below, expression=self.compared(a.copy(), ">=", -_LARGE))
            above = self.exp.And(this=above, expression=self.compared(a.copy(), "<=", _LARGE))
        return self.case([(below, ends[0]), *inside, (above, ends[1])])
