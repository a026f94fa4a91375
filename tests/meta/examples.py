# SPDX-License-Identifier: MIT
"""The programs that the manual shows."""
import pathlib
import re
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


meta.run(examples_compile, every_page_of_section_3_has_an_example)
