# SPDX-License-Identifier: MIT
"""Words that no text of ours uses, since a reader has to guess their meaning
here, and what to write instead: CONTRIBUTING.md, "Words"."""
import re

import meta

# Whole folders.
WHERE = ("docs examples include man scripts .ci tests/bench tests/consumer "
         "tests/fuzz tests/live tests/random tests/vm lib cli model conform "
         "tests/unit tests/fault tests/cli tests/mutants tests/scripts").split()
TEXTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/coverage.txt"]
SKIPPED = ("tests/fuzz/corpus/", "tests/mutants/generated/survivors.txt")

END = r"(?=[.,;:)]|$| (?:and|are|at|by|for|from|in|is|or|that|to|which)\b)"

# (pattern, what to write instead, a text that has it)
WORDS = [
    (r"can not\b", "cannot", "it can not fail"),
    (r"h(?:e|o)ld(?:s|ing)? (?:[\w-]+ ){0,4}against\b",
     "verify against, compare with", "held against those kernels"),
    (r"(?:tell|tells|telling|told) (?:[\w-]+ )?of\b",
     "report, notify of, note", "it tells of each slot"),
    (r"(?:is|are|was|were|be|been) told\b", "notify, get, know",
     "nobody is told"),
    (r"hand(?:s|ed|ing)? (?:it|its|a|an|the|them|over|on|out)\b",
     "pass, send, forward, return", "it hands the file to a child"),
    (r"of (?:no |any |some )?use\b", "usable, works, needed", "is of no use"),
    (r"the say of\b", "as ... reports", "on the say of the sender"),
    (r"(?:what is|it is|is it) so\b", "true, the state", "what is so"),
    (r"settl(?:e|es|ed|ing)\b", "decide, find out, final",
     "settled by the first"),
    (r"kit\b", "name the thing", "the kit of a case"),
    (r"@leaf\b", "command", "the options of @leaf"),
    (r"in (?:the|its|their) place\b(?! in\b)", "instead of",
     "the model in the place of the kernel"),
    (r"for ever\b", "forever, always", "stays for ever"),
    (r"anew\b", "again, from the start", "filled anew"),
    (r"save (?:that|for)\b", "except", "alike, save that one is first"),
    (r"but for the\b", "except", "all but for the first"),
    (r"unasked\b", "by default", "what it takes unasked"),
    (r"whomever\b", "whoever allocated it", "by whomever"),
    (r"mend(?:s|ed|ing)?\b", "fix", "a bug is mended"),
    (r"all the same\b", "nevertheless, still", "deleted all the same"),
    (r"(?:has|have|had) not (?:a|an|any|the|what)\b", "lacks, does not have",
     "a kernel that has not the call"),
    (r"of (?:the|a|this) (?:caller|kernel|library|model|program|VMM)'s" + END,
     "of the caller", "memory of the caller's."),
    (r"(?:take|takes|took|taking) (?:[\w-]+ ){0,4}down\b|taken down\b",
     "destroy, close", "takes the VM down"),
    (r"sees? to it\b", "makes", "sees to it that both agree"),
    (r"(?:go|goes|went|going) on\b(?! \d)", "continue, keep",
     "the call goes on"),
    (r"(?:can|cannot|could|may) (?:not )?be had\b", "is available, get",
     "no kernel can be had"),
    (r"the likes of\b", "such as", "the likes of these"),
    (r"would not delete\b", "refuses to delete", "that it would not delete"),
    (r"as ever\b", "still, as before", "the file's, as ever"),
    (r"comes? of (?:it|that)\b", "the result", "what comes of it"),
]
# Where a line ends there are several spaces.
FOUND = [(re.compile(r"(?<![\w-])(?:" + pattern.replace(" ", " +") + ")", re.I),
          instead, example)
         for pattern, instead, example in WORDS]
# A literal, with what the compiler joins to it: "would not " "delete it".
C_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|'
                    r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*', re.S)


def texts():
    """Yields path, number of the first line, and a text that people read: of C
    each comment and literal, else the whole file."""
    found = set(meta.files(*TEXTS, *(f"{where}/**/*" for where in WHERE)))
    for path in sorted(found):
        if not (meta.SOURCE / path).is_file() or \
                str(path).startswith(SKIPPED):
            continue
        text = meta.text(path)
        if path.suffix not in (".c", ".h"):
            yield path, 1, text
            continue
        for part in C_TEXT.finditer(text):
            yield path, 1 + text.count("\n", 0, part.start()), part[0]


def plain(text):
    """@text with a space for each line break, the start of a comment's line, an
    mdoc macro and the seam of two literals; as long as before."""
    seam = re.compile(r'"\s*"|'
                      r'\n(?:[ \t]*(?:\*|#|//)(?![/!])|\.[A-Z][a-z]\b)?[ \t]*')
    return seam.sub(lambda m: " " * len(m[0]), text)


def each_pattern_finds_its_example():
    for pattern, _, example in FOUND:
        first, _, rest = example.partition(" ")
        for seam in (" ", "\n", "\n\t * ", ' "\n\t\t"'):
            if not pattern.search(plain(first + seam + rest)):
                yield f"{pattern.pattern} does not find '{first}{seam}{rest}'"


def no_text_has_one_of_these_words():
    for path, first, text in texts():
        flat = plain(text)
        for pattern, instead, _ in FOUND:
            for m in pattern.finditer(flat):
                line = first + text.count("\n", 0, m.start())
                said = " ".join(m[0].split())
                yield f"{path}:{line}: '{said}': write '{instead}'"


meta.run(each_pattern_finds_its_example, no_text_has_one_of_these_words)
