#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every command, wherever its output goes and whatever it is given."""

import json
import os
import re
import subprocess
import tempfile

from ctl import Case, FAILED, GMEMCTL, HANG, OK, USAGE, ctl, main
from foreign import guest_memfd

BATCH = "create x 64K shared\nbind x 0 0\npopulate x\nmap x\nattributes x\n"
FILE = ("--fd", "FD")
# How each command is run here; FD, BATCH and FILE stand for real ones.
RUNS = {
    "help": ("probe",),
    "probe": ("--model",),
    "why create": ("--model", "--size=64K"),
    "why bind": ("--model", "--size=64K", "--slot=0", "--gpa=0"),
    "why attributes": ("--model", "--size=64K", "--to=private"),
    "run": ("--size=64K", "--shared", "true"),
    "ps": ("--budget=50000",),
    "stat": FILE,
    "populate": (*FILE, "--shared"),
    "discard": FILE,
    "load": (*FILE, "--shared", "FILE"),
    "store": (*FILE, "--shared", "FILE"),
    "policy": (*FILE, "--get"),
    "map": (*FILE, "--shared"),
    "doctor": (),
    "batch": ("--model", "BATCH"),
    "conform": ("--model", "unknown_ioctls"),
    "commands": (),
}
SILENT = {"run"}  # what is printed is its program's
HOSTILE = (b"\x1b[31m\xff\n\x9b1m", "\u202e\u0085\u00e9".encode(), b"\xc3", b"\\\x7f\r")


def walk(commands, path=()):
    for c in commands:
        here = (*path, c["name"])
        if c["commands"]:
            yield from walk(c["commands"], here)
        else:
            yield " ".join(here), c


COMMANDS = dict(walk(json.loads(ctl("commands", "--json").stdout)["commands"]))


def takes_json(name):
    return any(o["name"] == "--json" for o in COMMANDS[name]["options"])


class Every(Case):
    need = ("kvm",)

    def setUp(self):
        super().setUp()
        self.fd = guest_memfd(self, 64 << 10)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.paths = {"FD": str(self.fd)}
        for name, text in (("BATCH", BATCH), ("FILE", "x" * 4096)):
            path = os.path.join(folder.name, name)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            self.paths[name] = path

    def run_it(self, args, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        return subprocess.run(
            [GMEMCTL, *args],
            stderr=subprocess.PIPE,
            pass_fds=[self.fd],
            timeout=HANG,
            check=False,
            **kwargs,
        )

    def ways(self):
        """Each command as text and as JSON: its name and its arguments."""
        self.assertEqual(set(RUNS), set(COMMANDS))
        for name, args in RUNS.items():
            line = [*name.split(), *(self.paths.get(a, a) for a in args)]
            yield name, line
            if takes_json(name):
                yield name, [*line[:1], "--json", *line[1:]]

    def safe(self, data, args):
        """All of it is printable ASCII, which is UTF-8 too."""
        self.assertRegex(data, rb"\A[ -~\n]*\Z", args)
        if data.startswith(b"{"):
            return json.loads(data)
        return None

    def test_a_full_device_is_a_failure_with_its_errno(self):
        for name, args in self.ways():
            with self.subTest(args), open("/dev/full", "wb") as full:
                r = self.run_it(args, stdout=full)
                if name in SILENT:
                    self.assertEqual(r.returncode, OK)
                    continue
                self.assertEqual(r.returncode, FAILED, r)
                self.assertIn(b"standard output: No space left on device\n", r.stderr)

    def test_a_closed_output_is_a_failure_with_its_errno(self):
        for name, args in self.ways():
            with self.subTest(args):
                r = self.run_it(args, stdout=None, preexec_fn=lambda: os.close(1))
                if name in SILENT:
                    self.assertEqual(r.returncode, OK)
                    continue
                self.assertEqual(r.returncode, FAILED, r)
                self.assertIn(b"standard output: Bad file descriptor\n", r.stderr)

    def test_a_reader_that_has_gone_is_not_told(self):
        for name, args in self.ways():
            end, pipe = os.pipe()
            os.close(end)
            with self.subTest(args):
                r = self.run_it(args, stdout=pipe)
                self.assertEqual(r.returncode, OK if name in SILENT else FAILED, r)
                self.assertNotIn(b"standard output", r.stderr)
                self.assertNotIn(b"Broken pipe", r.stderr)
            os.close(pipe)

    def test_the_locale_and_the_terminal_change_no_byte(self):
        """Nor do 20 columns, except in the picture and in what is cut."""
        for name, args in self.ways():
            if name in ("ps", "doctor"):  # what they say may change meanwhile
                continue
            said = set()
            for env in (
                {"LC_ALL": "C"},
                {"LC_ALL": "C.UTF-8", "TERM": "dumb"},
                {"LANG": "de_DE.ISO-8859-1", "NO_COLOR": "1", "TERM": "xterm"},
            ):
                r = self.run_it(args, env={"PATH": os.environ["PATH"], **env})
                self.assertIn(r.returncode, (OK, 4), r)
                self.safe(r.stdout, args)
                self.safe(r.stderr, args)
                said.add(r.stdout)
            self.assertEqual(len(said), 1, args)

    def test_every_command_works_in_20_columns(self):
        for name, args in self.ways():
            r = self.run_it(args, env={**os.environ, "COLUMNS": "20"})
            with self.subTest(args):
                self.assertIn(r.returncode, (OK, 4), r)
                self.safe(r.stdout, args)
                if name == "map" and "--json" not in args:
                    for line in r.stdout.splitlines()[1:]:
                        self.assertLessEqual(len(line), 21, line)

    def test_no_argument_reaches_the_terminal_as_it_is(self):
        for name, line in self.ways():
            options = COMMANDS[name]["options"]
            given = [o["name"] for o in options if o["argument"]]
            for word in HOSTILE:
                trials = [[*line, word], [word, *line], [*line, b"--" + word]]
                trials += [[*line, o.encode() + b"=" + word] for o in given]
                if name == "run":
                    trials = [[*line[:-1], word]]
                for args in trials:
                    with self.subTest(args):
                        r = self.run_it(args)
                        self.safe(r.stdout, args)
                        self.safe(r.stderr, args)

    def test_a_json_error_is_one_object(self):
        for name, args in self.ways():
            if "--json" not in args:
                continue
            with self.subTest(args):
                r = self.run_it([*args, b"--no-\x1b\xff"])
                self.assertEqual(r.returncode, USAGE)
                value = self.safe(r.stdout, args)
                self.assertIn(r"--no-\x1b\xff", value["error"]["message"])


class Names(Case):
    """Safe, and the same wherever they are said."""

    def test_of_a_device(self):
        path = b"/no/\xff\x1b[1m\n\xc3\xa9"
        plain = r"/no/\xff\x1b[1m\n\xc3\xa9"
        for args in (["probe"], ["doctor"], ["doctor", "--format=tap"], ["conform"]):
            for more in ([], ["--json"]):
                if more and len(args) > 1:
                    continue
                r = subprocess.run(
                    [GMEMCTL, *args, *more, b"--device=" + path],
                    capture_output=True,
                    check=False,
                    timeout=HANG,
                )
                said = (r.stdout + r.stderr).decode("ascii")
                if more:
                    said = json.dumps(json.loads(r.stdout)).replace("\\\\", "\\")
                self.assertIn(plain, said, args)
                self.assertNotRegex(said, re.compile("[^ -~\n]"))


main()
