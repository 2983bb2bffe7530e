"""Logistic regression, done completely: the readable textbook, the certified optimum, the coefficient table.

The names are loaded when they are first asked for: NumPy, SciPy and scikit-learn take a second, in which the command
line can already say what it does, and be stopped.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cross_validation import LogisticRegressionCV
    from .data.opening import scan
    from .data.scan import Scan
    from .diagnosis import Diagnosis, diagnose
    from .exceptions import CollinearWarning, EvenOddsError, SeparationWarning
    from .export import load, save
    from .export.onnx_file import to_onnx
    from .export.sql import to_sql
    from .inference import Inference, PublishedTable, compare_table, infer
    from .model import LogisticRegression
    from .paths import Path, path
    from .report import write_report
    from .separation.finding import Separation, find_separation
    from .solvers import Solution, Status
    from .solvers.sgd import SGD
    from .tabular import fit_table

__version__ = "0.1.0"

_HOMES = {
    "SGD": "solvers.sgd",
    "Scan": "data.scan",
    "CollinearWarning": "exceptions",
    "Diagnosis": "diagnosis",
    "EvenOddsError": "exceptions",
    "Inference": "inference",
    "LogisticRegression": "model",
    "LogisticRegressionCV": "cross_validation",
    "Path": "paths",
    "PublishedTable": "inference",
    "Separation": "separation.finding",
    "SeparationWarning": "exceptions",
    "Solution": "solvers",
    "Status": "solvers",
    "compare_table": "inference",
    "diagnose": "diagnosis",
    "find_separation": "separation.finding",
    "fit_table": "tabular",
    "infer": "inference",
    "load": "export",
    "path": "paths",
    "save": "export",
    "write_report": "report",
    "scan": "data.opening",
    "to_onnx": "export.onnx_file",
    "to_sql": "export.sql",
}

__all__ = [
    "SGD",
    "CollinearWarning",
    "Diagnosis",
    "EvenOddsError",
    "Inference",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Path",
    "PublishedTable",
    "Scan",
    "Separation",
    "SeparationWarning",
    "Solution",
    "Status",
    "__version__",
    "compare_table",
    "diagnose",
    "find_separation",
    "fit_table",
    "infer",
    "load",
    "path",
    "save",
    "scan",
    "to_onnx",
    "to_sql",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
