"""Collections of Dask and frames of Spark: how they are known, without importing either."""

import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from ..arrays import Array, Values

if TYPE_CHECKING:
    from dask.typing import DaskCollection
    from pyspark.sql import DataFrame

    from .scan import Scan


class Predictor(Protocol):
    """A fitted classifier, as far as what predicts somewhere else has to know it."""

    classes_: Values

    def predict_proba(self, X: object) -> Array:
        """The probabilities of the classes (m, K)."""

    def decision_function(self, X: object) -> Array:
        """The scores, which not every classifier has."""


def is_dask(X: object) -> "TypeGuard[DaskCollection]":
    """Whether X is a collection of Dask."""
    return "dask" in sys.modules and type(X).__module__.split(".")[0] == "dask" and hasattr(X, "__dask_graph__")


def is_spark(X: object) -> "TypeGuard[DataFrame]":
    """Whether X is a frame of Spark."""
    spark = sys.modules.get("pyspark.sql")
    return spark is not None and isinstance(X, spark.DataFrame)


def brought(what: object) -> Any:
    """What a collection of Dask holds, here; anything else as it is."""
    return what.compute() if is_dask(what) else what


def gathered(
    X: object, y: object, sample_weight: object, offset: object, groups: object = None
) -> "tuple[Any | Scan, Any, Any, Any]":
    """Rows of Dask or Spark, with what is given beside them, as what is scanned; all else as it is.

    groups : of Dask they are one of its columns, too
    """
    if type(X) is np.ndarray:  # what small fits are given need not be asked about
        return X, y, sample_weight, offset
    if is_dask(X):
        from .dask import scan_of

        return scan_of(X, y, sample_weight, offset, groups if is_dask(groups) else None), None, None, None
    if is_spark(X):
        from .spark import scan_of as scan_of_spark

        return scan_of_spark(X, y, sample_weight, offset), None, None, None
    return X, y, sample_weight, offset
