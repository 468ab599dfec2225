//! The changes that are not refused, each with its reason.

use super::mutations::Mutation;

/// What a changed file that is not refused opens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The same plaintext.
    Same,
    /// Another one: the format leaves it open.
    Other,
}

use Outcome::{Other, Same};

/// A change that is not refused. A `*` stands for anything.
#[derive(Debug)]
#[allow(dead_code, reason = "the reason is for whoever reads the table or the message")]
pub(crate) struct Exception {
    file: &'static str,
    what: &'static str,
    place: &'static str,
    outcome: Outcome,
    why: &'static str,
}

impl Exception {
    pub(crate) fn covers(&self, file: &str, mutation: &Mutation) -> bool {
        fits(self.file, file) && fits(self.what, mutation.what) && fits(self.place, &mutation.place)
    }

    pub(crate) fn allows(&self, file: &str, mutation: &Mutation, outcome: Outcome) -> bool {
        self.outcome == outcome && self.covers(file, mutation)
    }
}

/// Whether a text is of a form in which `*` stands for anything.
fn fits(form: &str, text: &str) -> bool {
    let Some((first, form)) = form.split_once('*') else { return form == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = form.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Each line of the table for each of its files, changes and places, which `|` divides: all of them must occur.
pub(crate) fn exceptions() -> Vec<Exception> {
    let mut all = Vec::new();
    for &(files, whats, places, outcome, why) in TABLE {
        for file in files.split('|') {
            for what in whats.split('|') {
                all.extend(places.split('|').map(|place| Exception { file, what, place, outcome, why }));
            }
        }
    }
    all
}

type Line = (&'static str, &'static str, &'static str, Outcome, &'static str);

#[rustfmt::skip]
const TABLE: &[Line] = &[
    // The same plaintext: the metadata is not authenticated.
    ("*", "flip a bit of a blank", "", Same, "one blank of JSON is as good as another"),
    ("*", "flip a bit", r#"["sops"]["version"]"#, Same, "any version of three numbers"),
    ("*", "flip a bit", r#"["sops"]["age"][0]["recipient"]|["sops"]["key_groups"][*]["age"][0]["recipient"]"#, Same, "the wrapped key itself tells whose it is"),
    ("3.10.2/key-groups/*", "flip a bit", r#"["sops"]["key_groups"][2]["age"][0]["enc"]"#, Same, "two groups have opened the file already"),
    ("3.10.2/key-groups/*", "flip a bit of the key", r#"["sops"]["key_groups"][2]["age"]"#, Same, "likewise"),
    ("3.10.2/key-groups/*", "remove", r#"["sops"]["key_groups"][2]|["sops"]["key_groups"][2]["age"]|["sops"]["key_groups"][2]["age"][0]"#, Same, "likewise; the threshold is two"),
    ("*", "flip a bit", r#"["sops"]["unencrypted_suffix"]"#, Same, "no key has the one ending or the other"),
    ("*", "flip a bit of the key|remove", r#"["sops"]["unencrypted_suffix"]"#, Same, "without a rule the default one holds, which is this"),
    ("3.7.3/*|3.8.1/*|3.9.4/*", "flip a bit of the key|remove", r#"["sops"]["kms"]|["sops"]["gcp_kms"]|["sops"]["azure_kv"]|["sops"]["hc_vault"]|["sops"]["pgp"]"#, Same, "null"),
    ("3.10.2/key-groups/*", "flip a bit of the key|remove", r#"["sops"]["key_groups"][*]["hc_vault"]"#, Same, "null"),
    // The same plaintext: it is written in another way.
    ("*", "type", r#"* from str to bytes"#, Same, "both are a string in JSON"),
    ("3.12.2/from-yaml/*", "type", r#"* from str to time|* from time to str|* from time to bytes"#, Same, "likewise; refused where the text is no time"),
    ("tokens/*", "type", r#"["expires_at"] from str to time|["issued_at"] from str to time"#, Same, "likewise"),
    ("*", "move", r#"["*"] to @*"#, Same, "behind the metadata, which has no place among the values"),
    // Another plaintext: the type of an encrypted value is not authenticated.
    ("*", "type", r#"* from bool to str|* from bool to bytes|* from int to str|* from int to bytes|* from float to str|* from float to bytes"#, Other, "5 becomes \"5\""),
    ("*", "type", r#"* from int to float|* from float to int"#, Other, "5 becomes 5.0; refused where there is a fraction"),
    // Another plaintext: brackets are in no additional data and not in the MAC.
    ("*", "make it a list of one", r#"*"#, Other, "the value stands in a list of its own"),
    ("3.12.2/arrays-of-objects/*", "move", r#"["users"][1]["name"] to ["users"][2]@0|["grid"][1][0]["a"] to ["grid"][1][1]@0"#, Other, "to the next object of a list, under the same keys, in the same order of values"),
    ("3.12.2/arrays-of-objects/*", "move", r#"["users"][1]["name"] to ["users"][1]@2|["users"][1]["name"] to ["users"][1]@3"#, Other, "behind [] and null"),
    ("3.12.2/arrays-of-objects/*", "remove", r#"["users"][1]["tags"]|["users"][2]"#, Other, "[] and {}"),
    ("3.12.2/arrays-of-objects/*", "flip a bit of the key", r#"["users"][1]["tags"]"#, Other, "above []"),
    // Another plaintext: `null` and empty strings are not in the MAC.
    ("3.7.3/mixed/*|3.13.2/mixed/*", "remove|copy*|make it a list of two", r#"["none"]|["list"][4]|["list"][5]"#, Other, "null, an empty string"),
    ("3.7.3/mixed/*|3.13.2/mixed/*", "move", r#"["none"] to *|["list"][4] to *|["list"][5] to *"#, Other, "likewise"),
    ("3.12.2/from-yaml/*", "remove|copy*|make it a list of two", r#"["none"]"#, Other, "null"),
    ("3.12.2/from-yaml/*", "move", r#"["none"] to *"#, Other, "likewise"),
    ("3.12.2/arrays-of-objects/*", "remove|copy*|make it a list of two", r#"["users"][1]["age"]"#, Other, "null"),
    ("3.12.2/arrays-of-objects/*", "move", r#"["users"][1]["age"] to *"#, Other, "likewise"),
    ("3.8.1/*|3.9.4/*|3.13.2/rule-*|3.13.2/mac-only-*", "remove|copy*|make it a list of two", r#"["secret"]["list"][3]"#, Other, "null"),
    ("3.8.1/*|3.9.4/*|3.13.2/rule-*|3.13.2/mac-only-*", "move", r#"["secret"]["list"][3] to *"#, Other, "likewise"),
    ("tokens/*", "remove|copy*|make it a list of two", r#"["metadata"]["nested"]["list"][3]"#, Other, "null"),
    ("tokens/*", "move", r#"["metadata"]["nested"]["list"][3] to *"#, Other, "likewise"),
    ("3.7.3/mixed/*|3.13.2/mixed/*|3.12.2/from-yaml/*", "flip a bit of the key", r#"["none"]"#, Other, "above null"),
    ("3.12.2/arrays-of-objects/*", "flip a bit of the key", r#"["users"][1]["age"]"#, Other, "above null"),
    ("3.7.3/mixed/*|3.13.2/mixed/*", "swap in clear", r#"["none"] and ["list"][5]|["list"][4] and ["list"][5]"#, Other, "null and an empty string"),
    ("3.7.3/mixed/*|3.13.2/mixed/*", "swap", r#"["list"][3] and ["list"][4]|["list"][3] and ["list"][5]"#, Other, "a value and what is behind it and not in the MAC"),
    ("3.7.3/mixed/*|3.13.2/mixed/*", "move", r#"["list"][3] to ["list"]@5|["list"][3] to ["list"]@6|["off"] to @6"#, Other, "behind that"),
    ("3.12.2/from-yaml/*", "move", r#"["on"] to @11|["on"] to @12"#, Other, "behind null"),
    ("3.8.1/*|3.9.4/*|3.13.2/rule-*|3.13.2/mac-only-*", "swap", r#"["secret"]["list"][2] and ["secret"]["list"][3]|["secret"]["list"][3] and ["secret"]["list"][4]"#, Other, "a value and null"),
    ("3.8.1/*|3.9.4/*|3.13.2/rule-*|3.13.2/mac-only-*", "move", r#"["secret"]["list"][2] to ["secret"]["list"]@4|["secret"]["list"][4] to ["secret"]["list"]@3"#, Other, "to the other side of null"),
    ("tokens/*", "swap", r#"["metadata"]["nested"]["list"][2] and ["metadata"]["nested"]["list"][3]|["metadata"]["nested"]["list"][3] and ["metadata"]["nested"]["list"][4]"#, Other, "a value and null"),
    ("tokens/*", "move", r#"["metadata"]["nested"]["list"][2] to ["metadata"]["nested"]["list"]@4|["metadata"]["nested"]["list"][4] to ["metadata"]["nested"]["list"]@3"#, Other, "to the other side of null"),
    // Another plaintext: comments are encrypted, but not in the MAC.
    ("3.11.0/from-yaml-comments/*", "remove|copy behind it|make it a list of two", r#"["list"][0]"#, Other, "a comment"),
    ("3.11.0/from-yaml-comments/*", "move", r#"["list"][0] to ["list"]@*|["list"][1] to ["list"]@0"#, Other, "likewise"),
    ("3.11.0/from-yaml-comments/*", "swap", r#"["list"][0] and ["list"][1]"#, Other, "a comment and a value"),
    // Another plaintext: keys above values in clear are not in the MAC, only the order of the values is.
    ("3.8.1/*", "flip a bit of the key", r#"["public"]["name"]|["public"]["secret_key"]|["public"]["n"]|["items"][0]["secret"]|["items"][0]["id"]|["items"][1]["secret"]|["items"][1]["id"]"#, Other, "above a value in clear"),
    ("3.9.4/*", "flip a bit of the key", r#"["public"]|["public"]["name"]|["public"]["secret_key"]|["public"]["n"]|["items"][0]["id"]|["items"][1]["id"]|["plain"]|["flag"]"#, Other, "above values in clear"),
    ("3.13.2/rule-*", "flip a bit of the key", r#"["public"]["name"]|["public"]["n"]|["items"][0]["id"]|["items"][1]["id"]|["name_secret"]|["plain"]|["flag"]"#, Other, "above a value in clear"),
    ("3.8.1/*|3.9.4/*|3.13.2/rule-*", "move", r#"["items"][0]["id"] to ["items"]@1|["items"][0]["id"] to ["items"][1]@0|["items"][1]["id"] to ["items"]@2"#, Other, "the order of values stays"),
    ("3.8.1/*", "move", r#"["items"][0]["secret"] to ["items"]@0|["items"][1]["secret"] to ["items"]@1|["items"][1]["secret"] to ["items"][0]@2"#, Other, "the order of values stays"),
    ("3.9.4/*|3.13.2/rule-*", "move", r#"["public"]["name"] to @0|["public"]["n"] to @1|["items"][1]["id"] to @3"#, Other, "the order of values stays"),
    ("3.13.2/rule-*", "move", r#"["name_secret"] to ["items"]@2|["name_secret"] to ["items"][1]@2"#, Other, "the order of values stays"),
    // Another plaintext: with `mac_only_encrypted` values in clear are not in the MAC at all.
    ("3.13.2/mac-only-*", "remove|copy*|make it a list of two|flip a bit of the key", r#"["public"]["name"]|["public"]["n"]|["items"][*]["id"]|["name_secret"]|["plain"]|["flag"]|["extra_unencrypted"]["a"]|["extra_unencrypted"]["b"]"#, Other, "in clear"),
    ("3.13.2/mac-only-*", "move", r#"["public"]["name"] to *|["public"]["n"] to *|["items"][*]["id"] to *|["name_secret"] to *|["plain"] to *|["flag"] to *|["extra_unencrypted"]["a"] to *|["extra_unencrypted"]["b"] to *"#, Other, "in clear"),
    ("3.13.2/mac-only-*", "flip a bit", r#"["public"]["name"]|["public"]["n"]|["items"][*]["id"]|["name_secret"]|["plain"]|["extra_unencrypted"]["a"]|["extra_unencrypted"]["b"]"#, Other, "in clear"),
    ("3.13.2/mac-only-*", "swap in clear", r#"* and *"#, Other, "in clear"),
    ("3.13.2/mac-only-*", "remove|flip a bit of the key", r#"["extra_unencrypted"]"#, Other, "above values in clear"),
    ("3.13.2/mac-only-*", "move", r#"["public"]["secret_key"] to ["public"]@0|["public"]["secret_key"] to ["public"]@3|["items"][*]["secret"] to ["items"][*]@2"#, Other, "encrypted, among values in clear"),
];
