"""Fixed members of every family; `make fuzz` walks fresh ones."""

import pytest

from families import families
from families._shrink import failure

_SHARES = 4  # of a family's members, so that processes can share them


@pytest.mark.parametrize("share", range(_SHARES))
@pytest.mark.parametrize("family", [family for family in families() if family.members], ids=lambda family: family.name)
def test_members(family, share):
    failed = {}
    for seed in range(share, family.members, _SHARES):
        words = failure(family, family.member(seed))
        if words is not None:
            failed[seed] = words
    assert not failed, f"{len(failed)} members of {family.name}: {failed}"
