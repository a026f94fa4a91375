# SPDX-License-Identifier: MIT
"""The programs that the manual shows: they compile, and run on every VM."""
import itertools
import os
import pathlib
import re
import subprocess
import tempfile

import meta


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


def compiled(scratch, source, *more):
    """What the compiler says; the program is in @scratch."""
    model = [meta.MODEL] if "gmem_model.h" in source + str(more) else []
    return meta.complaint(
        meta.CC, "-std=c11", *more, "-x", "c", *meta.CFLAGS, "-", "-x",
        "none", *model, meta.SHARED, "-o", pathlib.Path(scratch, "program"),
        input=source)


def examples_compile():
    with tempfile.TemporaryDirectory() as scratch:
        for path, number, source in programs():
            said = compiled(scratch, source)
            if said:
                yield f"{path}, example {number}: {said}"


# How a kernel makes memory private: not at all, by guest address, in place.
PROFILES = ["6.12", "7.3", "inplace"]
TYPES = ["default", "sw-protected", "sev", "sev-es", "snp", "tdx"]
# A program's own calls, which tests/meta/example.c makes of the model.
REPLACED = ["gmem_vm_open", "gmem_create", "gmem_bind", "ioctl"]


def ends(command, profile, vm_type):
    """What is wrong with how the program ends, or None."""
    done = subprocess.run(
        command, text=True, check=False,
        timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "GMEM_EXAMPLE_PROFILE": profile,
             "GMEM_EXAMPLE_TYPE": vm_type,
             "LD_LIBRARY_PATH": f"{meta.SHARED.parent}:{meta.MODEL.parent}"})
    refused = {1: r"\[[a-z-]+\]; .", 2: "usage: |run me "}.get(done.returncode)
    if done.returncode == 0 or refused and re.search(refused, done.stdout):
        return None
    return f"ends with {done.returncode}: {done.stdout.strip()}"


def examples_run_on_every_vm():
    here = pathlib.Path(__file__).parent
    replace = [f"-D{name}=example_{name.removeprefix('gmem_')}"
               for name in REPLACED]
    with tempfile.TemporaryDirectory() as scratch:
        own = pathlib.Path(scratch, "example.o")
        yield from filter(None, [meta.complaint(
            meta.CC, "-std=c11", *meta.CFLAGS, "-c", here / "example.c", "-o",
            own)])
        for path, number, source in programs():
            # Those open VMs of the model themselves, and an adopter needs KVM.
            if "gmem_model.h" in source or "GMEM_DEVICE" in source:
                continue
            said = compiled(scratch, source, *replace, own, meta.MODEL)
            if said:
                yield f"{path}, example {number}, replaced: {said}"
                continue
            command = [pathlib.Path(scratch, "program")]
            if "IMAGE" in source:
                command.append(__file__)
            for profile, vm_type in itertools.product(PROFILES, TYPES):
                said = ends(command, profile, vm_type)
                if said:
                    yield (f"{path}, example {number}, {vm_type} on "
                           f"{profile} {said}")


def every_page_of_section_3_has_an_example():
    shown = {path for path, _, _ in programs()}
    return (f"{path} has no example" for path in meta.files("man/*.3")
            if path not in shown)


meta.run(examples_compile, examples_run_on_every_vm,
         every_page_of_section_3_has_an_example)
