"""The one family of errors, and the warnings that a user can filter."""


class EvenOddsError(ValueError):
    """Something in the data or the call is wrong: the message says what, where and what to do."""


class SeparationWarning(UserWarning):
    """The columns separate the classes: the maximum-likelihood estimate is not finite."""


class CollinearWarning(UserWarning):
    """Columns are linear combinations of others: they are left out of the fit and reported as aliased."""


class NonFiniteError(EvenOddsError):
    """X holds NaN or infinity: where, for a message that can name the column."""

    def __init__(self, row: int, column: int, value: float, name: str | None = None) -> None:
        self.row, self.column, self.value = row, column, value
        kind = "NaN" if value != value else "infinity"
        where = f"column {name!r}" if name is not None else f"column {column}"
        super().__init__(
            f"Input X contains {kind}, first in {where}, row {row} (counted from 0). "
            "Drop or impute such rows before fitting, for example with sklearn.impute.SimpleImputer."
        )
