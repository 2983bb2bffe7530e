"""A fit without a penalty looks on for separation, so that it does not go on until its last iteration.

It asks the judge (`question`) when something is suspicious: a loss near zero, or a small decrement while scores still
move. That only saves time. Every fit asks at its end, where the proof that classes overlap costs least.
"""

from dataclasses import dataclass, field

from scipy.special import entr

from ..arrays import Array
from ..solvers import Status
from ..solvers.metrics import Cholesky
from ..solvers.quasi_newton import State
from ..solvers.running import still_moves
from .question import Question
from .verdict import OVERLAP, Verdict

_FIRST, _EVERY = 8, 4  # iterations at which a fit that goes on is looked at
_FIRST_MANY, _EVERY_MANY = 16, 16  # the same where the judge has many coefficients and costs more than the fit
_MANY_COEF = 50


@dataclass
class Watch:
    """Looks on while a fit runs, and stops it when the classes are separated.

    verdict : the judge's, once it was asked
    """

    question: Question
    verdict: Verdict | None = field(init=False, default=None)
    _state: State | None = field(init=False, default=None)

    @property
    def _null_loss(self) -> float:
        objective = self.question.objective
        return float(entr(objective.data.class_weights / objective.total_weight).sum())

    def __call__(self, state: State) -> Status | None:
        """Status.SEPARATED if the classes are; looks at some iterations, until it knows."""
        question, self._state = self.question, state
        if state.iteration == 0 and isinstance(state.metric, Cholesky) and not state.exact and question.of_some_rows:
            self.verdict = OVERLAP if question.proved_on_sample(state.theta, state.metric) else None
        first, every = (_FIRST_MANY, _EVERY_MANY) if state.theta.size > _MANY_COEF else (_FIRST, _EVERY)
        if self.verdict is not None or state.iteration < first or state.iteration % every:
            return None
        if state.value < 1e-2 * self._null_loss or still_moves(question.objective, state):
            self.verdict = question.verdict(state.theta)
            return Status.SEPARATED if self.verdict.separating is not None else None
        return None

    def at_the_end(self, theta: Array) -> Verdict:
        """The verdict on a fit that has ended at theta, which may prove what the judge could not decide on the way."""
        if self.verdict is None:
            proved = self._state is not None and self.question.proved_by(self._state)
            self.verdict = OVERLAP if proved else self.question.verdict(theta)
        elif self.verdict.doubt and self.question.proves_overlap(theta):
            self.verdict = OVERLAP
        return self.verdict
