"""A new home, a new metric and a new row loss: each is a class, and one line that knows of it."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm

from evenodds import LogisticRegression, SeparationWarning, infer, path
from evenodds.data import Block
from evenodds.data.memory import IN_MEMORY, add_up, part_of
from evenodds.data.views import joined
from evenodds.objective import TWO, Classes
from evenodds.objective.row_loss import Fitted, RowLoss
from evenodds.objective.signed import SignedRows


def draw(n=400, K=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 20.0, 0.1] + [0.0, 50.0, 1.0]
    Z = (X - [0.0, 50.0, 1.0]) / [1.0, 20.0, 0.1] @ rng.normal(size=(3, K)) + rng.gumbel(size=(n, K))
    return X, Z.argmax(axis=1), rng.uniform(0.5, 2, n)


# A home: rows that are kept packed, and unpacked a block at a time


class Packed:
    """A home of rows in as little memory as zlib needs; all that `Data` asks for."""

    whole, sparse, layout, kept, read_cost = staticmethod(lambda: None), False, None, None, 50 * IN_MEMORY

    def __init__(self, X, codes, weight, offset, *, n_jobs, n_classes, names, **_):
        weight = np.ones(len(X)) if weight is None else weight
        (self.n_rows, self.n_columns), self.size = X.shape, X.size
        self.center, self.names, self.n_jobs = np.zeros(X.shape[1]), names, n_jobs
        self.present = np.ones(n_classes, dtype=bool)
        self.class_weights = np.bincount(codes, weight, n_classes)
        every = np.array_split(np.arange(len(X)), 7)
        self._packed = [(zlib.compress(X[k].astype(float).tobytes()), codes[k], weight[k], k[0]) for k in every]
        assert offset is None

    def blocks(self):
        for X, *rest, first in self._packed:
            rows = np.frombuffer(zlib.decompress(X)).reshape(-1, self.n_columns)
            yield Block(rows, *rest, None, int(first))

    def reduce(self, function):
        return add_up(map(function, self.blocks()))

    def sample(self, n, rng):
        return joined(list(self.blocks()))  # of more rows it would be some of them

    def part(self, block):
        return part_of(self, block)

    def where(self, k):
        return f"packed row {k}"


@pytest.mark.parametrize("K", [2, 3])
def test_a_home(monkeypatch, K):
    X, y, weight = draw(K=K)
    asked = [{}, {"C": 1.0}, {"C": 1.0, "solver": "quasi-newton"}, {"C": 0.3, "l1_ratio": 0.5}]
    asked += [{"firth": True}] if K == 2 else []

    def answers():
        fits = [LogisticRegression(**one, tol=1e-8).fit(X, y, weight) for one in asked]
        table = infer(fits[0], X, y, weight, cov="HC3")
        found = [value for fit in fits for value in (fit.coef_, fit.intercept_)]
        some = path(X, y, n_C=5, sample_weight=weight)
        return [*found, table.se, table.conf_int, some.coefs, some.deviance_ratio]

    known = answers()
    monkeypatch.setattr("evenodds.reading.as_data", lambda X, *rows, **own: Packed(X, *rows, **own))
    for one, two in zip(answers(), known, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)
    with pytest.warns(SeparationWarning):
        LogisticRegression().fit(X, (X[:, 1] > 50).astype(int))
    X[17, 2] = np.nan
    with pytest.raises(ValueError, match="packed row 17"):
        LogisticRegression().fit(X, y)


# A metric


class Identity:
    """All directions alike: gradient descent, made good by the memory of steps."""

    asked = 0

    def solve(self, g):
        Identity.asked += 1
        return g


@pytest.mark.parametrize("K", [2, 3])
def test_a_metric(monkeypatch, K):
    """It is bad, which costs reads and no digits."""
    X, y, weight = draw(K=K)
    known = LogisticRegression(C=1.0, tol=1e-8).fit(X, y, weight)
    monkeypatch.setattr("evenodds.solvers.regimes.starts_even", lambda *_: True)
    monkeypatch.setattr("evenodds.solvers.regimes.even_odds", lambda objective: Identity())
    monkeypatch.setattr("evenodds.solvers.regimes.kronecker", lambda *_, **__: Identity())
    before = Identity.asked
    found = LogisticRegression(C=1.0, tol=1e-8, solver="quasi-newton").fit(X, y, weight)
    assert Identity.asked > before
    np.testing.assert_allclose(found.coef_, known.coef_, rtol=1e-7)
    assert found.solution_.loss == pytest.approx(known.solution_.loss, rel=1e-13)


# A loss


class LogLog(RowLoss):
    """The complementary log-log link: 1 - p = exp(-e^z), of times that are known to be before or after a day."""

    def rows(self, block):
        """Of each row the loss and its first two derivatives by the score."""
        m = np.exp(self.scores(block))
        one, pull = block.y > 0, m / np.expm1(m)
        loss = np.where(one, -np.log(-np.expm1(-m)), m)
        return loss, np.where(one, -pull, m), np.where(one, pull * (m / -np.expm1(-m) - 1), m)

    def sums(self, block):
        """The same times the weights, and the centred columns."""
        X = (block.X.toarray() if sp.issparse(block.X) else block.X) - self.coordinates.center
        weight = np.ones(block.n_rows) if block.weight is None else block.weight
        return X, *(weight * each for each in self.rows(block))

    def first(self, block, room=None):
        X, loss, slope, _ = self.sums(block)
        return float(loss.sum()), np.nan, slope.sum(), slope @ X

    def second(self, block, dtype=np.float64):
        D = np.column_stack([np.ones(block.n_rows), self.coordinates.design(block)])
        return ((D * self.sums(block)[3][:, None]).T @ D,)

    def squares(self, block):
        X, _, _, bend = self.sums(block)
        return bend.sum(), bend @ X**2

    def multipliers(self, block):
        return np.abs(self.sums(block)[2])

    def fitted(self, block):
        loss, slope, bend = self.rows(block)
        return Fitted(SignedRows.of(block, self.coordinates).D, loss, np.abs(slope)[:, None], bend[:, None, None])


@pytest.mark.parametrize("solver", ["newton", "quasi-newton"])
def test_a_loss(monkeypatch, solver):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2000, 3)) * [1.0, 10.0, 0.1] + [0.0, 30.0, 0.0]
    m = np.exp((X - [0.0, 30.0, 0.0]) / [1.0, 10.0, 0.1] @ [0.5, -0.8, 0.3] - 0.4)
    y, weight, offset = (
        (rng.exponential(size=2000) < m).astype(int),
        rng.uniform(0.5, 2, 2000),
        0.3 * rng.normal(size=2000),
    )
    monkeypatch.setattr(
        "evenodds.fitting.Classes", type("", (Classes,), {"of": lambda *_, **__: replace(TWO, loss=LogLog)})
    )
    found = LogisticRegression(solver=solver, tol=1e-8).fit(X, y, weight, offset)
    link = sm.families.Binomial(sm.families.links.CLogLog())
    truth = sm.GLM(y, sm.add_constant(X), link, freq_weights=weight, offset=offset).fit(tol=1e-13, maxiter=100)
    np.testing.assert_allclose([*found.intercept_, *found.coef_[0]], truth.params, rtol=1e-8)
    assert -found.solution_.loss * weight.sum() == pytest.approx(truth.llf, rel=1e-12)
    rare = LogisticRegression(C=1.0, solver=solver, tol=1e-8).fit(X, y, weight, offset)
    at = np.array([*rare.intercept_, *rare.coef_[0]])
    score = truth.model.score(at) - [0.0, *rare.coef_[0]]  # the ridge, of C = 1, pulls
    np.testing.assert_allclose(score / np.sqrt(-np.diag(truth.model.hessian(at))), 0, atol=1e-6)
