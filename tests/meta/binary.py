# SPDX-License-Identifier: MIT
"""What the library is made of: no globals, no start-up code, libc alone, and
the system calls in one file, and files that use each other one way."""
import graphlib
import re

import meta

# Functions of libc that compute: all that a file of lib/ may use, other than
# sys_linux.c, through which everything that touches the system goes.
PURE = """
    bcmp memchr memcmp memcpy memmove memset strchr strcmp strcspn strlen strncmp
    strnlen strspn strtoul snprintf vsnprintf qsort
    pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock
    pthread_mutex_unlock pthread_cond_init pthread_cond_destroy
    pthread_cond_wait pthread_cond_timedwait pthread_cond_signal
    pthread_cond_broadcast pthread_mutex_trylock
    pthread_condattr_init pthread_condattr_setclock pthread_condattr_destroy
""".split()

# What the compiler and the linker refer to by themselves.
TOOLCHAIN = ["_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"]

# The one writable thing that is in no handle: how deep a thread is in
# callbacks, {(object, symbol)}.  The access to it is the dynamic linker's.
THREAD_LOCAL = {("callback.c.o", "gmem__callback_depth")}

# Not even sys_linux.c: a library does not print, end the process, read its
# environment, or install handlers.
FORBIDDEN = """
    abort exit _exit _Exit quick_exit atexit __assert_fail raise kill
    getenv secure_getenv setenv putenv environ
    printf fprintf vprintf vfprintf dprintf puts fputs putchar fputc fwrite
    perror syslog stdout stderr
    signal sigaction fork vfork clone execve system dlopen
""".split()

LIMIT = 256 << 10


def objects():
    found = sorted(meta.BUILD.glob("lib/CMakeFiles/gmem_core.dir/*.o"))
    assert found, "no objects of the library"
    return found


def undefined(path):
    """Undefined names without what _FORTIFY_SOURCE makes of them."""
    names = meta.output("nm", "-u", path).split()[1::2]
    return [re.sub(r"^__(\w+)_chk$", r"\1", name) for name in names
            if not name.startswith("gmem_")]


def sections(path):
    """{name: size}, summed."""
    sizes = {}
    for line in meta.output("size", "-A", path).splitlines():
        m = re.match(r"(\.\S+)\s+(\d+)", line)
        if m:
            sizes[m[1]] = sizes.get(m[1], 0) + int(m[2])
    return sizes


def only_sys_linux_touches_the_system():
    for path in objects():
        if path.name != "sys_linux.c.o":
            for name in undefined(path):
                if name == "__tls_get_addr" and path.name in dict(THREAD_LOCAL):
                    continue
                if name not in PURE + TOOLCHAIN:
                    yield f"{path.name} uses {name}"


def sys_linux_keeps_to_system_calls():
    path, = (path for path in objects() if path.name == "sys_linux.c.o")
    names = undefined(path)
    if "ioctl" not in names and "syscall" not in names:
        yield "sys_linux.c makes no system call?"
    for name in names:
        if name in FORBIDDEN:
            yield f"{path.name} uses {name}"


def symbols(path, kinds):
    return {words[-1] for words in map(str.split, meta.output(
        "nm", path).splitlines()) if words[-2] in kinds}


def no_files_use_each_other_in_a_circle():
    # what was compiled before a file was renamed may still lie there
    files = [path for path in objects()
             if (meta.SOURCE / "lib" / path.stem).exists()]
    owner = {name: path.stem for path in files
             for name in symbols(path, "TDRBC")}
    uses = {path.stem: {owner[name] for name in symbols(path, "U")
                        if name in owner} for path in files}
    if not any(uses.values()):
        yield "no file uses another?"
    try:
        graphlib.TopologicalSorter(uses).prepare()
    except graphlib.CycleError as e:
        yield " uses ".join(reversed(e.args[1]))


def no_writable_globals():
    thread_local = set()
    for path in objects():
        for name, size in sections(path).items():
            if size and re.match(r"\.(data|bss)\b(?!\.rel\.ro)", name):
                yield f"{path.name}: {size} bytes in {name}"
        thread_local |= {
            (path.name, line.split()[-1])
            for line in meta.output("readelf", "-sW", path).splitlines()
            if " TLS " in line and " UND " not in line}
    if thread_local != THREAD_LOCAL:
        yield f"thread-local: {sorted(thread_local)}"


def no_start_up_code():
    for path in objects():
        for name, size in sections(path).items():
            if size and re.match(r"\.(pre)?(init|fini|ctors|dtors)", name):
                yield f"{path.name}: {name}"


def needs_libc_alone():
    dynamic = meta.output("readelf", "-dW", meta.SHARED)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    # thread-local variables need the part of libc that loaded it
    if [n for n in needed if not n.startswith("ld-linux")] != ["libc.so.6"]:
        yield f"libgmem.so needs {needed}"


def stripped_size_is_within_its_limit():
    stripped = meta.BUILD / "lib/libgmem.so.stripped"
    meta.output("strip", "-o", stripped, meta.SHARED)
    size = stripped.stat().st_size
    print(f"# stripped libgmem.so: {size} bytes, limit {LIMIT}")
    if size > LIMIT:
        yield f"{size} bytes are more than {LIMIT}"


meta.run(only_sys_linux_touches_the_system, sys_linux_keeps_to_system_calls,
         no_files_use_each_other_in_a_circle, no_writable_globals,
         no_start_up_code, needs_libc_alone,
         stripped_size_is_within_its_limit)
