//! A private folder for plaintext while a program has it: wiped and removed at the end, also by Ctrl-C and SIGTERM.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::exit::{self, Failure};

pub(crate) struct Workplace {
    folder: TempDir,
    /// The program, while it runs.
    program: Arc<Mutex<Option<Child>>>,
}

impl Workplace {
    pub(crate) fn create() -> Result<Self, Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("sopskit-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(|error| cannot(&error))?;
        let program = Arc::new(Mutex::new(None));
        // The folder is known to the handler before there is any plaintext in it.
        #[cfg(unix)]
        handle_signals(folder.path().to_owned(), Arc::clone(&program)).map_err(|error| cannot(&error))?;
        Ok(Workplace { folder, program })
    }

    /// Where something of this name lies, or would lie.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a private file there.
    pub(crate) fn put(&self, name: &Path, plain: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).and_then(|mut file| file.write_all(plain)).map_err(|error| cannot(&error))?;
        Ok(path)
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, command: &mut Command) -> io::Result<ExitStatus> {
        *lock(&self.program) = Some(command.spawn()?);
        loop {
            // Not held while waiting: a signal must get at the program.
            let mut program = lock(&self.program);
            let Some(child) = program.as_mut() else { return Err(io::ErrorKind::Interrupted.into()) };
            if let Some(status) = child.try_wait()? {
                *program = None;
                return Ok(status);
            }
            drop(program);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        wipe(self.folder.path());
    }
}

pub(crate) fn cannot(error: &io::Error) -> Failure {
    Failure::new(exit::CANNOT_WRITE, format!("cannot make a private file: {error}"))
}

fn lock(program: &Mutex<Option<Child>>) -> MutexGuard<'_, Option<Child>> {
    program.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends this program with nothing left behind. What the keyboard sends while another program runs is that one's: the terminal sends it to both.
#[cfg(unix)]
fn handle_signals(folder: PathBuf, program: Arc<Mutex<Option<Child>>>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let mut program = lock(&program);
            match program.as_mut() {
                Some(_) if [SIGINT, SIGQUIT].contains(&signal) => continue,
                Some(child) => {
                    // It must not write into the folder any more.
                    let _ = child.kill().and_then(|()| child.wait());
                }
                None => {}
            }
            wipe(&folder);
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    });
    Ok(())
}

/// Overwrites and removes all files of a folder: what a program leaves beside the one it was given, too.
fn wipe(folder: &Path) {
    // When something fails here there is nothing better to do than to go on.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            if let (Ok(length), Ok(mut file)) =
                (entry.metadata().map(|about| about.len()), OpenOptions::new().write(true).open(entry.path()))
            {
                let _ = io::copy(&mut io::Read::take(io::repeat(0), length), &mut file).and_then(|_| file.sync_all());
            }
        }
    }
    let _ = fs::remove_dir_all(folder);
}
