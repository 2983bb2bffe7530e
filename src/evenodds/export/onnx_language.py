"""The numbers of a model as nodes of an ONNX graph: columns of doubles (n, 1), in which NaN is what has no value."""

import importlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..design import Design, Factor
from ..design.expressions import number_of
from ..exceptions import EvenOddsError
from .onnx_dates import MISSING, part_of
from .polynomials import Polynomials

if TYPE_CHECKING:
    import onnx

_FUNCTIONS = {"exp": "Exp", "sqrt": "Sqrt", "abs": "Abs", "neg": "Neg", "log": "Log"}
_ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "**": "Pow"}
_EXACT = 2**53
_LOGS = {"log2": math.log(2.0), "log10": math.log(10.0)}
_MISSING = ("None", "nan", "", "NaN", "<NA>", "NaT")  # what missing text is by the time that it is in a tensor


def onnx_module(name: str = "") -> Any:
    """A module of onnx, or an error that says how to get it."""
    try:
        return importlib.import_module(f"onnx{name}")
    except ImportError:
        raise EvenOddsError('ONNX files are made by the package onnx: pip install "evenodds[onnx]".') from None


def missing_text(design: Design, name: str) -> str:
    """What says in a tensor that the text of a column is missing: the first that is no level of it."""
    levels = {level for factor in design.factors if factor.source == name for level in factor.levels}
    return next(text for text in _MISSING if text not in levels)


class Graph:
    """Nodes and constants, each with a name of its own that no input has.

    design : what knows the kinds of columns; None where all are numbers
    """

    def __init__(self, inputs: Sequence[str], design: Design | None) -> None:
        self.design, self._taken = design, set(inputs) | {"label", "probabilities"}
        self._helper, self._arrays = onnx_module(".helper"), onnx_module(".numpy_helper")
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: dict[tuple[Any, ...], str] = {}

    def _name(self) -> str:
        name = f"n{len(self.nodes) + len(self.constants)}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def node(self, kind: str, *inputs: str, output: str | None = None, domain: str = "", **attributes: object) -> str:
        """A node, and the name of what it gives."""
        output = self._name() if output is None else output
        self.nodes.append(self._helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, value: NDArray[Any]) -> str:
        """An array that is the same in all rows."""
        key = (value.dtype.str, value.shape, value.tobytes() if value.dtype != object else tuple(value.tolist()))
        if key not in self._known:
            self._known[key] = self._name()
            self.constants.append(self._arrays.from_array(value, self._known[key]))
        return self._known[key]

    # The language of numbers.

    def number(self, value: float) -> str:
        """A number that is the same in all rows."""
        return self.constant(np.array([[value]]))

    def column(self, name: str) -> str:
        """A column, filled in where the model fills it in."""
        fill = None if self.design is None else self.design.fills.get(name)
        if fill is None:
            return name
        return self.node("Where", self.node("IsNaN", name), self.number(fill), name)

    def missing(self, name: str) -> str:
        """1 where a column has no value, else 0."""
        return self.node("Where", self.node("IsNaN", name), self.number(1.0), self.number(0.0))

    def arithmetic(self, sign: str, a: str, b: str) -> str:
        """The sum, difference, product, quotient or power of two."""
        return self.node(_ARITHMETIC[sign], a, b)

    def function(self, name: str, a: str) -> str:
        """A function of one."""
        if name in _FUNCTIONS:
            return self.node(_FUNCTIONS[name], a)
        if name in _LOGS:
            return self.node("Div", self.node("Log", a), self.number(_LOGS[name]))
        if name == "exp2":
            return self.node("Pow", self.number(2.0), a)
        one = self.number(1.0)
        if name == "log1p":  # where 1 + a has lost digits of a, the quotient has lost the same
            more = self.node("Add", one, a)
            value = self.node("Div", self.node("Mul", self.node("Log", more), a), self.node("Sub", more, one))
            return self.node("Where", self.node("Equal", more, one), a, value)
        power = self.node("Exp", a)  # expm1
        less = self.node("Sub", power, one)
        value = self.node("Div", self.node("Mul", less, a), self.node("Log", power))
        value = self.node("Where", self.node("Equal", power, one), a, value)
        return self.node("Where", self.node("Less", self.node("Abs", a), self.number(30.0)), value, less)

    def polynomials(self, found: Polynomials, a: str) -> list[str]:
        """The columns of a basis, each a polynomial between breaks."""
        x = a
        if found.outside == "clip" and found.bounds is not None:
            low, high = (self.number(bound) for bound in found.bounds)
            above = self.node("Where", self.node("Greater", a, high), high, a)
            x = self.node("Where", self.node("Less", a, low), low, above)
        if found.breaks.size:
            past = self.node("GreaterOrEqual", x, self.constant(found.breaks[None, :]))
            piece = self.node("ReduceSum", self.node("Cast", past, to=_INT64), self._axis(), keepdims=0)
        else:
            piece = self.node("Cast", self.node("Squeeze", self.node("IsNaN", x), self._axis()), to=_INT64)
            found = _twice(found)
        u = self.node("Sub", x, self.node("Gather", self.constant(found.centres[:, None]), piece, axis=0))
        value = self.node("Gather", self.constant(found.coefs[:, -1, :]), piece, axis=0)
        for power in range(found.coefs.shape[1] - 2, -1, -1):
            coefs = self.node("Gather", self.constant(found.coefs[:, power, :]), piece, axis=0)
            value = self.node("Add", self.node("Mul", value, u), coefs)
        value = self._bounded(found, a, value)
        count = found.coefs.shape[2]
        if count == 1:
            return [value]
        return [self.node("Gather", value, self.constant(np.array([k])), axis=1) for k in range(count)]

    def _bounded(self, found: Polynomials, a: str, value: str) -> str:
        """A basis with what it is outside of its bounds, and NaN where a is."""
        if found.bounds is not None and found.outside != "clip":
            low, high = (self.number(bound) for bound in found.bounds)
            beyond = self.node("Or", self.node("Less", a, low), self.node("Greater", a, high))
            instead = self.number(0.0 if found.outside == "zero" else math.nan)
            value = self.node("Where", beyond, instead, value)
        if found.outside == "nothing" or found.endless:
            gone = self.node("IsNaN", a)
        else:
            gone = self.node("IsNaN", self.finite(a))
        return self.node("Where", gone, self.number(math.nan), value)

    def finite(self, a: str) -> str:
        """The same, NaN in the place of infinity."""
        return self.node("Add", a, self.node("Mul", a, self.number(0.0)))

    def _axis(self) -> str:
        return self.constant(np.array([1]))

    # Factors.

    def codes(self, factor: Factor) -> str:
        """The places (n,) of each row's level in a table of its levels, and one more row for what gives none."""
        assert self.design is not None
        bad = len(factor.levels)
        gone = factor.levels.index(None) if None in factor.levels else bad
        new = {"error": bad, "reference": factor.levels.index(factor.reference), "missing": gone}[self.design.unseen]
        known = [(k, level) for k, level in enumerate(factor.levels) if level is not None]
        flat = self.node("Squeeze", factor.source, self._axis())
        if self.design.kinds[factor.source] == "text":
            return self._text_codes(factor, flat, known, gone, new)
        if factor.is_part:
            part = factor.expression.operation
            levels = np.array([[number_of(part, level) for _, level in known]])
            number = self.node("Unsqueeze", part_of(self, flat, part), self._axis())
            lost = self.node("Equal", flat, self.constant(np.array([MISSING])))
            return self._places(self.node("Equal", number, self.constant(levels)), known, lost, gone, new)
        large = [level for _, level in known if isinstance(level, int) and abs(level) > _EXACT]
        if large:
            raise EvenOddsError(
                f"{factor.name} has a level that is too large for a double, {large[0]}, as which ONNX has numbers. "
                "Make the column text before the fit."
            )
        values = self.constant(np.array([[float(level) for _, level in known]]))
        same = self.node("Equal", factor.source, values)
        return self._places(same, known, self.node("IsNaN", flat), gone, new)

    def _places(self, same: str, known: Sequence[tuple[int, Any]], lost: str, gone: int, new: int) -> str:
        """The places of levels that are the same (n, levels), those of missing values, and of all others."""
        places = self.constant(np.array([[k - new for k, _ in known]]))
        place = self.node("Mul", self.node("Cast", same, to=_INT64), places)
        place = self.node(
            "Add", self.node("ReduceSum", place, self._axis(), keepdims=0), self.constant(np.array([new]))
        )
        return self.node("Where", lost, self.constant(np.array([gone])), place)

    def _text_codes(self, factor: Factor, flat: str, known: Sequence[tuple[int, Any]], gone: int, new: int) -> str:
        keys = {str(level): k for k, level in known}
        if not set(_MISSING) - keys.keys():
            every = ", ".join(map(repr, _MISSING))
            raise EvenOddsError(f"{factor.name} has the levels {every}: ONNX has no missing text but these.")
        keys = {**{text: gone for text in _MISSING if text not in keys}, **keys}
        if any("\0" in key for key in keys):
            raise EvenOddsError(f"{factor.name} has a level with a NUL character, which ONNX cannot hold.")
        own: dict[str, Any] = {"keys_strings": list(keys), "values_int64s": list(keys.values()), "default_int64": new}
        return self.node("LabelEncoder", flat, domain="ai.onnx.ml", **own)

    def looked_up(self, factors: Sequence[Factor], weights: Array) -> str:
        """Rows (n, K) by the levels of factors, an axis of the array each, the last that of K; NaN for no level."""
        place, count = "", 1
        for axis, factor in enumerate(factors):
            weights = np.insert(weights, weights.shape[axis], math.nan, axis=axis)
            code = self.codes(factor)
            size = len(factor.levels) + 1
            if place:
                code = self.node("Add", self.node("Mul", place, self.constant(np.array([size]))), code)
            place = code
            count *= size
        return self.node("Gather", self.constant(np.ascontiguousarray(weights.reshape(count, -1))), place, axis=0)


_INT64 = 7  # of onnx.TensorProto


def _twice(found: Polynomials) -> Polynomials:
    """One polynomial as two of the same, so that a row without a value has a piece too."""
    return replace(found, centres=np.repeat(found.centres, 2), coefs=np.repeat(found.coefs, 2, axis=0))
