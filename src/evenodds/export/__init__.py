"""What leaves the house: a model as a file and back, as a query of SQL (`sql`), as a graph of ONNX (`onnx_file`).

All are data, not code: nothing in a file is evaluated when it is read, and no name or text of a model is more than a
name or a text in what is written.
"""

from .model_file import load, plain, replacing, said, save

__all__ = ["load", "plain", "replacing", "said", "save"]
