#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The remedy of each reason, done once: it leads on, and never back."""

import errno
import os
import resource
import tempfile

from ctl import Case, OK, ctl, deny, main
from foreign import guest_memfd

PRIVATE = ("--vm-type", "sw-protected")
SHARED = "create x 64K shared\n"
# The same number on every architecture.
CLONE3 = 435


def batch(text, *options, model="7.3", **kwargs):
    """A batch on the model, of which the last line counts."""
    args = ["batch", f"--model={model}", *options, "--json", "-"]
    return args, {"input": text, **kwargs}


def command(*args, **kwargs):
    """A command; FD is a guest_memfd, FILE one of 4 KiB."""
    return [args[0], "--json", *args[1:]], kwargs


def limit(what, value):
    """For preexec_fn."""
    return lambda: resource.setrlimit(what, (value, value))


def bind(words, file="shared", *options, **kwargs):
    return batch(f"create x 64K {file}\nbind x 0 0 {words}", *options, **kwargs)


# {reason: (what is refused, {a part of the remedy: what it leads to})}
FOLLOWED = {
    "value-unknown": (
        bind("fd hva"),
        {"choose a value": bind("hva")},
    ),
    "zero-size": (
        batch("create x 0 shared"),
        {"at least one page": batch("create x 64K shared")},
    ),
    "size-limit": (
        batch("create x 8E shared"),
        {"stay within the limit": batch("create x 64K shared")},
    ),
    "unaligned": (
        batch("create x 65537 shared"),
        {"round it to a multiple": batch("create x 128K shared")},
    ),
    "outside-file": (
        batch(SHARED + "discard x 64K 64K"),
        {"stay inside the file": batch(SHARED + "discard x 0 64K")},
    ),
    "offset-overflow": (
        bind("0xffffffffffff0000 64K"),
        {"an offset inside the file": bind("0 64K")},
    ),
    "no-device": (
        command("probe", "--device=/nonexistent"),
        {"load the kvm module, or pass /dev/kvm": command("probe")},
    ),
    "not-kvm": (
        command("probe", "--device=/dev/null"),
        {"name a KVM device": command("probe", "--device=/dev/kvm")},
    ),
    "vm-type-unsupported": (
        batch("create x 64K", "--vm-type=sw-protected", model="6.18,software"),
        {
            "use a type that gmemctl probe reports": batch(
                SHARED, model="6.18,software"
            ),
            "or a kernel and CPU that have this one": batch(
                "create x 64K", *PRIVATE, model="6.18"
            ),
        },
    ),
    "fd-limit": (
        batch("".join(f"create x{i} 4K shared\n" for i in range(40)),
              preexec_fn=limit(resource.RLIMIT_NOFILE, 30)),
        {
            "raise RLIMIT_NOFILE": batch(
                "".join(f"create x{i} 4K shared\n" for i in range(40))
            ),
            "or close descriptors": batch(
                "create x 4K shared\nclose x\n" * 40,
                preexec_fn=limit(resource.RLIMIT_NOFILE, 30),
            ),
        },
    ),
    "no-guest-memfd": (
        batch(SHARED, model="6.12"),
        {
            "use Linux 6.18 or later": batch(SHARED, model="6.18"),
            "from 6.8 on a VM type with private memory": batch(
                "create x 64K", *PRIVATE, model="6.12"
            ),
        },
    ),
    "flag-unsupported": (
        batch("create x 64K mmap", *PRIVATE, model="6.12"),
        {
            "leave the flag out": batch("create x 64K", *PRIVATE, model="6.12"),
            "use a kernel and VM type": batch(SHARED, model="7.3"),
        },
    ),
    "init-shared-unmappable": (
        batch("create x 64K init-shared"),
        {"add mmap": batch("create x 64K mmap init-shared")},
    ),
    "guest-only": (
        batch("create x 64K mmap"),
        {
            "give mmap and init-shared for a VM without": batch(
                "create x 64K mmap init-shared"
            ),
            "neither for one with it": batch("create x 64K", *PRIVATE),
            "or mmap and guest-only": batch("create x 64K mmap guest-only"),
        },
    ),
    "never-used": (
        batch("create x 64K"),
        {
            "make the file shared": batch(SHARED),
            "choose a --vm-type with private memory": batch("create x 64K", *PRIVATE),
            "or add unbound": batch("create x 64K unbound"),
        },
    ),
    "hugetlb-size": (
        batch("create x 4M shared hugetlb=3M"),
        {"pass 0 or one of": batch("create x 4M shared hugetlb=0")},
    ),
    "hugetlb-unsupported": (
        batch("create x 4M shared hugetlb=2M"),
        {"leave hugetlb out": batch("create x 4M shared")},
    ),
    "not-guest-memfd": (
        command("stat", "--fd=0"),
        {"name a descriptor that gmemctl ps lists": command("stat", "--fd=FD")},
    ),
    "still-bound": (
        batch(SHARED + "bind x 0 0\nclose x"),
        {"unbind": batch(SHARED + "bind x 0 0\nunbind x 0\nclose x"),
         "or forget its slots": batch(
             SHARED + "note 0 0 64K file=x addr=1M\nforget 0\nclose x")},
    ),
    "slot-limit": (
        batch(SHARED + "bind x 40000 0"),
        {"use a smaller slot number": bind("")},
    ),
    "address-space": (
        command("why", "bind", "--model", "--shared", "--size=64K", "--slot=0",
                "--gpa=0", "--address-space=7"),
        {"use address space 0": command(
            "why", "bind", "--model", "--shared", "--size=64K", "--slot=0",
            "--gpa=0", "--address-space=0")},
    ),
    "slot-in-use": (
        batch("create x 128K shared\nbind x 0 0 0 64K\nbind x 0 1M 64K 64K"),
        {"unbind the slot first": batch(
            "create x 128K shared\nbind x 0 0 0 64K\nunbind x 0\n"
            "bind x 0 1M 64K 64K")},
    ),
    "gpa-overflow": (
        batch(SHARED + "bind x 0 0xffffffffffff0000"),
        {"ends below 2^64": bind("")},
    ),
    "gpa-overlap": (
        batch("create x 128K shared\nbind x 0 0 0 64K\nbind x 1 4K 64K 64K"),
        {"guest addresses that no slot has": batch(
            "create x 128K shared\nbind x 0 0 0 64K\nbind x 1 64K 64K 64K")},
    ),
    "gpa-limit": (
        batch(SHARED + "bind x 0 0x10000000000000"),
        {"inside the guest's physical address width": bind("")},
    ),
    "slot-too-large": (
        command("why", "bind", "--model", "--shared", "--size=16T", "--slot=0",
                "--gpa=0"),
        {"split it over several slots": command(
            "why", "bind", "--model", "--shared", "--size=16T", "--slot=1",
            "--gpa=4T", "--offset=4T", "--len=4T", "--with=0:0:0:4T")},
    ),
    "range-bound": (
        batch(SHARED + "bind x 0 0\nbind x 1 1M"),
        {
            "unbind that range first": batch(
                SHARED + "bind x 0 0\nunbind x 0\nbind x 1 1M"
            ),
            "or add alias without fd": batch(
                SHARED + "bind x 0 0\nbind x 1 1M alias"
            ),
        },
    ),
    "dirty-log": (
        bind("fd dirty-log"),
        {"leave fd out": bind("dirty-log"), "or the dirty log": bind("fd")},
    ),
    "readonly": (
        bind("fd readonly"),
        {"leave fd out": bind("readonly"), "or readonly": bind("fd")},
    ),
    "hva-private": (
        bind("hva", "mmap guest-only"),
        {
            "bind in fd mode": bind("fd", "mmap guest-only"),
            "make the file with init-shared in a VM without": bind(
                "hva"
            ),
        },
    ),
    "needs-mmap": (
        bind("", "unbound", model="7.3,arm64"),
        {"make the file with mmap": bind("", "shared", model="7.3,arm64")},
    ),
    "not-bound": (
        batch("create x 64K\nshared x 0 64K unbacked", *PRIVATE),
        {"bind the range first": batch(
            "create x 64K\nbind x 0 0\nshared x 0 64K unbacked", *PRIVATE)},
    ),
    "noted-slot": (
        batch(SHARED + "note 0 0 64K file=x addr=1M\nunbind x 0"),
        {"forget the slot instead": batch(
            SHARED + "note 0 0 64K file=x addr=1M\nforget 0")},
    ),
    "slot-twice": (
        batch(SHARED + "bind x 0 0\nreplace 0 0 with x:1:0:0:64K"),
        {"name it once": batch(
            SHARED + "bind x 0 0\nreplace 0 with x:1:0:0:64K")},
    ),
    "userspace-addr": (
        batch(SHARED + "note 0 0 64K file=x"),
        {"give addr= a page-aligned address": batch(
            SHARED + "note 0 0 64K file=x addr=64K")},
    ),
    "hva-bound": (
        batch(SHARED + "bind x 0 0 hva\nprivate x 0 64K", *PRIVATE, model="inplace"),
        {
            "unbind the slot in HVA mode first": batch(
                SHARED + "bind x 0 0 hva\nunbind x 0\nbind x 0 0\nprivate x 0 64K",
                *PRIVATE, model="inplace",
            ),
            "or bind it in fd mode": batch(
                SHARED + "bind x 0 0 fd\nprivate x 0 64K", *PRIVATE, model="inplace"
            ),
        },
    ),
    "no-private-memory": (
        batch(SHARED + "bind x 0 0\nprivate x 0 64K"),
        {"use a VM type with private memory": batch(
            "create x 64K\nbind x 0 0\nprivate x 0 64K", *PRIVATE)},
    ),
    "no-shared-side": (
        batch("create x 64K\nbind x 0 0\nshared x 0 64K", *PRIVATE),
        {
            "make the file with mmap where the VM converts in place": batch(
                "create x 64K mmap\nbind x 0 0\nshared x 0 64K",
                *PRIVATE, model="inplace",
            ),
            "unbacked shares it nevertheless": batch(
                "create x 64K\nbind x 0 0\nshared x 0 64K unbacked", *PRIVATE
            ),
        },
    ),
    "not-mappable": (
        batch("create x 64K unbound\nread x 0 16"),
        {"use a file that was made with mmap": batch(SHARED + "read x 0 16")},
    ),
    "private": (
        batch(SHARED + "bind x 0 0\nprivate x 0 4K\nread x 0 16",
              *PRIVATE, model="inplace"),
        {"let the guest share the range first": batch(
            SHARED + "bind x 0 0\nprivate x 0 4K\nshared x 0 4K\nread x 0 16",
            *PRIVATE, model="inplace")},
    ),
    "policy-ignored": (
        batch(SHARED + "policy x set=bind nodes=0", model="6.18"),
        {
            "use Linux 6.19": batch(SHARED + "policy x set=bind nodes=0", model="6.19"),
            "or give the policy to populate": batch(
                SHARED + "populate x policy=bind nodes=0", model="6.18"
            ),
        },
    ),
    "policy-nodes": (
        batch(SHARED + "policy x set=bind nodes=7"),
        {"name nodes": batch(SHARED + "policy x set=bind nodes=1")},
    ),
    "policy-unmappable": (
        batch("create x 64K unbound\npolicy x set=bind nodes=0"),
        {
            "give the policy to populate": batch(
                "create x 64K unbound\npopulate x policy=bind nodes=0"
            ),
            "or make the file with mmap": batch(SHARED + "policy x set=bind nodes=0"),
        },
    ),
    "misplaced": (
        batch(SHARED + "populate x policy=bind nodes=0\npolicy x set=bind nodes=1 strict"),
        {"discard the pages and set the policy before": batch(
            SHARED + "populate x policy=bind nodes=0\ndiscard x\n"
            "policy x set=bind nodes=1 strict\npopulate x\nplacement x")},
    ),
    "policy-of-file": (
        batch(SHARED + "policy x set=bind nodes=1\npopulate x policy=bind nodes=0"),
        {
            "populate without a policy": batch(
                SHARED + "policy x set=bind nodes=1\npopulate x"
            ),
            "or set the file's own to the same": batch(
                SHARED + "policy x set=bind nodes=1\npolicy x set=bind nodes=0\n"
                "populate x policy=bind nodes=0"
            ),
        },
    ),
    "policy-balancing": (
        command("policy", "--fd=FD", "--set=bind", "--nodes=0", "--numa-balancing"),
        {"leave the flag numa-balancing out": command("policy", "--fd=FD")},
    ),
    "threads": (
        command("populate", "--fd=FD", "--threads=4",
                preexec_fn=deny(CLONE3, errno.EAGAIN)),
        {"raise RLIMIT_NPROC": command("populate", "--fd=FD", "--threads=4")},
    ),
    "input": (
        batch(SHARED + "load x 0 /nonexistent"),
        {"pass a file, pipe or socket that can be read": batch(
            SHARED + "load x 0 /dev/null")},
    ),
    "input-short": (
        command("load", "--fd=FD", "--shared", "--len=8K", "FILE"),
        {
            "give the real length": command(
                "load", "--fd=FD", "--shared", "--len=4K", "FILE"
            ),
            "or none": command("load", "--fd=FD", "--shared", "FILE"),
        },
    ),
    "no-position": (
        command("load", "--fd=FD", "--shared", "--input-offset=1", "-", input="abc"),
        {
            "pass a file": command(
                "load", "--fd=FD", "--shared", "--input-offset=1", "FILE"
            ),
            "or leave its offset out": command(
                "load", "--fd=FD", "--shared", "-", input="abc"
            ),
        },
    ),
    "beyond-input": (
        command("load", "--fd=FD", "--shared", "--input-offset=5K", "FILE"),
        {"pass an offset inside the input": command(
            "load", "--fd=FD", "--shared", "--input-offset=1K", "FILE")},
    ),
    "output": (
        command("store", "--fd=FD", "--shared", "/dev/full"),
        {"pass a file, pipe or socket that takes so much": command(
            "store", "--fd=FD", "--shared", "/dev/null")},
    ),
}

# Of kernel interfaces that are not merged, which a build may leave out.
UNMERGED = {
    "encoding-contradicted": (
        batch("create x 4M shared hugetlb=2M", "--hugetlb-encoding=rfc1"),
        {"leave hugetlb out": batch("create x 4M shared", "--hugetlb-encoding=rfc1")},
    ),
}


class Remedy(Case):
    need = ("kvm",)

    def setUp(self):
        super().setUp()
        self.fd = guest_memfd(self, 64 << 10)
        self.file = tempfile.NamedTemporaryFile()
        self.addCleanup(self.file.close)
        self.file.write(b"x" * 4096)
        self.file.flush()

    def run_it(self, what):
        args, kwargs = what
        words = {"FD": str(self.fd), "FILE": self.file.name}
        args = [a.replace("=FD", f"={self.fd}") for a in args]
        args = [words.get(a, a) for a in args]
        r = ctl(*args, pass_fds=[self.fd], **kwargs)
        return r, self.valid(r.stdout, args[0])

    def refusal(self, value):
        return value.get("error") or value.get("rule")

    def test_of_each_reason_leads_on(self):
        merged = os.environ.get("GMEM_PROPOSED_UAPI", "ON") != "ON"
        for reason, (refused, remedies) in (
            FOLLOWED if merged else {**FOLLOWED, **UNMERGED}
        ).items():
            r, value = self.run_it(refused)
            said = self.refusal(value)
            with self.subTest(reason):
                self.assertNotEqual(r.returncode, OK, r)
                self.assertEqual(said["reason"], reason, said)
                for part in remedies:
                    self.assertIn(part, said["remedy"])
            for part, followed in remedies.items():
                r, value = self.run_it(followed)
                with self.subTest(reason, followed=part):
                    self.assertIsNone(self.refusal(value))
                    self.assertEqual(r.returncode, OK, r)


main()
