# SPDX-License-Identifier: MIT
"""One list of calls: map = exports = prototypes = manual pages."""
import re

import meta


# Not for users: the seam between the library and its model.
PRIVATE = "LIBGMEM_PRIVATE"

# Both libraries: map, shared, static, prototypes.
LIBRARIES = [
    ("lib/libgmem.map", meta.SHARED, meta.STATIC, meta.api(model=False)),
    ("model/libgmem-model.map", meta.MODEL, meta.MODEL_STATIC,
     meta.api(model=True)),
]


def map_nodes(path):
    """{node: names} of a map."""
    return {m[1]: set(re.findall(r"\bgmem_\w+(?=;)", m[2])) for m in
            re.finditer(r"^(LIBGMEM_\S+) \{(.*?)^\}", meta.text(path),
                        re.M | re.S)}


def exported(shared):
    """Names with their nodes, as the linker sees the shared library."""
    lines = meta.output("nm", "-D", "--defined-only", shared)
    return {tuple(line.split()[-1].split("@@")) for line in lines.splitlines()
            if " A " not in line}


def map_is_what_is_exported():
    for path, shared, _, _ in LIBRARIES:
        want = {(name, node) for node, names in map_nodes(path).items()
                for name in names}
        yield from meta.differ(path, want, shared.name, exported(shared))


def exports_are_the_prototypes_of_the_headers():
    for _, shared, _, prototypes in LIBRARIES:
        names = {name for name, node in exported(shared) if node != PRIVATE}
        yield from meta.differ(shared.name, names, "include/*.h", prototypes)


def only_the_seam_has_inner_names():
    for path, _, _, _ in LIBRARIES:
        for node, names in map_nodes(path).items():
            for name in sorted(names):
                if name.startswith("gmem__") != (node == PRIVATE):
                    yield f"{name} in {node}"


def static_library_defines_the_same_names():
    for _, shared, static, _ in LIBRARIES:
        lines = meta.output("nm", "--extern-only", "--defined-only", static)
        names = {line.split()[2] for line in lines.splitlines()
                 if re.match(r"[0-9a-f]+ \w ", line)}
        yield from meta.differ(static.name, names, shared.name,
                               {name for name, _ in exported(shared)})


def newest_node_is_not_newer_than_the_version():
    project = re.search(r"VERSION (\d+)\.(\d+)", meta.text("CMakeLists.txt"))
    version = tuple(int(part) for part in project.groups())
    for path, _, _, _ in LIBRARIES:
        for node in set(map_nodes(path)) - {PRIVATE}:
            number = node.split("_")[-1]
            if tuple(int(part) for part in number.split(".")) > version:
                yield f"{node} is newer than {project[1]}.{project[2]}"


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
