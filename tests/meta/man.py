# SPDX-License-Identifier: MIT
"""The manual: clean, and true where a machine can tell."""
import os
import re

import meta


def pages_are_clean():
    return filter(None, [meta.complaint(
        "mandoc", "-T", "lint", "-W", "warning", *meta.files("man/*.[137]"),
        cwd=meta.SOURCE)])


def tables_fit_a_terminal():
    """A cell that is wider than its column moves the rest of the row."""
    for path in meta.files("man/*.[137]"):
        yield from meta.output(
            "sh", "-c", 'exec groff -ww -mandoc -Tutf8 -rLL=78n -z "$1" 2>&1',
            "sh", meta.SOURCE / path).splitlines()


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


meta.run(pages_are_clean, tables_fit_a_terminal, references_lead_somewhere,
         kernel_calls_are_those_of_gmem_syscall_info)
