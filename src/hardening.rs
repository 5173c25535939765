//! Keeps a crash from writing private keys to disk.

/// Forbids core dumps of this process and its children. Continues if the system refuses that, because
/// the command itself matters more.
pub fn forbid_core_dumps() {
    // A resource limit is not enough: it does not apply if the kernel pipes dumps to a program (core(5)).
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
}
