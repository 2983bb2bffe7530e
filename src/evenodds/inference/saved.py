"""What a model file keeps of an `Inference`: the numbers of its table, their covariance and the certificate.

The rows of a fit stay at home, and with them what needs rows. The table is kept as it is printed, so that it reads the
same wherever the file goes.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..arrays import Array
from ..exceptions import EvenOddsError
from . import display
from .display import Row, Sheet
from .record import Inference

_MOST = 3000  # coefficients of a covariance that was not made yet
_NUMBERS = ("coef", "se", "z", "p_value", "lower", "upper")


@dataclass(frozen=True, eq=False, repr=False)
class SavedInference:
    """The numbers of an `Inference` of a model that was saved with them.

    Attributes
    ----------
    names : tuple of k str
        The coefficients.
    listed : tuple
        The classes that have coefficients: of two the second.
    coef, se, z, p_value, lower, upper : ndarray of shape (k,), or (m, k) for m classes of more than two
        As of the `Inference`; lower and upper are the ends of the intervals.
    covariance : ndarray of shape (k, k), or (m k, m k)
    level, cov, weights, n_obs, log_likelihood
        As of the `Inference`.
    certificate : dict or None
        decrement, reach, proved, gap and error of the proof of the distance to the optimum.
    table : Sheet
        The table, which `print` shows.
    """

    names: tuple[str, ...]
    listed: tuple[Any, ...]
    coef: Array
    se: Array
    z: Array
    p_value: Array
    lower: Array
    upper: Array
    covariance: Array
    level: float
    cov: str
    weights: str
    n_obs: float
    log_likelihood: float
    certificate: dict[str, Any] | None
    table: Sheet

    def __str__(self) -> str:
        return display.text_of(self.table)

    def __repr__(self) -> str:
        return display.text_of(self.table)


def saved(result: Inference) -> SavedInference:
    """What is kept of a result; an error where its covariance is no size for a file."""
    if result.raw_covariance is None and len(result.names) > _MOST:
        raise EvenOddsError(
            f"A covariance of {len(result.names):,} coefficients is too large for a model file: save the model without "
            "the result."
        )
    proof = result.certificate
    names = ("decrement", "reach", "proved", "gap", "error")
    return SavedInference(
        names=result.names,
        listed=result.listed,
        coef=result.coef,
        se=result.se,
        z=result.z,
        p_value=result.p_value,
        lower=result.conf_int[..., 0],
        upper=result.conf_int[..., 1],
        covariance=result.covariance,
        level=result.level,
        cov=result.cov,
        weights=result.weights,
        n_obs=result.n_obs,
        log_likelihood=result.log_likelihood,
        certificate=None if proof is None else {name: getattr(proof, name) for name in names},
        table=display.sheet(result),
    )


def recorded(kept: SavedInference) -> dict[str, Any]:
    """As JSON can hold it; of the covariance, which is symmetric, the rows up to the diagonal."""
    found = {field.name: getattr(kept, field.name) for field in fields(kept)}
    page = kept.table
    table = {field.name: getattr(page, field.name) for field in fields(page)}
    table["rows"] = [[row.name, list(row.cells), row.note] for row in page.rows]
    numbers = {name: np.ravel(found[name]) for name in _NUMBERS}
    lower = [row[: k + 1] for k, row in enumerate(np.atleast_2d(kept.covariance))]
    return found | numbers | {"covariance": lower, "table": table}


def restored(found: dict[str, Any]) -> SavedInference:
    """Of a record that the schema has found valid.

    Raises
    ------
    EvenOddsError
        If its lists are not as long as each other.
    """
    names, listed = tuple(found["names"]), tuple(found["listed"])
    shape = (len(names),) if len(listed) == 1 else (len(listed), len(names))
    size = len(names) * len(listed)
    lists = [len(found[name]) == size for name in _NUMBERS]
    rows = found["covariance"]
    if not all(lists) or [len(row) for row in rows] != list(range(1, size + 1)):
        raise EvenOddsError(f'"inference" has lists that are not of the {size} coefficients that it names.')
    covariance = np.full((size, size), np.nan)
    for k, row in enumerate(rows):
        covariance[k, : k + 1] = covariance[: k + 1, k] = _doubles(row)
    table = found["table"]
    facts, body = [(name, text) for name, text in table["facts"]], table["rows"]
    headings = tuple(table["headings"])
    if any(cells and len(cells) != len(headings) for _, cells, _ in body):
        raise EvenOddsError('"inference", "table" has rows that are not as long as its headings.')
    page = Sheet(
        table["title"],
        facts,
        table["lines"],
        headings,
        [Row(name, tuple(cells), note) for name, cells, note in body],
        table["remarks"],
    )
    arrays: dict[str, Any] = {name: _doubles(found[name]).reshape(shape) for name in _NUMBERS}
    single: dict[str, Any] = {name: _double(found[name]) for name in ("level", "n_obs", "log_likelihood")}
    proof = found["certificate"]
    if proof is not None:
        proof = {name: value if name == "proved" else _double(value) for name, value in proof.items()}
    return SavedInference(
        names,
        listed,
        covariance=covariance,
        cov=found["cov"],
        weights=found["weights"],
        certificate=proof,
        table=page,
        **arrays,
        **single,
    )


def _double(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _doubles(values: list[Any]) -> Array:
    return np.array([_double(value) for value in values], dtype=np.float64)
