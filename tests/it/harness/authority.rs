//! A certificate authority of a test's own, kept by openssl in a folder that goes with it.

use crate::harness::Folder;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names of this machine as certificates have them.
pub const SELF: &str = "DNS:localhost,IP:127.0.0.1";

/// The folder with the authority's `ca.pem` and what it signed.
pub struct Authority(Folder);

impl Authority {
    pub fn new() -> Authority {
        let own = Authority(Folder::new());
        own.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -keyout ca.key -out ca.pem -subj /CN=Authority",
        );
        own
    }

    /// Runs openssl in the folder.
    pub fn openssl(&self, args: &str) {
        let mut command = Command::new("openssl");
        let done = command.args(args.split_whitespace()).current_dir(self.path()).output().unwrap();
        assert!(done.status.success(), "{args}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Makes `<name>.pem` and `<name>.key` for `names`, valid for `days`.
    pub fn sign(&self, name: &str, names: &str, days: i32) {
        let extensions = format!("subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n");
        std::fs::write(self.file("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key \
             -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days {days} \
             -extfile extensions -out {name}.pem"
        ));
    }
}
