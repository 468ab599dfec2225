//! What was encrypted decrypts to what it was.

use arbitrary::Unstructured;
use sopskit::{Document, EncryptOptions, EncryptedDocument, ErrorKind, Format, Indent, Map, Recipients, Rule};

use super::grow;
use crate::checks::{assert_same, assert_same_map, check_error, check_plain};
use crate::service::{ClearKeys, master_key};

/// So many bytes of an input choose how the rest is read and sealed.
pub(crate) const CHOICES: usize = 24;

/// The first byte chooses between a tree that grows from the rest, the bytes of a binary file, and a JSON text; a second tree is what the document is changed to.
pub fn round_trip(data: &[u8]) {
    let (choices, rest) = data.split_at(CHOICES.min(data.len()));
    let _ = run(&mut Unstructured::new(choices), rest);
}

fn run(u: &mut Unstructured<'_>, rest: &[u8]) -> arbitrary::Result<()> {
    let form = u.arbitrary::<u8>()? % 3;
    let recipients = match u.arbitrary::<u8>()? % 4 {
        0 => groups(u.int_in_range(2..=5)?, u.int_in_range(2..=5)?),
        _ => crate::service::recipients(),
    };
    let options = options(u)?;
    let (tree, second) = match form {
        0 => {
            let mut grown = Unstructured::new(rest);
            (grow::map(&mut grown)?, Some(grow::map(&mut grown)?))
        }
        1 => (Format::Binary.parse(rest).expect("bytes have no faults"), None),
        _ => match check_plain(rest) {
            Ok(tree) => (tree, Some(grow::map(&mut Unstructured::new(rest))?)),
            Err(_) => return Ok(()),
        },
    };
    check(&tree, second, &recipients, &options, rest.len());
    if form != 0 {
        let format = if form == 1 { Format::Binary } else { Format::Json };
        check_bytes(rest, tree, &recipients, &options.format(format));
    }
    Ok(())
}

/// Sealed without a tree it is the same as with one.
fn check_bytes(plain: &[u8], tree: Map, recipients: &Recipients, options: &EncryptOptions) {
    let open = |text: &str| {
        let sealed = EncryptedDocument::parse(text.as_bytes()).expect("what was sealed can be read");
        sealed.decrypt(&ClearKeys).expect("what was sealed opens")
    };
    let with_tree = Document::with_key_service(tree, recipients, options, &ClearKeys)
        .and_then(|document| Ok(open(&document.encrypt_to_text()?)));
    let without = options.encrypt_bytes_with(plain, recipients, &ClearKeys).map(|text| open(&text));
    if let (Ok(one), Ok(other)) = (&with_tree, &without) {
        assert!(one.tree() == other.tree(), "another tree");
    }
    assert_same(&with_tree.map(drop), &without.map(drop), "encrypt_bytes");
}

/// A wider one is not kept when a file is read.
const MAX_INDENT: u8 = 16;

fn groups(groups: usize, threshold: usize) -> Recipients {
    let groups = (1..=groups)
        .map(|number| Recipients::from_keys([master_key(number)]).expect("there is a key"))
        .collect::<Vec<_>>();
    let threshold = threshold.min(groups.len());
    Recipients::from_groups(groups, Some(threshold)).expect("there are groups")
}

fn options(u: &mut Unstructured<'_>) -> arbitrary::Result<EncryptOptions> {
    let text = grow::key(u)?;
    let regex = grow::regex(u)?;
    let compiled = |rule: sopskit::Result<Rule>| rule.expect("these are regular expressions everywhere");
    let rule = match u.int_in_range(0..=7)? {
        0 => Rule::unencrypted_suffix(text),
        1 => Rule::encrypted_suffix(text),
        2 => compiled(Rule::unencrypted_regex(&regex)),
        3 => compiled(Rule::encrypted_regex(&regex)),
        4 => compiled(Rule::unencrypted_comment_regex(&regex)),
        5 => compiled(Rule::encrypted_comment_regex(&regex)),
        _ => Rule::default(),
    };
    let indent = if u.arbitrary()? { Indent::Tab } else { Indent::Spaces(u.int_in_range(0..=MAX_INDENT)?) };
    let format = if u.int_in_range(0..=7)? == 0 { Format::Binary } else { Format::Json };
    Ok(EncryptOptions::new().rule(rule).mac_only_encrypted(u.arbitrary()?).indent(indent).format(format))
}

fn check(tree: &Map, second: Option<Map>, recipients: &Recipients, options: &EncryptOptions, input: usize) {
    let is_sealed = tree.contains_key("sops");
    let document = match Document::with_key_service(tree.clone(), recipients, options, &ClearKeys) {
        Ok(document) => document,
        Err(error) => {
            check_error(&error, input);
            assert!(!is_sealed || error.kind() == ErrorKind::AlreadyEncrypted, "{error}");
            return;
        }
    };
    assert!(!is_sealed, "a tree with a key `sops` was taken");
    let Some(mut opened) = check_ways(&document) else { return };
    let Some(second) = second.filter(|second| !second.contains_key("sops")) else { return };
    if opened.set_tree(second.clone()).is_err() {
        return;
    }
    let Some(opened) = check_ways(&opened) else { return };
    assert!(opened.differences(&opened).is_empty());
}

/// Sealed in both ways and opened in both ways it is the same. What was opened, if it could be sealed.
fn check_ways(document: &Document) -> Option<Document> {
    let texts = [document.encrypt().map(|sealed| sealed.to_string()), document.encrypt_to_text()];
    if texts.iter().any(Result::is_err) {
        let [one, other] = texts.map(|text| text.map(drop));
        assert_same(&one, &other, "encrypt_to_text");
        return None;
    }
    let mut opened = None;
    for text in texts.into_iter().flatten() {
        let sealed = EncryptedDocument::parse(text.as_bytes()).expect("what was sealed can be read");
        assert_eq!(sealed.to_string(), text, "read and written it is another text");
        let document_again = sealed.decrypt(&ClearKeys).expect("what was sealed opens");
        assert_same_map(document.tree(), document_again.tree());
        let two_steps = Format::Json.write(document_again.tree(), Indent::Spaces(3));
        let one_step = sealed.decrypt_to_bytes(&ClearKeys, Format::Json, Indent::Spaces(3));
        assert_same(&two_steps, &one_step, "decrypt_to_bytes");
        let again = document_again.encrypt().expect("what was sealed can be sealed again");
        assert!(again.tree() == sealed.tree(), "a leaf did not keep its text");
        opened = Some(document_again);
    }
    opened
}
