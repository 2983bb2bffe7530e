"""Who takes part in which kind of problem: solvers by name, ours first."""

from __future__ import annotations

from benchmarks import classes, crossval, paths, solvers

CAST = {
    "smooth": solvers.SOLVERS,
    "path": paths.PATH,
    "lasso": paths.LASSO,
    "classes": classes.SOLVERS,
    "cv": crossval.SOLVERS,
}
NAMES = list(dict.fromkeys(name for kind in CAST.values() for name in kind))
