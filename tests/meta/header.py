# SPDX-License-Identifier: MIT
"""Each public header compiles alone, in every language it promises."""
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


meta.run(headers_compile_alone, headers_may_be_included_twice,
         structs_hold_no_holes)
