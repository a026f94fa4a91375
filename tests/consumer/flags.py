# SPDX-License-Identifier: MIT
"""flags.py HEADER...: prints Rust that compiles only if each constant of the
headers has the width of its macro, and the type of the members it is for."""
import re
import sys

header = "".join(open(path, encoding="utf-8").read() for path in sys.argv[1:])
wide = re.findall(r"^#define (GMEM_\w+) (?:GMEM_BIT\(|UINT64_C\(|.*\dU?LL)",
                  header, re.M)
narrow = re.findall(r"^#define (GMEM_\w+) \(?\d+U?(?: << \d+\))?(?:$|\s*/\*)",
                    header, re.M)
for width, names in ((64, wide), (32, narrow)):
    for name in names:
        print(f"const _: u{width} = {name};")

enums = {enum: [f"{enum}_{name}" for name in re.findall(r"^\t(\w+)", body, re.M)]
         for enum, body in re.findall(r"^enum (\w+) \{\n(.*?)^\}", header,
                                      re.M | re.S)}
checked = 0
for struct, body in re.findall(r"^struct (\w+) \{\n(.*?)^\}", header,
                               re.M | re.S):
    for star, member, comment in re.findall(r"(\*?)(\w+);\s*/\*(.*?)\*/", body):
        names, rust = [], {"type": "type_"}.get(member, member)
        for prefix in re.findall(r"(GMEM_\w+_)\*", comment):
            names += [n for n in wide + narrow if n.startswith(prefix)]
        for enum in re.findall(r"enum (\w+)", comment):
            names += enums[enum]
        for name in names:
            print(f"const _: fn(&mut {struct}) = "
                  f"|s| unsafe {{ {star}s.{rust} = {name} }};")
        checked += len(names)
if not (wide and narrow and checked > len(wide)):
    sys.exit(f"{len(wide)} wide, {len(narrow)} narrow, {checked} in members?")
