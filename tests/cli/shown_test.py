#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What gmemctl shows of files of the model, to the last character."""

import fcntl
import os
import re
import resource
import struct
import subprocess
import tempfile
import termios

from ctl import CHECK, Case, FAILED, GMEMCTL, HANG, OK, UNSUPPORTED, USAGE
from ctl import ctl, main, terminal_text

MIB = 1 << 20
# Built with kernel interfaces that are not merged.
PROPOSED = os.environ.get("GMEM_PROPOSED_UAPI", "ON") == "ON"
PRIVATE = ("--vm-type", "sw-protected")

MISPLACED = """\
create ram 8M shared
populate ram 2M 1M policy=bind nodes=1
populate ram 4M 1M policy=bind nodes=0
populate ram 7M 4K policy=bind nodes=1
placement ram policy=bind nodes=0
placement ram 4M 1M policy=bind nodes=0
placement ram 0 2M policy=bind nodes=0
"""
MISPLACED_SAYS = """\
ram: populated 1M at 0x200000
ram: populated 1M at 0x400000
ram: populated 4K at 0x700000
ram: misplaced: 0x200000 1M on node 1
ram: misplaced: 0x700000 4K on node 1
ram: placed: elsewhere
ram: resident: 2052K
ram: misplaced: 1028K
ram: unknown: 0
ram: nodes: 0:1M 1:1028K
ram: why: misplaced; discard the pages and set the policy before they are allocated again
ram: placed: well
ram: resident: 1M
ram: misplaced: 0
ram: unknown: 0
ram: nodes: 0:1M
ram: placed: well
ram: resident: 0
ram: misplaced: 0
ram: unknown: 0
ram: nodes: none
"""

BYTES = "1f207e7f80ff" + "00" * 10 + "4142"
DUMP = """\
00001003  1f 20 7e 7f 80 ff 00 00  00 00 00 00 00 00 00 00  |. ~.............|
00001013  41 42                                             |AB|
"""


class Shown(Case):
    def batch(self, model, text, *args, **kwargs):
        """What is shown behind the note of the model."""
        args = ["batch", f"--model={model}", *args, "-"]
        r = self.ended(ctl(*args, input=text, **kwargs), OK)
        return r.stdout.split("\n", 1)[1]

    def results(self, model, text, *args):
        r = ctl("batch", f"--model={model}", "--json", *args, "-", input=text)
        return self.valid(self.ended(r, OK).stdout, "batch")["results"]

    def on_terminal(self, columns, *args, **kwargs):
        """What is shown on a terminal, which has so many columns."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "33"}
        r = subprocess.run(
            [GMEMCTL, *args],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=env,
            text=True,
            check=False,
            timeout=HANG,
            **kwargs,
        )
        os.close(theirs)
        text = terminal_text(ours)
        self.assertEqual((r.returncode, r.stderr), (OK, ""))
        return text.decode().replace("\r\n", "\n")


class Placement(Shown):
    def test_misplaced_runs(self):
        self.assertEqual(self.batch("7.3", MISPLACED), MISPLACED_SAYS)

    def test_misplaced_runs_as_json(self):
        whole, well, empty = self.results("7.3", MISPLACED)[-3:]
        self.assertEqual(
            whole["misplaced_runs"],
            [
                {"offset": 2 * MIB, "len": MIB, "node": 1},
                {"offset": 7 * MIB, "len": 4096, "node": 1},
            ],
        )
        self.assertEqual(
            [(x["placed"], x["resident"], x["misplaced"], x["unknown"])
             for x in (whole, well, empty)],
            [
                ("elsewhere", 2 * MIB + 4096, MIB + 4096, 0),
                ("well", MIB, 0, 0),
                ("well", 0, 0, 0),
            ],
        )
        self.assertEqual(
            whole["node_bytes"],
            [{"node": 0, "bytes": MIB}, {"node": 1, "bytes": MIB + 4096}],
        )
        self.assertEqual(empty["node_bytes"], [])
        for result in (well, empty):
            self.assertEqual(result["misplaced_runs"], [])


class Bytes(Shown):
    def test_every_kind_of_character(self):
        text = f"create x 8K shared\nwrite x 0x1003 hex:{BYTES}\nread x 0x1003 18\n"
        self.assertEqual(self.batch("7.3", text), DUMP)
        result = self.results("7.3", text)[-1]
        self.assertEqual(
            {k: result[k] for k in ("command", "object", "offset", "len", "data")},
            {
                "command": "read",
                "object": "x",
                "offset": 0x1003,
                "len": 18,
                "data": BYTES,
            },
        )

    def test_lines_of_each_length(self):
        for n in (1, 8, 9, 15, 16, 17, 32):
            hexes = [f" {i:02x}" for i in range(0x61, 0x61 + n)]
            chars = "".join(map(chr, range(0x61, 0x61 + n)))
            want = ""
            for at in range(0, n, 16):
                row = hexes[at : at + 16] + ["   "] * 16
                want += f"{at:08x} {''.join(row[:8])} {''.join(row[8:16])}"
                want += f"  |{chars[at : at + 16]}|\n"
            want = re.sub("[^\x20-\x7e\n]", ".", want)
            text = f"create x 4K shared\nwrite x 0 hex:{''.join(hexes).replace(' ', '')}\n"
            self.assertEqual(self.batch("7.3", text + f"read x 0 {n}\n"), want)

    def test_as_much_as_one_read_shows(self):
        text = "create x 2M shared\nwrite x 1M hex:ab\nread x 1 1M\n"
        result = self.results("7.3", text)[-1]
        self.assertEqual(result["data"], "00" * (MIB - 1) + "ab")
        r = ctl("batch", "--model", "-", input=text + "read x 0 1048577\n")
        self.ended(r, USAGE, ":4: '1048577' is more than one read shows (1M)")


class Names(Shown):
    def test_a_name_of_each_length(self):
        longest = "n" * 32
        text = f"create {longest} 4K shared\nclose "
        self.batch("7.3", text + longest)
        for name in (longest[1:], longest + "n", longest * 2):
            r = ctl("batch", "--model=7.3", "-", input=text + name)
            self.ended(r, USAGE, f"-:2: there is no '{name}'")

    def test_a_quoted_word_is_no_option(self):
        for line in ('create x 4K "shared"', 'create x 4K "mmap" init-shared'):
            r = ctl("batch", "--model=7.3", "-", input=line)
            self.ended(r, USAGE, "-:1: unknown word '")

    def test_a_quoted_option_with_a_value(self):
        text = 'create x 4K shared\npopulate x "threads=1"'
        r = ctl("batch", "--model=7.3", "-", input=text)
        self.ended(r, USAGE, "-:2: unknown word 'threads=1'")

    def test_a_word_of_another_command(self):
        text = "create x 4K shared\nbind x 0 0 {}"
        for word in ("mmap", "shared", "keep-attributes", "strict"):
            r = ctl("batch", "--model=7.3", "-", input=text.format(word))
            self.ended(r, USAGE, f"-:2: unknown word '{word}'")


class Slots(Shown):
    def test_what_is_left_is_shown_in_order(self):
        text = "create x 8M shared\n"
        text += "".join(f"bind x {i} {i}M {i}M 1M\n" for i in (3, 1, 2, 5))
        text += "note 9 64M 64K\nnote 7 128M 64K file=x addr=1M\n"
        for gone, left in (("", [3, 1, 2, 5, 7]), ("5", [3, 1, 2, 7]),
                           ("3", [1, 2, 5, 7]), ("2", [3, 1, 5, 7])):
            more = f"unbind x {gone}\n" if gone else ""
            slots = self.results("7.3", text + more + "stat x")[-1]["slots"]
            self.assertEqual([s["slot"] for s in slots], left)
            for s in slots[:-1]:
                at = s["slot"] * MIB
                self.assertEqual(
                    {**s, "gpa": at, "offset": at, "len": MIB, "mode": "fd"}, s
                )
            self.assertEqual(
                slots[-1],
                {
                    "slot": 7,
                    "gpa": 128 * MIB,
                    "offset": 0,
                    "len": 65536,
                    "mode": "noted",
                },
            )
            shown = self.batch("7.3", text + more + "stat x")
            rows = re.findall(r"(?m)^x: slot (\d+) at gpa (\w+), offset (\w+), (.*)$", shown)
            self.assertEqual(
                rows,
                [
                    (str(i), hex(i * MIB), hex(i * MIB), "1M, fd") for i in left[:-1]
                ] + [("7", hex(128 * MIB), "0x0", "64K, noted")],
            )

    def test_all_gone(self):
        text = "create x 8M shared\nbind x 0 0 4M 4M\nnote 1 1G 4K file=x addr=1M\n"
        text += "forget 1\nunbind x 0\nstat x\nclose x\ncreate x 4K shared\nstat x\n"
        results = self.results("7.3", text)
        self.assertEqual([results[i]["slots"] for i in (5, 8)], [[], []])
        self.assertEqual([results[i]["size"] for i in (5, 8)], [8 * MIB, 4096])


class Short(Shown):
    """Where the model's files are short of something."""

    def small(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    def test_only_a_dry_run_goes_on_without_a_file(self):
        args = ("batch", "--model=7.3", "-")
        text = "create x 1M shared\n"
        r = ctl(*args, "--dry-run", input=text, preexec_fn=self.small)
        self.ended(r, OK)
        r = ctl(*args, input=text, preexec_fn=self.small)
        self.assertEqual(r.returncode, FAILED)
        self.assertIn("-:1: create: ", r.stderr)

    def test_a_dry_run_refuses_to_close_what_is_bound(self):
        text = "create a 1G shared\nbind a 7 0\nclose a\n"
        args = ("batch", "--model=7.3", "--dry-run", "--json", "-")
        r = ctl(*args, input=text, preexec_fn=self.small)
        self.assertEqual(r.returncode, FAILED)
        error = self.valid(r.stdout, "batch")["error"]
        self.assertEqual(
            (error["code"], error["reason"], error["line"]), ("EBUSY", "still-bound", 3)
        )
        self.assertIn("the file is bound to slot 7", error["message"])

    def test_a_dry_run_did_nothing_of_what_it_refuses(self):
        args = ("batch", "--model=7.3", "--dry-run", "--json", "-")
        for line in ("populate x 0 4M", "load x 4M /dev/null", "discard x 1 4K"):
            r = ctl(*args, input="create x 2M shared\n" + line)
            self.assertEqual(r.returncode, FAILED)
            error = self.valid(r.stdout, "batch")["error"]
            self.assertEqual((error["line"], error["done"]), (2, 0))

    def test_a_batch_works_without_rights(self):
        self.require("root")
        text = "create x 64K shared\nload x 0 /proc/self/status\nread x 0 8K\n"
        data = bytes.fromhex(self.results("7.3", text)[-1]["data"]).decode()
        for name in ("CapPrm", "CapEff"):
            self.assertEqual(int(re.search(name + r":\s*(\w+)", data)[1], 16), 0)


class Input(Shown):
    def test_each_load_gives_its_descriptor_back(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        text = "create x 64K shared\n" + "load x 0 /dev/null\n" * 60
        r = ctl("batch", "--model=7.3", "-", input=text, preexec_fn=few)
        self.assertEqual(self.ended(r, OK).stdout.count("loaded 0"), 60)

    def test_input_that_is_too_long(self):
        """Known before, of a file; else when the range is full."""
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"x" * 8193)
            f.flush()
            for path, done, says in (
                (f.name, 0, "the input has 8193, and the range only 8K"),
                ("/dev/zero", 8192, "the input is longer than the 8K of the range"),
            ):
                text = f"create x 64K shared\nload x 56K {path}\n"
                r = ctl("batch", "--model=7.3", "--json", "-", input=text)
                self.assertEqual(r.returncode, CHECK if done else FAILED)
                error = self.valid(r.stdout, "batch")["error"]
                self.assertEqual(
                    (error["code"], error["reason"], error["message"], error["done"]),
                    ("EINVAL", "outside-file", says, done),
                )
            text = f"create x 64K shared\nload x 57343 {f.name}\nread x 57342 3"
            self.assertEqual(self.results("7.3", text)[-1]["data"], "007878")

    def test_input_that_cannot_be_opened(self):
        text = "create x 64K shared\nload x 0 /nonexistent"
        r = ctl("batch", "--model=7.3", "--json", "-", input=text)
        self.assertEqual(r.returncode, FAILED)
        error = self.valid(r.stdout, "batch")["error"]
        self.assertEqual((error["code"], error["reason"]), ("ENOENT", "input"))


class Map(Shown):
    TEXT = """\
create ram 256K shared
bind ram 0 0
private ram 64K 64K
map ram
map ram 60K 8K
"""
    WORDS = ("batch", "--model=inplace", *PRIVATE, "-")

    def test_colours_and_width_of_a_terminal(self):
        shown = self.on_terminal(20 + 32, *self.WORDS, input=self.TEXT)
        green, red = "\033[32ms\033[0m", "\033[31mp\033[0m"
        lines = shown.splitlines()
        self.assertIn("0x0000000000000000 " + "." * 32, lines)
        self.assertIn("0x0000000000020000 " + "." * 32, lines)
        label = "state".ljust(19)
        self.assertIn(label + green * 16 + red * 16, lines)
        self.assertIn(label + green * 32, lines)
        self.assertIn(label + green + red, lines)

    def test_a_mark_of_both_states(self):
        text = self.TEXT.replace("64K 64K", "64K 4K").replace("256K", "16M")
        shown = self.on_terminal(20 + 32, *self.WORDS, input=text)
        self.assertIn("\033[33mm\033[0m", shown)

    def test_a_terminal_that_has_no_width(self):
        """Then the variable says it."""
        shown = self.on_terminal(0, *self.WORDS, input=self.TEXT)
        self.assertIn("\n0x0000000000000000 " + "." * 13 + "\n", shown)

    def test_the_widest(self):
        clean = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
        text = "create ram 256M\nmap ram\n"
        for columns, marks in ((4095, 4075), (4096, 4076), (4097, 4076), (99999, 4076)):
            shown = self.batch(
                "7.3", text, *PRIVATE, env={**clean, "COLUMNS": str(columns)}
            )
            self.assertIn(f"\n0x0000000000000000 {'.' * marks}\n", shown)

    def test_runs_end_where_the_state_does(self):
        text = self.TEXT.replace("private", "populate ram\nprivate").split("map")[0]
        for line in ("map ram", "map ram nodes"):
            runs = self.results("inplace", text + line, *PRIVATE)[-1]["runs"]
            self.assertEqual(
                [(r["offset"], r["len"], r["state"], r["resident"]) for r in runs],
                [
                    (0, 65536, "shared", True),
                    (65536, 65536, "private", True),
                    (131072, 131072, "shared", True),
                ],
            )

    def test_runs_end_where_the_node_does(self):
        text = "create ram 64K shared\nbind ram 0 0\n"
        for offset, node in ((0, 0), (8, 1), (16, 1), (24, 0), (40, 0)):
            text += f"populate ram {offset}K 8K policy=bind nodes={node}\n"
        runs = self.results("7.3", text + "map ram nodes")[-1]["runs"]
        self.assertEqual(
            [(r["offset"] >> 10, r["len"] >> 10, r["resident"], r["node"]) for r in runs],
            [
                (0, 8, True, 0),
                (8, 16, True, 1),
                (24, 8, True, 0),
                (32, 8, False, None),
                (40, 8, True, 0),
                (48, 16, False, None),
            ],
        )
        reasons = [r.get("node_reason") for r in runs]
        self.assertEqual(reasons, [None, None, None, "no memory", None, "no memory"])
        runs = self.results("7.3", text + "map ram")[-1]["runs"]
        self.assertEqual(
            {(r["resident"], r["node_reason"]) for r in runs},
            {(True, "not asked for, or not known"), (False, "no memory")},
        )

    def test_marks_of_nodes(self):
        text = "create ram 64K shared\nbind ram 0 0\n"
        for offset, node in ((0, 0), (8, 1), (20, 1), (28, 0), (32, 1), (36, 0)):
            text += f"populate ram {offset}K 4K policy=bind nodes={node}\n"
        env = {**os.environ, "COLUMNS": "40"}
        shown = self.batch("7.3", text + "map ram nodes", env=env)
        self.assertEqual(
            shown.split("\n", 6)[-1],
            "4K per mark: '.' hole, ':' in part, '#' all resident\n"
            "state: 'p' private, 's' shared, 'u' unset, 'm' several\n"
            "node: '+' several, '*' one beyond 9, '?' not known\n"
            "0x0000000000000000 #.#..#.###......\n"
            "state              ssssssssssssssss\n"
            "node               0 1  1 010\n",
        )
        # With so many pages that a mark is two of them.
        text = text.replace("64K", "2560K")
        shown = self.batch("7.3", text + "map ram nodes", env=env)
        first = shown.splitlines()[6:]
        self.assertEqual(first[0].split(":")[0], "8K per mark")
        self.assertEqual(first[3], "0x0000000000000000 ::::#" + "." * 15)
        self.assertEqual(first[5], "node               0110+")


class Probe(Shown):
    def test_sizes_of_huge_pages(self):
        r = ctl("probe", "--model=7.3", *PRIVATE)
        self.assertNotIn("  sizes", self.ended(r, OK).stdout)
        if not PROPOSED:
            return
        args = ("probe", "--model=hugetlb-rfc1", *PRIVATE)
        self.assertIn("\n  sizes             2M 1G\nvm-default ",
                      self.ended(ctl(*args), OK).stdout)
        value = self.valid(ctl(*args, "--json").stdout, "probe")
        self.assertEqual(
            value["vm_types"]["sw-protected"]["hugetlb_sizes"], [2 * MIB, 1 << 30]
        )

    def test_names_of_variables(self):
        """Each feature's name in capitals, and all of them."""
        value = self.valid(ctl("probe", "--model=7.3", "-j").stdout, "probe")
        features = value["vm_types"]["default"]["features"]
        answers = {"yes": "1", "no": "0", "unknown": ""}
        text = self.ended(ctl("probe", "--model=7.3", "--format=env"), OK).stdout
        self.assertEqual(
            text.splitlines()[1:],
            [
                f"GMEM_HAS_{name.upper().replace('-', '_')}={answers[f['support']]}"
                for name, f in features.items()
            ],
        )

    def test_a_type_that_could_not_be_made(self):
        """It fails alone: the others are shown."""
        args = ("probe", "--model=inplace", "--vm-type=all")
        found = 0
        for n in range(5, 20):
            limit = lambda n=n: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
            r = ctl(*args, preexec_fn=limit)
            if "\nVM type default " not in r.stdout or r.returncode == OK:
                continue
            found += 1
            says = r"gmemctl: probe: VM type sw-protected: .* \(EMFILE\) \[fd-limit\]; "
            self.assertRegex(self.ended(r, CHECK, "VM type").stderr, says)
            self.assertEqual(len(r.stderr.splitlines()), 1)
            r = ctl(*args, "--json", preexec_fn=limit)
            self.assertEqual(r.returncode, CHECK)
            types = self.valid(r.stdout, "probe")["vm_types"]
            self.assertEqual([*types], ["default", "sw-protected"])
            vm = types["sw-protected"]
            self.assertIsNone(vm["features"])
            self.assertEqual(
                vm["features_reason"], "a VM of this type could not be made"
            )
            self.assertEqual(
                (vm["error"]["code"], vm["error"]["reason"]), ("EMFILE", "fd-limit")
            )
            # What only this type would have is missing nowhere else.
            r = ctl(*args, "--require=mmap", preexec_fn=limit)
            self.assertEqual(r.returncode, CHECK)
            r = ctl(*args, "--require=vm-snp", preexec_fn=limit)
            self.assertEqual(r.returncode, UNSUPPORTED)
        self.assertGreater(found, 0)

    def test_what_is_missing_of_each_type(self):
        args = ("probe", "--model=7.3", "--vm-type=all", "--require=mmap,vm-snp,vm-attributes")
        r = ctl(*args)
        self.ended(r, UNSUPPORTED, "vm-snp is missing")
        self.assertEqual(
            r.stderr.splitlines(),
            [
                "gmemctl: probe: vm-snp is missing on VM type default: no",
                "gmemctl: probe: vm-attributes is missing on VM type default: no",
                "gmemctl: probe: vm-snp is missing on VM type sw-protected: no",
            ],
        )
        rows = re.findall(r"(?m)^(?:mmap|vm-\S+) ", r.stdout)
        self.assertEqual(rows, ["mmap ", "vm-attributes ", "vm-snp "] * 2)
        value = self.valid(ctl(*args, "-j").stdout, "probe")
        self.assertEqual(
            [(m["vm_type"], m["feature"], m["support"]) for m in value["missing"]],
            [
                ("default", "vm-snp", "no"),
                ("default", "vm-attributes", "no"),
                ("sw-protected", "vm-snp", "no"),
            ],
        )

    def test_options_that_exclude_each_other(self):
        for args, says in (
            (["--json", "--format=env"], "--json and --format env exclude"),
            (["--json", "--format=text"], "--json and --format text exclude"),
            (["--format=env", "--vm-type=all"], "is for one VM type, not for all"),
            (["--format=seccomp", "--vm-type=default"], "looks at no VM"),
            (["--format=seccomp", "--require=mmap"], "looks at no VM"),
            (["--format=seccomp", "--model"], "looks at no VM"),
        ):
            self.assertIn(says, ctl("probe", *args).stderr)
        text = ctl("probe", "--model", "--format=env").stdout
        for args in (["--vm-type=default"], ["--require=mmap"]):
            r = self.ended(ctl("probe", "--model", "--format=env", *args), OK)
            self.assertEqual(r.stdout, text)
        text = ctl("probe", "--model", "--json").stdout
        for args in (["--format=json"], ["--format=json", "--json"]):
            self.assertEqual(ctl("probe", "--model", *args).stdout, text)


main()
