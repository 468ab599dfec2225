//! Where plaintext lies while an editor has it.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sopskit::{Bytes, Document};

use crate::exit::{self, Failure};
use crate::files::{create_file, say, tell};
use crate::workplace::Workplace;

const EDITORS: [&str; 3] = ["vim", "nano", "vi"];

pub(crate) struct Desk<'a> {
    /// The file that is edited.
    target: &'a Path,
    place: Workplace,
    file: PathBuf,
}

impl<'a> Desk<'a> {
    pub(crate) fn create(target: &'a Path, plain: &[u8]) -> Result<Self, Failure> {
        let place = Workplace::create()?;
        let file = place.put(Path::new(target.file_name().unwrap_or("secrets".as_ref())), plain)?;
        Ok(Desk { target, place, file })
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

    fn start(&self, words: &[String]) -> io::Result<std::process::ExitStatus> {
        self.place.run(std::process::Command::new(&words[0]).args(&words[1..]).arg(&self.file))
    }

    pub(crate) fn read(&self) -> Result<Bytes, Failure> {
        Ok(sopskit::read_file(&self.file)?)
    }

    /// Says why an edit cannot be saved, and waits for somebody to go back to the editor. Meanwhile, and where there is nobody,
    /// it is kept, encrypted.
    pub(crate) fn offer_again(&self, failure: &Failure, edited: &Bytes, base: &Document) -> Result<(), Failure> {
        // Before the question: whoever answers it with Ctrl-C, or closes the terminal, has the edit still.
        let kept = self.keep(edited, base);
        tell(&failure.to_string());
        say!("sopskit: {kept}");
        say!("Press enter to return to the editor, or Ctrl-C to give the edit up.");
        match io::stdin().read_line(&mut String::new()) {
            Ok(length) if length > 0 => {
                // The editor has it, and what it makes of it is kept again. A copy that stays does no harm.
                if let Kept::File(path) = kept {
                    let _ = fs::remove_file(path);
                }
                Ok(())
            }
            _ => Err(failure.and(&kept.to_string())),
        }
    }

    /// Under the data key of the file, so that whoever opens the file can open it, whatever their keys.
    fn keep(&self, edited: &Bytes, base: &Document) -> Kept {
        let sealed = match base.encrypt_binary(edited) {
            Ok(sealed) => sealed.to_string(),
            Err(error) => return Kept::Lost(error.to_string()),
        };
        // Beside the file there may be no room for a longer name, or no leave to make one.
        if let Ok(path) = keep_beside(self.target, sealed.as_bytes()).or_else(|_| keep_elsewhere(sealed.as_bytes())) {
            return Kept::File(path);
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(sealed.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Kept::Printed,
            Err(error) => Kept::Lost(error.to_string()),
        }
    }
}

/// Where an edit is that cannot be saved.
enum Kept {
    File(PathBuf),
    Printed,
    Lost(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BY: &str = "sopskit decrypt --output-type binary shows it";
        match self {
            Kept::File(path) => write!(f, "your edit is kept, encrypted, in {}: {SHOWN_BY}", path.display()),
            Kept::Printed => write!(f, "your edit is on standard output, encrypted: {SHOWN_BY}"),
            Kept::Lost(why) => write!(f, "your edit could not be kept: {why}"),
        }
    }
}

fn keep_beside(target: &Path, sealed: &[u8]) -> io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        number += 1;
        let mut name = OsString::from(target);
        name.push(format!(".rejected-{number}"));
        let path = PathBuf::from(name);
        // An earlier edit, or that of somebody else at this moment, is not replaced.
        match create_file(&path, sealed) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
}

fn keep_elsewhere(sealed: &[u8]) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("sopskit-rejected-").suffix(".json").tempfile()?;
    file.write_all(sealed)?;
    file.as_file().sync_all()?;
    Ok(file.keep()?.1)
}
