//! `sopskit token`: OAuth tokens.

use std::io::{self, IsTerminal as _};

use chrono::{DateTime, TimeDelta, Utc};
use sopskit::{
    Config, Environment, Format, Indent, Map, StorageOptions, Token, TokenStatus, TokenStorage, Value, open_storage,
};

use crate::args::{Global, TokenAction, TokenCommand};
use crate::exit::{self, Failure};
use crate::files::{print, printable, timestamp};
use crate::{encrypt, keys};

pub(crate) fn run(command: &TokenCommand, global: &Global) -> Result<(), Failure> {
    let storage = open(command, global)?;
    let missing = |provider: &str| Failure::new(exit::CANNOT_READ, format!("there is no token of {provider:?}"));
    match &command.action {
        TokenAction::Save { provider, response } => {
            let json = sopskit::read_from(io::stdin().lock())?;
            let token = if *response { Token::from_response(&json)? } else { Token::from_json(&json)? };
            // As far as anybody knows, it was issued now.
            let token = if token.issued_at().is_none() { token.with_issued_at(Utc::now()) } else { token };
            Ok(storage.save(provider, &token)?)
        }
        TokenAction::Load { provider, show } => {
            if io::stdout().is_terminal() && !show {
                let message = "this would show secrets on the terminal; add --show, or redirect the output";
                return Err(Failure::new(exit::GENERIC, message));
            }
            let token = storage.load(provider)?.ok_or_else(|| missing(provider))?;
            print(&token.to_json()?)
        }
        TokenAction::List => {
            let lines: Vec<_> = storage.list()?.iter().map(|provider| printable(provider) + "\n").collect();
            print(lines.concat().as_bytes())
        }
        TokenAction::Status { provider, json } => {
            let status = storage.status(provider)?.ok_or_else(|| missing(provider))?;
            match json {
                true => print(&Format::Json.write(&as_json(provider, &status), Indent::Spaces(2))?),
                false => print(as_text(provider, &status, storage.now()).as_bytes()),
            }
        }
        TokenAction::Delete { provider } => match storage.delete(provider)? {
            true => Ok(()),
            false => Err(missing(provider)),
        },
    }
}

fn open(command: &TokenCommand, global: &Global) -> Result<Box<dyn TokenStorage>, Failure> {
    if command.storage == "memory" {
        let message = "what is in memory ends with this program; take --storage sops or file";
        return Err(Failure::new(exit::CONFLICTING_PARAMETERS, message));
    }
    let mut options = StorageOptions::new(Environment::process()).keys(keys::identities(global));
    if let Some(directory) = &command.dir {
        options = options.directory(directory);
    }
    if let Some(config) = &global.config {
        options = options.config(Config::load(config).map_err(|error| crate::config::unusable(&error))?);
    }
    if matches!(command.action, TokenAction::Save { .. }) {
        if let Some(recipients) = encrypt::recipients(command.age.as_deref())? {
            options = options.recipients(recipients);
        }
    }
    if command.encrypt_all {
        options = options.encrypt_all();
    }
    Ok(open_storage(&command.storage, options)?)
}

fn as_text(provider: &str, status: &TokenStatus, now: DateTime<Utc>) -> String {
    let time = |time: Option<DateTime<Utc>>| time.map_or(String::from("not known"), timestamp);
    let expires = match status.expires_at() {
        None => String::from("not known"),
        Some(end) if end <= now => format!("{} (ended {} ago)", timestamp(end), duration(now - end)),
        Some(end) => format!("{} (in {})", timestamp(end), duration(end - now)),
    };
    let yes_or_no = |answer: Option<bool>| match answer {
        None => "not known",
        Some(true) => "yes",
        Some(false) => "no",
    };
    let scope = status.scope().map_or(String::from("not known"), |scope| printable(&scope.join(" ")));
    let mut lines = vec![
        format!("provider:    {}", printable(provider)),
        format!("type:        {}", printable(status.token_type().unwrap_or("not known"))),
        format!("scope:       {scope}"),
        format!("issued:      {}", time(status.issued_at())),
        format!("expires:     {expires}"),
        format!("refreshable: {}", yes_or_no(status.is_refreshable())),
    ];
    lines.extend(status.recipients().iter().map(|recipient| format!("opens with:  {}", printable(recipient))));
    lines.push(match status.recipients() {
        [] => String::from("not encrypted"),
        _ => String::from("read without a key: not verified"),
    });
    lines.join("\n") + "\n"
}

fn as_json(provider: &str, status: &TokenStatus) -> Map {
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    let list = |texts: &[String]| Value::from(texts.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>());
    Map::from_iter([
        ("provider", Value::from(provider)),
        ("token_type", text(status.token_type().map(str::to_owned))),
        ("scope", status.scope().map_or(Value::Null, list)),
        ("issued_at", text(status.issued_at().map(timestamp))),
        ("expires_at", text(status.expires_at().map(timestamp))),
        ("is_refreshable", status.is_refreshable().map_or(Value::Null, Value::from)),
        ("recipients", list(status.recipients())),
    ])
}

/// The two largest units.
fn duration(time: TimeDelta) -> String {
    match (time.num_days(), time.num_hours() % 24, time.num_minutes() % 60, time.num_seconds() % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}
