//! Input and output of a command.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use sopskit::{Bytes, Config, EncryptedDocument, Error, ErrorKind, Format, Indent};

use crate::args::{Files, Global, Types};
use crate::exit::{self, Failure};

impl Files {
    /// # Errors
    /// When the flags contradict each other.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let conflict = |message: &str| Err(Failure::new(exit::CONFLICTING_PARAMETERS, message));
        match (&self.file, self.in_place, &self.output) {
            (None, true, _) => conflict("--in-place needs a file; standard input cannot be written back"),
            (_, true, Some(_)) => conflict("--in-place and --output exclude each other"),
            _ => Ok(()),
        }
    }

    pub(crate) fn read(&self) -> Result<Bytes, Failure> {
        match &self.file {
            Some(path) => Ok(sopskit::read_file(path)?),
            None => Ok(sopskit::read_from(io::stdin().lock())?),
        }
    }

    pub(crate) fn write(&self, content: &[u8]) -> Result<(), Failure> {
        match self.output.as_ref().or(self.file.as_ref().filter(|_| self.in_place)) {
            Some(path) => Ok(sopskit::replace_file(path, content)?),
            None => print(content),
        }
    }

    pub(crate) fn input_format(&self) -> Result<Format, Failure> {
        self.format(self.input_type.as_deref())
    }

    pub(crate) fn output_format(&self) -> Result<Format, Failure> {
        self.format(self.output_type.as_deref())
    }

    /// The name by which the type of the file and its creation rule are found.
    pub(crate) fn name(&self) -> Option<&Path> {
        self.filename_override.as_deref().or(self.file.as_deref())
    }

    fn format(&self, named: Option<&str>) -> Result<Format, Failure> {
        Ok(format(named, self.name().unwrap_or(Path::new("")))?)
    }
}

impl Types {
    /// The format of the plaintext.
    pub(crate) fn check(&self, file: &Path) -> Result<Format, Failure> {
        self.check_output(file)?;
        Ok(self.check_input(file)?)
    }

    pub(crate) fn check_input(&self, file: &Path) -> sopskit::Result<Format> {
        format(self.input_type.as_deref(), file)
    }

    /// What matters only when something is written.
    pub(crate) fn check_output(&self, file: &Path) -> sopskit::Result<Format> {
        format(self.output_type.as_deref(), file)
    }
}

/// The format that a flag names, else that of the name of a file.
pub(crate) fn format(named: Option<&str>, file: &Path) -> sopskit::Result<Format> {
    match named {
        Some(name) => Format::from_name(name),
        None => Format::from_path(file),
    }
}

/// A file that a command needs to be named.
pub(crate) fn named(file: Option<&Path>) -> Result<&Path, Failure> {
    file.ok_or_else(|| Failure::new(exit::NO_FILE, "no file is named"))
}

/// What becomes of an existing file that a command changes: 2 for one that is not there, as in sops.
pub(crate) fn unreadable(error: Error) -> Failure {
    let is_missing = error.kind() == ErrorKind::Read && error.is_not_found();
    let failure = Failure::from(error);
    if is_missing { failure.with_code(exit::CANNOT_READ) } else { failure }
}

/// An existing file that a command changes.
pub(crate) fn read_sealed(file: &Path) -> Result<EncryptedDocument, Failure> {
    let bytes = sopskit::read_file(file).map_err(unreadable)?;
    Ok(EncryptedDocument::from_bytes(bytes).map_err(|error| error.in_file(file))?)
}

/// A time, to the second.
pub(crate) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Text of a file, made fit for a terminal: what would move the cursor, turn the direction or begin a line is escaped.
pub(crate) fn printable(text: &str) -> String {
    // What Rust would escape is no letter or sign of its own.
    let moves = |c: &char| !['\'', '"', '\\'].contains(c) && c.escape_debug().len() > 1;
    text.chars().map(|c| if moves(&c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// How much is shown of one text of the metadata, in characters: more than a regular expression can have.
const MAX_SHOWN: usize = 65 * 1024;

/// A text of the metadata, or how it begins where it has no end.
pub(crate) fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Lines for a terminal.
pub(crate) fn lines_of(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| printable(&line) + "\n").collect()
}

/// Makes a new file that only its owner can read. An existing one, a link too, is never touched.
pub(crate) fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        drop(file);
        // There is nothing better to do when this fails too.
        let _ = fs::remove_file(path);
    }
    written
}

/// Writes to standard error. Where that is full or closed nothing more can be said, and what the program does goes on.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says a line on standard error, fit for a terminal.
macro_rules! say {
    ($($text:tt)*) => { $crate::files::tell(&$crate::files::lines_of([format!($($text)*)])) };
}
pub(crate) use say;

/// Where events go: to standard error, each as one line.
pub(crate) struct Events;

impl io::Write for Events {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        say!("{}", String::from_utf8_lossy(event).trim_end_matches('\n'));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to standard output.
pub(crate) fn print(content: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(content).and_then(|()| stdout.flush()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|error| Failure::new(exit::GENERIC, format!("cannot write to standard output: {error}")))
        }
    }
}

impl Global {
    /// How JSON is indented: as a flag says, else as the config file does.
    pub(crate) fn indent(&self, config: Option<&Config>, format: Format) -> Result<Indent, Failure> {
        match self.indent {
            None => Ok(config.map_or(Indent::Tab, |config| config.indent(format))),
            Some(-1) => Ok(Indent::Tab),
            Some(spaces) => u8::try_from(spaces)
                .map(Indent::Spaces)
                .map_err(|_| Failure::new(exit::GENERIC, "--indent takes -1 for a tab, or 0 to 255 spaces")),
        }
    }
}
