# SPDX-License-Identifier: MIT
"""The model's profiles: table = manual, and what each was verified against."""
import re

import meta


def table():
    """{profile: the kernels it was verified against, or None} of the model."""
    rows = re.search(r"profiles\[\] = \{(.*?)^\};",
                     meta.text("model/profile.c"), re.S | re.M)[1]
    found = {}
    for row in re.findall(r"^\t\{ (.*?)\},$", rows, re.S | re.M):
        name, rest = re.match(r'"([^"]+)",(.*)', row, re.S).groups()
        verified = re.match(r'\s*(NULL|(?:"[^"]*"\s*)+),', rest)[1]
        found[name] = None if verified == "NULL" else "".join(
            re.findall(r'"([^"]*)"', verified))
    return found


def entries():
    """The same of the manual page."""
    page = meta.text("man/gmem_model.7")
    items = re.search(r"^\.Ss Profiles$.*?^\.Bl(.*?)^\.El$", page,
                      re.S | re.M)[1]
    found = {}
    for name, text in re.findall(r"^\.It Cm (\S+)$(.*?)(?=^\.It|\Z)", items,
                                 re.S | re.M):
        held = re.search(r"^Verified against (.*?)\.$", text, re.S | re.M)
        found[name] = held and " ".join(held[1].split())
    return found


def every_profile_is_in_gmem_model_7():
    return meta.differ("gmem_model.7", entries(), "model/profile.c", table())


def verified_kernels_are_those_of_gmem_model_7():
    for name, verified in table().items():
        said = entries().get(name)
        if said != verified:
            yield (f"{name} was verified against {verified}, and gmem_model.7 "
                   f"says {said}")


def nothing_is_verified_without_a_kernel():
    tested = re.search(r"GMEM_VM_KERNELS\n(.*?)CACHE",
                       meta.text("tests/vm/CMakeLists.txt"), re.S)[1].split()
    for name, verified in table().items():
        if (verified and not re.fullmatch(r"\d+\.\d+", name)
                and verified.split(",")[0] not in tested):
            yield f"{name}: there is no such kernel to verify it against"


def every_profile_is_run_by_conform():
    run = re.search(r"foreach\(profile ([^)]*)\)\n  conform_test\(\$",
                    meta.text("tests/conform/CMakeLists.txt"))[1].split()
    return meta.differ("tests/conform/CMakeLists.txt", run,
                       "model/profile.c", table())


def the_newest_release_is_in_the_table():
    newest = re.search(r'define GMEM_MODEL_NEWEST "([^"]+)"',
                       meta.text("include/gmem_model.h"))[1]
    if newest not in table():
        yield f"GMEM_MODEL_NEWEST is {newest}, which is no profile"


meta.run(every_profile_is_in_gmem_model_7,
         verified_kernels_are_those_of_gmem_model_7,
         nothing_is_verified_without_a_kernel,
         every_profile_is_run_by_conform, the_newest_release_is_in_the_table)
