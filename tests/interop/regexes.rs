//! Regular expressions, and the keys that they are tried on.

/// What a key can be for an expression to stumble over.
#[rustfmt::skip]
pub(crate) const KEYS: [&str; 82] = [
    "", "a", "b", "c", "d", "A", "B", "K", "S", "s", "k", "aa", "ab", "abc", "aaa", "0", "1", "42", "a1", "_", "a_b", "-",
    "a-b", "+", "a+", ".", "a.b", ",", "{", "}", "a{,2}", "a{01}", "[", "]", "^", "$", "|", "(", "*", "?", "\\", "/", "&",
    "a&b", "&&", "~", "~~", "--", " ", "a b", "\t", "\n", "a\nb", "\r", "\u{b}", "\u{c}", "\0", "\u{7f}", "é", "É", "ß",
    "ẞ", "ſ", "\u{212a}", "ж", "Ж", "Σ", "ς", "٣", "e\u{301}", "\u{a0}", "鍵", "🔑", "foo bar", "foobar", "secret",
    "DB_PASSWORD", "A1", "`", ":", "<", "Ā",
];

/// Expressions that sops can compile. Each is given as it is to `--encrypted-regex`.
#[rustfmt::skip]
pub(crate) const VALID: &[&str] = &[
    // What files in the wild have.
    "^(data|stringData)$", "(?i)(password|secret|token|key)$", "_secret$", "^[A-Z_]+$", "a.b", "^.*$", "a||b", "^(|a)$",
    // ASCII only.
    r"^\d+$", r"^\D$", r"^\w+$", r"^\W$", r"^\s$", r"^\S$", r"^[\w-]$", r"^[^\s]$", r"^[\d-z]$", r"^[\D\d]$", r"\bbar",
    r"o\Bb", r"\bé|é\b", "^[[:alpha:]]$", "^[[:^alpha:]]$", "^[[:space:]]$", "^[[:word:][:punct:]]$", "^[[:alpha:]-_]$",
    // Unicode, and cases.
    r"^\pL$", r"^\PL$", r"^\p{Lu}$", r"^\p{^Lu}$", r"^\P{^Lu}$", r"^\p{Greek}|\p{Cyrillic}$", r"^[^\pL\d]$", r"^[\pL-_]$",
    "(?i)^k$", "(?i)^ss?$", "(?i)^ß$", "(?i)^σ$", r"(?i)^\w$", "(?i)^[a-k]$", "(?i)^[^k]$", "(?i)^[[:upper:]]$",
    r"(?i)^\p{Lu}$",
    // Flags and groups.
    "(?s)^.$", "^.$", "(?m)^b$", "(?m)a$", "(?U)^a+$", "(?i:A)b", "(?i)a(?-i)b", "(?im-s)^A$", "(?ii)^A$", "^a(?)b$",
    "^(?P<name>a|b)$", "^(?P<1>a)$", "^(?P<n>a)(?P<n>b)$",
    // Repetition.
    "^a*?b+?$", "^a{2}$", "^a{2,}$", "^a{0}$", "^a{,2}$", "^a{01}$", "^a{", "^}$", "^(a{10}|b){2}$", "^(?:a?){3}$",
    // Classes.
    "^[]a]$", "^[]-a]$", "^[^]-a]$", "^[a-]$", "^[-a]$", "^[+--]$", "^[a-b-d]$", "^[a-b--c]$", "^[[a]$", "^[[]$",
    "^[a&&b]+$", "^[a~~]+$", r"^[\-a]$", r"^[\]\[]$", r"^[\x41-C]$", r"^[\t-\r]$", "^[.]$", "^[a^]$", r"^[^\n]$",
    // Escapes.
    r"^\x41\x{42}?$", r"^\101$", r"^\1011$", r"^\0$", r"^\400$", r"^\a|\f|\n|\r|\t|\v$", r"^\ $", r"foo\ bar", "^\\\n$",
    r"^\_$", r"^\-|\&|\~|\<|\`$", r"^\Qa{,2}\E$", r"^\Q[\E", r"^\Qa.b", r"\A\z", r"^a\.b$",
];

/// Expressions that sops cannot compile. It does not say so, and takes them for one that matches nothing.
#[rustfmt::skip]
pub(crate) const INVALID: &[&str] = &[
    "(", ")", "[a", "[]", "*", "+a", "a**", "a*{2}", "a{2}{3}", "a{2,1}", "a{1001}", "(a{40}){40}", "(?x)a", "(?u)a",
    "(?R)a", "(?i-)a", "(?=a)", "(?!a)", "(?<=a)", "(?#a)", "(?P=n)", "(?P<n.x>a)", "(?P<é>a)", "(?P<>a)", "(?P<n",
    r"\1", r"\8", r"\C", r"\y", r"\Z", r"\é", r"\x4", r"\x{}", r"\x{110000}", r"\p{L", r"\pé", r"\p{Nonsense}",
    r"\p{Alphabetic}", "[z-a]", "[a--b]", r"[A-\d]", r"[--\w]", r"[\b]", r"[\A]", r"[\Qa\E]", "[[:foo:]]", "[[:a:]]",
];
