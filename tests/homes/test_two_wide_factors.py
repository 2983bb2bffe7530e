"""Several classes beside two or three factors of many levels: an optimum, in few reads, of the one-hot design."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import softmax

from evenodds import SeparationWarning, fit_table
from evenodds.solvers import Status

pytest.importorskip("formulaic")


def draw(seed):
    """Rows with skewed levels; of an even seed no level lacks a class, of others some do."""
    rng = np.random.default_rng(seed)
    n, K, skew = int(rng.integers(5000, 9000)), int(rng.integers(3, 6)), rng.choice([0.0, 0.5, 1.0])
    table = {"x": rng.normal(size=n) + 100, "z": rng.exponential(size=n)}
    scores = np.outer(table["x"], rng.normal(size=K)) + np.outer(table["z"], rng.normal(size=K))
    for name, levels in zip("abc", [520, int(rng.integers(150, 500)), 6][: rng.integers(2, 4)], strict=False):
        share = 1 / np.arange(1, levels + 1) ** skew
        code = rng.choice(levels, n, p=share / share.sum())
        code[rng.permutation(n)[: 4 * K * levels]] = np.tile(np.arange(levels), 4 * K)[:n]
        scores += 0.5 * rng.normal(size=(levels, K))[code]
        table[name] = np.array([f"l{k}" for k in range(levels)])[code]
    table["y"] = (scores - scores.mean(axis=0) + rng.gumbel(size=scores.shape)).argmax(axis=1)
    table = pd.DataFrame(table)
    if seed % 2 == 0:
        for name in table.columns[2:-1]:  # a row more for each class that a level lacks
            counts = pd.crosstab(table[name], table.y).stack()
            more = counts[counts == 0].index
            rows = table.iloc[rng.integers(n, size=len(more))].copy()
            rows[name], rows["y"] = more.get_level_values(0), more.get_level_values(1)
            table = pd.concat([table, rows], ignore_index=True)
    else:
        table.loc[(table.a == "l3") & (table.y == 1), "y"] = 0
    return table, float(rng.choice([0.1, 1.0, 100.0, np.inf])) if seed % 4 else np.inf


def decrement(model, table, C):
    """About how far J is above its minimum, in standard errors squared, by the one-hot design and its diagonal."""
    places, n, rows = {name: k for k, name in enumerate(model.design_.names)}, len(table), np.arange(len(table))
    parts = [
        (rows, np.full(n, places[name]), table[name] - table[name].mean())
        if name in places
        else (rows, table[name].map(lambda level, name=name: places.get(f"{name}[{level}]", -1)), np.ones(n))
        for name in table.columns[:-1]
    ]
    row, column, value = (np.concatenate([np.asarray(part[k]) for part in parts]) for k in range(3))
    there = column >= 0
    X = sp.csr_array((value[there], (row[there], column[there])), shape=(n, len(places)))
    shift = model.intercept_ + model.coef_[:, [places["x"], places["z"]]] @ table[["x", "z"]].mean()
    P = softmax(X @ model.coef_.T + shift, axis=1)
    R = P - np.eye(P.shape[1])[table.y]
    H, G = X.power(2).T @ (P * (1 - P)) + 1 / C, X.T @ R + model.coef_.T / C
    free = slice(int(np.isinf(C)), None)
    return float((G**2 / H)[:, free].sum() + (R.sum(axis=0) ** 2 / (P * (1 - P)).sum(axis=0)).sum())


@pytest.mark.parametrize("seed", range(10))
def test_a_fit_is_the_optimum_of_the_one_hot_design_in_few_reads(seed):
    table, C = draw(seed)
    lacks = any((pd.crosstab(table[name], table.y) == 0).to_numpy().any() for name in table.columns[2:-1])
    assert lacks == bool(seed % 2)
    if np.isinf(C) and lacks:
        with pytest.warns(SeparationWarning, match="never to class"):
            model = fit_table("y", table, C=C)
        assert model.solution_.status is Status.SEPARATED
    else:
        model = fit_table("y", table, C=C)  # and it is proved, without a warning, that the classes overlap
        assert model.solution_.status is Status.CONVERGED
        assert decrement(model, table, C) < 1e-7
    assert model.solution_.passes < 600
