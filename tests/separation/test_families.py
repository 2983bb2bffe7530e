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


# Fresh members that were wrong once, and why.
ONCE_WRONG = [
    ("extreme: an answer or one error", 1895719630),  # signs: a coefficient whose square is less than numbers go
    ("results path", 2456235735),  # free columns that separate six classes: a minute of steps that came to no end
    ("results path", 106),  # weights of 1e300 and a Hessian with less than no curvature: steps of a tenth of a second
    ("results path", 3444943622),  # twins to 1e-7 without a penalty: what rounding leaves of a gradient, times 4e7
    ("sparse equals dense: wide", 3889040221),  # steps of a rough model, each second of which lets the gap rise
    ("crossed optimum", 805701617),  # weights of 1e19: a gradient of 1e-8 was taken to be rounded at 1e-14
    ("crossed optimum", 1895414204),  # a gap that falls no faster than the distance, next to no penalty: rounding stays
    ("crossed optimum", 3460910163),
    ("crossed optimum", 1662893949),
    ("crossed optimum", 2703144603),  # offsets of 134 cooled by Newton's steps, where Firth's likelihood is not concave
    ("results bits", 919879671),
    ("crossed optimum", 1440233874),  # weights over 27 powers of ten: a scale in which the rows were rounding
    ("separation that is planted", 700285),  # CONVERGED: a sample's overlap was proved by the Hessian of a theta before
    ("separation that is planted", 5078),  # a linear programme that HiGHS gives up, at its usual tolerance
    ("separation in small integers", 700264),  # infer: offsets of 42, what is left of separated rows begun at 0
    ("separation in small integers", 700906),  # infer: rows are left, and nothing but zeros in their column
    ("near twins", 124),  # a null direction that was rounding, read as coefficients that grow without end
    ("near twins", 160),
    ("near twins", 84),  # infer: coefficients of 1e14, whose last digits are seen in the likelihood of the rows
    ("near twins", 2098),  # infer: 2,000 steps that rounding had made, 200 times
    ("near twins", 3211),  # infer: a score of 1e5 brought back the class that a row is certainly not of
    ("near twins", 912995),  # an intercept that went to -inf, told 0: what was taken for rounding hid where it moves
    ("near twins", 913391),
    ("near twins, beside a column far from zero", 940010),  # infer: twins, singular as products
    ("standard errors beside near twins", 1836543835),  # a ridge: what twins tell of a variance, squared by it
    ("results inference", 2281351240),  # the oracle: a variance of 0 that long doubles made negative
    ("signs of separated coefficients", 1000194),  # a null space without the digits that a far row gives it
    ("near twins", 913104),  # digits of a column near 0 were rounding, because another column is far from 0
    ("crossed optimum", 531588091),  # 57 coefficients in a narrow cone, a programme for the sign of each: 5 s
    ("crossed optimum", 40507),  # what three classes share, under a penalty of 1e-16: a thirtieth of the gap was seen
    ("end of a fit", 920056),  # the same at 4e-7, got into theta by L-BFGS: 100 of Newton's steps, which do not see it
    ("end of a fit", 920069),
    ("end of a fit", 941343),
    ("crossed optimum", 20218),  # a factor of 1 but for rounding on a dual point that nothing was beyond: 1e-16 of J
    ("crossed relations", 40476),  # 1e8 in a row: a penalty in factors saw the others from a mean that was none of them
    ("crossed relations", 20040),  # the oracle: weights of 1e297 under Firth's penalty, stalled here and refused there
    ("a slight penalty in other words", 96),  # rounding of a gradient, times coefficients that a ridge holds nearer
    ("results path", 3817470875),  # free columns alike to 3e-13: steps that rounding made of their difference
    ("crossed optimum", 970005),  # and with a step that far rows of certain labels seemed to rule out
    ("results path", 920005),  # a gap by the Hessian of a point that was left, and rounding beside a J of 1e-22
    (
        "crossed optimum",
        970022,
    ),  # weights of 1e300 beside columns of 1e8: a loss without an end, and zeros as an answer
    ("separation of several classes, far values", 920040),  # the judge: what rounding had left in a null space
    ("starts: scales", 920251),  # a variance below 0, by three products of a penalised fit's matrices
    ("crossed optimum", 920133),  # weights of 1e-11: maxima that are one in standard errors, and 4.8 apart in height
    ("crossed optimum", 4128408733),  # the oracle's own rounding: scores of 1e6 beside weights of 1e17
]


@pytest.mark.parametrize(("name", "seed"), ONCE_WRONG)
def test_a_member_that_was_wrong_once(name, seed):
    (family,) = [family for family in families() if family.name == name]
    assert failure(family, family.member(seed)) is None
