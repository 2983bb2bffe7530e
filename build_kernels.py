"""Compile the loops of evenodds into one shared library: what hatchling calls to build a wheel or an editable install.

The C compiler of the system does it, or the one of the package `ziglang` where there is none. Run as a program, it
compiles the library of a checkout where it lies: `python build_kernels.py`.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "src/evenodds/kernels"
# No flag lets the compiler choose the order of a sum or fuse a product with one: all give the same bits.
FLAGS = ["-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]
FLAGS += ["-fno-math-errno", "-fno-trapping-math"]
ZIG = "ziglang>=0.13"
# Zig would take the processor that it runs on.
BASELINE = {"x86_64": "x86_64", "amd64": "x86_64"}


def system_compiler() -> list[str] | None:
    """The C compiler that CC names or that is installed, None if there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    names = () if sys.platform == "win32" else ("cc", "gcc", "clang")
    found = next(filter(None, map(shutil.which, names)), None)
    return None if found is None or not _works(found) else [found]


def _works(compiler: str) -> bool:
    """Whether it finds its headers: on some machines a compiler is installed without them."""
    source = "#include <math.h>\n#include <stdint.h>\nint main(void) { return 0; }\n"
    check = [compiler, "-x", "c", "-fsyntax-only", "-"]
    return subprocess.run(check, input=source, text=True, capture_output=True).returncode == 0


def library_name() -> str:
    """The file name of the shared library on this system."""
    return "_kernels" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def compile_kernels(root: Path) -> Path:
    """Compile the library of a checkout at `root`; the old one is in its place until the new one is whole."""
    compiler = system_compiler()
    if compiler is None:
        cpu = BASELINE.get(platform.machine().lower(), "baseline")
        compiler = [sys.executable, "-m", "ziglang", "cc", f"-mcpu={cpu}"]
    folder = root / FOLDER
    target, new = folder / library_name(), folder / f"{os.getpid()}{library_name()}"
    math = [] if sys.platform == "win32" else ["-lm"]
    try:
        subprocess.run([*compiler, *FLAGS, str(folder / "kernels.c"), "-o", str(new), *math], check=True)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    return target


class Kernels(BuildHookInterface[Any]):
    """The hook: it compiles before the files of a wheel, or of an editable install, are gathered."""

    def dependencies(self) -> list[str]:
        """What a build needs beside hatchling: a compiler."""
        return [] if system_compiler() else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one for this platform and every Python."""
        target = compile_kernels(Path(self.root))
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["artifacts"].append(f"{FOLDER}/{target.name}")


if __name__ == "__main__":
    print(compile_kernels(Path(__file__).resolve().parent))
