//! Which calls to the kernel programs in a sandbox may not make.
//!
//! The namespaces contain; this makes less of the kernel reachable from within them: what loads code
//! into it, what mounts, what makes further user namespaces (inside of which a program is root, the
//! way into most holes of recent years), keys, performance counters, sockets that no network namespace
//! holds (`AF_VSOCK` leads from a virtual machine to its host), and files in the workspace that others
//! on the machine would run as the person. Not here: how the program is
//! handed to bubblewrap. The invariant: what is made for another processor, or for the second numbering
//! that x86 has, is denied altogether, so that a call has no second name.
//!
//! Classic BPF as `seccomp(2)` describes it: each instruction is 8 bytes, `{u16, u8, u8, u32}`.

use std::io;

use libc::c_long;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const REFUSE: u32 = 0x0005_0000;

/// Offsets in `struct seccomp_data`; the processors below store the low half of a word first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low halves of a call's arguments.
const ARGUMENTS: [u32; 4] = [16, 24, 32, 40];

/// Call numbers from here on are those of x32.
const SECOND_NUMBERING: u32 = 0x4000_0000;

/// Refused with `EPERM`, whatever the arguments.
const REFUSED: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Kinds of sockets that there are.
const SOCKETS: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Namespaces that `clone` may not make.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// The bit that lets whoever runs a file run it as its owner.
const SET_USER: u32 = 0o4000;

/// Calls that give a file its rights: which argument holds them, and which the flags that say whether
/// it does, of which one must be set.
const RIGHTS: &[(c_long, usize, Option<(usize, i32)>)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 2, Some((1, libc::O_CREAT | libc::O_TMPFILE))),
    (libc::SYS_fchmod, 1, None),
    (libc::SYS_fchmodat, 2, None),
    (FCHMODAT2, 2, None),
    (libc::SYS_mknodat, 2, None),
    (libc::SYS_openat, 3, Some((2, libc::O_CREAT | libc::O_TMPFILE))),
];

/// The same number on every processor.
const FCHMODAT2: c_long = 452;

/// The processor's number in `linux/audit.h`; `None` where there is no filter for it.
fn architecture() -> Option<u32> {
    match std::env::consts::ARCH {
        "x86_64" => Some(0xC000_003E),
        "aarch64" => Some(0xC000_00B7),
        _ => None,
    }
}

/// The filter as bubblewrap reads it; `None` on processors that it is not written for.
///
/// # Errors
/// Where a call's number does not fit.
pub(super) fn program() -> io::Result<Option<Vec<u8>>> {
    let Some(architecture) = architecture() else { return Ok(None) };
    let mut filter = Filter(Vec::new());
    filter.step(LOAD, ARCHITECTURE, 0, 0);
    filter.step(JUMP_IF_EQUAL, architecture, 1, 0);
    filter.step(RETURN, KILL, 0, 0);
    filter.step(LOAD, NUMBER, 0, 0);
    filter.step(JUMP_IF_AT_LEAST, SECOND_NUMBERING, 0, 1);
    filter.step(RETURN, REFUSE | errno(libc::ENOSYS)?, 0, 0);
    for call in REFUSED {
        filter.refuse(number(*call)?, errno(libc::EPERM)?);
    }
    // Their flags are in memory, where no filter sees them; libraries then take the older calls.
    for call in [libc::SYS_clone3, libc::SYS_openat2] {
        filter.refuse(number(call)?, errno(libc::ENOSYS)?);
    }
    for (call, rights, flags) in RIGHTS {
        filter.rights(number(*call)?, *rights, *flags)?;
    }
    filter.step(JUMP_IF_EQUAL, number(libc::SYS_clone)?, 0, 4);
    filter.step(LOAD, ARGUMENTS[0], 0, 0);
    filter.step(JUMP_IF_ANY_BIT, NAMESPACES.cast_unsigned(), 0, 1);
    filter.step(RETURN, REFUSE | errno(libc::EPERM)?, 0, 0);
    filter.step(RETURN, ALLOW, 0, 0);
    filter.sockets(number(libc::SYS_socket)?)?;
    filter.sockets(number(libc::SYS_socketpair)?)?;
    filter.step(RETURN, ALLOW, 0, 0);
    Ok(Some(filter.0))
}

struct Filter(Vec<u8>);

impl Filter {
    /// One instruction; where it is a jump, over how many if so and if not.
    fn step(&mut self, code: u16, value: u32, so: u8, not: u8) {
        self.0.extend(code.to_ne_bytes());
        self.0.extend([so, not]);
        self.0.extend(value.to_ne_bytes());
    }

    fn refuse(&mut self, call: u32, errno: u32) {
        self.step(JUMP_IF_EQUAL, call, 0, 1);
        self.step(RETURN, REFUSE | errno, 0, 0);
    }

    /// Refuses a call that would set [`SET_USER`]; ends the filter for it.
    fn rights(&mut self, call: u32, rights: usize, flags: Option<(usize, i32)>) -> io::Result<()> {
        self.step(JUMP_IF_EQUAL, call, 0, if flags.is_some() { 6 } else { 4 });
        if let Some((at, flags)) = flags {
            self.step(LOAD, ARGUMENTS[at], 0, 0);
            self.step(JUMP_IF_ANY_BIT, flags.cast_unsigned(), 0, 3);
        }
        self.step(LOAD, ARGUMENTS[rights], 0, 0);
        self.step(JUMP_IF_ANY_BIT, SET_USER, 0, 1);
        self.step(RETURN, REFUSE | errno(libc::EPERM)?, 0, 0);
        self.step(RETURN, ALLOW, 0, 0);
        Ok(())
    }

    /// Lets a call through only for the [`SOCKETS`].
    fn sockets(&mut self, call: u32) -> io::Result<()> {
        let kinds = u8::try_from(SOCKETS.len()).map_err(io::Error::other)?;
        self.step(JUMP_IF_EQUAL, call, 0, kinds + 3);
        self.step(LOAD, ARGUMENTS[0], 0, 0);
        for (behind, kind) in (1..=kinds).rev().zip(SOCKETS) {
            self.step(JUMP_IF_EQUAL, kind.cast_unsigned(), behind, 0);
        }
        self.step(RETURN, REFUSE | errno(libc::EAFNOSUPPORT)?, 0, 0);
        self.step(RETURN, ALLOW, 0, 0);
        Ok(())
    }
}

fn number(call: c_long) -> io::Result<u32> {
    u32::try_from(call).map_err(io::Error::other)
}

fn errno(errno: i32) -> io::Result<u32> {
    u32::try_from(errno).map_err(io::Error::other)
}
