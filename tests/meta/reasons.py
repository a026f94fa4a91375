# SPDX-License-Identifier: MIT
"""One list of reasons: header = table = tests = manual."""
import re

import meta

REASON = r"GMEM_REASON_[A-Z0-9_]+"


def header():
    """{constant: number} of the enumeration, without NONE."""
    enum = re.search(r"enum gmem_reason \{(.*?)\};",
                     meta.text("include/gmem.h"), re.S)[1]
    found = re.findall(rf"({REASON}) = (\d+)", enum)
    return {name: int(number) for name, number in found
            if name != "GMEM_REASON_NONE"}


def table():
    """{constant: (name, code)} of lib/reason.c; code is "0" or "-E..."."""
    found = re.findall(rf'\[({REASON})\]\s*=\s*\{{\s*"([^"]+)",\s*(0|-E\w+)',
                       meta.text("lib/reason.c"))
    return {constant: (name, code) for constant, name, code in found
            if constant != "GMEM_REASON_NONE"}


def mdoc_entries(page):
    """(codes, name, constant) of ".It Bo Er E , E Bc Cm name Pq Dv CONST"."""
    found = re.findall(rf"^\.It Bo Er (.*) Bc Cm (\S+) Pq Dv ({REASON})$",
                       page, re.M)
    return [(re.findall(r"E\w+", codes), name, constant)
            for codes, name, constant in found]


def wrong_entries(path, page):
    """What an entry says other than the table does."""
    for codes, name, constant in mdoc_entries(page):
        if constant not in table():
            continue
        want, code = table()[constant]
        if name != want:
            yield f"{path} calls {constant} {name}, not {want}"
        if code != "0" and codes != [code[1:]]:
            yield f"{path}: {constant} is {code[1:]}, not {' '.join(codes)}"


def every_reason_is_in_the_table():
    return meta.differ("gmem.h", header(), "lib/reason.c", table())


def numbers_and_names_are_unique():
    for what, values in (("number", list(header().values())),
                         ("name", [name for name, _ in table().values()])):
        for value in sorted({v for v in values if values.count(v) > 1}):
            yield f"{what} {value} stands for two reasons"


def names_follow_from_the_constants():
    for constant, (name, _) in table().items():
        want = constant.removeprefix("GMEM_REASON_").lower().replace("_", "-")
        if name != want:
            yield f"{constant} is called {name}, not {want}"


def every_reason_has_a_test_that_provokes_it():
    tests = "".join(meta.text(path) for path in
                    meta.files("tests/unit/*.c", "tests/fault/*.c",
                               "tests/live/*.c"))
    tests = re.sub(r"/\*.*?\*/", "", tests, flags=re.S)
    return (f"no test names {constant}" for constant in header()
            if not re.search(rf"\b{constant}\b", tests))


def every_reason_is_given_by_the_library():
    code = "".join(meta.text(path) for path in meta.files("lib/*.c")
                   if path.name != "reason.c")
    return (f"no code of lib/ gives {constant}" for constant in header()
            if not re.search(rf"\b{constant}\b", code))


def every_reason_is_in_gmem_reasons_7():
    page = meta.text("man/gmem_reasons.7")
    listed = [constant for _, _, constant in mdoc_entries(page)]
    yield from meta.differ("gmem_reasons.7", listed, "gmem.h", header())
    yield from wrong_entries("gmem_reasons.7", page)


def every_reason_is_an_error_of_some_call():
    listed = set()
    for path in meta.files("man/*.3"):
        errors = meta.section(meta.text(path), "ERRORS")
        listed |= {constant for _, _, constant in mdoc_entries(errors)}
        yield from wrong_entries(path, errors)
    yield from meta.differ("ERRORS of section 3", listed, "gmem.h", header())


meta.run(every_reason_is_in_the_table, numbers_and_names_are_unique,
         names_follow_from_the_constants,
         every_reason_has_a_test_that_provokes_it,
         every_reason_is_given_by_the_library,
         every_reason_is_in_gmem_reasons_7,
         every_reason_is_an_error_of_some_call)
