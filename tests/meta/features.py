# SPDX-License-Identifier: MIT
"""One list of features: header = table = manual."""
import re

import meta

FEATURE = r"GMEM_FEATURE_[A-Z0-9_]+"


def header():
    """{constant: number} of the enumeration."""
    enum = re.search(r"enum gmem_feature \{(.*?)\};",
                     meta.text("include/gmem.h"), re.S)[1]
    found = re.findall(rf"({FEATURE}) = (\d+)", enum)
    return {name: int(number) for name, number in found}


def table():
    """{constant: (name, first kernel or "NULL")} of lib/feature.c."""
    found = re.findall(
        rf'\[({FEATURE})\]\s*=\s*\{{\s*"([^"]+)",\s*"?([\w.]+)"?,',
        meta.text("lib/feature.c"))
    return {constant: (name, since) for constant, name, since in found}


def entries():
    """{name: "Linux 6.8" or "in no released kernel"} of the manual page."""
    page = meta.section(meta.text("man/gmem_features.7"), "FEATURES")
    page = re.sub(r"^\.It Xo (.*?)^\.Xc", lambda m: ".It " + " ".join(
        re.sub(r"^\.", "", m[1], flags=re.M).split()), page,
        flags=re.M | re.S)
    found = {}
    for names, since in re.findall(
            r"^\.It Cm (.*?) Pq Dv .*(Linux \S+|in no released kernel)$",
            page, re.M):
        found.update((name, since) for name in re.findall(r"[\w-]{2,}", names)
                     if name != "Cm")
    return found


def every_feature_is_in_the_table():
    return meta.differ("gmem.h", header(), "lib/feature.c", table())


def numbers_have_no_gaps():
    if sorted(header().values()) != list(range(len(header()))):
        yield "the numbers of enum gmem_feature are not 0 ... n - 1"


def names_follow_from_the_constants():
    for constant, (name, _) in table().items():
        want = constant.removeprefix("GMEM_FEATURE_").lower()
        if name != want.replace("_", "-"):
            yield f"{constant} is called {name}"


def every_feature_is_in_gmem_features_7():
    want = {name: "in no released kernel" if since == "NULL" else
            f"Linux {since}" for name, since in table().values()}
    return meta.differ("gmem_features.7", set(entries().items()),
                       "lib/feature.c", set(want.items()))


def gmem_h_says_since_when_there_are_vm_types():
    since = {constant.replace("_FEATURE", ""): first for constant, (_, first)
             in table().items() if constant.startswith("GMEM_FEATURE_VM_")}
    said = re.findall(r"^\t(GMEM_VM_\w+) = \d+,\s*/\* x86-64, ([\d.]+) \*/",
                      meta.text("include/gmem.h"), re.M)
    if not said:
        yield "gmem.h says of no VM type since when it is there?"
    for constant, first in said:
        if since.get(constant) != first:
            yield f"gmem.h says {first} of {constant}, not {since[constant]}"


def gmem_features_7_names_no_other_constant():
    named = re.findall(FEATURE, meta.text("man/gmem_features.7"))
    return (f"gmem.h has no {name}" for name in sorted(
        set(named) - set(header())))


def every_feature_has_a_test_of_its_own():
    tests = "".join(meta.text(path) for path in meta.files("tests/unit/*.c"))
    tests = re.sub(r"/\*.*?\*/", "", tests, flags=re.S)
    return (f"no unit test names {constant}" for constant in header()
            if not re.search(rf"\b{constant}\b", tests))


def the_huge_page_sizes_are_those_of_the_remedy():
    mask = re.search(r"define GMEM__HUGETLB_SIZES(.*?)\)\n",
                     meta.text("lib/hugetlb.h"), re.S)[1]
    sizes = [f"{1 << bits % 10}{'KMG'[bits // 10 - 1]}" for bits in
             map(int, re.findall(r"1ULL << (\d+)", mask))]
    said = re.search(r'"hugetlb-size", -EINVAL,\s*"pass 0 or one of (.*?)"',
                     re.sub(r'"\s*"', "", meta.text("lib/reason.c")), re.S)[1]
    return meta.differ("lib/reason.c", said.split(), "lib/hugetlb.h", sizes)


meta.run(every_feature_is_in_the_table, numbers_have_no_gaps,
         names_follow_from_the_constants,
         every_feature_is_in_gmem_features_7,
         gmem_h_says_since_when_there_are_vm_types,
         gmem_features_7_names_no_other_constant,
         every_feature_has_a_test_of_its_own,
         the_huge_page_sizes_are_those_of_the_remedy)
