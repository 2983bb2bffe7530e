"""Pictures of data and fitted models: each function draws on one Matplotlib Axes and returns it.

The colours are Okabe and Ito's, which readers with any colour vision can tell apart, and classes differ by
marker as well. Of two classes, vermilion is the second, whose probability is modelled, and blue is the first.
scikit-learn's displays do the work where they exist.
"""

from .classifiers import calibration, decision_boundary, loss_curve, precision_recall, roc, scatter, sigmoid
from .curves import effect
from .effects import coefficients, forest, margins
from .paths import cross_validation, path
from .rows import influence, residuals

__all__ = [
    "calibration",
    "coefficients",
    "cross_validation",
    "decision_boundary",
    "effect",
    "forest",
    "influence",
    "loss_curve",
    "margins",
    "path",
    "precision_recall",
    "residuals",
    "roc",
    "scatter",
    "sigmoid",
]
