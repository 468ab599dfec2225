//! Master keys: the kinds that SOPS knows, what a key of each kind is named by, and the entry of a wrapped key in a file.
//!
//! Source: section 5 of the format page, the key structs of `stores/stores.go` of sops.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{invalid, parse_time, required, text};
use crate::error::Result;
use crate::tree::{Map, Value};

pub(super) const ENC: &str = "enc";
const CREATED_AT: &str = "created_at";

/// The kinds of master key that SOPS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// An age recipient.
    Age,
    /// An OpenPGP key.
    Pgp,
    /// A key of AWS KMS.
    Kms,
    /// A key of Google Cloud KMS.
    GcpKms,
    /// A key of Huawei Cloud KMS.
    HcKms,
    /// A key of Azure Key Vault.
    AzureKv,
    /// A key of the transit engine of HashiCorp Vault.
    HcVault,
}

impl KeyKind {
    /// The kinds, in the order in which sops reads their lists.
    pub(super) const ALL: [KeyKind; 7] =
        [KeyKind::Kms, KeyKind::GcpKms, KeyKind::HcKms, KeyKind::AzureKv, KeyKind::HcVault, KeyKind::Pgp, KeyKind::Age];

    /// The name of the metadata field that lists keys of this kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeyKind::Age => "age",
            KeyKind::Pgp => "pgp",
            KeyKind::Kms => "kms",
            KeyKind::GcpKms => "gcp_kms",
            KeyKind::HcKms => "hckms",
            KeyKind::AzureKv => "azure_kv",
            KeyKind::HcVault => "hc_vault",
        }
    }
}

/// A master key, by what it is named with. It wraps the data key of a file, or a share of it.
///
/// `Display` gives kind and name in one line: `age age1…`, `kms arn:aws:kms:…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MasterKey {
    /// An age recipient: `age1…`, `ssh-ed25519 …` and others.
    Age {
        /// The public key.
        recipient: String,
    },
    /// An OpenPGP key.
    Pgp {
        /// The fingerprint, in hex.
        fingerprint: String,
    },
    /// A key of AWS KMS.
    Kms {
        /// The ARN of the key.
        arn: String,
        /// The ARN of a role to assume.
        role: Option<String>,
        /// The encryption context.
        context: BTreeMap<String, String>,
        /// The AWS profile; empty for the default one.
        aws_profile: String,
    },
    /// A key of Google Cloud KMS.
    GcpKms {
        /// The resource ID of the key.
        resource_id: String,
    },
    /// A key of Huawei Cloud KMS.
    HcKms {
        /// The key ID: region and UUID, with a colon in between.
        key_id: String,
    },
    /// A key of Azure Key Vault.
    AzureKv {
        /// The URL of the vault.
        vault_url: String,
        /// The name of the key.
        name: String,
        /// The version of the key; empty for the newest.
        version: String,
    },
    /// A key of the transit engine of HashiCorp Vault.
    HcVault {
        /// The address of the server.
        vault_address: String,
        /// Where the transit engine is mounted.
        engine_path: String,
        /// The name of the key.
        key_name: String,
    },
}

impl MasterKey {
    /// What kind of key this is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            MasterKey::Age { .. } => KeyKind::Age,
            MasterKey::Pgp { .. } => KeyKind::Pgp,
            MasterKey::Kms { .. } => KeyKind::Kms,
            MasterKey::GcpKms { .. } => KeyKind::GcpKms,
            MasterKey::HcKms { .. } => KeyKind::HcKms,
            MasterKey::AzureKv { .. } => KeyKind::AzureKv,
            MasterKey::HcVault { .. } => KeyKind::HcVault,
        }
    }

    fn parse(kind: KeyKind, fields: &Map) -> Result<Self> {
        let named = |name: &str| required(fields, name).map(str::to_owned);
        let optional = |name: &str| text(fields, name).map(|text| text.unwrap_or_default().to_owned());
        Ok(match kind {
            KeyKind::Age => MasterKey::Age { recipient: named("recipient")? },
            KeyKind::Pgp => MasterKey::Pgp { fingerprint: named("fp")? },
            KeyKind::Kms => MasterKey::Kms {
                arn: named("arn")?,
                role: Some(optional("role")?).filter(|role| !role.is_empty()),
                context: context(fields)?,
                aws_profile: optional("aws_profile")?,
            },
            KeyKind::GcpKms => MasterKey::GcpKms { resource_id: named("resource_id")? },
            KeyKind::HcKms => MasterKey::HcKms { key_id: named("key_id")? },
            KeyKind::AzureKv => MasterKey::AzureKv {
                vault_url: named("vault_url")?,
                name: named("name")?,
                version: optional("version")?,
            },
            KeyKind::HcVault => MasterKey::HcVault {
                vault_address: named("vault_address")?,
                engine_path: named("engine_path")?,
                key_name: named("key_name")?,
            },
        })
    }

    /// The entry of this key in a file, with the secret that it wraps.
    pub(super) fn entry(&self, enc: &str) -> Map {
        let mut fields = Map::from_iter([(ENC, Value::from(enc))]);
        let mut add = |name: &str, value: &str| drop(fields.insert(name, value));
        match self {
            MasterKey::Age { recipient } => add("recipient", recipient),
            MasterKey::Pgp { fingerprint } => add("fp", fingerprint),
            MasterKey::Kms { arn, role, aws_profile, .. } => {
                add("arn", arn);
                role.iter().for_each(|role| add("role", role));
                add("aws_profile", aws_profile);
            }
            MasterKey::GcpKms { resource_id } => add("resource_id", resource_id),
            MasterKey::HcKms { key_id } => add("key_id", key_id),
            MasterKey::AzureKv { vault_url, name, version } => {
                add("vault_url", vault_url);
                add("name", name);
                add("version", version);
            }
            MasterKey::HcVault { vault_address, engine_path, key_name } => {
                add("vault_address", vault_address);
                add("engine_path", engine_path);
                add("key_name", key_name);
            }
        }
        if !matches!(self, MasterKey::Age { .. }) {
            add(CREATED_AT, &Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        if let MasterKey::Kms { context, .. } = self {
            if !context.is_empty() {
                let members = context.iter().map(|(key, value)| (key.as_str(), Value::from(value.as_str())));
                fields.insert("context", Map::from_iter(members));
            }
        }
        fields.sort_by_key();
        fields
    }
}

/// The encryption context of a key of AWS KMS.
fn context(fields: &Map) -> Result<BTreeMap<String, String>> {
    match fields.get("context") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(context)) => context
            .keys()
            .map(|key| Ok((key.to_owned(), text(context, key)?.unwrap_or_default().to_owned())))
            .collect::<Result<_>>()
            .map_err(|error| error.under_key("context")),
        Some(_) => Err(invalid("expected an object").under_key("context")),
    }
}

impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Shown { f, left: MAX_SHOWN };
        let f = &mut shown;
        write!(f, "{} ", self.kind().as_str())?;
        match self {
            MasterKey::Age { recipient: name }
            | MasterKey::Pgp { fingerprint: name }
            | MasterKey::Kms { arn: name, .. }
            | MasterKey::GcpKms { resource_id: name }
            | MasterKey::HcKms { key_id: name } => f.write_str(name),
            MasterKey::AzureKv { vault_url, name, version } => write!(f, "{vault_url}/keys/{name}/{version}"),
            MasterKey::HcVault { vault_address, engine_path, key_name } => {
                write!(f, "{vault_address}/v1/{engine_path}/keys/{key_name}")
            }
        }
    }
}

/// How much of a name is shown, in characters: more than the longest recipient of age has.
const MAX_SHOWN: usize = 4096;

/// Shows a name that came from a file which anybody can have written: no control characters, and not without end.
struct Shown<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl fmt::Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars().take(self.left) {
            self.left -= 1;
            if c.is_control() { write!(self.f, "{}", c.escape_default())? } else { self.f.write_char(c)? }
        }
        Ok(())
    }
}

/// A master key of a file, with the secret that it wraps.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    pub(super) key: MasterKey,
    pub(super) enc: String,
    created_at: Option<DateTime<Utc>>,
}

impl WrappedKey {
    /// The master key.
    #[must_use]
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// The wrapped secret, as the file spells it.
    #[must_use]
    pub fn enc(&self) -> &str {
        &self.enc
    }

    /// When the master key was added to the file. The entries of age have no time.
    #[must_use]
    pub fn created_at(&self) -> Option<DateTime<Utc>> {
        self.created_at
    }

    pub(super) fn parse(kind: KeyKind, entry: &Value) -> Result<Self> {
        let fields = entry.as_object().ok_or_else(|| invalid("expected an object"))?;
        let created_at = match text(fields, CREATED_AT)? {
            None => None,
            Some(time) => Some(parse_time(time).map_err(|error| error.under_key(CREATED_AT))?.to_utc()),
        };
        let enc = required(fields, ENC)?.to_owned();
        Ok(WrappedKey { key: MasterKey::parse(kind, fields)?, enc, created_at })
    }
}
