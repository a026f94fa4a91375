# SPDX-License-Identifier: MIT
"""Programs that hold guest_memfds and know nothing of libgmem."""

import ctypes
import fcntl
import os
import struct
import subprocess
from collections import namedtuple

from ctl import HANG

FOREIGN = os.environ["FOREIGN"]

# What one process says of one file; fd is -1 for a mapping alone.
Held = namedtuple("Held", "pid fd inode size resident")


class Foreign:
    """tests/cli/foreign.c in one of its roles, until the test ends."""

    def __init__(self, case, role, *wrapper):
        self.process = subprocess.Popen(
            [*wrapper, FOREIGN, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        case.addCleanup(self.end)
        self.held = []
        while (line := self.process.stdout.readline()) not in ("ready\n", ""):
            self.held.append(Held(*map(int, line.split())))
        case.assertEqual(line, "ready\n")
        # The second process of a pair may say its line late.
        if role in ("pair", "half") and len(self.held) < 2:
            line = self.process.stdout.readline()
            self.held.append(Held(*map(int, line.split())))
        self.pid = self.process.pid

    def end(self):
        self.process.stdin.close()
        self.process.wait(HANG)
        self.process.stdout.close()


def guest_memfd(case, size, flags=3):
    """A guest_memfd of a VM of its own, until the test ends; its descriptor."""
    create_vm, create_guest_memfd = 0xAE01, 0xC040AED4
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    vm = fcntl.ioctl(kvm, create_vm, 0)
    os.close(kvm)
    case.addCleanup(os.close, vm)
    args = bytearray(struct.pack("QQ48x", size, flags))
    fd = fcntl.ioctl(vm, create_guest_memfd, args, True)
    os.set_inheritable(fd, False)
    case.addCleanup(os.close, fd)
    return fd


def resident(fd, offset=0, length=0):
    """Bytes that the kernel itself says are there; length 0: to the end."""
    cachestat = 451
    libc = ctypes.CDLL(None, use_errno=True)
    where = (ctypes.c_uint64 * 2)(offset, length)
    pages = (ctypes.c_uint64 * 5)()
    if libc.syscall(cachestat, fd, where, pages, 0):
        raise OSError(ctypes.get_errno(), "cachestat")
    return pages[0] * os.sysconf("SC_PAGESIZE")
