"""What a fit says about the coefficients: standard errors, tests, intervals, effects and diagnostics.

`infer` reads the rows once at the fitted coefficients and returns an `Inference`, from which tables and
pictures are made.
"""

from .analysis import infer
from .certificate import Certificate
from .hypotheses import TestResult
from .publication import PublishedTable, compare_table
from .record import Inference

__all__ = ["Certificate", "Inference", "PublishedTable", "TestResult", "compare_table", "infer"]
