//! `sopskit exec-env` and `sopskit exec-file`: a command that is given the plaintext.

use std::io::Write as _;
use std::path::{Component, Path};
use std::process::{Command, ExitStatus};
use std::thread;

use sopskit::{Document, Indent};

use crate::args::{ExecEnv, ExecFile, Global, Opening};
use crate::exit::{self, Failure};
use crate::files::{format, named, read_sealed};
use crate::keys;
use crate::workplace::{self, Workplace};

/// The name of the file for a command that does not ask for another one.
const FILE: &str = "tmp-file";
/// What stands for the file in a command.
const PLACE: &str = "{}";
/// What a command that a signal ends makes of sops.
const KILLED: u8 = 255;

pub(crate) fn exec_env(command: &ExecEnv, global: &Global) -> Result<(), Failure> {
    let (file, line) = both(command.file.as_deref(), command.command.as_deref())?;
    format(command.input_type.as_deref(), file)?;
    let document = open(file, &command.opening, global)?;
    let variables = document.environment().map_err(|error| error.in_file(file))?;
    let mut shell = shell(line);
    if command.pristine {
        shell.env_clear();
    }
    shell.envs(variables.iter().map(|(name, value)| (name, value.as_str())));
    drop((variables, document));
    #[cfg(unix)]
    if command.same_process {
        let error = std::os::unix::process::CommandExt::exec(&mut shell);
        return Err(not_run(&error));
    }
    ended(shell.status().map_err(|error| not_run(&error))?)
}

pub(crate) fn exec_file(command: &ExecFile, global: &Global) -> Result<(), Failure> {
    let (file, line) = both(command.file.as_deref(), command.command.as_deref())?;
    format(command.types.input_type.as_deref(), file)?;
    let output = format(command.types.output_type.as_deref(), file)?;
    let name = command.filename.as_deref().unwrap_or(Path::new(FILE));
    if !matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
        return Err(Failure::new(exit::GENERIC, "--filename takes the name of a file, without a directory"));
    }
    let document = open(file, &command.opening, global)?;
    let plain = output.write(document.tree(), Indent::Tab).map_err(|error| error.in_file(file))?;
    drop(document);
    let place = Workplace::create()?;
    let path = place.path(name);
    if command.no_fifo {
        place.put(name, &plain)?;
    } else {
        // A private one: its folder is.
        let made = Command::new("mkfifo").arg("-m").arg("600").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            return Err(workplace::cannot(&std::io::Error::other("mkfifo failed; try --no-fifo")));
        }
        let path = path.clone();
        // It waits for a reader; when none comes it ends with this program.
        thread::spawn(move || {
            // A reader that closes early has read enough.
            let _ = std::fs::OpenOptions::new().write(true).open(path).and_then(|mut fifo| fifo.write_all(&plain));
        });
    }
    let line = line.replace(PLACE, &path.display().to_string());
    let status = place.run(&mut shell(&line)).map_err(|error| not_run(&error))?;
    drop(place);
    ended(status)
}

fn both<'a>(file: Option<&'a Path>, command: Option<&'a str>) -> Result<(&'a Path, &'a str), Failure> {
    match command {
        Some(line) => Ok((named(file)?, line)),
        None => Err(Failure::new(exit::GENERIC, "it takes a file and a command, the command as one argument")),
    }
}

fn open(file: &Path, opening: &Opening, global: &Global) -> Result<Document, Failure> {
    opening.check()?;
    let sealed = read_sealed(file)?;
    Ok(opening.open(&sealed, &keys::identities(global)).map_err(|error| error.in_file(file))?)
}

fn shell(line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(line);
    shell
}

fn not_run(error: &std::io::Error) -> Failure {
    Failure::new(exit::GENERIC, format!("cannot run /bin/sh: {error}"))
}

/// The command's own exit code becomes that of this program.
fn ended(status: ExitStatus) -> Result<(), Failure> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::silent(u8::try_from(code).unwrap_or(KILLED))),
        None => Err(Failure::new(KILLED, format!("the command was ended by a signal ({status})"))),
    }
}
