# SPDX-License-Identifier: MIT
"""One list of names: every number of gmem.h = lib/name.c = manual."""
import re

import meta

# Numbers whose names are elsewhere: in lib/reason.c and in lib/feature.c.
OTHERS = {"gmem_reason", "gmem_feature", "gmem_name_kind"}
NAMELESS = {"GMEM_VM_UNSET"}


def header():
    """Every enumerator and every flag of gmem.h that is to have a name."""
    text = meta.text("include/gmem.h")
    found = set(re.findall(
        r"^#define (GMEM_\w+)\s+(?:\(1U(?:LL)? << \d+\)|\d+(?:ULL)?)(?!\w)",
        text, re.M))
    for name, body in re.findall(r"^enum (\w+) \{(.*?)^\};", text,
                                 re.M | re.S):
        if name not in OTHERS:
            found |= set(re.findall(r"^\t(GMEM_\w+) =", body, re.M))
    return found - NAMELESS


def tables():
    """{array: {constant: name}} of lib/name.c without errno."""
    return {array: dict(re.findall(r'\{ (GMEM_\w+), "([^"]+)" \}', body))
            for array, body in re.findall(
                r"^static const struct name (\w+)\[\] = \{(.*?)^\};",
                meta.text("lib/name.c"), re.M | re.S) if array != "errnos"}


def kinds():
    """{kind: array} of lib/name.c."""
    return dict(re.findall(r"\[(GMEM_NAME_\w+)\] = \{ LIST\((\w+)\)",
                           meta.text("lib/name.c")))


def manual():
    """{kind: first name} of gmem_name(3)."""
    return dict(re.findall(r"^\.It Dv (GMEM_NAME_\w+) Ta .* Ta (\S+)$",
                           meta.text("man/gmem_name.3"), re.M))


def every_number_of_gmem_h_has_a_name():
    named = {constant for table in tables().values() for constant in table}
    return meta.differ("gmem.h", header(), "lib/name.c", named)


def names_follow_from_the_constants():
    for array, table in tables().items():
        prefixes = set()
        for constant, name in table.items():
            tail = name.upper().replace("-", "_")
            if not constant.endswith("_" + tail):
                yield f"{constant} is called {name}"
            prefixes.add(constant.removesuffix(tail))
        if len(prefixes) != 1:
            yield f"{array} has constants of {' and '.join(sorted(prefixes))}"


def every_kind_is_in_the_table_and_in_gmem_name_3():
    enum = re.search(r"enum gmem_name_kind \{(.*?)\};",
                     meta.text("include/gmem.h"), re.S)[1]
    constants = set(re.findall(r"(GMEM_NAME_\w+) =", enum))
    yield from meta.differ("lib/name.c", kinds(), "gmem.h", constants)
    yield from meta.differ("gmem_name.3", manual(), "gmem.h", constants)
    arrays = [array for array in kinds().values() if array != "errnos"]
    yield from meta.differ("kinds", arrays, "lib/name.c", tables())


def the_first_names_are_those_of_gmem_name_3():
    for kind, array in kinds().items():
        first = next(iter(tables().get(array, {None: "EPERM"}).values()))
        if manual().get(kind) != first:
            yield f"gmem_name.3 says {manual().get(kind)} first of {kind}"


meta.run(every_number_of_gmem_h_has_a_name, names_follow_from_the_constants,
         every_kind_is_in_the_table_and_in_gmem_name_3,
         the_first_names_are_those_of_gmem_name_3)
