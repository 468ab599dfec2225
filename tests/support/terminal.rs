//! A pseudo-terminal.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A terminal, seen from the side of the person who sits there.
pub struct Terminal {
    master: OwnedFd,
    /// The device that a program has for its terminal.
    pub path: PathBuf,
}

impl Terminal {
    pub fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        Terminal { master, path: std::ffi::OsStr::from_bytes(name.to_bytes()).into() }
    }

    /// What a program gets for its standard input, output or error.
    pub fn side(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.path).unwrap()
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.master).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ECHO)
    }

    /// The side of the person.
    pub fn person(&self) -> File {
        self.master.try_clone().unwrap().into()
    }

    /// All that was shown, when no program has the terminal any more.
    pub fn shown(self) -> String {
        let mut shown = Vec::new();
        // It ends with an error when the last program closes its side; without any there was nothing to end.
        drop(self.side());
        let _ = File::from(self.master).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    }
}
