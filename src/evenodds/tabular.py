"""`fit_table`: a table as it is, and a formula or the name of its target, to a fitted model that remembers both."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoDataFrame

from .arrays import Values
from .data.scan import Scan
from .design import Design, Scanned, encoded, is_formula, is_positive, learn, left_side
from .exceptions import EvenOddsError
from .labels import is_label, kept_labels
from .model import LogisticRegression
from .naming import is_called, known_column, listed_labels
from .table import is_frame, unique_names


def fit_table(
    formula_or_target: str,
    frame: object,
    *,
    missing: str = "error",
    unseen: str = "error",
    positive: object = None,
    reference: Mapping[str, Any] | None = None,
    weight: str | None = None,
    offset: str | None = None,
    **parameters: Any,
) -> LogisticRegression:
    """Fit a logistic regression to a table with text, categoricals, booleans and dates.

    Text, categoricals, enums and booleans are factors: each of their levels but the reference has a coefficient, named
    ``carrier[AA]``, which compares it with the reference. The model remembers levels, types, means and knots, and takes
    frames of any package whose columns have these names, in any order and among others.

    Parameters
    ----------
    formula_or_target : str
        The name of the target, which all other columns explain, but the index of a data frame that was saved as a
        column, such as ``Unnamed: 0``, which is left out with a warning; or a formula, such as
        ``"late ~ distance + C(month) + poly(age, 2) + bs(hour, df=4) + distance:carrier"``. In formulas ``C(x)``
        makes a factor of numbers and ``C(x, Treatment("b"))`` names its reference; ``poly``, ``bs`` and ``cr`` are
        polynomials and splines; ``log``, ``exp``, ``sqrt``, ``center``, ``scale`` and arithmetic in ``I(...)`` make
        numbers; ``month``, ``weekday``, ``year``, ``quarter``, ``day``, ``hour`` and ``minute`` make factors of dates.
        Names with spaces stand between backticks, ``.`` is all other columns and ``- 1`` leaves out the intercept.
        Formulas need formulaic (``pip install "evenodds[tables]"``).
    frame : frame of pandas, polars, Arrow, or another that narwhals reads; or a scan
    missing : {"error", "drop", "indicator"}, default="error"
        What happens to missing values. "drop" leaves out rows with one in a column of the model, or in the target, and
        counts them (``model.design_.dropped``); such rows have the probability NaN. "indicator" gives them a
        coefficient: a column ``age[missing]`` beside numbers, which stand at their mean then, and a level
        ``carrier[missing]`` of factors. A missing weight or offset is an error whatever is chosen.
    unseen : {"error", "reference", "missing"}, default="error"
        What happens, in rows to predict, to a level that the fit has not seen: an error, it counts as the reference, or
        as a missing value.
    positive : label, optional
        The label whose log odds are modelled; by default the last in sorting order. Of more than two labels it is
        modelled against all others, ``"not <label>"``. Of numbers it may be a bound, such as ``"> 0"``.
    reference : dict, optional
        References of factors by column, such as ``{"carrier": "AA"}``; by default the first level.
    weight, offset : str, optional
        Columns with the weights of rows, and with offsets of the scores.
    **parameters
        Those of `LogisticRegression`, such as ``C`` and ``firth``.

    Returns
    -------
    LogisticRegression
        Fitted. ``model.design_`` is what it remembers, and ``model.design_.names`` names what ``coef_`` holds.

    Raises
    ------
    EvenOddsError
        If the table or the formula is wrong; the message says what, where and what to do.

    Examples
    --------
    >>> import pandas as pd
    >>> from evenodds import fit_table, infer
    >>> frame = pd.DataFrame({"late": [0, 1, 0, 1, 1, 0, 0, 1], "carrier": list("ABABBCCC"), "hours": range(8)})
    >>> model = fit_table("late", frame, reference={"carrier": "B"}, firth=True)
    >>> model.design_.names
    ('carrier[A]', 'carrier[C]', 'hours')
    >>> infer(model, frame).names
    ('(intercept)', 'carrier[A]', 'carrier[C]', 'hours')
    """
    if not (isinstance(frame, Scan) or is_frame(frame)):
        raise EvenOddsError(
            f"fit_table takes a frame of pandas, polars or Arrow, or a scan, not a {type(frame).__name__}."
        )
    model = LogisticRegression(**parameters)
    names = frame.roles.every if isinstance(frame, Scan) else unique_names(frame)[1]
    formula, target = _meant(formula_or_target, names)
    rows: IntoDataFrame | Scanned
    if not isinstance(frame, Scan):
        rows = frame
    else:
        own = target if formula is None else left_side(formula)
        weight, offset = _beside(frame, own, weight, offset)
        rows = Scanned(frame, [name for name in (own, weight, offset) if name in names], model.n_jobs)
    design = learn(
        rows,
        formula,
        target=target,
        positive=positive,
        weight=weight,
        offset=offset,
        references=reference,
        missing=missing,
        unseen=unseen,
        intercept=bool(model.fit_intercept),
        index=False,
    )
    if design.target is None:
        raise EvenOddsError(f"The formula {formula!r} has no left side: write the target and ~ before it.")
    known_column(design.target, names)
    model.set_params(fit_intercept=design.intercept)
    design, classes = _with_positive(design, frame)
    return model._fit_rows(frame, None, None, None, design, classes)


def _beside(scan: Scan, target: str | None, weight: str | None, offset: str | None) -> tuple[str | None, str | None]:
    """Of rows that are scanned the columns of weights and of the offset, whoever names them."""
    for role, name in {"target": target, "weight": weight, "offset": offset}.items():
        scan.require_role(role, name)
    if len(scan.roles.offset) > 1:
        raise EvenOddsError("fit_table takes one column of offsets: give LogisticRegression the scan with several.")
    return weight or scan.roles.weight, offset or next(iter(scan.roles.offset), None)


def _meant(text: str, names: list[Any]) -> tuple[str | None, str | None]:
    """The formula, or the target, that a text is."""
    if not isinstance(text, str):
        raise EvenOddsError(f"The first argument is a formula or the name of the target, not a {type(text).__name__}.")
    if text in names:
        return None, text
    if is_formula(text):
        return text, None
    return None, known_column(text, names)


def _with_positive(design: Design, frame: Scan | IntoDataFrame) -> tuple[Design, Values | None]:
    """The design with the positive label as the table has it, and the classes in order."""
    if design.positive is None:
        return design, None
    if isinstance(frame, Scan):
        plain = replace(design, positive=None)  # as the rows were read: their labels as they are
        labels = np.unique(kept_labels(list(encoded(frame, plain, False).labels(None)))).tolist()
    else:
        labels = np.unique(kept_labels(nw.from_native(frame, eager_only=True)[str(design.target)].to_native())).tolist()
    if not is_label(design.positive):
        raise EvenOddsError(f"positive is one label of {design.target!r}, not a {type(design.positive).__name__}.")
    found = [label for label in labels if label == design.positive or is_called(label, design.positive)]
    sides = {is_positive(label, design.positive) for label in labels}
    if not found and True in sides:
        if sides == {True}:
            raise EvenOddsError(f"positive={design.positive!r} is true of {design.target!r} in all rows.")
        design = replace(design, rest=True)
        return design, np.array([design.rest_label, design.positive])
    if not found:
        raise EvenOddsError(
            f"positive={design.positive!r} is no label of {design.target!r}, which has {listed_labels(labels, 10)}."
        )
    design = replace(design, positive=found[0], rest=len(labels) > 2)
    others = [design.rest_label] if design.rest else [label for label in labels if label != found[0]]
    return design, np.array([*others, str(found[0]) if design.rest else found[0]])
