//! Checks who owns a directory, and who can write to it or replace it.
//!
//! A directory is only as safe as its parents: a user who can rename a parent can put another directory
//! in its place.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The reason why a directory is not safe for files that only this user can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The directory or one of its parents, given here, belongs to another user.
    Foreign(PathBuf, u32),
    /// Other users can write to the directory or one of its parents, given here.
    Open(PathBuf),
}

impl Fault {
    /// Returns the path with the fault.
    pub fn path(&self) -> &Path {
        match self {
            Fault::Foreign(path, _) | Fault::Open(path) => path,
        }
    }
}

/// A directory, or a link to one, on the path of the directory that is checked.
#[derive(Clone, Debug)]
struct Step {
    path: PathBuf,
    /// True for the directory itself, false for a parent.
    is_itself: bool,
    is_link: bool,
    owner: u32,
    group: u32,
    mode: u32,
}

/// Returns the first fault of a directory, or `None`. The directory need not exist. A foreign owner
/// comes before write access of other users.
pub fn fault(directory: &Path) -> Option<Fault> {
    let user = platform::user();
    judge(&platform::steps(directory), user)
}

/// Returns the first fault of a file that only this user and root may change, or of a directory above it; `None` if
/// there is none.
pub fn fault_of_file(file: &Path) -> Option<Fault> {
    const STICKY: u32 = 0o1000;
    let steps = platform::steps(file).into_iter().map(|step| Step {
        // The file can belong to root, and its group is judged like that of a directory above it.
        is_itself: false,
        // On a file, the sticky bit protects nothing.
        mode: if step.is_itself {
            step.mode & !STICKY
        } else {
            step.mode
        },
        ..step
    });
    judge(&steps.collect::<Vec<_>>(), platform::user())
}

/// Returns an error if a directory or one of its parents belongs to another user. `otherwise` is the hint
/// for what to do instead of running jwks as that user.
pub fn refuse_foreign(directory: &Path, otherwise: &str) -> Result<()> {
    refuse_fault(fault(directory).as_ref(), directory, otherwise)
}

/// Returns the error of [`refuse_foreign`] for a fault of a directory that is known already.
pub fn refuse_fault(fault: Option<&Fault>, directory: &Path, otherwise: &str) -> Result<()> {
    match fault {
        Some(Fault::Foreign(path, owner)) => {
            let owner = name(*owner);
            let message = if path == directory {
                format!("{} belongs to {owner}", path.display())
            } else {
                let (path, directory) = (path.display(), directory.display());
                format!("{directory} lies below {path}, which belongs to {owner}")
            };
            let hint = format!("run `sudo -u '{owner}' jwks …`, or {otherwise}");
            Err(Error::refused(message).hint(hint))
        }
        _ => Ok(()),
    }
}

/// Returns true if a directory within one of ours exists. Refuses a link, a file, and a directory that
/// belongs to another user or to which other users can write.
pub fn own_directory_exists(path: &Path) -> Result<bool> {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata.map_err(|error| crate::files::failed("access", path, error))?,
    };
    let shown = path.display();
    if metadata.is_symlink() {
        return Err(Error::refused(format!("{shown} is a symbolic link")));
    }
    if !metadata.is_dir() {
        return Err(Error::refused(format!("{shown} is not a directory")));
    }
    match platform::owner(path) {
        Some(owner) if owner != platform::user() => {
            let owner = name(owner);
            Err(Error::refused(format!("{shown} belongs to {owner}")))
        }
        _ if crate::files::others(&metadata) & 0o022 != 0 => {
            Err(Error::refused(format!("other users can write to {shown}"))
                .hint(format!("run `chmod 700 {shown}`")))
        }
        _ => Ok(true),
    }
}

/// Returns true if other users can replace a file in this directory. Unlike [`fault`], this accepts the
/// sticky bit of the directory itself, and does not look at the directories above it.
pub fn is_replaceable(directory: &Path) -> bool {
    let itself = platform::steps(directory).into_iter().next();
    let itself = itself.map(|step| Step {
        is_itself: false,
        ..step
    });
    judge(itself.as_slice(), platform::user()).is_some()
}

/// Returns the hint for a file that this user cannot read or write.
pub fn way_in(path: &Path) -> String {
    let shown = path.display();
    match platform::owner(path) {
        Some(owner) if owner == platform::user() => format!("run `chmod u+rw {shown}`"),
        Some(owner) => {
            let (owner, user) = (name(owner), name(platform::user()));
            format!("it belongs to {owner}; run `sudo chown '{user}' {shown}` to take it over")
        }
        None => format!("run `ls -ld {shown}` and look at the directories above it"),
    }
}

/// Returns the name of a user, or `#` and the number if /etc/passwd does not have it.
pub fn name(user: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = user.to_string();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("#{number}"))
}

/// Returns the first fault on the path to a directory, from the point of view of `user`.
fn judge(steps: &[Step], user: u32) -> Option<Fault> {
    let is_foreign = |step: &&Step| {
        let is_roots = step.owner == 0 && !step.is_itself;
        step.owner != user && !is_roots
    };
    if let Some(step) = steps.iter().find(is_foreign) {
        return Some(Fault::Foreign(step.path.clone(), step.owner));
    }
    let is_open = |step: &&Step| {
        const STICKY: u32 = 0o1000;
        // Many systems give each user a group of the same number, and a umask of 002 with it.
        let is_own_group = step.owner == user && step.group == user && user != 0;
        let others = if is_own_group && !step.is_itself {
            0o002
        } else {
            0o022
        };
        let is_sticky = step.mode & STICKY != 0 && !step.is_itself;
        step.mode & others != 0 && !step.is_link && !is_sticky
    };
    let open = steps.iter().find(is_open);
    open.map(|step| Fault::Open(step.path.clone()))
}

#[cfg(unix)]
mod platform {
    use crate::files::ownership::Step;
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    /// Returns the user who owns files that this process creates.
    pub fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// Returns the owner of a file; `None` if its metadata cannot be read.
    pub fn owner(path: &Path) -> Option<u32> {
        Some(fs::symlink_metadata(path).ok()?.uid())
    }

    /// Returns the directory and its parents, along the path and along the resolved path.
    pub fn steps(directory: &Path) -> Vec<Step> {
        let named = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let real = named.ancestors().find_map(|path| path.canonicalize().ok());
        let is_new = |path: &&Path| !named.starts_with(path);
        let real = real.iter().flat_map(|path| path.ancestors());
        let above = named.ancestors().chain(real.filter(is_new));
        let above = above.filter_map(|path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            Some(step(path, &metadata, false))
        });
        let itself = fs::metadata(directory).ok();
        let itself = itself.map(|metadata| step(directory, &metadata, true));
        itself.into_iter().chain(above).collect()
    }

    fn step(path: &Path, metadata: &Metadata, is_itself: bool) -> Step {
        Step {
            path: path.to_owned(),
            is_itself,
            is_link: metadata.is_symlink(),
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode(),
        }
    }
}

/// On other systems, a new file inherits the access list of its directory.
#[cfg(not(unix))]
mod platform {
    use crate::files::ownership::Step;
    use std::path::Path;

    pub fn user() -> u32 {
        0
    }

    pub fn owner(_: &Path) -> Option<u32> {
        None
    }

    pub fn steps(_: &Path) -> Vec<Step> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: u32 = 0;
    const ALICE: u32 = 1000;
    const MALLORY: u32 = 1001;

    /// Steps from the directory upwards: path, owner, mode. Each group has its owner's number.
    fn judged(user: u32, steps: &[(&str, u32, u32)]) -> Option<Fault> {
        let step = |(path, owner, mode): &(&str, u32, u32)| Step {
            path: path.into(),
            is_itself: *path == "/up/store",
            is_link: mode & 0o170_000 == 0o120_000,
            owner: *owner,
            group: *owner,
            mode: *mode,
        };
        let steps: Vec<_> = steps.iter().map(step).collect();
        judge(&steps, user)
    }

    fn foreign(path: &str, owner: u32) -> Option<Fault> {
        Some(Fault::Foreign(path.into(), owner))
    }

    fn open(path: &str) -> Option<Fault> {
        Some(Fault::Open(path.into()))
    }

    #[test]
    fn a_directory_of_another_user_is_foreign() {
        for (user, owner) in [(ROOT, ALICE), (ALICE, MALLORY), (ALICE, ROOT)] {
            let steps = [("/up/store", owner, 0o755), ("/up", ROOT, 0o755)];
            assert_eq!(judged(user, &steps), foreign("/up/store", owner));
        }
        for owner in [ROOT, ALICE] {
            let steps = [("/up/store", ALICE, 0o700), ("/up", owner, 0o755)];
            assert_eq!(judged(ALICE, &steps), None);
        }
    }

    #[test]
    fn a_parent_of_another_user_than_root_is_foreign() {
        let steps = [("/up/store", ROOT, 0o700), ("/up", ALICE, 0o755)];
        assert_eq!(judged(ROOT, &steps), foreign("/up", ALICE));
        // The directory that does not exist yet would be created there.
        assert_eq!(judged(ROOT, &steps[1..]), foreign("/up", ALICE));
        // Foreign counts before open.
        let steps = [("/up/store", ALICE, 0o777), ("/up", MALLORY, 0o777)];
        assert_eq!(judged(ALICE, &steps), foreign("/up", MALLORY));
    }

    #[test]
    fn a_link_of_another_user_is_foreign_and_its_mode_does_not_count() {
        let link = 0o120_777;
        let steps = [("/up/store", ALICE, 0o700), ("/link", MALLORY, link)];
        assert_eq!(judged(ALICE, &steps), foreign("/link", MALLORY));
        let steps = [("/up/store", ALICE, 0o700), ("/link", ALICE, link)];
        assert_eq!(judged(ALICE, &steps), None);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_open() {
        for mode in [0o720, 0o702, 0o777, 0o1777] {
            let steps = [("/up/store", ALICE, mode), ("/up", ROOT, 0o755)];
            assert_eq!(judged(ALICE, &steps), open("/up/store"), "{mode:o}");
        }
    }

    #[test]
    fn a_parent_that_others_can_write_to_is_open_unless_it_is_sticky() {
        for (mode, fault) in [
            (0o775, open("/up")),
            (0o757, open("/up")),
            (0o777, open("/up")),
            (0o1777, None),
            (0o755, None),
        ] {
            let steps = [("/up/store", ROOT, 0o700), ("/up", ROOT, mode)];
            assert_eq!(judged(ROOT, &steps), fault, "{mode:o}");
        }
    }

    #[test]
    fn the_group_of_a_single_user_is_no_other() {
        let steps = [("/up/store", ALICE, 0o700), ("/up", ALICE, 0o775)];
        assert_eq!(judged(ALICE, &steps), None);
        let steps = [("/up/store", ALICE, 0o700), ("/up", ALICE, 0o777)];
        assert_eq!(judged(ALICE, &steps), open("/up"));
    }
}
