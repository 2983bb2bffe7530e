"""The published page: the same files, with tapes that this engine recorded, for any static host.

    python -m evenodds.learn.tapes FOLDER

A tape is a run with all its weights and losses, some of its pictures and traces, its surface and its measures. Of other
calls the replies are kept for some arguments. The page takes the nearest that was recorded, and shows its settings.
"""

import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .engine import Session
from .mistakes import MISTAKES
from .server import FILES, pack, plain

BASE: dict[str, Any] = {
    **{"data": "moons", "features": "straight", "normalise": True},
    **{"lr": 1.0, "bs": 100, "epochs": 200, "seed": 0, "keys": []},
}
OWN = [[-1.5, 1, 0], [-1, -0.5, 0], [-0.5, 0.6, 0], [0.6, -0.4, 1], [1, 0.8, 1], [1.6, 0, 1]]  # those of own.mjs
PICTURES = 14
TRACES = 5


def wishes() -> list[dict[str, Any]]:
    """Return the settings that are recorded: those of the chapters, one control moved at a time, and the mistakes."""
    shorter = {"epochs": 100}
    changes: list[dict[str, Any]] = [
        *({}, shorter),
        *({**shorter, "lr": lr} for lr in (0.01, 0.1, 10.0, 40.0, 100.0)),
        *({**shorter, "data": name} for name in ("clouds", "blobs", "circles", "xor")),
        *({**shorter, "data": name, "features": "spline"} for name in ("moons", "circles", "xor")),
        *({"data": "thousandths", "normalise": n, "lr": 0.01} for n in (False, True)),
        *({"bs": bs, "lr": 0.5, "epochs": 60} for bs in (1, 3, 10, 30, 100)),
        *({"data": "rare", "features": features} for features in ("straight", "spline")),
        *({"data": "clouds"}, {**shorter, "data": "own"}),
        *({"lr": 0.01, "epochs": 1000, **each.settings, "keys": [each.key]} for each in MISTAKES),
    ]
    return [{**BASE, **change} for change in changes]


def record(settings: dict[str, Any]) -> dict[str, Any]:
    """Run with these settings to the end; return the tape."""
    session = Session()
    session.set_points(OWN)
    begun = session.begin(**settings)
    while not session.more(1000.0)["done"]:
        pass
    have = len(session.L)
    frames = np.unique(np.r_[np.geomspace(1, have, PICTURES).astype(int) - 1, have - 1])
    painted = [session.paint(int(i), int(i) + 1)["shade"][0] for i in frames]
    lines = np.concatenate([session.paint(i, i + 50)["lines"] for i in range(0, have, 50)])
    surface = session.surface()
    batches = begun["batches"]
    places = {(int(e), b) for e in frames[:: max(1, len(frames) // TRACES)] for b in (0, 1, batches - 1) if b < batches}
    places |= {(have - 1, batches - 1)}
    thresholds = [round(0.02 * i, 2) for i in range(1, 50)] if settings["data"] == "rare" else [0.5]
    arrays = {name: begun[name] for name in ("X", "y", "box")}
    told = {name: begun[name] for name in ("diff", "functions", "batches", "weights")}
    return {
        **arrays,
        **{"w": session.W, "b": session.B, "loss": session.L, "frames": np.array(painted), "alllines": lines},
        "begun": {**told, "from": 0, "done": True, "stopped": session.stopped, "suspect": bool(session.suspects)},
        "keys": frames.tolist(),
        **{"reach": surface["reach"], "bowl": surface["loss"], "pair": surface["pair"], "bowlrows": surface["rows"]},
        "traces": [_trace(session, epoch, batch) for epoch, batch in sorted(places)],
        "thresholds": thresholds,
        "measured": [session.measure(threshold) for threshold in thresholds],
        "found": session.culprit()["found"],
    }


def _trace(session: Session, epoch: int, batch: int) -> dict[str, Any]:
    got = session.trace(epoch, batch)
    kept = {name: got[name] for name in ("events", "batch", "batches", "b")}
    return {
        **kept,
        "epoch": epoch,
        "rows": got["rows"].tolist(),
        "w": got["w"].tolist(),
        "line": got["lines"][0].tolist(),
    }


def asked() -> list[tuple[str, dict[str, Any]]]:
    """Return the other calls whose replies are kept."""
    scores, steps = [*range(-10, 11), -710], (-6, -3, -1, 1, 3, 6)
    probabilities = [0.01, *(round(0.05 * i, 2) for i in range(1, 20)), 0.99]
    point = Session().points("moons")[0][0].tolist()
    return [
        *(("values", {"name": "sigmoid", "at": float(z)}) for z in scores),
        *(("values", {"name": "loss", "at": p}) for p in probabilities),
        *(("by_hand", {"w": w, "b": b, "x": point}) for *w, b in itertools.product(steps, steps, (-3, 0, 3))),
        *(("compare", {"C": 10.0 ** (k / 2), "data": data}) for data in ("moons", "clouds") for k in range(-6, 11)),
    ]


def write(folder: Path) -> None:
    """Write the page and its tapes.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of the same names are replaced.
    """
    tapes = folder / "tapes"
    tapes.mkdir(parents=True, exist_ok=True)
    for path in FILES.values():
        shutil.copyfile(path, folder / path.name)
    runs, replies = {}, []
    for i, settings in enumerate(wishes()):
        (tapes / f"run{i}.bin").write_bytes(pack(record(settings)))
        runs[f"run{i}"] = settings
    sessions: dict[str, Session] = {}
    for i, (method, arguments) in enumerate(asked()):
        data = str(arguments.get("data", "moons"))
        if data not in sessions:
            sessions[data] = Session()
            sessions[data].begin(**{**BASE, "data": data}, ms=1000)
        called = {name: value for name, value in arguments.items() if name != "data"}
        (tapes / f"reply{i}.bin").write_bytes(pack(getattr(sessions[data], method)(**called)))
        replies.append({"method": method, "file": f"reply{i}", "arguments": arguments})
    index = {"hello": plain(Session().hello()), "runs": runs, "replies": replies}
    (tapes / "index.json").write_text(json.dumps(index, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
