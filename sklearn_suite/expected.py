"""The tests that cannot pass with the classes of evenodds, and why.

A key is ``module::function``, or ``module::function[a|b]`` where only tests are meant whose name contains a or b;
``[[a]`` is those whose first parameter begins with a.
"""

_MESSAGE = "The warning is ours: it says how far the coefficients are from the optimum, in standard errors."
_PENALTY = "There is no `penalty` to warn about: C and l1_ratio say all, as they do in scikit-learn from 1.10 on."
_LIMITS = "Our solvers have no such restriction."
_LATER = "A warning of a change of scikit-learn's own default or parameter."
_SEPARATED = "The data are separated, and without a penalty no optimum exists: that is what our warning says."
_PRIVATE = "A private method of scikit-learn's class."
_DOUBLE = "Coefficients are float64 for any X: sums are, and the certificate holds for all of their digits."
_START = "A fit starts from the log odds of the classes, not from 0."
_CALLBACKS = "Callbacks go with every solver."

EXPECTED = {
    "test_logistic::test_check_solver_option": _LIMITS,
    "test_logistic::test_liblinear_multiclass_raises": _LIMITS,
    "test_logistic::test_large_sparse_matrix[liblinear|sag]": _LIMITS,
    "test_logistic::test_liblinear_with_large_values": _LIMITS,
    "test_logistic::test_liblinear_dual_random_state": "Whatever the seed, a fit ends at the optimum.",
    "test_logistic::test_newton_cholesky_fallback_to_lbfgs": "No solver of ours falls back to another, with its count.",
    "test_logistic::test_zero_max_iter[newton|liblinear|sag]": _START,
    "test_logistic::test_max_iter": _MESSAGE,
    "test_logistic::test_dtype_match[lbfgs|newton|sag]": _DOUBLE,
    "test_logistic::test_logistic_regression_solvers_multiclass_unpenalized": (
        "Without a penalty the first class is the baseline, whose coefficients are 0; the sum over classes is not."
    ),
    "test_logistic::test_c_inf_no_warning": _SEPARATED,
    "test_logistic::test_logreg_predict_proba_multinomial": _PRIVATE,
    "test_logistic::test_get_default_scorer": _PRIVATE,
    "test_logistic::test_penalty_none": _PENALTY,
    "test_logistic::test_penalty_deprecated": _PENALTY,
    "test_logistic::test_lr_penalty_l1ratio_incompatible": _PENALTY,
    "test_logistic::test_l1_ratio_non_elasticnet": _PENALTY,
    "test_logistic::test_l1_ratio_None_deprecated": _LATER,
    "test_logistic::test_lr_scoring_warns": _LATER,
    "test_logistic::test_logisticregressioncv_warns_with_use_legacy_attributes": _LATER,
    "test_logistic::test_logisticregression_warns_with_n_jobs": "n_jobs has an effect.",
    "test_logistic::test_logistic_regression_callback_support_warning": _CALLBACKS,
    "test_logistic::test_logistic_cv_multinomial_score[neg_log_loss]": (
        "It compares with scikit-learn's own fit to six digits, which that does not reach."
    ),
    "test_logistic::test_logistic_regression_callback_support[[0]": (
        "No iteration is made, and none is told: that of L-BFGS in SciPy is."
    ),
    "test_logistic::test_logistic_regression_callback_fitted_estimator": (
        "A fit that ends takes the step that is at hand, so that one of max_iter=2 is better than the second iterate."
    ),
    "test_multioutput::test_multiclass_multioutput_estimator_predict_proba": (
        "Written-down probabilities of scikit-learn's own fit, which are right to four digits."
    ),
    "test_multiclass::test_multiclass_estimator_attribute_error": "Our class has `partial_fit`.",
    "test_search::test_search_cv_sample_weight_equivalence[estimator0]": (
        "The two fits agree to `tol`, 1e-4 standard errors, where the test takes 1e-7 of a probability for granted."
    ),
}
