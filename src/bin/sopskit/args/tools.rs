//! The arguments of the commands that sops does not have.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Keygen {
    /// Write the key file here, for its owner only; an existing file is never touched
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// A hybrid post-quantum identity, for age 1.3 and sops 3.12 or later
    #[arg(long)]
    pub(crate) pq: bool,
}

#[derive(Args)]
pub(crate) struct Inspect {
    pub(crate) file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Check {
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Diff {
    pub(crate) old: Option<PathBuf>,
    pub(crate) new: Option<PathBuf>,
    /// Show the values
    #[arg(long)]
    pub(crate) show: bool,
    /// Answer 1 when the files differ
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Args)]
pub(crate) struct Textconv {
    pub(crate) file: Option<PathBuf>,
    /// Decrypt the file and show the values
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Args)]
pub(crate) struct DoctorCommand {
    /// A file, encrypted or not there yet: whether an identity fits it
    pub(crate) file: Option<PathBuf>,
    /// Where the tokens are [default: ~/.config/kstlib/auth/tokens]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) dir: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Mend modes, and make a missing key file and config file, after asking
    #[arg(long)]
    pub(crate) fix: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Completion {
    /// bash, zsh or fish
    pub(crate) shell: String,
}

#[derive(Args)]
pub(crate) struct Manual {
    /// The command; without it the page of the program
    pub(crate) command: Option<String>,
}

#[derive(Args)]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
    /// Where the tokens are [default: ~/.config/kstlib/auth/tokens]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) dir: Option<PathBuf>,
    /// How they are kept: sops, or file (not encrypted)
    #[arg(long, global = true, value_name = "KIND", default_value = "sops")]
    pub(crate) storage: String,
    /// Recipients, separated by commas; without it those of $SOPS_AGE_RECIPIENTS, else of the config file
    #[arg(short, long, global = true, value_name = "RECIPIENTS")]
    pub(crate) age: Option<String>,
    /// Encrypt every field; without it type, times and scopes are in clear
    #[arg(long, global = true)]
    pub(crate) encrypt_all: bool,
}

#[derive(Subcommand)]
pub(crate) enum TokenAction {
    /// Keep the token that is on standard input, as JSON
    Save {
        provider: String,
        /// The JSON is a response of the provider, with expires_in
        #[arg(long)]
        response: bool,
    },
    /// Print a token, as JSON
    Load {
        provider: String,
        /// Also on a terminal
        #[arg(long)]
        show: bool,
    },
    /// Print the providers of which there is a token
    List,
    /// Say what is known of a token without a key: times, scopes, recipients
    Status {
        provider: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a token
    Delete { provider: String },
}
