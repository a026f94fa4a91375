#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl --model: every command that takes it, and those that do not."""

import json
import os
import re
import subprocess

from ctl import Case, CHECK, FAILED, GMEMCTL, HANG, OK, UNSUPPORTED, USAGE
from ctl import PAGE, ctl, main, without_inodes

MIB = 1 << 20
# Built with kernel interfaces that are not merged.
PROPOSED = os.environ.get("GMEM_PROPOSED_UAPI", "ON") == "ON"
PROFILES = [
    "6.12",
    "6.18",
    "6.19",
    "7.2",
    "7.3",
    "inplace",
    "hugetlb-rfc1",
    "hugetlb-page-order",
]
HUGE_PROFILES = PROFILES[-2:]
PRIVATE = ("--vm-type", "sw-protected")

CONVERT = """\
create ram 8M shared
bind ram 0 0
write ram 0 "hello"
private ram 2M 2M
attributes ram
read ram 0 5
shared ram 0 8M
attributes ram
"""
CONVERTED = """\
ram: 0x0 2M shared
ram: 0x200000 2M private
ram: 0x400000 4M shared
00000000  68 65 6c 6c 6f                                    |hello|
ram: 0x0 8M shared
"""
BY_GPA = """\
create ram 8M
bind ram 0 0
shared ram 2M 2M unbacked
attributes ram
"""
BY_GPA_SAYS = """\
ram: 0x0 2M private
ram: 0x200000 2M shared
ram: 0x400000 4M private
"""
HUGE = """\
create ram 64M hugetlb=2M
bind ram 0 0
populate ram 0 4M
resident ram
discard ram 0 2M
resident ram
shared ram 2M 2M unbacked
attributes ram 0 4M
stat ram
"""
HUGE_SAYS = """\
ram: populated 4M at 0x0
ram: resident   4M
ram: discarded 2M at 0x0
ram: resident   2M
ram: 0x0 2M private
ram: 0x200000 2M shared
ram: inode      N
ram: size       64M
ram: page size  2M
ram: mappable   no
ram: shared     no
ram: resident   2M
ram: slot 0 at gpa 0x0, offset 0x0, 64M, fd
"""
MAPPED = """\
create ram 8M shared
bind ram 0 0
private ram 2M 2M
populate ram 1M 2M policy=bind nodes=1
populate ram 0 8K
populate ram 6M 2M
map ram
map ram nodes
map ram 2044K 8K
"""

NODES = """\
create ram 8M shared
policy ram 0 4M set=bind nodes={}
policy ram
populate ram
placement ram 0 4M
"""


def batch(model, text, *args):
    return ctl("batch", f"--model={model}", *args, "-", input=text)


def note(model):
    """The first line, which every output for people begins with."""
    for profile in ctl("--model=help").stdout.split("\n\n")[0].split("\n"):
        if profile.startswith(f"{model} "):
            return f"# model {model}: "
    return None


class Names(Case):
    def test_help_lists_the_profiles(self):
        r = self.ended(ctl("--model=help"), OK)
        lines = r.stdout.split("\n\n")[0].split("\n")
        self.assertEqual([line.split()[0] for line in lines[::2]], PROFILES)
        for line in lines[1::2]:
            self.assertRegex(line, r"^ {14}(verified against |specification only$)")
        self.assertIn("(the default)", lines[PROFILES.index("7.3") * 2])
        for args in (
            ["probe", "--model=help"],
            ["--model=help", "why"],
            ["why", "bind", "--model=help"],
            ["conform", "--model=help"],
        ):
            self.assertEqual(self.ended(ctl(*args), OK).stdout, r.stdout)

    def test_help_as_json(self):
        text = ctl("--model=help").stdout
        for args in (["--json"], ["-j", "probe"]):
            r = self.ended(ctl("--model=help", *args), OK)
            value = self.valid(r.stdout, "model")
            self.assertEqual([p["name"] for p in value["profiles"]], PROFILES)
            self.assertEqual(value["default"], "7.3")
            self.assertEqual(value["machines"], ["software", "arm64"])
            for profile in value["profiles"]:
                verified = profile["verified"]
                self.assertIn(
                    f"verified against {verified}\n"
                    if verified
                    else f"{profile['summary']}",
                    text,
                )

    def test_unknown(self):
        names = ", ".join(PROFILES + ["help"])
        for value in ("8", "", "7.30", "help,arm64", "x" * 500):
            self.usage(
                "probe",
                f"--model={value}",
                says=f"is not one of {names}",
                command="probe",
            )
        for value in ("7.3,", "7.3,mips", "7.3,arm64,software", "7.3,help"):
            self.usage(
                "probe",
                f"--model={value}",
                says=f"--model: '{value}': behind the profile is no machine",
                command="probe",
            )

    def test_a_value_needs_an_equals_sign(self):
        self.usage(
            "probe", "--model", "6.18", says="operand '6.18'", command="probe"
        )

    def test_no_device_with_it(self):
        for args in (["--device", "/dev/kvm"], ["--device=/nonexistent"]):
            self.usage(
                "batch",
                "--model",
                *args,
                "-",
                says="--model and --device exclude each other",
                command="batch",
            )

    def test_others_refuse_it(self):
        for command in (
            ["ps"],
            ["stat", "--fd", 3],
            ["populate", "--fd", 3],
            ["discard", "--fd", 3],
            ["load", "--fd", 3, "-"],
            ["store", "--fd", 3, "-"],
            ["policy", "--fd", 3],
            ["map", "--fd", 3],
            ["doctor"],
            ["help"],
            ["commands"],
        ):
            name, *rest = command
            says = f"gmemctl: {name}: does not take --model"
            says += f": use the {name} command of gmemctl batch\n" if rest else "\n"
            self.usage(name, "--model", *rest, says=says, command=name)
            self.usage("--model=7.3", *command, says=says, command=name)
        self.usage(
            "run",
            "--model",
            says="not take --model",
            command="run",
            status=125,
        )


class Probe(Case):
    def support(self, model, *args):
        r = self.ended(ctl("probe", f"--model={model}", "--json", *args), OK)
        value = self.valid(r.stdout, "probe")
        self.assertEqual(value["model"], model)
        self.assertIsNone(value["kernel"])
        self.assertIsNone(value["device"])
        return {
            type_: {name: f["support"] for name, f in vm["features"].items()}
            for type_, vm in value["vm_types"].items()
        }, value

    def test_text_says_what_it_is(self):
        r = self.ended(ctl("probe", "--model"), OK)
        first, second = r.stdout.split("\n")[:2]
        self.assertTrue(first.startswith(note("7.3")))
        self.assertEqual(second, "VM type default of model 7.3")
        r = self.ended(ctl("probe", "--model=6.12", "--format=env"), OK)
        first, second = r.stdout.split("\n")[:2]
        self.assertTrue(first.startswith(note("6.12")))
        self.assertEqual(second, "GMEM_HAS_USER_MEMORY2=1")

    def test_profiles_differ(self):
        vm = {p: self.support(p)[0]["default"] for p in PROFILES}
        self.assertEqual(vm["6.12"]["mmap"], "no")
        self.assertEqual(vm["6.18"]["mmap"], "yes")
        self.assertEqual(vm["6.18"]["mempolicy"], "no")
        self.assertEqual(vm["6.19"]["mempolicy"], "yes")

    def test_vm_types(self):
        found, _ = self.support("7.3", "--vm-type", "all")
        self.assertEqual(set(found), {"default", "sw-protected"})
        self.assertEqual(found["sw-protected"]["vm-attributes"], "yes")
        found, _ = self.support("inplace", *PRIVATE)
        self.assertEqual(found["sw-protected"]["file-attributes"], "yes")
        found, _ = self.support("7.3", "--vm-type", "tdx")
        self.assertEqual(found["tdx"]["vm-attributes"], "yes")
        r = ctl("probe", "--model=6.12", "--vm-type", "tdx")
        self.ended(r, UNSUPPORTED, "[vm-type-unsupported]")

    def test_the_usual_vm_types_are_always_there(self):
        usual = {"vm-default", "vm-sw-protected"}
        for asked in ("default", "sw-protected", "snp", "tdx", "sev"):
            found, _ = self.support("7.3", "--vm-type", asked)
            there = {
                name
                for name, support in found[asked].items()
                if name.startswith("vm-") and support == "yes"
            }
            self.assertEqual(there - {"vm-attributes"}, usual | {f"vm-{asked}"})

    def test_machines(self):
        found, value = self.support("7.3,arm64")
        self.assertEqual(value["machine"], "aarch64")
        self.assertEqual(found["default"]["memory-fault-exit"], "yes")
        _, value = self.support("7.3,software")
        self.assertEqual(value["machine"], "x86_64")
        for machine in ("arm64", "software"):
            r = ctl("probe", f"--model=7.3,{machine}", *PRIVATE)
            self.ended(r, UNSUPPORTED, "[vm-type-unsupported]")

    def test_required(self):
        r = ctl("probe", "--model=6.12", "--require", "mmap")
        self.ended(r, UNSUPPORTED, "mmap is missing on VM type default")

    def test_no_list_of_system_calls(self):
        self.usage(
            "probe",
            "--model",
            "--format=seccomp",
            says="--model",
            command="probe",
        )


class Why(Case):
    def test_answers(self):
        bind = ["why", "bind", "--shared", "--size", "2M", "--slot", "0"]
        r = self.ended(ctl(*bind, "--gpa", "0", "--model"), OK)
        self.assertTrue(r.stdout.startswith(note("7.3")))
        self.assertIn("\nok: would be accepted in fd mode\n", r.stdout)
        r = self.ended(ctl(*bind, "--gpa", "0x800", "--model=6.18"), CHECK)
        self.assertTrue(r.stdout.startswith(note("6.18")))
        self.assertIn("rule: unaligned\n", r.stdout)
        r = self.ended(ctl(*bind, "--gpa", "0", "--model=6.12", "--json"), UNSUPPORTED)
        value = self.valid(r.stdout, "why")
        self.assertEqual(value["model"], "6.12")
        self.assertEqual(value["rule"]["reason"], "no-guest-memfd")

    def test_conversion(self):
        ask = ["why", "attributes", "--to", "private", "--size", "2M", *PRIVATE]
        ask += ["--with", "0:0:0:2M", "--shared"]
        self.ended(ctl(*ask, "--model=inplace"), OK)
        self.ended(ctl(*ask, "--model=7.3"), UNSUPPORTED)

    def test_huge_pages(self):
        ask = ["why", "create", "--hugetlb", "2M", *PRIVATE, "--size"]
        self.ended(ctl(*ask, "64M", "--model=7.3"), UNSUPPORTED)
        for model in HUGE_PROFILES:
            r = ctl(*ask, "64M", f"--model={model}")
            self.ended(r, OK if PROPOSED else UNSUPPORTED)
            r = self.ended(ctl(*ask, "3M", f"--model={model}"), CHECK)
            self.assertIn("rule: unaligned", r.stdout)


class Batch(Case):
    def said(self, model, text, *args):
        r = self.ended(batch(model, text, *args), OK)
        first, rest = r.stdout.split("\n", 1)
        self.assertTrue(first.startswith(note(model)), first)
        return without_inodes(rest)

    def test_conversion_in_place(self):
        self.assertEqual(self.said("inplace", CONVERT, *PRIVATE), CONVERTED)

    def test_conversion_by_address(self):
        for model in ("6.12", "6.18", "7.3"):
            self.assertEqual(self.said(model, BY_GPA, *PRIVATE), BY_GPA_SAYS)

    def test_huge_pages(self):
        for model in HUGE_PROFILES:
            if PROPOSED:
                self.assertEqual(self.said(model, HUGE, *PRIVATE), HUGE_SAYS)
            else:
                self.ended(batch(model, HUGE, *PRIVATE), UNSUPPORTED, "huge page")

    def test_where_a_slot_loses_huge_pages(self):
        if not PROPOSED:
            return
        text = ("create ram 64M hugetlb=2M\nbind ram 0 0x1000\nunbind ram 0\n"
                "bind ram 0 0x1ff000 0x1ff000 0x402000\nunbind ram 0\n"
                "bind ram 0 4M\n")
        no = ("huge pages: none for the guest: gpa 0x1000 and offset 0x0 lie "
              "differently in a page of 2M, or none fits into the slot\n")
        part = ("huge pages: none where the slot begins: gpa 0x1ff000 is not a "
                "multiple of 2M\nhuge pages: none where the slot ends: gpa + len "
                "0x601000 is not a multiple of 2M\n")
        if PAGE != 4096:
            text = text.replace("1000", "10000").replace("1ff000", "1f0000")
            text = text.replace("0x402000", "0x420000")
            no = no.replace("1000", "10000")
            part = part.replace("1ff000", "1f0000").replace("601000", "610000")
        for model in HUGE_PROFILES:
            self.assertEqual(self.said(model, text, *PRIVATE), no + part)
            args = ["batch", f"--model={model}", *PRIVATE, "--json", "-"]
            value = json.loads(self.ended(ctl(*args, input=text), OK).stdout)
            lost = [r["huge_pages_lost"] for r in value["results"]
                    if r["command"] == "bind"]
            self.assertEqual(lost, [["no-huge"], ["small-start", "small-end"], []])
            # of the model only: nothing is lost in a dry run
            args = ["batch", f"--model={model}", *PRIVATE, "--dry-run", "-"]
            r = self.ended(ctl(*args, input=text), OK)
            self.assertNotIn("huge pages", r.stdout)

    def test_map(self):
        columns = {**os.environ, "COLUMNS": str(20 + 64)}
        args = ["batch", "--model=inplace", *PRIVATE, "-"]
        r = self.ended(ctl(*args, input=MAPPED, env=columns), OK)
        rows = re.findall(r"(?m)^(0x\w+|state {13}|node {14}) (.*)$", r.stdout)
        first = "".join(marks for _, marks in rows[:32:2])
        self.assertEqual(
            first, "#" + "." * 127 + "#" * 256 + "." * 384 + "#" * 256
        )
        states = "".join(marks for _, marks in rows[1:32:2])
        self.assertEqual(states, "s" * 256 + "p" * 256 + "s" * 512)
        nodes = [marks for at, marks in rows if at.startswith("node")]
        self.assertEqual("".join(nodes), "0" + "1" * 128 + "?" * 128 + "0" * 256)
        self.assertEqual(
            rows[-2:], [("0x00000000001ff000", "##"), ("state".ljust(18), "sp")]
        )
        self.assertNotRegex(r.stdout, r"(?m) $")

    def test_map_of_what_was_never_touched(self):
        text = "create ram 8M\nbind ram 0 0 0 6M\nshared ram 0 3M unbacked\nmap ram\n"
        columns = {**os.environ, "COLUMNS": str(20 + 4)}
        args = ["batch", "--model=7.3", *PRIVATE, "-"]
        rows = self.ended(ctl(*args, input=text, env=columns), OK).stdout
        self.assertIn("\n0x0000000000000000 ....\nstate              ssss\n", rows)
        states = "".join(re.findall(r"(?m)^state +(\w+)$", rows))
        self.assertEqual(states, "s" * 24 + "p" * 24 + "u" * 16)
        text = text.replace("3M", "3008K")  # half a mark
        rows = self.ended(ctl(*args, input=text, env=columns), OK).stdout
        states = "".join(re.findall(r"(?m)^state +(\w+)$", rows))
        self.assertEqual(states, "s" * 23 + "m" + "p" * 24 + "u" * 16)

    def test_map_as_json(self):
        r = self.ended(batch("inplace", MAPPED, *PRIVATE, "--json"), OK)
        plain, nodes, _ = self.valid(r.stdout, "batch")["results"][-3:]
        want = [
            (0, 8 << 10, "shared", True, 0),
            (8 << 10, MIB - (8 << 10), "shared", False, None),
            (MIB, MIB, "shared", True, 1),
            (2 * MIB, MIB, "private", True, None),
            (3 * MIB, MIB, "private", False, None),
            (4 * MIB, 2 * MIB, "shared", False, None),
            (6 * MIB, 2 * MIB, "shared", True, 0),
        ]
        for result, known in ((plain, False), (nodes, True)):
            runs = [
                tuple(x[k] for k in ("offset", "len", "state", "resident", "node"))
                for x in result["runs"]
            ]
            self.assertEqual(
                runs, want if known else [(*run[:4], None) for run in want]
            )

    def test_map_of_what_has_no_slot(self):
        text = "create ram 2M\nbind ram 0 0 0 1M\npopulate ram\nmap ram\n"
        r = self.ended(
            ctl("batch", "--model=7.3", *PRIVATE, "--json", "-", input=text), OK
        )
        runs = self.valid(r.stdout, "batch")["results"][-1]["runs"]
        self.assertEqual([x["state"] for x in runs], ["private", "unset"])

    def test_two_nodes(self):
        for nodes, shown in (
            ("1", "1"),
            ("all", "0-1"),
            ("!0", "1"),
            ("+0-1", "0-1"),
            ("0,1", "0-1"),
        ):
            text = self.said("7.3", NODES.format(nodes))
            self.assertIn(f"ram: policy bind {shown}\n", text)
            self.assertIn("ram: placed: well\n", text)
        self.assertIn("ram: nodes: 1:4M\n", self.said("7.3", NODES.format("1")))
        for nodes, why in (
            ("2", "node 2 of policy bind is not online; this process may use 0-1"),
            ("0-5", "node 2 of policy bind is not online"),
            ("5000", "'5000': no kernel has node 5000"),
            ("0-4294967296", "no kernel has node 1024"),
            ("+2", "'+2': this process may use fewer nodes than 3"),
            ("!all", "policy mode bind needs a node"),
        ):
            r = batch("7.3", NODES.format(nodes))
            self.ended(r, FAILED, why)
            self.assertIn("[policy-nodes]", r.stderr)
        r = batch("7.3", NODES.format("99999999999999999999"))
        self.assertNotEqual(r.returncode, OK)
        self.assertIn("'99999999999999999999'", r.stderr)
        r = batch("6.18", NODES.format("1"))
        self.ended(r, UNSUPPORTED, "[policy-ignored]")

    def test_json(self):
        r = self.ended(batch("inplace", CONVERT, *PRIVATE, "--json"), OK)
        value = self.valid(r.stdout, "batch")
        self.assertEqual(value["model"], "inplace")
        states = [run["state"] for run in value["results"][4]["runs"]]
        self.assertEqual(states, ["shared", "private", "shared"])

    def test_dry_run(self):
        r = self.ended(batch("inplace", CONVERT, *PRIVATE, "--dry-run"), OK)
        head, model, *lines = r.stdout.splitlines()
        self.assertEqual(head, "# dry run: nothing is made")
        self.assertTrue(model.startswith("# model inplace: verified against "))
        self.assertEqual(len(lines), len(CONVERT.splitlines()))

    def test_calls_are_told(self):
        r = batch("7.3", "create ram 4K shared\n", "--verbose")
        self.assertEqual(r.returncode, OK)
        self.assertIn("gmemctl: KVM_CREATE_GUEST_MEMFD(", r.stderr)
        self.assertIn('gmemctl: openat("/dev/kvm", 0x80002) = ', r.stderr)


class Nothing(Case):
    """Neither rights nor a device are needed."""

    need = ("userns",)

    def test_without_device_and_rights(self):
        for args in (
            ["probe", "--model"],
            ["why", "create", "--size", "4K", "--shared", "--model"],
            ["batch", "--model=inplace", *PRIVATE, "-"],
            ["conform", "--model=inplace"],
        ):
            script = 'mount -t tmpfs none /dev && exec "$0" "$@"'
            r = subprocess.run(
                ["unshare", "-Urm", "sh", "-c", script, GMEMCTL, *args],
                input=CONVERT,
                capture_output=True,
                text=True,
                timeout=HANG,
                check=False,
            )
            self.assertEqual((r.returncode, r.stderr), (OK, ""), r)


main()
