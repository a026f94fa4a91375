# SPDX-License-Identifier: MIT
"""One list of names: every number of the headers = lib/name.c = manual, and what
gmemctl and its JSON schemas say."""
import json
import re

import meta

# Numbers whose names are elsewhere: in lib/reason.c and in lib/feature.c.
OTHERS = {"gmem_reason", "gmem_feature", "gmem_name_kind"}
NAMELESS = {"GMEM_VM_UNSET"}


def header():
    """Every enumerator and every flag of the headers that is to have a name."""
    text = "".join(meta.text(f"include/{name}.h") for name in (
        "gmem_error", "gmem", "gmem_region"))
    found = set(re.findall(
        r"^#define (GMEM_\w+)\s+"
        r"(?:\(1U << \d+\)|(?:GMEM_BIT|UINT64_C)\(\d+\)|\d+(?!\w))",
        text, re.M))
    for name, body in re.findall(r"^enum (\w+) \{(.*?)^\};", text,
                                 re.M | re.S):
        if name not in OTHERS:
            found |= set(re.findall(r"^\s*(GMEM_\w+) =", body, re.M))
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


def every_number_of_a_header_has_a_name():
    named = {constant for table in tables().values() for constant in table}
    return meta.differ("the headers", header(), "lib/name.c", named)


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


def flags_of_options():
    """(word, constant) of each option and each word of gmemctl for a flag."""
    for path in meta.files("cli/*/*.c", "cli/*/*/*.c"):
        yield from re.findall(
            r'\{ "([a-z-]+)", NULL, OPT_BITS,[^{}]*?\.bits = (GMEM_\w+)[,\s]',
            meta.text(path))


def options_are_called_as_their_flags():
    named = {constant: name for table in tables().values()
             for constant, name in table.items()}
    found = list(flags_of_options())
    if not found:
        yield "gmemctl has no option for a flag?"
    for word, constant in found:
        if named[constant] != word:
            yield f"--{word} is for {constant}, {named[constant]}"


# What JSON says: {schema: {path of an enumeration: the names that it has}}.
# Other words than names are said where the library has none.
SCHEMAS = {
    "batch": {"vm_type": ["vm_types"],
              "mode": ["slot_flags:fd,hva", "policies", "+unknown"],
              "flags/items": ["policy_flags"],
              "slots/items/mode": ["slot_flags:fd,hva,noted"],
              "runs/items/state": ["attributes"],
              "placed": ["placed"],
              "kind": ["region_kinds:inplace,dual,shared"],
              "shared_side": ["shared_sides"]},
    "map": {"state": ["attributes:private,shared"]},
    "policy": {"mode": ["policies", "+unknown"],
               "flags/items": ["policy_flags"], "placed": ["placed"]},
    "probe": {"vm_types/propertyNames": ["vm_types"],
              "missing/items/vm_type": ["vm_types"],
              "missing/items/support": ["supports:no,unknown"],
              "support": ["supports"]},
    "why": {"vm_type": ["vm_types"], "mode": ["slot_flags:fd,hva"]},
}


def enumerations(node, path=()):
    """(path of property names, words) of each "enum" in a schema."""
    if isinstance(node, list):
        for child in node:
            yield from enumerations(child, path)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "enum":
                yield "/".join(path), {w for w in child if w is not None}
            elif key in ("properties", "definitions"):
                for name, inner in child.items():
                    yield from enumerations(
                        inner, path + (name,) if key == "properties" else ())
            elif key in ("items", "propertyNames"):
                yield from enumerations(child, path + (key,))
            else:
                yield from enumerations(child, path)


def words(sources):
    """The names that a row of SCHEMAS stands for."""
    found = set()
    for source in sources:
        array, _, some = source.partition(":")
        names = set(tables().get(array, {}).values())
        if source.startswith("+"):
            found.add(source[1:])
        elif some:
            found |= names & set(some.split(","))
        else:
            found |= names
    return found


def schemas_list_the_names():
    for schema, rows in SCHEMAS.items():
        said = list(enumerations(json.loads(
            meta.text(f"tests/cli/schema/{schema}.json"))))
        for path, sources in rows.items():
            lists = [have for where, have in said if where == path]
            if not lists:
                yield f"{schema}.json has no list of {path}"
            for have in lists:
                yield from meta.differ(f"{schema}.json, {path}", have,
                                       "lib/name.c", words(sources))


# Where a fact that is in more than one place would be written as itself.
PRODUCT = ["include/*.h", "lib/*.[ch]", "model/*.[ch]", "conform/*.[ch]",
           "cli/**/*.[ch]", "examples/*.[ch]"]


def facts():
    """(text, the one file that has it) of what no other may write."""
    for array in ("vm_types", "policies"):
        for name in tables()[array].values():
            if len(name) > 3 and name not in ("default", "bind", "local"):
                yield f'"{name}"', "lib/name.c"
    yield '"/dev/kvm"', "include/gmem.h"
    for name in re.findall(r'^\t\{ "([a-z][^"]+)"',
                           meta.text("model/profile.c"), re.M):
        yield f'"{name}"', "model/profile.c"
    yield '"EROFS"', "nowhere: lib/name.c makes it of the constant"


def no_fact_is_written_a_second_time():
    code = {str(path): re.sub(r"/\*.*?\*/", "", meta.text(path), flags=re.S)
            for path in meta.files(*PRODUCT)}
    for text, place in facts():
        for path, source in code.items():
            # A program asks for a profile by its name, and a constant may
            # have the same one.
            if place == "model/profile.c" and (path.startswith("examples/") or
                                               path == "lib/name.c"):
                continue
            if text in source and path != place:
                yield f"{path} writes {text}, which is {place}'s"


meta.run(every_number_of_a_header_has_a_name, names_follow_from_the_constants,
         every_kind_is_in_the_table_and_in_gmem_name_3,
         the_first_names_are_those_of_gmem_name_3,
         options_are_called_as_their_flags, schemas_list_the_names,
         no_fact_is_written_a_second_time)
