//! Config files that are wrong, or meant to do harm.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sopskit::{Config, Error, ErrorKind};

use crate::support::public_key;

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("/repo/.sops.yaml"))
}

#[test]
fn an_error_says_where_it_is() {
    for (text, line, column, path, says) in [
        (
            "creation_rules:\n  - path_regex: [a]\n",
            2,
            17,
            r#"["creation_rules"][0]["path_regex"]"#,
            "expected a text, not a list",
        ),
        ("creation_rules:\n  - age: a\n  - agee: b\n", 3, 11, r#"["creation_rules"][1]["agee"]"#, "unknown key"),
        ("\n\ncreation_rules: 1\n", 3, 17, r#"["creation_rules"]"#, "expected a list"),
        (
            "a: \u{e9}\nx: [\u{e9}\u{e9}, b]\nstores: {json: {indent: \u{e9}}}\n",
            3,
            25,
            r#"["stores"]["json"]["indent"]"#,
            "whole number",
        ),
        ("creation_rules: []\r\nstores:\r\n  json: 1\r\n", 3, 9, r#"["stores"]["json"]"#, "expected a mapping"),
        (
            "creation_rules:\n  - mac_only_encrypted: maybe\n",
            2,
            25,
            r#"["creation_rules"][0]["mac_only_encrypted"]"#,
            "true or false",
        ),
        ("a: 1\nb: 2\na: 3\n", 3, 1, r#"["a"]"#, "duplicate key"),
        ("a: [1\nb: 2\n", 2, 2, "", ""),
        ("a: 1\n\tb: 2\n", 1, 4, "", ""),
        ("a: \0b\n", 1, 4, "", "U+0000"),
        ("a: b\u{feff}\n", 1, 5, "", "U+FEFF"),
        ("a: *b\n", 1, 4, "", ""),
        ("? [a]\n: b\n", 1, 3, "", "a key must be a text"),
        ("a: 1\n---\nb: 2\n", 2, 1, "", "second document"),
    ] {
        let error = parse(text).unwrap_err();
        let position = error.position().unwrap_or_else(|| panic!("{text:?}: {error}"));
        assert_eq!((position.line, position.column), (line, column), "{text:?}: {error}");
        assert!(path.is_empty() || error.path().to_string() == path, "{text:?}: {error}");
        assert!(error.to_string().contains(says), "{text:?}: {error}");
        assert!(error.to_string().starts_with("/repo/.sops.yaml: "), "{error}");
        assert!([ErrorKind::InvalidConfig, ErrorKind::DuplicateKey].contains(&error.kind()), "{error}");
    }
}

#[test]
fn a_rule_that_cannot_be_used_says_where_it_is() {
    let text = "creation_rules:\n  - path_regex: ^a\n    age:\n      - nonsense\n  - path_regex: '('\n    age: x\n";
    let config = parse(text).unwrap();
    let error = config.creation_rule("/repo/a.json".as_ref()).unwrap().recipients().unwrap_err();
    assert_eq!((error.kind(), error.position().unwrap().line), (ErrorKind::InvalidRecipient, 4), "{error}");
    assert!(error.to_string().starts_with("/repo/.sops.yaml: "), "{error}");
    assert_eq!(error.path().to_string(), r#"["creation_rules"][0]["age"][0]"#);
    let error = config.creation_rule("/repo/b.json".as_ref()).unwrap_err();
    assert_eq!((error.kind(), error.position().unwrap().line), (ErrorKind::InvalidRegex, 5), "{error}");
    assert_eq!(error.path().to_string(), r#"["creation_rules"][1]["path_regex"]"#);
    let kinds: Vec<_> = config.check().iter().map(Error::kind).collect();
    assert_eq!(kinds, [ErrorKind::InvalidRecipient, ErrorKind::InvalidRegex, ErrorKind::InvalidRecipient]);
}

/// Each level stands for `width` of the one before.
fn bomb(levels: usize, width: usize, level: impl Fn(&str) -> String) -> String {
    let mut text = String::from("a0: &a0 {age: [x]}\n");
    for number in 1..=levels {
        let items = vec![format!("*a{}", number - 1); width].join(", ");
        text.push_str(&format!("a{number}: &a{number} {}\n", level(&items)));
    }
    text
}

#[test]
fn a_config_file_that_is_meant_to_do_harm_is_an_error_and_a_quick_one() {
    let mib = 1024 * 1024;
    let regex = |regex: &str| format!("creation_rules: [{{path_regex: '{regex}', age: x}}]");
    for (what, text) in [
        ("aliases of lists", bomb(20, 10, |items| format!("[{items}]"))),
        ("aliases of groups", bomb(20, 10, |items| format!("{{merge: [{items}]}}"))),
        ("aliases that are merged", bomb(20_000, 1, |items| format!("{{<<: [{items}], x: 1}}"))),
        ("merges of a large mapping", {
            let members: String = (0..1000).map(|number| format!("k{number}: 1, ")).collect();
            format!("a: &a {{{members}}}\nb: [{}]\n", "{<<: *a}, ".repeat(50_000))
        }),
        ("deep lists", format!("a: {}", "[".repeat(mib - 3))),
        ("deep lists, closed", format!("a: {}{}", "[".repeat(mib / 2 - 3), "]".repeat(mib / 2 - 3))),
        ("deep mappings", "{a: ".repeat(mib / 4)),
        ("deep mappings by lines", (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("deep lists by dashes", format!("{}a\n", "- ".repeat(mib / 2 - 1))),
        ("deep by aliases", bomb(70, 1, |items| format!("[{items}]"))),
        ("many values", format!("a: [{}]", "1,".repeat(mib / 2 - 3))),
        ("many keys", (0..100_000).map(|number| format!("{number}: \n")).collect()),
        ("many anchors", (0..40_000).map(|number| format!("- &{number} \n- *{number}\n")).collect()),
        ("too long", " ".repeat(mib + 1)),
        ("an open quote", format!("a: \"{}", "x".repeat(mib - 4))),
        ("an open quote over lines", format!("a: \"{}", "\n".repeat(mib - 4))),
        ("a long key", format!("? {}", "x ".repeat(mib / 2 - 1))),
        ("question marks", "? ".repeat(mib / 2)),
        ("colons", ": ".repeat(mib / 2)),
        ("alias to nothing", "*".repeat(mib)),
        ("tags", "!a ".repeat(mib / 3)),
        ("directives", "%a\n".repeat(mib / 3)),
        ("many names in a context, and an error behind them", {
            let context: String = (0..49_000).map(|number| format!("k{number}: a, ")).collect();
            let kms = format!("{{arn: 'arn:x', context: {{{context}}}}}");
            format!("creation_rules: [{{key_groups: [{{kms: [{kms}]}}]}}]\nstores: 1\n")
        }),
        ("a long regex", regex(&"a".repeat(100_000))),
        ("a regex that grows", regex("(((a{1,30}){1,30}){1,30})")),
        ("a regex that grows by Unicode", regex(r"(\pL{500}){2}(\pN{500}){2}[^\pL]{900}")),
    ] {
        let start = Instant::now();
        let outcome = parse(&text).and_then(|config| config.creation_rule("/repo/a.json".as_ref()));
        let error = outcome.expect_err(what);
        assert!(start.elapsed() < Duration::from_secs(5), "{what} took {:?}: {error}", start.elapsed());
        assert!(error.to_string().len() < 1000, "{what} has a long error");
    }
}

#[test]
fn two_thousand_rules_are_read_and_one_more_is_refused() {
    let text = |rules: usize| format!("creation_rules:\n{}", "  - path_regex: x\n".repeat(rules));
    let config = parse(&text(2000)).unwrap();
    assert_eq!(config.dead_rules().len(), 1999, "all but the first have the same path_regex");
    let error = parse(&text(2001)).unwrap_err();
    assert_eq!((error.kind(), error.position().unwrap().line), (ErrorKind::InvalidConfig, 2002));
    assert!(error.to_string().contains("more than 2000 creation rules"), "{error}");
}

#[test]
fn the_expressions_of_all_rules_share_one_bound() {
    let text = |rules: usize, regex: &str| {
        let rule = |number| format!("  - path_regex: '{regex}{number}$'\n    age: {}\n", public_key("alice"));
        format!("creation_rules:\n{}", (1..=rules).map(rule).collect::<String>())
    };
    let rule_of = |text: &str, path: &str| parse(text).unwrap().creation_rule(path.as_ref()).map(|rule| rule.number());
    // Some MiB, when it is compiled.
    let large = r"\pL{60}";
    let letters = "a".repeat(60);
    assert_eq!(rule_of(&text(10, large), &format!("/repo/{letters}10")).unwrap(), 10);
    assert_eq!(rule_of(&text(2000, r"^\pL"), "/repo/a2000").unwrap(), 2000);
    let error = rule_of(&text(2000, large), &format!("/repo/{letters}1")).unwrap_err();
    assert_eq!((error.kind(), error.position().unwrap().line), (ErrorKind::InvalidRegex, 2));
    assert!(error.to_string().contains("compiled it takes more than 67108 bytes"), "{error}");
}

#[test]
fn limits_leave_room_for_what_people_write() {
    let mut text = String::from(
        "keys:\n  - &key age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a\ncreation_rules:\n",
    );
    for number in 0..2000 {
        text.push_str(&format!("  - path_regex: ^team-{number}/\n    key_groups:\n      - age: [*key, *key, *key]\n"));
    }
    let config = parse(&text).unwrap();
    let rule = config.creation_rule("/repo/team-1999/a.json".as_ref()).unwrap();
    assert_eq!((rule.number(), rule.line()), (2000, 4 + 3 * 1999));
}

/// What YAML and config files are made of.
const PIECES: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    "\r",
    "\t",
    " ",
    "  ",
    "- ",
    "? ",
    ": ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "*a ",
    "<<: ",
    "!",
    "!!str ",
    "!a!b ",
    "!<x> ",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "--- ",
    "---\n",
    "...\n",
    "|\n",
    "|-2\n",
    ">+\n",
    "'",
    "\"",
    "\\",
    "\\x41",
    "\\u12",
    "#",
    " # ",
    "~",
    "null",
    "true",
    "1",
    "-1",
    "@",
    "`",
    "\u{85}",
    "\u{2028}",
    "\u{e9}",
    "\u{1f600}",
    "\u{feff}",
    "\0",
    "a",
    "x: y\n",
    "creation_rules:\n",
    "  - path_regex: a\n",
    "    age: b\n",
    "    key_groups:\n",
    "      - merge:\n",
    "    pgp: [c]\n",
    "    mac_only_encrypted: ",
    "    shamir_threshold: ",
    "stores: {json: {indent: 2}}\n",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(pieces in vec(select(PIECES), 0..40)) {
        let text = pieces.concat();
        match parse(&text) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(config) => {
                let _ = config.explain("/repo/a.json".as_ref()).to_string();
                prop_assert!(config.check().len() <= 2 * text.len());
            }
        }
    }
}
