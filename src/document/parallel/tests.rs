//! Pieces give what one thread gives, however small they are cut.

use proptest::prelude::*;

use super::super::leaves::Leaves as _;
use super::super::stream::Sealing;
use super::super::{Document, EncryptOptions, EncryptedDocument};
use super::{Fork as _, walk_in_pieces};
use crate::cipher::{Cipher, Nonces};
use crate::format::{Format, Indent};
use crate::keys::{Identities, Recipients};
use crate::rules::Rule;
use crate::tree::nodes::{Beside, Members};
use crate::tree::{Map, Value};
use crate::walk;

const ALICE: &str = include_str!("../../../fixtures/keys/alice.txt");

fn document(tree: Map, rule: usize, only_encrypted: bool) -> Document {
    let recipient = Identities::parse(ALICE).unwrap().recipients().next().unwrap().to_owned();
    let rules = [Rule::default(), Rule::encrypted_regex("[a-d]$").unwrap(), Rule::unencrypted_suffix("a")];
    let options = EncryptOptions::new().rule(rules[rule % 3].clone()).mac_only_encrypted(only_encrypted);
    Document::with_options(tree, &Recipients::parse(&recipient).unwrap(), &options).unwrap()
}

/// Text and MAC by one thread and by pieces of this weight, and whether there were pieces; the same nonces for both.
fn both(document: &Document, weight: usize) -> (Vec<[String; 2]>, bool) {
    let (cipher, nonces, rule) = (Cipher::new(&document.data_key), Nonces::new(), document.metadata.rule());
    let mut is_cut = false;
    let outcomes = [false, true].map(|by_pieces| {
        let (metadata, keeps) = (&document.metadata, document.sealed_under_data_key);
        let mut sealing = Sealing::new(&cipher, nonces.clone(), metadata, document.indent, keeps);
        let outer = sealing.writer().open("{");
        let members = Members::of(&document.tree, Some(&document.sealed));
        if by_pieces {
            is_cut = walk_in_pieces::<Beside<'_>, _>(members.clone(), rule, &mut sealing, || 9, weight).is_some();
        }
        if !by_pieces || !is_cut {
            walk::walk::<Beside<'_>>(members, rule, &mut sealing).unwrap();
        }
        sealing.writer().close("}", &outer);
        let text = String::from_utf8(sealing.writer().written().to_vec()).unwrap();
        [text, sealing.mac().clone().finish().to_string()]
    });
    (outcomes.to_vec(), is_cut)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "[ -~äé\\n\\\"]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec(("[a-f]{0,3}", inner), 0..8)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

proptest! {
    #[test]
    fn the_same_nonces_give_the_same_bytes(
        members in proptest::collection::vec(("[a-f]{1,3}", value()), 0..30),
        weight in 1..3000_usize,
        rule in 0..3_usize,
        only_encrypted: bool,
    ) {
        let document = document(Map::from_iter(members), rule, only_encrypted);
        let (outcomes, _) = both(&document, weight);
        prop_assert_eq!(&outcomes[0], &outcomes[1]);
    }
}

#[test]
fn many_pieces_give_the_same_bytes_and_none_of_the_nonces_twice() {
    let inner = |at: usize| {
        Value::from(Map::from_iter((0..20).map(|key| (format!("k{key}"), Value::from(format!("{at} {key}"))))))
    };
    let tree = Map::from_iter((0..200).map(|at| (format!("group{at}"), inner(at))));
    let document = document(tree, 0, false);
    let (outcomes, is_cut) = both(&document, 5000);
    assert!(is_cut);
    assert_eq!(outcomes[0], outcomes[1]);
    let nonces = |text: &str| {
        let all: Vec<_> = text.split(",iv:").skip(1).map(|rest| rest[..44].to_owned()).collect();
        all
    };
    let text = document.encrypt_to_text().unwrap();
    let mut all = nonces(&text);
    assert_eq!(all.len(), 200 * 20 + 1);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200 * 20 + 1, "each leaf and the MAC has a nonce of its own");
}

/// An array whose first items are left out: what is behind them is the first one that is written.
#[test]
fn items_that_are_not_written_do_not_leave_a_comma() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/3.11.0/from-yaml-comments");
    let sealed = EncryptedDocument::parse(&std::fs::read(format!("{folder}/sealed.json")).unwrap()).unwrap();
    let document = sealed.decrypt(&Identities::parse(ALICE).unwrap()).unwrap();
    for weight in [1, 200, 500, 1000] {
        let (outcomes, _) = both(&document, weight);
        assert_eq!(outcomes[0], outcomes[1], "{weight}");
    }
}

#[test]
fn a_caller_in_a_pool_of_any_size_is_served() {
    let tree = Map::from_iter((0..5000).map(|at| (format!("key{at}"), Value::from("x".repeat(200)))));
    let document = document(tree, 0, false);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let text = pool.install(|| document.encrypt_to_text().unwrap());
        let sealed = EncryptedDocument::parse(text.as_bytes()).unwrap();
        let keys = Identities::parse(ALICE).unwrap();
        let plain = pool.install(|| sealed.decrypt_to_bytes(&keys, Format::Json, Indent::Tab).unwrap());
        assert_eq!(plain, document.to_bytes(Format::Json).unwrap(), "{threads}");
    }
}
