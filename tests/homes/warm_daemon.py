"""Spark's daemon of Python processes, with what each would load and, after each task, look at for what may be freed.

Both are done once, before the processes are forked: they were most of what a read of a few rows took.
"""

import gc
import importlib

if __name__ == "__main__":
    from pyspark.daemon import manager  # here, as those who look for examples in the docstrings need not have Spark

    for name in ("pandas", "pyspark.worker", "evenodds.data.spark", "evenodds.model", "evenodds.inference"):
        importlib.import_module(name)
    gc.freeze()
    manager()
