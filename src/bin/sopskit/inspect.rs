//! `sopskit inspect` and `sopskit check`: what can be said of files without a key.

use std::path::Path;

use sopskit::{EncryptedDocument, Error, Format, Indent, Inspection, Map, Value};

use crate::args::{Check, Inspect};
use crate::exit::{self, Failure};
use crate::files::{beginning, lines_of, named, print, read_sealed, timestamp};

pub(crate) fn inspect(command: &Inspect) -> Result<(), Failure> {
    let file = named(command.file.as_deref())?;
    let sealed = read_sealed(file)?;
    let inspection = sealed.inspect();
    match command.json {
        true => print(&Format::Json.write(&as_json(&sealed, &inspection), Indent::Spaces(2))?)?,
        false => print(as_text(file, &sealed, &inspection).as_bytes())?,
    }
    match inspection.faults().len() {
        0 => Ok(()),
        faults => Err(Failure::new(exit::GENERIC, format!("{}: {faults} faults", file.display()))),
    }
}

/// Says what is wrong with files, and nothing of those that are sound.
pub(crate) fn check(command: &Check) -> Result<(), Failure> {
    named(command.files.first().map(AsRef::as_ref))?;
    let mut unsound = 0;
    for file in &command.files {
        let faults = faults(file);
        unsound += usize::from(!faults.is_empty());
        for fault in faults {
            print(lines_of([fault]).as_bytes())?;
        }
    }
    match unsound {
        0 => Ok(()),
        _ => Err(Failure::new(exit::GENERIC, format!("{unsound} of {} files are not sound", command.files.len()))),
    }
}

fn faults(file: &Path) -> Vec<String> {
    let shown = |error: &Error| format!("{}: {error}", file.display());
    match sopskit::read_file(file) {
        Err(error) => vec![error.to_string()],
        Ok(bytes) => match EncryptedDocument::parse(&bytes) {
            Err(error) => vec![shown(&error)],
            Ok(sealed) => sealed.inspect().faults().iter().map(shown).collect(),
        },
    }
}

fn as_text(file: &Path, sealed: &EncryptedDocument, inspection: &Inspection) -> String {
    let metadata = sealed.metadata();
    let modified = timestamp(metadata.last_modified());
    let mut lines = vec![
        format!("file:          {}", file.display()),
        format!("version:       sops {}", beginning(metadata.version())),
        format!("last modified: {modified}"),
        format!("rule:          {}", beginning(&metadata.rule().to_string())),
    ];
    let groups = metadata.key_groups().len();
    for (index, group) in metadata.key_groups().enumerate() {
        for (place, wrapped) in group.iter().enumerate() {
            let head = match (groups, index, place) {
                (1, _, 0) => String::from("opens with:"),
                (_, _, 0) => format!("group {}:", index + 1),
                _ => String::new(),
            };
            lines.push(format!("{head:<15}{}", wrapped.key()));
        }
    }
    if groups > 1 {
        lines.push(format!("needed:        {} of {groups} groups", metadata.shamir_threshold()));
    }
    let mac = match (sealed.has_mac(), metadata.mac_only_encrypted()) {
        (false, _) => "missing",
        (true, false) => "there, over all values; not verified, since that takes a key",
        (true, true) => "there, over encrypted values only; not verified, since that takes a key",
    };
    lines.push(format!("MAC:           {mac}"));
    let counts = |counts: Vec<(&str, usize)>| {
        let total: usize = counts.iter().map(|(_, count)| count).sum();
        let kinds: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        if kinds.is_empty() { String::from("0") } else { format!("{total} ({})", kinds.join(", ")) }
    };
    lines.push(format!("encrypted:     {}", counts(inspection.encrypted().collect())));
    lines.push(format!("in clear:      {}", counts(inspection.in_clear().collect())));
    lines.push(format!("never sealed:  {} empty strings, {} null", inspection.empty(), inspection.null()));
    lines.extend(inspection.faults().iter().map(|fault| format!("fault:         {fault}")));
    lines_of(lines)
}

fn as_json(sealed: &EncryptedDocument, inspection: &Inspection) -> Map {
    let metadata = sealed.metadata();
    let number = |count: usize| Value::from(i64::try_from(count).unwrap_or(i64::MAX));
    let groups = metadata.key_groups().map(|group| {
        let keys = group.iter().map(|wrapped| {
            let kind = wrapped.key().kind().as_str();
            let name = wrapped.key().to_string();
            let name = name.split_once(' ').map_or(name.as_str(), |(_, name)| name).to_owned();
            Value::from(Map::from_iter([("kind", Value::from(kind)), ("name", Value::from(name))]))
        });
        Value::from(keys.collect::<Vec<_>>())
    });
    let counts = |counts: Vec<(&str, usize)>| {
        Value::from(counts.into_iter().map(|(name, count)| (name, number(count))).collect::<Map>())
    };
    let faults = inspection.faults().iter().map(|fault| {
        Value::from(Map::from_iter([
            ("kind", Value::from(fault.kind().as_str())),
            ("path", Value::from(fault.path().to_string())),
            ("text", Value::from(fault.to_string())),
        ]))
    });
    let modified = timestamp(metadata.last_modified());
    Map::from_iter([
        ("version", Value::from(beginning(metadata.version()))),
        ("last_modified", Value::from(modified)),
        ("rule", Value::from(beginning(&metadata.rule().to_string()))),
        ("key_groups", Value::from(groups.collect::<Vec<_>>())),
        ("threshold", number(metadata.shamir_threshold())),
        ("has_mac", Value::from(sealed.has_mac())),
        ("mac_only_encrypted", Value::from(metadata.mac_only_encrypted())),
        ("encrypted", counts(inspection.encrypted().collect())),
        ("in_clear", counts(inspection.in_clear().collect())),
        ("empty", number(inspection.empty())),
        ("null", number(inspection.null())),
        ("faults", Value::from(faults.collect::<Vec<_>>())),
    ])
}
