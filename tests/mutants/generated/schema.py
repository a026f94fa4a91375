# SPDX-License-Identifier: MIT
"""Writes a C file that holds all its mutants: each asks MUTANT(number) at run
time whether it is the one that is on."""
import os
import re

# From the outside to the inside, where two change the same text.
ORDER = ("statement", "negate", "operand", "flag", "mask", "compare", "reason",
         "errno", "constant")
STATEMENT = ("drop", "swap", "lock")


class Writer:
    def __init__(self, source, mutants):
        self.source = source
        self.edits = []  # (start, end, kind, what)
        statements = {}
        for mutant in mutants:
            if mutant.operator in STATEMENT:
                for part in mutant.parts or [(mutant.start, mutant.end)]:
                    statements.setdefault(part, []).append(mutant)
            else:
                self.edits.append((mutant.start, mutant.end, mutant.operator,
                                   mutant))
        for (start, end), which in statements.items():
            self.edits.append((start, end, "statement", which))
        self.edits.sort(key=lambda e: (e[0], -e[1], ORDER.index(e[2])))

    def render(self, start, end, after=-1):
        """The text [start, end) with those edits that come after @after."""
        out, at = [], start
        for index in range(after + 1, len(self.edits)):
            first, last, kind, what = self.edits[index]
            if first >= end:
                break
            if first < at or last > end:
                continue
            out.append(self.source.text(at, first))
            out.append(getattr(self, kind)(index, first, last, what))
            at = last
        out.append(self.source.text(at, end))
        return "".join(out)

    def copy(self, start, end, index):
        """Once more, on the line where we are."""
        return self.render(start, end, index).replace("\n", " ")

    def statement(self, index, start, end, mutants):
        before, unless = "", []
        for mutant in mutants:
            unless.append(f"!MUTANT({mutant.number})")
            if mutant.operator == "swap" and (start, end) == mutant.parts[0]:
                # the second one comes before this one
                unless.pop()
                second = mutant.parts[1]
                at = next(i for i, e in enumerate(self.edits)
                          if e[:3] == (*second, "statement"))
                before += (f"if (MUTANT({mutant.number})) "
                           f"{{ {self.copy(*second, at)} }} ")
        body = self.render(start, end, index)
        if unless:
            body = f"if ({' && '.join(unless)}) {{ {body} }}"
        return f"{{ {before}{body} }}"

    def negate(self, index, start, end, mutant):
        return (f"(MUTANT({mutant.number}) == "
                f"!({self.render(start, end, index)}))")

    # MUTANT() is asked last, where it can be: who does not get there cannot
    # tell the mutant from the original.

    def operand(self, index, start, end, mutant):
        text = self.render(start, end, index)
        if mutant.new == "&&":
            return f"(({text}) || MUTANT({mutant.number}))"
        return f"(({text}) && !MUTANT({mutant.number}))"

    def flag(self, index, start, end, mutant):
        return (f"(MUTANT({mutant.number}) ? 0 : "
                f"({self.render(start, end, index)}))")

    def mask(self, index, start, end, mutant):
        left = self.copy(*mutant.parts[0], index)
        return (f"(MUTANT({mutant.number}) ? ({left}) : "
                f"({self.render(start, end, index)}))")

    def compare(self, index, start, end, mutant):
        asked = f"MUTANT({mutant.number})"
        left, right = (self.copy(*part, index) for part in mutant.parts)
        text = self.render(start, end, index)
        if mutant.new in ("==", "!="):
            return f"({asked} != ({text}))"
        if mutant.pure:
            return f"((({left}) == ({right}) && {asked}) != ({text}))"
        return f"({asked} ? ({left}) {mutant.new} ({right}) : ({text}))"

    def reason(self, index, start, end, mutant):
        return f"({self.source.text(start, end)} + MUTANT({mutant.number}))"

    def errno(self, index, start, end, mutant):
        return (f"(MUTANT({mutant.number}) ? {mutant.new} : "
                f"{self.source.text(start, end)})")

    constant = errno


def schema(root, file, source, mutants):
    """The text of @file with all of @mutants."""
    header = os.path.relpath(root / "tests/mutants/generated/mutant.h",
                             (root / file).parent)
    name = re.sub(r"\W", "_", file)
    return ("#undef MUTANT_FILE\n#undef MUTANT_COUNT\n#undef MUTANT_NAME\n"
            f'#define MUTANT_FILE "{file}"\n'
            f"#define MUTANT_NAME(word) mutant_{name}_##word\n"
            f"#define MUTANT_COUNT {max(len(mutants), 1)}\n"
            f'#include "{header}"\n#line 1\n'
            + Writer(source, mutants).render(0, len(source.bytes)))
