# SPDX-License-Identifier: MIT
"""The kernel's interface is written twice: for the library and for conform."""
import re

import meta

LIBRARY = ["lib/uapi.h", "lib/uapi_proposed.h"]
CONFORM = ["conform/uapi.h"]


def definitions(paths, prefix):
    """{name: value} of the macros, {struct: members}, without @prefix."""
    code = "".join(meta.text(path) for path in paths)
    code = re.sub(r"/\*.*?\*/", "", code.replace("\\\n", ""), flags=re.S)
    code = re.sub(rf"\b{prefix}", "", code, flags=re.I)
    macros = re.findall(r"^#define (\w+(?:\([^)]*\))?) +(.+)$", code, re.M)
    structs = re.findall(r"^struct (\w+) \{(.*?)^\};", code, re.M | re.S)
    return {name: " ".join(text.split()) for name, text in macros + structs}


def conform_says_what_the_library_says():
    library = definitions(LIBRARY, "GMEM__")
    conform = definitions(CONFORM, "UAPI_")
    if len(conform) < 30:
        yield f"{len(conform)} definitions are not all of {CONFORM[0]}"
    for name, text in conform.items():
        if library.get(name) != text:
            yield f"{name} is {text}, and in lib/ {library.get(name)}"


meta.run(conform_says_what_the_library_says)
