# SPDX-License-Identifier: MIT
"""The manual: clean, and true where a machine can tell."""
import os
import pathlib
import re
import tempfile

import meta


def pages_are_clean():
    for path in meta.files("man/*.[137]"):
        yield from filter(None, [meta.complaint(
            "mandoc", "-T", "lint", "-W", "warning", path, cwd=meta.SOURCE)])


def references_lead_somewhere():
    names = set()
    for path in meta.files("man/*.[137]"):
        for name in re.findall(r"^\.Nm (\S+)",
                               meta.section(meta.text(path), "NAME"), re.M):
            names.add((name, path.suffix[1:]))
    for path in meta.files("man/*.[137]"):
        for name, number in re.findall(r"\bXr (gmem\S*) (\d)",
                                       meta.text(path)):
            if (name, number) not in names:
                yield f"{path} refers to {name}({number}), which is no page"


def programs():
    """(path, number, source) of each literal block of an EXAMPLES section;
    a page of section 3 or 7 shows complete programs there."""
    for path in meta.files("man/*.[37]"):
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed",
                            meta.section(meta.text(path), "EXAMPLES"),
                            re.M | re.S)
        for number, block in enumerate(blocks, 1):
            block = re.sub(r"^\\&", "", block, flags=re.M)
            yield path, number, re.sub(r"\\(.)", lambda m: {
                "e": "\\", "-": "-"}[m[1]], block)


def examples_compile():
    with tempfile.TemporaryDirectory() as scratch:
        for path, number, source in programs():
            model = [meta.MODEL] if "gmem_model.h" in source else []
            said = meta.complaint(
                meta.CC, "-std=c11", "-x", "c", *meta.CFLAGS, "-", "-x",
                "none", *model, meta.SHARED, "-o",
                pathlib.Path(scratch, "program"), input=source)
            if said:
                yield f"{path}, example {number}: {said}"


def every_page_of_section_3_has_an_example():
    shown = {path for path, _, _ in programs()}
    return (f"{path} has no example" for path in meta.files("man/*.3")
            if path not in shown)


def library_s_calls():
    """{call: set of system calls} of gmem_syscall_info()."""
    found = {}
    for line in meta.output(os.environ["GMEM_SYSCALLS"]).splitlines():
        callers, call = line.split(": ")
        for caller in callers.split():
            found.setdefault(caller, set()).add(call)
    return found


def manual_s_calls():
    """The same of the KERNEL CALLS sections: a system call a line under the
    calls that make it, or "none"."""
    found = {}
    for path in meta.files("man/*.3"):
        calls = meta.section(meta.text(path), "KERNEL CALLS")
        for entry in calls.split("\n.It ")[1:]:
            head, *body = entry.split("\n")
            made = [line for line in body if line and line[0] != "."]
            for caller in re.findall(r"Fn (\w+)", head):
                found[caller] = set() if made == ["none"] else set(made or [
                    "(nothing said)"])
    return found


def kernel_calls_are_those_of_gmem_syscall_info():
    library, manual = library_s_calls(), manual_s_calls()
    for caller in meta.api(model=False):
        if caller not in manual:
            yield f"{caller} is in no KERNEL CALLS section"
            continue
        yield from (f"{caller}: {line}" for line in meta.differ(
            "KERNEL CALLS", manual[caller],
            "gmem_syscall_info()", library.get(caller, set())))


meta.run(pages_are_clean, references_lead_somewhere, examples_compile,
         every_page_of_section_3_has_an_example,
         kernel_calls_are_those_of_gmem_syscall_info)
