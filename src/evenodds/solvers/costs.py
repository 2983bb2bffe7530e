"""What is cheap for which data: the cost model, by the shape of the data, the classes and the penalty alone.

Costs are in multiplications of a Hessian, with n rows, k coefficients and `size` entries. A Hessian takes
`size * size / n`; a read of the data `read_cost` for each entry, which its home tells; of a sample `IN_MEMORY`.

- Newton's method pays the Hessian at each of its 5 to 8 steps. It is chosen where that is little
  (`_CHEAP_HESSIAN`), as it then ends at machine precision.
- Else, of many rows, the metric is the Hessian of a sample of m rows. Its eigenvalues are within (1 +- sqrt(k/m))^2 of
  the true ones, so that each step divides the gap by about m/k: the m that makes metric and reads together cheapest is
  taken (`sample_rows`).
- Of dense rows not many more than columns the Hessian costs as much as 20 to 300 reads, in which a penalised fit is
  often done with no metric but the curvature of even odds. It is bought where the fit turns out slow (`starts_even`).
- Of some thousand rows more, a penalised fit has the Hessian at the start from 16 rows a coefficient: all of them would
  tell little more, as the curvature changes on the way (`rows_of_metric`).
"""

import numpy as np

from ..data import Block, Data
from ..data.memory import IN_MEMORY
from ..kernels.algebra import dot, product
from ..kernels.rows import AT_ONCE
from ..objective import Objective
from .by_rows import some_of, stiffness
from .eliminated import eliminates

_CHEAP_HESSIAN = 6e6
_CHEAP_OF_CLASSES = 6e7  # of several classes and few dense columns, whose other metrics take twice the reads and more
_CHEAP_ROW = 1200  # the same for each row: beside the exponentials that it takes in any case
_CHEAP_IN_PATH = 1e8
_CHEAP_SPARSE = 3e7  # reads of sparse data take longer for each entry
_CHEAP_COEF = 400  # a factorisation costs as much as the Hessian does
START_ROWS = 4000  # in which a start of Newton's method is found, in one call
_SPARED = 4  # times as many rows
_START_ROWS_A_COEF = 64
_MOST_SAMPLED = 1 << 25  # entries, which are copied
_SOLVE = 12  # reads of the sample: to draw it and to find its optimum
_DIGITS = np.log(1e12)  # how far a gap has to fall
_MOST_FULL = 3000
_MOST_FULL_SPARSE = 500
_FEW_ROWS = 3000  # up to which a penalised wide fit is solved by its rows
_FEW_OF_CLASSES = 3000  # the same of several classes, each of which has a matrix to be factored
_FEW_OF_CLASSES_SPARSE = 500
_LOOSE = 1.0  # curvature of a row, in units of the penalty's, from which the products of sparse rows pay
_TIGHT = 1e-20  # of dense rows; below, nothing is left of them
_LOOSEST = 1e15  # beyond, the penalty is lost in the rounding of the products
_SOFT = 100.0  # stiffness of several classes up to which the penalty holds so much that columns are seen one by one
_DEAR_ROWS = 200  # rows^2 / columns, beyond which a fit of several classes by its rows costs over fifty reads
_ALIKE = 64.0  # times the curvature of a column, what that of a direction is below if no few factors are behind all
_READS_BY_STRETCH = 5.0  # that L-BFGS takes, times its square root
_ROWS_A_READ = 45  # of few rows, whose products cost a read
_READS_INSIDE = 4  # beside them
_USUAL_READS = 30  # that L-BFGS hardly ever takes less of, but under a strong penalty
_OF_CLASSES = 24  # rows a column of the sample for the metric of several classes
_EIGENVECTORS = 30.0  # columns^2 / (rows x classes) up to which those of the columns' factor cost few reads
_SINGLE = 150  # columns from which a metric is computed in single precision
_SHARE = 3  # times the rows of a sample, beyond which its optimum spares more than it costs
_SHARE_OF_METRIC = 10  # the same where the Hessian at the start can be taken of some rows
_ROWS_OF_METRIC = 16  # a coefficient, at the least, that tell it
_PART = 8  # one in so many rows tells it in any case
_WORTH = 60  # multiplications for each entry, no fewer of which have to be spared
_FEW_FOR_EVEN = 48  # dense columns up to which a Hessian costs no more than a few reads
_FEW_ROWS_OF_FULL = 4  # rows a column, up to which the curvature at the start soon says little
_DEAR_SAMPLE = 200.0  # columns^2 / rows, from which the Hessian of a sample takes as long as the reads that it spares
_DEAR = 256  # dense columns from which a Hessian of all rows costs more than the few reads it may spare
FEW_ELIMINATED = 300  # coefficients beside the widest factor, of all classes, up to which it is eliminated
_ELIMINATED = 8.0  # reads that the Hessian takes where a factor is eliminated
_HELD = 32  # columns for each unit of stretch, beyond which a sample's Hessian costs more than the reads it spares
_POWER_ROWS = 512
_MANY_ROWS = 16384  # of sparse data: twice the sample of which the head of the columns is taken
_LONG_ROWS = 16  # entries of each
_SOFT_ROWS = 8.0  # curvature of a row at even odds, in units of the penalty's
_SOFT_OF_CLASSES = 0.5
LONG_PATIENCE = 16  # iterations without a tenfold fall after which a cheap metric is not thought to do any more
_READS_OF_EIGENVECTORS = 6.0  # columns^2 / (rows x classes) for each of which a fit waits an iteration for them
_READS_OF_ROWS = 16.0  # rows^2 / columns, the same for the matrices of the rows of several classes
_LATENCY = 5  # reads that a Hessian takes beside its arithmetic


def sample_rows(data: Data) -> int:
    """Rows of the sample that coordinates, start and metric are taken from."""
    k = data.n_columns + 1
    if k > most_full(data):
        return 8192
    if _work(data) <= _cheap(data):
        return data.n_rows
    if data.class_weights.size > 2:
        return min(data.n_rows, max(4096, min(_OF_CLASSES * k, data.n_rows // 4)))
    most = max(data.n_rows // 16, min(16 * k, data.n_rows // 2))  # few, as they are copied
    m = np.unique(np.geomspace(2 * k, most, 50).astype(int)) if most > 2 * k else np.array([data.n_rows])
    hessians = (1 if k >= _SINGLE else 2) * m * k
    reads = IN_MEMORY * _SOLVE * m + data.read_cost * data.n_rows * _DIGITS / np.log(m / k)
    return max(4096, min(int(m[np.argmin(hessians + reads)]), _MOST_SAMPLED // data.n_columns))


def choose(objective: Objective) -> str:
    """`newton` where exact Hessians are cheap, else `quasi-newton`."""
    return "newton" if has_cheap_hessians(objective.data, objective.n_coef) else "quasi-newton"


def has_cheap_hessians(data: Data, n_coef: int) -> bool:
    """Whether exact Hessians of so many coefficients are."""
    at_once = data.present.size > 2 and not data.sparse and data.n_columns <= AT_ONCE
    most = max(_CHEAP_OF_CLASSES, _CHEAP_ROW * data.n_rows) if at_once else _cheap(data)
    return n_coef <= _CHEAP_COEF and _all_work(data, n_coef) <= most


def starts_from_some(objective: Objective, sample: Block) -> bool:
    """Whether Newton's method starts where some rows have their optimum: these are few, and enough.

    With offsets the start is already a better one (see `regimes.cooled`).
    """
    data = objective.data
    enough = _START_ROWS_A_COEF * objective.n_coef <= START_ROWS
    return not data.sparse and sample.offset is None and enough and data.n_rows > _SPARED * START_ROWS


def takes_exact_steps(objective: Objective) -> bool:
    """Whether the fits of a path are best with exact Hessians: each starts near its end, and takes few."""
    return _all_work(objective.data, objective.n_coef) <= _CHEAP_IN_PATH and objective.n_coef <= _CHEAP_COEF


def starts_even(objective: Objective, sample: Block) -> bool:
    """Whether a fit starts with the metric of even odds, as a better one costs as much as many reads.

    Where the penalty holds nearly every direction, and where columns are so many beside the rows that the curvature
    soon is another than at the start. Without a penalty a column can be next to a combination of others, which takes a
    Hessian at once.
    """
    data, p = objective.data, objective.data.n_columns
    if data.sparse or not (objective.ridge > 0).all() or p <= _FEW_FOR_EVEN:
        return False
    few_rows = sample.n_rows == data.n_rows and data.n_rows < _FEW_ROWS_OF_FULL * p
    if p > _MOST_FULL or (few_rows and p > _DEAR):
        return True
    if _DEAR_SAMPLE * data.n_rows < p * p and _are_alike(objective, sample):
        return True
    most = p / _HELD
    of_one_column = _odds(objective) / float(np.median(objective.ridge))  # they have unit size beside the ridge
    return of_one_column < most and _stretch(objective, sample) < most


def _stretch(objective: Objective, sample: Block) -> float:
    """About the largest curvature that a direction has at even odds, in units of the penalty's: two power steps.

    L-BFGS takes about five times the square root of it, less where only few directions have much.
    """
    few = sample.take(slice(None, None, max(1, sample.n_rows // _POWER_ROWS)))
    D = objective.coordinates.design(few)
    D -= D.mean(axis=0)
    D /= np.sqrt(objective.ridge)
    v = np.random.default_rng(0).normal(size=D.shape[1])
    for _ in range(2):
        v = product(product(D, v / np.sqrt(dot(v, v))), D)
    return _odds(objective) * float(np.sqrt(dot(v, v))) / few.n_rows


def _are_alike(objective: Objective, sample: Block) -> bool:
    """Whether no few columns, nor few factors behind all, have most of the curvature."""
    alike = objective.ridge.max() < _ALIKE * objective.ridge.min()
    return bool(alike) and _stretch(objective, sample) < _ALIKE * _usual_stretch(objective)


def _usual_stretch(objective: Objective) -> float:
    """The same of a usual column: they have unit size beside the ridge."""
    return _odds(objective) / float(np.median(objective.ridge))


def _odds(objective: Objective) -> float:
    """The curvature of a row that has the odds of the classes; of several classes that of a mean one."""
    share = objective.data.class_weights / objective.total_weight
    return float((share * (1 - share)).mean())


def sample_spares(objective: Objective, sample: Block) -> bool:
    """Whether a sample serves: not where a Hessian of all rows costs as much as to find the optimum on the sample.

    Without a penalty the sample's Hessian also tells, at little cost, that classes overlap.
    """
    data, share = objective.data, 1
    if data.n_columns <= _DEAR and not data.sparse and (objective.ridge > 0).all():
        share = _SHARE_OF_METRIC if rows_of_metric(objective, sample) else _SHARE
    return sample.n_rows * share < data.n_rows


def rows_of_metric(objective: Objective, sample: Block) -> int:
    """The rows of the sample of which the Hessian at the start is taken; 0 for all rows there are.

    Each step then divides the gap by about as much as there are rows a coefficient, which is hardly less than with all
    of them, as the curvature changes on the way.
    """
    n, least = objective.data.n_rows, _ROWS_OF_METRIC * objective.n_coef
    few = min(max(least, n // _PART), sample.n_rows)
    worth = few >= least and (n - few) * objective.n_coef >= _WORTH * n
    return few if worth and bool((objective.ridge > 0).all()) else 0


def takes_products(objective: Objective) -> bool:
    """Whether Newton's steps are found by products with the Hessian: of sparse rows in memory under a penalty.

    And of several classes beside two factors of many levels, with a penalty or none.

    Not where the penalty holds the rows and another metric is good, as the Hessian hardly changes on the way: that of
    several classes, or of two the Hessian of the frequent columns, from a sample of many rows with many entries.
    """
    data = objective.data
    several = objective.classes.several
    if not data.sparse or data.whole() is None:
        return False
    if data.layout is not None:
        return several and data.layout.beside * objective.n_free > FEW_ELIMINATED
    if not (objective.ridge > 0).all():
        return False
    if not several and (data.n_rows <= _MANY_ROWS or data.size < _LONG_ROWS * data.n_rows):
        return True
    share = data.class_weights / objective.total_weight
    by_row = float((share * (1 - share)).mean()) * float((1 / objective.ridge).sum()) / data.n_rows
    return by_row > (_SOFT_OF_CLASSES if several else _SOFT_ROWS)


def has_few_rows(objective: Objective, sample: Block) -> bool:
    """Whether a penalised fit has so few rows that it is best solved by their products.

    Of sparse rows these are as dense as those of dense ones, and cost hundreds of reads: they pay for several classes
    with few rows that the penalty does not hold.
    """
    data = objective.data
    most = data.n_columns // 2
    if not sample.n_rows == data.n_rows <= most or not (objective.ridge > 0).all():
        return False
    if not objective.classes.several:
        return data.n_rows <= _FEW_ROWS and not data.sparse
    least, few = (_LOOSE, _FEW_OF_CLASSES_SPARSE) if data.sparse else (_TIGHT, _FEW_OF_CLASSES)
    return data.n_rows <= few and least < stiffness(objective, sample) < _LOOSEST


def is_held(objective: Objective, sample: Block) -> bool:
    """Whether the penalty of a fit of few rows may hold so much that columns are seen one by one first.

    Of several classes that is tried too where the factors of the rows, one a class and step, cost many reads, and no
    direction has far more curvature than others.

    Of two classes, whether L-BFGS then takes less than the products of the rows, in reads. Were all directions of the
    rows alike, their curvature at even odds would be that of a mean row.
    """
    if objective.classes.several:
        if stiffness(objective, sample) < _SOFT:
            return True
        dear = sample.n_rows**2 > _DEAR_ROWS * objective.data.n_columns
        return dear and _stretch(objective, sample) < _ALIKE * _usual_stretch(objective)
    inside = _READS_INSIDE + sample.n_rows / _ROWS_A_READ
    return min(_READS_BY_STRETCH * float(np.sqrt(stiffness(objective, some_of(sample)))), _USUAL_READS) < inside


def _all_work(data: Data, n_coef: int) -> float:
    """The multiplications of a Hessian, of all classes."""
    return _work(data) * max(1.0, n_coef / (data.n_columns + 1)) ** 2


def _work(data: Data) -> float:
    """The multiplications of a Hessian of two classes."""
    return data.size * (data.size / data.n_rows)


def _cheap(data: Data) -> float:
    """The work up to which exact Hessians are best."""
    return _CHEAP_SPARSE if data.sparse else _CHEAP_HESSIAN


def most_full(data: Data) -> int:
    """The columns up to which a full matrix of them is made and factored."""
    return _MOST_FULL_SPARSE if data.sparse else _MOST_FULL


def hessian_reads(objective: Objective) -> float:
    """The cost of an exact Hessian and its factorisation, in reads of the data."""
    data, k = objective.data, objective.n_coef
    if eliminates(objective):
        return _ELIMINATED
    if k > most_full(data):
        return np.inf
    products = 4 * k / (data.n_columns + 1) * data.size / data.n_rows  # for each entry of X
    return float(_LATENCY + (products + k**3 / 6 / max(data.size, 1)) / data.read_cost)


def factor_is_dear(objective: Objective) -> bool:
    """Whether the eigenvectors of what the columns of several classes share cost more than the reads they may spare."""
    return _columns_work(objective) > _EIGENVECTORS and bool((objective.ridge > 0).all())


def _columns_work(objective: Objective) -> float:
    data = objective.data
    return data.n_columns**2 / (data.n_rows * objective.n_free)


def patience_with_columns(objective: Objective) -> int:
    """The iterations without a tenfold fall after which these eigenvectors are bought: a quarter of what they cost."""
    return max(LONG_PATIENCE, int(_columns_work(objective) / _READS_OF_EIGENVECTORS))


def patience_with_begun(objective: Objective, sample: Block) -> int:
    """The same after which a fit of few rows, begun with columns one by one, goes over to the space of the rows."""
    if not objective.classes.several:
        return LONG_PATIENCE
    return max(LONG_PATIENCE, int(sample.n_rows**2 / objective.data.n_columns / _READS_OF_ROWS))
