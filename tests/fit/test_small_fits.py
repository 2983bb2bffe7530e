"""A small fit is mostly Python: the functions of ours that it calls are counted, which are as many on any machine."""

import sys
from types import FrameType

import numpy as np
import pytest

from evenodds import LogisticRegression


def calls_of(model: LogisticRegression, X: np.ndarray, y: np.ndarray) -> int:
    """Calls of our own functions in a fit that is not the first."""
    model.fit(X, y)
    count = 0

    def tell(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_globals.get("__name__", "").startswith("evenodds.")

    before = sys.getprofile()
    sys.setprofile(tell)
    try:
        model.fit(X, y)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(("classes", "C", "most"), [(2, 1.0, 255), (2, np.inf, 300), (3, 1.0, 280), (3, np.inf, 310)])
def test_a_small_fit_takes_few_calls(classes: int, C: float, most: int) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 5))
    y = np.argmax(X[:, :classes] + rng.gumbel(size=(200, classes)), axis=1)
    assert 50 < calls_of(LogisticRegression(C=C), X, y) <= most
