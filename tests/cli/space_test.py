#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl stat, populate, discard, load and store, with the kernel as reference."""

import errno
import mmap
import os
import re
import resource
import signal
import subprocess
import tempfile

from ctl import ACCESS, CHECK, Case, FAILED, GMEMCTL, HANG, OK, PAGE, USAGE
from ctl import ctl, deny, drop_override, main, terminal_text
from foreign import Foreign, guest_memfd, resident

MIB = 1 << 20
PRELOAD = f"LD_PRELOAD={os.environ.get('CGROUP_PRELOAD', '')}"
ALL = ("stat", "populate", "discard", "load", "store", "policy", "map")


class Usage(Case):
    def test_target(self):
        for command in ALL:
            file = ["/dev/null"] if command in ("load", "store") else []
            for args, says in (
                ([], "--fd is needed"),
                (["--pid", 1], "--fd is needed"),
                (["--fd", "x"], "--fd: 'x' is not a number"),
                (["--fd", 2**31], "--fd is beyond 2^31 - 1"),
                (["--fd", 3, "--pid", 2**31], "--pid is beyond 2^31 - 1"),
                (["--fd", 3, "--len", "1Q"], "--len: '1Q' is not a size"),
            ):
                if command == "discard" and "--pid" in args:
                    args = [*args, "--yes-destroy"]
                self.usage(command, *args, *file, says=says, command=command)

    def test_no_such_descriptor(self):
        for command in ALL:
            file = ["/dev/null"] if command in ("load", "store") else []
            r = ctl(command, "--fd", 77, *file)
            says = f"{command}: --fd 77: Bad file descriptor; name one that is open"
            self.ended(r, FAILED, says)
            r = ctl(command, "--fd", 77, "--json", *file)
            error = self.valid(r.stdout, command)["error"]
            self.assertEqual(error["message"], "--fd 77: Bad file descriptor")
            self.assertIn("gmemctl ps", error["remedy"])

    def test_not_a_guest_memfd(self):
        with open("/dev/null") as null:
            fd = null.fileno()
            r = ctl("stat", "--fd", fd, pass_fds=[fd])
            self.ended(r, FAILED, f"fd {fd} is not a guest_memfd [not-guest-memfd]")
            r = ctl("stat", "--fd", fd, "--pid", os.getpid())
        self.ended(r, FAILED, f"fd {fd} of process {os.getpid()} is not a guest")

    def test_no_such_process(self):
        pid = 2**22 + 1  # beyond the largest
        r = ctl("stat", "--fd", 3, "--pid", pid)
        self.ended(r, FAILED, f"stat: process {pid}: No such process; name one that runs")

    def test_a_descriptor_that_may_not_be_copied(self):
        r = ctl(
            *("stat", "--fd", 0, "--pid", os.getpid()), preexec_fn=deny(438, 1)
        )
        self.ended(r, ACCESS, "may not be copied: ")

    def test_anothers_memory(self):
        self.usage(
            *("discard", "--fd", 3, "--pid", os.getpid()),
            says="only with --yes-destroy",
            command="discard",
        )

    def test_load(self):
        for args in ([], ["a", "b"]):
            for command in ("load", "store"):
                says = "one file"
                self.usage(command, "--fd", 3, *args, says=says, command=command)

    def test_policy_words(self):
        for args, says in (
            (["--nodes", "0"], "--nodes: '0' needs a policy: add --policy MODE"),
            (["--policy", "bind", "--nodes", "0,"], "'0,' is not a set of nodes"),
            (["--policy", "bind", "--nodes", "3-1"], "'3-1' is not a set"),
            (["--policy", "bound"], "'bound' is not one of default,"),
        ):
            self.usage("populate", "--fd", 3, *args, says=says, command="populate")
        for n in 0, 257, 4294967295:
            says = f"--threads: '{n}' is not from 1 to 256"
            args = "populate", "--fd", 3, "--threads", n
            self.usage(*args, says=says, command="populate")


class Memory(Case):
    need = ("kvm",)

    def on(self, fd, command, *args, **kwargs):
        return ctl(command, "--fd", fd, *args, pass_fds=[fd], **kwargs)

    def json(self, fd, command, *args, status=OK):
        r = self.on(fd, command, "--json", *args)
        self.assertEqual(r.returncode, status, r)
        return self.valid(r.stdout, command)


class Stat(Memory):
    def test_stat(self):
        for flags in (0, 1, 3):
            fd = guest_memfd(self, 4 * MIB, flags)
            self.ended(self.on(fd, "populate", "--offset=1M", "--len=8K"), OK)
            got = self.json(fd, "stat")
            self.assertEqual(got["size"], 4 * MIB)
            self.assertEqual(got["inode"], os.fstat(fd).st_ino)
            self.assertEqual(got["page_size"], PAGE)
            self.assertEqual(got["mappable"], flags != 0)
            self.assertEqual(got["shared"], None if flags else False)
            self.assertEqual(got["resident"], 8192)
            self.assertEqual(self.json(fd, "stat", "--len=1M")["resident"], 0)
            other = ["--pid", os.getpid()]
            got = self.json(fd, "stat", *other)
            self.assertEqual((got["pid"], got["resident"]), (os.getpid(), 8192))
        r = self.ended(self.on(fd, "stat"), OK)
        self.assertEqual(
            r.stdout,
            f"inode      {os.fstat(fd).st_ino}\nsize       4M\n"
            "page size  4K\nmappable   yes\nresident   8K\n",
        )

    def test_ranges(self):
        fd = guest_memfd(self, 4 * MIB)
        for command in ("stat", "populate", "discard"):
            for args, reason in (
                (["--offset=1"], "unaligned"),
                (["--len=1"], "unaligned"),
                (["--len=0"], "zero-size"),
                (["--offset=4M"], "outside-file"),
                (["--offset=5M", "--len=4K"], "outside-file"),
                (["--len=5M"], "outside-file"),
                (["--offset=0xfffffffffffff000", "--len=4K"], "o"),
            ):
                r = self.on(fd, command, *args)
                self.ended(r, FAILED, f"[{reason}")
                r = self.on(fd, command, "--json", *args)
                self.valid(r.stdout, command)
        self.assertEqual(resident(fd), 0)

    def test_as_standard_input(self):
        fd = guest_memfd(self, MIB)
        r = ctl("stat", "--fd", 0, stdin=fd)
        self.assertIn("size       1M", self.ended(r, OK).stdout)


class Populate(Memory):
    def test_private_and_shared(self):
        for flags, shared in ((0, []), (1, []), (3, []), (3, ["--shared"])):
            fd = guest_memfd(self, 8 * MIB, flags)
            got = self.json(fd, "populate", "--offset=2M", "--len=3M", *shared)
            self.assertEqual((got["done"], got["resident"]), (3 * MIB, 3 * MIB))
            self.assertEqual(resident(fd), 3 * MIB)
            self.assertEqual(resident(fd, 2 * MIB, 3 * MIB), 3 * MIB)
            r = self.ended(self.on(fd, "populate", "--threads=2", *shared), OK)
            self.assertEqual(r.stdout, "populated 8M at 0x0\n")
            self.assertEqual(resident(fd), 8 * MIB)

    def test_of_another_process(self):
        foreign = Foreign(self, "three")
        for held in foreign.held:
            r = ctl("populate", "--pid", held.pid, "--fd", held.fd)
            self.ended(r, OK)
            r = ctl("stat", "--json", "--pid", held.pid, "--fd", held.fd)
            self.assertEqual(self.valid(r.stdout, "stat")["resident"], held.size)

    def test_policy(self):
        fd = guest_memfd(self, 4 * MIB)
        for args in (["bind", "--nodes=0"], ["interleave", "--nodes=all"], ["local"]):
            self.ended(self.on(fd, "discard"), OK)
            self.ended(self.on(fd, "populate", "--shared", "--policy", *args), OK)
            self.assertEqual(resident(fd), 4 * MIB)
        self.ended(self.on(fd, "discard"), OK)
        r = self.on(fd, "populate", "--policy=bind")
        self.ended(r, FAILED, "[policy-nodes]; ")
        r = self.on(fd, "populate", "--policy=bind", "--nodes=1000")
        self.ended(r, FAILED, "populate: node 1000 of policy bind is not online; this")
        self.assertEqual(len(r.stderr.splitlines()), 1)
        self.assertEqual(resident(fd), 0)

    def test_wrongly_said_to_be_shared(self):
        fd = guest_memfd(self, MIB, 1)
        r = self.on(fd, "populate", "--shared")
        self.assertIn("[private]; ", r.stderr)
        fd = guest_memfd(self, MIB, 0)
        r = self.on(fd, "populate", "--shared")
        self.ended(r, FAILED, "[init-shared-unmappable]; leave --shared out")


class Charge(Memory):
    """Whose memory cgroup pays, with cgroups that are plain files."""

    need = ("kvm", "root", "mounts", "cgroup-preload")

    def setUp(self):
        super().setUp()
        self.held = Foreign(self, "three").held[2]
        self.tree = tempfile.TemporaryDirectory()
        self.addCleanup(self.tree.cleanup)
        self.cgroup("", "cgroup.controllers", "memory\n")
        for name in "vms", "vms/its", "mine":
            self.cgroup(name, "cgroup.controllers", "memory\n")
            self.cgroup(name, "cgroup.procs", "")
            self.cgroup(name, "memory.current", "0\n")

    def cgroup(self, name, file, text):
        path = os.path.join(self.tree.name, name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, file), "w", encoding="ascii") as f:
            f.write(text)

    def run_in(self, command, *args, mine="0::/mine", its="0::/vms/its", **kwargs):
        """gmemctl on the file, as if both processes were in these cgroups."""
        for name, text in ("of-me", mine), ("of-it", its):
            with open(f"{self.tree.name}/{name}", "w", encoding="ascii") as f:
                f.write(f"9:name=systemd:/\n{text}\n")
        script = (
            'mount --bind "$0" /sys/fs/cgroup && cd "$0" && pid=$1 && shift &&'
            "mount --bind of-it /proc/$pid/cgroup &&"
            "mount --bind of-me /proc/$$/cgroup &&"
            'echo 7 >/proc/$$/oom_score_adj && exec "$@"'
        )
        held = self.held
        target = ["--pid", held.pid, "--fd", held.fd, "--shared", *args]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, self.tree.name]
            + list(map(str, [held.pid, "env", PRELOAD, GMEMCTL, command, *target])),
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
            **kwargs,
        )

    def entered(self):
        found = []
        for name in "", "vms", "vms/its", "mine", "..its":
            path = f"{self.tree.name}/{name}/cgroup.procs"
            if os.path.exists(path) and os.path.getsize(path):
                found.append(name)
        return found

    def resident(self):
        r = ctl("stat", "-j", "--pid", self.held.pid, "--fd", self.held.fd)
        return self.valid(r.stdout, "stat")["resident"]

    def refused(self, says, status=FAILED, **kwargs):
        before = self.resident()
        r = self.run_in("populate", **kwargs)
        self.ended(r, status, says)
        self.assertIn("or add --charge-me", r.stderr)
        r = self.run_in("populate", "--json", **kwargs)
        self.assertEqual(r.returncode, status)
        error = self.valid(r.stdout, "populate")["error"]
        self.assertEqual(error["reason"], "system")
        self.assertIn("or add --charge-me", error["remedy"])
        r = self.run_in("load", "/dev/zero", "--len=64K", **kwargs)
        self.ended(r, status, says)
        self.assertEqual(self.entered(), [])
        self.assertEqual(self.resident(), before)
        self.ended(self.run_in("populate", "--charge-me", **kwargs), OK)
        self.assertEqual(self.entered(), [])

    def test_who_allocates_enters_the_cgroup_of_the_target(self):
        r = self.run_in("populate")
        self.ended(r, OK)
        self.assertEqual(r.stdout, "populated 4008K at 0x0\n")
        self.assertEqual(self.entered(), ["vms/its"])
        self.assertEqual(self.resident(), self.held.size)

    def test_who_starts_it_may_ignore_the_end_of_children(self):
        r = subprocess.run(
            [GMEMCTL, "populate", f"--pid={self.held.pid}", f"--fd={self.held.fd}"],
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        )
        self.ended(r, OK)
        self.assertEqual(r.stdout, "populated 4008K at 0x0\n")

    def test_a_load_does_too(self):
        r = self.run_in("load", "--json", "--len=64K", "/dev/zero")
        self.assertEqual(r.returncode, OK, r)
        self.assertEqual(self.valid(r.stdout, "load")["done"], 65536)
        self.assertEqual(self.entered(), ["vms/its"])

    def test_where_both_pay_in_the_same_place_nothing_is_entered(self):
        for cgroup in "0::/vms", "4:memory:/vms", "4:memory:/vms\n0::/":
            r = self.run_in("populate", mine=cgroup, its=cgroup)
            self.ended(r, OK)
        os.remove(f"{self.tree.name}/vms/its/memory.current")
        self.ended(self.run_in("populate", mine="0::/vms"), OK)
        self.assertEqual(self.entered(), [])

    def test_a_cgroup_of_version_1_is_not_entered(self):
        self.refused(
            "memory cgroup /x of process", its="4:cpu,memory:/x\n0::/vms/its"
        )
        self.refused("is of version 1", its="4:memory,cpu:/x\n0::/vms/its")

    def test_what_cannot_be_seen_is_not_entered(self):
        for path in "/..", "/../vms/its", "/absent":
            self.refused("is not below /sys/fs/cgroup", its=f"0::{path}")

    def test_a_file_that_names_no_cgroup(self):
        self.cgroup("", "cgroup.procs", "")
        for line in "", "0::", "0:", "3:cpu:/vms":
            self.refused("does not say which memory cgroup pays", its=line)
            self.ended(self.run_in("populate", its=line, mine=line), OK)
        self.assertEqual(self.entered(), [])

    def test_a_name_may_begin_with_dots(self):
        for file, text in ("controllers", "memory\n"), ("procs", ""):
            self.cgroup("..its", f"cgroup.{file}", text)
        self.cgroup("..its", "memory.current", "0\n")
        self.ended(self.run_in("populate", its="0::/..its"), OK)
        self.assertEqual(self.entered(), ["..its"])

    def test_a_frozen_cgroup_is_not_entered(self):
        for name in "vms/its", "vms":
            self.cgroup(name, "cgroup.freeze", "1\n")
            self.refused(f"cgroup /{name} of process")
            self.refused("is frozen, and so would be who enters it")
            self.cgroup(name, "cgroup.freeze", "0\n")

    def test_nobody_is_killed_with_the_one_that_allocates(self):
        for name in "vms/its", "vms":
            self.cgroup(name, "memory.oom.group", "1\n")
            self.refused(f"memory.oom.group of /{name} is 1")
            self.cgroup(name, "memory.oom.group", "0\n")
        self.ended(self.run_in("populate"), OK)

    def test_a_cgroup_that_may_not_be_entered(self):
        os.chmod(f"{self.tree.name}/vms/its/cgroup.procs", 0o400)
        self.refused(
            "cannot be entered: Permission denied; run gmemctl as root",
            status=ACCESS,
            preexec_fn=drop_override,
        )

    def test_charge_me_needs_a_process(self):
        for command in "populate", "load":
            file = ["/dev/null"] if command == "load" else []
            args = "--fd", 3, "--charge-me", *file
            self.usage(command, *args, says="is for --pid", command=command)

    def test_who_is_killed_is_named(self):
        """As the kernel does it, while the others live on."""
        with subprocess.Popen(
            [GMEMCTL, "load", "--shared", "--json", f"--pid={self.held.pid}"]
            + [f"--fd={self.held.fd}", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as p:
            p.stdin.write("x" * 5000)
            p.stdin.flush()
            children = f"/proc/{p.pid}/task/{p.pid}/children"
            while self.resident() == self.held.resident:
                pass
            with open(children, encoding="ascii") as f:
                child = int(f.read())
            with open(f"/proc/{child}/oom_score_adj", encoding="ascii") as f:
                self.assertEqual(f.read(), "1000\n")
            for pid in child, p.pid:
                status = ""
                while "\nState:\tS" not in status:  # till it waits
                    with open(f"/proc/{pid}/status", encoding="ascii") as f:
                        status = f.read()
                self.assertRegex(status, r"\nCapEff:\t0+\n")
            os.kill(child, signal.SIGKILL)
            out, err = p.communicate(timeout=HANG)
        self.assertEqual(p.returncode, CHECK)
        self.assertIn("was killed, as the kernel does where memory runs out", err)
        error = self.valid(out, "load")["error"]
        self.assertEqual((error["code"], error["reason"]), ("ENOMEM", "no-room"))

    def test_an_interrupt_reaches_the_one_that_allocates(self):
        with subprocess.Popen(
            [GMEMCTL, "load", "--shared", "--json", f"--pid={self.held.pid}"]
            + [f"--fd={self.held.fd}", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as p:
            p.stdin.write("x" * 5000)
            p.stdin.flush()
            while self.resident() == self.held.resident:
                pass
            while p.poll() is None:
                p.send_signal(signal.SIGINT)
            out = p.stdout.read()
        self.assertEqual(p.returncode, CHECK)
        got = self.valid(out, "load")
        self.assertEqual(got["error"]["reason"], "cancelled")


class Room(Memory):
    """Limits of memory, past which the kernel would kill."""

    need = ("kvm", "root", "mounts")
    LIMITS = ["cgroup", "nodes", "machine"]
    MEMINFO = "".join(
        f"{name}: 9000 kB\n"
        for name in ("MemTotal", "MemFree", "Active(file)", "Inactive(file)")
    )

    def on_a_small_machine(self, *args):
        with tempfile.NamedTemporaryFile("w") as meminfo:
            meminfo.write(self.MEMINFO + "SReclaimable: 9 kB\n")
            meminfo.flush()
            return subprocess.run(
                ["unshare", "-m", "sh", "-c"]
                + ['mount --bind "$0" /proc/meminfo && exec "$@"']
                + [meminfo.name, GMEMCTL, *args],
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
                pass_fds=[self.fd],
            )

    def test_only_who_asks_for_it_goes_past_a_limit(self):
        self.fd = guest_memfd(self, 64 << 10)
        file = [f"--fd={self.fd}", "--shared"]
        for args in ["populate", *file], ["load", *file, "/dev/zero", "--len=64K"]:
            r = self.on_a_small_machine(*args)
            self.ended(r, FAILED, "this machine has room for")
            self.assertIn("or add unchecked, and the kernel may kill", r.stderr)
            self.assertEqual(resident(self.fd), 0)
            r = self.on_a_small_machine(*args, "--unchecked", "--json")
            value = self.valid(self.ended(r, OK).stdout, args[0])
            self.assertEqual(value["limits_unchecked"], self.LIMITS)
            self.assertEqual(value["done"], 64 << 10)
            value = self.valid(ctl(*args, "-j", pass_fds=[self.fd]).stdout, args[0])
            self.assertNotIn("machine", value["limits_unchecked"])
            ctl("discard", f"--fd={self.fd}", pass_fds=[self.fd])

    def test_a_pipe_that_nobody_reads_ends_a_store(self):
        fd = guest_memfd(self, 64 << 10)
        end, pipe = os.pipe()
        os.close(end)
        r = ctl("store", f"--fd={fd}", "--shared", "-", pass_fds=[fd], stdout=pipe)
        os.close(pipe)
        self.assertEqual((r.returncode, r.stderr), (-signal.SIGPIPE, ""))

    def test_there_is_no_range_at_the_end_of_a_file(self):
        """Nor anything that could be lost in it."""
        fd = guest_memfd(self, 64 << 10)
        for command in "discard", "load", "map", "policy", "populate", "stat", "store":
            files = ["/dev/null"] if command in ("load", "store") else []
            shared = [] if command in ("discard", "stat") else ["--shared"]
            for offset in "64K", "65537", "1T":
                r = ctl(
                    *(command, f"--fd={fd}", *shared, f"--offset={offset}", *files),
                    pass_fds=[fd],
                )
                self.ended(r, FAILED, "is not inside the file, which has 0x10000")

    def test_a_batch_says_so_too(self):
        self.fd = guest_memfd(self, 4096)
        path = tempfile.NamedTemporaryFile("w+")
        self.addCleanup(path.close)
        for line in "populate x", "load x 0 /proc/self/comm":
            path.seek(0)
            path.truncate()
            path.write(f"create x 64K shared\n{line}\n")
            path.flush()
            r = self.on_a_small_machine("batch", path.name)
            self.ended(r, FAILED, "or add unchecked")
            path.seek(0)
            path.write(f"create x 64K shared\n{line} unchecked\n")
            path.flush()
            r = self.on_a_small_machine("batch", "-j", path.name)
            value = self.valid(self.ended(r, OK).stdout, "batch")
            self.assertEqual(value["results"][-1]["limits_unchecked"], self.LIMITS)


class Interrupted(Memory):
    """Signals while a file is populated that takes a while."""

    SIZE = 2 << 30

    def start(self, fd, *args):
        p = subprocess.Popen(
            [GMEMCTL, *args, f"--fd={fd}"],
            pass_fds=[fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        return p

    def test_interrupt_is_told_exactly(self):
        fd = guest_memfd(self, self.SIZE)
        p = self.start(fd, "populate", "--json")
        while not resident(fd) and p.poll() is None:
            pass
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=HANG)
        got = self.valid(out, "populate")
        self.assertEqual(got["resident"], resident(fd))
        self.assertLessEqual(got["done"], got["resident"])
        if got["done"] == self.SIZE:  # it was faster
            self.assertEqual(p.returncode, OK)
            return
        self.assertEqual(p.returncode, CHECK)
        self.assertEqual(got["error"]["reason"], "cancelled")

    def test_storm_of_stops(self):
        """Stopping and continuing fails its system calls over and over."""
        fd = guest_memfd(self, self.SIZE)
        p = self.start(fd, "populate", "--threads=2")
        while p.poll() is None:
            p.send_signal(signal.SIGSTOP)
            p.send_signal(signal.SIGCONT)
        self.assertEqual(p.returncode, OK, p.stderr.read())
        self.assertEqual(resident(fd), self.SIZE)

    def test_storm_of_interrupts(self):
        fd = guest_memfd(self, self.SIZE)
        p = self.start(fd, "populate", "--json", "--threads=2")
        while not resident(fd) and p.poll() is None:
            pass
        while p.poll() is None:
            p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=HANG)
        got = self.valid(out, "populate")
        self.assertEqual(got["resident"], resident(fd))
        self.assertLessEqual(got["done"], got["resident"])
        self.assertIn(p.returncode, (OK, CHECK))

    def test_load_that_waits(self):
        fd = guest_memfd(self, MIB)
        p = self.start(fd, "load", "--shared", "--json", "-")
        p.stdin.write("x" * 5000)
        p.stdin.flush()
        while resident(fd) < 8192:
            pass
        # Until it is seen: the first may come before the read that waits.
        while p.poll() is None:
            p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=HANG)
        got = self.valid(out, "load")
        self.assertEqual((p.returncode, got["done"]), (CHECK, 5000))
        self.assertEqual(got["error"]["reason"], "cancelled")

    def test_bar_on_a_terminal(self):
        """Seen after a second, and gone at the end."""
        fd = guest_memfd(self, MIB)
        main_end, end = os.openpty()
        p = subprocess.Popen(
            [GMEMCTL, "load", "--shared", f"--fd={fd}", "-"],
            pass_fds=[fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=end,
        )
        os.close(end)
        text = b""
        for _ in range(2000):  # till there is one: at most 20 s
            if b"load [" in text:
                break
            p.stdin.write(b"x" * 400)
            p.stdin.flush()
            os.set_blocking(main_end, False)
            try:
                text += os.read(main_end, 4096)
            except BlockingIOError:
                signal.sigtimedwait([], 0.01)
        self.assertRegex(text, rb"\rload \[#* *\] \d+\w? of 1M")
        p.stdin.close()
        os.set_blocking(main_end, True)
        text += terminal_text(main_end)
        self.assertEqual(p.wait(60), OK)
        self.assertEqual(text[-1:], b"\r")


class Discard(Memory):
    def test_discard(self):
        fd = guest_memfd(self, 4 * MIB)
        with mmap.mmap(fd, 4 * MIB) as m:
            m[:] = b"x" * (4 * MIB)
            got = self.json(fd, "discard", "--offset=1M", "--len=2M")
            self.assertEqual((got["done"], got["resident"]), (2 * MIB, 0))
            self.assertEqual(resident(fd), 2 * MIB)
            self.assertEqual(m[MIB : 3 * MIB], bytes(2 * MIB))
            self.assertEqual(m[:MIB], b"x" * MIB)

    def test_of_another_process(self):
        held = Foreign(self, "three").held[0]
        target = ["--pid", held.pid, "--fd", held.fd]
        r = ctl("discard", *target)
        self.ended(r, USAGE, "--yes-destroy")
        self.assertIn(f'"resident": {held.resident}', ctl("stat", "-j", *target).stdout)
        self.ended(ctl("discard", *target, "--yes-destroy"), OK)
        self.assertIn('"resident": 0', ctl("stat", "-j", *target).stdout)


class Load(Memory):
    def file(self, data):
        f = tempfile.NamedTemporaryFile()
        self.addCleanup(f.close)
        f.write(data)
        f.flush()
        return f.name

    def test_file_and_pipe(self):
        data = os.urandom(300001)
        name = self.file(data)
        for args in ([], [f"--len={len(data)}"]):
            for source in (name, "-"):
                fd = guest_memfd(self, MIB)
                with open(name) as f:
                    stdin = f if source == "-" else subprocess.DEVNULL
                    args = ["--shared", "--offset=0x1001", *args]
                    r = self.on(fd, "load", *args, source, stdin=stdin)
                self.assertEqual(self.ended(r, OK).stdout, "loaded 300001 at 0x1001\n")
                with mmap.mmap(fd, MIB) as m:
                    self.assertEqual(m[4097 : 4097 + len(data)], data)
                    self.assertEqual(m[:4097], bytes(4097))

    def test_input_offset(self):
        name = self.file(b"0123456789")
        for source in (name, "-"):
            fd = guest_memfd(self, MIB)
            with open(name) as f:
                args = ["--shared", "--offset=5", "--input-offset=3", source]
                r = self.on(fd, "load", *args, stdin=f)
                self.assertEqual(os.lseek(f.fileno(), 0, os.SEEK_CUR), 0)
            self.assertEqual(self.ended(r, OK).stdout, "loaded 7 at 0x5\n")
            with mmap.mmap(fd, MIB) as m:
                self.assertEqual(m[:16], bytes(5) + b"3456789" + bytes(4))
        fd = guest_memfd(self, MIB)
        args = ["--shared", "--input-offset=3"]
        r = self.on(fd, "load", *args, "--len=8", name)
        self.ended(r, CHECK, "the input ended after 7 of 8 bytes")
        r = self.on(fd, "load", *args, f"--offset={MIB - 6}", name)
        self.ended(r, FAILED, "the input has 7, and the range only 6")
        r = self.on(fd, "load", "--shared", "--input-offset=11", name)
        self.ended(r, FAILED, "offset 11 is beyond the end of the input")
        r = self.on(fd, "load", *args, "-", input="0123456789")
        self.ended(r, FAILED, "[no-position]; ")
        self.usage("load", "--fd=3", "--input-offset=x", name, says="input-offset", command="load")

    def test_a_hole_frees_memory(self):
        fd = guest_memfd(self, MIB)
        with mmap.mmap(fd, MIB) as m:
            m[:] = b"x" * MIB
        name = self.file(b"")
        os.truncate(name, MIB)
        self.ended(self.on(fd, "load", "--shared", name), OK)
        self.assertEqual(resident(fd), 0)

    def test_too_long_and_too_short(self):
        fd = guest_memfd(self, MIB)
        name = self.file(b"x" * (MIB + 1))
        r = self.on(fd, "load", "--shared", name)
        self.ended(r, FAILED, "the input has 1048577, and the range only 1M")
        self.assertEqual(resident(fd), 0)
        r = self.on(fd, "load", "--shared", "-", input="x" * (MIB + 1))
        self.ended(r, CHECK, "the input is longer than the 1M of the range")
        self.ended(self.on(fd, "load", "--shared", "-", input="x" * MIB), OK)
        r = self.on(fd, "load", "--shared", "--len=5", "-", input="1234")
        self.ended(r, CHECK, "[input-short]; ")
        self.assertIn("loaded 4 of 5", r.stderr)
        self.ended(self.on(fd, "load", "--shared", "--len=5", name), OK)

    def test_refused(self):
        fd = guest_memfd(self, MIB)
        r = self.on(fd, "load", "/dev/null")
        self.ended(r, FAILED, "[private]; pass --shared if the file was made so")
        r = self.on(fd, "load", "--shared", "/nonexistent")
        self.ended(r, FAILED, "load: /nonexistent: No such file")
        r = self.on(fd, "load", "--shared", "/")
        self.ended(r, FAILED, "[input]; ")
        r = self.on(fd, "load", "--shared", "--offset=2M", "/dev/null")
        self.assertEqual(resident(fd), 0)
        for flags in (0, 1):
            fd = guest_memfd(self, MIB, flags)
            r = self.on(fd, "load", "--shared", "-", input="x")
            self.assertEqual(r.returncode, FAILED, r)
            self.assertEqual(resident(fd), 0)


class Store(Memory):
    need = ("kvm",)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.name = os.path.join(folder.name, "out")

    def filled(self, *at):
        """A file with a page at each of these offsets."""
        fd = guest_memfd(self, MIB)
        with mmap.mmap(fd, MIB) as m:
            for offset in at:
                m[offset : offset + PAGE] = os.urandom(PAGE)
            return fd, [m[offset : offset + PAGE] for offset in at]

    def out(self):
        with open(self.name, "rb") as f:
            return f.read()

    def put(self, data):
        with open(self.name, "wb") as f:
            f.write(data)

    def test_holes_stay_holes(self):
        fd, (low, high) = self.filled(2 * PAGE, MIB // 2)
        for old in (None, b"x" * (2 * MIB)):  # which is gone afterwards
            if old:
                self.put(old)
            r = self.on(fd, "store", "--shared", self.name)
            self.assertEqual(self.ended(r, OK).stdout, "stored 1M at 0x0\n")
            self.assertEqual(resident(fd), 2 * PAGE)
            data = self.out()
            self.assertEqual(len(data), MIB)
            self.assertEqual(data[2 * PAGE : 3 * PAGE], low)
            self.assertEqual(data[MIB // 2 : MIB // 2 + PAGE], high)
            self.assertEqual(data.count(0), MIB - 2 * PAGE + (low + high).count(0))
            self.assertLess(os.stat(self.name).st_blocks * 512, MIB // 4)
            if not old:
                self.assertEqual(os.stat(self.name).st_mode & 0o777, 0o600)

    def test_range_json_and_back(self):
        fd, (page, last) = self.filled(PAGE, MIB - PAGE)
        r = self.on(fd, "store", "--shared", "--json", "--offset=0x1001", "--len=100", self.name)
        got = self.valid(self.ended(r, OK).stdout, "store")
        self.assertEqual((got["offset"], got["len"], got["done"]), (0x1001, 100, 100))
        self.assertEqual(self.out(), page[1:101])
        back = guest_memfd(self, MIB)
        self.ended(self.on(fd, "store", "--shared", self.name), OK)
        self.ended(self.on(back, "load", "--shared", self.name), OK)
        self.assertEqual(resident(back), 2 * PAGE)
        with mmap.mmap(back, MIB) as m:
            self.assertEqual(m[PAGE : 2 * PAGE] + m[MIB - PAGE :], page + last)

    def test_output_offset(self):
        """The rest of the file stays."""
        fd, (page,) = self.filled(0)
        self.put(b"0123456789")
        args = ["--shared", "--len=3", "--output-offset=2"]
        self.ended(self.on(fd, "store", *args, self.name), OK)
        self.assertEqual(self.out(), b"01" + page[:3] + b"56789")
        with open(self.name, "r+b") as f:
            r = self.on(fd, "store", *args, "--output-offset=5", "-", stdout=f)
            self.assertEqual((r.returncode, r.stderr), (OK, ""))
        self.assertEqual(self.out(), b"01" + page[:3] + page[:3] + b"89")
        r = self.on(fd, "store", *args, "-")
        self.ended(r, FAILED, "[no-position]; ")
        self.usage("store", "--fd=3", "--output-offset=x", "f", says="output-offset", command="store")

    def test_standard_output_has_nothing_else(self):
        fd, _ = self.filled(0)
        with mmap.mmap(fd, MIB) as m:
            m[:6] = b"a pipe"
        r = self.on(fd, "store", "--shared", "--len=6", "-")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (OK, "a pipe", ""))
        r = self.on(fd, "store", "--shared", "--json", "-")
        says = "--json and - both write to the standard output"
        self.ended(r, USAGE, says)
        error = self.valid(r.stdout, "store")["error"]
        self.assertEqual(error["message"], says)

    def test_a_refusal_leaves_the_output_alone(self):
        private = guest_memfd(self, MIB, 1)
        shared, _ = self.filled(0)
        hint = "[private]; pass --shared if the file was made so"
        for old in (None, b"old"):
            if old:
                self.put(old)
            for fd, args, says in (
                (private, [], hint),
                (shared, [], hint),
                (shared, ["--shared", "--offset=2M"], "[outside-file]; "),
                (shared, ["--shared", "--offset=1M"], "[outside-file]; "),
                (shared, ["--shared", "--len=2M"], "[outside-file]; "),
                (shared, ["--shared", "--output-offset=8E"], "[offset-overflow]; "),
                (99, ["--shared"], "Bad file descriptor"),
            ):
                if fd == 99:
                    r = ctl("store", "--fd=99", *args, self.name)
                else:
                    r = self.on(fd, "store", *args, self.name)
                self.ended(r, FAILED, says)
                if old:
                    self.assertEqual(self.out(), old)
                else:
                    self.assertFalse(os.path.exists(self.name))

    def test_what_cannot_be_written(self):
        fd, _ = self.filled(0)
        r = self.on(fd, "store", "--shared", f"{self.name}/x")
        self.ended(r, FAILED, f"store: {self.name}/x: No such file")
        r = self.on(fd, "store", "--shared", "/")
        self.ended(r, FAILED, "store: /: Is a directory")
        r = self.on(fd, "store", "--shared", "/dev/full")
        self.ended(r, FAILED, "writing the output failed with ENOSPC [output]; ")

    def test_what_is_empty_because_nothing_fit_is_not_left(self):
        fd, _ = self.filled(0)
        limit = {"preexec_fn": file_limit(0)}
        r = self.on(fd, "store", "--shared", self.name, **limit)
        self.ended(r, FAILED, "writing the output failed with EFBIG [output]; ")
        self.assertFalse(os.path.exists(self.name))

    def test_a_limit_of_the_size(self):
        fd, (page, _) = self.filled(0, 4 * PAGE)
        limit = {"preexec_fn": file_limit(2 * PAGE)}
        r = self.on(fd, "store", "--shared", "--json", self.name, **limit)
        got = self.valid(self.ended(r, CHECK, "EFBIG").stdout, "store")
        self.assertGreaterEqual(got["done"], PAGE)
        self.assertEqual(self.out()[:PAGE], page)


def file_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Rights(Memory):
    need = ("kvm", "root")

    def test_none_are_kept(self):
        """While it works, it has given up all."""
        fd = guest_memfd(self, MIB)
        p = subprocess.Popen(
            [GMEMCTL, "load", "--shared", f"--fd={fd}", "-"],
            pass_fds=[fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        self.addCleanup(p.wait)
        self.addCleanup(p.stdin.close)
        p.stdin.write(b"x")
        p.stdin.flush()
        while not resident(fd):
            pass
        with open(f"/proc/{p.pid}/status") as f:
            status = f.read()
        for name in ("CapPrm", "CapEff"):
            self.assertRegex(status, rf"\n{name}:\t0+\n")


class WithoutCachestat(Memory):
    """What is only a lower bound is never told as what there is."""

    SILENT = {"preexec_fn": deny(451, errno.ENOSYS)}

    def on(self, fd, *args):
        return super().on(fd, *args, **self.SILENT)

    def test_json_says_so(self):
        fd = guest_memfd(self, 1 << 20)
        for command, *args in (
            ["populate", "--shared", "--len=64K"],
            ["stat"],
            ["policy", "--verify", "--shared"],
            ["load", "--shared", "/dev/null"],
            ["store", "--shared", "/dev/null"],
            ["discard", "--len=4K"],
        ):
            r = self.on(fd, command, "--json", *args)
            value = self.valid(r.stdout, command)
            self.assertTrue(value["lower_bound"], r)

    def test_text_says_so(self):
        fd = guest_memfd(self, 1 << 20)
        self.ended(self.on(fd, "populate", "--shared", "--len=64K"), OK)
        self.assertIn("resident   64K or more\n", self.on(fd, "stat").stdout)
        r = self.on(fd, "policy", "--verify", "--shared")
        self.ended(r, CHECK)
        self.assertIn("placed: unknown\nresident: 64K or more\n", r.stdout)
        r = self.on(fd, "load", "--shared", "--len=8K", "/dev/null")
        self.assertEqual(r.returncode, FAILED)

    def test_a_map_has_no_holes(self):
        fd = guest_memfd(self, 1 << 20)
        self.ended(self.on(fd, "populate", "--shared", "--len=64K"), OK)
        for more in [], ["--nodes"]:
            r = self.ended(self.on(fd, "map", "--shared", *more), OK)
            legend, *rows = r.stdout.splitlines()
            self.assertIn("'?' not known, ':' in part or more", legend)
            marks = "".join(x.split()[1] for x in rows if x.startswith("0x"))
            self.assertEqual(marks, "#" * 16 + "?" * 240)
            r = self.on(fd, "map", "--shared", "--json", *more)
            there, rest = self.valid(r.stdout, "map")["runs"]
            self.assertIs(there["resident"], True)
            self.assertIsNone(rest["resident"])
            self.assertIn("lower bound", rest["resident_reason"])

    def test_a_legend_has_every_mark(self):
        """Of files and of both sides of a region; known, in part, or not."""
        files = (
            "create x 64K shared\n",
            "create x 64K unbound\n",
            "create x 64K mmap\nbind x 0 0\nshared x 0 32K\n",
            "region x 64K\nbind x 0 0\nconvert x shared 0:32K\nwrite x 0 hex:01\n",
        )
        for model, type_ in (
            ("7.3", "default"),
            ("7.3", "sw-protected"),
            ("inplace", "sw-protected"),
        ):
            for make in files:
                args = ("batch", f"--model={model}", "--vm-type", type_, "-")
                for more in "", "populate x 0 8K\n", "populate x\n":
                    text = make + more + "map x nodes"
                    r = ctl(*args, input=text, **self.SILENT)
                    if r.returncode:  # this kernel has no such file
                        self.assertEqual(r.stdout.count("per mark"), 0)
                        continue
                    legend, *_ = re.findall(r"per mark: (.*)", r.stdout)
                    rows = re.findall(
                        r"(?m)^(?:0x[0-9a-f]{16}|shared side +|twice +) (\S+)$",
                        r.stdout,
                    )
                    self.assertTrue(rows, r)
                    for mark in set("".join(rows)):
                        self.assertIn(f"'{mark}'", legend, r)

    def test_a_batch_goes_on(self):
        lines = ["create x 64K shared", "populate x 0 8K", "resident x"]
        lines += ["map x nodes", "stat x", "placement x", "discard x 0 4K"]
        for flags, lines in (
            ("shared", lines),
            ("unbound", [lines[0].replace("shared", "unbound"), *lines[1:]]),
        ):
            text = "\n".join(lines)
            r = self.ended(ctl("batch", "-", input=text, **self.SILENT), OK)
            unknown = flags == "unbound"
            says = "not known: neither" if unknown else "8K or more"
            self.assertIn(f"x: resident   {says}", r.stdout)
            self.assertIn("x: placed: unknown\n", r.stdout)
            self.assertIn(f"x: resident: {says}", r.stdout)
            r = ctl("batch", "--json", "-", input=text, **self.SILENT)
            results = self.valid(r.stdout, "batch")["results"]
            self.assertEqual(len(results), len(lines))
            for x in results:
                if x["command"] in ("populate", "resident", "stat", "placement"):
                    self.assertIs(x["lower_bound"], None if unknown else True, x)


main()
