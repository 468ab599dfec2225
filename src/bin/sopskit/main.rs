//! `sopskit`: SOPS files at the command line, with the flags and exit codes of the sops CLI.
//!
//! It parses arguments, calls the library and prints. What it can do a caller of the library can do too.

#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod args;
mod config;
mod decrypt;
mod desk;
mod edit;
mod encrypt;
mod exit;
mod files;
mod filestatus;
mod keys;
mod merge_driver;
mod rotate;
mod set;
mod token;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use exit::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::modern(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing more can be said when the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::GENERIC) } else { ExitCode::SUCCESS };
        }
    };
    show_warnings();
    let done = match &cli.command {
        Command::Encrypt(command) => encrypt::run(command, &cli.global),
        Command::Decrypt(command) => decrypt::run(command, &cli.global),
        Command::Edit(command) => edit::run(command, &cli.global),
        Command::Set(command) => set::set(command, &cli.global),
        Command::Unset(command) => set::unset(command, &cli.global),
        Command::Rotate(command) => rotate::rotate(command, &cli.global),
        Command::Updatekeys(command) => rotate::updatekeys(command, &cli.global),
        Command::Groups(command) => rotate::groups(command, &cli.global),
        Command::Filestatus(command) => filestatus::run(command),
        Command::MergeDriver(command) => merge_driver::run(command, &cli.global),
        Command::Token(command) => token::run(command, &cli.global),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            eprintln!("sopskit: {message}");
            ExitCode::from(code)
        }
    }
}

/// What the library warns of goes to standard error.
fn show_warnings() {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN);
    lines.without_time().with_target(false).with_ansi(false).init();
}
