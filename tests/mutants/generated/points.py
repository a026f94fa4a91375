# SPDX-License-Identifier: MIT
"""Finds in the syntax tree of a C file what can be mutated.

Only tokens that stand in the file itself, in the body of a function: no
header, no macro, no table outside a function.
"""
import dataclasses
import json
import re
import subprocess

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">",
               "==": "!=", "!=": "=="}
# Around an expression, without a text of their own.
TRANSPARENT = {"ImplicitCastExpr", "ConstantExpr", "FullExpr"}
# What is in there must stay a constant, or is none of the file's code.
CONSTANT = {"UnaryExprOrTypeTraitExpr", "OffsetOfExpr", "StaticAssertDecl",
            "GenericSelectionExpr", "GCCAsmStmt", "RecordDecl", "EnumDecl",
            "TypedefDecl"}
CONTROL = {"CompoundStmt", "IfStmt", "WhileStmt", "SwitchStmt", "DoStmt",
           "ForStmt"}
# Dropping one changes nothing that a program could tell.
NO_EFFECT = {"__builtin_prefetch", "__builtin_va_end",
             "pthread_mutex_destroy", "pthread_cond_destroy",
             "pthread_condattr_destroy"}
# To glibc one of zeroes is as good, without attributes.
ZEROES = {"pthread_mutex_init", "pthread_cond_init"}
# The process ends soon, which gives back what gmemctl does not.
GIVES_BACK = {"free", "json_object_put"}
# Their order matters to nobody: members of JSON objects, and an array that gets
# one of these.
MEMBER = re.compile(r"(?:json_(?:u64|boolean|text|null|object_object_add)|"
                    r"model_json|json_object_(array)_add)\(|"
                    r"(?:add_|json_|verify_)\w+\((?:o|to),")
# Evaluated twice is not evaluated once.
IMPURE = {"CallExpr", "AtomicExpr", "CompoundAssignOperator", "StmtExpr"}
LOCK = re.compile(r"(?:^|_)(?:un|rd|wr|try)?lock$")


@dataclasses.dataclass
class Mutant:
    """One change of a source: the text [start, end), made by schema.py."""
    operator: str
    start: int
    end: int
    change: str  # what it was and what it becomes
    # of some operators, in order: operands, statements as (start, end)
    parts: list = dataclasses.field(default_factory=list)
    new: str = ""
    pure: bool = True  # the operands may be evaluated twice
    file: str = ""
    number: int = 0
    line: int = 0
    key: str = ""


class Source:
    def __init__(self, text):
        self.bytes = text.encode()

    def text(self, start, end):
        return self.bytes[start:end].decode()

    def words(self, start, end):
        """On one line."""
        return " ".join(self.text(start, end).split())

    def closing(self, at):
        """Behind the bracket that closes the one at @at."""
        depth = 0
        for match in re.finditer(
                rb'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/|[()]',
                self.bytes[at:], re.S):
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
            if depth == 0 and match[0] == b")":
                return at + match.end()
        raise ValueError(f"no closing bracket after byte {at}")

    def after_semicolon(self, at):
        match = re.compile(rb"(?:\s|/\*.*?\*/)*;", re.S).match(self.bytes, at)
        return match.end() if match else None


def bare(node):
    """@node without casts that the compiler adds."""
    while node["kind"] in TRANSPARENT:
        node = node["inner"][0]
    return node


def inside(node):
    """@node without brackets and casts."""
    while node["kind"] in TRANSPARENT | {"ParenExpr", "CStyleCastExpr"}:
        node = node["inner"][-1]
    return node


def pure(node):
    return (node.get("kind") not in IMPURE and
            node.get("opcode") not in ("=", "++", "--") and
            all(map(pure, node.get("inner", []))))


def callee(node):
    """The name of what @node calls, or None."""
    if node["kind"] == "AtomicExpr":
        return "atomic"
    if node["kind"] != "CallExpr":
        return None
    called = inside(node["inner"][0])
    return called.get("referencedDecl", called).get("name", "")


class Finder:
    """Walks the tree of one function."""

    def __init__(self, source, function, tool):
        self.source = source
        self.no_effects = NO_EFFECT | (GIVES_BACK if tool else set())
        self.name = function["name"]
        self.begin = function["range"]["begin"]["offset"]
        self.found = {}  # (operator, start, end, change): Mutant
        self.contexts = []
        self.context = (0, 0)
        self.returned = set()  # numbers that are the function's result
        self.bounds = set()  # where < and <= come to the same
        self.locks = {}  # what is locked: [statement]
        for node in function.get("inner", []):
            if node["kind"] == "CompoundStmt":
                self.stop = node["range"]["end"]["offset"] + 1
                self.statement(node)
        for (what, statements) in self.locks.items():
            self.add("lock", statements[0][0], statements[0][1],
                     f"no lock of {what}", parts=statements)

    # ---------------------------------------------------------- places --

    def place(self, loc):
        """(offset, length of the token, in a macro's text), or None."""
        macro = False
        if "expansionLoc" in loc:
            if loc["expansionLoc"].get("isMacroArgExpansion"):
                loc = loc["spellingLoc"]
            else:
                loc, macro = loc["expansionLoc"], True
        if "offset" not in loc or "includedFrom" in loc:
            return None
        if not self.begin <= loc["offset"] < self.stop:
            return None
        return loc["offset"], loc["tokLen"], macro

    def extent(self, node):
        """(start, end) in the file, or None."""
        start = self.place(node["range"]["begin"])
        last = self.place(node["range"]["end"])
        if not start or not last:
            return None
        end = last[0] + last[1]
        if last[2]:
            call = re.compile(rb"\s*\(").match(self.source.bytes, end)
            if call:
                end = self.source.closing(call.end() - 1)
        return (start[0], end) if start[0] < end else None

    def add(self, operator, start, end, change, **more):
        key = (operator, start, end, change)
        if key not in self.found:
            mutant = Mutant(operator, start, end, change, **more)
            self.found[key] = mutant
            self.contexts.append((mutant, self.context))

    # ------------------------------------------------------ statements --

    def statement(self, node):
        kind = node["kind"]
        inner = [n for n in node.get("inner", []) if n.get("kind")]
        place = self.place(node["range"]["begin"])
        if place and place[2] and kind in CONTROL:
            # a macro that is a statement: what is in its brackets is ours
            self.line(node)
            whole = self.whole(node)
            if whole:
                self.add("drop", *whole, "dropped")
        elif kind == "CompoundStmt":
            for child in inner:
                self.statement(child)
            self.swaps(inner)
        elif kind == "IfStmt":
            if len(inner) == 2:
                self.bound(inner[0], inner[1])
            self.condition(inner[0])
            for child in inner[1:]:
                self.statement(child)
        elif kind in ("WhileStmt", "SwitchStmt"):
            (self.condition if kind == "WhileStmt" else self.line)(inner[0])
            self.statement(inner[1])
        elif kind == "DoStmt":
            self.statement(inner[0])
            self.condition(inner[1])
        elif kind == "ForStmt":
            first, _, condition, step, body = node["inner"]
            if first.get("kind"):
                self.line(first)
            if condition.get("kind"):
                self.condition(condition)
            if step.get("kind"):
                self.line(step)
            self.statement(body)
        elif kind in ("CaseStmt", "DefaultStmt", "LabelStmt"):
            self.statement(inner[-1])
        else:
            self.line(node)
            self.drop(node)

    def line(self, node):
        """@node is what a mutant in it is shown in."""
        self.context = self.extent(node) or self.context
        if node["kind"] == "ReturnStmt":
            self.returned |= set(map(id, results(node)))
        self.expression(node)

    def whole(self, node):
        """(start, end) of the statement @node with its semicolon."""
        extent = self.extent(node)
        end = extent and self.source.after_semicolon(extent[1])
        return (extent[0], end) if end else None

    def drop(self, node):
        whole = self.whole(node)
        act = inside(node)
        call = callee(act)
        if not whole or self.no_effect(act):
            return
        if call and LOCK.search(call) and len(act["inner"]) > 1:
            what = self.extent(act["inner"][1])
            if what:
                self.locks.setdefault(self.source.words(*what),
                                      []).append(whole)
                return
        if (call is not None or act["kind"] == "CompoundAssignOperator" or
                act.get("opcode") in ("=", "++", "--")):
            self.add("drop", *whole, "dropped")

    def no_effect(self, call):
        extent = self.extent(call)
        return callee(call) in self.no_effects or (
            callee(call) in ZEROES and extent and
            self.source.words(*extent).endswith("NULL)"))

    def swappable(self, node):
        """Whether @node is a call, and not of a lock: see "lock"."""
        act = inside(node)
        call = callee(act)
        return (call is not None and not self.no_effect(act) and
                not LOCK.search(call))

    def members(self, *statements):
        """Whether they give members to JSON objects."""
        found = [MEMBER.match(self.source.words(*s)) for s in statements]
        return all(found) and not all(m[1] for m in found)

    def swaps(self, nodes):
        for first, second in zip(nodes, nodes[1:]):
            pair = [self.whole(n) for n in (first, second)]
            if (all(pair) and pair[0][1] <= pair[1][0] and
                    self.swappable(first) and self.swappable(second) and
                    not self.members(*pair) and
                    self.source.words(*pair[0]) !=
                    self.source.words(*pair[1])):
                self.context = pair[0]
                self.add("swap", *pair[0],
                         f"after {self.source.words(*pair[1])}", parts=pair)

    def bound(self, condition, *choices):
        """Notes "if (a > b) a = b" and "a < b ? a : b"."""
        act = inside(condition)
        if act.get("opcode") not in ("<", "<=", ">", ">="):
            return
        if len(choices) == 1:
            choices = inside(choices[0])
            if choices.get("opcode") != "=":
                return
            choices = choices["inner"]
        words = [{self.source.words(*extent).strip("()")
                  for extent in map(self.extent, map(inside, nodes)) if extent}
                 for nodes in (act["inner"], choices)]
        if words[0] == words[1]:
            self.bounds.add(self.extent(act))

    # ----------------------------------------------------- expressions --

    def condition(self, node):
        self.context = self.extent(node) or self.context
        self.truth(node)
        if bare(node)["kind"] != "IntegerLiteral":
            self.expression(node)

    def truth(self, node):
        """@node decides: make it decide the other way."""
        act = inside(node)
        extent = self.extent(node)
        if (extent and act.get("opcode") not in ("==", "!=", "!") and
                act["kind"] != "IntegerLiteral"):
            self.add("negate", *extent, "negated")

    def expression(self, node):
        kind = node.get("kind")
        if not kind or kind in CONSTANT or callee(node) in NO_EFFECT:
            return
        if kind == "VarDecl" and node.get("storageClass") == "static":
            return
        if kind == "BinaryOperator":
            self.binary(node)
        elif kind == "UnaryOperator" and node["opcode"] == "!":
            extent = self.extent(node)
            if extent and self.place(node["range"]["begin"])[2] is False:
                self.add("negate", *extent, "negated")
        elif kind == "IntegerLiteral":
            self.integer(node)
        elif kind == "DeclRefExpr":
            self.name_of(node)
        elif kind == "ConditionalOperator":
            self.bound(*node["inner"])
            if self.extent(node["inner"][0]) != self.extent(node):
                self.truth(node["inner"][0])
        for child in node.get("inner", []):
            # an empty initialiser, and NULL, stay what they are
            if not child.get("kind") or not self.kept(node, child):
                self.expression(child)

    @staticmethod
    def kept(node, child):
        """Whether @child, of @node, is a number that means nothing, or that a
        mutant of @node changes in the same way."""
        literal = bare(child)
        if literal["kind"] != "IntegerLiteral":
            return False
        zero = int(literal["value"]) == 0
        if zero and (node["kind"] == "InitListExpr" or
                     child.get("castKind") == "NullToPointer"):
            return True
        # of a refusal that has no value to tell
        return zero and ("fail" in (callee(node) or "") or
                         node.get("opcode") in ("==", "!=", "<", ">="))

    def binary(self, node):
        opcode = node["opcode"]
        sides = [self.extent(n) for n in node["inner"]]
        if not all(sides):
            return
        (start, stop), (again, end) = sides
        gap = re.sub(r"/\*.*?\*/", "", self.source.text(stop, again),
                     flags=re.S)
        if stop > again or gap.strip(" \t\n()") != opcode or "(" in gap:
            return  # it stands in a macro
        if opcode in COMPARISONS and (start, end) not in self.bounds:
            new = COMPARISONS[opcode]
            self.add("compare", start, end, f"{opcode} made {new}",
                     parts=sides, new=new, pure=pure(node))
        elif opcode in ("&&", "||", "|"):
            operator = "flag" if opcode == "|" else "operand"
            for side, child in zip(sides, node["inner"]):
                # of a chain each link once; and one flag is 0
                if (bare(child).get("opcode") != opcode and
                        self.source.text(*side) != "O_RDONLY"):
                    self.add(operator, *side,
                             f"no {opcode} {self.source.words(*side)}",
                             new=opcode)
        elif opcode == "&":
            self.add("mask", start, end,
                     f"no & {self.source.words(*sides[1])}", parts=sides)

    def integer(self, node):
        place = self.place(node["range"]["begin"])
        if not place:
            return
        start, end = place[0], place[0] + place[1]
        token = self.source.text(start, end)
        if re.fullmatch(r"E[A-Z0-9]{2,}", token):
            new = "EINVAL" if token == "EIO" else "EIO"
            self.add("errno", start, end, f"{token} made {new}", new=new)
        elif token in ("true", "false"):
            new = "false" if token == "true" else "true"
            self.add("constant", start, end, f"{token} made {new}", new=new)
        elif not place[2] and re.match(r"\d", token):
            new = f"{token} - 1"
            if int(node["value"]) == 0:
                new = "-1" if id(node) in self.returned else "1"
            self.add("constant", start, end, f"{token} made {new}", new=new)

    def name_of(self, node):
        place = self.place(node["range"]["begin"])
        name = node["referencedDecl"].get("name", "")
        if place and not place[2] and name.startswith("GMEM_REASON_"):
            self.add("reason", place[0], place[0] + place[1],
                     f"{name} made the next")


def results(node):
    """The nodes of which @node, a return or a choice in it, gives one."""
    for child in node.get("inner", [])[-2:]:
        child = inside(child)
        if child["kind"] == "ConditionalOperator":
            yield from results(child)
        else:
            yield child


def syntax_tree(path, flags):
    out = subprocess.run(
        ["clang", *flags, "-w", "-fsyntax-only", "-Xclang", "-ast-dump=json",
         str(path)], check=True, capture_output=True).stdout
    return json.loads(out)


def short(words):
    return words if len(words) <= 72 else words[:69] + "..."


def find(root, file, flags):
    """[Mutant] of @file below @root, in the order of the source."""
    source = Source((root / file).read_text())
    found = []
    for node in syntax_tree(root / file, flags)["inner"]:
        if (node["kind"] == "FunctionDecl" and
                "includedFrom" not in node["range"]["begin"] and
                "offset" in node["range"]["begin"]):
            finder = Finder(source, node, file.startswith("cli/"))
            for mutant, context in finder.contexts:
                mutant.key = (f"{file} {node['name']}: {mutant.operator}, "
                              f"{short(mutant.change)}: "
                              f"{short(source.words(*context))}")
                found.append(mutant)
    found.sort(key=lambda m: (m.start, -m.end, m.operator, m.change))
    times = {}
    for number, mutant in enumerate(found):
        mutant.file = file
        mutant.number = number
        mutant.line = source.bytes.count(b"\n", 0, mutant.start) + 1
        times[mutant.key] = times.get(mutant.key, 0) + 1
        if times[mutant.key] > 1:
            mutant.key += f" #{times[mutant.key]}"
    return found
