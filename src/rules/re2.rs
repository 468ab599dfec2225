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
                '\\' => self.escape(false)?,
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

    fn escape(&mut self, in_class: bool) -> Result<()> {
        let c = self.input.next().ok_or_else(|| invalid("it ends with a backslash"))?;
        let meaning = match c {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            's' => "[\\t\\n\\x0C\\r ]",
            'S' => "[^\\t\\n\\x0C\\r ]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            'b' if !in_class => "(?-u:\\b)",
            'B' if !in_class => "(?-u:\\B)",
            'A' if !in_class => "\\A",
            'z' if !in_class => "\\z",
            'Q' if !in_class => return self.quoted(),
            'p' | 'P' => return self.unicode_class(c),
            'a' => "\\x07",
            'f' => "\\x0C",
            'n' => "\\n",
            'r' => "\\r",
            't' => "\\t",
            'v' => "\\x0B",
            'x' => return self.hexadecimal(),
            '0'..='7' => return self.octal(c),
            c if c.is_ascii_punctuation() => return self.literal(c),
            _ => return Err(invalid(format!("\\{c} has no meaning"))),
        };
        self.output.push_str(meaning);
        Ok(())
    }

    /// A character that stands for itself, inside and outside of a class.
    fn literal(&mut self, c: char) -> Result<()> {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            self.output.push_str(&format!("\\x{:02X}", u32::from(c)));
        } else {
            self.output.push(c);
        }
        Ok(())
    }

    fn quoted(&mut self) -> Result<()> {
        while let Some(c) = self.input.next() {
            if c == '\\' && self.input.next_if_eq(&'E').is_some() {
                break;
            }
            self.literal(c)?;
        }
        Ok(())
    }

    /// `\pL`, `\p{Lu}`, `\p{Greek}`, `\p{^Greek}`: a general category by its one or two letters, or a script. RE2 knows no other properties.
    fn unicode_class(&mut self, p: char) -> Result<()> {
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
        self.output.push_str(&format!("\\{}{{{property}{equals}{name}}}", if negated { 'P' } else { 'p' }));
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<()> {
        let wrong = || invalid("\\x must be followed by two hex digits, or by some in braces");
        let digits: String = if self.input.next_if_eq(&'{').is_some() {
            let digits = std::iter::from_fn(|| self.input.next_if(char::is_ascii_hexdigit)).collect();
            self.input.next_if_eq(&'}').ok_or_else(wrong)?;
            digits
        } else {
            let digits: String = std::iter::from_fn(|| self.input.next_if(char::is_ascii_hexdigit)).take(2).collect();
            if digits.len() != 2 {
                return Err(wrong());
            }
            digits
        };
        u32::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        self.output.push_str(&format!("\\x{{{digits}}}"));
        Ok(())
    }

    /// `\0`, `\012`, `\123`; one digit other than zero would be a back reference, which RE2 has not.
    fn octal(&mut self, first: char) -> Result<()> {
        let mut code = first.to_digit(8).unwrap_or_default();
        let mut digits = 1;
        while let (true, Some(digit)) = (digits < 3, self.input.next_if(|c| c.is_digit(8))) {
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
            digits += 1;
        }
        if first != '0' && digits == 1 {
            return Err(invalid("it has a back reference"));
        }
        self.output.push_str(&format!("\\x{{{code:X}}}"));
        Ok(())
    }

    fn class(&mut self) -> Result<()> {
        self.output.push('[');
        if self.input.next_if_eq(&'^').is_some() {
            self.output.push('^');
        }
        if self.input.next_if_eq(&']').is_some() {
            self.output.push_str("\\]");
        }
        let mut first = true;
        loop {
            match self.input.next().ok_or_else(|| invalid("a class is not closed by ]"))? {
                ']' => break,
                '\\' => self.escape(true)?,
                '[' if self.input.peek() == Some(&':') => self.posix_class()?,
                '-' if !first && self.input.peek() != Some(&']') => self.output.push('-'),
                c => self.literal(c)?,
            }
            first = false;
        }
        self.output.push(']');
        Ok(())
    }

    /// `[:alpha:]` inside a class, or a `[` that stands for itself.
    fn posix_class(&mut self) -> Result<()> {
        let rest: String = self.input.clone().collect();
        let Some(end) = rest.find(":]") else { return self.literal('[') };
        self.output.push('[');
        for c in self.input.by_ref().take(rest[..end + 2].chars().count()) {
            self.output.push(c);
        }
        Ok(())
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
        let Some(bounds) = bounds else { return self.literal('{') };
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
        self.output.push('(');
        self.groups.push(1);
        if self.input.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.output.push('?');
        if matches!(self.input.peek(), Some('P' | '<')) {
            return Ok(());
        }
        for c in self.input.by_ref() {
            self.output.push(c);
            match c {
                ':' => return Ok(()),
                // Flags for what follows: no group is open.
                ')' => {
                    self.groups.pop();
                    return Ok(());
                }
                'i' | 'm' | 's' | 'U' | '-' => {}
                _ => break,
            }
        }
        Err(invalid("unknown group or flag behind (?"))
    }
}

fn is_repetition(bounds: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
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
