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


def constants_of_64_bits_reach_bindgen_with_their_type():
    header = "".join(meta.text(path) for path in meta.files("include/*.h"))
    for name in re.findall(r"^#define (GMEM_\w+) .*\dU?LL?\b", header, re.M):
        yield f"{name} is not made with GMEM_BIT() or UINT64_C()"
    want = re.findall(r"^#define (GMEM_\w+) (?:GMEM_BIT|UINT64_C)\(", header,
                      re.M)
    made = (meta.BUILD / "include/gmem_u64.h").read_text()
    yield from meta.differ("gmem_u64.h", re.findall(r"uint64_t (\w+) =", made),
                           "include/*.h", want)


def nothing_is_broken_over_lines():
    """A macro, an enumerator, and a comment beside code end on their line."""
    broken = re.compile(r"^#define.*\\$|^\s*\w+ =$|^\s*[^\s/*].*/\*(?!.*\*/)")
    for path in meta.files("include/*.h"):
        for number, line in enumerate(meta.text(path).split("\n"), 1):
            if broken.search(line):
                yield f"{path}:{number}: {line.strip()}"


meta.run(headers_compile_alone, headers_may_be_included_twice,
         structs_hold_no_holes,
         constants_of_64_bits_reach_bindgen_with_their_type, nothing_is_broken_over_lines)
