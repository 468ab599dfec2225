//! RE2, the regular expressions of Go and so of sops, in terms of the regex crate.
//!
//! The two agree on most of the syntax. Where they give one spelling two meanings, the meaning of RE2 is spelled out:
//! `\d` `\s` `\w` `\b` know ASCII only, brackets and `&&` in a class stand for themselves, `{` stands for itself
//! where no repetition is meant, `\Q…\E` quotes.
//! Source: <https://github.com/google/re2/wiki/Syntax>, `regexp/syntax` of Go.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};

use super::invalid;
use crate::error::Result;

/// The longest expression that is compiled, in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// How many times an expression can be repeated, as in `a{1000}`.
const MAX_REPEAT: u32 = 1000;
/// The memory that a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 10 * 1024 * 1024;

/// The expression with the meaning that sops gives it.
pub(super) fn compile(pattern: &str) -> Result<Regex> {
    if pattern.len() > MAX_LENGTH {
        return Err(invalid(format!("it is longer than {MAX_LENGTH} bytes")));
    }
    let translated = Translator {
        input: pattern.chars().peekable(),
        output: String::new(),
        repeated: false,
        last: 1,
        groups: vec![1],
    }
    .run()?;
    RegexBuilder::new(&translated).size_limit(MAX_COMPILED).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => invalid(format!("compiled it takes more than {limit} bytes")),
        _ => invalid(format!("{pattern:?} is no RE2 expression")),
    })
}

/// The names of classes in brackets and colons.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// One thing that a class can list.
enum Item {
    Character(char),
    /// Several characters, in the syntax of the regex crate.
    Set(String),
}

struct Translator<'a> {
    input: Peekable<Chars<'a>>,
    output: String,
    /// Whether the last thing read was a repetition, behind which RE2 takes no other.
    repeated: bool,
    /// How many times the last thing read is repeated, inside of it.
    last: u32,
    /// The largest such number in each open group, the innermost last.
    groups: Vec<u32>,
}

impl Translator<'_> {
    fn run(mut self) -> Result<String> {
        while let Some(c) = self.input.next() {
            let repeated = std::mem::take(&mut self.repeated);
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '{' => self.bounds()?,
                '(' => self.group()?,
                ')' => self.group_end(),
                '*' | '+' | '?' => self.repeat(c),
                c => self.output.push(c),
            }
            if !matches!(c, ')' | '*' | '+' | '?' | '{') {
                self.last = 1;
            }
            if repeated && self.repeated {
                return Err(invalid("it repeats a repetition"));
            }
        }
        Ok(self.output)
    }

    fn escape(&mut self) -> Result<()> {
        let assertion = match self.input.peek() {
            Some('b') => "(?-u:\\b)",
            Some('B') => "(?-u:\\B)",
            Some('A') => "\\A",
            Some('z') => "\\z",
            Some('Q') => {
                self.input.next();
                self.quoted();
                return Ok(());
            }
            _ => return self.set_or_character().map(|item| self.push_item(&item)),
        };
        self.input.next();
        self.output.push_str(assertion);
        Ok(())
    }

    /// What stands behind a backslash, inside and outside of a class.
    fn set_or_character(&mut self) -> Result<Item> {
        let c = self.input.next().ok_or_else(|| invalid("it ends with a backslash"))?;
        let set = |set: &str| Ok(Item::Set(set.to_owned()));
        match c {
            'd' => set("[0-9]"),
            'D' => set("[^0-9]"),
            's' => set("[\\t\\n\\x0C\\r ]"),
            'S' => set("[^\\t\\n\\x0C\\r ]"),
            'w' => set("[0-9A-Za-z_]"),
            'W' => set("[^0-9A-Za-z_]"),
            'p' | 'P' => self.unicode_class(c).map(Item::Set),
            'a' => Ok(Item::Character('\u{7}')),
            'f' => Ok(Item::Character('\u{c}')),
            'n' => Ok(Item::Character('\n')),
            'r' => Ok(Item::Character('\r')),
            't' => Ok(Item::Character('\t')),
            'v' => Ok(Item::Character('\u{b}')),
            'x' => self.hexadecimal().map(Item::Character),
            '0'..='7' => self.octal(c).map(Item::Character),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(Item::Character(c)),
            _ => Err(invalid(format!("\\{c} has no meaning"))),
        }
    }

    fn push_item(&mut self, item: &Item) {
        match item {
            Item::Set(set) => self.output.push_str(set),
            Item::Character(c) => self.literal(*c),
        }
    }

    /// A character that stands for itself, inside and outside of a class.
    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.output.push(c);
        } else {
            self.output.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
        }
    }

    fn quoted(&mut self) {
        while let Some(c) = self.input.next() {
            if c == '\\' && self.input.next_if_eq(&'E').is_some() {
                break;
            }
            self.literal(c);
        }
    }

    /// `\pL`, `\p{Lu}`, `\p{Greek}`, `\p{^Greek}`: a general category by its one or two letters, or a script. RE2 knows no other properties.
    fn unicode_class(&mut self, p: char) -> Result<String> {
        let wrong = || invalid("\\p must be followed by a general category or by the name of a script in braces");
        let mut negated = p == 'P';
        let name: String = if self.input.next_if_eq(&'{').is_some() {
            negated ^= self.input.next_if_eq(&'^').is_some();
            let name = std::iter::from_fn(|| self.input.next_if(|c| c.is_ascii_alphabetic() || *c == '_')).collect();
            self.input.next_if_eq(&'}').ok_or_else(wrong)?;
            name
        } else {
            self.input.next_if(char::is_ascii_alphabetic).ok_or_else(wrong)?.to_string()
        };
        let property = match name.len() {
            1 | 2 => "gc",
            _ if name == "Any" => "",
            _ => "sc",
        };
        let equals = if property.is_empty() { "" } else { "=" };
        Ok(format!("\\{}{{{property}{equals}{name}}}", if negated { 'P' } else { 'p' }))
    }

    fn hexadecimal(&mut self) -> Result<char> {
        let wrong = || invalid("\\x must be followed by two hex digits, or by some in braces");
        let in_braces = self.input.next_if_eq(&'{').is_some();
        let limit = if in_braces { 8 } else { 2 };
        let digits: String = std::iter::from_fn(|| self.input.next_if(char::is_ascii_hexdigit)).take(limit).collect();
        if in_braces {
            self.input.next_if_eq(&'}').ok_or_else(wrong)?;
        } else if digits.len() != 2 {
            return Err(wrong());
        }
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)
    }

    /// `\0`, `\012`, `\123`; one digit other than zero would be a back reference, which RE2 has not.
    fn octal(&mut self, first: char) -> Result<char> {
        let mut code = first.to_digit(8).unwrap_or_default();
        let mut digits = 1;
        while let Some(digit) = self.input.next_if(|c| digits < 3 && c.is_digit(8)) {
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
            digits += 1;
        }
        if first != '0' && digits == 1 {
            return Err(invalid("it has a back reference"));
        }
        char::from_u32(code).ok_or_else(|| invalid("an octal escape names no character"))
    }

    fn class(&mut self) -> Result<()> {
        self.output.push('[');
        self.output.extend(self.input.next_if_eq(&'^'));
        let mut first = true;
        while first || self.input.peek() != Some(&']') {
            first = false;
            let item = self.class_item()?;
            self.push_item(&item);
            let mut ahead = self.input.clone();
            let Item::Character(from) = item else { continue };
            if ahead.next() == Some('-') && ahead.peek() != Some(&']') {
                self.input = ahead;
                match self.class_item()? {
                    Item::Character(to) if from <= to => {
                        self.output.push('-');
                        self.literal(to);
                    }
                    _ => return Err(invalid("a range in a class has no end, or one that comes before its start")),
                }
            }
        }
        self.input.next();
        self.output.push(']');
        Ok(())
    }

    fn class_item(&mut self) -> Result<Item> {
        match self.input.next().ok_or_else(|| invalid("a class is not closed by ]"))? {
            '\\' => self.set_or_character(),
            '[' if self.input.peek() == Some(&':') => self.posix_class(),
            c => Ok(Item::Character(c)),
        }
    }

    /// `[:alpha:]` inside a class, or a `[` that stands for itself.
    fn posix_class(&mut self) -> Result<Item> {
        let rest: String = self.input.clone().collect();
        let Some(end) = rest.find(":]").filter(|end| *end > 0) else { return Ok(Item::Character('[')) };
        let name = &rest[1..end];
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(invalid("there is no such class as the one in [: :]"));
        }
        self.input.nth(name.len() + 2);
        Ok(Item::Set(format!("[:{name}:]")))
    }

    fn repeat(&mut self, end: char) {
        self.output.push(end);
        self.output.extend(self.input.next_if_eq(&'?'));
        self.repeated = true;
    }

    /// `{2}`, `{2,}`, `{2,5}`; any other `{` stands for itself.
    fn bounds(&mut self) -> Result<()> {
        let rest: String = self.input.clone().take(32).collect();
        let bounds = rest.split_once('}').map(|(bounds, _)| bounds).filter(|bounds| is_repetition(bounds));
        let Some(bounds) = bounds else {
            self.literal('{');
            return Ok(());
        };
        let most =
            bounds.split(',').filter(|bound| !bound.is_empty()).map(|bound| bound.parse().unwrap_or(u32::MAX)).max();
        self.last = self.last.saturating_mul(most.unwrap_or(1).max(1));
        if self.last > MAX_REPEAT {
            return Err(invalid(format!("it repeats more than {MAX_REPEAT} times")));
        }
        self.note_repeats();
        self.output.push('{');
        self.output.extend(self.input.by_ref().take(bounds.len()));
        if let Some(brace) = self.input.next() {
            self.repeat(brace);
        }
        Ok(())
    }

    /// The name of a group, `P<name>` or `<name>`, which matters to no match and is left out.
    fn group_name(&mut self) -> Result<()> {
        let wrong = || invalid("the name of a group is wrong");
        self.input.next_if_eq(&'P');
        self.input.next_if_eq(&'<').ok_or_else(wrong)?;
        let mut length = 0;
        while self.input.next_if(|c| c.is_ascii_alphanumeric() || *c == '_').is_some() {
            length += 1;
        }
        self.input.next_if_eq(&'>').filter(|_| length > 0).map(drop).ok_or_else(wrong)
    }

    fn note_repeats(&mut self) {
        if let Some(most) = self.groups.last_mut() {
            *most = self.last.max(*most);
        }
    }

    fn group_end(&mut self) {
        self.output.push(')');
        // A bracket too many is left to the compiler to refuse.
        self.last = if self.groups.len() > 1 { self.groups.pop().unwrap_or(1) } else { 1 };
        self.note_repeats();
    }

    /// The start of a group. The regex crate has flags that RE2 lacks (`x`, `u`, `R`).
    fn group(&mut self) -> Result<()> {
        self.groups.push(1);
        if self.input.next_if_eq(&'?').is_none() {
            self.output.push('(');
            return Ok(());
        }
        if matches!(self.input.peek(), Some('P' | '<')) {
            self.output.push('(');
            return self.group_name();
        }
        let mut flags = String::new();
        for c in self.input.by_ref() {
            match c {
                ':' => {
                    self.output.push_str(&format!("(?{flags}:"));
                    return Ok(());
                }
                // Flags for what follows: no group is open.
                ')' => {
                    self.groups.pop();
                    if !flags.is_empty() {
                        self.output.push_str(&format!("(?{flags})"));
                    }
                    return Ok(());
                }
                // The regex crate takes no flag twice.
                'i' | 'm' | 's' | 'U' | '-' => flags.extend((!flags.contains(c)).then_some(c)),
                _ => break,
            }
        }
        Err(invalid("unknown group or flag behind (?"))
    }
}

fn is_repetition(bounds: &str) -> bool {
    let digits =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() < 2 || !text.starts_with('0'));
    match bounds.split_once(',') {
        None => !bounds.is_empty() && digits(bounds),
        Some((from, to)) => !from.is_empty() && digits(from) && digits(to),
    }
}

#[cfg(test)]
mod tests {
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
}
