"""Firth's penalised likelihood: an estimate that is always finite, and nearly without bias in small samples.

    J_F(theta) = J(theta) - (1/2S) log det I(theta),      I = sum_i s_i p_i (1 - p_i) x_i x_i'

is the mean loss with Jeffreys' prior (Firth, Biometrika 80, 1993). I is Fisher's information, whose
determinant vanishes where probabilities go to 0 or 1, so that classes that are separated have a finite optimum as well
(Heinze and Schemper, Statistics in Medicine 21, 2002). The score is that of the likelihood and a pull
of each row towards p = 1/2, in proportion to its leverage:

    sum_i [s_i (y_i - p_i) + h_i (1/2 - p_i)] x_i,      h_i = s_i p_i (1 - p_i) x_i' I^-1 x_i

Far rows can give the penalised likelihood several maxima (see `search`); the fit is the highest that is found.

The pull moves the mean probability away from the share of the second class. `flic` and `flac` mend that
(Puhr, Heinze, Nold, Lusa and Geroldinger, Statistics in Medicine 36, 2017).

    leverages    rows scaled by the roots of s p (1 - p), and the inverse root of I that gives h
    objective    J_F in the contract of the objective
    climbing     from a start to the next maximum
    search       for the highest one, and the proof that there is one only
    fit          the estimator's fit
    corrections  FLIC and FLAC
"""

from .climbing import Climber
from .corrections import corrected
from .fit import cooled, sample_rows, solve
from .objective import FirthObjective
from .search import HIGHER, maxima

__all__ = ["HIGHER", "Climber", "FirthObjective", "cooled", "corrected", "maxima", "sample_rows", "solve"]
