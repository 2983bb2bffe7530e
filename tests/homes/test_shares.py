"""Dense rows in memory are cut into blocks that leave no thread without work, of any shape."""

import numpy as np

from evenodds.data import as_data

MILLION = 1 << 20


def shares(n, p, classes):
    """How many rows each block has, and where it begins."""
    X, y = np.broadcast_to(np.zeros(1), (n, p)), np.arange(n) % classes
    sizes, firsts = as_data(X, y, n_classes=classes).reduce(lambda block: ([block.n_rows], [block.first]))
    return np.array(sizes), np.array(firsts)


def test_blocks_are_alike_and_as_many_as_there_is_work_for():
    rng = np.random.default_rng(0)
    for _ in range(150):
        n, p = (int(10 ** rng.uniform(1, most)) for most in (4.5, 3.7))
        classes = int(rng.choice([2, 2, 3, 20]))
        sizes, firsts = shares(n, p, classes)
        np.testing.assert_array_equal(firsts, np.cumsum([0, *sizes[:-1]]))
        assert sizes.sum() == n
        assert (sizes[:-1] == sizes[0]).all()
        assert sizes[0] - sizes[-1] <= 8 * sizes.size, "all are rounded up to eight rows, the last makes up for it"
        work = n * p * (classes if classes > 2 else 1)
        assert sizes.size >= min(4, work // MILLION, n // 8)
        assert sizes.size % 4 == 0 or sizes.size * MILLION > work - MILLION
