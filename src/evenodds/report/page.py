"""`write_report`: what is known of a fit and its rows, laid out in one page."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..cross_validation import LogisticRegressionCV
from ..exceptions import EvenOddsError, require_text, within_range
from ..export import replacing
from ..inference import Inference
from ..inference.display import printable, shortened
from ..model import LogisticRegression
from . import described, estimates, pictures, quality, scoring
from .rows import Model, Rows, scored

_MOST_CLASSES = 6
_LONGEST = 200  # letters of a title


@within_range()
def write_report(
    model: LogisticRegression | LogisticRegressionCV | Inference,
    frame: object,
    path: str | os.PathLike[str] = "report.html",
    target: object = None,
    *,
    sample_weight: object = None,
    offset: object = None,
    cost: tuple[float, float] = (1.0, 1.0),
    title: str | None = None,
) -> Path:
    """Write all that is known of a fit as one HTML page, which works offline and asks for nothing else.

    The data, the coefficients with a forest plot, probabilities along the columns that tell most, ROC,
    precision-recall and calibration, a confusion table, separation, influential rows, how well the optimum is known,
    and how to score. Good on a phone, in the dark and printed.

    Parameters
    ----------
    model : LogisticRegression, LogisticRegressionCV or Inference
        Fitted, or what `infer` returned, with its covariance and level.
    frame : frame, array or sparse matrix
        The rows that the model was fitted on. A frame may have other columns beside those of the model.
    path : path-like, default="report.html"
        The file. It is replaced if it is there, and only after the new one is complete.
    target : str or array-like, optional
        The column of the labels, or the labels. Models of `fit_table` know theirs.
    sample_weight, offset : array-like of shape (n_samples,), optional
        As in the fit; by default those of the columns that `fit_table` was given.
    cost : (float, float), default=(1, 1)
        What a false positive and a false negative cost: of two classes a row is called positive where that costs less,
        from the probability ``cost[0] / (cost[0] + cost[1])`` on.
    title : str, optional
        Of the page; by default what the fit is of.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    EvenOddsError
        If the model is not fitted, or these are not rows that it takes.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from evenodds import fit_table, write_report
    >>> frame = pd.DataFrame({"late": [0, 1, 0, 1, 1, 0, 0, 1], "carrier": list("ABABBCCC"), "hours": range(8)})
    >>> model = fit_table("late", frame, firth=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(model, frame, f"{folder}/report.html").read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    known = model if isinstance(model, Inference) else None
    fitted: Model = known.model if known is not None else model
    _require_fitted(fitted)
    costs = quality.checked_cost(cost, fitted.classes_.size)
    rows = scored(fitted, frame, target, sample_weight, offset)
    environment = Environment(
        loader=PackageLoader("evenodds.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["parted"] = _parted
    require_text(title=title)
    facts = _facts(fitted, known, rows, costs, title)
    text = environment.get_template("page.html.jinja").render(facts)
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return Path(path)


def _require_fitted(model: object) -> None:
    if not isinstance(model, LogisticRegression | LogisticRegressionCV):
        raise EvenOddsError(f"write_report takes a fitted LogisticRegression, got a {type(model).__name__}.")
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise EvenOddsError("This model is not fitted: call fit before write_report.") from None


def _facts(
    model: Model, known: Inference | None, rows: Rows, cost: tuple[float, float], title: str | None
) -> dict[str, Any]:
    """All that the template says."""
    from .. import __version__  # not at the top: the package itself may import this module

    result, why_not = (known, "") if known is not None else estimates.inferred(model, rows)
    table = estimates.plain_table(model) if result is None else estimates.table_of(result)
    found = quality.discriminations(model, rows)
    labels = [shortened(printable(label), 40) for label in model.classes_.tolist()]
    data = described.described(model, rows)
    is_certain = result is not None and result.limit is not None and not result.limit.rows.size
    target = "" if rows.target is None else f"{printable(rows.target)}: "
    influential, not_measured = (None, why_not) if result is None else estimates.influential(result, rows)
    return {
        "title": shortened(printable(title or f"{target}{table.title}"), _LONGEST),
        "version": __version__,
        "glance": [*data.facts[:2], *_glance(rows, found)],
        "data": data,
        "most_columns": described.MOST_COLUMNS,
        "table": table,
        "why_not": why_not,
        "terms": [] if result is None or result.limit is not None else estimates.tests_of_terms(result),
        "levels": [] if result is None else estimates.many_levels(result),
        "forest": pictures.forest(model, result),
        "effects": [] if result is None or is_certain else list(pictures.effects_of(result, rows)),
        "found": found,
        "quality": list(_quality(model, rows, found, labels)),
        "labels": labels,
        "confusion": _confusion(model, rows, cost),
        "separation": estimates.separation_words(model, result),
        "influential": influential,
        "influence": None
        if influential is None or result is None or not influential.rows
        else pictures.influence(influential, rows, result),
        "not_measured": not_measured,
        "certificate": estimates.certificate_words(model, result),
        "chosen": pictures.chosen_penalty(model) if isinstance(model, LogisticRegressionCV) else None,
        "ways": scoring.ways(model),
    }


def _parted(name: str) -> Markup:
    """The name of a coefficient, whose line may break before its level."""
    return Markup("<wbr>[").join(name.split("["))


def _glance(rows: Rows, found: list[quality.Discrimination]) -> Iterator[tuple[str, str]]:
    """The numbers that are asked for first."""
    if len(found) == 1 and rows.P.shape[1] == 2:
        yield "area under the ROC curve", f"{found[0].auc:.3f}"
    elif found:
        yield "mean area under the ROC curves", f"{sum(one.auc for one in found) / len(found):.3f}"
    yield "most probable class is right", described.percent(quality.correct(rows))
    yield "mean log loss", f"{quality.log_loss(rows):.4f}"
    yield "Brier score", f"{quality.brier(rows):.4f}"


def _quality(
    model: Model, rows: Rows, found: list[quality.Discrimination], labels: list[str]
) -> Iterator[pictures.Picture]:
    if found:
        yield pictures.roc(found)
        yield pictures.precision_recall(found)
    which = [1] if len(labels) == 2 else list(range(min(len(labels), _MOST_CLASSES)))
    yield pictures.calibration([quality.calibrated(rows, c) for c in which], [labels[c] for c in which])


def _confusion(model: Model, rows: Rows, cost: tuple[float, float]) -> dict[str, Any]:
    """The table of classes by what is called, and of two classes what thresholds would do."""
    if model.classes_.size > 2:
        labels, table = quality.confusion(model, rows)
        return {"labels": labels, "counts": list(map(quality.counted, table)), "chosen": None, "thresholds": []}
    labels = [shortened(printable(label), 24) for label in model.classes_.tolist()]
    chosen, every = quality.called(rows, cost)
    total = float(rows.weight.sum())
    counts = [
        [round(part * total, 6) for part in pair]
        for pair in ((chosen.true_negative, chosen.false_positive), (chosen.false_negative, chosen.true_positive))
    ]
    first = float(rows.weight[~rows.of_second].sum()) / total
    return {
        "labels": labels,
        "counts": [quality.counted(row) for row in counts],
        "chosen": chosen,
        "thresholds": every,
        "cost": [f"{one:g}" for one in cost],
        "always": [f"{(1 - first) * cost[1]:.4g}", f"{first * cost[0]:.4g}"],
    }
