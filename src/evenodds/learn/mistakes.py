"""The mistakes of the textbook as patches of the code that runs.

Each is a section of docs/textbook.md, under the same heading. Its settings are those at which it shows, `measure` names
the number to look at, and `wrong` and `right` are that number as the textbook has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import source

_LOSS = "yield w.copy(), b, float(np.mean(np.logaddexp(0.0, np.where(y == 1, -z, z))))"
_ERROR = "error = _probabilities(y_hat, m) - _labels(y, m)"
_FINITE = " or not np.isfinite(X).all()"


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes
    ----------
    key : str
        Its name in addresses.
    title : str
        The heading in docs/textbook.md.
    patches : tuple of (old, new)
        What is typed wrongly.
    settings : dict
        Where it shows; the rest is as in the textbook's own example.
    better : dict
        What the right version has other than `settings`.
    look : str
        What to look at.
    measure : str
        The number that tells, a name in `measures.py`.
    form : str
        How it is written.
    wrong, right : str
        The number with the mistake and without it.
    """

    key: str
    title: str
    patches: tuple[source.Patch, ...]
    look: str
    measure: str
    form: str
    wrong: str
    right: str
    settings: dict[str, Any] = field(default_factory=dict)
    better: dict[str, Any] = field(default_factory=dict)


MISTAKES = (
    Mistake(
        "sign",
        "The sign inside the loss",
        (
            (
                _LOSS,
                "p = sigmoid(z)\n        yield w.copy(), b, float(-np.mean(y * np.log(p) - (1 - y) * np.log(1 - p)))",
            ),
        ),
        "The loss starts at 0 instead of 0.693 and ends near 0, though the line is the same.",
        "loss",
        ".2f",
        "0.02",
        "0.32",
    ),
    Mistake(
        "exp",
        "exp overflows",
        (
            ("    e = np.exp(-np.abs(z))\n", ""),
            ("y_hat: Vector = np.where(z >= 0, 1.0, e) / (1.0 + e)", "y_hat: Vector = 1.0 / (1.0 + np.exp(-z))"),
        ),
        "The picture looks right, and the box below it names the exp that became infinite.",
        "sigmoid(-710)",
        ".1g",
        "0",
        "4e-309",
        {"data": "thousandths", "normalise": False, "epochs": 100},
    ),
    Mistake(
        "log0",
        "log(0)",
        (
            (
                _LOSS,
                "p = sigmoid(z)\n        yield w.copy(), b, float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))",
            ),
        ),
        "The line moves, but there is no loss curve: in each epoch some row's p is exactly 0 or 1.",
        "loss",
        ".0f",
        "nan",
        "10377",
        {"data": "thousandths", "normalise": False},
    ),
    Mistake(
        "copy",
        "A normalised copy that nobody uses",
        (("    m, n = X.shape\n    rng =", "    x = normalize(X)\n    m, n = X.shape\n    rng ="),),
        "The line that was added changes nothing: the table that is learnt is still the raw one.",
        "accuracy",
        ".2f",
        "0.82",
        "0.87",
        {"normalise": False},
        {"normalise": True},
    ),
    Mistake(
        "new",
        "New data normalised by its own statistics",
        (("reference = X if reference is None else _matrix(reference)", "reference = X"),),
        "The training looks right. New rows of class 1, taken alone, are moved to the middle of all.",
        "class 1 alone",
        ".2f",
        "0.54",
        "0.86",
    ),
    Mistake(
        "constant",
        "A constant column",
        (
            ("mean = np.where(constant, reference[0], reference.mean(axis=0))", "mean = reference.mean(axis=0)"),
            ("std = np.where(constant, 1.0, reference.std(axis=0))", "std = reference.std(axis=0)"),
            (_FINITE, ""),
            ("if not ((y_hat >= 0) & (y_hat <= 1)).all():", "if ((y_hat < 0) | (y_hat > 1)).any():"),
        ),
        "The third column holds nothing but 3s. After the first batch every weight is NaN.",
        "weight 1",
        ".2f",
        "nan",
        "0.25",
        {"data": "constant", "epochs": 100},
    ),
    Mistake(
        "column",
        "A column minus a row",
        (
            ("np.where(y == 1, -z, z)", "np.where(y[:, None] == 1, -z, z)"),
            ("_labels(y, y_hat.size) == y_hat", "_labels(y, y_hat.size)[:, None] == y_hat"),
        ),
        "The loss rises while the line gets better, and the accuracy is 0.5: every prediction meets every label.",
        "loss",
        ".3f",
        "1.079",
        "0.315",
    ),
    Mistake(
        "shuffle",
        "Batches that are never shuffled",
        (("order = rng.permutation(m)", "order = np.arange(m)"),),
        "Each epoch ends with batches of class 1 only, which pull the line away from where it should be.",
        "bias",
        ".2f",
        "0.76",
        "0.28",
        {"data": "sorted", "bs": 10, "lr": 1.0},
        {"bs": 100},
    ),
    Mistake(
        "globals",
        "Parameters read from globals",
        (
            ("        yield w.copy(), b,", "        globals().update(w=w, b=b)\n        yield w.copy(), b,"),
            (
                "(_matrix(X) @ _vector(w, np.size(w)) + b > 0)",
                '(_matrix(X) @ globals()["w"] + globals()["b"] > 0)',
            ),
        ),
        "All is well until a second model is trained. Then the first answers with the weights of the second.",
        "after a second model",
        ".2f",
        "0.30",
        "0.87",
    ),
    Mistake(
        "boundary",
        "A boundary that divides by a weight, on axes that are typed in",
        (
            (
                "        ax.axline(nearest, nearest + along,",
                "        x1 = np.linspace(-2, 2, 100)\n        ax.plot(x1, -(w[0] * x1 + b) / w[1],",
            ),
        ),
        "The second feature is constant, its weight is 0, and the picture has no line.",
        "points of the line",
        ".0f",
        "0",
        "2",
        {"data": "flat", "epochs": 100},
    ),
    Mistake(
        "accuracy",
        "accuracy(X, y_hat)",
        (
            (
                "    y_hat = _labels(y_hat, np.size(y_hat))\n"
                "    return float(np.mean(_labels(y, y_hat.size) == y_hat))",
                "    return float(np.sum(y == y_hat) / len(y))",
            ),
        ),
        "A column of measurements in the place of the labels gives an accuracy above 1, and no error.",
        "accuracy of a column",
        ".1f",
        "32.5",
        "refused",
        {"epochs": 100},
    ),
    Mistake(
        "growth",
        "Weights that grow are not weights that converge",
        (("    while True:", "    while accuracy(y, predict(X, w, b)) < 1.0:"),),
        "Training stops after one epoch, when all rows are right. Without it the weights grow for as long as it runs.",
        "length of w",
        ".2f",
        "0.49",
        "4.84",
        {"data": "clouds", "lr": 1.0, "epochs": 100},
    ),
    Mistake(
        "rate",
        "A learning rate that is too large",
        (("return X.T @ error / m, float(np.mean(error))", "return X.T @ error, float(np.sum(error))"),),
        "The path jumps from side to side of the bowl, and the loss goes up and down.",
        "loss",
        ".3f",
        "0.487",
        "0.271",
        {"lr": 0.4},
    ),
    Mistake(
        "squared",
        "Squared error",
        (
            (
                _ERROR,
                "p = _probabilities(y_hat, m)\n    error = 2 * (p - _labels(y, m)) * p * (1 - p)",
            ),
        ),
        "The same number of steps gets less far: each row pulls by p (1 - p) less.",
        "loss",
        ".3f",
        "0.385",
        "0.315",
    ),
)
BY_KEY = {mistake.key: mistake for mistake in MISTAKES}


def text_of(keys: Sequence[str]) -> str:
    """Return scratch.py with these mistakes.

    Raises
    ------
    ValueError
        If a key is unknown, or two mistakes change the same line.
    """
    for key in keys:
        if key not in BY_KEY:
            raise ValueError(f"there is no mistake {key!r}; known are {', '.join(BY_KEY)}")
    try:
        return source.patched([patch for key in keys for patch in BY_KEY[key].patches])
    except ValueError:
        titles = " and ".join(f"“{BY_KEY[key].title}”" for key in keys)
        raise ValueError(f"{titles} change the same line: choose one of them") from None


def conflicts() -> list[tuple[str, str]]:
    """Return the pairs that change the same line."""
    keys = list(BY_KEY)
    pairs = []
    for i, first in enumerate(keys):
        for second in keys[i + 1 :]:
            try:
                text_of([first, second])
            except ValueError:
                pairs.append((first, second))
    return pairs


def sections() -> dict[str, list[str]]:
    """Return the paragraphs of each mistake's section of docs/textbook.md, by its heading."""
    here = Path(__file__).parent
    packed = here / "textbook.md"  # in a wheel; in a checkout it is at home
    path = packed if packed.exists() else here.parents[2] / "docs" / "textbook.md"
    found: dict[str, list[str]] = {}
    title = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("**") and line.endswith("**"):
            title = line.strip("*")
            found[title] = []
        elif title and line.startswith("- "):
            found[title].append(line[2:])
    return found
