"""What leaves the house: a model as a file and back, as a query of SQL, as a graph of ONNX.

All are data, not code: nothing in a file is evaluated when it is read, and no name or text of a model is more than a
name or a text in what is written.
"""

from .model_file import load, plain, replacing, said, save
from .onnx_file import to_onnx
from .sql import to_sql

__all__ = ["load", "plain", "replacing", "said", "save", "to_onnx", "to_sql"]
