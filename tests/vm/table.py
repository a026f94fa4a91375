#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints docs/kernels.md from what tests/vm/suite printed.

table.py DIR KERNEL...: DIR has a file KERNEL.log for each, and KERNEL.status
with the exit status of the suite.
"""
import collections
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import summary  # pylint: disable=wrong-import-position

HEAD = """# Kernels

Made by `scripts/matrix`. Each cell was measured inside the kernel of its row,
by software emulation on two NUMA nodes, never concluded from a version number:
`tests/vm/facts.c` measures without the library, and fails where a kernel is
not as expected. The kernels are Debian's, except that `-private` are built
here with `CONFIG_KVM_SW_PROTECTED_VM`; `-16k` has pages of 16 KiB; `-inplace`
has the conversion in place that is expected in 7.4.
"""

GLANCE = """
*guest_memfd in VMs*: which of the types default and sw-protected have it;
before 6.18, VMs of the default type have none. *private memory*: VMs of type
sw-protected, which need no special hardware and which distributions leave out;
SEV-SNP and TDX were not tried. *converts*: by which call such a VM makes memory
private or shared, by guest address or in place, which is in a file. *guest
RAM*: what a vCPU runs from when something else is at `userspace_addr`. *NUMA
policy*: whether a page is allocated on the node that `mbind` names.
*residency*: whether `cachestat` counts exactly the pages that are allocated.
*tests*: passed / failed / skipped.
"""

ANSWERS = """
## What KVM answers

`KVM_CHECK_EXTENSION` on `/dev/kvm` / on a default VM / on a sw-protected VM;
`-` where there is no such VM.
"""

FILES = """
## What the files do

*create* and *bind*: the flags that a VM takes (1 is `MMAP`, 2 is
`INIT_SHARED`, 3 both), on a default VM / on a sw-protected VM, or the errno
of the last try. *twice*: binding a range that is bound. *overflow*: binding
at an offset at which offset + size overflows; it must not be accepted, so
libgmem does not leave it to the kernel. *shared side*: where the host sees
memory that such a VM shares. *link*: where `/proc/PID/fd/N` points.
*magic*: what `fstatfs` gives as the type.
"""

RESULTS = """
## Tests

All that `tests/vm/inside` runs: the live tests, those of `tests/vm`, `gmemctl
conform`, the random calls, examples and gmemctl. A skipped test needs something
that the kernel lacks by the tables above; `tests/vm/suite` has the list of
tests that must not be skipped. What no configuration of that kernel can run is
not counted.
"""


def shared(*facts):
    """Joins the facts of a default and of a sw-protected VM."""
    return lambda got: " / ".join(got.get(fact, "?") for fact in facts)


def plain(fact):
    return lambda got: got.get(fact, "?")


def release(got):
    """Without what somebody called a kernel that no archive has."""
    version = got["release"]
    debian = "+deb" in version or version.endswith("-private")
    return version if debian else version.split("-")[0]


def code(fact):
    return lambda got: f"`{got[fact]}`" if got[fact] != "-" else "-"


def bindable(got):
    """Which VMs take guest memory from a file."""
    by_type = {"default": got["bind"], "sw-protected": got["bind-private"]}
    return " and ".join(name for name, flags in by_type.items()
                        if flags[0].isdigit()) or "no"


def private(got):
    return "no" if got["bind-private"] == "-" else "yes"


def tests(got):
    return f"{got['passed']} / {got['failed']} / {got['skipped']}"


GLANCE_COLUMNS = [
    ("Linux", release),
    ("page", plain("page")),
    ("guest_memfd in VMs", bindable),
    ("private memory", private),
    ("converts", plain("converts")),
    ("guest RAM", plain("guest-ram")),
    ("NUMA policy", plain("policy")),
    ("residency", plain("residency")),
    ("tests", tests),
]


ANSWER_COLUMNS = [
    ("VM types (235)", plain("vm-types")),
    ("user memory 2 (231)", plain("user-memory2")),
    ("fault info (232)", plain("memory-fault-info")),
    ("attributes (233)", plain("memory-attributes")),
    ("guest_memfd (234)", plain("guest-memfd")),
    ("pre-fault (236)", plain("pre-fault")),
    ("flags (244)", plain("guest-memfd-flags")),
    ("unknown ioctl", plain("unknown-ioctl")),
]

FILE_COLUMNS = [
    ("create", shared("create", "create-private")),
    ("bind", shared("bind", "bind-private")),
    ("twice", plain("bound-twice")),
    ("overflow", plain("offset-overflow")),
    ("shared side", plain("shared-side")),
    ("link", code("link")),
    ("magic", plain("magic")),
]

RESULT_COLUMNS = [
    ("skipped for want of", plain("lack")),
]


def count(lines):
    """Counts the cases, and what those that were skipped lack."""
    found = list(summary.cases("\n".join(lines)))
    result = collections.Counter(result for _, result, _ in found)
    lack = collections.Counter(reason.split(":")[0] for _, result, reason
                               in found if result == "skipped")
    return {
        "passed": str(result["passed"]),
        "failed": str(result["failed"]),
        "skipped": str(result["skipped"]),
        "lack": ", ".join(f"{name} {n}" for name, n in lack.most_common()),
    }


def read(directory, kernel):
    log = (directory / f"{kernel}.log").read_text(errors="replace")
    status = (directory / f"{kernel}.status").read_text().strip()
    lines = log.splitlines()
    # the first of each: the suite may have booted the kernel once more
    facts = dict(line.split(" ", 2)[1:] for line in reversed(lines)
                 if re.match(r"fact \S+ \S", line))
    facts.update(count(lines))
    if not facts.get("release"):
        return {"why": lines[-1] if lines else "no output"}
    if status != "0" and facts["failed"] == "0":
        facts["failed"] = f"ended with {status}"
    return facts


def table(columns, rows):
    print()
    print("| kernel |", " | ".join(name for name, _ in columns), "|")
    print("|---" * (len(columns) + 1) + "|")
    for kernel, facts in rows:
        cells = [cell(facts) for _, cell in columns]
        print(f"| {kernel} |", " | ".join(cells), "|")


def main():
    directory = pathlib.Path(sys.argv[1])
    found = [(kernel, read(directory, kernel)) for kernel in sys.argv[2:]]
    rows = [(kernel, facts) for kernel, facts in found if "why" not in facts]
    print(HEAD, end="")
    for kernel, facts in found:
        if "why" in facts:
            print(f"\nNot measured: {kernel}: {facts['why']}")
    print(GLANCE, end="")
    table(GLANCE_COLUMNS, rows)
    print(ANSWERS, end="")
    table(ANSWER_COLUMNS, rows)
    print(FILES, end="")
    table(FILE_COLUMNS, rows)
    print(RESULTS, end="")
    table(RESULT_COLUMNS, rows)


main()
