"""Tables without names, as archives have them: read with names that are made up, or one error that says how."""

import json
import random

import numpy as np
import pandas as pd
import pytest

from evenodds import fit_table

KINDS = {
    "words": lambda pick: pick.choice(["e", "p", "x"]),
    "short": lambda pick: str(pick.randint(0, 9)),
    "whole": lambda pick: str(pick.randint(10_000, 99_999)),
    "decimal": lambda pick: f"{pick.gauss(5, 2):.1f}",
}


def drawn(seed):
    """Rows of text cells, the label last."""
    pick = random.Random(seed)
    kinds = [pick.choice(list(KINDS)) for _ in range(pick.randint(2, 5))]
    rows = [[KINDS[kind](pick) for kind in kinds] + [pick.choice(["<=50K", ">50K"])] for _ in range(80)]
    return pick, rows


@pytest.mark.parametrize("seed", range(12))
def test_a_table_without_names_is_fitted_and_scored(seed, run, tmp_path):
    pick, rows = drawn(seed)
    separator = pick.choice([",", ", ", ";", "\t", " "])
    end = pick.choice(["", separator]) if separator != " " else pick.choice(["", " "])
    lines = [separator.join(row) + end for row in rows]
    (tmp_path / "rows.data").write_text("\n".join([*lines, "", ""]))
    (tmp_path / "new.data").write_text("\n".join([*lines[:3], ""]))
    names = [f"column_{k + 1}" for k in range(len(rows[0]))]

    status, _, err = run("fit", "rows.data", "--target", "income")
    assert status == 1
    assert err.count("\n") <= 2
    status, _, err = run("fit", "rows.data", "--target", "income", "--no-header")
    assert status == 1
    assert f"{names[0]!r}, {names[1]!r}" in err
    status, out, err = run("fit", "rows.data", "--target", names[-1], "--no-header", "--json", "--model", "m")
    assert status == 0, err

    frame = pd.DataFrame(rows, columns=names)
    for name in names[:-1]:
        if not frame[name].str.fullmatch("[a-z]").any():
            frame[name] = frame[name].astype(float)
    model = fit_table(names[-1], frame)
    np.testing.assert_allclose(json.loads(out)["coef"][1:], model.coef_[0], rtol=1e-8, atol=1e-12)
    status, _, err = run("predict", "m", "new.data", "--out", "scored.csv")  # as the model remembers
    assert status == 0, err
    scored = pd.read_csv(tmp_path / "scored.csv")
    np.testing.assert_allclose(scored["probability"], model.predict_proba(frame.head(3))[:, 1], rtol=1e-8)
    frame.to_csv(tmp_path / "named.csv", index=False)
    status, _, err = run("predict", "m", "named.csv", "--out", "scored.csv")
    assert status == 0, err
    assert len(pd.read_csv(tmp_path / "scored.csv")) == len(rows)


def test_names_that_look_like_a_row_are_said_to(run, tmp_path):
    (tmp_path / "votes.data").write_text("y,n,y\n" + "n,y,y\ny,y,n\n" * 9)
    status, _, err = run("fit", "votes.data", "--target", "n")
    assert (status, "--no-header" in err) == (1, True)
    (tmp_path / "two.data").write_text("e,3\n" + "p,3\ne,4\ne,3\np,4\n" * 9)
    status, _, err = run("fit", "two.data", "--target", "e")
    assert status == 0
    assert "look like values: 'e', '3'. If the first line is a row" in err
    (tmp_path / "years.csv").write_text("2019,2020,y\n" + "1,2,0\n3,1,1\n2,3,1\n4,4,0\n" * 9)
    status, _, err = run("fit", "years.csv", "--target", "y")
    assert (status, "--no-header" in err) == (0, False)
