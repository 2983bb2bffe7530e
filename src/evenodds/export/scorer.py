"""A fitted model as its exports need it: what goes in, the coefficients, and numbers as a tree of operations.

An export is a language: it says how a column, a number, an operation and a piecewise polynomial are written. What is
made of them is the same in every language, and is here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..arrays import Array
from ..design import Factor, Number, Part
from ..exceptions import EvenOddsError, require_text
from ..model import LogisticRegression

if TYPE_CHECKING:
    from ..design import Design, Expression
    from .polynomials import Polynomials

T = TypeVar("T")


class Language(Protocol[T]):
    """How an export writes what a row is computed from. What has no value in a row is NULL, or NaN."""

    def number(self, value: float) -> T:
        """A number that is the same in all rows."""

    def column(self, name: str) -> T:
        """A column as doubles, filled in where the model fills it in."""

    def missing(self, name: str) -> T:
        """1 where a column has no value, else 0."""

    def arithmetic(self, sign: str, a: T, b: T) -> T:
        """The sum, difference, product, quotient or power of two."""

    def function(self, name: str, a: T) -> T:
        """A function of one."""

    def polynomials(self, found: "Polynomials", a: T) -> list[T]:
        """The columns of a basis."""


@dataclass(frozen=True)
class Scorer:
    """What the scores of a fitted model are made of.

    inputs : the names of the columns that it takes
    design : what makes numbers of them; None where they are numbers themselves
    names : what has coefficients
    intercepts, coef : (K,) and (p, K), one score for two classes, else one a class; an intercept can be infinite
    labels : the classes
    """

    model: LogisticRegression
    inputs: tuple[str, ...]
    design: "Design | None"
    intercepts: Array
    coef: Array
    labels: tuple[Any, ...]

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.labels) == 2

    def taken_apart(self, block: "Sequence[Part]") -> "tuple[list[Number], list[tuple[Part, Factor]], list[int], int]":
        """The numbers and the factors that a block multiplies, the levels shown of each factor, and all its columns."""
        assert self.design is not None
        atoms = [(part, self.design.atoms[part.atom]) for part in block]
        numbers = [atom for _, atom in atoms if isinstance(atom, Number)]
        factors = [(part, atom) for part, atom in atoms if isinstance(atom, Factor)]
        shape = [len(factor.shown(part.full)) for part, factor in factors]
        return numbers, factors, shape, int(np.prod(shape)) * int(np.prod([number.columns for number in numbers]))


def scorer_of(model: object, action: str) -> Scorer:
    """The scorer of a fitted model.

    action : what is done with it, for the error where there is none
    """
    fit = getattr(model, "estimator_", model)  # of a cross-validation, what it ended with
    if type(fit) is not LogisticRegression:
        raise EvenOddsError(f"A {type(fit).__name__} cannot be {action}, only a fitted evenodds.LogisticRegression.")
    try:
        check_is_fitted(fit)
    except NotFittedError:
        raise EvenOddsError(f"This LogisticRegression is not fitted: call fit before it is {action}.") from None
    names = getattr(fit, "feature_names_in_", None)
    inputs = [f"x{k}" for k in range(fit.n_features_in_)] if names is None else names.tolist()
    return Scorer(
        fit,
        tuple(inputs),
        getattr(fit, "design_", None),
        np.asarray(fit.intercept_, dtype=np.float64),
        np.asarray(fit._coef, dtype=np.float64).T,
        tuple(fit.classes_.tolist()),
    )


def values_of(atom: "Number", language: Language[T]) -> list[T]:
    """The columns of an atom of numbers."""
    from .polynomials import BASES, polynomials_of

    if atom.expression.operation in BASES:
        return language.polynomials(polynomials_of(atom), written(atom.expression.args[0], language))
    return [written(atom.expression, language)]


def written(expression: "Expression", language: Language[T]) -> T:
    """An expression of one number a row."""
    name, args = expression.operation, expression.args
    if name == "column":
        return language.column(args[0])
    if name == "missing":
        return language.missing(args[0])
    if name == "number":
        return language.number(float(args[0]))
    inner = [written(arg, language) for arg in args]
    if name in ("center", "scale"):
        shifted = language.arithmetic("-", inner[0], language.number(expression.state["mean"]))
        if name == "center":
            return shifted
        return language.arithmetic("/", shifted, language.number(expression.state["deviation"]))
    if len(inner) == 2:
        return language.arithmetic(name, *inner)
    return language.function(name, inner[0])


def by_level(weights: Array, factors: Sequence[tuple[Part, Factor]], shape: Sequence[int]) -> Array:
    """The coefficients of a block by the levels of its factors, one axis each; 0 for those without a column."""
    found = weights.reshape(shape, order="F")
    for axis, (part, factor) in enumerate(factors):
        if not part.full:
            place = factor.levels.index(factor.reference)
            found = np.insert(found, place, 0.0, axis=axis)
    return found


def offset_of(scorer: Scorer, given: str | None) -> str | None:
    """The column that is added to the score: what is given, or else the one that the model was fitted with."""
    require_text(offset=given)
    found = scorer.design.offset if given is None and scorer.design is not None else given
    if found is not None and not scorer.binary:
        raise EvenOddsError("offset is one column, and more than two classes have an offset each.")
    return found
