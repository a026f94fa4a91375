#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line itself: help, wrong usage, the table of commands."""

import os
import re
import tempfile

from ctl import Case, FAILED, OK, USAGE, ctl, main

OVERVIEW = """\
Usage: gmemctl [OPTIONS] COMMAND [ARGUMENTS]
Look at and try out guest memory files (guest_memfd) of Linux KVM.

Commands:
  help          explain a command
  probe         show what this host's KVM offers for guest memory
  why           show which rule a call would break, before it is made
  run           run a program with a guest_memfd
  ps            list every guest_memfd on this machine that can be seen
  stat          show size and residency of a guest_memfd
  populate      allocate a file's memory before a guest needs it
  discard       free a file's memory, which then reads as zero
  load          read an image or a pipe into guest memory
  store         write guest memory to a file or a pipe
  policy        show, set or verify a file's NUMA policy
  map           show a picture of what is private, shared and resident
  doctor        check whether this host is ready for guest memory
  batch         run many commands against one VM
  conform       check whether this kernel's guest_memfd behaves as documented
  commands      list the commands, with --json also all their options

Options:
  -h, --help              print this and exit
  -V, --version           print the version and exit
  -j, --json              print one JSON object
      --device PATH       the KVM device (/dev/kvm)
      --model[=PROFILE]   a model of that kernel (7.3) instead of this
                          machine's; help: list them
      --hugetlb-encoding NAME
                          how a kernel built with an unmerged series is asked
                          for huge pages (merged, rfc1, page-order)
  -v, --verbose           print each system call on standard error

Exit status: 0 done, 1 failed, 2 wrong usage, 3 not supported here, 4 a check
failed or only a part was done, 5 no permission.  More in gmemctl(1).
"""


def walk(nodes, path=()):
    """Every command and call with its path."""
    for node in nodes:
        yield (*path, node["name"]), node
        yield from walk(node["commands"], (*path, node["name"]))


class Help(Case):
    def table(self):
        return self.valid(ctl("commands", "--json").stdout, "commands")

    def test_overview(self):
        for args in (["--help"], ["-h"], ["help"]):
            r = self.ended(ctl(*args), OK)
            self.assertEqual(r.stdout, OVERVIEW)

    def test_version(self):
        table = self.table()
        for args in (["--version"], ["-V"], ["probe", "--version"]):
            r = self.ended(ctl(*args), OK)
            self.assertEqual(r.stdout, f"gmemctl {table['version']}\n")

    def test_version_as_json(self):
        version = self.table()["version"]
        for args in (
            ["--version", "--json"],
            ["--json", "--version"],
            ["-jV"],
            ["-Vj"],
            ["-V", "-j"],
            ["probe", "--version", "--json"],
            ["--version", "ps", "--json"],
        ):
            value = self.valid(self.ended(ctl(*args), OK).stdout, "gmemctl")
            self.assertEqual(value["version"], version)
        self.assertEqual(ctl("--version", "--jso").stdout, f"gmemctl {version}\n")

    def test_each_command_explains_itself(self):
        for path, node in walk(self.table()["commands"]):
            r = self.ended(ctl(*path, "--help"), OK)
            self.assertEqual(r.stdout, ctl(*path, "-h").stdout)
            self.assertEqual(r.stdout, ctl("help", *path).stdout)
            self.assertTrue(
                r.stdout.startswith(f"Usage: gmemctl {' '.join(path)} "), path
            )
            for line in r.stdout.splitlines():
                self.assertLess(len(line), 80, line)
            for word in node["words"]:
                self.assertRegex(r.stdout, rf"(?m)^  {word['name']} ")

    def filled(self, lines, indent):
        """The words of lines that are as full as they can be."""
        for line, following in zip(lines, lines[1:]):
            self.assertEqual(len(following) - len(following.lstrip()), indent)
            # up to a blank that is in no brackets
            word = re.match(r"(?:\[[^]]*\]|[^ ])+", following.lstrip())[0]
            self.assertGreater(len(line) + 1 + len(word), 79, lines)
        return " ".join(line.strip() for line in lines)

    def paragraph(self, lines, indent):
        """The first line, and those behind it that are indented."""
        n = 1
        while n < len(lines) and lines[n].startswith(" " * indent):
            n += 1
        return self.filled(lines[:n], indent), lines[n:]

    def test_lines_are_filled(self):
        for path, node in walk(self.table()["commands"]):
            lines = ctl(*path, "--help").stdout.splitlines()
            usage, lines = self.paragraph(lines, 10)
            self.assertEqual(
                usage, f"Usage: gmemctl {' '.join(path)} {node['arguments']}".strip()
            )
            summary = node["summary"]
            self.assertEqual(lines[0], summary[0].upper() + summary[1:] + ".")
            self.assertEqual(lines[-1], f"More in gmemctl-{path[0]}(1).")
            self.assertEqual((lines[1], lines[-2]), ("", ""))
            options = lines[lines.index("Options:") + 1 : -2]
            if lines[2][-1] != ":":
                self.filled(lines[2 : lines.index("", 2)], 0)
            for option in node["options"]:
                left, options = options[0], options[1:]
                letter = f"{option['short']}," if option["short"] else "   "
                self.assertTrue(left.startswith(f"  {letter} {option['name']}"), left)
                if len(left) < 26 or left[25] != " ":
                    left, options = " " * 26 + options[0].lstrip(), options[1:]
                text, options = self.paragraph([left, *options], 26)
                values = ", ".join(option["values"] or [])
                if option["argument_optional"]:  # its help has another list
                    values = ""
                want = f"{option['help']} ({values})" if values else option["help"]
                self.assertEqual(text[-len(want) :], want)
            self.assertEqual(options, [])

    def test_help_lists_the_options_of_the_table(self):
        table = self.table()
        everything = [((), table), *walk(table["commands"])]
        for path, node in everything:
            text = ctl(*path, "--help").stdout
            listed = re.findall(
                r"(?m)^  (?:-.,|   ) (--[a-z-]+)( [A-Z]|\[=[A-Z]|$|  )", text
            )
            names = [o["name"] for o in node["options"]]
            self.assertEqual([name for name, _ in listed], names, path)

    def test_list_of_commands(self):
        want = [
            " ".join(path)
            for path, node in walk(self.table()["commands"])
            if not node["commands"]
        ]
        r = self.ended(ctl("commands"), OK)
        self.assertEqual(r.stdout.split("\n"), [*want, ""])

    def test_required_options_are_refused_when_missing(self):
        found = set()
        for path, node in walk(self.table()["commands"]):
            names = [o["name"] for o in node["options"] if o["required"]]
            # The usage line has them outside of its brackets.
            line = re.sub(r"\[[^]]*\]", "", node["arguments"])
            self.assertEqual(names, re.findall(r"--[a-z-]+", line), path)
            if names:
                found.add(path[0])
                operands = re.findall(r"\b(?:FILE|CMD)\b", line)[:1]
                needed = f"{' and '.join(names)} {'are' if names[1:] else 'is'} needed"
                self.assertIn(needed, ctl(*path, *operands).stderr)
        on_file = {"stat", "populate", "discard", "load", "store", "policy", "map"}
        self.assertEqual(found, {"why", "run"} | on_file)

    def test_every_option_of_the_table_is_taken(self):
        table = self.table()
        for path, node in walk(table["commands"]):
            for option in node["options"]:
                args = [*path, option["name"]]
                if option["argument"] and not option["argument_optional"]:
                    r = ctl(*args)
                    says = f"{option['name']} needs a value"
                else:
                    r = ctl(*args, "--no-such-option")
                    says = "unknown option --no-such-option"
                if option["name"] in ("--help", "--version"):
                    self.ended(r, OK)
                else:
                    self.assertIn(says, r.stderr, args)


class Usage(Case):
    def test_commands(self):
        self.usage(says="no command given", command="")
        self.usage("prob", says="'prob'; did you mean probe?", command="")
        self.usage("commandz", says="did you mean commands?", command="")
        self.usage("opus", says="unknown command 'opus'\n", command="")
        self.usage("why", "bnid", says="did you mean bind?", command="why")
        self.usage("help", "prob", says="did you mean probe?", command="help")
        self.usage("help", "why", "bnid", says="did you mean bind?",
                   command="help")
        self.usage("help", "ps", "why", says="unexpected operand 'why'",
                   command="help")
        self.usage("ps", "--byte", says="did you mean --bytes?", command="ps")
        self.usage("ps", "--x", says="unknown option --x\n", command="ps")
        self.usage("why", says="no call given", command="why")
        self.usage("why", "bin", says="unknown call 'bin'", command="why")
        self.usage("help", "x", says="unknown command 'x'", command="help")
        self.usage("help", "why", "x", says="unknown call 'x'", command="help")
        self.usage("help", "why", "bind", "x", says="x", command="help")

    def test_options_have_exact_names(self):
        self.usage("--jso", says="unknown option --jso", command="")
        self.usage("probe", "-x", says="unknown option -x", command="probe")
        self.usage("probe", "--vm", "snp", says="option --vm", command="probe")
        self.usage(
            "probe", "--json=1", says="--json takes no value", command="probe"
        )
        self.usage(
            "probe", "--format", says="--format needs a value", command="probe"
        )
        self.usage(
            "probe",
            "--format=xml",
            says="--format: 'xml' is not one of text, json, env, seccomp",
            command="probe",
        )
        self.usage("probe", "x", says="unexpected operand 'x'", command="probe")
        self.usage(
            "probe", "--", "--json", says="operand '--json'", command="probe"
        )

    def test_a_common_option_before_a_command_that_lacks_it(self):
        self.usage(
            "--device", "/x", "help", says="does not take --device", command="help"
        )
        self.usage("help", "-v", says="does not take -v", command="help")
        self.usage(
            "-j",
            "run",
            "true",
            says="does not take --json",
            command="run",
            status=125,
        )

    def test_numbers_that_no_descriptor_and_process_has(self):
        for args, says in (
            (["--fd=2147483648"], "--fd is beyond 2^31 - 1"),
            (["--fd=2147483648", "--pid=1"], "--fd is beyond 2^31 - 1"),
            (["--fd=1", "--pid=2147483648"], "--pid is beyond 2^31 - 1"),
        ):
            self.usage("stat", *args, says=says, command="stat")
        r = ctl("stat", "--fd=2147483647")
        self.assertIn("--fd 2147483647: Bad file descriptor", r.stderr)
        r = ctl("stat", "--fd=1", "--pid=2147483647")
        self.assertIn("process 2147483647: No such process", r.stderr)

    def test_letters_with_a_value(self):
        for args in (["-opid,hold"], ["-o", "pid,hold"], ["--output=pid,hold"]):
            r = ctl("ps", *args)
            self.assertEqual(r.stdout.split("\n")[0].split(), ["PID", "HOLD"])
        r = ctl("ps", "-bno", "pid")
        self.assertNotIn("PID", r.stdout)

    def test_letters_can_be_joined(self):
        r = ctl("-vj", "probe", "--device", "/nonexistent")
        self.assertEqual(r.returncode, 3)
        self.assertIn("openat(", r.stderr)
        self.assertEqual(r.stdout[0], "{")

    def test_json_errors(self):
        r = ctl("--json", "why", "create", "--size", "1Q")
        self.assertEqual(r.returncode, USAGE)
        error = self.valid(r.stdout, "why")["error"]
        self.assertEqual(error["reason"], "usage")
        self.assertIn("'1Q'", error["message"])
        r = ctl("--json")
        self.assertEqual(r.returncode, USAGE)
        self.valid(r.stdout, "gmemctl")


class Errno(Case):
    """One table names what the library and gmemctl itself met."""

    def met(self, *args, command):
        with tempfile.TemporaryDirectory() as folder:
            loop = os.path.join(folder, "loop")
            os.symlink(loop, loop)
            r = ctl(*args, loop, "--json")
        self.assertEqual(r.returncode, FAILED)
        error = self.valid(r.stdout, command)["error"]
        self.assertEqual(error["code"], "ELOOP")
        return error

    def test_of_the_library(self):
        error = self.met("probe", "--device", command="probe")
        self.assertIn("failed with errno 40 (ELOOP)", error["message"])

    def test_of_gmemctl(self):
        error = self.met("batch", command="batch")
        self.assertIn("Too many levels of symbolic links", error["message"])

    def test_a_path_is_traced_safely(self):
        r = ctl("probe", "-v", "--device", "/no/\x1b[31m\n")
        self.assertIn(
            'gmemctl: openat("/no/\\x1b[31m\\n", 0x80002) = -ENOENT in ', r.stderr
        )


main()
