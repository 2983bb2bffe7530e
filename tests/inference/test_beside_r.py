"""What R prints for the same tables and formulas: R 4.2.2 with sandwich 3.0-2, car 3.1-1 and nnet 7.3-18.

Beside each number stands the call that it is from; `fit` is ``glm(formula, binomial, d, control=list(epsilon=1e-11))``.
No R is needed here.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from evenodds import fit_table, infer
from oracle import DATA


def births():
    frame = pd.read_csv(DATA / "a02_lbw.csv")
    race = np.where(frame["race_black"] == 1, "black", np.where(frame["race_other"] == 1, "other", "white"))
    return frame.assign(race=race)


def women():
    frame = pd.read_csv(DATA / "a12_infert.csv")
    return frame.assign(edu=np.where(frame["edu6_11"] == 1, "6-11", np.where(frame["edu12"] == 1, "over", "0-5")))


def terms(result, kind="marginal"):
    """The tests of whole terms."""
    table = pd.DataFrame(result.anova(kind=kind))
    return table[~table["term"].str.endswith("(non-linear)")]


FORMULA = 'y ~ C(race, Treatment("white")) * smoke + bs(age, df=4) + poly(lwt, 2)'
# y ~ race*smoke + bs(age, df=4) + poly(lwt, 2), race with the levels white, black, other
COEF = [  # coef(fit)
    *(-0.617906949098, 1.60550622488, 1.58007436806, 1.84998278866, -3.50253599358, 2.42007289076, -6.81942272863),
    *(-3.39662512974, -4.43012721479, -0.0291538833456, -0.227144296197, -1.68012820478),
]
ERRORS = {
    "model": [  # sqrt(diag(vcov(fit)))
        *(1.089255042, 0.802402986839, 0.629308664459, 0.643069599179, 1.62922562743, 1.6319633355, 3.30123527458),
        *(6.87173222573, 2.82088283885, 2.5811344704, 1.11330343916, 0.941624545357),
    ],
    "HC0": [  # sqrt(diag(vcovHC(fit, type="HC0")))
        *(1.04320460121, 0.848302470202, 0.648758998402, 0.675435641618, 1.47224923403, 1.57535991118, 2.78034622761),
        *(2.71504524796, 2.49391485238, 2.15682216246, 1.185977827, 0.953733259094),
    ],
    "HC1": [
        *(1.07798759403, 0.876586949286, 0.670390210105, 0.69795631785, 1.52133762423, 1.62788626354, 2.87304977085),
        *(2.80557149682, 2.57706807303, 2.22873588839, 1.22552122835, 0.985533058537),
    ],
    "HC2": [
        *(1.11680508027, 0.883996740805, 0.665565902548, 0.692523699344, 1.56341488222, 1.65153711931, 2.97748550419),
        *(3.73690958496, 2.62863604706, 2.27091277004, 1.25133874126, 0.994974923312),
    ],
    "HC3": [
        *(1.2025637844, 0.922534540512, 0.683632315538, 0.711054596817, 1.68523833273, 1.81519337102, 3.55484700895),
        *(7.89904086251, 2.78050338859, 2.40158752982, 1.3267059406, 1.039665897),
    ],
    "cluster": [  # sqrt(diag(vcovCL(fit, cluster=d$ptl + 10*d$ui, type="HC0")))
        *(0.382316848429, 0.433751856906, 0.280152383699, 0.491900994565, 0.832804494915, 0.748219551638),
        *(0.925046229813, 3.05720367902, 0.667305287626, 1.7234573805, 0.630594800423, 0.734777939992),
    ],
}


@pytest.fixture(scope="module")
def result():
    frame = births()
    return infer(fit_table(FORMULA, frame), frame)


@pytest.mark.parametrize("cov", ERRORS)
def test_coefficients_and_standard_errors_are_those_of_glm_and_sandwich(cov, result):
    frame = births()
    groups = frame["ptl"] + 10 * frame["ui"] if cov == "cluster" else None
    found = infer(result.model, frame, cov=cov, groups=groups)
    assert_allclose(found.coef, COEF, rtol=1e-6)
    assert_allclose(found.se, ERRORS[cov], rtol=1e-6)
    assert found.deviance == pytest.approx(204.708751089, rel=1e-11)  # deviance(fit)


def test_the_tables_of_terms_are_those_of_anova_and_car(result):
    sequence, tests = terms(result, "sequential"), terms(result)
    # anova(fit, test="LRT")
    assert sequence["df"].tolist() == [2, 1, 4, 2, 2]
    falls = [5.01036601014, 9.68691964052, 8.14164961707, 3.55970116870, 3.56460866730]
    assert_allclose(sequence["lr"], falls, rtol=1e-9)
    assert_allclose(sequence["lr_p_value"], [0.0816607, 0.0018558, 0.0865250, 0.1686633, 0.1682500], atol=6e-8)
    # Anova(fit) and Anova(fit, test.statistic="Wald")
    assert_allclose(tests["lr"], [8.45912336106, 9.78967550856, 7.90790342939, 2.76441054486, 3.56460866730], rtol=1e-9)
    assert_allclose(tests["wald"], [6.82100, 7.83702, 7.15882, 2.52777, 3.42267], atol=6e-6)


def test_predictions_and_marginal_effects_are_those_of_predict_and_the_delta_method(result):
    new = pd.DataFrame({"race": ["white", "black"], "smoke": [0, 1], "age": [20, 33], "lwt": [100, 150]})
    found = result.predict(new)  # predict(fit, new, se.fit=TRUE, type="response")
    assert_allclose(found["probability"], [0.0933909411416, 0.36597774247], rtol=1e-8)
    assert_allclose(found["se"], [0.0576810574858, 0.207810817718], rtol=1e-6)
    effects = pd.DataFrame(result.margins(births())).set_index("term")
    # mean(plogis(X1 %*% b) - plogis(X0 %*% b)), X1 with the level in all rows and X0 with white; by its gradient g
    # sqrt(t(g) %*% vcov(fit) %*% g)
    rows = effects.loc[[name for name in effects.index if name.endswith(("[black]", "[other]"))], ["effect", "se"]]
    assert_allclose(rows, [[0.263915854541, 0.0998511490442], [0.132454434487, 0.0760734067501]], rtol=1e-6)


def test_offsets_natural_splines_and_weights_are_those_of_glm():
    frame = women()
    # y ~ edu + factor(induced):age + ns(parity, knots=c(2, 3)) + offset(spontaneous): cr spans what ns does
    model = fit_table("y ~ edu + C(induced):age + cr(parity, knots=[2, 3])", frame, offset="spontaneous")
    result = infer(model, frame)
    table = terms(result, "sequential")
    assert result.deviance == pytest.approx(269.484449703, rel=1e-11)
    assert_allclose(table["lr"], [0.14514207988, 4.10137607386, 10.13729936468], rtol=1e-8)
    assert table["df"].tolist() == [2, 3, 3]
    # glm(y ~ edu + parity, binomial, d, weights=stratum %% 3 + 1)
    frame["times"] = frame["stratum"] % 3 + 1
    result = infer(fit_table("y ~ edu + parity", frame, weight="times"), frame)
    assert_allclose(result.coef, [-0.791454235118, 0.0395934057979, 0.0664563304784, 0.0269604392788], rtol=1e-6)
    assert_allclose(result.se, [0.52500983637, 0.469671182168, 0.476740312516, 0.0808763608245], rtol=1e-6)
    assert_allclose(result.anova()["lr"], [0.0308463288563, 0.1108095394945], rtol=1e-7)  # drop1(fit, test="LRT")


def test_several_classes_are_those_of_multinom():
    frame = pd.read_csv(DATA / "a08_hsbdemo.csv")
    ses = np.where(frame["ses_middle"] == 1, "middle", np.where(frame["ses_high"] == 1, "high", "low"))
    frame["ses"] = pd.Categorical(ses, ["low", "middle", "high"])
    result = infer(fit_table("prog ~ ses + poly(write, 2)", frame), frame)
    # multinom(prog ~ ses + poly(write, 2), d, maxit=2000, reltol=1e-16, Hess=TRUE)
    coef = [[-0.197233441, -0.528521659, -1.176429480, -7.809326119, 0.742935458]]
    coef += [[-0.775048931, 0.294824984, -0.986915268, -15.320993825, 0.275440405]]
    se = [[0.350154470, 0.443928079, 0.517030608, 2.898452745, 2.935495149]]
    se += [[0.416860364, 0.476489112, 0.600013910, 3.123435964, 3.085773129]]
    assert_allclose(np.reshape(result.coef, (-1, 5))[-2:], coef, atol=2e-4)  # as near as multinom comes
    assert_allclose(np.reshape(result.se, (-1, 5))[-2:], se, atol=2e-4)
    assert -2 * result.log_likelihood == pytest.approx(359.898566641, rel=1e-11)
    table = terms(result)
    assert_allclose(table["lr"], [11.05227469, 31.51180882], atol=1e-6)  # Anova(m)
