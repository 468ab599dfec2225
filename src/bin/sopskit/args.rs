//! The arguments: the names, meanings and defaults of sops (`cmd/sops/main.go`).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

/// SOPS files without the sops binary: encrypt and decrypt JSON and binary files for age recipients.
#[derive(Parser)]
#[command(name = "sopskit", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that sops takes before the command only; here before it and behind it.
#[derive(Args)]
pub(crate) struct Global {
    /// The config file; without it $SOPS_CONFIG, or the next .sops.yaml from here upward
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Indent JSON by this many spaces; -1 is a tab [default: as the config file says]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub(crate) indent: Option<i16>,
    /// Compute the MAC over encrypted values only
    #[arg(long, global = true)]
    pub(crate) mac_only_encrypted: bool,
    /// Leave in clear what stands under a matching comment (JSON has none: everything is encrypted)
    #[arg(long, global = true, value_name = "REGEX")]
    pub(crate) unencrypted_comment_regex: Option<String>,
    /// Encrypt only what stands under a matching comment (JSON has none: nothing is encrypted)
    #[arg(long, global = true, value_name = "REGEX")]
    pub(crate) encrypted_comment_regex: Option<String>,
    /// Never ask for a passphrase
    #[arg(long, global = true)]
    pub(crate) non_interactive: bool,
    /// Taken for the sake of scripts; this program never looks for newer versions
    #[arg(long, global = true, hide = true)]
    disable_version_check: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Encrypt a file (or standard input) and print it
    ///
    /// Example: sopskit encrypt --age age1… secrets.json > secrets.enc.json
    #[command(verbatim_doc_comment)]
    Encrypt(Encrypt),
    /// Decrypt a file (or standard input) and print it
    ///
    /// Example: sopskit decrypt --extract '["db"]["password"]' secrets.enc.json
    #[command(verbatim_doc_comment)]
    Decrypt(Decrypt),
}

#[derive(Args)]
pub(crate) struct Encrypt {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Recipients, separated by commas; without it those of $SOPS_AGE_RECIPIENTS, else of the config file
    #[arg(short, long, value_name = "RECIPIENTS")]
    pub(crate) age: Option<String>,
    /// How many key groups must open the file together [default: as the config file says, else all]
    #[arg(long, value_name = "N")]
    pub(crate) shamir_secret_sharing_threshold: Option<usize>,
    /// Leave in clear what stands under keys with this ending [default: _unencrypted]
    #[arg(long, value_name = "SUFFIX")]
    pub(crate) unencrypted_suffix: Option<String>,
    /// Encrypt only what stands under keys with this ending
    #[arg(long, value_name = "SUFFIX")]
    pub(crate) encrypted_suffix: Option<String>,
    /// Leave in clear what stands under keys that match
    #[arg(long, value_name = "REGEX")]
    pub(crate) unencrypted_regex: Option<String>,
    /// Encrypt only what stands under keys that match
    #[arg(long, value_name = "REGEX")]
    pub(crate) encrypted_regex: Option<String>,
}

#[derive(Args)]
pub(crate) struct Decrypt {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Print one value only, as in '["db"]["ports"][0]'
    #[arg(long, value_name = "PATH")]
    pub(crate) extract: Option<String>,
    /// Do not verify the MAC: values can have been removed or, where they are in clear, changed
    #[arg(long)]
    pub(crate) ignore_mac: bool,
    /// The order in which kinds of keys are tried; there is only age here
    #[arg(long, value_name = "KINDS")]
    pub(crate) decryption_order: Option<String>,
}

/// Where the input comes from and the output goes.
#[derive(Args)]
pub(crate) struct Files {
    /// The file; standard input without it
    pub(crate) file: Option<PathBuf>,
    /// Write the result back to the file
    #[arg(short, long)]
    pub(crate) in_place: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) input_type: Option<String>,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) output_type: Option<String>,
    /// Use this name in place of the file's to find out its type
    #[arg(long, value_name = "NAME")]
    pub(crate) filename_override: Option<PathBuf>,
}

/// Turns the old form without a command, `-d FILE` or `-e FILE`, into the form with one.
pub(crate) fn modern(mut args: Vec<OsString>) -> Vec<OsString> {
    let cli = Cli::command();
    let with_value: Vec<String> = cli
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .chain(cli.get_arguments())
        .filter(|arg| arg.get_action().takes_values())
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.into_iter().chain(arg.get_short().map(|short| format!("-{short}")))
        })
        .collect();
    let mut at = 1;
    while let Some(arg) = args.get(at).and_then(|arg| arg.to_str()) {
        let command = match arg {
            "-d" | "--decrypt" => "decrypt",
            "-e" | "--encrypt" => "encrypt",
            "--" => break,
            flag if with_value.iter().any(|known| known == flag) => {
                at += 2;
                continue;
            }
            flag if flag.starts_with('-') => {
                at += 1;
                continue;
            }
            word if cli.find_subcommand(word).is_some() || word == "help" => break,
            _ => {
                at += 1;
                continue;
            }
        };
        args.remove(at);
        args.insert(1, command.into());
        break;
    }
    args
}
