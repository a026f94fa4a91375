#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl run: what the program gets, and how it ends."""

import errno
import os
import re
import signal
import subprocess
import sys
import tempfile

from ctl import Case, GMEMCTL, PAGE, USAGE, ctl, deny, main

PROPOSED = os.environ.get("GMEM_PROPOSED_UAPI", "ON") == "ON"
RUN = ["run", "--size", "2M", "--shared"]

# Says that it is ready, ends with 9 on SIGTERM, and by itself when orphaned.
WAITING = """
trap 'exit 9' TERM
trap 'exit 8' HUP
echo ready
while kill -0 $PPID; do sleep 0.05; done
"""


# Says that it lost its parent.
ORPHAN = """
parent=$PPID
echo ready
while read -r _ _ _ ppid _ </proc/$$/stat && test "$ppid" = "$parent"; do
    sleep 0.05
done
echo orphan
"""


class Usage(Case):
    def bad(self, *args, says):
        self.usage(*args, says=says, command="run", status=125)

    def test_usage(self):
        self.bad("run", says="a program is needed")
        self.bad("run", "--size", "2M", says="a program is needed")
        self.bad("run", "--size", "2M", "--", says="a program is needed")
        self.bad("run", "true", says="--size is needed")
        self.bad("run", "--size", "x", "true", says="--size: 'x' is not")
        self.bad("run", "--json", "true", says="does not take --json")
        self.bad("run", "--no-such", "true", says="unknown option --no-such")

    def test_before_it_is_known_that_it_is_run(self):
        self.usage("--no-such", "run", "true", says="no-such", command="")
        self.assertEqual(ctl("--no-such", "run", "true").returncode, USAGE)

    def test_no_device(self):
        r = ctl(*RUN, "--device", "/nonexistent", "true")
        self.ended(r, 125, "[no-device]; ")


class Run(Case):
    need = ("kvm",)

    def sh(self, script, *args, **kwargs):
        return ctl(*RUN, "sh", "-c", script, "sh", *args, **kwargs)

    def test_status(self):
        self.ended(self.sh("exit 0"), 0)
        self.ended(self.sh("exit 7"), 7)
        self.ended(self.sh("exit 255"), 255)
        for sig in (signal.SIGKILL, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
            self.ended(self.sh(f"kill -{int(sig)} $$"), 128 + sig)

    def test_the_program_cannot_be_run(self):
        r = ctl(*RUN, "/nonexistent/program")
        self.ended(r, 127, "gmemctl: run: /nonexistent/program: No such file")
        self.ended(ctl(*RUN, "no-such-program-anywhere"), 127, "No such file")
        self.ended(ctl(*RUN, "/"), 126, "gmemctl: run: /: Permission denied")
        self.ended(ctl(*RUN, "/etc/passwd"), 126, "Permission denied")

    def test_own_failures(self):
        r = ctl("run", "--size", "2M", "true")
        self.ended(r, 125, "[never-used]; pass --shared, or --vm-type")
        r = ctl("run", "--size", "1", "--shared", "true")
        self.ended(r, 125, "[unaligned]; ")
        r = ctl(*RUN, "--hugetlb", "2M", "true")
        self.ended(r, 125, "[hugetlb-unsupported]; ")

    def test_an_encoding_reaches_the_kernel(self):
        if not PROPOSED or "HUGETLB_PRELOAD" not in os.environ:
            return
        asked = {"page-order": f"200000 4 {21 - PAGE.bit_length() + 1:x}",
                 "rfc1": "200000 54000002 0"}
        run = ["run", "--size", "2M", "--hugetlb", "2M"]
        for kernel, create in asked.items():
            for named in asked:
                with tempfile.NamedTemporaryFile("r") as calls:
                    env = {**os.environ,
                           "LD_PRELOAD": os.environ["HUGETLB_PRELOAD"],
                           "HUGETLB": kernel, "HUGETLB_CALLS": calls.name}
                    r = ctl(*run, "--hugetlb-encoding", named, "true", env=env)
                    said = calls.read().splitlines()
                if named == kernel:
                    self.ended(r, 0)
                    self.assertEqual(said[-1], create)
                else:
                    self.ended(r, 125, "[encoding-contradicted]; leave hugetlb "
                                       "out, or name the --hugetlb-encoding")
                    self.assertFalse(set(said) & set(asked.values()), said)

    def test_an_encoding_that_this_kernel_does_not_have(self):
        if not PROPOSED:
            return
        run = ["run", "--size", "2M", "--hugetlb", "2M"]
        r = ctl(*run, "true")
        self.ended(r, 125, "[hugetlb-unsupported]; leave hugetlb out, or name "
                           "the encoding")
        r = ctl(*run, "--hugetlb-encoding", "page-order", "true")
        self.ended(r, 125, "[encoding-contradicted]; leave hugetlb out")

    def test_options_end_at_the_program(self):
        for dashes in ([], ["--"]):
            r = ctl(*RUN, *dashes, "echo", "--json", "-v", "--", "-x")
            self.ended(r, 0)
            self.assertEqual(r.stdout, "--json -v -- -x\n")

    def test_the_memory(self):
        script = """if 1:
            import mmap, os
            fd, size = int(os.environ["GMEM_FD"]), int(os.environ["GMEM_FD_SIZE"])
            assert os.fstat(fd).st_size == size == 2 << 20
            m = mmap.mmap(fd, size)
            assert m[:] == bytes(size)
            m[-5:] = b"hello"
            assert mmap.mmap(fd, size)[-5:] == b"hello"
            """
        self.ended(ctl(*RUN, sys.executable, "-c", script), 0)

    def test_nothing_else_is_handed_over(self):
        r = self.ended(self.sh('ls -l /proc/$$/fd; echo "fd=$GMEM_FD"'), 0)
        fds = dict(re.findall(r" (\d+) -> (.*)", r.stdout))
        fd = re.search("fd=(.*)", r.stdout)[1]
        self.assertEqual(set(fds), {"0", "1", "2", fd})
        self.assertIn("[kvm-gmem]", fds[fd])

    def test_what_the_caller_hands_over_stays(self):
        out, end = os.pipe()
        self.ended(self.sh(f"echo through >&{end}", pass_fds=[end]), 0)
        os.close(end)
        with os.fdopen(out) as f:
            self.assertEqual(f.read(), "through\n")

    def test_closed_standard_output_stays_closed(self):
        r = self.sh(
            "test ! -e /proc/$$/fd/1 && exit 42", preexec_fn=lambda: os.close(1)
        )
        self.ended(r, 42)

    def test_the_program_keeps_its_signals(self):
        show = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
        want = subprocess.check_output(show, text=True)
        self.assertEqual(self.ended(ctl(*RUN, *show), 0).stdout, want)

    def test_the_program_keeps_its_rights_and_gmemctl_none(self):
        caps = r"CapEff:\s*(\w+)"
        with open("/proc/self/status") as f:
            mine = re.search(caps, f.read())[1]
        r = self.sh(
            "grep ^CapEff /proc/$$/status;"
            "until grep -q '^CapEff:.0*$' /proc/$PPID/status; do sleep 0.01; done;"
            "grep ^CapPrm /proc/$PPID/status"
        )
        self.ended(r, 0)
        self.assertEqual(re.search(caps, r.stdout)[1], mine)
        self.assertEqual(int(re.search(r"CapPrm:\s*(\w+)", r.stdout)[1], 16), 0)

    def start(self, *options, script=WAITING):
        p = subprocess.Popen(
            [GMEMCTL, *RUN, *options, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def test_termination_reaches_the_program(self):
        for sig, status in ((signal.SIGTERM, 9), (signal.SIGHUP, 8)):
            p = self.start()
            p.send_signal(sig)
            self.assertEqual(p.wait(60), status)

    def test_a_killed_gmemctl_and_the_program(self):
        """The program keeps running without its VM unless its life is tied."""
        for options, says in (([], "orphan\n"), (["--die-with-parent"], "")):
            p = self.start(*options, script=ORPHAN)
            p.kill()
            self.assertEqual(p.stdout.read(), says)
            self.assertEqual(p.wait(60), -signal.SIGKILL)

    def test_a_tied_program_ends_as_others_do(self):
        r = ctl(*RUN, "--die-with-parent", "sh", "-c", "exit 7")
        self.ended(r, 7)

    def test_a_life_that_cannot_be_tied(self):
        """The program does not run with less than was asked for."""
        prctl = 157 if os.uname().machine == "x86_64" else 167
        confine = deny(prctl, errno.EPERM, signal.SIGKILL)
        r = ctl(*RUN, "--die-with-parent", "echo", "ran", preexec_fn=confine)
        self.ended(r, 125, "gmemctl: run: --die-with-parent: Operation not")
        self.assertEqual(r.stdout, "")

    def test_an_interrupt_is_the_programs(self):
        """The terminal sends it to both; gmemctl waits for the program."""
        p = self.start()
        p.send_signal(signal.SIGINT)
        p.send_signal(signal.SIGQUIT)
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(60), 9)

    def test_sigchld_ignored_by_the_caller(self):
        def ignore():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

        self.ended(self.sh("exit 7", preexec_fn=ignore), 7)

    def test_size(self):
        r = ctl("run", f"--size={PAGE}", "--shared", "sh", "-c", "echo $GMEM_FD_SIZE")
        self.assertEqual(self.ended(r, 0).stdout, f"{PAGE}\n")


main()
