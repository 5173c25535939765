//! Real servers in processes of their own: they are started on a free port, and stopped at the end of a test.

use crate::support::wait_until;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A real server.
pub struct Peer {
    child: Child,
    port: u16,
    /// Its files, which other users can read: some servers give up the rights of root.
    directory: tempfile::TempDir,
}

impl Peer {
    /// Starts a server. `command` gets a free port and a directory for its files.
    pub fn start(command: impl Fn(u16, &Path) -> Command) -> Peer {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_owned();
        open_to_all(&path);
        // Another process can take the port in between.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = free.local_addr().expect("an address").port();
            drop(free);
            let mut command = command(port, &path);
            command.stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("the server starts");
            let mut has_ended = false;
            wait_until("the server listens", || {
                has_ended = child.try_wait().expect("a child").is_some();
                has_ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !has_ended {
                return Peer {
                    child,
                    port,
                    directory,
                };
            }
        }
        panic!("the server does not start: {:?}", command(0, &path));
    }

    /// Returns the address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the directory of its files.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets every user write to a directory.
pub fn open_to_all(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path, all).expect("own directory");
    }
}
