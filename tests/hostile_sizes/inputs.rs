//! Hostile inputs, by their parts.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sopskit::{EncryptOptions, Map, Value};

use crate::support::{public_key, recipients};

/// A file with one encrypted leaf `a`, in parts that can be put together in other ways.
pub(crate) struct Base {
    sealed: serde_json::Value,
}

impl Base {
    /// A file for these people.
    pub(crate) fn new(who: &[&str]) -> Self {
        let sealed =
            EncryptOptions::new().encrypt(Map::from_iter([("a", Value::from("b"))]), &recipients(who)).unwrap();
        Base { sealed: serde_json::from_str(&sealed.to_string()).unwrap() }
    }

    /// What is wrapped for the first of them, as it stands in JSON, with its quotes.
    pub(crate) fn enc(&self) -> String {
        self.sealed["sops"]["age"][0]["enc"].to_string()
    }

    /// The entry of the first of them.
    pub(crate) fn entry(&self) -> String {
        self.sealed["sops"]["age"][0].to_string()
    }

    /// A file with more members behind `a`, these master keys and further fields of metadata: each with a comma in front, where there is any.
    pub(crate) fn file(&self, members: &str, keys: &str, fields: &str) -> Vec<u8> {
        let sops = &self.sealed["sops"];
        let (time, mac) = (&sops["lastmodified"], &sops["mac"]);
        let leaf = &self.sealed["a"];
        format!(
            r#"{{"a":{leaf}{members},"sops":{{{keys},"lastmodified":{time},"mac":{mac},"version":"3.13.2"{fields}}}}}"#
        )
        .into_bytes()
    }

    pub(crate) fn with_members(&self, members: &str) -> Vec<u8> {
        self.file(members, &format!(r#""age":[{}]"#, self.entry()), "")
    }

    pub(crate) fn with_fields(&self, fields: &str) -> Vec<u8> {
        self.file("", &format!(r#""age":[{}]"#, self.entry()), fields)
    }

    /// Key groups in place of master keys, and further fields.
    pub(crate) fn with_groups(&self, groups: &str, fields: &str) -> Vec<u8> {
        self.file("", &format!(r#""key_groups":[{groups}]"#), fields)
    }

    pub(crate) fn with_keys(&self, entries: &str) -> Vec<u8> {
        self.file("", &format!(r#""age":[{entries}]"#), "")
    }
}

/// What `part` gives for each number, one behind the other with commas in between.
pub(crate) fn list(count: usize, part: impl Fn(usize) -> String) -> String {
    let mut list = String::new();
    for number in 0..count {
        write!(list, "{}{}", if number > 0 { "," } else { "" }, part(number)).unwrap();
    }
    list
}

/// The same with a comma in front of each.
pub(crate) fn more(count: usize, part: impl Fn(usize) -> String) -> String {
    format!(",{}", list(count, part))
}

pub(crate) fn recipient(name: &str, enc: &str) -> String {
    format!(r#"{{"recipient":"{name}","enc":{enc}}}"#)
}

/// An age file whose header has so many stanzas for somebody else, as it stands in JSON.
pub(crate) fn stanzas(count: usize) -> String {
    let share = STANDARD.encode([9; 32]).replace('=', "");
    let stanza = format!("-> X25519 {share}\n{share}\n");
    let header = format!("age-encryption.org/v1\n{}--- {share}\n", stanza.repeat(count));
    armored(format!("{header}{}", "x".repeat(64)).as_bytes())
}

/// Armor, as it stands in JSON.
pub(crate) fn armored(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(r#""-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n""#, lines.join("\\n"))
}

/// A key file that is protected by a passphrase, with a work factor of its own.
pub(crate) fn scrypt_file(factor: &str) -> Vec<u8> {
    let (salt, body) = (STANDARD.encode([7; 16]).replace('=', ""), STANDARD.encode([8; 32]).replace('=', ""));
    let stanza = format!("-> scrypt {salt} {factor}\n{body}\n");
    format!("age-encryption.org/v1\n{stanza}--- {body}\n{}", "x".repeat(64)).into_bytes()
}

pub(crate) fn alice() -> String {
    public_key("alice")
}

/// A leaf whose text is made of these parts.
pub(crate) fn leaf(data: &str, iv: &str, kind: &str) -> String {
    format!(r#"ENC[AES256_GCM,data:{data},iv:{iv},tag:{},type:{kind}]"#, STANDARD.encode([1; 16]))
}

pub(crate) fn iv() -> String {
    STANDARD.encode([2; 32])
}
