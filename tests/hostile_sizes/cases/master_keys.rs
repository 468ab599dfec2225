//! Master keys and other metadata.

use sopskit::{ErrorKind, Identities, NewIdentity};

use super::asked::Asked;
use super::{Expected, MANY, MIB};
use crate::inputs::{Base, alice, list, more, recipient, stanzas};
use crate::measure::{is_full, scaled};
use crate::support::identity_text;

/// How many master keys a file may have by default.
const LIMIT: usize = 1024;
/// How many stanzas an age header may have.
const STANZAS: usize = 8;

pub(crate) fn run(case: &str) -> bool {
    too_many(case) || as_many_as_there_may_be(case) || groups(case) || regexes(case) || fields(case)
}

fn ask(case: &str, bytes: &[u8], parses: Expected<'_>, opens: Expected<'_>) {
    Asked::new(case, bytes).answers(parses, opens);
}

/// Far more than are taken by default, and the same where the caller takes them.
fn too_many(case: &str) -> bool {
    use ErrorKind as E;
    let (base, for_bob) = (Base::new(&["alice"]), Base::new(&["bob"]));
    let count = scaled(MANY);
    let garbage = || list(count, |n| recipient(&format!("garbage-{n}"), "\"garbage\""));
    let refused: Expected<'_> = Err(&[E::NoMatchingIdentity]);
    let (bytes, raised): (_, Expected<'_>) = match case {
        "recipients" => (for_bob.with_keys(&garbage()), refused),
        "recipients-kms" => {
            let entries = list(count, |n| format!(r#"{{"arn":"arn:{n}","enc":"x","aws_profile":""}}"#));
            (for_bob.file("", &format!(r#""kms":[{entries}]"#), ""), refused)
        }
        "group" => (for_bob.with_groups(&format!(r#"{{"age":[{}]}}"#, garbage()), ""), refused),
        // An attempt takes some 70 µs, so that a million would take minutes: the one that fits by its name comes first.
        "named-last" => {
            let others = list(count, |n| recipient(&format!("age1{n}"), &for_bob.enc()));
            (base.with_keys(&format!("{others},{}", base.entry())), Ok(()))
        }
        _ => return false,
    };
    // With whole wrapped keys it is as large as the file of the largest leaf.
    let seconds = if case == "named-last" { 3.0 } else { 2.0 };
    Asked::new(case, &bytes).seconds(seconds).values(3 * count).answers(Err(&[E::TooLarge]), Ok(()));
    // The caller asked for it: some microseconds a key, and 25 to write one anew with all that stays.
    let seconds = if case == "named-last" { 30.0 } else { 6.0 };
    let case = format!("{case}, limit raised");
    Asked::new(&case, &bytes).raised().seconds(seconds).values(3 * count).answers(Ok(()), raised);
    true
}

/// As many as are taken by default, each of which costs as much as it can. Fewer in a plain run: arithmetic on curves is slow in debug mode.
fn as_many_as_there_may_be(case: &str) -> bool {
    use ErrorKind as E;
    let (base, for_bob) = (Base::new(&["alice"]), Base::new(&["bob"]));
    let count = if is_full() { LIMIT } else { LIMIT / 100 };
    let (alice, enc) = (alice(), for_bob.enc());
    let refused: Expected<'_> = Err(&[E::NoMatchingIdentity]);
    match case {
        "long-recipients" => {
            let name = "a".repeat(scaled(MIB));
            let keys = list(100, |n| recipient(&format!("{name}{n}"), "\"garbage\""));
            ask(case, &for_bob.with_keys(&keys), Ok(()), refused);
        }
        "wrapped-for-others" => {
            let bytes = for_bob.with_keys(&list(count, |n| recipient(&format!("age1{n}"), &enc)));
            ask(case, &bytes, Ok(()), refused);
            // Where the caller takes more it is in proportion.
            let bytes = for_bob.with_keys(&list(10 * count, |n| recipient(&format!("age1{n}"), &enc)));
            Asked::new(&format!("{case}, limit raised"), &bytes).raised().answers(Ok(()), refused);
        }
        "mislabelled" => ask(case, &for_bob.with_keys(&list(count, |_| recipient(&alice, &enc))), Ok(()), refused),
        "stanzas" => {
            let enc = stanzas(STANZAS);
            ask(case, &for_bob.with_keys(&list(count, |_| recipient(&alice, &enc))), Ok(()), refused);
        }
        "stanzas-for-four" => {
            let others = (0..3).map(|_| NewIdentity::x25519().secret().to_owned());
            let text: Vec<_> = others.chain([identity_text("alice")]).collect();
            let enc = stanzas(STANZAS);
            let bytes = for_bob.with_keys(&list(count, |_| recipient("age1", &enc)));
            let keys = Identities::parse(&text.join("\n")).unwrap();
            // 32 arithmetic operations on the curve for each of 1024 keys: 0.6 s for each identity that the user has.
            Asked::new(case, &bytes).with_keys(keys).seconds(4.0).answers(Ok(()), refused);
        }
        "unnamed-first" => {
            let others = more(count - 1, |n| recipient(&format!("age1{n}"), &enc));
            ask(case, &base.with_keys(&format!("{}{others}", recipient("age1", &base.enc()))), Ok(()), Ok(()));
        }
        "unnamed-last" => {
            let others = list(count - 1, |n| recipient(&format!("age1{n}"), &enc));
            ask(case, &base.with_keys(&format!("{others},{}", recipient("age1", &base.enc()))), Ok(()), Ok(()));
        }
        "enc" => {
            let enc = format!(r#""-----BEGIN AGE ENCRYPTED FILE-----\n{}""#, "A".repeat(scaled(100 * MIB)));
            ask(case, &base.with_keys(&recipient(&alice, &enc)), Ok(()), refused);
        }
        _ => return false,
    }
    true
}

fn groups(case: &str) -> bool {
    use ErrorKind as E;
    let (base, for_bob) = (Base::new(&["alice"]), Base::new(&["bob"]));
    let entry = |enc: &str| recipient(&alice(), enc);
    let unfit: Expected<'_> = Err(&[E::NoMatchingIdentity, E::InvalidMetadata]);
    match case {
        "groups" => {
            let groups = list(scaled(MANY), |_| format!(r#"{{"age":[{}]}}"#, entry("\"garbage\"")));
            let bytes = base.with_groups(&groups, "");
            let values = 4 * scaled(MANY);
            Asked::new(case, &bytes).values(values).answers(Err(&[E::TooLarge]), Ok(()));
            let case = format!("{case}, limit raised");
            Asked::new(&case, &bytes).raised().values(values).answers(Err(&[E::TooLarge]), Ok(()));
        }
        "groups-that-fail" | "groups-that-open" => {
            // As many as Shamir's scheme has, with as many keys as are taken.
            let (entry, keys) = if case == "groups-that-open" { (base.entry(), 1) } else { (entry(&for_bob.enc()), 4) };
            let groups = if is_full() { 255 } else { 8 };
            let groups = list(groups, |_| format!(r#"{{"age":[{}]}}"#, list(keys, |_| entry.clone())));
            ask(case, &base.with_groups(&groups, ""), Ok(()), unfit);
        }
        "threshold" => {
            let groups = list(2, |_| format!(r#"{{"age":[{}]}}"#, base.entry()));
            ask(case, &base.with_groups(&groups, r#","shamir_threshold":1000000"#), Ok(()), unfit);
        }
        _ => return false,
    }
    true
}

fn regexes(case: &str) -> bool {
    let base = Base::new(&["alice"]);
    let invalid: Expected<'_> = Err(&[ErrorKind::InvalidRegex]);
    let (regex, parses): (String, Expected<'_>) = match case {
        "regex-long" => (format!("a*{}", "|a*".repeat(MIB / 3)), invalid),
        "regex-within-length" => (format!("a*{}", "|a*".repeat(21_000)), Ok(())),
        "regex-nested" => (String::from("((a{1000}){1000})"), invalid),
        "regex-classes" => (String::from(r"((\\pL|\\pN|[^a]){30}){33}|^a$"), Ok(())),
        "regex-and-words" => (format!("^(a|{})$", "word|".repeat(200_000)), invalid),
        "regex-on-long-keys" => {
            let key = "a".repeat(60 * 1024);
            let members = more(scaled(10_000) / 10, |n| format!(r#""{key}{n}":null"#));
            let fields = r#","encrypted_regex":"^(a|aa|a?a?a?)*(a|b){100}c|^a$""#;
            ask(case, &base.file(&members, &format!(r#""age":[{}]"#, base.entry()), fields), Ok(()), Ok(()));
            return true;
        }
        _ => return false,
    };
    ask(case, &base.with_fields(&format!(r#","encrypted_regex":"{regex}""#)), parses, Ok(()));
    true
}

/// Other fields of the metadata.
fn fields(case: &str) -> bool {
    use ErrorKind as E;
    let text = String::from_utf8(Base::new(&["alice"]).with_fields("")).unwrap();
    match case {
        "version" => {
            let long = format!(r#""version":"{}""#, "1.".repeat(scaled(50 * MIB)));
            let text = text.replace(r#""version":"3.13.2""#, &long);
            // Only how it begins is looked at.
            ask(case, text.as_bytes(), Ok(()), Ok(()));
        }
        "lastmodified" => {
            let long = format!(r#""lastmodified":"2026-01-01T00:00:00.{}"#, "0".repeat(scaled(100 * MIB)));
            let text = text.replace(r#""lastmodified":"20"#, &format!("{long}Z\",\"x\":\"20"));
            // The time is another one than the MAC was made for.
            ask(case, text.as_bytes(), Ok(()), Err(&[E::MacNotAuthentic]));
        }
        _ => return false,
    }
    true
}
