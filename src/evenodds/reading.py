"""The one way in: X, y, weights and offsets as a user has them, checked, to a home of rows.

X becomes numbers by `numbers_of`, or by what a model knows of its columns; all that is beside it is read here alone,
and only here are homes made of what is given.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from .arrays import Matrix
from .data import Data, as_data, require_finite
from .data.elsewhere import gathered
from .data.scan import Scan
from .exceptions import EvenOddsError
from .labels import class_factors, combine_weights, encode_kept, encode_labels, one_class, require_two, row_offsets
from .table import is_all_numeric, is_frame, numeric_array, numeric_rows, require_same_order, require_some

Numbers = tuple[Any, list[str] | None, NDArray[np.bool_] | None]


def read(
    X: object,
    y: object,
    sample_weight: object,
    offset: object,
    *,
    caller: str,
    numbers: Callable[[Any], Numbers] | None = None,
    classes: ArrayLike | None = None,
    class_weight: object = None,
    two: str | None = None,
    intercept: bool = True,
    every: bool = True,
    n_jobs: int | None = None,
) -> tuple[Data, NDArray[Any]]:
    """The home of the rows, which has the names of the columns, and the classes, sorted.

    caller : what the user has called, for errors
    numbers : X as an array or a CSR matrix, the names of its columns, and which rows are left out, if any can be
    classes : those to expect, in the order that they shall have
    two : what is for two classes only, if something is
    intercept, every, n_jobs : see `as_data`
    """
    X, y, sample_weight, offset = gathered(X, y, sample_weight, offset)
    if isinstance(X, Scan):
        require_alone(y, sample_weight, offset)
        X = X if numbers is not None else _numbered(X, intercept, n_jobs)
        X.require_target(caller)
        return _read_surveyed(X, classes, class_weight, two, every, n_jobs)
    if y is None:
        raise EvenOddsError(f"{caller} requires y to be passed, but the target y is None. Pass the labels of the rows.")
    require_same_order(X=X, y=y, sample_weight=sample_weight, offset=offset)
    array, names, gone = _any_numbers(X, caller, intercept) if numbers is None else numbers(X)
    n_rows, kept = array.shape[0], None
    if gone is None:
        found, codes = encode_labels(y, n_rows, classes)
    else:
        found, codes, kept = encode_kept(y, ~gone, classes)
    if two is not None:
        require_two(found, two)
    weight = combine_weights(sample_weight, class_weight, codes, found)
    if kept is not None:
        weight = kept.astype(np.float64) if weight is None else np.where(kept, weight, 0.0)
    shift = None if offset is None else row_offsets(offset, n_rows, found.size)
    own: dict[str, Any] = {"n_jobs": n_jobs, "n_classes": found.size, "names": names, "every": every}
    return as_data(array, codes, weight, shift, intercept=intercept, **own), found


def _read_surveyed(
    rows: Scan, classes: ArrayLike | None, class_weight: object, two: str | None, every: bool, n_jobs: int | None
) -> tuple[Data, NDArray[Any]]:
    """The home of rows that are elsewhere, and the classes, from one read of them; see `read`."""
    labels = np.empty(len(rows.labels(n_jobs)), dtype=object)
    labels[:] = rows.labels(n_jobs)
    counts, totals = rows.counts(n_jobs)
    if labels.size == 1 and classes is None:
        raise one_class(labels[0], int(counts.sum()))
    found, codes = encode_labels(labels, labels.size, classes)
    if two is not None:
        require_two(found, two)
    factors = None if class_weight is None else class_factors(class_weight, codes, found, totals)
    if factors is not None and not factors.all():
        raise EvenOddsError("A class weight of 0 takes all rows of a class away: leave them out of what is scanned.")
    wanted = 1 if found.size == 2 else found.size
    if rows.n_offsets not in (0, wanted):
        raise EvenOddsError(
            f"There are {rows.n_offsets} columns of offsets; {found.size} classes have "
            + ("one, for the second." if wanted == 1 else f"{wanted}, one for each class in the order of the labels.")
        )
    return rows.home(codes.astype(np.intp), found.size, factors, n_jobs, every=every), found


def require_alone(y: object, sample_weight: object, offset: object) -> None:
    """An error for what is given beside a scan, which has it among its columns."""
    given = {"y": (y, "target"), "sample_weight": (sample_weight, "weight"), "offset": (offset, "offset")}
    for name, (values, role) in given.items():
        if values is not None:
            raise EvenOddsError(f"A scan reads all from its columns: leave out {name}, and say scan(..., {role}=...).")


def unpacked(X: object, y: object, sample_weight: object, offset: object, what: str) -> tuple[Any, Any, Any, Any]:
    """The same in memory: rows that are scanned are read, if they fit the budget of the scan.

    what : needs them so, for the error
    """
    X, y, sample_weight, offset = gathered(X, y, sample_weight, offset)
    if not isinstance(X, Scan):
        return X, y, sample_weight, offset
    require_alone(y, sample_weight, offset)
    return X.table(what)


def numbers_of(X: object, check: Callable[..., Any]) -> tuple[Any, list[Any] | None]:
    """X as an array or a CSR matrix of numbers, finite or not, and of a frame the names of its columns.

    check : scikit-learn's, of what is no frame
    """
    try:
        if is_frame(X):
            array, columns = numeric_array(X)
        else:
            columns = None
            array = check(numeric_rows(X), dtype="numeric", ensure_all_finite=False, accept_sparse="csr")
    except EvenOddsError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise EvenOddsError(str(error)) from None
    require_some(array)
    return array, columns


def _any_numbers(X: object, caller: str, intercept: bool) -> Numbers:
    """The numbers of X for a function that keeps no model: as they are, or of a table with text or dates by a design.

    The names of columns are strings or none. Without an intercept the first factor has a column for each of its levels.
    """
    if not is_frame(X) or is_all_numeric(X):
        array, columns = numbers_of(X, partial(check_array, estimator=caller))
        return array, columns if columns and all(isinstance(name, str) for name in columns) else None, None
    from .design import learn  # here, as it needs pyarrow, and arrays do not

    design = learn(X, intercept=intercept)
    rows = design.read(X)
    # A search for separation takes factors as a fit does; what reads columns one by one has them multiplied out.
    return rows.for_fit() if caller == "find_separation" else rows.matrix(), list(design.names), None


def _numbered(scan: Scan, intercept: bool, n_jobs: int | None) -> Scan:
    """Rows that are scanned, by a design where their columns are not all numbers."""
    if scan.is_numeric:
        return scan
    from .design import encoded, learn_all

    return encoded(scan, learn_all(scan, n_jobs, intercept), True)


def require_finite_array(array: Matrix, names: list[str] | None) -> None:
    """An error where an X that is otherwise checked is not finite."""
    require_finite(as_data(array, np.zeros(array.shape[0], np.uint8), names=names))
