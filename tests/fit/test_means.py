"""Where the columns' means are changes no slope: not near 0, where sums are centred, nor far, where each row is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from evenodds import LogisticRegression

SHIFTS = (0.0, 2.9, 3.1, 60.0, 1e9)  # deviations; from 3 on rows are centred one by one


@pytest.mark.parametrize("seed", range(8))
def test_a_shift_of_the_columns_moves_the_intercept_alone(seed):
    rng = np.random.default_rng(seed)
    m, p = int(rng.integers(40, 1500)), int(rng.choice([130, 300, 520, 1100]))
    X = rng.integers(-4000, 4000, (m, p)) / 4096  # which every shift leaves as they are, to the last bit
    X[:, 1:] += 0.5 * X[:, :-1]
    y = rng.random(m) < 1 / (1 + np.exp(-X @ rng.normal(size=p) / np.sqrt(p)))
    given = {"sample_weight": rng.uniform(0.5, 2, m), "offset": rng.normal(size=m)} if seed % 2 else {}
    shifts = np.round(X.std(axis=0) * 4096) / 4096
    C = 10.0 ** rng.uniform(-3, 1)
    fits = [LogisticRegression(C=C, tol=1e-7).fit(X + shift * shifts, y, **given) for shift in SHIFTS]
    for shift, fit in zip(SHIFTS[1:], fits[1:], strict=True):
        size = np.abs(fits[0].coef_).max()
        assert_allclose(fit.coef_, fits[0].coef_, rtol=0, atol=1e-8 * size)
        middle = fit.intercept_ + shift * (fit.coef_ @ shifts)
        assert_allclose(middle, fits[0].intercept_, rtol=0, atol=1e-8 * (1 + shift) * size)
