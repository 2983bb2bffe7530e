"""Logistic regression, done completely: the readable textbook, the certified optimum, the coefficient table."""

from .cross_validation import LogisticRegressionCV
from .exceptions import CollinearWarning, EvenOddsError, SeparationWarning
from .export import load, save
from .inference import Inference, infer
from .model import LogisticRegression
from .path import Path, path
from .separation import Separation, find_separation
from .solvers import Solution, Status
from .solvers.sgd import SGD

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "CollinearWarning",
    "EvenOddsError",
    "Inference",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Path",
    "Separation",
    "SeparationWarning",
    "Solution",
    "Status",
    "__version__",
    "find_separation",
    "infer",
    "load",
    "path",
    "save",
]
