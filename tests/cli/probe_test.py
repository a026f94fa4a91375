#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl probe, and what every command says about the device."""

import os
import pathlib
import resource
import stat
import subprocess
import tempfile

from ctl import ACCESS, Case, FAILED, GMEMCTL, HANG, OK, UNSUPPORTED, USAGE
from ctl import ctl, in_reach, main

KVM = os.makedev(10, 232)


def files(n):
    """Leaves a program only file descriptors below n."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


class Seccomp(Case):
    def test_list(self):
        r = self.ended(ctl("probe", "--format", "seccomp"), OK)
        head, *lines = r.stdout.splitlines()
        self.assertEqual(head[0], "#")
        calls = {}
        for line in lines:
            name, request, number, *callers = line.split()
            calls[name, request] = number
            self.assertTrue(callers)
            for caller in callers:
                self.assertRegex(caller, "^gmem_[a-z_]+$")
            self.assertEqual(request == "-", number == "-")
        self.assertEqual(len(calls), len(lines))
        self.assertEqual(calls["ioctl", "KVM_CREATE_GUEST_MEMFD"], "0xc040aed4")
        self.assertIn(("process_vm_readv", "-"), calls)

    def test_json_is_another_format(self):
        for format_ in ("text", "env", "seccomp"):
            r = ctl("probe", "--json", "--format", format_)
            self.ended(r, USAGE, f"--json and --format {format_} exclude")
            self.valid(r.stdout, "probe")

    def test_looks_at_no_vm(self):
        r = ctl("probe", "--format", "seccomp", "--device", "/nonexistent")
        self.ended(r, OK)
        for more in (["--vm-type", "snp"], ["--require", "mmap"]):
            self.usage(
                "probe",
                "--format",
                "seccomp",
                *more,
                says=more[0],
                command="probe",
            )


class Names(Case):
    """A mistake in --require is one on every machine."""

    MISTAKES = (
        ("nmap", "; did you mean mmap?"),
        ("mmap,init-shred", "; did you mean init-shared?"),
        ("vm-tdxx", "; did you mean vm-tdx?"),
        ("mmap,MMAP", "'MMAP' is not a feature of gmemctl probe\n"),
        ("xyzzy", "'xyzzy' is not a feature of gmemctl probe\n"),
        ("", "'' is not a feature of gmemctl probe\n"),
    )
    # Where there is KVM, where not, and on models with and without the feature.
    HOSTS = ([], ["--device=/nonexistent"], ["--model"], ["--model=6.12,arm64"])

    def test_a_wrong_name_is_wrong_usage_with_or_without_kvm(self):
        for names, says in self.MISTAKES:
            for host in self.HOSTS:
                args = ["probe", f"--require={names}", *host]
                with self.subTest(args):
                    self.usage(*args, says=says, command="probe")
                    for more in ["--json"], ["--vm-type=snp"]:
                        self.assertEqual(ctl(*args, *more).returncode, USAGE)

    def test_a_right_name_asks_the_host(self):
        args = ["probe", "--require=mmap", "--device=/nonexistent"]
        self.ended(ctl(*args), UNSUPPORTED, "[no-device]; ")


class Width(Case):
    def test_lines_fit_a_terminal(self):
        said = self.valid(ctl("--model=help", "--json").stdout, "model")
        for profile in [p["name"] for p in said["profiles"]]:
            for machine in "", ",software", ",arm64":
                for args in ["probe"], ["probe", "--vm-type=all"]:
                    r = ctl(*args, f"--model={profile}{machine}")
                    for line in r.stdout.splitlines()[1:]:
                        self.assertLessEqual(len(line), 80, line)


class Device(Case):
    def test_none(self):
        for args in (
            ["probe"],
            ["why", "create", "--size", "4K"],
            ["batch", "/dev/null"],
        ):
            r = ctl(*args, "--device", "/nonexistent")
            self.ended(r, UNSUPPORTED, "[no-device]; ")
            self.assertEqual(r.stdout, "")
            r = ctl(*args, "--device", "/nonexistent", "--json")
            self.ended(r, UNSUPPORTED, "/nonexistent")
            error = self.valid(r.stdout, args[0])["error"]
            self.assertEqual(error["reason"], "no-device")

    def test_something_else(self):
        r = ctl("probe", "--device", "/dev/null")
        self.ended(r, FAILED, "[not-kvm]; ")

    def test_all_formats_fail_alike(self):
        for f in ("text", "json", "env"):
            r = ctl("probe", "--format", f, "--device", "/nonexistent")
            self.assertEqual(r.returncode, UNSUPPORTED)


class Permission(Case):
    """A copy of the device's node that the user may not open."""

    need = ("root", "mounts")

    def setUp(self):
        super().setUp()
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.node = pathlib.Path(self.dir.name, "kvm")
        os.mknod(self.node, stat.S_IFCHR | 0o600, KVM)

    def run_as(self, setpriv, *args):
        command = ["setpriv", *setpriv, "/mnt/gmemctl", *args, "--device", "/mnt/kvm"]
        return subprocess.run(
            in_reach(self.dir.name, *command),
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )

    def test_nobody(self):
        nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        r = self.run_as(nobody, "probe")
        self.ended(r, ACCESS, "[device-access]; ")
        self.assertIn("mode 0600, owner root and group root", r.stderr)
        self.assertIn("has no cap_dac_override", r.stderr)
        r = self.run_as(nobody, "probe", "--json")
        error = self.valid(r.stdout, "probe")["error"]
        self.assertEqual(error["reason"], "device-access")
        self.assertIn("cap_dac_override", error["remedy"])
        r = self.run_as(nobody, "run", "--size", "4K", "--shared")
        self.assertEqual(r.returncode, 125)

    def refused(self, setpriv, remedy):
        """The remedy, which says this, of the device that is refused."""
        r = self.run_as(setpriv, "probe", "--json")
        error = self.valid(r.stdout, "probe")["error"]
        self.assertEqual(r.returncode, ACCESS, r)
        self.assertEqual(error["reason"], "device-access")
        self.assertIn(remedy, error["remedy"])

    def test_each_remedy_leads_on(self):
        """A mode, then a group, as each refusal says; then nothing is left."""
        nobody = ["--reuid=65534", "--regid=65534"]
        outside, member = [*nobody, "--clear-groups"], [*nobody, "--groups=54321"]
        os.chown(self.node, 0, 54321)
        for mode in (0o600, 0o640):
            os.chmod(self.node, mode)
            self.refused(outside, "let a group read and write it (mode 0660)")
            self.refused(member, "let a group read and write it (mode 0660)")
        os.chmod(self.node, 0o660)
        self.refused(outside, "join group 54321")
        r = self.run_as(member, "probe", "--json")
        self.assertNotIn("error", self.valid(r.stdout, "probe"))
        self.assertEqual(r.returncode, OK, r)

    def test_a_mode_that_does_not_refuse_is_not_blamed(self):
        os.chmod(self.node, 0o666)
        os.mkdir(f"{self.dir.name}/dev")
        script = (
            'mount -t tmpfs -o nodev none "$0/dev" && cp -a "$0/kvm" "$0/dev" &&'
            ' exec "$@" --device "$0/dev/kvm"'
        )
        for capable in (True, False):
            drop = [] if capable else ["setpriv", "--bounding-set=-dac_override"]
            r = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, self.dir.name]
                + [*drop, GMEMCTL, "probe"],
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
            self.ended(r, ACCESS, "mode 0666 does not refuse it")
            self.assertEqual("has cap_dac_override" in r.stderr, capable, r)

    def test_root_without_the_capability(self):
        os.chown(self.node, 1, 1)
        r = self.run_as(["--bounding-set=-dac_override"], "probe")
        self.ended(r, ACCESS, "has no cap_dac_override")


class Probe(Case):
    need = ("kvm",)

    def setUp(self):
        super().setUp()
        r = self.ended(ctl("probe", "--json"), OK)
        self.json = self.valid(r.stdout, "probe")
        self.features = self.json["vm_types"]["default"]["features"]

    def test_this_machine(self):
        """The reference is the kernel's own answer, see missing_kvm()."""
        for name in ("guest-memfd", "mmap", "init-shared", "vm-default"):
            self.assertEqual(self.features[name]["support"], "yes", name)
        self.assertEqual(self.json["kernel"], os.uname().release)
        self.assertEqual(self.json["device"], "/dev/kvm")
        self.assertEqual(self.json["missing"], [])

    def test_text(self):
        r = self.ended(ctl("probe"), OK)
        title, head, *lines = r.stdout.splitlines()
        self.assertTrue(title.startswith("VM type default of /dev/kvm on Linux "))
        self.assertEqual(
            head, "FEATURE             SUPPORT SINCE  ANSWER  HOW KNOWN"
        )
        self.assertEqual(len(lines), len(self.features))
        for line, (name, f) in zip(lines, self.features.items()):
            word = line.split()
            self.assertEqual(word[0], name)
            self.assertEqual(word[1], f["support"])
            self.assertEqual(word[2], f["since"] or "-")
            self.assertTrue(line.endswith(f["known_by"]))
            # The columns line up with the head.
            self.assertEqual(line[20 : 20 + len(word[1])], word[1])
            self.assertEqual(line[28 : 28 + len(word[2])], word[2])

    def test_env(self):
        r = self.ended(ctl("probe", "--format", "env"), OK)
        values = {"yes": "1", "no": "0", "unknown": ""}
        want = {
            f"GMEM_HAS_{name.upper().replace('-', '_')}": values[f["support"]]
            for name, f in self.features.items()
        }
        script = r.stdout + "\nset | grep ^GMEM_HAS_"
        shell = subprocess.check_output(["sh", "-euc", script], text=True)
        got = dict(line.split("=", 1) for line in shell.splitlines())
        self.assertEqual({k: v.strip("'") for k, v in got.items()}, want)

    def test_all_types(self):
        r = ctl("probe", "--vm-type", "all", "--json")
        offered = self.valid(r.stdout, "probe")["vm_types"]
        want = {
            name.removeprefix("vm-")
            for name, f in self.features.items()
            if name.startswith("vm-")
            and name != "vm-attributes"
            and f["support"] == "yes"
        }
        self.assertEqual(set(offered), want)
        text = ctl("probe", "--vm-type", "all").stdout
        self.assertEqual(text.count("VM type "), len(offered))
        self.usage(
            "probe",
            "--vm-type=all",
            "--format=env",
            says="one VM type",
            command="probe",
        )

    def test_a_type_that_is_not_offered(self):
        for name, f in self.features.items():
            if name.startswith("vm-") and f["support"] == "no":
                kind = name.removeprefix("vm-")
                if kind == "attributes":
                    continue
                r = ctl("probe", "--vm-type", kind)
                self.ended(r, UNSUPPORTED, "[vm-type-unsupported]; ")
                self.assertIn(f"no VM type {kind}", r.stderr)

    def test_required_and_there(self):
        r = self.ended(ctl("probe", "--require", "mmap,init-shared"), OK)
        names = [line.split()[0] for line in r.stdout.splitlines()[2:]]
        self.assertEqual(names, ["mmap", "init-shared"])

    def test_required_and_missing(self):
        lacking = [n for n, f in self.features.items() if f["support"] != "yes"]
        require = ",".join(["mmap", *lacking])
        r = ctl("probe", "--require", require)
        self.assertEqual(r.returncode, UNSUPPORTED)
        lines = r.stderr.splitlines()
        self.assertEqual(len(lines), len(lacking))
        for name, line in zip(lacking, lines):
            self.assertTrue(
                line.startswith(
                    f"gmemctl: probe: {name} is missing on VM type default: "
                )
            )
            self.assertIn(self.features[name]["support"], line)
        r = ctl("probe", "--json", "--require", require)
        self.assertEqual(r.returncode, UNSUPPORTED)
        missing = self.valid(r.stdout, "probe")["missing"]
        self.assertEqual([m["feature"] for m in missing], lacking)

    def test_required_and_no_such_feature(self):
        for names in ("", ",", "mmap,", "mmap,no-such", "mma", "mmapp"):
            self.usage(
                "probe",
                f"--require={names}",
                says="is not a feature",
                command="probe",
            )

    def test_what_could_not_be_found_out(self):
        """Descriptors for device and VM, but too few for scratch files."""
        r = ctl("probe", "--json", preexec_fn=files(5))
        features = self.valid(r.stdout, "probe")["vm_types"]["default"]["features"]
        self.assertEqual(features["mempolicy"]["support"], "unknown")
        self.assertLess(features["mempolicy"]["answer"], 0)
        self.assertEqual(features["mmap"]["support"], "yes")
        r = ctl("probe", "--format", "env", preexec_fn=files(5))
        self.assertIn("\nGMEM_HAS_MEMPOLICY=\n", r.stdout)
        r = ctl("probe", "--require", "mmap,mempolicy", preexec_fn=files(5))
        self.ended(r, UNSUPPORTED, "unknown, which counts as missing")
        self.assertRegex(r.stdout, r"mempolicy +unknown +6\.19 +-EMFILE ")

    def test_no_descriptors_left(self):
        for args in (["probe"], ["why", "create", "--shared", "--size=2M"]):
            r = ctl(*args, preexec_fn=files(4))
            self.ended(r, FAILED, "[fd-limit]; ")
            self.assertEqual(r.stdout, "")

    def test_verbose(self):
        r = ctl("probe", "-v")
        self.assertEqual(r.returncode, OK)
        for line in r.stderr.splitlines():
            self.assertRegex(
                line,
                r'^gmemctl: [A-Za-z_0-9]+\((("[^"]*"|0x[0-9a-f]+)(, )?)+\)'
                r" = (\d+|-E[A-Z0-9]+) in \d+ ns$",
            )
        self.assertIn("gmemctl: KVM_CREATE_VM(", r.stderr)
        self.assertIn('gmemctl: openat("/dev/kvm", 0x80002) = ', r.stderr)


main()
