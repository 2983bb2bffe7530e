"""Which classes a warning says are told apart: a linear programme for each pair, or the levels of a wide factor."""

import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

import evenodds.arrow
import evenodds.design.rows
from evenodds import SeparationWarning, fit_table

pytest.importorskip("formulaic")
LABELS = np.array(list("ABCDE"))


def draw(seed):
    """A table with one or two factors, a number if there are many rows, and 2 to 5 classes of which some are lone."""
    rng = np.random.default_rng(seed)
    K, n_factors = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    n = int(rng.integers(3 * K, 60))
    table = {f"f{k}": rng.integers(0, rng.integers(2, 6), n).astype(str) for k in range(n_factors)}
    y = rng.integers(0, K, n)
    for _ in range(int(rng.integers(0, 4))):  # a level that some class leaves
        name = f"f{rng.integers(n_factors)}"
        at = (table[name] == rng.choice(table[name])) & (y == rng.integers(K))
        y[at] = rng.integers(K)
    if n > 30:
        table["x"] = rng.normal(size=n)
    table["y"] = LABELS[np.unique(y, return_inverse=True)[1]]
    return pd.DataFrame(table).astype({"y": str})


def by_programme(table):
    """The pairs of which some direction moves rows of one from the other, and no row from its own class."""
    wide = pd.get_dummies(table.drop(columns="y")).to_numpy(float)
    X, labels = np.column_stack([np.ones(len(wide)), wide]), sorted(set(table.y))
    rows, pairs = [], []
    for x, label in zip(X, table.y, strict=True):
        own = labels.index(label)
        for other in set(range(len(labels))) - {own}:
            row = np.zeros((len(labels), len(x)))
            row[own], row[other] = x, -x
            rows.append(row.ravel())
            pairs.append(frozenset((label, labels[other])))
    A, found = np.array(rows), set()
    for pair in set(pairs):
        of_pair = A[[one == pair for one in pairs]].sum(axis=0)
        answer = linprog(-of_pair, A_ub=-A, b_ub=np.zeros(len(A)), bounds=[(-1, 1)] * A.shape[1])
        assert answer.status == 0
        found |= {pair} if answer.fun < -1e-7 else set()
    return found


def by_levels(table):
    """The pairs of which a level has rows of one class and none of the other."""
    found = set()
    for name in table.columns.drop(["y", "x"], errors="ignore"):
        for _, some in table.groupby(name):
            there = set(some.y)
            found |= {frozenset(pair) for pair in itertools.product(there, set(table.y) - there)}
    return found


def pairs_of(some, others):
    """All pairs of classes, one of each side."""
    return {frozenset(pair) for pair in itertools.product(some, others)}


def told(words, pairs):
    """Whether the words say these pairs, each of them or which classes they are of; and no others."""
    sides = re.findall(r"belong to class(?:es)? ([^;]*?) and never to class(?:es)? ([^;.]*)", words)
    said = set().union(*(pairs_of(*(re.findall(r"'(\w)'", side) for side in both)) for both in sides))
    rest = re.search(r"tells? (.*?) on some rows", words)
    said |= pairs if "more of this kind" in words and said < pairs else set()
    if rest is None:
        return said == pairs
    named = re.findall(r"'(\w)'", rest.group(1))
    every = {frozenset(pair) for pair in itertools.combinations(named, 2)}
    if rest.group(1).startswith("class "):
        return said | pairs_of(named[:1], named[1:]) == pairs
    if rest.group(1).startswith("some of"):
        return said <= pairs <= said | every and set(named) <= set().union(*pairs)
    return said | every == pairs


@pytest.mark.parametrize("wide", [False, True], ids=["dense", "wide"])
def test_the_warning_names_the_classes_that_are_told_apart(wide, monkeypatch):
    if wide:
        monkeypatch.setattr(evenodds.design.rows, "_FEW", -1)
        monkeypatch.setattr(evenodds.design.rows, "_SPARSE", -1)
        monkeypatch.setattr(evenodds.arrow, "WIDE", -1)
    kinds = []
    for seed in range(120):
        table = draw(seed)
        if table.y.nunique() < 2:
            continue
        pairs = (by_levels(table) if wide else None) or by_programme(table)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit_table("y", table)
        words = [str(one.message) for one in caught if issubclass(one.category, SeparationWarning)]
        assert len(words) == bool(pairs), f"{seed}: {words} for {pairs}"
        kinds.append((table.y.nunique() > 2, bool(pairs)))
        if all(kinds[-1]):
            assert told(words[0], pairs), f"{seed}: {words[0]} for {pairs}"
    assert all(kinds.count(kind) > 5 for kind in itertools.product([True, False], repeat=2))
