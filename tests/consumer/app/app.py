# SPDX-License-Identifier: MIT
"""The model from Python, by ctypes.

app.py asserts: prints C that compiles only if the structures here are the
header's; app.py LIBRARY: makes a VM and copies in and out."""
import ctypes
import errno
import struct
import sys
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int32, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p, sizeof

CREATE_MMAP, CREATE_INIT_SHARED = 1 << 0, 1 << 1
EXIT_MEMORY_FAULT = 2
REGION_KIND_SHARED = 3
OUTSIDE_FILE = b"outside-file"


class Options(ctypes.Structure):
    """A structure of the library, with .sz set and the rest zero."""

    def __init__(self, **members):
        super().__init__(sz=sizeof(self), **members)


class Error(Options):
    name = "gmem_error"
    _fields_ = [
        ("sz", c_size_t),
        ("code", c_int32),
        ("reason", c_uint32),
        ("sys_errno", c_int32),
        ("flags", c_uint32),
        ("value", c_uint64),
        ("limit", c_uint64),
        ("done", c_uint64),
        ("remedy", c_char_p),
        ("msg", c_char * 256),
    ]


class CreateOptions(Options):
    name = "gmem_create_opts"
    _fields_ = [
        ("sz", c_size_t),
        ("flags", c_uint64),
        ("hugetlb_size", c_uint64),
    ]


class RegionOptions(Options):
    name = "gmem_region_opts"
    _fields_ = [
        ("sz", c_size_t),
        ("flags", c_uint64),
        ("gmem", c_void_p),
        ("user", c_void_p),
        ("shared", c_void_p),
        ("shared_offset", c_uint64),
        ("kind", c_uint32),
        ("shared_fd", c_int32),
    ]


class ModelOptions(Options):
    name = "gmem_model_opts"
    _fields_ = [
        ("sz", c_size_t),
        ("vm", c_void_p),
        ("beside", c_void_p),
        ("machine", c_uint32),
        ("vm_types", c_uint32),
        ("nodes", c_uint32),
        ("reserved", c_uint32),
    ]


class Exit(Options):
    name = "gmem_exit"
    _fields_ = [
        ("sz", c_size_t),
        ("gpa_mask", c_uint64),
        ("gpa", c_uint64),
        ("len", c_uint64),
        ("attributes", c_uint64),
        ("value", c_uint64),
        ("kind", c_uint32),
        ("reason", c_uint32),
        ("exit_reason", c_uint32),
        ("sys_errno", c_int32),
    ]


def asserts():
    yield "#include <gmem_exit.h>"
    yield "#include <gmem_model.h>"
    yield "#include <gmem_region.h>"
    for t in Options.__subclasses__():
        sizes = {f"sizeof(struct {t.name})": sizeof(t)}
        for member, _ in t._fields_:
            field = getattr(t, member)
            sizes[f"offsetof(struct {t.name}, {member})"] = field.offset
            sizes[f"sizeof(((struct {t.name} *)0)->{member})"] = field.size
        for what, size in sizes.items():
            yield f'_Static_assert({what} == {size}, "{what}");'
    for name in ("CREATE_MMAP", "CREATE_INIT_SHARED", "EXIT_MEMORY_FAULT",
                 "REGION_KIND_SHARED"):
        yield f'_Static_assert(GMEM_{name} == {globals()[name]}, "{name}");'


def library():
    """libgmem and its model; each call has the types of its parameters."""
    gmem = ctypes.CDLL(sys.argv[1])
    for name, result, *types in [
        ("gmem_model_vm_open", c_int, c_char_p, POINTER(ModelOptions),
         POINTER(c_void_p), POINTER(Error)),
        ("gmem_vm_destroy", c_int, c_void_p, POINTER(Error)),
        ("gmem_create", c_int, c_void_p, c_uint64, POINTER(CreateOptions),
         POINTER(c_void_p), POINTER(Error)),
        ("gmem_region_create", c_int, c_void_p, c_uint64,
         POINTER(RegionOptions), POINTER(c_void_p), POINTER(Error)),
        ("gmem_region_close", c_int, c_void_p, POINTER(Error)),
        ("gmem_write", c_int, c_void_p, c_uint64, c_char_p, c_size_t,
         POINTER(Error)),
        ("gmem_read", c_int, c_void_p, c_uint64, c_char_p, c_size_t,
         POINTER(Error)),
        ("gmem_exit_decode", c_int, c_int, c_int, c_char_p, c_size_t,
         POINTER(Exit), POINTER(Error)),
        ("gmem_reason_str", c_char_p, c_uint32),
    ]:
        call = getattr(gmem, name)
        call.restype, call.argtypes = result, types
    return gmem


def main():
    gmem, err = library(), Error()
    vm, g = c_void_p(), c_void_p()

    def check(r):
        if r < 0:
            sys.exit(f"{errno.errorcode[-r]}: {err.msg.decode()}")

    # KVM_EXIT_MEMORY_FAULT: a guest wants a page to be private
    run, fault = struct.pack("8xI20x3Q48x", 39, 1 << 3, 0x8000, 4096), Exit()
    check(gmem.gmem_exit_decode(-1, errno.EFAULT, run, len(run), byref(fault),
                                byref(err)))
    assert fault.kind == EXIT_MEMORY_FAULT, fault.kind
    assert (fault.gpa, fault.len) == (0x8000, 4096), (fault.gpa, fault.len)
    check(gmem.gmem_model_vm_open(b"7.3", byref(ModelOptions(nodes=2)),
                                  byref(vm), byref(err)))
    opts = CreateOptions(flags=CREATE_MMAP | CREATE_INIT_SHARED)
    check(gmem.gmem_create(vm, 1 << 20, byref(opts), byref(g), byref(err)))
    text, back = b"guest memory", ctypes.create_string_buffer(12)
    check(gmem.gmem_write(g, 4096, text, len(text), byref(err)))
    check(gmem.gmem_read(g, 4096, back, len(back), byref(err)))
    assert back.raw == text, back.raw
    r = gmem.gmem_read(g, 1 << 20, back, 1, byref(err))
    assert r == -errno.EINVAL and err.code == r, (r, err.code)
    assert gmem.gmem_reason_str(err.reason) == OUTSIDE_FILE, err.msg
    region = c_void_p()
    check(gmem.gmem_region_create(vm, 1 << 20,
                                  byref(RegionOptions(kind=REGION_KIND_SHARED)),
                                  byref(region), byref(err)))
    check(gmem.gmem_region_close(region, byref(err)))
    check(gmem.gmem_vm_destroy(vm, byref(err)))


if sys.argv[1:] == ["asserts"]:
    print("\n".join(asserts()))
else:
    main()
