//! What a host's processes may not do, though they are root: capabilities and system calls.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

/// What is left of root: power over the host's own files and processes.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// The highest capability's number that a kernel may have.
const CAPABILITIES: u64 = 64;

/// `CLONE_NEW*`, all of them.
const NAMESPACES: u32 = 0x7e02_0080;

/// Refused whole: mounts, other namespaces, and what reaches the kernel beside them.
const REFUSED: &[i64] = &[
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Harmless, and only processes that still are plumb have it: the kernel lets nobody who has less look into one.
/// Its `/proc/1/exe` is our own program on the machine, whose mode and owner root in a host could else change.
const SHIELD: CapabilitySet = CapabilitySet::LEASE;

/// Gives up, for good, what a host is not to have: for the calling thread and whatever it becomes or starts.
pub(crate) fn confine() -> io::Result<()> {
    for number in 0..CAPABILITIES {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if !KEPT.contains(one) {
            // Those that this kernel does not have.
            let _ = rustix::thread::remove_capability_from_bounding_set(one);
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let permitted = KEPT.union(SHIELD);
    let kept = CapabilitySets { effective: KEPT, permitted, inheritable: none };
    rustix::thread::set_capabilities(None, kept)?;
    rustix::thread::set_no_new_privs(true)?;
    filter(&program())
}

/// The filter of system calls, as classic BPF over `struct seccomp_data`.
fn program() -> Vec<libc::sock_filter> {
    let (load, equal, at_least, any) = (0x20, 0x15, 0x35, 0x45);
    let step = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    let give = |k: u32| step(0x06, 0, 0, k);
    let error = |number: i32| give(0x0005_0000 | number.unsigned_abs());
    let (number, architecture, argument) = (0, 4, 16);
    let call = |it: i64| u32::try_from(it).unwrap_or(u32::MAX);
    let mut all = vec![
        // Calls of another architecture have other numbers.
        step(load, 0, 0, architecture),
        step(equal, 1, 0, ARCHITECTURE),
        error(libc::EPERM),
        step(load, 0, 0, number),
        // So do those of x32.
        step(at_least, 0, 1, 0x4000_0000),
        error(libc::EPERM),
        // Its flags cannot be looked at; without it libraries take the one whose flags can.
        step(equal, 0, 1, call(libc::SYS_clone3)),
        error(libc::ENOSYS),
    ];
    for it in REFUSED {
        all.extend([step(equal, 0, 1, call(*it)), error(libc::EPERM)]);
    }
    all.extend([
        step(equal, 1, 0, call(libc::SYS_clone)),
        step(equal, 0, 3, call(libc::SYS_unshare)),
        step(load, 0, 0, argument),
        step(any, 0, 1, NAMESPACES),
        error(libc::EPERM),
        give(0x7fff_0000),
    ]);
    all
}

#[expect(unsafe_code, reason = "no library of ours sets a filter of system calls")]
fn filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: `program` points at `len` instructions that live until the call returns; the kernel copies
    // them, checks them, and writes to none.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            std::ptr::from_ref(&program),
            0,
            0,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
