"""Frames of Spark: a read is one `mapInArrow`, a task a partition, whose sums are added here in their order.

A frame of Spark has no order by which another one could be put beside it: y, weights and offsets are columns of X.
"""

import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from ..exceptions import EvenOddsError
from ..naming import known_column
from .batches import Roles
from .budget import bytes_of
from .elsewhere import Predictor
from .folding import in_a_tree
from .partitions import name_of
from .scan import MEMORY, Scan
from .units import Source, Unit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

T = TypeVar("T")
_LONGEST = 300  # letters of what Spark says of an error
_IN_PYTHON = re.compile(r"[\w.]+(Error|Exception|Warning): ")  # what a worker has raised, in many lines of Java
_KINDS = {"U": "string", "O": "string", "b": "boolean", "i": "bigint", "u": "bigint", "f": "double"}
_WIDE = {"i": np.int64, "u": np.int64, "f": np.float64}  # as Spark has them


class Executors:
    """The partitions of a frame; see `units.Cluster`."""

    def __init__(self, frame: "DataFrame") -> None:
        self._frame = frame

    def run(
        self,
        work: Callable[[int, Unit], T],
        columns: Sequence[str],
        add: Callable[[list[T]], T],
        numbers: Sequence[int] | None = None,
    ) -> T:
        """See `units.Cluster`."""
        chosen = None if numbers is None else frozenset(numbers)

        def over(batches: Iterator[Any]) -> Iterator[Any]:
            from pyspark import TaskContext

            context: Any = TaskContext.get()
            k = context.partitionId()
            if chosen is None or k in chosen:
                yield _packed(k, _outcome(work, k, _unit(k, batches)))
            for _ in batches:  # a process that has not read all there is is not used again
                pass

        with _told():
            rows = self._chosen(columns).mapInArrow(over, "number int, outcome binary").collect()
        found = {row.number: pickle.loads(row.outcome) for row in rows}
        parts = [found[k] for k in sorted(found)]
        for part in parts:
            if isinstance(part, EvenOddsError):
                raise part
        total: T = in_a_tree(parts, add)
        return total

    def batches(self, columns: list[str], rows: int) -> Iterator[Any]:
        """All rows, brought here partition by partition."""

        def over(batches: Iterator[Any]) -> Iterator[Any]:
            for batch in batches:
                yield _packed(0, batch)

        with _told():
            found = self._chosen(columns).mapInArrow(over, "number int, outcome binary").toLocalIterator()
        while True:
            with _told():  # not around `yield`: what comes between is another's
                row = next(found, None)
            if row is None:
                return
            yield pickle.loads(row.outcome)

    def _chosen(self, columns: Sequence[str]) -> Any:
        return self._frame.select(*(_quoted(name) for name in columns))


def _packed(k: int, outcome: object) -> Any:
    arrays = [pa.array([k], pa.int32()), pa.array([pickle.dumps(outcome)], pa.binary())]
    return pa.RecordBatch.from_arrays(arrays, names=["number", "outcome"])


def _outcome(work: Callable[[int, Unit], T], k: int, unit: Unit) -> T | EvenOddsError:
    """What a function makes of a partition, or the error that it has: Spark would bring it as a text of many lines."""
    try:
        return work(k, unit)
    except EvenOddsError as error:
        return error


def _unit(k: int, batches: Iterator[Any]) -> Unit:
    """A partition, where it is."""

    def opened(columns: list[str], rows: int) -> Iterator[Any]:
        """Batches of so many rows, as a file gives them, whatever number Spark sends at a time."""
        held: list[Any] = []
        for batch in batches:
            held.append(batch)
            while sum(len(one) for one in held) >= rows:
                table = pa.Table.from_batches(held)
                yield _one_batch(table[:rows])
                held = table[rows:].to_batches()
        if held:
            yield _one_batch(pa.Table.from_batches(held))

    return Unit(name_of(k), 0, None, opened)


def _one_batch(table: pa.Table) -> Any:
    return table.combine_chunks().to_batches()[0]


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong is told in few words; no pandas is used here, of which Spark warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        try:
            yield
        except EvenOddsError:
            raise
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            said = next((line for line in lines if _IN_PYTHON.match(line)), lines[0])
            raise EvenOddsError(f"Spark could not compute the rows: {said[:_LONGEST].rstrip('.')}.") from error


# What is given as what is scanned


def source_of_frame(frame: "DataFrame") -> Source:
    """The columns of a frame."""
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    twice = [name for name in frame.columns if frame.columns.count(name) > 1]
    if twice:
        raise EvenOddsError(f"Two columns have the name {twice[0]!r}: rename one of them.")
    types = {}
    for field in frame.schema.fields:
        try:
            types[field.name] = to_arrow_schema(StructType([field])).field(0).type
        except PySparkException:  # of a kind that Arrow has no type for, which is no number either
            types[field.name] = pa.struct([])
    executors = Executors(frame)
    return Source((Unit("the Spark frame", 0, None, executors.batches),), types, cluster=executors)


def scan_of(X: "DataFrame", y: object, sample_weight: object, offset: object) -> Scan:
    """A frame, of which y, weights and offsets are columns, given by their names or as columns of Spark."""
    shifts = [] if offset is None else list(offset) if isinstance(offset, list | tuple) else [offset]
    frame, names = X, []
    for value, role in ((y, "y"), (sample_weight, "sample_weight"), *((shift, "offset") for shift in shifts)):
        frame, name = (frame, None) if value is None else _beside(frame, value, role)
        names.append(name)
    features = tuple(name for name in frame.columns if name not in names)
    if not features:
        raise EvenOddsError("No column is left for X.")
    source = source_of_frame(frame)
    return Scan(source, Roles(features, names[0], names[1], tuple(map(str, names[2:]))), bytes_of(MEMORY), False)


def _beside(frame: "DataFrame", value: object, role: str) -> tuple[Any, str]:
    """The frame with a column that is given beside it, and its name."""
    from pyspark.sql import Column

    if isinstance(value, str):
        known_column(value, frame.columns)
        return frame, value
    advice = (
        "Frames of Spark have no order by which one could be put beside another: name a column of X, such as "
        'fit(frame, "late"), or say scan(frame, target="late", columns=[...]).'
    )
    if not isinstance(value, Column):
        raise EvenOddsError(f"X is a Spark frame, and {role} a {type(value).__name__}. {advice}")
    try:
        name = frame.select(value).columns[0]
        return frame.withColumn(name, value), name
    except Exception as error:  # whatever Spark calls it
        raise EvenOddsError(f"{role} is no column of the Spark frame X. {advice}") from error


# What predicts


def column_of(model: Predictor, method: str, names: Sequence[str]) -> Any:
    """What a method that predicts says of each row, as a column of Spark, of any frame with these columns."""
    import pyspark.sql.functions

    functions: Any = pyspark.sql.functions
    one = method == "predict" or (method == "decision_function" and model.classes_.size == 2)
    kind = _KINDS[model.classes_.dtype.kind] if method == "predict" else "double" if one else "array<double>"

    def predicted(*columns: pa.Array) -> pa.Array:
        found = getattr(model, method)(pa.table(list(columns), names=list(names)))
        wide = _WIDE.get(found.dtype.kind)
        return pa.array(list(found) if found.ndim > 1 else found if wide is None else found.astype(wide))

    udf = functions.arrow_udf(predicted, kind)
    return udf(*(functions.col(_quoted(name)) for name in names))
