//! The filter of system calls (seccomp). A denied call fails with EPERM; nothing is killed for asking.
//!
//! Programs of strangers get a list of what is denied, since nobody knows what they need. Our own
//! worker at level 1, where nothing else holds, gets a list of what is allowed.

use crate::orchestrator::first::plan::Filter;
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Builds a filter and puts it up; it stays for this thread and all that it starts.
///
/// # Errors
/// In words, when the kernel has no seccomp or the processor is unknown.
pub fn apply(filter: Filter) -> Result<(), String> {
    let (rules, otherwise, matched) = match filter {
        Filter::None => return Ok(()),
        Filter::Apart => (apart()?, SeccompAction::Allow, denied()),
        Filter::Confined { same_user } => (confined(same_user)?, SeccompAction::Allow, denied()),
        Filter::Worker => (worker()?, denied(), SeccompAction::Allow),
    };
    if cfg!(target_arch = "x86_64") {
        put(&no_x32())?;
    }
    // Its flags are behind a pointer, where no filter can look; without it libraries use clone.
    let call = BTreeMap::from([(libc::SYS_clone3, vec![])]);
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    put(&build(call, SeccompAction::Allow, absent)?)?;
    // The last one: it may deny putting up another.
    put(&build(rules, otherwise, matched)?)
}

fn denied() -> SeccompAction {
    SeccompAction::Errno(libc::EPERM.unsigned_abs())
}

fn build(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, String> {
    let fault = |e: &dyn std::fmt::Display| format!("seccomp: {e}");
    let machine: TargetArch = std::env::consts::ARCH.try_into().map_err(|e| fault(&e))?;
    let filter = SeccompFilter::new(rules, otherwise, matched, machine).map_err(|e| fault(&e))?;
    filter.try_into().map_err(|e: seccompiler::BackendError| fault(&e))
}

fn put(program: &BpfProgram) -> Result<(), String> {
    seccompiler::apply_filter(program).map_err(|e| format!("seccomp: {e}"))
}

/// Denies the second numbering of system calls on x86-64 (x32), which the lists do not name. Codes
/// from linux/bpf_common.h; the number is the first word of `seccomp_data`.
fn no_x32() -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_GE: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_GE, 0, 1, 0x4000_0000),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// What no server needs: it reaches into the kernel or other processes, or makes namespaces and mounts.
const BEYOND: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
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
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_memfd_secret,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Denied to everybody: what reaches into the kernel, other processes, or new namespaces.
fn apart() -> Result<Rules, String> {
    let mut rules: Rules = BEYOND.iter().map(|call| (*call, vec![])).collect();
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_ioperm, libc::SYS_iopl, libc::SYS_modify_ldt, libc::SYS_uselib] {
        rules.insert(call, vec![]);
    }
    // New namespaces, one bit of the flags after the other.
    let spaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let bits = |flag: i32| u64::from(flag.unsigned_abs());
    let flags = spaces.map(|flag| when(&[(0, Op::MaskedEq(bits(flag)), bits(flag))]));
    rules.insert(libc::SYS_clone, flags.into_iter().collect::<Result<_, _>>()?);
    // Typing into a terminal that others read.
    rules.insert(
        libc::SYS_ioctl,
        vec![when(&[(1, Op::Eq, 0x5412)])?, when(&[(1, Op::Eq, 0x541C)])?],
    );
    // Of sockets: its own network's and local ones.
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(|f| (0, Op::Ne, bits(f)));
    rules.insert(libc::SYS_socket, vec![when(&families)?]);
    // The mark, and other processes' limits.
    // A signed number with musl, an unsigned one with glibc.
    let mark = libc::RLIMIT_RTTIME as u64;
    rules.insert(libc::SYS_setrlimit, vec![when(&[(0, Op::Eq, mark)])?]);
    rules.insert(
        libc::SYS_prlimit64,
        vec![when(&[(0, Op::Ne, 0)])?, long(&[(1, Op::Eq, mark), (2, Op::Ne, 0)])?],
    );
    Ok(rules)
}

/// Denied besides, where the machine's own network, IPC and processes are in sight.
fn confined(same_user: bool) -> Result<Rules, String> {
    let mut rules = apart()?;
    let mut deny = |calls: &[i64]| calls.iter().for_each(|call| drop(rules.insert(*call, vec![])));
    deny(&[
        // Sockets, but for pairs; what others have in shared memory; memory that is nobody's file.
        libc::SYS_socket,
        libc::SYS_shmget,
        libc::SYS_shmat,
        libc::SYS_semget,
        libc::SYS_msgget,
        libc::SYS_mq_open,
        libc::SYS_mq_unlink,
        libc::SYS_memfd_create,
        libc::SYS_truncate,
    ]);
    // Signals by way of files: the owner of a descriptor is told when something comes.
    rules.insert(libc::SYS_fcntl, ask_for_signals()?);
    let ioctls = [0x5412, 0x541C, 0x8901, 0x8902].map(|n| when(&[(1, Op::Eq, n)]));
    rules.insert(libc::SYS_ioctl, ioctls.into_iter().collect::<Result<_, _>>()?);
    if !same_user {
        return Ok(rules);
    }
    let mut deny = |calls: &[i64]| calls.iter().for_each(|call| drop(rules.insert(*call, vec![])));
    deny(&[
        // Signals.
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_send_signal,
        // How others are scheduled.
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setaffinity,
        libc::SYS_ioprio_set,
        libc::SYS_migrate_pages,
        libc::SYS_move_pages,
        libc::SYS_setpriority,
        // What Landlock does not see of files: modes, owners, attributes, times, watching.
        libc::SYS_fchmodat,
        libc::SYS_fchmodat2,
        libc::SYS_fchownat,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
        libc::SYS_removexattr,
        libc::SYS_lremovexattr,
        libc::SYS_utimensat,
        libc::SYS_inotify_add_watch,
    ]);
    #[cfg(target_arch = "x86_64")]
    deny(&[
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_lchown,
        libc::SYS_utime,
        libc::SYS_utimes,
        libc::SYS_futimesat,
    ]);
    Ok(rules)
}

/// `fcntl` with F_SETOWN, F_SETSIG or F_SETOWN_EX.
fn ask_for_signals() -> Result<Vec<SeccompRule>, String> {
    [8, 10, 15].map(|command| when(&[(1, Op::Eq, command)])).into_iter().collect()
}

/// Allowed to our own worker: its open descriptors, memory, threads and time.
fn worker() -> Result<Rules, String> {
    let mut rules: Rules = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
        libc::SYS_lseek,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_dup,
        libc::SYS_dup3,
        libc::SYS_pipe2,
        libc::SYS_eventfd2,
        libc::SYS_epoll_create1,
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_ppoll,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_set_tid_address,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_membarrier,
        libc::SYS_clone3,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .map(|call| (call, vec![]))
    .into();
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_time, libc::SYS_arch_prctl] {
        rules.insert(call, vec![]);
    }
    let thread = u64::from((libc::CLONE_THREAD | libc::CLONE_VM).unsigned_abs());
    rules.insert(libc::SYS_clone, vec![when(&[(0, Op::MaskedEq(thread), thread)])?]);
    // Flags of descriptors; no owners of signals.
    let fcntl = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD_CLOEXEC]
        .map(|c| when(&[(1, Op::Eq, u64::from(c.unsigned_abs()))]));
    rules.insert(libc::SYS_fcntl, fcntl.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_prlimit64, vec![long(&[(0, Op::Eq, 0), (2, Op::Eq, 0)])?]);
    // Names of threads and of memory.
    let prctl = [libc::PR_SET_NAME, libc::PR_GET_NAME, 0x5356_4d41]
        .map(|c| when(&[(0, Op::Eq, u64::from(c.unsigned_abs()))]));
    rules.insert(libc::SYS_prctl, prctl.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_ioctl, vec![when(&[(1, Op::Eq, 0x5421)])?]);
    Ok(rules)
}

/// All of these: number of the argument, comparison, value. The kernel reads 32 bits of them.
fn when(all: &[(u8, Op, u64)]) -> Result<SeccompRule, String> {
    rule(all, |_| Len::Dword)
}

/// As [`when`], but the third argument is a pointer.
fn long(all: &[(u8, Op, u64)]) -> Result<SeccompRule, String> {
    rule(all, |argument| if argument == 2 { Len::Qword } else { Len::Dword })
}

fn rule(all: &[(u8, Op, u64)], length: impl Fn(u8) -> Len) -> Result<SeccompRule, String> {
    let fault = |e: seccompiler::BackendError| format!("seccomp: {e}");
    let one = |(argument, op, value): &(u8, Op, u64)| {
        SeccompCondition::new(*argument, length(*argument), op.clone(), *value).map_err(fault)
    };
    SeccompRule::new(all.iter().map(one).collect::<Result<_, _>>()?).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_can_be_built_for_this_machine() {
        for rules in [apart(), confined(false), confined(true), worker()] {
            let program = build(rules.unwrap(), SeccompAction::Allow, denied()).unwrap();
            assert!(program.len() > 100 && program.len() < 4096, "{}", program.len());
        }
    }

    #[test]
    fn the_worker_may_open_and_start_nothing() {
        let rules = worker().unwrap();
        for call in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_kill,
        ] {
            assert!(!rules.contains_key(&call), "{call}");
        }
    }
}
