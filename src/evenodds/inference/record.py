"""`Inference`: what a fit says about the coefficients, as one frozen record; tables and pictures are made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from ..exceptions import within_range
from . import calibration, frames, hypotheses, influence, intervals, margins, prediction, terms
from .hypotheses import TestResult
from .shown import Shown


@dataclass(frozen=True, eq=False, repr=False)
class Inference(Shown):
    """Coefficients with their standard errors, tests and intervals, and what the fit says as a whole.

    Arrays are in the order of `names`. A statistic that does not exist is NaN, and `notes` says why.

    Of more than two classes, m of which have coefficients (`listed`), they have one more axis, the class, in front:
    shapes (m, k) and (m, k, 2), and `covariance` (m k, m k), one class after another, as in `to_frame`. Without a
    penalty the first class is the baseline, or the one that `infer` was given, and a coefficient the change in the log
    odds of its class against it. With a ridge and no baseline given all classes are listed, and the coefficients of a
    column sum to 0 over them (as do their errors: the covariance is singular).

    Attributes
    ----------
    names : tuple of k str
        "(intercept)", if there is one, then the columns.
    coef : ndarray of shape (k,)
        Change in the log odds of ``classes[1]`` for one unit (of more than two classes: see above); infinite where the
        classes are separated.
    se : ndarray of shape (k,)
        Standard errors.
    z : ndarray of shape (k,)
        ``coef / se``; for Firth's fit the signed root of the likelihood-ratio statistic.
    p_value : ndarray of shape (k,)
        Two-sided, of the hypothesis that the coefficient is 0: Wald's, for Firth's fit by penalised
        likelihood ratio.
    conf_int : ndarray of shape (k, 2)
        Confidence interval: Wald's, for Firth's fit by profile penalised likelihood.
    covariance : ndarray of shape (k, k)
        Covariance of the coefficients.
    level : float
        Of the intervals.
    cov, weights : str
        Which covariance, and what weights of rows mean; see `infer`.
    classes : tuple
        The labels.
    listed : tuple
        Those that have coefficients: of two the second, of more all but the baseline, or all.
    n_obs : float
        Observations: the total weight for frequency weights, else the number of rows.
    n_coef : int
        Coefficients that were estimated: without the aliased ones.
    log_likelihood, null_log_likelihood : float
        At the fit, and of the model with the intercept alone (of even odds, where there is no intercept).
    penalized_log_likelihood : float or None
        Of Firth's fit.
    pseudo_r2 : dict
        "mcfadden", "cox_snell", "nagelkerke", "tjur" (NaN for more than two classes).
    likelihood_ratio : TestResult
        The test of all slopes against the intercept alone.
    certificate : Certificate or None
        A proof of how far the coefficients can be from the optimum. None for Firth's and for separated fits.
    notes : dict
        Coefficients of which a statistic does not exist, and why; of more than two classes by ``"name[class]"``.
    remarks : tuple of str
        What has to be known to read the table right.
    limit, model, problem, whole, inverse, theta_covariance
        What the methods need: the limit of a separated fit (else None), the fitted model, the rows from which finite
        coefficients are estimated, all rows, the inverse of the curvature and the covariance in the coordinates of
        `problem`.
    given
        The rows as `infer` got them, from which pictures take ranges and means.
    """

    def to_frame(self, backend: str | None = None) -> Any:
        """The table as a frame: term, coef, se, z, p_value, lower, upper; of more than two classes, class first.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            By default the first of them that is installed.

        Returns
        -------
        frame
            One row a coefficient.
        """
        columns = {
            **self.problem.labels(range(self.coef.size)),
            "coef": self.coef.ravel(),
            "se": self.se.ravel(),
            "z": self.z.ravel(),
            "p_value": self.p_value.ravel(),
            "lower": self.conf_int[..., 0].ravel(),
            "upper": self.conf_int[..., 1].ravel(),
        }
        return frames.frame(columns, backend)

    @within_range()
    def predict(self, X: object, offset: ArrayLike | None = None) -> Any:
        """Probabilities of ``classes[1]``, or of each of more than two classes, with intervals.

        The interval is of the log odds (of a class against all others), where errors are close to normal, mapped to
        probability; `se` is that of the probability by the delta method.

        Where separated classes leave no doubt about a row its probability is 0 or 1 without a standard error, and the
        interval one-sided, by profile likelihood (which takes a search for each different row); of more than two
        classes the end for a 1 is NaN. What depends on how far each of several coefficients has grown is NaN, and a
        SeparationWarning tells the rows.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)
            The columns of this result; a frame may have others beside them.
        offset : array-like of shape (n_samples,) or, of more than two classes, (n_samples, n_classes), optional

        Returns
        -------
        frame
            probability, se, lower, upper; one row a row of `X`. Of more than two classes probability_<class>,
            se_<class>, lower_<class>, upper_<class> for each.
        """
        return frames.frame_like(X, prediction.predict(self, X, offset), rows=True)

    @within_range()
    def margins(
        self,
        X: object,
        *,
        at: object = "overall",
        kind: str = "dydx",
        groups: Mapping[str, Sequence[str]] | None = None,
        discrete: bool = True,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Any:
        """Average marginal effects: the change in probability of ``classes[1]``, averaged over the rows of X.

        Of more than two classes, that in the probability of each; these sum to 0 over the classes.

        For a column of zeros and ones the probability at 1 less that at 0, the other columns left as they are; for the
        levels of a factor that at the level less that at its reference; for the others dp/dx. Standard errors by the
        delta method. What separated classes make infinite is NaN, and a SeparationWarning tells the columns.

        Of a model that was fitted on a table with factors, or by a formula, effects are of the columns of the table: a
        number changes in all terms that hold it (products, polynomials, splines), and so does a factor.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)
            The columns of this result; a frame may have others beside them.
            The rows to average over.
        at : {"overall", "mean", "median"} or mapping, default="overall"
            Where: averaged over the rows; at one row, of the means or medians of all columns and offsets, and of the
            most frequent level of each factor; or averaged over the rows with some columns held, such as
            ``{"age": 40, "carrier": "AA"}``.
        kind : {"dydx", "eyex", "dyex", "eydx"}, default="dydx"
            d is a change and e a relative one: dp/dx, d log p / d log x (elasticity), dp / d log x, d log p / dx.
            With respect to log x columns of zeros and ones have slopes too, times their values; factors have none.
        groups : mapping of str to list of str, optional
            Of a fit of numbers: factors, each by its columns of zeros and ones, without the reference, such as
            ``{"level": ["level_2", "level_3"]}``.
            One of them is set to 1 and the others to 0, against 0 in all. Columns that are products with these
            (interactions) are refused, as they would have to change along.
        discrete : bool, default=True
            False takes slopes of columns of zeros and ones as well, but for `groups`.
        sample_weight, offset : array-like of shape (n_samples,), optional
            As in the fit; by default those of the columns that `fit_table` was given.

        Returns
        -------
        frame
            term, effect, se, z, p_value, lower, upper; one row a column. Of more than two classes, class first: one row
            a class and column.

        Raises
        ------
        EvenOddsError
            If a column is unknown, or those of a factor are not its levels.
        """
        table = margins.margins(
            self, X, at=at, kind=kind, groups=groups, discrete=discrete, sample_weight=sample_weight, offset=offset
        )
        return frames.frame_like(X, table)

    @within_range()
    def test(self, restrictions: str) -> TestResult:
        """Wald's test that linear restrictions of the coefficients hold, all at once.

        Parameters
        ----------
        restrictions : str
            Equations between names, joined by commas: ``"x1 = x2"``, ``"x1 = 0, x2 = 0"``, ``"2*x1 - x2 = 1"``.
            A name with spaces or signs may be put in backticks. Of more than two classes a coefficient is
            ``name[class]``, as in ``"x1[b] = x1[c]"``; a name alone stands for that of each class in turn, so that
            ``"x1 = 0"`` is the test that x1 tells no classes apart. The name of a term, such as ``"carrier"`` or
            ``"bs(age, df=4)"``, stands for all of its coefficients: that each of them is 0; and ``"age (non-linear)"``
            for the test that a polynomial or a spline of ``age`` is a straight line.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        EvenOddsError
            If a name is unknown, a coefficient has no standard error, or the restrictions contradict each other.
        """
        return hypotheses.wald(self, restrictions)

    @within_range()
    def anova(self, kind: str = "marginal") -> Any:
        """Each term of the model tested: all levels of a factor, or all columns of a spline, at once.

        Parameters
        ----------
        kind : {"marginal", "sequential"}, default="marginal"
            Against what. "marginal": the model with the term against that without it, both without the terms that
            contain it, as ``a:b`` contains ``a`` (type II, as of R's ``car::Anova``). "sequential": the terms up to
            this one against those before it (type I, as of R's ``anova``).

        Returns
        -------
        frame
            term, df, and chi-squared of two tests with their p-values: wald, wald_p_value, with the covariance of this
            result; lr, lr_p_value, by likelihood ratio (penalised for Firth's fit), NaN where there is no likelihood.
            Aliased columns are left out. For each likelihood ratio a smaller model is fitted. A polynomial or a spline
            by itself has a second row, ``"age (non-linear)"``: the test that it is a straight line.

        Raises
        ------
        EvenOddsError
            If the classes are separated, so that coefficients are infinite.
        """
        return frames.frame(terms.anova(self, kind), None)

    @within_range()
    def compare(self, smaller: Inference) -> TestResult:
        """The likelihood-ratio test of a smaller model nested in this one.

        Parameters
        ----------
        smaller : Inference
            Of the same rows, with some of the columns.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        EvenOddsError
            If the models were fitted on different rows, are not nested, or have no likelihood to compare.
        """
        return hypotheses.compare(self, smaller)

    @within_range()
    def profile(self, terms: Sequence[str] | None = None) -> Any:
        """Profile-likelihood intervals: the values that the likelihood-ratio test at `level` does not reject.

        Where classes are separated an infinite coefficient has one finite end, and one whose sign is not determined
        none: no value is rejected. NaN for aliased columns.

        Parameters
        ----------
        terms : sequence of str, optional
            The coefficients, by default all. Of more than two classes ``name[class]``, or a name alone for all classes.

        Returns
        -------
        frame
            term, lower, upper; of more than two classes, class first.
        """
        return frames.frame(intervals.intervals(self, terms), None)

    @within_range()
    def influence(
        self, X: object, y: object = None, *, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Any:
        """How each row fits, and what it does to the fit.

        Parameters
        ----------
        X, y, sample_weight, offset
            What the model was fitted on. Of `fit_table`, the frame: the model knows the columns of the others.

        Returns
        -------
        frame
            One row an observation: leverage, pearson, deviance, studentized, cooks_distance, and dfbeta_<term>, by how
            much the coefficient would fall if the row were left out, to first order. NaN for rows of weight zero.
            With more than 500 columns most of which are of one factor, without dfbeta. Of more than two classes
            dfbeta_<term>[<class>]; leverage is the trace of the row's block of the hat
            matrix, and residuals have no sign. Of separated classes in the limit: rows that are certain move nothing.
        """
        return frames.frame_like(X, influence.influence(self, X, y, sample_weight, offset), rows=True)

    @within_range()
    def vif(self) -> Any:
        """Variance inflation: by what factor a slope's variance is larger than if its column stood alone.

        From the correlations of the estimated slopes (Fox and Monette, JASA 87, 1992, for single columns), so that the
        weights of the rows in this fit count. Of more than two classes it is of all coefficients of a column
        together: their generalised factor (a ratio of determinants) to the power 1 / (n_classes - 1).

        Returns
        -------
        frame
            term, vif.
        """
        return frames.frame(influence.variance_inflation(self), None)

    @within_range()
    def hosmer_lemeshow(
        self,
        X: object,
        y: object = None,
        n_groups: int = 10,
        *,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> TestResult:
        """The Hosmer-Lemeshow test of calibration: observed and expected counts by group of predicted risk.

        Of two classes.

        Parameters
        ----------
        X, y, sample_weight, offset
            Rows: those of the fit (chi-squared with ``n_groups - 2`` degrees of freedom) or others (``n_groups``). Of
            `fit_table`, a frame is enough.
        n_groups : int, default=10
            Groups of about equal weight by predicted probability. Rows of equal probability stay together: a group ends
            with the value at which its share of the whole is reached, and a value that takes several shares makes fewer
            groups, as in Stata and R. Where fewer than three would be left each takes its share of what is left.

        Returns
        -------
        TestResult
            statistic, df, p_value.
        """
        return calibration.hosmer_lemeshow(self, X, y, n_groups, sample_weight, offset)

    @within_range()
    def calibration(
        self, X: object, y: object = None, *, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Any:
        """Intercept and slope of calibration: the fit of `y` on the predicted log odds (Cox, Biometrika 45, 1958).

        The intercept is fitted with the slope at 1. Perfect are 0 and 1, which the rows of a maximum-likelihood fit
        have by construction: use other rows. Of two classes.

        Parameters
        ----------
        X, y, sample_weight, offset
            Rows that the model has not seen. Of `fit_table`, a frame is enough.

        Returns
        -------
        frame
            term ("intercept", "slope"), estimate, se, lower, upper.
        """
        return frames.frame_like(X, calibration.recalibrate(self, X, y, sample_weight, offset))
