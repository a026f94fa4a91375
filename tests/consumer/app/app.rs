// SPDX-License-Identifier: MIT
// The model from Rust, through what bindgen makes of the headers.
#![allow(non_camel_case_types, non_upper_case_globals, dead_code)]
use std::ffi::CStr;
use std::mem::{size_of, zeroed};
use std::ptr::{null, null_mut};

include!(env!("BINDINGS"));
// Compiles only if each constant has the type of the member that it is for.
include!(env!("FLAGS"));

/// An object of the library's with .sz set and the rest zero.
macro_rules! init {
    ($type:ty) => {{
        let mut object: $type = unsafe { zeroed() };
        object.sz = size_of::<$type>();
        object
    }};
}

fn check(r: i32, err: &gmem_error) -> Result<(), String> {
    if r >= 0 {
        return Ok(());
    }
    let message = unsafe { CStr::from_ptr(err.msg.as_ptr()) };
    Err(format!("{}: {}", r, message.to_string_lossy()))
}

fn copy(vm: *mut gmem_vm) -> Result<(), String> {
    let mut err = init!(gmem_error);
    let mut opts = init!(gmem_create_opts);
    let mut g = null_mut();
    let text = b"guest memory";
    let mut back = [0u8; 12];

    opts.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED;
    let r = unsafe { gmem_create(vm, 1 << 20, &opts, &mut g, &mut err) };
    check(r, &err)?;
    let from = text.as_ptr().cast();
    let r = unsafe { gmem_write(g, 4096, from, text.len(), &mut err) };
    check(r, &err)?;
    let to = back.as_mut_ptr().cast();
    let r = unsafe { gmem_read(g, 4096, to, back.len(), &mut err) };
    check(r, &err)?;
    if &back != text || unsafe { gmem_flags(g) } != opts.flags {
        return Err("not what was written".to_string());
    }

    // Past the end: the reason is a value of its enumeration.
    let r = unsafe { gmem_read(g, 1 << 20, to, 1, &mut err) };
    if r >= 0 || err.reason != gmem_reason_GMEM_REASON_OUTSIDE_FILE {
        return Err(format!("{}, reason {}", r, err.reason));
    }
    Ok(())
}

/// After EINTR kvm_run is stale; a memory fault of a guest is not.
fn read_exit() -> Result<(), String> {
    let mut err = init!(gmem_error);
    let mut e = init!(gmem_exit);
    let mut run = [0u64; 16];

    run[1] = 39; // KVM_EXIT_MEMORY_FAULT, as little endian has it
    run[4..7].copy_from_slice(&[GMEM_ATTRIBUTE_PRIVATE, 0x8000, 4096]);
    for (errno, kind) in [
        (4, gmem_exit_kind_GMEM_EXIT_NONE),
        (14, gmem_exit_kind_GMEM_EXIT_MEMORY_FAULT),
    ] {
        let from = run.as_ptr().cast();
        let r = unsafe { gmem_exit_decode(-1, errno, from, 128, &mut e, &mut err) };
        check(r, &err)?;
        if e.kind != kind {
            return Err(format!("errno {}: kind {}", errno, e.kind));
        }
    }
    if e.gpa != 0x8000 || e.len != 4096 || e.attributes != GMEM_ATTRIBUTE_PRIVATE {
        return Err(format!("{:#x} bytes at {:#x}", e.len, e.gpa));
    }
    Ok(())
}

// Guest memory that converts, whatever this VM backs it with.
fn convert(vm: *mut gmem_vm) -> Result<(), String> {
    let mut err = init!(gmem_error);
    let mut opts = init!(gmem_region_opts);
    let mut stat = init!(gmem_region_stats);
    let mut r = null_mut();

    opts.kind = gmem_region_kind_GMEM_REGION_KIND_SHARED;
    let code = unsafe { gmem_region_create(vm, 1 << 20, &opts, &mut r, &mut err) };
    check(code, &err)?;
    check(unsafe { gmem_region_stat(r, &mut stat, &mut err) }, &err)?;
    check(unsafe { gmem_region_close(r, &mut err) }, &err)?;
    if stat.shared_bytes != 1 << 20 {
        return Err(format!("{} bytes are shared", stat.shared_bytes));
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let mut err = init!(gmem_error);
    let mut vm = null_mut();

    read_exit()?;
    let profile = GMEM_MODEL_NEWEST.as_ptr().cast();
    let r = unsafe { gmem_model_vm_open(profile, null(), &mut vm, &mut err) };
    check(r, &err)?;
    let used = copy(vm).and_then(|()| convert(vm));
    check(unsafe { gmem_vm_destroy(vm, &mut err) }, &err)?;
    used
}
