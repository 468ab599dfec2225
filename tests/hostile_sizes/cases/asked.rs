//! All that can be done with an encrypted file.

use std::fs;

use sopskit::{EncryptedDocument, Format, Identities, Indent, KeyChanges, Limits, Recipients};

use super::{Expected, MIB, answers};
use crate::inputs::alice;
use crate::measure::{Bounds, is_full, measured, program};
use crate::support::{identities, public_key, recipients};

/// An encrypted file, and how it is opened.
pub(crate) struct Asked<'a> {
    case: &'a str,
    bytes: &'a [u8],
    keys: Identities,
    bounds: Bounds,
    limits: Limits,
    by_program: bool,
}

impl<'a> Asked<'a> {
    /// A file that alice opens, with the default limits.
    pub(crate) fn new(case: &'a str, bytes: &'a [u8]) -> Self {
        let bounds = Bounds::of(bytes.len());
        Asked { case, bytes, keys: identities("alice"), bounds, limits: Limits::new(), by_program: true }
    }

    pub(crate) fn seconds(mut self, seconds: f64) -> Self {
        self.bounds.seconds = seconds;
        self
    }

    /// A file of so many values.
    pub(crate) fn values(mut self, values: usize) -> Self {
        self.bounds = self.bounds.with_values(values);
        self
    }

    /// With other identities. The program has those of alice, and is left out.
    pub(crate) fn with_keys(mut self, keys: Identities) -> Self {
        (self.keys, self.by_program) = (keys, false);
        self
    }

    /// With any number of master keys, as the library takes them and the program does not.
    pub(crate) fn raised(mut self) -> Self {
        (self.limits, self.by_program) = (Limits::new().master_keys(usize::MAX), false);
        self
    }

    /// Parses the file and, where that succeeds, looks at it, writes it, opens it and changes its master keys; and with full sizes the same by the program.
    pub(crate) fn answers(&self, parses: Expected<'_>, opens: Expected<'_>) {
        let (case, bounds) = (self.case, self.bounds);
        let parsed =
            answers(case, "parse", bounds, parses, || EncryptedDocument::parse_with_limits(self.bytes, &self.limits));
        if let Some(sealed) = parsed {
            measured(case, "inspect", bounds, || sealed.inspect(), |seen| format!("{} faults", seen.faults().len()));
            measured(case, "Display", bounds, || sealed.to_string(), |text| format!("{} MiB", text.len() / MIB));
            answers(case, "decrypt", bounds, opens, || sealed.decrypt(&self.keys));
            let to_bytes = || sealed.decrypt_to_bytes(&self.keys, Format::Json, Indent::Tab);
            answers(case, "decrypt_to_bytes", bounds, opens, to_bytes);
            self.other_keys(sealed);
        }
        if is_full() && self.by_program {
            self.program(parses.is_ok() && opens.is_ok());
        }
    }

    fn other_keys(&self, mut sealed: EncryptedDocument) {
        let (case, bounds) = (self.case, self.bounds);
        let bob = recipients(&["bob"]);
        let between = || KeyChanges::between(&Recipients::of(sealed.metadata()), &bob);
        measured(case, "between", bounds, between, |changes| format!("{} removed", changes.removed.len()));
        let update = || {
            let recipients = Recipients::of(sealed.metadata()).with(&bob);
            sealed.update_keys(&recipients, &self.keys)
        };
        let named = |done: &sopskit::Result<_>| match done {
            Ok(_) => String::from("ok"),
            Err(error) => error.kind().as_str().to_owned(),
        };
        measured(case, "update_keys", bounds, update, named).ok();
    }

    fn program(&self, opens: bool) {
        let (case, bounds) = (self.case, self.bounds);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.json");
        fs::write(&file, self.bytes).unwrap();
        let config = format!("creation_rules:\n  - age: {},{}\n", alice(), public_key("bob"));
        fs::write(folder.path().join(".sops.yaml"), config).unwrap();
        let run = |call, arguments: &[&str]| program(case, call, bounds, folder.path(), arguments);
        let code = run("sopskit decrypt", &["decrypt", "file.json"]);
        assert_eq!(code == Some(0), opens, "{case}");
        run("sopskit inspect", &["inspect", "file.json"]);
        run("sopskit doctor", &["doctor", "file.json"]);
        run("sopskit updatekeys", &["updatekeys", "-y", "file.json"]);
        let code = run("sopskit set", &["set", "file.json", r#"["set"]"#, "1"]);
        assert_eq!(code == Some(0), opens, "{case}");
        // As plaintext: a file that has metadata is none.
        run("sopskit encrypt", &["encrypt", "file.json"]);
    }
}
