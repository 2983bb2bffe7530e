"""X for what fits no model that is kept: numbers as they are, and a table with text or dates by a design."""

from typing import Any

from .table import is_all_numeric, is_frame, numbers_of


def any_numbers(X: Any, caller: str, intercept: bool) -> tuple[Any, list[str] | None]:
    """X as an array or a CSR matrix of numbers, and the names of its columns, if they are strings.

    intercept : whether the model has one, without which the first factor has a column for each of its levels
    """
    if not is_frame(X) or is_all_numeric(X):
        return numbers_of(X, caller)
    from .design import learn  # here, as it needs pyarrow, and arrays do not

    design = learn(X, intercept=intercept)
    return design.read(X).matrix(), list(design.names)
