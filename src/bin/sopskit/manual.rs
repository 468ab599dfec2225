//! `sopskit completion` and `sopskit man`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::args::{Cli, Completion, Manual};
use crate::exit::{self, Failure};
use crate::files::print;

const NAME: &str = "sopskit";

pub(crate) fn completion(command: &Completion) -> Result<(), Failure> {
    let shell = match command.shell.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        other => return Err(Failure::new(exit::GENERIC, format!("{other:?}: there are bash, zsh and fish"))),
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), NAME, &mut script);
    print(&script)
}

/// The page of this program, or of one of its commands.
pub(crate) fn man(command: &Manual) -> Result<(), Failure> {
    let mut cli = Cli::command();
    cli.build();
    let page = match &command.command {
        None => cli,
        Some(name) => {
            let found = cli.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| Failure::new(exit::GENERIC, format!("there is no command {name:?}")))?;
            found.display_name(format!("{NAME}-{name}"))
        }
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::new(exit::GENERIC, format!("the page cannot be made: {error}")))?;
    print(&text)
}
