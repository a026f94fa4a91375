# SPDX-License-Identifier: MIT
"""Each public header compiles alone, in every language it promises, and the
formatter breaks none of its macros, numbers and comments over lines."""
import re

import meta

LANGUAGES = [(meta.CC, "c", "c11"), (meta.CC, "c", "c17"),
             (meta.CXX, "c++", "c++17"), (meta.CXX, "c++", "c++20")]


def compile_alone(first):
    for path in meta.files("include/*.h"):
        for compiler, language, standard in LANGUAGES:
            said = meta.complaint(
                compiler, f"-std={standard}", "-x", language,
                *meta.CFLAGS, "-Wshadow", "-fsyntax-only", "-",
                input=f"{first}#include <{path.name}>\nint nothing;\n")
            if said:
                yield f"{path} as {standard}: {said}"


def headers_compile_alone():
    return compile_alone("")


def headers_may_be_included_twice():
    return compile_alone("#include <gmem.h>\n")


def structs_hold_no_holes():
    """So that a caller's padding can never look like a request."""
    return compile_alone('#pragma GCC diagnostic error "-Wpadded"\n')


def nothing_is_broken_over_lines():
    """A macro, an enumerator, and a comment beside code end on their line."""
    broken = re.compile(r"^#define.*\\$|^\s*\w+ =$|^\s*[^\s/*].*/\*(?!.*\*/)")
    for path in meta.files("include/*.h"):
        for number, line in enumerate(meta.text(path).split("\n"), 1):
            if broken.search(line):
                yield f"{path}:{number}: {line.strip()}"


meta.run(headers_compile_alone, headers_may_be_included_twice,
         structs_hold_no_holes, nothing_is_broken_over_lines)
