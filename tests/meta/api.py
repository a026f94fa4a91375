# SPDX-License-Identifier: MIT
"""One list of calls: map = exports = prototypes = manual pages."""
import re

import meta


# Not for users: the seam between the library and its model.
PRIVATE = "PRIVATE"


def map_nodes():
    """{version: names} of each node of the map."""
    script = meta.text("lib/libgmem.map")
    return {m[1]: set(re.findall(r"\bgmem_\w+(?=;)", m[2])) for m in
            re.finditer(r"^LIBGMEM_(\S+) \{(.*?)^\}", script, re.M | re.S)}


def seam():
    return map_nodes().get(PRIVATE, set())


def exported():
    """Names with their nodes, as the linker sees the shared library."""
    lines = meta.output("nm", "-D", "--defined-only", meta.SHARED)
    return {tuple(line.split()[-1].split("@@")) for line in lines.splitlines()
            if " A " not in line}


def map_is_what_is_exported():
    want = {(name, f"LIBGMEM_{version}") for version, names in
            map_nodes().items() for name in names}
    return meta.differ("the map", want, "libgmem.so", exported())


def exports_are_the_prototypes_of_the_headers():
    names = {name for name, _ in exported()} - seam()
    return meta.differ("libgmem.so", names, "include/*.h", meta.api())


def only_the_seam_has_inner_names():
    for version, names in map_nodes().items():
        for name in sorted(names):
            if name.startswith("gmem__") != (version == PRIVATE):
                yield f"{name} in LIBGMEM_{version}"


def static_library_defines_the_same_names():
    lines = meta.output("nm", "--extern-only", "--defined-only", meta.STATIC)
    names = {line.split()[2] for line in lines.splitlines()
             if re.match(r"[0-9a-f]+ \w ", line)}
    return meta.differ("libgmem.a", names, "libgmem.so",
                       {name for name, _ in exported()})


def newest_node_is_not_newer_than_the_version():
    project = re.search(r"VERSION (\d+)\.(\d+)", meta.text("CMakeLists.txt"))
    version = tuple(int(part) for part in project.groups())
    for node in set(map_nodes()) - {PRIVATE}:
        if tuple(int(part) for part in node.split(".")) > version:
            yield f"LIBGMEM_{node} is newer than {project[1]}.{project[2]}"


def pages():
    """{name: page} of every .Nm in the NAME section of section 3."""
    found = {}
    for path in meta.files("man/*.3"):
        names = meta.section(meta.text(path), "NAME")
        for name in re.findall(r"^\.Nm (\S+)", names, re.M):
            found[name] = path
    return found


def every_call_has_a_page_of_section_3():
    return (f"{name} has no page"
            for name in sorted(set(meta.api()) - set(pages())))


def every_name_of_section_3_is_in_the_header():
    header = "".join(meta.text(path) for path in meta.files("include/*.h"))
    for name, path in pages().items():
        if not re.search(rf"\b{name}\b", header):
            yield f"{path} documents {name}, which no header has"


def every_page_shows_the_prototypes_of_its_calls():
    calls = set(meta.api())
    for name, path in pages().items():
        synopsis = meta.section(meta.text(path), "SYNOPSIS")
        if name in calls and not re.search(rf"^\.F[no] {name}\b", synopsis,
                                           re.M):
            yield f"{path} has no synopsis of {name}"


meta.run(map_is_what_is_exported, exports_are_the_prototypes_of_the_headers,
         only_the_seam_has_inner_names,
         static_library_defines_the_same_names,
         newest_node_is_not_newer_than_the_version,
         every_call_has_a_page_of_section_3,
         every_name_of_section_3_is_in_the_header,
         every_page_shows_the_prototypes_of_its_calls)
