"""The compiled loops as ctypes sees them: one shared library, loaded when it is first asked for.

ctypes gives up the GIL while a function runs, so that the threads of a home work at once. A function is known by its
name and what it is for; the level of vector instructions is the best that the machine has, and changes no bit of a
result.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, Values

_ENDINGS = {"win32": ".dll", "darwin": ".dylib"}
PATH = Path(__file__).with_name("_kernels" + _ENDINGS.get(sys.platform, ".so"))

_BEGINNING = ctypes.c_char * 0
_DOUBLE = np.dtype(np.float64)  # compared in half the time of the class
_TYPES: dict[str, Any] = {"p": ctypes.c_void_p, "n": ctypes.c_ssize_t, "i": ctypes.c_int, "d": ctypes.c_double}
# The result of each function, then its arguments: pointers, sizes, ints and doubles.
_SIGNATURES = {
    "rows_c": (None, "pnnipppppdiip"),
    "rows_f": (None, "pnipppppdp"),
    "second_order": (None, "pnnniippppppp"),
    "newton": ("i", "pnnniiiipppppppdpidpppppp"),
    "small_fit": ("i", "pnnniiiippddidddddip"),
    "rows_csr": (None, "pppnppppdp"),
    "curvature_csr": (None, "pppnppppdpp"),
    "curved_csr": ("d", "pppnppd"),
    "moments_csr": (None, "pppnpnppp"),
    "coded_rows": ("d", "pnnipnippppppppipp"),
    "coded_products": (None, "pnnipnippppinppppp"),
    "moments_c": ("d", "pnnipppppp"),
    "moments_f": ("d", "pnnipppppp"),
    "units": ("i", "pnniipippp"),
    "centres": (None, "pnnnip"),
    "softmax_rows": (None, "pnnniiipppppppppp"),
    "softmax_second": (None, "pnnniiiippppppp"),
    "descend": ("i", "pnippppppdipp"),
    "csc_of": ("i", "pppnnppp"),
    "csc_products": (None, "ppppnpp"),
    "csc_moments": (None, "ppppnppp"),
    "csc_scores": (None, "ppppnpp"),
    "descend_sparse": ("d", "pppppppnnpppppppppdip"),
    "newton_sparse": ("i", "pppppnnippppppppppppdippppp"),
    "some_products": (None, "pninpnpp"),
    "all_products": (None, "pninnpnp"),
    "beyond_bounds": ("n", "ppnnndpppp"),
    "two_probabilities": (None, "pnp"),
    "two_labels": ("n", "pinp"),
    "row_sums": (None, "pppnppp"),
    "many_rows": (None, "pnnppppp"),
    "path_fits": ("n", "pnipppppppiiddipppppp"),
    "vector_product": ("d", "ppn"),
    "matrix_vector": (None, "pnnnipp"),
    "matrix_product": (None, "pnnpnnnpp"),
    "cholesky": ("i", "pnp"),
    "solve_cholesky": (None, "pnp"),
    "eigen": ("i", "pnpp"),
    "weighted_grams": (None, "pnnnnpnpp"),
    "invert_root": (None, "pnp"),
    "solve_lower": (None, "pnnip"),
    "invert_each": (None, "pnnppp"),
    "solve_each": (None, "pnnpp"),
    "before_metric": (None, "pppnnnnpp"),
    "after_metric": (None, "pppnnnnpp"),
}


def open_library(path: Path) -> ctypes.CDLL:
    """The shared library at `path`; an ImportError that says what to do if it cannot be loaded, or is an old one.

    In a checkout, where the C files lie beside it, it has to be built from them: calls of others would crash. Their
    digest is in `sources.h`, which a wheel does not have.
    """
    sources = path.with_name("sources.h")
    try:
        library = ctypes.CDLL(str(path))
        if sources.exists():
            library.sources.restype = ctypes.c_char_p
            if library.sources() not in sources.read_bytes():
                raise OSError("it was built from other C files than those beside it")
        return library
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"The compiled loops of evenodds, {path.name}, cannot be loaded ({error}). Install evenodds anew: "
            "'pip install --force-reinstall --no-deps evenodds', in a checkout 'pip install --editable .'."
        ) from error


@functools.cache
def load() -> tuple[ctypes.CDLL, int]:
    """The library, and the best level of vector instructions that the machine has."""
    library = open_library(PATH)
    return library, library.machine_level()


@functools.cache
def function(name: str, kind: str = "") -> Callable[..., Any]:
    """A loop, for a kind of entries: "d" or "s", of sparse rows with the bits of their indices after it."""
    library, level = load()
    found = library[f"{name}_{kind}{level}"]
    result, arguments = _SIGNATURES[name]
    found.restype = None if result is None else _TYPES[result]
    found.argtypes = [_TYPES[one] for one in arguments]
    return found


def pointer(array: Any) -> Any:
    """Where an array begins, which the caller has to keep; None for none."""
    if array is None:
        return None
    try:  # a quarter of the time of the other way
        return _BEGINNING.from_buffer(array)
    except TypeError:  # it may not be written to, or has gaps
        return int(array.__array_interface__["data"][0])


def vector(a: Values, size: int, dtype: type[np.generic] | np.dtype[Any] = _DOUBLE) -> Values:
    """An array as the loops read it: in one piece, aligned and of this type. An error if it has not `size` numbers."""
    ready = a.__class__ is np.ndarray and a.dtype == dtype and (flags := a.flags).c_contiguous and flags.aligned
    found: Values = a if ready else np.require(a, dtype, ["C", "A"])
    if found.size != size:
        raise ValueError(f"A loop over {size:,} numbers was given {found.size:,}.")
    return found


def in_place(a: Array, size: int) -> Array:
    """An array that a loop writes to: it has to be as the loop reads it."""
    if a.dtype != np.float64 or a.size != size or not a.flags.carray:
        raise ValueError(f"A loop cannot write {size:,} numbers to {a.dtype}, shape {a.shape} and strides {a.strides}.")
    return a
