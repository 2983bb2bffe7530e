"""A fitted model as an ONNX file: one input a column, and the label and the probabilities of each row."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..design import Design, Number, Part
from ..exceptions import EvenOddsError
from .model_file import replacing
from .onnx_language import Graph, missing_text, onnx_module
from .scorer import Scorer, by_level, offset_of, scorer_of, values_of
from .self_test import expected_of, require_same, sample_of

if TYPE_CHECKING:
    import onnx

_OPSET, _ML_OPSET, _IR = 17, 3, 8  # of onnxruntime 1.13 and later
_MOST_TRIED = 2000  # inputs of a file that is tried


def to_onnx(model: object, path: str | os.PathLike[str], *, offset: str | None = None) -> None:
    """Write a fitted model to an ONNX file.

    The graph has one input a column, by its name: text as strings, numbers and booleans as doubles, dates as whole
    seconds since 1970 (``astype("datetime64[s]").astype("int64")``), each of shape (n, 1). Its outputs are ``label``
    (n,) and ``probabilities`` (n, n_classes), in doubles, those of `predict_proba` to about 1e-15. Factors, policies,
    polynomials and splines are in it. If onnxruntime is installed the file is tried on a sample before it is written.

    Parameters
    ----------
    model : LogisticRegression
        A fitted model. Of one that was fitted on an array, the inputs are ``x0``, ``x1``, ...
    path : path-like
        The file. It is replaced if it is there, and only after the new one is complete.
    offset : str, optional
        An input of numbers that is added to the score of two classes; by default the column that `fit_table` was given.
        Without one the probabilities are those of `predict_proba`, which has no offset.

    Raises
    ------
    EvenOddsError
        If the model cannot be written, as it has a name or label that ONNX cannot hold; or without the package onnx
        (``pip install "evenodds[onnx]"``).
    OSError
        If the file cannot be written.

    Notes
    -----
    A missing number is NaN and a missing date NaT; missing text is None, NaN or an empty text, if that is no level: a
    tensor of text has None as the text "None" and NaN as "nan", so that those are the level where there is one.
    Rows for which `predict_proba` has no probability, or which it refuses (a level that the fit has not seen,
    infinity), have NaN as the probabilities of all classes; their label means nothing.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, onnxruntime, pandas as pd
    >>> from evenodds import fit_table, to_onnx
    >>> frame = pd.DataFrame({"late": ["no", "yes"] * 4, "carrier": list("ABABBAAA"), "hours": np.arange(8.0)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(fit_table("late", frame, C=1), f"{folder}/model.onnx")
    ...     session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    >>> rows = {"carrier": np.array([["A"], ["B"]], dtype=object), "hours": np.array([[3.0], [4.0]])}
    >>> session.run(["label"], rows)
    [array(['no', 'yes'], dtype=object)]
    """
    scorer = scorer_of(model, "written as ONNX")
    added = offset_of(scorer, offset)
    _require_same(scorer, _made(scorer))
    made = _made(scorer, added)
    with replacing(Path(path)) as file:
        file.write(made.SerializeToString())


def _made(scorer: Scorer, offset: str | None = None) -> Any:
    """The model as onnx has it."""
    helper = onnx_module(".helper")
    names = [*scorer.inputs, *([] if offset is None or offset in scorer.inputs else [offset])]
    _require_names(names)
    kinds = {} if scorer.design is None else scorer.design.kinds
    types = onnx_module().TensorProto
    typed = [{"text": types.STRING, "date": types.INT64}.get(kinds.get(name, ""), types.DOUBLE) for name in names]
    inputs = [helper.make_tensor_value_info(name, kind, ["N", 1]) for name, kind in zip(names, typed, strict=True)]
    graph = Graph(names, scorer.design)
    labels = _labels(scorer.labels)
    scores = _scores(scorer, graph)
    if offset is not None:
        if kinds.get(offset, "number") not in ("number", "boolean"):
            raise EvenOddsError(f"The offset {offset!r} is a column of {kinds[offset]}, and has to be one of numbers.")
        scores = graph.node("Add", scores, graph.finite(offset))
    _add_outputs(graph, scores, labels, scorer.binary)
    outputs = [
        helper.make_tensor_value_info("label", helper.np_dtype_to_tensor_dtype(labels.dtype), ["N"]),
        helper.make_tensor_value_info("probabilities", types.DOUBLE, ["N", len(scorer.labels)]),
    ]
    if labels.dtype == object:
        outputs[0] = helper.make_tensor_value_info("label", types.STRING, ["N"])
    made = helper.make_graph(graph.nodes, "evenodds", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    from .. import __version__  # not at the top: the package itself may import this module

    return helper.make_model(
        made, opset_imports=opsets, ir_version=_IR, producer_name="evenodds", producer_version=__version__
    )


def _require_names(names: Sequence[str]) -> None:
    """An error for columns that ONNX cannot take."""
    for name in names:
        if not name:
            raise EvenOddsError("An input of ONNX needs a name, and a column has none. Rename it before the fit.")
        if name in ("label", "probabilities"):
            raise EvenOddsError(
                f"The model takes a column {name!r}, which is an output in ONNX. Rename it before the fit."
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise EvenOddsError(f"The name {name!r} is not valid Unicode. Rename the column before the fit.") from None


def _labels(labels: Sequence[Any]) -> NDArray[Any]:
    """The labels as a tensor can hold them."""
    if all(isinstance(label, str) for label in labels):
        return np.array(labels, dtype=object)
    found = np.array(labels)
    if found.dtype.kind not in "bif" or found.tolist() != list(labels):
        raise EvenOddsError(f"ONNX cannot hold the labels {str(list(labels))[:80]}: make them text or smaller numbers.")
    return found.astype(np.int64) if found.dtype.kind == "i" else found


def _scores(scorer: Scorer, graph: Graph) -> str:
    """The scores (n, K)."""
    parts = [graph.constant(scorer.intercepts[None, :])]
    design = scorer.design
    if design is None:
        rows = graph.node("Concat", *scorer.inputs, axis=1)
        zeros = graph.node("Mul", rows, graph.number(0.0))  # NaN where a number is infinite
        gone = graph.node("ReduceSum", zeros, graph.constant(np.array([1])), keepdims=1)
        parts += [graph.node("MatMul", rows, graph.constant(scorer.coef)), gone]
        return graph.node("Sum", *parts)
    first = 0
    for term in design.terms:
        for block in term.blocks:
            first = _add_block(scorer, graph, block, first, parts)
    return graph.node("Sum", *parts)


def _add_block(scorer: Scorer, graph: Graph, block: Sequence[Part], first: int, parts: list[str]) -> int:
    """What the columns of a block add to the scores; the number of the first column behind them."""
    numbers, factors, shape, count = scorer.taken_apart(block)
    columns = _products(graph, numbers)
    # A factor with one level has no column.
    weights = scorer.coef[first : first + count].reshape(len(columns), int(np.prod(shape)), scorer.coef.shape[1])
    for column, own in zip(columns, weights, strict=True):
        table = np.stack([by_level(one, factors, shape) for one in own.T], axis=-1)
        row = graph.looked_up([factor for _, factor in factors], table) if factors else graph.constant(_one_row(table))
        parts.append(row if column is None else graph.node("Mul", column, row))
    return first + count


def _one_row(table: Array) -> Array:
    return np.ascontiguousarray(table.reshape(1, -1))


def _products(graph: Graph, numbers: Sequence[Number]) -> list[str | None]:
    """The products of the columns of numbers, the first changing fastest; NaN where one is infinite."""
    found: list[str | None] = [None]
    for number in numbers:
        columns = [graph.finite(one) for one in values_of(number, graph)]
        found = [one if rest is None else graph.node("Mul", rest, one) for one in columns for rest in found]
    return found


def _add_outputs(graph: Graph, scores: str, labels: NDArray[Any], binary: bool) -> None:
    if binary:
        one, minus = graph.number(1.0), graph.node("Neg", scores)
        sides = [graph.node("Div", one, graph.node("Add", one, graph.node("Exp", z))) for z in (scores, minus)]
        graph.node("Concat", *sides, axis=1, output="probabilities")
        above = graph.node("Greater", scores, graph.number(0.0))
        place = graph.node("Squeeze", graph.node("Cast", above, to=7), graph.constant(np.array([1])))
    else:
        graph.node("Softmax", scores, axis=1, output="probabilities")
        place = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.node("Gather", graph.constant(labels), place, axis=0, output="label")


def _require_same(scorer: Scorer, made: "onnx.ModelProto") -> None:
    """An error where the graph gives other numbers than the model, if onnxruntime is there to tell."""
    if len(scorer.inputs) > _MOST_TRIED:
        return
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        return
    sample = sample_of(scorer)
    rows = {name: _tensor(values, name, scorer.design) for name, values in sample.items()}
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], rows)
    require_same(scorer, found, expected_of(scorer, sample), "the graph, in onnxruntime,")


def _tensor(values: list[Any], name: str, design: Design | None) -> NDArray[Any]:
    """A column of the sample as an input."""
    kind = "number" if design is None else design.kinds[name]
    if design is not None and kind == "text":
        missing = missing_text(design, name)
        values = [missing if value is None else value for value in values]
    types: dict[str, Any] = {"text": object, "date": "datetime64[s]"}
    column = np.array(values, dtype=types.get(kind, np.float64)).reshape(-1, 1)
    return column.astype(np.int64) if kind == "date" else column
