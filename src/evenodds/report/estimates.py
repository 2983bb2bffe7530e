"""The coefficients of a report, the tests of terms, the rows that move them, and how well the optimum is known."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from ..arrays import Array
from ..cross_validation import LogisticRegressionCV
from ..design import Factor
from ..exceptions import EvenOddsError
from ..inference import Certificate, Inference, infer
from ..inference.display import number, p_cell, printable, sheet, shortened
from ..inference.publication import Column, Style
from ..inference.terms import bends_of, terms_of
from ..inference.wide import in_matrices
from ..solvers import Status
from .rows import Model, Rows, fit_of

_MOST_INFERRED = 1000  # coefficients, of which a covariance still fits onto any machine
_MOST_MEASURED = 3 * 10**7  # numbers in the table of influence
MOST_ROWS = 150  # of the table of coefficients
_MOST_INFLUENTIAL = 10
_FAR = 0.01  # standard errors from the optimum that are not next to nothing
_WIDTH = 80


@dataclass(frozen=True)
class Coefficient:
    """A line. kind : "class", "reference" or "coef"; note : words in the place of numbers"""

    name: str
    kind: str
    cells: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Table:
    """The coefficients.

    facts : how the model fits as a whole; lines, remarks : in words
    left_out : how many coefficients are not shown
    """

    title: str
    headings: tuple[str, ...]
    rows: list[Coefficient]
    facts: list[tuple[str, str]]
    lines: list[str]
    remarks: list[str]
    left_out: int


@dataclass(frozen=True)
class Influential:
    """Measures of the rows: cook, leverage and residual (n,), and the most influential ones as cells."""

    cook: Any
    leverage: Any
    residual: Any
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def inferred(model: Model, rows: Rows) -> tuple[Inference | None, str]:
    """What `infer` says of a fit, or why there is nothing to infer."""
    fit = fit_of(model)
    if fit.solver == "sgd" or type(fit.solver).__name__ == "SGD":
        return None, "There are no standard errors: they belong to an optimum, which gradient descent only approaches."
    count = fit.coef_.shape[1] * (fit.classes_.size - 1)
    if in_matrices(fit) > _MOST_INFERRED:
        return None, f"There are no standard errors: {count:,} coefficients are too many for a matrix of covariances."
    known = getattr(fit, "design_", None) is not None and fit.design_.target is not None
    y = None if known and fit.design_.target == rows.target else rows.y
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what they say is in the remarks
            return infer(fit, rows.X, y, rows.sample_weight, rows.offset), ""
    except EvenOddsError as error:
        return None, f"There are no standard errors. {error}"


def table_of(result: Inference) -> Table:
    """The table of a fit with standard errors; of very many coefficients those that are furthest from 0."""
    chosen = _furthest(np.abs(result.z.ravel()), MOST_ROWS)
    page, paper = sheet(result, chosen), Column(result, Style(), chosen)
    rows = []
    for (line, cells), printed in zip(paper.lines(), page.rows, strict=True):
        name = shortened(line.name, _WIDTH)
        if line.kind == "class":
            rows.append(Coefficient(name, "class"))
        elif line.kind == "reference":
            rows.append(Coefficient(name, "reference", note="reference"))
        elif printed.note is not None:
            rows.append(Coefficient(name, "coef", note=printed.note))
        else:
            rows.append(Coefficient(name, "coef", (*cells, printed.cells[0], printed.cells[1])))
    headings = (*paper.headings, "coefficient", "standard error")
    left_out = result.coef.size - len(chosen)
    remarks = page.remarks if result.certificate is None else page.remarks[:-1]
    return Table(page.title, headings, rows, page.facts, page.lines, remarks, left_out)


def _furthest(size: Array, most: int) -> set[int]:
    order = np.argsort(-np.nan_to_num(size, nan=np.inf), kind="stable")[:most]
    return set(order.tolist())


def plain_table(model: Model) -> Table:
    """The table of a fit without standard errors: coefficients that are not 0, the largest."""
    fit = fit_of(model)
    names = list(map(printable, fit._names or [f"x{j}" for j in range(fit.n_features_in_)]))
    labels, coef = fit.classes_.tolist(), fit._coef
    several = len(labels) > 2
    chosen = _furthest(np.abs(coef.ravel()), MOST_ROWS)
    rows = []
    for k, (level, slopes) in enumerate(zip(fit.intercept_, coef, strict=True)):
        if several:
            rows.append(Coefficient(printable(labels[k]), "class"))
        if fit.fit_intercept:
            rows.append(_plain("(intercept)", float(level)))
        rows += [
            _plain(shortened(name, _WIDTH), float(slope))
            for j, (name, slope) in enumerate(zip(names, slopes, strict=True))
            if slope != 0 and k * len(names) + j in chosen
        ]
    zeros = int(np.count_nonzero(coef == 0))
    remarks = [f"{zeros:,} of {coef.size:,} coefficients are 0 and not shown."] if zeros else []
    what = "Scores of each class" if several else f"Log odds of {printable(labels[1])} against {printable(labels[0])}"
    left_out = max(int(np.count_nonzero(coef)) - MOST_ROWS, 0)
    return Table(what, ("factor" if several else "odds ratio", "coefficient"), rows, [], [], remarks, left_out)


def _plain(name: str, coef: float) -> Coefficient:
    with np.errstate(over="ignore"):
        return Coefficient(name, "coef", (number(float(np.exp(coef)), 4), number(coef, 5)))


def tests_of_terms(result: Inference) -> list[tuple[str, str, str, str]]:
    """Wald's tests of terms with several coefficients, and of curves: name, chi-squared, df and p."""
    least = 1 if len(result.listed) > 1 else 2
    names = [name for name, places in terms_of(result).items() if len(places) >= least]
    bends = {term: name for name, (term, _) in bends_of(result).items()}
    found = []
    for name in [one for term in names for one in (term, bends.get(term)) if one is not None][:MOST_ROWS]:
        try:
            test = result.test(f"`{name}`")
        except EvenOddsError:  # no standard error, or a name that has other signs than a restriction can hold
            continue
        found.append((shortened(printable(name), _WIDTH), f"{test.statistic:.4g}", f"{test.df}", p_cell(test.p_value)))
    return found


def many_levels(result: Inference) -> list[tuple[str, ...]]:
    """Of each factor of very many levels how far they are apart, of each class: cells."""
    found = []
    for name, places in terms_of(result).items():
        if len(places) <= MOST_ROWS:
            continue
        for c, coef in enumerate(result.coef.reshape(len(result.listed), -1)[:, places]):
            known = np.flatnonzero(np.isfinite(coef) & np.isfinite(result.se.reshape(-1, len(result.names))[c, places]))
            if not known.size:
                continue
            low, middle, high = np.quantile(coef[known], [0.05, 0.5, 0.95])
            order = known[np.argsort(coef[known], kind="stable")]
            ends = [_levels(result, name, [places[k] for k in some]) for some in (order[:3], order[::-1][:3])]
            whose = f"{name} ({printable(result.listed[c])})" if len(result.listed) > 1 else name
            numbers = (f"{coef[known].std():.3g}", f"{low:.3g}", f"{middle:.3g}", f"{high:.3g}")
            found.append((shortened(printable(whose), _WIDTH), f"{known.size:,} of {coef.size:,}", *numbers, *ends))
    return found


def _levels(result: Inference, term: str, places: Sequence[int]) -> str:
    """Some levels of a term, by what stands in the brackets of their names."""
    names = [result.names[j].removeprefix(f"{term}[").removesuffix("]") for j in places]
    return ", ".join(shortened(printable(name), 24) for name in names)


def separation_words(model: Model, result: Inference | None) -> list[str]:
    """Whether the classes are separated, and by what."""
    status = getattr(fit_of(model), "solution_", None)
    if result is None or result.problem.penalised or result.problem.firth:
        if status is not None and status.status is Status.SEPARATED:
            return ["The classes are separated: without a penalty the coefficients grow without end."]
        return ["The fit has a penalty, so that its coefficients are finite whether or not the classes are separated."]
    if result.limit is None:
        return ["The classes overlap: no combination of the columns separates them, so that the best fit is finite."]
    names = [printable(name) for name, note in result.notes.items() if note.startswith("infinite")]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    infinite = f" Infinite are the coefficients of {', '.join(names[:10])}{more}." if names else ""
    return [
        "The classes are separated: some combination of the columns knows the class of some rows with certainty, and "
        f"the likelihood has no maximum.{infinite} Ask how such columns can know the answer; Firth's fit "
        "(firth=True) or a ridge (C=1) is finite.",
    ]


def certificate_words(model: Model, result: Inference | None) -> list[str]:
    """How far the coefficients can be from the optimum, in words."""
    fit = fit_of(model)
    solution = getattr(fit, "solution_", None)
    said = []
    if solution is not None:
        status = str(solution.status)
        said.append(
            f"The fit ended as {status}, after {solution.iterations:,} iterations and {solution.passes:,} reads of the "
            f"rows, at a mean loss of {solution.loss:.6g}."
        )
    certificate = None if result is None else result.certificate
    if certificate is not None:
        said.append(_of_certificate(certificate))
    elif solution is not None and np.isfinite(solution.gap):
        exact = "at most" if fit.l1_ratio > 0 else "about"
        said.append(f"The loss is {exact} {solution.gap:.1e} above its minimum, by what the solver knows of it.")
    if isinstance(model, LogisticRegressionCV):
        said.append(
            f"The penalty was chosen by cross-validation (rule {model.rule}): C = {model.C_:.4g}, "
            f"l1_ratio = {model.l1_ratio_:g}."
        )
    return said


def _of_certificate(certificate: Certificate) -> str:
    if not certificate.proved:
        return "Nothing is proved of the distance to the optimum: the coefficients are too far from it."
    far = f"no coefficient is further than {certificate.error:.1e} of its own standard errors from the best one"
    if certificate.error > _FAR:
        return f"It is proved that {far}, which is not close: fit with a smaller tol."
    return (
        f"It is proved that the mean loss is at most {max(certificate.gap, 0):.1e} above its minimum, and that {far}. "
        "A standard error is how far chance moves a coefficient: the fit adds next to nothing to that."
    )


def influential(result: Inference, rows: Rows) -> tuple[Influential | None, str]:
    """The rows that the fit hangs on, or why they are not known."""
    if not result.whole.wide and rows.kept.size * result.coef.size > _MOST_MEASURED:
        return None, f"{rows.kept.size:,} rows and {result.coef.size:,} coefficients are too many to measure here."
    design = getattr(result.model, "design_", None)
    y = None if design is not None and design.target is not None and design.target == rows.target else rows.y
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = result.influence(rows.X, y, sample_weight=rows.sample_weight, offset=rows.offset)
    except EvenOddsError as error:
        return None, str(error)
    frame = nw.from_native(found, eager_only=True)
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    cook, leverage = columns["cooks_distance"], columns["leverage"]
    residual = columns["studentized" if "studentized" in columns else "deviance"]
    known = np.flatnonzero(np.isfinite(cook))
    top = known[np.argsort(-cook[known], kind="stable")[:_MOST_INFLUENTIAL]]
    own = {int(row): k for k, row in enumerate(rows.kept)}
    labels = result.classes
    cells = [
        (
            f"{row:,}",
            shortened(printable(labels[rows.codes[own[row]]]), 24),
            f"{rows.P[own[row], rows.codes[own[row]]]:.3g}",
            f"{leverage[row]:.3g}",
            f"{residual[row]:.3g}",
            f"{cook[row]:.3g}",
            _most_moved(result, columns, row),
        )
        for row in map(int, top)
        if row in own
    ]
    headings = ("row", "class", "probability of it", "leverage", "residual", "Cook's distance", "moves most")
    return Influential(cook, leverage, residual, headings, cells), ""


def _most_moved(result: Inference, columns: dict[str, Any], row: int) -> str:
    """The coefficient that the row moves most, in its standard errors."""
    keys = result.problem.keys
    if result.whole.wide:  # which no row is asked about
        return ""
    moves = np.array([columns[f"dfbeta_{key}"][row] for key in keys]) / result.se.ravel()
    moves[~np.isfinite(moves)] = 0.0
    j = int(np.abs(moves).argmax())
    return f"{shortened(printable(keys[j]), 32)} by {moves[j]:+.2f} standard errors" if moves[j] else ""


def most_telling(result: Inference, names: Sequence[str], most: int) -> list[str]:
    """The columns with the largest z among the coefficients of the terms that hold them, in the order of the table."""
    design = getattr(result.model, "design_", None)
    size = np.nan_to_num(np.abs(result.z.reshape(-1, len(result.names))).max(axis=0), nan=0.0, posinf=0.0)
    first = len(result.names) - len(result.names[int(bool(result.model.fit_intercept)) :])
    found = {}
    for name in names:
        if design is None:
            places = [first + k for k, one in enumerate(result.names[first:]) if one == name]
        else:
            atoms = {k for k, atom in enumerate(design.atoms) if name in (atom.name, *atom.expression.columns())}
            terms = [term.name for term in design.terms if term.members & atoms]
            if any(len(design.atoms[k].levels) > MOST_ROWS for k in atoms if isinstance(design.atoms[k], Factor)):
                continue  # a curve of so many points is none
            places = [first + k for term in terms for k in design.columns_of[term]]
        found[name] = max((float(size[j]) for j in places), default=0.0)
    chosen = set(sorted(found, key=lambda name: -found[name])[:most])
    return [name for name in names if name in chosen]
