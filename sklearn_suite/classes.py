"""The classes of evenodds behind scikit-learn's parameters: other names and defaults, nothing else.

Each name of a solver stands for one of ours. What steers one of scikit-learn's (`dual`, `intercept_scaling`) is taken
and does nothing.
"""

from typing import Any

import numpy as np

import evenodds

SOLVERS = {
    "lbfgs": "auto",
    "liblinear": "quasi-newton",
    "newton-cg": "newton",
    "newton-cholesky": "newton",
    "sag": "quasi-newton",
    "saga": "auto",
}


class _Named:
    """Takes scikit-learn's name of a solver and shows it; what fits reads ours."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "solver":
            super().__setattr__("named", value)
            value = SOLVERS.get(value, value)
        super().__setattr__(name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return super().get_params(deep) | {"solver": self.named}


class LogisticRegression(_Named, evenodds.LogisticRegression):
    """`evenodds.LogisticRegression` with C=1.0 and scikit-learn's names."""

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: Any = 1.0,
        l1_ratio: Any = 0.0,
        dual: bool = False,
        tol: Any = 1e-4,
        fit_intercept: Any = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: Any = "lbfgs",
        max_iter: Any = 1000,
        verbose: Any = 0,
        warm_start: Any = False,
        n_jobs: Any = None,
    ) -> None:
        super().__init__(
            np.inf if penalty is None else C,
            {"l1": 1.0, "l2": 0.0}.get(penalty, l1_ratio),
            tol=tol,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            random_state=random_state,
            solver=solver,
            max_iter=max_iter,
            verbose=verbose,
            warm_start=warm_start,
            n_jobs=n_jobs,
        )
        self.penalty = penalty
        self.dual = dual
        self.intercept_scaling = intercept_scaling


class LogisticRegressionCV(_Named, evenodds.LogisticRegressionCV):
    """`evenodds.LogisticRegressionCV` with scikit-learn's names, its grid for a number of Cs, and its order of axes."""

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = "warn",
        fit_intercept: Any = True,
        cv: Any = None,
        dual: bool = False,
        penalty: Any = "deprecated",
        scoring: Any = None,
        solver: Any = "lbfgs",
        tol: Any = 1e-4,
        max_iter: Any = 1000,
        class_weight: Any = None,
        n_jobs: Any = None,
        verbose: Any = 0,
        refit: Any = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: Any = "warn",
    ) -> None:
        super().__init__(
            np.logspace(-4, 4, Cs) if isinstance(Cs, int) else Cs,
            (0.0,) if isinstance(l1_ratios, str) else l1_ratios,
            cv=cv,
            scoring=scoring,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
            class_weight=class_weight,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.one_ratio = isinstance(l1_ratios, str)
        self.dual = dual
        self.penalty = penalty
        self.solver = solver
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.use_legacy_attributes = use_legacy_attributes

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None, **metadata: Any) -> Any:
        metadata = metadata if groups is None else {"groups": groups, **metadata}
        super().fit(X, y, sample_weight, **metadata)
        self.scores_ = np.moveaxis(self.scores_, 2, 0)
        self.Cs_, self.l1_ratios_ = self.Cs_[0], np.asarray(self.l1_ratios)
        if self.use_legacy_attributes is not False:
            self._each_class()
        return self

    def _each_class(self) -> None:
        """The older order: a dict of classes, C before l1_ratio, which is no axis where it was not given."""
        coefs = np.moveaxis(self.coefs_paths_, (3, 1), (0, 3))
        scores = np.moveaxis(self.scores_, 1, 2)
        self.n_iter_ = np.moveaxis(self.n_iter_, 1, 2)[None]
        if self.one_ratio:
            coefs, scores = coefs[:, :, :, 0], scores[:, :, 0]
        positive = self.classes_[-coefs.shape[0] :].tolist()
        self.coefs_paths_ = dict(zip(positive, coefs, strict=True))
        self.scores_ = dict.fromkeys(positive, scores)
        self.C_, self.l1_ratio_ = np.full(len(positive), self.C_), np.full(len(positive), self.l1_ratio_)
