//! A private folder for plaintext while a program has it: wiped and removed at the end, also by Ctrl-C and SIGTERM.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::exit::{self, Failure};

/// How long a program has to end itself.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Workplace {
    folder: TempDir,
    /// The program, while it runs.
    program: Arc<Mutex<Option<Child>>>,
    made: Arc<Mutex<Made>>,
}

/// The files that this program made there, by what does not change when they are renamed.
type Made = Vec<(u64, u64)>;

impl Workplace {
    pub(crate) fn create() -> Result<Self, Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("sopskit-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(|error| cannot(&error))?;
        let (program, made) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Made::new())));
        // The folder is known to the handler before there is any plaintext in it.
        #[cfg(unix)]
        handle_signals(folder.path().to_owned(), Arc::clone(&program), Arc::clone(&made))
            .map_err(|error| cannot(&error))?;
        Ok(Workplace { folder, program, made })
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
        let write = || {
            let mut file = options.open(&path)?;
            lock(&self.made).push(number(&file.metadata()?));
            file.write_all(plain)
        };
        write().map_err(|error| cannot(&error))?;
        Ok(path)
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, command: &mut Command) -> io::Result<ExitStatus> {
        {
            // Held while it starts: a signal must find it.
            let mut program = lock(&self.program);
            *program = Some(command.spawn()?);
        }
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
        wipe(self.folder.path(), &lock(&self.made));
    }
}

pub(crate) fn cannot(error: &io::Error) -> Failure {
    Failure::new(exit::CANNOT_WRITE, format!("cannot make a private file: {error}"))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends this program with nothing left behind.
#[cfg(unix)]
fn handle_signals(folder: PathBuf, program: Arc<Mutex<Option<Child>>>, made: Arc<Mutex<Made>>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let mut program = lock(&program);
            match program.as_mut() {
                // The terminal sends it to both, and it may mean something to the program.
                Some(_) if [SIGINT, SIGQUIT].contains(&signal) => continue,
                Some(child) => end(child, signal),
                None => {}
            }
            wipe(&folder, &lock(&made));
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    });
    Ok(())
}

/// Hands a signal on to the program, and ends it when it does not end itself: it should not write into the folder any more.
#[cfg(unix)]
fn end(child: &mut Child, signal: i32) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
        let _ = kill_process(pid, signal);
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill().and_then(|()| child.wait());
}

/// Overwrites and removes all files of a folder: what a program leaves beside the one it was given, too.
fn wipe(folder: &Path, made: &Made) {
    // When something fails here there is nothing better to do than to go on.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.metadata().is_ok_and(|about| about.is_file() && is_ours(&about, made)) {
            if let (Ok(length), Ok(mut file)) =
                (entry.metadata().map(|about| about.len()), OpenOptions::new().write(true).open(entry.path()))
            {
                let _ = io::copy(&mut io::Read::take(io::repeat(0), length), &mut file).and_then(|_| file.sync_all());
            }
        }
    }
    // Again, where something is written meanwhile.
    for _ in 0..10 {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this program made a file, or it has no other name: else it is somebody's who put a link to it here.
#[cfg(unix)]
fn is_ours(about: &fs::Metadata, made: &Made) -> bool {
    std::os::unix::fs::MetadataExt::nlink(about) == 1 || made.contains(&number(about))
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata, _: &Made) -> bool {
    true
}

#[cfg(unix)]
fn number(about: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (about.dev(), about.ino())
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}
