//! JSON as such, many members, large leaves.

use sopskit::{EncryptOptions, ErrorKind, Map, Value};

use super::asked::Asked;
use super::{Expected, MANY, MIB};
use crate::inputs::{Base, iv, leaf, list, more};
use crate::measure::{is_full, scaled};
use crate::support::recipients;

pub(crate) fn run(case: &str) -> bool {
    text(case) || members(case) || long_keys(case) || leaves(case)
}

fn ask(case: &str, bytes: &[u8], parses: Expected<'_>, opens: Expected<'_>) {
    Asked::new(case, bytes).answers(parses, opens);
}

/// What is no JSON, or holds a number that cannot be kept.
fn text(case: &str) -> bool {
    use ErrorKind as E;
    let size = scaled(100 * MIB);
    let number = |number: String| Base::new(&["alice"]).with_members(&format!(r#","n":{number}"#));
    let (text, kind): (Vec<u8>, E) = match case {
        "brackets" => ("[".repeat(size).into(), E::NotAnObject),
        "brackets-in-an-object" => (format!(r#"{{"a":{}"#, "[".repeat(size)).into(), E::TooDeep),
        "objects" => (r#"{"a":"#.repeat(size / 5).into(), E::TooDeep),
        "open-string" => (format!(r#"{{"a":"{}"#, "x".repeat(size)).into(), E::Syntax),
        "open-key" => (format!(r#"{{"{}"#, "x".repeat(size)).into(), E::Syntax),
        "spaces" => (" ".repeat(size).into(), E::EmptyInput),
        "lines" => (format!("{{{}!", "\n".repeat(size)).into(), E::Syntax),
        "digits" => (number("9".repeat(scaled(MANY))), E::NumberOutOfRange),
        "fraction" => (number(format!("0.{}", "3".repeat(scaled(MANY)))), E::NumberNotExact),
        "exponent" => (number(format!("1e{}", "9".repeat(scaled(MANY)))), E::NumberOutOfRange),
        _ => return false,
    };
    ask(case, &text, Err(&[kind]), Ok(()));
    true
}

/// Many members and numbers.
fn members(case: &str) -> bool {
    use ErrorKind as E;
    let base = Base::new(&["alice"]);
    let count = scaled(MANY);
    let (members, parses, opens): (String, Expected<'_>, Expected<'_>) = match case {
        // Its value is 1, whatever stands before it.
        "zeros" => (format!(r#","n_unencrypted":1e-{}"#, "0".repeat(count)), Ok(()), Err(&[E::MacMismatch])),
        "many-long-numbers" => {
            let number = format!("{}{}", "1".repeat(17), "0".repeat(290));
            (more(count / 10, |n| format!(r#""n{n}":{number}.5"#)), Err(&[E::NumberNotExact]), Ok(()))
        }
        // Null and empty strings are in no MAC: the file opens.
        "members" => (more(count, |n| format!(r#""key-{n}":null"#)), Ok(()), Ok(())),
        "similar-keys" => (more(count, |n| format!(r#""k{n:062}k":"""#)), Ok(()), Ok(())),
        "duplicate-keys" => (more(count, |_| r#""k":null"#.into()), Err(&[E::DuplicateKey]), Ok(())),
        "late-duplicate" => {
            (more(count, |n| format!(r#""k{}":null"#, n % (count - 1))), Err(&[E::DuplicateKey]), Ok(()))
        }
        "escapes" => {
            let text = r"\u0041\ud83d\ude00".repeat(count);
            (format!(r#","n_unencrypted":"{text}""#), Ok(()), Err(&[E::MacMismatch]))
        }
        "escaped-strings" => {
            let strings = list(count, |n| format!(r#""\u0041{n}""#));
            (format!(r#","n_unencrypted":[{strings}]"#), Ok(()), Err(&[E::MacMismatch]))
        }
        "faults" => (more(count, |n| format!(r#""key-{n}":1"#)), Ok(()), Err(&[E::NotEncrypted])),
        "long-key-above-many" => {
            let empty = list(count, |_| r#""""#.into());
            (format!(r#","{}":[{empty}]"#, "k".repeat(60 * 1024)), Ok(()), Ok(()))
        }
        "faults-under-long-keys" => {
            let ones = list(count, |_| "1".into());
            (format!(r#","{}":[{ones}]"#, "k".repeat(60 * 1024)), Ok(()), Err(&[E::NotEncrypted]))
        }
        _ => return false,
    };
    // `updatekeys` reads the file twice: to say what changes, and under its lock. With a table of a million keys of 64 bytes that takes a second each.
    let seconds = if case == "similar-keys" { 3.0 } else { 2.0 };
    Asked::new(case, &base.with_members(&members)).seconds(seconds).values(count).answers(parses, opens);
    true
}

fn long_keys(case: &str) -> bool {
    use ErrorKind as E;
    let base = Base::new(&["alice"]);
    let (members, parses, opens): (String, Expected<'_>, Expected<'_>) = match case {
        "long-key" => (format!(r#","{}":null"#, "k".repeat(scaled(100 * MIB))), Ok(()), Err(&[E::TooDeep])),
        "duplicate-long-key" => {
            let key = "k".repeat(scaled(50 * MIB));
            (format!(r#","{key}":1,"{key}":2"#), Err(&[E::DuplicateKey]), Ok(()))
        }
        "deep-long-keys" => {
            let open = format!(r#"{{"{}":"#, "k".repeat(scaled(50 * MIB) / 50)).repeat(50);
            (format!(r#","b":{open}1x{}"#, "}".repeat(50)), Err(&[E::Syntax]), Ok(()))
        }
        _ => return false,
    };
    ask(case, &base.with_members(&members), parses, opens);
    true
}

/// One large leaf.
fn leaves(case: &str) -> bool {
    use ErrorKind as E;
    let base = Base::new(&["alice"]);
    // As much as takes 512 MiB in base64. Ciphers are slow in debug mode.
    let size = if is_full() { 384 * MIB } else { MIB };
    let ask = |bytes: Vec<u8>, opens: Expected<'_>| Asked::new(case, &bytes).seconds(5.0).answers(Ok(()), opens);
    let member = |leaf: String| base.with_members(&format!(r#","b":"{leaf}""#));
    let base64 = || "A".repeat(size / 3 * 4);
    let sealed = || {
        let tree = Map::from_iter([("a", Value::from("x".repeat(size)))]);
        EncryptOptions::new().encrypt(tree, &recipients(&["alice"])).unwrap().to_string().into_bytes()
    };
    match case {
        "leaf" => ask(sealed(), Ok(())),
        "leaf-tampered" => {
            let mut bytes = sealed();
            let middle = size / 2;
            bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
            ask(bytes, Err(&[E::LeafNotAuthentic]));
        }
        "leaf-bad-base64" => ask(member(leaf(&format!("{}!", base64()), &iv(), "str")), Err(&[E::MalformedLeaf])),
        "leaf-not-closed" => ask(member(format!("ENC[AES256_GCM,data:{}", base64())), Err(&[E::MalformedLeaf])),
        "leaf-type" => ask(member(leaf("AAAA", &iv(), &base64())), Err(&[E::UnknownLeafType, E::MalformedLeaf])),
        "leaf-iv" => ask(member(leaf("AAAA", &base64(), "str")), Err(&[E::LeafNotAuthentic, E::MalformedLeaf])),
        "leaf-int" => ask(member(leaf(&base64(), &iv(), "int")), Err(&[E::LeafNotAuthentic])),
        _ => return false,
    }
    true
}
