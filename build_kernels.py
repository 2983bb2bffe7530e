"""Compile the loops of evenodds into one shared library: what hatchling calls to build a wheel or an editable install.

The C compiler of the system does it, or the one of the package `ziglang` where there is none. EVENODDS_PLATFORM, one of
`PLATFORMS`, asks for a wheel for another platform, which Zig compiles. Run as a program, it compiles the library of a
checkout where it lies: `python build_kernels.py`.

`sources.h` holds the digest of the other C files. It is compiled in, so that a checkout whose library was built from
others says so (`library.py`) where calling it would crash.
"""

import hashlib
import os
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
# The end of a wheel's name, and what Zig calls the platform.
PLATFORMS = {
    "manylinux_2_17_x86_64": "x86_64-linux-gnu.2.17",
    "manylinux_2_17_aarch64": "aarch64-linux-gnu.2.17",
    "musllinux_1_2_x86_64": "x86_64-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-linux-musl",
    "macosx_11_0_x86_64": "x86_64-macos.11.0",
    "macosx_11_0_arm64": "aarch64-macos.11.0",
    "win_amd64": "x86_64-windows-gnu",
    "win_arm64": "aarch64-windows-gnu",
}
ENDINGS = {"win": ".dll", "macosx": ".dylib"}


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


def host() -> str:
    """This platform, as in a wheel's name."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def zig(platform: str) -> list[str]:
    """Zig's compiler for a platform. It would take the processor that it runs on: any of the kind is to do."""
    target = ["-target", PLATFORMS[platform]] if platform in PLATFORMS else []
    cpu = "x86_64" if platform.endswith(("x86_64", "amd64")) else "baseline"
    return [sys.executable, "-m", "ziglang", "cc", *target, f"-mcpu={cpu}"]


def write_digest(folder: Path) -> None:
    """Write `sources.h`, if the C files in the folder are no longer those that it is of."""
    header = folder / "sources.h"
    files = sorted(path for path in folder.iterdir() if path.suffix in (".c", ".h", ".inc") and path != header)
    digest = hashlib.sha256("".join(path.read_text("utf-8") for path in files).encode()).hexdigest()[:16]
    text = f'/* The digest of the other C files, as build_kernels.py writes it. */\n#define SOURCES "{digest}"\n'
    if not header.exists() or header.read_text("utf-8") != text:
        header.write_text(text, "utf-8", newline="\n")


def compile_kernels(root: Path, folder: Path, platform: str) -> Path:
    """Compile the library of a checkout at `root` into a folder; the old one is there until the new one is whole."""
    write_digest(root / FOLDER)
    compiler = (None if platform in PLATFORMS else system_compiler()) or zig(platform)
    name = "_kernels" + ENDINGS.get(platform.split("_")[0].removesuffix("32"), ".so")
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"new{os.getpid()}{name}"
    math = [] if platform.startswith("win") else ["-lm"]
    try:
        subprocess.run([*compiler, *FLAGS, str(root / FOLDER / "kernels.c"), "-o", str(new), *math], check=True)
        return new.replace(folder / name)
    finally:
        new.unlink(missing_ok=True)


class Kernels(BuildHookInterface[Any]):
    """The hook: it compiles before the files of a wheel, or of an editable install, are gathered."""

    def dependencies(self) -> list[str]:
        """What a build needs beside hatchling: a compiler."""
        return [ZIG] if os.environ.get("EVENODDS_PLATFORM") or not system_compiler() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one for this platform and every Python."""
        root, platform = Path(self.root), os.environ.get("EVENODDS_PLATFORM") or host()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        if version == "editable":  # it is read where it lies
            compile_kernels(root, root / FOLDER, platform)
        else:
            library = compile_kernels(root, root / "build" / platform, platform)
            build_data["force_include"][str(library)] = f"evenodds/kernels/{library.name}"


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    print(compile_kernels(here, here / FOLDER, host()))
