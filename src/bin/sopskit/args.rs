//! The arguments: the names, meanings and defaults of sops (`cmd/sops/main.go`).

mod tools;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub(crate) use tools::{
    Check, Completion, Diff, DoctorCommand, Inspect, Keygen, Manual, Textconv, TokenAction, TokenCommand,
};

/// SOPS files without the sops binary: encrypt, decrypt and edit JSON and binary files for age recipients.
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
    /// Say on standard error what is read and used
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
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
    /// Open a file in an editor and encrypt it again: $SOPS_EDITOR, else $EDITOR, else vim, nano or vi
    ///
    /// Example: sopskit edit secrets.enc.json
    #[command(verbatim_doc_comment)]
    Edit(Edit),
    /// Set one value of a file; the value is JSON
    ///
    /// Example: sopskit set secrets.enc.json '["db"]["password"]' '"n3w"'
    #[command(verbatim_doc_comment)]
    Set(Set),
    /// Remove one value of a file
    ///
    /// Example: sopskit unset secrets.enc.json '["db"]["password"]'
    #[command(verbatim_doc_comment)]
    Unset(Unset),
    /// Take a new data key and encrypt every value anew
    ///
    /// Example: sopskit rotate -i --rm-age age1… secrets.enc.json
    #[command(verbatim_doc_comment)]
    Rotate(Rotate),
    /// Make the recipients of files those of the config file
    ///
    /// Example: sopskit updatekeys secrets.enc.json
    #[command(verbatim_doc_comment)]
    Updatekeys(Updatekeys),
    /// Add or delete a key group
    ///
    /// Example: sopskit groups add -i --file secrets.enc.json --age age1…
    #[command(subcommand, verbatim_doc_comment)]
    Groups(Groups),
    /// Say whether a file is encrypted, as JSON
    ///
    /// Example: sopskit filestatus secrets.enc.json
    #[command(verbatim_doc_comment)]
    Filestatus(Filestatus),
    /// Merge two edits of a file, for git: BASE, OURS and THEIRS are files; the result goes to OURS
    ///
    /// To install it, put «*.enc.json merge=sopskit» into .gitattributes, and run:
    /// git config merge.sopskit.driver 'sopskit merge-driver %O %A %B %P'
    #[command(verbatim_doc_comment)]
    MergeDriver(MergeDriver),
    /// Keep OAuth tokens, one for each provider, encrypted
    ///
    /// Example: sopskit token load github | jq -r .access_token
    #[command(verbatim_doc_comment)]
    Token(TokenCommand),
    /// Run a command with the values of a file as variables of its environment
    ///
    /// Example: sopskit exec-env secrets.enc.json 'echo "$DB_USER"'
    #[command(verbatim_doc_comment)]
    ExecEnv(ExecEnv),
    /// Run a command with the plaintext of a file in a temporary one; {} is its name
    ///
    /// Example: sopskit exec-file secrets.enc.json 'my-server --config {}'
    #[command(verbatim_doc_comment)]
    ExecFile(ExecFile),
    /// Make a new age identity
    ///
    /// Example: sopskit keygen -o keys.txt
    #[command(verbatim_doc_comment)]
    Keygen(Keygen),
    /// Say what can be said of a file without a key: recipients, rule, values by type, faults
    ///
    /// Example: sopskit inspect secrets.enc.json
    #[command(verbatim_doc_comment)]
    Inspect(Inspect),
    /// Check files without a key, for hooks and CI: is all encrypted that should be, is the metadata sound
    ///
    /// Example: sopskit check *.enc.json
    #[command(verbatim_doc_comment)]
    Check(Check),
    /// List the key paths at which two files differ
    ///
    /// Example: sopskit diff old.enc.json new.enc.json
    #[command(verbatim_doc_comment)]
    Diff(Diff),
    /// Print a file for git diff, a line for each value; without --show no key is needed and no value is shown
    ///
    /// To install it, put «*.enc.json diff=sopskit» into .gitattributes, and run:
    /// git config diff.sopskit.textconv 'sopskit textconv'
    #[command(verbatim_doc_comment)]
    Textconv(Textconv),
    /// Check this set-up: identities, key files, the config file, tokens
    ///
    /// Example: sopskit doctor secrets.enc.json
    #[command(verbatim_doc_comment)]
    Doctor(DoctorCommand),
    /// Print the completions for a shell
    ///
    /// Example: sopskit completion bash > ~/.local/share/bash-completion/completions/sopskit
    #[command(verbatim_doc_comment)]
    Completion(Completion),
    /// Print the manual page of this program, or of a command
    ///
    /// Example: sopskit man edit | man -l -
    #[command(verbatim_doc_comment)]
    Man(Manual),
}

/// How an existing file is opened.
#[derive(Args)]
pub(crate) struct Opening {
    /// Do not verify the MAC: values can have been removed or, where they are in clear, changed
    #[arg(long)]
    pub(crate) ignore_mac: bool,
    /// The order in which kinds of keys are tried; there is only age here
    #[arg(long, value_name = "KINDS")]
    pub(crate) decryption_order: Option<String>,
}

/// The types of a file that is edited in place. The encrypted form is JSON for both.
#[derive(Args)]
pub(crate) struct Types {
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) input_type: Option<String>,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) output_type: Option<String>,
}

/// A file that `set` and `unset` change.
#[derive(Args)]
pub(crate) struct Existing {
    #[command(flatten)]
    pub(crate) types: Types,
    #[command(flatten)]
    pub(crate) opening: Opening,
    /// Taken for the sake of scripts; sops has it here and does not look at it
    #[arg(long, value_name = "N", hide = true)]
    shamir_secret_sharing_threshold: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Edit {
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) types: Types,
    #[command(flatten)]
    pub(crate) opening: Opening,
    #[command(flatten)]
    pub(crate) new_file: NewFile,
}

#[derive(Args)]
pub(crate) struct Set {
    pub(crate) file: Option<PathBuf>,
    /// Where, as in '["db"]["ports"][0]'
    pub(crate) index: Option<String>,
    /// What, as JSON
    #[arg(allow_negative_numbers = true)]
    pub(crate) value: Option<OsString>,
    /// VALUE names a file that holds the value: other users see the arguments of a program
    #[arg(long)]
    pub(crate) value_file: bool,
    /// The value comes from standard input
    #[arg(long)]
    pub(crate) value_stdin: bool,
    /// Write nothing when the value is there already
    #[arg(long)]
    pub(crate) idempotent: bool,
    #[command(flatten)]
    pub(crate) existing: Existing,
}

#[derive(Args)]
pub(crate) struct Unset {
    pub(crate) file: Option<PathBuf>,
    /// Where, as in '["db"]["ports"][0]'
    pub(crate) index: Option<String>,
    /// It is no failure when there is nothing
    #[arg(long)]
    pub(crate) idempotent: bool,
    #[command(flatten)]
    pub(crate) existing: Existing,
}

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Recipients to add to the first key group, separated by commas
    #[arg(long, value_name = "RECIPIENTS")]
    pub(crate) add_age: Option<String>,
    /// Recipients to remove, separated by commas
    #[arg(long, value_name = "RECIPIENTS")]
    pub(crate) rm_age: Option<String>,
    #[command(flatten)]
    pub(crate) opening: Opening,
}

#[derive(Args)]
pub(crate) struct Updatekeys {
    pub(crate) files: Vec<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) input_type: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Groups {
    /// Add a key group, the last one
    Add {
        /// Its recipients, separated by commas
        #[arg(long, value_name = "RECIPIENTS")]
        age: Option<String>,
        #[command(flatten)]
        target: GroupTarget,
    },
    /// Delete a key group
    Delete {
        /// Which one, from 0
        index: Option<usize>,
        #[command(flatten)]
        target: GroupTarget,
    },
}

#[derive(Args)]
pub(crate) struct GroupTarget {
    /// The encrypted file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write the result back to the file
    #[arg(short, long)]
    pub(crate) in_place: bool,
    /// How many key groups must open the file together [default: as many as before]
    #[arg(long, value_name = "N")]
    pub(crate) shamir_secret_sharing_threshold: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Filestatus {
    pub(crate) file: Option<PathBuf>,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) input_type: Option<String>,
}

#[derive(Args)]
pub(crate) struct MergeDriver {
    pub(crate) base: PathBuf,
    pub(crate) ours: PathBuf,
    pub(crate) theirs: PathBuf,
    /// The name of the file in the repository, for messages
    pub(crate) path: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ExecEnv {
    pub(crate) file: Option<PathBuf>,
    /// What to run, by /bin/sh
    pub(crate) command: Option<String>,
    /// Give the command nothing else of this environment
    #[arg(long)]
    pub(crate) pristine: bool,
    /// Run it in place of this program
    #[arg(long)]
    pub(crate) same_process: bool,
    /// json or binary [default: by the name of the file]
    #[arg(long, value_name = "TYPE")]
    pub(crate) input_type: Option<String>,
    #[command(flatten)]
    pub(crate) opening: Opening,
}

#[derive(Args)]
pub(crate) struct ExecFile {
    pub(crate) file: Option<PathBuf>,
    /// What to run, by /bin/sh
    pub(crate) command: Option<String>,
    /// Put the plaintext into a file, for a command that cannot read a pipe
    #[arg(long)]
    pub(crate) no_fifo: bool,
    /// The name of the temporary file [default: tmp-file]
    #[arg(long, value_name = "NAME")]
    pub(crate) filename: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) types: Types,
    #[command(flatten)]
    pub(crate) opening: Opening,
}

#[derive(Args)]
pub(crate) struct Encrypt {
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) new_file: NewFile,
}

/// For whom and how a new file is encrypted.
#[derive(Args)]
pub(crate) struct NewFile {
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
    #[command(flatten)]
    pub(crate) opening: Opening,
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

/// Turns the old form without a command, `-d FILE`, `-e FILE` or `-r FILE`, into the form with one.
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
            "-r" | "--rotate" => "rotate",
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
