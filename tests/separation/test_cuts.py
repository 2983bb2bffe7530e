"""Columns that separate classes by themselves are named, with the classes, and no others are: by their values alone."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from evenodds import LogisticRegression, SeparationWarning

LABELS = np.array(list("ABCDE"))
SIDES = r"((?:of the rows that these leave, )?(?:high|low) values [^;]*?)"
PART = re.compile(SIDES + r" belong to class(?:es)? ([^;]*?) and never to class(?:es)? ([^;.]*)")


def draw(seed):
    """Columns of few values, some of which rise or fall where the class, or a group of classes, changes."""
    rng = np.random.default_rng(seed)
    K, p, n = int(rng.integers(2, 6)), int(rng.integers(1, 5)), int(rng.integers(12, 80))
    y = np.unique(rng.integers(0, K, n), return_inverse=True)[1]
    X = rng.integers(-2, 3, (n, p)).astype(float)
    for k in range(p):
        if rng.random() < 0.5:
            upper = np.isin(y, rng.permutation(K)[: rng.integers(1, K)])
            X[:, k] = np.where(upper, 1, -1) * rng.integers(rng.integers(2), 3, n) + rng.integers(-1, 2)
            X[:, k] *= rng.choice([-1, 1])
    return pd.DataFrame(X, columns=[f"x{k}" for k in range(p)]), LABELS[y], bool(rng.random() < 0.7)


def beyond(x, y, some, side, intercept):
    """Whether high, or low, values of x belong to some classes, each of them, and never to the others."""
    x = x if side == "high" else -x
    inside = np.isin(y, list(some))
    end = x[~inside].max() if intercept else 0.0
    least = x[inside].min() >= end and (intercept or x[~inside].max() <= 0)
    return least and all((x[y == label] > end).any() for label in some)


def cuts(x, y, intercept):
    """All (classes, side) of a column, of every set of classes that it could be."""
    labels = np.unique(y).tolist()
    sets = [{label for k, label in enumerate(labels) if code >> k & 1} for code in range(1, 2 ** len(labels) - 1)]
    return [(some, side) for some in sets for side in ("high", "low") if beyond(x, y, some, side, intercept)]


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_columns_that_tell_by_themselves_are_named_and_no_others(first):
    seen = {True: 0, False: 0}
    for seed in range(first, first + 100):
        X, y, intercept = draw(seed)
        known = {name: cuts(X[name].to_numpy(), y, intercept) for name in X}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = LogisticRegression(fit_intercept=intercept).fit(X, y)
        known = {name: found for name, found in known.items() if name not in model.aliased_}
        words = " ".join(str(one.message) for one in caught if issubclass(one.category, SeparationWarning))
        named = set()
        for said, some, others in PART.findall(words):
            if said.startswith("of the rows") or "taken together" in said:
                continue
            some, others = (set(re.findall("'(.)'", side)) for side in (some, others))
            assert some | others == set(y), words
            assert not some & others, words
            for side in ("high", "low"):
                for columns in re.findall(rf"{side} values of columns? ((?:'x.'(?:, )?)+)", said):
                    for name in re.findall("'(x.)'", columns):
                        assert (some, side) in known[name], (seed, name, words)
                        named.add(name)
        expected = {name for name, found in known.items() if found}
        assert named == expected or (named < expected and "more of this kind" in words), (seed, expected, words)
        seen[bool(expected)] += 1
    assert min(seen.values()) > 10


def test_the_words_do_not_hang_on_how_rows_are_held():
    """Sparse, in any order of columns in memory, and beside rows without weight: the same sentence."""
    for seed in range(40):
        X, y, intercept = draw(seed)
        told = []
        more, weight = np.vstack([X, 9 * np.ones_like(X)]), np.repeat([1.0, 0.0], len(X))
        for rows, labels, weights in (
            (np.ascontiguousarray(X), y, None),
            (np.asfortranarray(X), y, None),
            (sp.csr_array(X), y, None),
            (more, np.concatenate([y, y]), weight),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                LogisticRegression(fit_intercept=intercept).fit(rows, labels, weights)
            told.append({re.sub(r", in the direction [^.;]*", "", str(one.message)) for one in caught})
        assert all(words == told[0] for words in told), (seed, told)


@pytest.mark.parametrize(("seed", "K"), [(1, 2), (2, 2), (3, 3)])
def test_levels_of_a_wide_factor_are_named_as_columns_are(seed, K):
    """Of 515 levels some, with the reference or without, have rows of some classes only; the others of all."""
    rng, n_levels = np.random.default_rng(seed), 515
    level = np.repeat(np.arange(n_levels), 6)
    y, x = np.tile(np.arange(6) % K, n_levels), rng.normal(size=level.size)
    lone = rng.choice(np.arange(1, n_levels), int(rng.integers(1, 7)), replace=False).tolist() + [0] * (seed % 2)
    for k in lone:
        y[level == k] = rng.choice(rng.permutation(K)[: rng.integers(1, K)], 6)
    coded = pd.DataFrame({"x": x, "f": [f"l{k:03d}" for k in level]})
    columns = {f"f[l{k:03d}]": (level == k).astype(float) for k in range(1, n_levels)}
    said = []
    for X in (coded, pd.DataFrame({"x": x, **columns})):
        with pytest.warns(SeparationWarning) as told:
            LogisticRegression().fit(X, LABELS[y])
        said.append(str(told[0].message))
    assert said[0] == said[1]
