#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a refusal says is understood without C: its message and its remedy."""

import json
import re

from ctl import Case, ctl, main

C_NAMES = re.compile(r"\bGMEM_[A-Z]\w*|\berr->\w*|\bstruct \w+|\bgmem_\w+\(3\)|\bNULL\b")
PRIVATE = ("--vm-type", "sw-protected")

# (model, lines of which the last one is refused, more options)
BATCH = (
    ("6.12", "create x 4K shared"),
    ("6.12", "create x 4K shared", *PRIVATE),
    ("6.18", "create x 4K shared\npolicy x set=bind nodes=0"),
    ("7.3,arm64", "create x 4K unbound\nbind x 0 0"),
    ("7.3", "create x 8E shared"),
    ("7.3", "create x 0 shared"),
    ("7.3", "create x 1 shared"),
    ("7.3", "create x 4K"),
    ("7.3", "create x 4K init-shared"),
    ("7.3", "create x 4K mmap"),
    ("7.3", "create x 4K guest-only"),
    ("7.3", "create x 4K shared", "--vm-type", "tdx"),
    ("7.3", "create x 4M shared hugetlb=3M"),
    ("7.3", "create x 4M shared hugetlb=2M"),
    ("hugetlb-rfc1", "create x 4M shared hugetlb=2M"),
    ("7.3", "create x 4K unbound\nbind x 0 0"),
    ("7.3", "create x 4K\nbind x 0 0 hva", *PRIVATE),
    ("7.3", "create x 4K shared\nbind x 0 1"),
    ("7.3", "create x 4K shared\nbind x 40000 0"),
    ("7.3", "create x 4K shared\nbind x 0 0xfffffffffffff000"),
    ("7.3", "create x 4K shared\nbind x 0 0x1000000000000000"),
    ("7.3", "create x 4K shared\nbind x 0 0 8K 4K"),
    ("7.3", "create x 4K shared\nbind x 0 0 fd hva"),
    ("7.3", "create x 4K shared\nbind x 0 0 fd dirty-log"),
    ("7.3", "create x 4K shared\nbind x 0 0 fd readonly"),
    ("7.3", "create x 4K shared\nbind x 0 0 fd alias"),
    ("7.3", "create x 4K shared\nbind x 0 0\nbind x 0 0"),
    ("7.3", "create x 4K shared\nbind x 0 0\nbind x 1 0"),
    ("7.3", "create x 4K shared\nbind x 0 0\nbind x 1 4K"),
    ("7.3", "create x 4K shared\nbind x 0 0\nclose x"),
    ("7.3", "create x 4K shared\nbind x 0 0\nforget 0"),
    ("7.3", "create x 4K shared\nunbind x 0"),
    ("7.3", "forget 0"),
    ("7.3", "create x 4K shared\nnote 0 0 4K file=x"),
    ("7.3", "create x 4K shared\nnote 0 0 4K file=x addr=1M\nunbind x 0"),
    ("7.3", "create x 4K shared\nnote 0 0 4K file=x addr=1M\nclose x"),
    ("7.3", "create x 4K shared\nnote 0 0 4K file=x addr=1M dirty-log"),
    ("7.3", "create x 4K shared\nnote 0 0 4K file=x addr=1M readonly"),
    ("7.3", "create x 4K shared\nprivate x 0 4K"),
    ("7.3", "create x 4K\nbind x 0 0\nshared x 0 4K", *PRIVATE),
    ("inplace", "create x 4K shared\nprivate x 0 1", *PRIVATE),
    ("inplace", "create x 4K shared\nbind x 0 0 hva\nprivate x 0 4K", *PRIVATE),
    ("inplace", "create x 4K shared\nbind x 0 0\nprivate x 0 4K\nread x 0 1", *PRIVATE),
    ("7.3", "create x 4K unbound\nread x 0 1"),
    ("7.3", "create x 4K unbound\nwrite x 0 hex:00"),
    ("7.3", "create x 4K unbound\nload x 0 /dev/null"),
    ("7.3", "create x 4K shared\nload x 0 /"),
    ("7.3", "create x 4K shared\nload x 0 /nonexistent"),
    ("7.3", "create x 4K shared\nload x 0 /dev/zero"),
    ("7.3", "create x 4K shared\npopulate x threads=256 policy=x"),
    ("7.3", "create x 4K shared\npopulate x policy=default nodes=0"),
    ("7.3", "create x 4K shared\npopulate x nodes=0"),
    ("7.3", "create x 4K unbound\npolicy x set=bind nodes=0"),
    ("7.3", "create x 4K shared\npolicy x set=local nodes=0"),
    ("7.3", "create x 4K shared\npolicy x set=bind"),
    ("7.3", "create x 4K shared\npolicy x set=bind nodes=7"),
    ("7.3", "create x 4K shared\npopulate x\npolicy x set=bind nodes=1 strict"),
)

OTHERS = (
    ["why", "create", "--size=1", "--model"],
    ["why", "bind", "--slot=0", "--gpa=0", "--size=4K", "--shared", "--with=1:8K:0:4K"],
    ["why", "attributes", "--to=private", "--size=4K", "--shared", "--model"],
    ["probe", "--vm-type=tdx", "--model=6.12"],
    ["probe", "--model=6.12", "--require=mmap"],
    ["probe", "--device=/nonexistent"],
    ["probe", "--device=/dev/null"],
    ["conform", "--model=6.12,arm64"],
    ["conform", "no-such-case", "--model"],
    ["run", "--size=4K", "--device=/nonexistent", "true"],
    ["ps", "--output=nosuch"],
    ["stat", "--fd=99"],
    ["stat", "--fd=0"],
    ["stat", "--fd=0", "--pid=2147483647"],
    ["map", "--fd=0", "--shared"],
    ["policy", "--fd=0", "--set=local"],
    ["load", "--fd=0", "/nonexistent"],
    ["store", "--fd=0", "/nonexistent/file"],
    ["populate", "--fd=0"],
    ["discard", "--fd=0"],
)


class Refusal(Case):
    def plain(self, r):
        self.assertNotEqual(r.returncode, 0, r)
        for text in (r.stdout, r.stderr):
            self.assertEqual(C_NAMES.findall(text), [], text)

    def says_what_to_do(self, r):
        self.assertNotEqual(json.loads(r.stdout)["error"]["remedy"], "", r)

    def test_of_a_batch(self):
        for model, text, *more in BATCH:
            with self.subTest(text):
                args = ["batch", f"--model={model}", *more, "-"]
                r = ctl(*args, input=text)
                self.plain(r)
                self.assertIn(f"-:{text.count(chr(10)) + 1}: ", r.stderr)
                r = ctl(*args, "--json", input=text)
                self.plain(r)
                self.says_what_to_do(r)

    def test_of_commands(self):
        for args in OTHERS:
            if args[0] == "why" and "--model" not in args:
                args = [*args, "--model"]
            with self.subTest(args):
                self.plain(ctl(*args))
                if args[0] not in ("run", "probe", "why"):
                    r = ctl(*args, "--json")
                    self.plain(r)
                    self.says_what_to_do(r)


main()
