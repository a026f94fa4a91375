# SPDX-License-Identifier: MIT
"""Rules of CONTRIBUTING.md that a machine can read."""
import re

import meta

CODE = ["include/*.h*", "lib/*.[ch]", "model/*.[ch]", "conform/*.[ch]",
        "cli/**/*.[ch]", "examples/*.[ch]"]
TESTS = ["tests/*.[ch]", "tests/*/*.[ch]"]
OTHER = ["CMakeLists.txt", "*/CMakeLists.txt", "*/*/CMakeLists.txt",
         "cmake/*", "libgmem.pc.in", ".clang-format", ".clang-tidy",
         ".editorconfig", ".ci/run", "scripts/*", "lib/*.map", "man/*.[137]",
         "tests/*/*.py", "tests/*/*.sh", "tests/*/*.cc", "tests/run",
         "tests/*.py", "tests/*/run"]

# A header is read from top to bottom; code that long has two subjects.
LINES = {"include": 1000, "tests": 800}
FUNCTION_LINES = 60


def every_file_names_its_licence():
    for path in meta.files(*CODE, *TESTS, *OTHER):
        first = meta.text(path).split("\n", 2)[:2]
        line = first[1] if first[0].startswith("#!") else first[0]
        if "SPDX-License-Identifier: MIT" not in line:
            yield f"{path} does not start with its licence"


def no_file_is_too_long():
    for path in meta.files(*CODE, *TESTS):
        limit = LINES.get(path.parts[0], 500)
        lines = meta.text(path).count("\n")
        if lines > limit:
            yield f"{path} has {lines} lines, more than {limit}"


def no_function_is_too_long():
    for path in meta.files(*CODE, *TESTS):
        start = None
        for number, line in enumerate(meta.text(path).split("\n"), 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start - 1 > FUNCTION_LINES:
                    yield (f"{path}:{start}: {number - start - 1} lines, "
                           f"more than {FUNCTION_LINES}")
                start = None


def no_static_name_stands_for_three_things():
    """But run(), which is where each command begins."""
    for folder in ("lib", "cli", "model", "conform"):
        found = {}
        for path in meta.files(f"{folder}/**/*.c"):
            for name in re.findall(r"^static [^;={(]*?\b(\w+)\(",
                                   meta.text(path), re.M):
                found.setdefault(name, set()).add(str(path))
        for name, paths in sorted(found.items()):
            if len(paths) > 2 and name != "run":
                yield f"{name}() is in {', '.join(sorted(paths))}"


def nothing_is_left_unfinished():
    mark = re.compile("|".join(["TO" "DO", "FIX" "ME", "XX" "X",
                                "not imple" "mented"]), re.I)
    for path in meta.files(*CODE, *TESTS, *OTHER):
        for number, line in enumerate(meta.text(path).split("\n"), 1):
            if mark.search(line) and "mktemp" not in line:
                yield f"{path}:{number}: {line.strip()}"


meta.run(every_file_names_its_licence, no_file_is_too_long,
         no_function_is_too_long, no_static_name_stands_for_three_things,
         nothing_is_left_unfinished)
