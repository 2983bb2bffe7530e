"""The one family of errors, and the warnings that a user can filter."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from numbers import Integral

import numpy as np
from numpy.typing import NDArray


class EvenOddsError(ValueError):
    """Something in the data or the call is wrong: the message says what, where and what to do."""


class KindError(EvenOddsError, TypeError):
    """A value is of a kind that is no number: a TypeError as well, as Python and scikit-learn have it."""


class SeparationWarning(UserWarning):
    """The columns separate the classes: the maximum-likelihood estimate is not finite."""


class CollinearWarning(UserWarning):
    """Columns are linear combinations of others: they are left out of the fit and reported as aliased."""


class NonFiniteError(EvenOddsError):
    """X holds NaN or infinity, in a column (its name or its number) of a row, in the words of the home."""

    def __init__(self, where: str, column: str | int, value: float) -> None:
        kind = "NaN" if value != value else "infinity"
        super().__init__(
            f"Input X contains {kind}, first in column {column!r}, {where}. "
            "Drop or impute such rows before fitting, for example with sklearn.impute.SimpleImputer."
        )


def is_one_of(value: object, words: Container[object]) -> bool:
    """Whether an argument is one of a few words; an array, for one, would not know whether it is equal to one."""
    return (value is None or isinstance(value, str)) and value in words


def words_of(error: Exception) -> str:
    """What an error of NumPy's says, with its scalars as the values that they hold."""
    return re.sub(r"np\.\w+\((.*?)\)", r"\1", str(error))


def require_text(**given: object) -> None:
    """An error for an argument that is neither text nor None."""
    for name, value in given.items():
        if not isinstance(value, str | None):
            raise EvenOddsError(f"{name} is text, not a {type(value).__name__}.")


def texts_of(what: str, given: object) -> list[str]:
    """The texts of an argument that is a list of them; one text alone is no list of letters."""
    if isinstance(given, Iterable) and not isinstance(given, str | Mapping):
        with suppress(TypeError):  # an array without an axis says that it can be walked
            return list(map(str, given))
    raise EvenOddsError(f"{what} is a list of texts, not a {type(given).__name__}.")


def require_count(least: int, **given: object) -> None:
    """An error for an argument that is no integer, or a smaller one."""
    for name, value in given.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise EvenOddsError(f"{name} is an integer, {least} or more, got {value!r:.80}.")


def require_flags(**given: object) -> None:
    """An error for an argument that is neither true nor false."""
    for name, value in given.items():
        if not isinstance(value, bool | np.bool_):
            raise EvenOddsError(f"{name} is True or False, got {value!r}.")


@contextmanager
def within_range() -> Iterator[None]:
    """What fits and inference compute in: NumPy does not warn, and where the numbers end, one error of ours says so.

    On the way to an answer numbers overflow and vanish, which the checks of each part look after; a warning would name
    a line of code that the user does not know.
    """
    with np.errstate(all="ignore"):
        try:
            yield
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            raise EvenOddsError(
                "The numbers are too large, too small or too far apart to compute this "
                f"({str(error).rstrip('.').lower()}). Look at the largest and smallest values of the columns, weights "
                "and offsets, and at C; multiply columns, or all weights, by a power of ten."
            ) from error


def require_range(*arrays: NDArray[np.float64]) -> None:
    """An error, which `within_range` puts into words, if an answer has left the range of numbers."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise OverflowError("the coefficients or their loss are not finite")
