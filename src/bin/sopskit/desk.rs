//! Where plaintext lies while an editor has it: a private file in a private folder, wiped and removed at the end, also by Ctrl-C and SIGTERM.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sopskit::{Bytes, Document};
use tempfile::TempDir;

use crate::exit::{self, Failure};

const EDITORS: [&str; 3] = ["vim", "nano", "vi"];

pub(crate) struct Desk<'a> {
    /// The file that is edited.
    target: &'a Path,
    folder: TempDir,
    file: PathBuf,
    /// The editor, while it runs.
    editor: Arc<Mutex<Option<Child>>>,
}

impl<'a> Desk<'a> {
    pub(crate) fn create(target: &'a Path, plain: &[u8]) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(exit::CANNOT_WRITE, format!("cannot make a private file for the editor: {error}"))
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("sopskit-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(cannot)?;
        let editor = Arc::new(Mutex::new(None));
        // The folder is known to the handler before there is any plaintext in it.
        #[cfg(unix)]
        handle_signals(folder.path().to_owned(), Arc::clone(&editor)).map_err(cannot)?;
        let file = folder.path().join(target.file_name().unwrap_or("secrets".as_ref()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let desk = Desk { target, folder, file, editor };
        options.open(&desk.file).and_then(|mut file| file.write_all(plain)).map_err(cannot)?;
        Ok(desk)
    }

    pub(crate) fn run_editor(&self) -> Result<(), Failure> {
        let named = ["SOPS_EDITOR", "EDITOR"]
            .into_iter()
            .find_map(|name| Some((name, std::env::var(name).ok().filter(|editor| !editor.is_empty())?)));
        let status = match named {
            Some((name, editor)) => {
                let words = shlex::split(&editor).filter(|words| !words.is_empty());
                let words = words.ok_or_else(|| {
                    Failure::new(exit::NO_EDITOR, format!("${name} is no command: its quotes do not match"))
                })?;
                self.start(&words).map_err(|error| {
                    Failure::new(exit::NO_EDITOR, format!("cannot run {:?} of ${name}: {error}", words[0]))
                })?
            }
            None => EDITORS.iter().find_map(|editor| self.start(&[(*editor).to_owned()]).ok()).ok_or_else(|| {
                let message = "no editor found: set SOPS_EDITOR or EDITOR, or install one of vim, nano, vi";
                Failure::new(exit::NO_EDITOR, message)
            })?,
        };
        if status.success() {
            return Ok(());
        }
        #[cfg(unix)]
        if std::os::unix::process::ExitStatusExt::signal(&status) == Some(signal_hook::consts::SIGINT) {
            return Err(Failure::new(exit::INTERRUPTED, "interrupted, nothing was written"));
        }
        Err(Failure::new(exit::NO_EDITOR, format!("the editor failed ({status}), nothing was written")))
    }

    fn start(&self, words: &[String]) -> io::Result<ExitStatus> {
        let child = Command::new(&words[0]).args(&words[1..]).arg(&self.file).spawn()?;
        *lock(&self.editor) = Some(child);
        loop {
            // Not held while waiting: a signal must get at the editor.
            let mut editor = lock(&self.editor);
            let Some(child) = editor.as_mut() else { return Err(io::ErrorKind::Interrupted.into()) };
            if let Some(status) = child.try_wait()? {
                *editor = None;
                return Ok(status);
            }
            drop(editor);
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn read(&self) -> Result<Bytes, Failure> {
        Ok(sopskit::read_file(&self.file)?)
    }

    /// Says why an edit cannot be saved, and waits for somebody to go back to the editor. Where there is nobody the edit is kept,
    /// encrypted, beside the file.
    pub(crate) fn offer_again(&self, failure: &Failure, edited: &Bytes, base: &Document) -> Result<(), Failure> {
        eprintln!("sopskit: {}", failure.message);
        eprintln!("Press enter to return to the editor, or Ctrl-C to give the edit up.");
        match io::stdin().read_line(&mut String::new()) {
            Ok(length) if length > 0 => Ok(()),
            _ => {
                let kept = self.keep(edited, base).map_err(|error| {
                    let message = format!("{}; your edit could not be kept: {error}", failure.message);
                    Failure::new(failure.code, message)
                })?;
                let message = format!(
                    "{}; your edit is kept, encrypted, in {}: sopskit decrypt --output-type binary shows it",
                    failure.message,
                    kept.display()
                );
                Err(Failure::new(failure.code, message))
            }
        }
    }

    /// Under the data key of the file, so that whoever opens the file can open it, whatever their keys.
    fn keep(&self, edited: &Bytes, base: &Document) -> sopskit::Result<PathBuf> {
        let sealed = base.encrypt_binary(edited)?;
        let name = |number: u32| {
            let mut name = OsString::from(self.target);
            name.push(format!(".rejected-{number}"));
            PathBuf::from(name)
        };
        let path = (1..).map(name).find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_default();
        sopskit::replace_file(&path, sealed.to_string().as_bytes())?;
        Ok(path)
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        wipe(self.folder.path());
    }
}

fn lock(editor: &Mutex<Option<Child>>) -> MutexGuard<'_, Option<Child>> {
    editor.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the program with nothing left behind. What the keyboard sends while an editor runs is the editor's: the terminal sends it to both.
#[cfg(unix)]
fn handle_signals(folder: PathBuf, editor: Arc<Mutex<Option<Child>>>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let mut editor = lock(&editor);
            match editor.as_mut() {
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

/// Overwrites and removes all files of a folder: what an editor leaves beside the one it was given, too.
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
