//! `sopskit`: SOPS files at the command line, with the flags and exit codes of the sops CLI.
//!
//! It parses arguments, calls the library and prints. What it can do a caller of the library can do too.

#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod args;
mod config;
mod decrypt;
mod desk;
mod diff;
mod doctor;
mod edit;
mod encrypt;
mod exec;
mod exit;
mod files;
mod filestatus;
mod inspect;
mod keygen;
mod keys;
mod manual;
mod merge_driver;
mod rotate;
mod set;
mod token;
mod workplace;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::modern(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                files::tell(&misuse(&error));
                return ExitCode::from(exit::GENERIC);
            }
            // Nothing more can be said when the terminal is gone.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    show_events(cli.global.verbose);
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
        Command::ExecEnv(command) => exec::exec_env(command, &cli.global),
        Command::ExecFile(command) => exec::exec_file(command, &cli.global),
        Command::Keygen(command) => keygen::run(command),
        Command::Inspect(command) => inspect::inspect(command),
        Command::Check(command) => inspect::check(command),
        Command::Diff(command) => diff::diff(command, &cli.global),
        Command::Textconv(command) => diff::textconv(command, &cli.global),
        Command::Doctor(command) => doctor::run(command, &cli.global),
        Command::Completion(command) => manual::completion(command),
        Command::Man(command) => manual::man(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            files::tell(&failure.to_string());
            ExitCode::from(failure.code)
        }
    }
}

/// What is wrong with the arguments, which it quotes.
fn misuse(error: &clap::Error) -> String {
    let mut text = error.to_string();
    for arg in std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()) {
        let shown = files::printable(&arg);
        if shown != arg {
            text = text.replace(&arg, &shown);
        }
    }
    files::lines_of(text.lines().map(str::to_owned))
}

/// What this program and the library warn of goes to standard error; what they do, when that is asked for.
fn show_events(verbose: bool) {
    let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::WARN };
    let lines = tracing_subscriber::fmt().with_writer(|| files::Events).with_max_level(level);
    lines.without_time().with_target(false).with_ansi(false).init();
}
