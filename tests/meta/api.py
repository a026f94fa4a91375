# SPDX-License-Identifier: MIT
"""One list of calls: map = exports = prototypes = manual pages."""
import re

import meta


def map_nodes():
    """(version, names) of each node of the map, in order."""
    script = meta.text("lib/libgmem.map")
    return [(m[1], re.findall(r"\bgmem_\w+(?=;)", m[2])) for m in
            re.finditer(r"^LIBGMEM_(\S+) \{(.*?)^\}", script, re.M | re.S)]


def exported():
    """Names with their nodes, as the linker sees the shared library."""
    lines = meta.output("nm", "-D", "--defined-only", meta.SHARED)
    return {tuple(line.split()[-1].split("@@")) for line in lines.splitlines()
            if " A " not in line}


def map_is_what_is_exported():
    want = {(name, f"LIBGMEM_{version}") for version, names in map_nodes()
            for name in names}
    return meta.differ("the map", want, "libgmem.so", exported())


def exports_are_the_header_s_prototypes():
    return meta.differ("libgmem.so", {name for name, _ in exported()},
                       "include/*.h", meta.api())


def static_library_defines_the_same_names():
    lines = meta.output("nm", "--extern-only", "--defined-only", meta.STATIC)
    names = [line.split()[-1] for line in lines.splitlines() if " T " in line]
    others = [line for line in lines.splitlines()
              if re.search(r" [A-SU-Z] ", line)]
    yield from meta.differ("libgmem.a", names, "include/*.h", meta.api())
    yield from (f"libgmem.a also defines {line.split()[-1]}"
                for line in others)


def newest_node_is_not_newer_than_the_version():
    project = re.search(r"VERSION (\d+)\.(\d+)", meta.text("CMakeLists.txt"))
    version = tuple(int(part) for part in project.groups())
    for node, _ in map_nodes():
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


meta.run(map_is_what_is_exported, exports_are_the_header_s_prototypes,
         static_library_defines_the_same_names,
         newest_node_is_not_newer_than_the_version,
         every_call_has_a_page_of_section_3,
         every_name_of_section_3_is_in_the_header,
         every_page_shows_the_prototypes_of_its_calls)
