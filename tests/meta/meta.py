# SPDX-License-Identifier: MIT
"""What the checks of this folder share.

A check is a function that yields a sentence for each thing it finds wrong;
run() prints one TAP line for each check.
"""
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GMEM_BUILD", SOURCE / "build/dev"))
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
CFLAGS = ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
          f"-I{SOURCE}/include", f"-I{BUILD}/include"]
SHARED = BUILD / "lib/libgmem.so"
MODEL = BUILD / "model/libgmem-model.so"
STATIC = BUILD / "lib/libgmem.a"
MODEL_STATIC = BUILD / "model/libgmem-model.a"


def text(path):
    return (SOURCE / path).read_text(encoding="utf-8")


def files(*patterns):
    """Sorted paths, relative to the source tree; none is an error."""
    found = sorted(path.relative_to(SOURCE) for pattern in patterns
                   for path in SOURCE.glob(pattern))
    if not found:
        sys.exit(f"meta: nothing matches {' '.join(patterns)}")
    return found


def output(*command, **options):
    """What @command prints; it must succeed."""
    return subprocess.run([str(word) for word in command], check=True,
                          text=True, stdout=subprocess.PIPE, **options).stdout


def complaint(*command, **options):
    """What @command says when it fails, else an empty string."""
    done = subprocess.run([str(word) for word in command], text=True,
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    return done.stdout or "failed" if done.returncode else ""


def differ(what, have, other, want):
    """Yields what is in only one of two sets, which should be equal."""
    for name in sorted(set(have) - set(want)):
        yield f"{name}: in {what}, not in {other}"
    for name in sorted(set(want) - set(have)):
        yield f"{name}: in {other}, not in {what}"


def section(page, name):
    """The lines of section @name of an mdoc page's text."""
    m = re.search(rf"^\.Sh {re.escape(name)}\n(.*?)(?=^\.Sh |\Z)", page,
                  re.M | re.S)
    return m[1] if m else ""


def api(model=None):
    """The functions that the headers declare as GMEM_API; with @model true or
    false only those of the model, a library of its own, or of libgmem."""
    headers = [path for path in files("include/*.h")
               if model in (None, path.name == "gmem_model.h")]
    return re.findall(r"^GMEM_API\b[^;]*?\b(gmem_\w+)\(",
                      "\n".join(text(path) for path in headers), re.M | re.S)


def run(*checks):
    failed = False
    for number, check in enumerate(checks, 1):
        wrong = list(check())
        for line in wrong:
            print("#", line.rstrip().replace("\n", "\n# "))
        name = check.__name__.replace("_", " ")
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
        failed |= bool(wrong)
    sys.exit(failed)
