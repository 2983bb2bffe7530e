"""Tests of hypotheses about several coefficients: Wald's of linear restrictions, likelihood ratios of nested fits."""

import difflib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
from scipy.special import chdtrc

from ..arrays import Array
from ..data import Block
from ..exceptions import EvenOddsError
from ..objective.softmax import dense_design
from .certain import signs_of
from .factored import distance
from .problem import Problem, fingerprint
from .profile import constrained_maximum, maxima, require_lower
from .terms import bends_of, products_of, terms_of
from .wide import LowRank, wide_term

if TYPE_CHECKING:
    from .record import Inference

_SAME_SPAN = 1e-6  # of a column's size: what a nested model may leave unexplained


@dataclass(frozen=True)
class TestResult:
    """A test against chi-squared.

    statistic : what is compared; df : degrees of freedom; p_value : the chance of more under the hypothesis
    hypothesis : in words
    """

    __test__ = False  # pytest would take the class for one of its own

    statistic: float
    df: int
    p_value: float
    hypothesis: str

    def __str__(self) -> str:
        words = self.hypothesis[0].upper() + self.hypothesis[1:]
        return f"{words}: chi-squared {self.statistic:.4g} on {self.df} df, {p_text(self.p_value)}"


def p_text(p: float) -> str:
    """A p-value as it is printed."""
    return "p < 1e-16" if p < 1e-16 else f"p = {p:.3g}"


def chi_squared(statistic: float, df: int, hypothesis: str) -> TestResult:
    """The result of a statistic; NaN has no p-value, and nothing to test has p = 1."""
    p = float(chdtrc(df, statistic)) if df > 0 else (1.0 if statistic == statistic else np.nan)
    return TestResult(statistic, df, p, hypothesis)


def wald(result: "Inference", restrictions: str) -> TestResult:
    """Wald's test of linear restrictions, given as text."""
    if isinstance(result.theta_covariance, LowRank) and isinstance(restrictions, str):
        terms, name = terms_of(result), restrictions if restrictions in terms_of(result) else _unquoted(restrictions)
        own = terms.get(_in_other_orders(name, result).get(name, name), [])
        columns = np.array(own, dtype=np.intp)
        se = result.se.reshape(-1, len(result.names))[:, columns[result.problem.estimated[columns]]]
        if se.size and not np.isnan(se).any():
            statistic, df = wide_term(result.problem, result.theta_covariance, columns)
            if np.isnan(statistic):
                raise _singular(result, df)
            return chi_squared(statistic, df, _of_wald(restrictions))
    R, q = _parse(restrictions, result)
    return tested(result, R, q, _of_wald(restrictions))


def _unquoted(text: str) -> str:
    """A text, or the name that it quotes as a whole."""
    quoted = re.fullmatch(r"\s*`([^`]*)`\s*", text)
    return text.strip() if quoted is None else quoted[1]


def _of_wald(restrictions: str) -> str:
    return f"Wald test of {' '.join(restrictions.split())}"


def tested(result: "Inference", R: Array, q: Array, words: str) -> TestResult:
    """Wald's test of R coef = q; coefficients of aliased columns are 0, and left out."""
    problem = result.problem
    unknown = ~np.isfinite(result.se.ravel()) & R.any(axis=0)
    if result.limit is not None and result.whole.to_raw[unknown].any(axis=1).all():
        # Sums of infinite coefficients may have a limit.
        unknown &= R[signs_of(result, R @ result.whole.to_raw) != 0].any(axis=0)
    for j in np.flatnonzero(unknown):
        name = problem.keys[j]
        raise EvenOddsError(f"{name!r} has no standard error, so it cannot be tested: {result.notes.get(name, '')}.")
    R, q = _independent(_less_their_means(R, problem), q, words)
    # In the coordinates of the fit, where columns far from zero do not cancel.
    R = R @ problem.to_raw
    statistic = distance(result.theta_covariance, R, R @ problem.theta - q)
    if np.isnan(statistic):
        raise _singular(result, len(q))
    return chi_squared(statistic, len(q), words)


def _singular(result: "Inference", count: int) -> EvenOddsError:
    why = ", as a cluster-robust covariance has no more dimensions than clusters" if result.cov == "cluster" else ""
    return EvenOddsError(f"The covariance of these {count:,} restrictions is singular: test fewer at once{why}.")


def compare(larger: "Inference", smaller: "Inference") -> TestResult:
    """The likelihood-ratio test of a nested model."""
    from .record import Inference

    if not isinstance(smaller, Inference):
        raise EvenOddsError(f"compare takes the Inference of the smaller model, got a {type(smaller).__name__}.")
    _require_comparable(larger, smaller)
    df = larger.n_coef - smaller.n_coef
    words = f"likelihood-ratio test of {df} restriction{'s' * (df != 1)}"
    if larger.whole.firth:
        dropped = [name for name in larger.names if name not in smaller.names]
        fixed = np.stack([larger.whole.row_of(name) for name in dropped])
        best, *_ = tops = maxima(larger.whole)
        null = constrained_maximum(larger.whole, fixed, start=best, tops=tops)
        require_lower(larger.whole, best, null)
        fall = best.value - null.value
        return chi_squared(max(2 * fall, 0.0), df, f"penalised {words}")
    return chi_squared(max(2 * (larger.log_likelihood - smaller.log_likelihood), 0.0), df, words)


def _require_comparable(larger: "Inference", smaller: "Inference") -> None:
    one, two = larger.whole, smaller.whole
    if fingerprint(one.data) != fingerprint(two.data):
        raise EvenOddsError(
            "The two models were fitted on different rows (or with different labels or weights), so that their "
            f"likelihoods do not compare: {one.data.n_rows} and {two.data.n_rows} rows. Fit both on the same rows, "
            "in the same order; rows with missing values have to be dropped before both."
        )
    for result in (larger, smaller):
        if result.whole.penalised:
            raise EvenOddsError("A ridge fit is not at its maximum of likelihood: compare fits with C=inf.")
        if result.weights == "sampling":
            raise EvenOddsError("With sampling weights there is no likelihood to compare: use result.test(...).")
    if one.firth != two.firth or larger.weights != smaller.weights:
        raise EvenOddsError("Both models have to be fitted in the same way: firth and the meaning of weights differ.")
    if smaller.n_coef > larger.n_coef:
        raise EvenOddsError("The model in the brackets is the larger one: call smaller and larger the other way round.")
    unknown = [name for name in smaller.names if name not in larger.names]
    if one.firth and unknown:
        raise EvenOddsError(
            f"For Firth's fits the smaller model's columns have to be the larger one's: {unknown[0]!r}."
        )
    _require_nested(one, two)


def _require_nested(larger: Problem, smaller: Problem) -> None:
    """The columns of the smaller model, and the difference of the offsets, are combinations of the larger one's."""
    rows = max(4096, 16 * larger.theta.size)
    blocks = [problem.data.sample(rows, 0) for problem in (larger, smaller)]
    pairs = list(zip((larger, smaller), blocks, strict=True))
    big, small = (dense_design(problem.objective.coordinates, block) for problem, block in pairs)
    shifts = [_shift(block, len(problem.listed)) for problem, block in pairs]
    small = np.column_stack([small, shifts[1] - shifts[0]])
    rest = small - big @ scipy.linalg.lstsq(big, small)[0]
    size = np.sqrt(np.square(small).mean(axis=0))
    if (np.sqrt(np.square(rest).mean(axis=0)) > _SAME_SPAN * size).any():
        raise EvenOddsError(
            "The models are not nested: the smaller one has a column that the larger one does not have."
        )


def _shift(block: Block, m: int) -> Array:
    """The offset of each row, of more than two classes against that of the first."""
    if block.offset is None or block.offset.ndim == 1:
        return np.zeros((block.n_rows, m)) if block.offset is None else block.offset[:, None]
    return np.asarray(block.offset[:, -m:] - block.offset[:, :1])


def _less_their_means(R: Array, problem: Problem) -> Array:
    """Without a baseline the coefficients of a column sum to 0: what a restriction says of all alike is nothing."""
    if not problem.several or len(problem.listed) < problem.data.class_weights.size:
        return R
    parts = R.reshape(len(R), len(problem.listed), -1)
    rest = parts - parts.mean(axis=1, keepdims=True)
    size = np.abs(R).max(axis=1)[:, None, None]
    return np.where(np.abs(rest) > 1e-14 * size, rest, 0.0).reshape(R.shape)


def _independent(R: Array, q: Array, text: str) -> tuple[Array, Array]:
    """As many of the rows as are independent; an error if they contradict each other."""
    scale = np.abs(R).max(axis=1)
    if not scale.all():
        raise EvenOddsError(f"{text!r} has an equation without coefficients.")
    both = np.column_stack([R, q]) / scale[:, None]
    rank = int(np.linalg.matrix_rank(both[:, :-1]))
    if np.linalg.matrix_rank(both) > rank:
        raise EvenOddsError(f"The restrictions contradict each other: {text!r}.")
    _, _, order = scipy.linalg.qr(both[:, :-1].T, mode="economic", pivoting=True)
    kept = np.sort(order[:rank])
    return R[kept], q[kept]


def _parse(text: str, result: "Inference") -> tuple[Array, Array]:
    """The R and q of R coef = q."""
    problem = result.problem
    names = problem.keys if not problem.several else (*problem.keys, *problem.names)
    terms = {name: columns for name, columns in terms_of(result).items() if name not in names}
    bends = {name: rows for name, (_, rows) in bends_of(result).items() if name not in names}
    # Of more than two classes the baseline is for the words of an error.
    known = dict.fromkeys((*names, *terms, *bends))
    others = {other: name for other, name in _in_other_orders(text, result).items() if other not in known}
    tokens = _tokens(text, (*known, *others), result.baseline if problem.several else None)
    tokens = [f"`{others[token[1:]]}" if token[:1] == "`" and token[1:] in others else token for token in tokens]
    for token in tokens:
        problem.require_one_meaning(token.removeprefix("`"))
    rows: list[Array] = []
    for equation in _split(tokens, ","):
        if of_terms := [token[1:] for token in equation if token[:1] == "`" and token[1:] in terms]:
            rows += _of_term(of_terms[0], equation, terms[of_terms[0]], problem)
            continue
        if of_bends := [token[1:] for token in equation if token[:1] == "`" and token[1:] in bends]:
            rows += _of_bend(of_bends[0], equation, bends[of_bends[0]], problem)
            continue
        sides = [_side(side, text, names) for side in _split(equation, "=")]
        sides = sides if len(sides) > 1 else [*sides, np.zeros(len(names) + 1)]
        for left, right in itertools.pairwise(sides):
            rows += _of_all_classes(left - right, problem) if problem.several else [left - right]
    if not rows:
        raise EvenOddsError(f"There is no coefficient to test in {text!r}: each is of a column without its own.")
    table = np.stack(rows)
    if not np.isfinite(table).all():
        raise EvenOddsError(f"The restriction {text!r} holds a number that is larger than numbers go.")
    return table[:, : len(problem.keys)], -table[:, -1]


def _in_other_orders(text: str, result: "Inference") -> dict[str, str]:
    """The names of products that a text may ask for by their parts in other orders, by these; of classes as well."""
    if not isinstance(text, str) or ":" not in text:
        return {}
    found = products_of(result, text)
    labels = result.problem.listed if result.problem.several else ()
    columns = [(other, name) for other, name in found.items() if name in result.names]
    return {f"{other}[{label}]": f"{name}[{label}]" for other, name in columns for label in labels} | found


def _of_term(name: str, equation: Sequence[str], columns: Sequence[int], problem: Problem) -> list[Array]:
    """All coefficients of a term are 0, but for those of aliased columns."""
    if equation not in ([f"`{name}"], [f"`{name}", "=", "0"]):
        raise EvenOddsError(
            f"{name!r} is a term of {len(columns)} coefficients, which can be tested to be all 0; for other "
            f"restrictions name the coefficients, such as {problem.names[columns[0]]!r}."
        )
    k = len(problem.names)
    places = [c * k + j for c in range(len(problem.listed)) for j in columns]
    estimated = [j for j in places if problem.estimated[j]]
    size = len(problem.keys) + (k if problem.several else 0)
    rows = np.zeros((len(estimated or places), size + 1))
    rows[np.arange(len(rows)), estimated or places] = 1.0
    return list(rows)


def _of_bend(name: str, equation: Sequence[str], straight: Array, problem: Problem) -> list[Array]:
    """A polynomial or a spline is a straight line, in each class."""
    if equation not in ([f"`{name}"], [f"`{name}", "=", "0"]):
        raise EvenOddsError(f"{name!r} is the test that a term is a straight line, and stands for itself.")
    more = 1 + (len(problem.names) if problem.several else 0)
    every = np.kron(np.eye(len(problem.listed)), straight) * problem.estimated
    return list(np.pad(every[every.any(axis=1)], ((0, 0), (0, more))))


def _of_all_classes(row: Array, problem: Problem) -> list[Array]:
    """A name without a class stands for each class in turn."""
    m, k = problem.shape
    of_classes, of_all, constant = row[: m * k], row[m * k : -1], row[-1:]
    if not of_all.any():
        return [row]
    every = np.kron(np.eye(m), of_all)
    return [np.concatenate([of_classes + one, of_all, constant]) for one in every]


def _tokens(text: str, names: Sequence[str], baseline: object) -> list[str]:
    """Numbers, signs and names; a name is marked by a backtick before it."""
    if not isinstance(text, str) or not text.strip():
        raise EvenOddsError(f'Restrictions are text such as "x1 = x2" or "x1 = 0, x2 = 0", got {text!r}.')
    if text in names:  # whatever it looks like: a number, a quotation, blanks around
        return [f"`{text}"]
    number = r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    # A number is a number, and blanks are no part of a name, but between backticks.
    there = [name for name in names if name in text and name == name.strip() != "" and not re.fullmatch(number, name)]
    plain = sorted(there, key=len, reverse=True)
    known = "|".join(rf"{re.escape(name)}(?![\w.\[:])" for name in plain) or r"(?!)"
    pattern = re.compile(rf"\s*(?:({known})|`([^`]*)`|({number})(?![\w.])|([-+*/=,])|([^\s*/=,+-]+))")
    tokens, at = [], 0
    while text[at:].strip():
        match = pattern.match(text, at)
        if match is None:
            raise EvenOddsError(f"The restriction {text!r} cannot be read from {text[at:].strip()!r} on.")
        name, quoted, value, sign, other = match.groups()
        if other is not None or (quoted is not None and quoted not in names):
            raise _unknown(str(other if quoted is None else quoted), names, baseline)
        name = name if quoted is None else quoted
        tokens.append(str(value or sign) if name is None else f"`{name}")
        at = match.end()
    return tokens


def _unknown(name: str, names: Sequence[str], baseline: object) -> EvenOddsError:
    if baseline is not None and name.endswith(f"[{baseline}]"):
        return EvenOddsError(
            f"There is no coefficient {name!r}: {baseline} is the baseline, which the coefficients of the others are "
            "against, so that its own are 0."
        )
    close = difflib.get_close_matches(name, names, n=1)
    hint = (
        f" Did you mean {close[0]!r}?"
        if close
        else f" The coefficients are {', '.join(map(repr, names[:10]))}" + ("." if len(names) <= 10 else ", ...")
    )
    return EvenOddsError(f"There is no coefficient {name!r} in the model.{hint}")


def _split(tokens: Sequence[str], by: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == by:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _side(tokens: Sequence[str], text: str, names: Sequence[str]) -> Array:
    """One side of an equation: the factor of each coefficient, and the constant at the end."""
    total = np.zeros(len(names) + 1)
    queue = list(tokens)
    if not queue:
        raise EvenOddsError(f"The restriction {text!r} has an empty side.")
    while queue:
        sign = 1.0
        while queue and queue[0] in "+-":
            sign *= -1.0 if queue.pop(0) == "-" else 1.0
        term = _factor(queue, text, names)
        while queue and queue[0] in "*/":
            operator, right = queue.pop(0), _factor(queue, text, names)
            term = _product(term, right, operator, text)
        if queue and queue[0] not in "+-":
            raise EvenOddsError(f"The restriction {text!r} lacks a sign before {queue[0].lstrip('`')!r}.")
        total += sign * term
    return total


def _factor(queue: list[str], text: str, names: Sequence[str]) -> Array:
    if not queue or queue[0] in "+-*/":
        raise EvenOddsError(f"The restriction {text!r} has a sign with nothing behind it.")
    token = queue.pop(0)
    vector = np.zeros(len(names) + 1)
    if token.startswith("`"):
        vector[names.index(token[1:])] = 1.0
    else:
        vector[-1] = float(token)
    return vector


def _product(left: Array, right: Array, operator: str, text: str) -> Array:
    if operator == "*" and not left[:-1].any():
        left, right = right, left
    if right[:-1].any() or (operator == "/" and right[-1] == 0):
        raise EvenOddsError(f"The restriction {text!r} is not linear in the coefficients.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(left * right[-1] if operator == "*" else left / right[-1])
