//! The documents that are measured. Nothing but the standard library, so that `benches/peers` takes the same.
#![allow(dead_code, unreachable_pub, reason = "each benchmark uses a part of this")]

/// A plaintext, by name.
pub struct Input {
    pub name: &'static str,
    pub text: String,
    pub leaves: usize,
}

/// The documents that are measured, small ones first; without the large ones where it is only to be known that all runs.
pub fn documents(with_large: bool) -> Vec<Input> {
    let input = |name, leaves, text| Input { name, text, leaves };
    let small = vec![input("token", 6, token()), input("1k x 32 B", 1_000, nested(1_000, 32))];
    if !with_large {
        return small;
    }
    let large = [
        input("10k x 32 B", 10_000, nested(10_000, 32)),
        input("100k x 32 B", 100_000, nested(100_000, 32)),
        input("1 x 10 MiB", 1, format!("{{\"blob\": \"{}\"}}", letters(0, 10 << 20))),
        input("1,000 x 10 KiB", 1_000, nested(1_000, 10 << 10)),
    ];
    small.into_iter().chain(large).collect()
}

fn token() -> String {
    let fields = [
        ("access_token", letters(1, 80)),
        ("token_type", "Bearer".into()),
        ("expires_at", "2026-01-31T13:00:00+00:00".into()),
        ("refresh_token", letters(2, 32)),
        ("scope", "openid profile".into()),
        ("issued_at", "2026-01-31T12:00:00+00:00".into()),
    ];
    let members: Vec<_> =
        fields.iter().map(|(key, value): &(&str, String)| format!("\"{key}\": \"{value}\"")).collect();
    format!("{{{}}}", members.join(", "))
}

/// So many strings of so many letters, three deep, ten members in each object below the top.
pub fn nested(leaves: usize, length: usize) -> String {
    let list = |items: Vec<String>| format!("{{{}}}", items.join(","));
    let mut number = 0..leaves;
    let mut groups = Vec::new();
    while !number.is_empty() {
        let parts = (0..10).map_while(|part| {
            let keys = number.by_ref().take(10).map(|at| format!("\"key{}\": \"{}\"", at % 10, letters(at, length)));
            let keys: Vec<_> = keys.collect();
            (!keys.is_empty()).then(|| format!("\"part{part}\": {}", list(keys)))
        });
        let parts: Vec<_> = parts.collect();
        groups.push(format!("\"group{}\": {}", groups.len(), list(parts)));
    }
    list(groups)
}

fn letters(seed: usize, length: usize) -> String {
    (0..length).map(|at| char::from(b'a' + u8::try_from((seed * 7 + at * 3) % 26).unwrap())).collect()
}
