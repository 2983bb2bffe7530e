"""The estimator: check what is given, find its home, fit, and set the attributes. No mathematics here."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import absent, advice, fitting, progress
from .arrays import Array
from .classifier import Classifier, is_plain
from .coordinates import coordinates_of
from .data import Data, require_finite
from .data.elsewhere import gathered
from .data.scan import Scan
from .data.telling import listening
from .exceptions import EvenOddsError, require_range, within_range
from .labels import plain_labels
from .moments import Moments
from .reading import Numbers, read
from .separation.verdict import OVERLAP
from .settings import Settings, WithoutFirth
from .solvers import Report, Solution, Status
from .solvers.sgd import SGD, one_epoch

if TYPE_CHECKING:
    from .design import Design


class LogisticRegression(progress.CallbackSupport, Classifier):  # type: ignore[misc]  # scikit-learn has no types
    """Logistic regression for two classes or more, solved to a certified optimum.

    Minimises the mean log loss plus ``||w||^2 / (2 C S)``, S the total weight of the rows; the
    intercept is never penalised. The default is maximum likelihood, without a penalty. More than two classes are
    fitted together, by the softmax of one score each (multinomial). Without a penalty the first class is
    their baseline, whose coefficients are 0; with one all classes have coefficients, of a ridge with the sum 0.

    Parameters
    ----------
    C : float, default=inf
        Inverse strength of the penalty, as in scikit-learn; ``inf`` is no penalty.
    l1_ratio : float, default=0.0
        0 is a ridge, 1 a lasso, which holds most coefficients at exactly 0, between them is the elastic net:
        the penalty is ``1/(C S) sum_j f_j [(1 - l1_ratio)/2 w_j^2 + l1_ratio |w_j|]``. Of more than two classes it
        is the sum over all of them. A lasso leaves open one number a column, which may be added to the coefficients
        of all classes: their median is made 0 (if classes are even in number, the middle two add up to 0). Above 0
        it needs a finite `C`, as do penalty factors.
    fit_intercept : bool, default=True
        Whether the scores have an intercept.
    standardize : bool, default=False
        Take the penalty in units of each column's standard deviation, about its mean also without an intercept, as
        glmnet and Spark do (there, a constant column has its size as the unit). Coefficients are always those of the
        columns as given. Without a penalty it changes nothing.
    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of rows by class; "balanced" gives the classes the same total weight.
    firth : {False, True, "flic", "flac"}, default=False
        Firth's penalised likelihood [1]_: finite where classes are separated, and nearly without bias in small
        samples or with rare events. With ``C=inf`` only. It moves probabilities towards 1/2, so that
        True is for coefficients and odds ratios. For probabilities, "flic" refits the intercept, so that the mean
        probability is the share of ``classes_[1]``, and leaves the slopes; "flac" fits anew with a column that tells
        the rows from the pseudo-observations that Firth's penalty adds to them, which moves the slopes too and
        predicts best of the three [2]_. Where some rows are far from the others the penalised likelihood can have
        several maxima: the fit is the highest that is found, and ``solution_.lower_maxima`` tells of the others.
    penalty_factor : array-like of shape (n_features,), dict by name or None, default=None
        The factors f_j, 0 or more and never rescaled; 0 leaves a column without penalty.
    lower, upper : array-like of shape (n_features,), float, dict by name or None, default=None
        Bounds of the coefficients, for example ``lower=0`` for coefficients that cannot be negative. Of more than two
        classes they are those of a column for every class.
    solver : {"auto", "newton", "quasi-newton", "sgd"} or SGD, default="auto"
        "auto" takes the cheaper of the next two; ``solution_.solver`` says which. "newton" uses the exact
        Hessian at every step, "quasi-newton" a cheap metric close to it. "sgd", or an `SGD` with other
        settings, is the textbook's mini-batch gradient descent, which only approaches the optimum.
        With `firth` the first three are one: Newton's steps on few rows, else those of Fisher's information; with an
        L1 part, factors or bounds: proximal Newton.
    tol : float, default=1e-4
        No coefficient is further from the optimum than `tol` of its standard error (with a penalty: of the
        standard deviation that the penalised curvature gives). Where the exact Hessian is at hand, the
        fit goes on to machine precision. Weights that add up to less than the number of rows count as if they added
        up to it: in another unit, with C to match, they are the same fit.
    max_iter : int, default=1000
        Iterations at the most ("sgd" runs its epochs instead).
    n_jobs : int or None, default=None
        Threads. None is all cores that the process may use; in a joblib worker, its share of them.
    random_state : int, RandomState or None, default=None
        Seed of the row sample that a large fit starts from, and of the batches of "sgd". None is the
        same as 0: two fits of the same data are always the same.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    verbose : int, default=0
        1 shows progress on stderr; of rows that are not in memory, also how far each read has come.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the columns as given: the change in the log odds of ``classes_[1]`` for one unit. Of more than
        two classes, the change in each one's score.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    classes_ : ndarray of shape (n_classes,)
    n_iter_ : ndarray of shape (1,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only if all names of the columns are strings.
    aliased_ : tuple
        Names (numbers where there are no names) of columns that are linear combinations of earlier ones,
        or constant beside the intercept. Their coefficient is 0. Only of columns without a penalty and bounds.
    solution_ : Solution
        What the solver found and how well it knows: ``status``, ``loss``, ``gap``, ``error``, ``passes``...
        With `firth`, ``loss`` is the negative penalised log-likelihood over the total weight; it is of Firth's
        fit with "flic" and "flac" as well.

    Warns
    -----
    SeparationWarning
        The classes are separated and there is no penalty: no finite optimum exists. With `firth` one does.
    CollinearWarning
        Some columns are aliased.
    ConvergenceWarning
        The fit ended before `tol` was reached.

    References
    ----------
    .. [1] Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80, 1993, section 3.3; Heinze and
       Schemper, "A solution to the problem of separation in logistic regression", Statistics in Medicine 21, 2002,
       section 2.
    .. [2] Puhr, Heinze, Nold, Lusa and Geroldinger, "Firth's logistic regression with rare events: accurate effect
       estimates and predictions?", Statistics in Medicine 36, 2017, section 2.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from evenodds import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = LogisticRegression(C=1, standardize=True).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.988
    >>> str(model.solution_.status), model.solution_.solver
    ('converged', 'newton')
    """

    coef_: Array
    intercept_: Array
    classes_: NDArray[Any]
    n_iter_: NDArray[np.int64]
    n_features_in_: int
    aliased_: tuple[Any, ...]
    solution_: Solution
    _seen: Moments

    def __init__(
        self,
        C: float = np.inf,
        l1_ratio: float = 0.0,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        firth: bool | str = False,
        penalty_factor: ArrayLike | Mapping[Any, float] | None = None,
        lower: ArrayLike | Mapping[Any, float] | None = None,
        upper: ArrayLike | Mapping[Any, float] | None = None,
        solver: str | SGD = "auto",
        tol: float = 1e-4,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        random_state: object = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.firth = firth
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @progress.with_callbacks
    def fit(
        self, X: object, y: object = None, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)
            Numbers or booleans. float32 and float64 arrays, C or F ordered, and CSR are not copied;
            but a sparse matrix that is no smaller than a dense one becomes dense, and one with columns far from zero
            is taken less a value of each. Or what `scan` returns, which holds y, weights and offsets as well.
        y : array-like of shape (n_samples,)
            Labels with two different values or more: numbers, strings or booleans, in a list, an array or a column of
            pandas, polars or Arrow. Rows belong together by their place; an index of pandas that has those of X in
            another order is an error.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, not negative. A row of weight 2 is two rows, one of weight 0 none. A class whose rows
            all have weight 0 gets what it tends to as its weights do: probability 0 by an intercept of -infinity, and
            coefficients of 0; the others are as without it.
        offset : array-like of shape (n_samples,) or, of more than two classes, (n_samples, n_classes), optional
            Added to the scores with a coefficient of 1, in units of log odds. The methods that predict leave it
            out: add it to `decision_function` yourself.

        Returns
        -------
        self
            The fitted model.

        Raises
        ------
        EvenOddsError
            If the data or a parameter is wrong; the message says what, where and what to do.
        """
        return self._fit_rows(X, y, sample_weight, offset)

    def _fit_rows(
        self,
        X: object,
        y: object,
        sample_weight: object,
        offset: object,
        design: Design | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Fit, by a design that is given and with classes in the order that is given, if they are."""
        settings = Settings.of(self)
        new = self._blank()
        if design is not None:
            new.design_ = design
        lines = progress.ReadLines() if self.verbose else None
        with listening(lines):
            data = new._read(X, y, sample_weight, offset, classes=classes, every=absent.is_as_any(settings))
            with within_range():
                self._fit(new, settings, data, X, y)
        if lines is not None:
            lines.sum_up()
        return self

    def _fit(self, new: Self, settings: Settings, data: Data, X: object, y: object) -> None:
        callbacks = progress.Callbacks(self, new, X, y)

        def reporter(solver: str, most: int, to_coefs: fitting.ToCoefs | None) -> Report | None:
            lines = progress.to_stderr(solver, data.n_rows, data.n_columns) if self.verbose else None
            return progress.both(lines, callbacks.report(most, to_coefs))

        shape = (1 if new._binary else new.classes_.size, data.n_columns)
        warm = self.warm_start and hasattr(self, "coef_") and self.coef_.shape == shape
        last = (self.intercept_, self._coef) if warm else None
        watched = self.verbose or callbacks.any
        found = absent.fit(settings, data, last=last, reporter=reporter if watched else None)
        new._keep(found, data)
        callbacks.end()
        self._become(new)

    @WithoutFirth
    def partial_fit(
        self, X: object, y: object = None, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go once over some rows with mini-batch gradient descent, starting from where the last call ended.

        The settings are those of ``solver`` if that is an `SGD`, else its defaults. Columns are
        standardised by all the rows seen so far.

        Parameters
        ----------
        X, y, sample_weight
            Some rows, as for `fit`.
        classes : array-like of shape (n_classes,), optional
            All labels; needed in the first call if `y` does not hold all.

        Returns
        -------
        self
            The model, with ``coef_`` and ``intercept_`` moved on.
        """
        settings = Settings.of(self)
        first = not hasattr(self, "coef_")
        classes = None if classes is None else np.unique(plain_labels(classes))
        if not first and classes is not None and not np.array_equal(classes, self.classes_):
            raise EvenOddsError(
                f"classes={classes.tolist()} differ from those of the first call, {self.classes_.tolist()}."
            )
        new = self._blank() if first else copy.copy(self)
        data = new._read(X, y, sample_weight, None, classes=classes if first else self.classes_, reset=first)
        if data.n_rows == 0:
            raise EvenOddsError("All rows have weight 0: there is nothing to learn from.")
        require_finite(data)
        with within_range():
            new._seen = Moments.of(data).merged(getattr(self, "_seen", None))
            strength = settings.strength(data)
            penalised = settings.standardize and strength > 0
            curvature = 0.0 if settings.standardize else strength
            own: dict[str, Any] = {"intercept": settings.fit_intercept, "standardize": penalised}
            coordinates = coordinates_of(new._seen, data, strength=curvature, **own)
            objective = fitting.objective_of(settings, data, coordinates, strength)
            if not first and not np.isfinite(self.intercept_).all():
                raise EvenOddsError("A class had no row with a weight in the last fit and has probability 0: fit anew.")
            theta = np.zeros(objective.n_coef) if first else objective.from_coef(self.intercept_, self._coef)
            rng = np.random.default_rng([settings.seed, new._seen.calls])
            theta = one_epoch(objective, theta, settings.sgd or SGD(), rng)
            new.intercept_, new.coef_ = objective.to_coef(theta)
            require_range(new.intercept_, new.coef_)
        new.n_iter_ = np.array([1 if first else int(self.n_iter_[0]) + 1])
        new.aliased_ = ()
        new.__dict__.pop("solution_", None)  # it was another fit's
        self._become(new)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = not self.firth
        return tags

    def _read(
        self,
        X: object,
        y: object,
        sample_weight: object,
        offset: object,
        *,
        classes: ArrayLike | None = None,
        reset: bool = True,
        every: bool = True,
    ) -> Data:
        """Check all that is given to a fit and find its home.

        reset : whether columns and classes are learnt from it, by a model that is `_blank`
        every : whether classes whose rows all have weight 0 are among those of the home
        """
        X, y, sample_weight, offset = gathered(X, y, sample_weight, offset)
        if isinstance(X, Scan):
            X = self._scan_of(X, reset=reset)
        elif y is None and getattr(self, "design_", None) is not None:
            y, sample_weight, offset = self.design_.beside(X, sample_weight, offset)

        def numbers(X: object) -> Numbers:
            if reset and is_plain(X) and not hasattr(self, "design_"):  # spares a small fit a third of its time
                self.n_features_in_ = X.shape[1]
                return X, None, None
            rows = self._design_rows(X, reset=reset, y=y)
            if rows is None:
                return self._array(X, reset=reset), self._names, None
            array = rows.matrix() if self._multiplies else rows.for_fit()
            return array, self._names, rows.gone if rows.drops else None

        own: dict[str, Any] = {"intercept": bool(self.fit_intercept), "every": every, "n_jobs": self.n_jobs}
        own |= {"caller": type(self).__name__, "two": "Firth's fit" if self.firth else None}
        weights: dict[str, Any] = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        data, found = read(X, y, offset=offset, numbers=numbers, classes=classes, **weights, **own)
        if reset:
            self.classes_ = found
        return data

    @property
    def _multiplies(self) -> bool:
        # What reads columns one by one, again and again, or rows as the textbook has them, takes no codes.
        settings = Settings.of(self)
        return bool(settings.firth or settings.composite or settings.sgd is not None)

    def _keep(self, fit: fitting.Fit, data: Data) -> None:
        """Set the attributes, and warn of what the user should know of classes with weight."""
        self.intercept_, self.coef_ = fit.coefs
        self.n_iter_ = np.array([fit.solution.iterations])
        self.solution_ = fit.solution
        self.aliased_ = tuple(self._name(column) for column in fit.aliased)
        if fit.verdict is not OVERLAP:
            from .separation.words import tell  # here, as most fits need none of it

            tell(fit.verdict, self.classes_[data.present].tolist(), self._name)
        if self.aliased_:
            advice.warn_of_aliased(self.aliased_)
        if fit.solution.solver == "sgd":
            advice.warn_of_growing_losses(fit.solution, self.classes_.size)
        if fit.solution.status in (Status.MAX_ITER, Status.STALLED) and not fit.verdict.doubt:
            advice.warn_of_distance(fit.solution, self.tol, self.max_iter, self.firth)
