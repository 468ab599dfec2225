use super::*;

#[test]
fn an_expression_means_what_sops_takes_it_for() {
    for (pattern, matching, other) in [
        ("^(pass|token)$", "token", "tokens"),
        ("word", "password", "pass"),
        (r"^\d+$", "42", "\u{664}\u{662}"),
        (r"^\w+$", "a_1", "\u{e9}"),
        (r"^[\w]+$", "a_1", "\u{e9}"),
        (r"^[^\d]$", "x", "1"),
        (r"^\s$", "\t", "\u{b}"),
        (r"\bkey\b", "a key", "monkey"),
        (r"\bkey\b", "\u{e9}key", "akey"),
        ("(?i)^PASS", "password", "word"),
        (r"^\pL$", "\u{e9}", "1"),
        (r"^\p{Greek}+$", "\u{3b1}", "a"),
        (r"^\p{^Greek}\P{Lu}$", "aa", "aA"),
        ("^(?:a{40}|b{20}){20}$", &"b".repeat(400), "b"),
        ("^[[:alpha:]]$", "a", "1"),
        ("^[[a]$", "[", "b"),
        ("^[a&&b]+$", "&a", "c"),
        ("^[]a]$", "]", "b"),
        ("^[^]a]$", "b", "]"),
        ("^a{,2}$", "a{,2}", "aa"),
        ("^a{2,3}$", "aa", "a"),
        ("^{$", "{", "}"),
        (r"^\Qa.b\E.$", "a.bc", "aXbc"),
        (r"^\x41\x{42}\103\.$", "ABC.", "ABCD"),
        (r"^\<$", "<", "a"),
        ("^(?P<n>a|b)$", "a", "c"),
        ("^(?:a|b)$", "b", "c"),
        ("(?s)^.$", "\n", "ab"),
        ("^.$", "\u{1f600}", "\n"),
        (r"^[a-c\-]$", "-", "d"),
        ("^[--a]$", ".", "b"),
        ("^[a-]$", "-", "b"),
        ("^a*?b+?$", "ab", "a"),
    ] {
        let regex = compile(pattern).unwrap();
        assert!(regex.is_match(matching.as_bytes()), "{pattern} should match {matching:?}");
        assert!(!regex.is_match(other.as_bytes()), "{pattern} should not match {other:?}");
    }
}

#[test]
fn what_sops_cannot_compile_is_refused() {
    for pattern in [
        "(",
        "[a",
        "a**",
        "a{2}{3}",
        "a*{2}",
        "(?x)a",
        "(?u)a",
        "(?=a)",
        "(?<!a)",
        r"\1",
        r"\C",
        r"\y",
        "\\",
        "a{1001}",
        r"\x4",
        r"\p{L",
        r"\p{Alphabetic}",
        "(a{40}){40}",
        "((a{40})b){40}",
        "*",
    ] {
        assert!(compile(pattern).is_err(), "{pattern}");
    }
    assert!(compile(&"a".repeat(MAX_LENGTH + 1)).is_err());
}
