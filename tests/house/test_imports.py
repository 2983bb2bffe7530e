"""Who imports whom, and what `import evenodds` spares."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import evenodds

HOUSE = Path(evenodds.__file__).parent
LAYERS = {
    "arrays": set(),
    "exceptions": set(),
    "kernels": set(),
    "scratch": set(),
    "naming": {"exceptions"},
    "delimited": {"exceptions"},
    "data": {"delimited", "exceptions", "naming"},
    "arrow": {"data", "kernels"},
    "moments": {"data", "kernels"},
    "coordinates": {"arrow", "data", "exceptions", "kernels", "moments"},
    "class_arrow": {"arrow", "coordinates", "data", "kernels"},
    "scores": {"data", "kernels"},
    "objective": {"arrow", "class_arrow", "coordinates", "data", "exceptions", "kernels", "scores"},
    "solvers": {"arrow", "coordinates", "data", "exceptions", "kernels", "objective", "scores"},
    "per_column": {"data", "exceptions"},
    "advice": {"exceptions", "naming", "solvers"},
    "table": {"exceptions", "naming"},
    "labels": {"data", "exceptions", "kernels", "table"},
    "design": {"advice", "data", "exceptions", "labels", "naming", "table"},
    "reading": {"data", "design", "exceptions", "labels", "table"},
    "separation": {
        *("advice", "arrow", "class_arrow", "coordinates", "data", "exceptions", "kernels", "objective", "reading"),
        *("naming", "solvers"),
    },
    "firth": {"coordinates", "data", "exceptions", "kernels", "objective", "solvers"},
    "settings": {"data", "exceptions", "per_column", "solvers"},
    "penalised": {
        *("coordinates", "data", "objective", "settings", "per_column", "separation", "solvers"),
    },
    "fitting": {
        *("coordinates", "data", "exceptions", "firth", "objective", "settings", "penalised", "separation"),
        "solvers",
    },
    "absent": {"data", "exceptions", "fitting", "penalised", "per_column", "settings", "solvers"},
    "progress": {"data", "naming", "solvers"},
    "classifier": {"data", "design", "exceptions", "labels", "reading", "scores", "table"},
    "model": {
        *("absent", "advice", "classifier", "coordinates", "data", "design", "exceptions", "fitting", "labels"),
        *("moments", "progress", "reading", "separation", "settings", "solvers"),
    },
    "inference": {
        *("advice", "arrow", "class_arrow", "coordinates", "data", "design", "exceptions", "firth", "fitting"),
        *("kernels", "labels", "model", "objective", "penalised", "reading", "separation", "settings", "solvers"),
        *("naming", "scores", "table"),
    },
    "strengths": {"coordinates", "data", "exceptions", "objective", "per_column", "progress", "separation", "solvers"},
    "paths": {
        *("absent", "advice", "data", "exceptions", "per_column", "progress", "reading", "separation", "strengths"),
    },
    "fold_scores": {"data", "exceptions", "model", "paths", "scores"},
    "cross_validation": {
        *("classifier", "data", "exceptions", "fold_scores", "labels", "model"),
        *("settings", "paths", "per_column", "progress", "reading", "table"),
    },
    "diagnosis": {"design", "exceptions", "labels", "model", "naming", "separation", "table"},
    "export": {"data", "design", "exceptions", "inference", "model", "naming", "settings", "solvers"},
    "tabular": {"data", "design", "exceptions", "labels", "model", "naming", "table"},
    "plots": {
        *("cross_validation", "data", "exceptions", "inference", "labels", "model", "naming", "paths", "strengths"),
        "table",
    },
    "report": {
        *("cross_validation", "data", "design", "exceptions", "export", "inference", "labels", "model"),
        *("naming", "plots", "solvers", "table"),
    },
    "__init__": {
        *(
            "cross_validation",
            "data",
            "diagnosis",
            "exceptions",
            "export",
            "inference",
            "model",
            "paths",
            "report",
            "separation",
            "solvers",
        ),
        "tabular",
    },
}
FRONT = {"scratch", "demo", "learn", "files", "cli", "__main__"}  # on top: they may import all
SCRATCH_USERS = {"demo", "learn"}
NAMES = "arrays"  # of what holds numbers: all may say them


def module_of(path):
    """The name in the layout: a folder counts as one module."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return parts[0]


def imported(path):
    """Our modules that a file imports, anywhere in it."""
    package = ["evenodds", *path.relative_to(HOUSE).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            full = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            full = [[*base, alias.name] for alias in node.names]
        else:
            continue
        names |= {name[1] for name in full if name[0] == "evenodds" and len(name) > 1}
    return names


FILES = sorted(HOUSE.rglob("*.py"))
MODULES = {module_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_run_downwards(path):
    module = module_of(path)
    ours = (imported(path) & MODULES) - {module, NAMES}
    if "scratch" in ours:
        assert module in SCRATCH_USERS
        ours.discard("scratch")
    if module in LAYERS:
        assert ours <= LAYERS[module]
    else:
        assert module in FRONT, f"{module} has no place in the layout"


def test_the_layers_are_an_order():
    placed = set()
    while placed != set(LAYERS):
        free = {name for name, below in LAYERS.items() if name not in placed and below <= placed}
        assert free, f"a circle among {set(LAYERS) - placed}"
        placed |= free


def test_nothing_outside_a_home_asks_which_home_it_is():
    """`Data` answers: `whole` where the rows are in memory, `sparse`, `part`."""
    homes = {"Memory", "View", "SomeRows"}
    for path in FILES:
        if module_of(path) == "data":
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("isinstance", "type"):
                asked = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
                assert not asked & homes, f"{path.name}, line {call.lineno}"


def test_there_is_one_way_in():
    calls = {path.name for path in FILES if re.search(r"\bas_data\(", path.read_text(encoding="utf-8"))}
    assert calls == {"__init__.py", "reading.py"}  # where it is defined, and where it is called


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout


HEAVY = (
    "matplotlib",
    "formulaic",
    "pandas",
    "polars",
    "pyarrow",
    "statsmodels",
    "rich",
    "click",
)
LOADED = f"; import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
SMALL = "; evenodds.LogisticRegression(C=1).fit([[0.], [1.], [2.], [3.]], [0, 1, 0, 1])"
SHORT = "; evenodds.path([[0.], [1.], [2.], [3.]], [0, 1, 0, 1], Cs=range(1, 11))"


def test_what_scikit_learn_does_not_load_is_not_loaded():
    """Nor by what comes after the import: what is loaded stays so, and is asked for after each step."""
    theirs = set(run("import sklearn.linear_model" + LOADED).split())
    for line in run("import evenodds" + LOADED + SMALL + LOADED + SHORT + LOADED).splitlines():
        assert set(line.split()) <= theirs


@pytest.mark.parametrize("C", ["1", "float('inf')"])
def test_a_smooth_fit_loads_nothing_of_penalties_firth_and_the_judge(C):
    ours = "; import sys; print(*[name for name in sys.modules if name.startswith('evenodds.')])"
    loaded = run("import evenodds" + SMALL.replace("C=1", f"C={C}") + ours).split()
    rare = ("firth", "penalised", "separation.recession", "solvers.elastic_net", "inference", "design", "paths")
    assert "evenodds.fitting" in loaded
    assert not [name for name in loaded if name.removeprefix("evenodds.").startswith(rare)]


def test_the_package_itself_loads_nothing_and_has_all_its_names():
    code = "import sys, evenodds; print('numpy' in sys.modules, set(evenodds.__all__) <= set(dir(evenodds)))"
    assert run(code).split() == ["False", "True"]
    code = """
        import importlib, sys
        for first in ("evenodds.cross_validation", "evenodds.paths", "evenodds"):
            for name in [name for name in sys.modules if name.startswith("evenodds")]:
                del sys.modules[name]
            importlib.import_module(first)
            names = {}
            exec("from evenodds import *", names)
            print(*(names[name].__name__ for name in ("path", "Path", "infer", "SGD")))
    """
    assert run(textwrap.dedent(code)).splitlines() == ["path Path infer SGD"] * 3
    assert not hasattr(evenodds, "nothing")


def test_frames_are_optional():
    absent = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *others):\n"
        "        if name in ('pandas', 'polars', 'pyarrow', 'matplotlib'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    assert run(absent + "import evenodds" + SMALL + "; print('fitted')").strip() == "fitted"


def test_the_textbook_needs_numpy_alone():
    code = (
        "import sys, evenodds.scratch as s; print(sorted(n for n in vars(s) if n in ('sklearn', 'scipy', 'evenodds')))"
    )
    assert run(code).strip() == "[]"
    tree = ast.parse((HOUSE / "scratch.py").read_text(encoding="utf-8"))
    names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names <= {"__future__", "collections", "numpy", "matplotlib", "typing"}


def test_the_lowest_versions_are_those_that_are_tried():
    """`make test-lower` takes what pyproject.toml allows; the linters are left out."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    plain = (re.split(">=|,", re.sub(r"\[.*?\]", "", text))[:2] for text in wanted)
    lowest = {name: version.split(".") for name, version in plain}
    pinned = dict(re.findall(r"^([\w-]+)==(.+)$", (root / "constraints-lower.txt").read_text(encoding="utf-8"), re.M))
    for name in lowest.keys() - {"mypy", "ruff"}:
        assert pinned[name].split(".")[: len(lowest[name])] == lowest[name], name
