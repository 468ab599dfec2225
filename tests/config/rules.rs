//! What a creation rule says: master keys of every kind, options, and the explanation for a person.

use std::path::Path;

use sopskit::{Config, CreationRule, Error, ErrorKind, Format, KeyKind, MasterKey};

use crate::support::public_key;

fn config(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("/repo/.sops.yaml"))
}

/// The one rule of a file, by its lines without their indentation.
fn rule(lines: &str) -> Result<CreationRule, Error> {
    let lines: Vec<_> = lines.lines().collect();
    config(&format!("creation_rules:\n  - {}\n", lines.join("\n    ")))?.creation_rule("/repo/a.json".as_ref())
}

#[track_caller]
fn keys(lines: &str) -> Vec<MasterKey> {
    let rule = rule(lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
    assert_eq!(rule.recipients().unwrap().groups().len(), 1, "{lines}");
    rule.recipients().unwrap().groups()[0].clone()
}

fn kms(arn: &str, role: Option<&str>, context: &[(&str, &str)], aws_profile: &str) -> MasterKey {
    MasterKey::Kms {
        arn: arn.into(),
        role: role.map(str::to_owned),
        context: context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        aws_profile: aws_profile.into(),
    }
}

fn azure(vault_url: &str, name: &str, version: &str) -> MasterKey {
    MasterKey::AzureKv { vault_url: vault_url.into(), name: name.into(), version: version.into() }
}

fn vault(vault_address: &str, engine_path: &str, key_name: &str) -> MasterKey {
    MasterKey::HcVault {
        vault_address: vault_address.into(),
        engine_path: engine_path.into(),
        key_name: key_name.into(),
    }
}

fn pgp(fingerprint: &str) -> MasterKey {
    MasterKey::Pgp { fingerprint: fingerprint.into() }
}

fn gcp(resource_id: &str) -> MasterKey {
    MasterKey::GcpKms { resource_id: resource_id.into() }
}

fn hckms(key_id: &str) -> MasterKey {
    MasterKey::HcKms { key_id: key_id.into() }
}

#[test]
fn keys_of_every_kind_are_read_from_texts_and_lists() {
    let role = "arn:aws:iam::1:role/r+w";
    for (lines, expected) in [
        (
            "pgp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21, ABCD",
            vec![pgp("85D77543B3D624B63CEA9E6DBC17301B491B3F21"), pgp("ABCD")],
        ),
        ("pgp: ['85D7 7543', 'A,B']", vec![pgp("85D77543"), pgp("A"), pgp("B")]),
        ("pgp: 1234567890123456789012345678901234567890", vec![pgp("1234567890123456789012345678901234567890")]),
        (
            "kms: arn:aws:kms:x:1:key/a, arn:aws:kms:x:1:key/b",
            vec![kms("arn:aws:kms:x:1:key/a", None, &[], ""), kms("arn:aws:kms:x:1:key/b", None, &[], "")],
        ),
        (
            "kms: [arn:aws:kms:x:1:key/a+arn:aws:iam::1:role/r+w]\naws_profile: dev",
            vec![kms("arn:aws:kms:x:1:key/a", Some(role), &[], "dev")],
        ),
        (
            "gcp_kms: projects/p/locations/l/keyRings/r/cryptoKeys/k",
            vec![gcp("projects/p/locations/l/keyRings/r/cryptoKeys/k")],
        ),
        ("hckms: [eu-1:abc, 'eu-2:d']", vec![hckms("eu-1:abc"), hckms("eu-2:d")]),
        (
            "azure_keyvault: https://v.vault.azure.net/keys/k/1a, https://v/keys/k/, https://v/keys/l",
            vec![
                azure("https://v.vault.azure.net", "k", "1a"),
                azure("https://v", "k", ""),
                azure("https://v", "l", ""),
            ],
        ),
        (
            "hc_vault_transit_uri: http://127.0.0.1:8200/v1/transit/keys/k",
            vec![vault("http://127.0.0.1:8200", "transit", "k")],
        ),
        ("hc_vault_transit_uri: [https://v/v1/a/b/keys/k/]", vec![vault("https://v", "a/b", "k")]),
        ("pgp: A\nkms: ''\ngcp_kms:\nazure_keyvault: []", vec![pgp("A")]),
        (
            "hc_vault_transit_uri: https://v/v1/t/keys/k\npgp: A\nhckms: ['a:b']\nkms: arn:b\ngcp_kms: c\nazure_keyvault: https://d/keys/e",
            vec![
                pgp("A"),
                kms("arn:b", None, &[], ""),
                gcp("c"),
                hckms("a:b"),
                azure("https://d", "e", ""),
                vault("https://v", "t", "k"),
            ],
        ),
    ] {
        assert_eq!(keys(lines), expected, "{lines}");
    }
}

#[test]
fn keys_of_every_kind_are_read_from_key_groups() {
    let group = "key_groups:
- pgp: [A B, C]
  kms:
    - arn: arn:aws:kms:x:1:key/a
      role: arn:aws:iam::1:role/r
      aws_profile: dev
      context: {app: web, stage: 1}
    - arn: arn:aws:kms:x:1:key/b
  gcp_kms:
    - resource_id: c
  hckms:
    - key_id: eu-1:d
  azure_keyvault:
    - {vaultUrl: https://v, key: e, version: f}
    - {vaultUrl: https://v, key: e}
  hc_vault:
    - https://v/v1/transit/keys/g
  merge:
    - pgp: [Z]";
    let context = [("app", "web"), ("stage", "1")];
    let expected = [
        pgp("Z"),
        pgp("AB"),
        pgp("C"),
        kms("arn:aws:kms:x:1:key/a", Some("arn:aws:iam::1:role/r"), &context, "dev"),
        kms("arn:aws:kms:x:1:key/b", None, &[], ""),
        gcp("c"),
        hckms("eu-1:d"),
        azure("https://v", "e", "f"),
        azure("https://v", "e", ""),
        vault("https://v", "transit", "g"),
    ];
    assert_eq!(keys(group), expected);
}

#[test]
fn a_text_that_names_no_key_is_refused() {
    for (lines, kind) in [
        ("age: age1u2f7yk4gzql7dcnlp26xgm7kf7rxsr0l7nx58y4tcgy5jvv2av4qdjd0eq", ErrorKind::InvalidRecipient),
        ("age: AGE-SECRET-KEY-1", ErrorKind::InvalidRecipient),
        ("kms: key/a", ErrorKind::InvalidRecipient),
        ("kms: 12", ErrorKind::InvalidRecipient),
        ("kms: ['']", ErrorKind::InvalidRecipient),
        ("kms: {arn: a}", ErrorKind::InvalidConfig),
        ("pgp: [~]", ErrorKind::InvalidConfig),
        ("pgp: [[a]]", ErrorKind::InvalidConfig),
        ("hckms: a:b", ErrorKind::InvalidConfig),
        ("hckms: [ab]", ErrorKind::InvalidRecipient),
        ("hckms: ['a:']", ErrorKind::InvalidRecipient),
        ("azure_keyvault: http://v/keys/k", ErrorKind::InvalidRecipient),
        ("azure_keyvault: https://v/keys/k/1/2", ErrorKind::InvalidRecipient),
        ("azure_keyvault: https:///keys/k/1", ErrorKind::InvalidRecipient),
        ("azure_keyvault: https://v/secrets/k/1", ErrorKind::InvalidRecipient),
        ("hc_vault_transit_uri: v/v1/transit/keys/k", ErrorKind::InvalidRecipient),
        ("hc_vault_transit_uri: https://v/transit/keys/k", ErrorKind::InvalidRecipient),
        ("hc_vault_transit_uri: https://v/prefix/v1/transit/keys/k", ErrorKind::InvalidRecipient),
        ("hc_vault_transit_uri: https://v/v1/keys/k", ErrorKind::InvalidRecipient),
        ("hc_vault_transit_uri: https://v/v1/transit/keys/k?a", ErrorKind::InvalidRecipient),
        ("key_groups: [{kms: [{role: r}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{kms: [{arn: arn:a, context: [a]}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{kms: [{arn: arn:a, context: {a: }}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{kms: [arn:a]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{kms: [{arn: arn:a, profile: b}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{azure_keyvault: [{vaultUrl: a}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{gcp_kms: [{}]}]", ErrorKind::InvalidConfig),
        ("key_groups: [{pgp: ['']}]", ErrorKind::InvalidRecipient),
        ("key_groups: [{hc_vault: [https://v]}]", ErrorKind::InvalidRecipient),
        ("key_groups: [{}]", ErrorKind::NoRecipients),
    ] {
        let error = rule(lines).and_then(|rule| rule.recipients()).expect_err(lines);
        assert_eq!(error.kind(), kind, "{lines}: {error}");
        assert!(error.position().is_some(), "{lines}: {error}");
    }
}

#[test]
fn a_secret_key_in_the_wrong_place_is_not_quoted() {
    let rule = rule("age: AGE-SECRET-KEY-1QQPQZRY9X8GF2TVDW0S3JN54KHCE6MUA7L").unwrap();
    assert!(!format!("{rule:?}").contains("QQPQ"), "{rule:?}");
    let error = rule.recipients().unwrap_err();
    assert!(!error.to_string().contains("QQPQ"), "{error}");
}

#[test]
fn the_options_are_all_that_the_file_says_but_for_whom() {
    let text = format!(
        "stores: {{json: {{indent: 1}}, json_binary: {{indent: 4}}}}\ncreation_rules:\n  - age: {}\n    encrypted_regex: ^a$\n    mac_only_encrypted: true\n",
        public_key("alice")
    );
    let rule = config(&text).unwrap().creation_rule("/repo/a.json".as_ref()).unwrap();
    let tree = Format::Json.parse(br#"{"a": "1", "b": "2"}"#).unwrap();
    let sealed = rule.options(Format::Json).encrypt(tree, &rule.recipients().unwrap()).unwrap();
    assert!(sealed.to_string().starts_with("{\n \"a\": \"ENC["), "{sealed}");
    assert!(sealed.to_string().contains("\n \"b\": \"2\",\n"), "{sealed}");
    assert!(sealed.metadata().mac_only_encrypted());
    let tree = Format::Binary.parse(b"x").unwrap();
    let sealed = rule.options(Format::Binary).encrypt(tree, &rule.recipients().unwrap()).unwrap();
    assert!(sealed.to_string().starts_with("{\n    \"data\": \"ENC["), "{sealed}");
    assert!(!sealed.metadata().mac_only_encrypted());
}

#[test]
fn a_rule_with_keys_of_the_cloud_is_for_a_key_service() {
    let rule = rule(&format!("age: {}\nkms: arn:aws:kms:x:1:key/a", public_key("alice"))).unwrap();
    let kinds: Vec<_> = rule.recipients().unwrap().groups()[0].iter().map(MasterKey::kind).collect();
    assert_eq!(kinds, [KeyKind::Age, KeyKind::Kms]);
    let tree = Format::Json.parse(br#"{"a": "1"}"#).unwrap();
    let error = rule.options(Format::Json).encrypt(tree, &rule.recipients().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotWrap);
}

#[test]
fn an_explanation_tells_which_rule_counts_and_why_not_those_before_it() {
    let (alice, bob) = (public_key("alice"), public_key("bob"));
    let text = format!(
        "creation_rules:
  - path_regex: ^prod/
    age: {alice}
  - path_regex: ^test/.*\\.json$
    key_groups:
      - age: [{alice}]
      - age: [{bob}]
        pgp: [ABCD]
    shamir_threshold: 2
    encrypted_regex: ^password$
    mac_only_encrypted: true
  - path_regex: '('
"
    );
    let config = config(&text).unwrap();
    let expected = |rest: &str| format!("config file /repo/.sops.yaml\n{rest}");
    assert_eq!(
        config.explain("/repo/test/db.json".as_ref()).to_string(),
        expected(&format!(
            "path test/db.json
rule 1, line 2: path_regex ^prod/ does not match
rule 2, line 4: path_regex ^test/.*\\.json$ matches
key group 1:
  age {alice}
key group 2:
  age {bob}
  pgp ABCD
2 of 2 key groups open the file together
encrypted_regex: ^password$
mac_only_encrypted: true
"
        ))
    );
    assert_eq!(
        config.explain("/repo/prod/db.json".as_ref()).to_string(),
        expected(&format!(
            "path prod/db.json
rule 1, line 2: path_regex ^prod/ matches
any of these keys opens the file:
  age {alice}
unencrypted_suffix: _unencrypted (the default)
mac_only_encrypted: false
"
        ))
    );
    let broken = config.explain("/repo/a.json".as_ref());
    assert_eq!(broken.skipped().iter().map(|rule| (rule.number, rule.line)).collect::<Vec<_>>(), [(1, 2), (2, 4)]);
    assert_eq!(broken.rule().unwrap_err().kind(), ErrorKind::InvalidRegex);
    let text = broken.to_string();
    assert!(text.ends_with(
        "/repo/.sops.yaml: invalid regular expression at [\"creation_rules\"][2][\"path_regex\"], line 12 column 17: \"(\" is no RE2 expression\n"
    ), "{text}");
}

#[test]
fn no_rule_for_a_path_is_an_error_that_names_the_path() {
    let one = config("creation_rules: [{path_regex: ^prod/}]").unwrap();
    let error = one.creation_rule("/repo/test/a.json".as_ref()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCreationRule);
    assert_eq!(
        error.to_string(),
        "/repo/.sops.yaml: no creation rule of the config file matches: \"test/a.json\" matches none of 1"
    );
    assert_eq!(config("").unwrap().creation_rule("/repo/a".as_ref()).unwrap_err().kind(), ErrorKind::NoCreationRule);
}

#[test]
fn paths_of_windows_match_when_asked_for() {
    let text = format!("creation_rules: [{{path_regex: ^secrets/a, age: {}}}]", public_key("alice"));
    let there = Config::parse(&text, Path::new(r"C:\repo\.sops.yaml")).unwrap();
    let path = Path::new(r"C:\repo\secrets\a.json");
    assert_eq!(there.clone().match_windows_paths(true).creation_rule(path).unwrap().number(), 1);
    assert_eq!(there.creation_rule(path).unwrap_err().kind(), ErrorKind::NoCreationRule);
}

/// Which rules, one for each regular expression, can never count.
fn dead(regexes: &[&str]) -> Vec<usize> {
    let rules: String = regexes.iter().map(|regex| format!("  - path_regex: '{regex}'\n")).collect();
    config(&format!("creation_rules:\n{rules}")).unwrap().dead_rules().iter().map(|rule| rule.number).collect()
}

#[test]
fn a_rule_that_begins_as_no_path_does_is_dead() {
    assert_eq!(dead(&["^/secrets/", r"^\./secrets/", "^/", r"^\./.*\.json$"]), [1, 2, 3, 4]);
}

#[test]
fn what_a_rule_is_dead_for_names_the_first_rule_that_makes_it_so() {
    let text = r"creation_rules: [{path_regex: a}, {path_regex: ^/b}, {path_regex: a}, {path_regex: a}, {path_regex: .*}, {path_regex: ^/b}, {}]";
    let why: Vec<_> = config(text).unwrap().dead_rules().iter().map(ToString::to_string).collect();
    let expected = [
        "rule 2, line 1: it begins with /, and so matches only files outside of the directory of the config file",
        "rule 3, line 1: rule 1 before it has the same path_regex",
        "rule 4, line 1: rule 1 before it has the same path_regex",
        "rule 6, line 1: rule 5 before it matches every path",
        "rule 7, line 1: rule 5 before it matches every path",
    ];
    assert_eq!(why, expected);
}

#[test]
fn a_rule_that_matches_a_path_in_another_way_than_it_begins_is_not_dead() {
    for regex in ["^/.*/ou|\\.json$", "^/?secrets/", "^/*a", "^/{0,1}secrets/", r"^\./|^secrets/", r"^\./?a", r"^\./*a"]
    {
        assert_eq!(dead(&[regex]), [0_usize; 0], "{regex}");
    }
}
