//! Where plaintext lies while an editor has it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sopskit::{Bytes, Document};

use crate::exit::{self, Failure};
use crate::files::say;
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

    /// Says why an edit cannot be saved, and waits for somebody to go back to the editor. Where there is nobody the edit is kept,
    /// encrypted, beside the file.
    pub(crate) fn offer_again(&self, failure: &Failure, edited: &Bytes, base: &Document) -> Result<(), Failure> {
        say!("sopskit: {}", failure.message);
        say!("Press enter to return to the editor, or Ctrl-C to give the edit up.");
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
