//! RE2, the regular expressions of Go and so of sops, in terms of the regex crate.
//!
//! The two agree on most of the syntax. Where they give one spelling two meanings, the meaning of RE2 is spelled out:
//! `\d` `\s` `\w` `\b` know ASCII only, brackets and `&&` in a class stand for themselves, `{` stands for itself
//! where no repetition is meant, `\Q…\E` quotes.
//! Source: <https://github.com/google/re2/wiki/Syntax>, `regexp/syntax` of Go.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Range;
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
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    compile_within(pattern, MAX_COMPILED)
}

/// As [`compile`], where compiled it may take so many bytes.
pub(crate) fn compile_within(pattern: &str, memory: usize) -> Result<Regex> {
    if pattern.len() > MAX_LENGTH {
        return Err(invalid(format!("it is longer than {MAX_LENGTH} bytes")));
    }
    let translated = Translator {
        input: pattern.chars().peekable(),
        output: String::new(),
        repeated: false,
        last: 1,
        groups: vec![1],
        flags: 0..0,
        posix_ends_seen: false,
    }
    .run()?;
    RegexBuilder::new(&translated).size_limit(memory.min(MAX_COMPILED)).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => invalid(format!("compiled it takes more than {limit} bytes")),
        _ => invalid(format!("{:?} is no RE2 expression", pattern.chars().take(100).collect::<String>())),
    })
}

/// The classes that a class can have in it by name.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

struct Translator<'a> {
    input: Peekable<Chars<'a>>,
    output: String,
    /// Whether the last thing read was a repetition, behind which RE2 takes no other.
    repeated: bool,
    /// How many times the last thing read is repeated, inside of it.
    last: u32,
    /// The largest such number in each open group, the innermost last.
    groups: Vec<u32>,
    /// Where in the output the last flags stand. RE2 repeats what stands before them.
    flags: Range<usize>,
    /// Whether no `:]` is left in the input.
    posix_ends_seen: bool,
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
                '*' => self.repeat("*"),
                '+' => self.repeat("+"),
                // In this form it cannot be taken for the sign of a lazy repetition.
                '?' => self.repeat("{0,1}"),
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

    /// An escape outside of a class.
    fn escape(&mut self) -> Result<()> {
        if let Some(class) = self.class_escape()? {
            self.output.push_str(&class);
            return Ok(());
        }
        let meaning = match self.input.peek() {
            Some('b') => "(?-u:\\b)",
            Some('B') => "(?-u:\\B)",
            Some('A') => "\\A",
            Some('z') => "\\z",
            Some('Q') => {
                self.input.next();
                return self.quoted();
            }
            _ => {
                let code = self.character_escape()?;
                self.code_point(code, code);
                return Ok(());
            }
        };
        self.input.next();
        self.output.push_str(meaning);
        Ok(())
    }

    /// What follows a backslash, if it names a class: `d`, `W`, `pL`.
    fn class_escape(&mut self) -> Result<Option<String>> {
        let meaning = match self.input.peek() {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('s') => "[\\t\\n\\x0C\\r ]",
            Some('S') => "[^\\t\\n\\x0C\\r ]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            Some(&p @ ('p' | 'P')) => {
                self.input.next();
                return self.unicode_class(p).map(Some);
            }
            _ => return Ok(None),
        };
        self.input.next();
        Ok(Some(meaning.to_owned()))
    }

    /// The code point that follows a backslash, inside and outside of a class.
    fn character_escape(&mut self) -> Result<u32> {
        let c = self.input.next().ok_or_else(|| invalid("it ends with a backslash"))?;
        Ok(match c {
            'a' => 0x07,
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            'x' => return self.hexadecimal(),
            '0'..='7' => return self.octal(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
            _ => return Err(invalid(format!("\\{} has no meaning", c.escape_debug()))),
        })
    }

    /// The code points from one to another, spelled so that they have no other meaning. A surrogate never stands in a text.
    fn code_point(&mut self, from: u32, to: u32) {
        let from = if (0xd800..=0xdfff).contains(&from) { 0xe000 } else { from };
        let to = if (0xd800..=0xdfff).contains(&to) { 0xd7ff } else { to };
        self.output.push_str(&match from.cmp(&to) {
            Ordering::Less => format!("\\x{{{from:X}}}-\\x{{{to:X}}}"),
            Ordering::Equal => format!("\\x{{{from:X}}}"),
            Ordering::Greater => String::from("[a&&b]"),
        });
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

    fn hexadecimal(&mut self) -> Result<u32> {
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
        u32::from_str_radix(&digits, 16).ok().filter(|code| *code <= u32::from(char::MAX)).ok_or_else(wrong)
    }

    /// `\0`, `\012`, `\123`; one digit other than zero would be a back reference, which RE2 has not.
    fn octal(&mut self, first: char) -> Result<u32> {
        let mut code = first.to_digit(8).unwrap_or_default();
        let mut digits = 1;
        while digits < 3 {
            let Some(digit) = self.input.next_if(|c| c.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
            digits += 1;
        }
        if first != '0' && digits == 1 {
            return Err(invalid("it has a back reference"));
        }
        Ok(code)
    }

    fn class(&mut self) -> Result<()> {
        self.output.push('[');
        if self.input.next_if_eq(&'^').is_some() {
            self.output.push('^');
        }
        let mut first = true;
        while first || self.input.peek() != Some(&']') {
            first = false;
            self.class_item()?;
        }
        self.input.next();
        self.output.push(']');
        Ok(())
    }

    /// A named class, or a character, or the two ends of a range.
    fn class_item(&mut self) -> Result<()> {
        if self.posix_class()? {
            return Ok(());
        }
        let from = match self.class_member()? {
            Member::Class(class) => {
                self.output.push_str(&class);
                return Ok(());
            }
            Member::Character(from) => from,
        };
        let mut rest = self.input.clone();
        if rest.next() != Some('-') || matches!(rest.next(), None | Some(']')) {
            self.code_point(from, from);
            return Ok(());
        }
        self.input.next();
        match self.class_member()? {
            Member::Character(to) if from <= to => self.code_point(from, to),
            _ => return Err(invalid("the range of a class ends before it begins, or with a class")),
        }
        Ok(())
    }

    fn class_member(&mut self) -> Result<Member> {
        match self.input.next().ok_or_else(|| invalid("a class is not closed by ]"))? {
            '\\' => match self.class_escape()? {
                Some(class) => Ok(Member::Class(class)),
                None => self.character_escape().map(Member::Character),
            },
            c => Ok(Member::Character(u32::from(c))),
        }
    }

    /// Reads `[:alpha:]`, if that is next. Without a `:]` to come the `[` stands for itself.
    fn posix_class(&mut self) -> Result<bool> {
        let mut ahead = self.input.clone();
        if self.posix_ends_seen || ahead.next() != Some('[') || ahead.next() != Some(':') {
            return Ok(false);
        }
        let mut name = String::new();
        loop {
            match ahead.next() {
                // Looked for once, so that the time stays linear.
                None => {
                    self.posix_ends_seen = true;
                    return Ok(false);
                }
                Some(':') if ahead.next_if_eq(&']').is_some() => break,
                Some(c) => name.push(c),
            }
        }
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(&name)) {
            return Err(invalid("there is no such class as the one in [: :]"));
        }
        self.output.push_str(&format!("[:{name}:]"));
        self.input = ahead;
        Ok(true)
    }

    fn repeat(&mut self, times: &str) {
        let flags =
            if self.flags.end == self.output.len() { self.output.split_off(self.flags.start) } else { String::new() };
        self.output.push_str(times);
        self.output.extend(self.input.next_if_eq(&'?'));
        let start = self.output.len();
        self.output.push_str(&flags);
        self.flags = start..self.output.len();
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
        let times = format!("{{{bounds}}}");
        self.input.by_ref().take(bounds.len() + 1).for_each(drop);
        self.repeat(&times);
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

    /// The start of a group, or flags for what follows. Names are for nothing but captures, which no one asks for.
    fn group(&mut self) -> Result<()> {
        if self.input.next_if_eq(&'?').is_none() {
            self.output.push('(');
            self.groups.push(1);
            return Ok(());
        }
        if self.input.next_if_eq(&'P').is_some() || self.input.peek() == Some(&'<') {
            return self.named_group();
        }
        let (mut on, mut off, mut minus) = (String::new(), String::new(), false);
        loop {
            match self.input.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    let flags = if minus { &mut off } else { &mut on };
                    if !flags.contains(flag) {
                        flags.push(flag);
                    }
                }
                Some('-') if !minus => minus = true,
                Some(end @ (':' | ')')) if !minus || !off.is_empty() => {
                    on.retain(|flag| !off.contains(flag));
                    let flags = if off.is_empty() { on } else { format!("{on}-{off}") };
                    if end == ':' {
                        self.output.push_str(&format!("(?{flags}:"));
                        self.groups.push(1);
                    } else if !flags.is_empty() {
                        let start =
                            if self.flags.end == self.output.len() { self.flags.start } else { self.output.len() };
                        self.output.push_str(&format!("(?{flags})"));
                        self.flags = start..self.output.len();
                    }
                    return Ok(());
                }
                _ => return Err(invalid("unknown group or flag behind (?")),
            }
        }
    }

    fn named_group(&mut self) -> Result<()> {
        let wrong = || invalid("a group is named by ASCII letters, digits and underscores");
        self.input.next_if_eq(&'<').ok_or_else(wrong)?;
        let is_in_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        self.input.next_if(is_in_name).ok_or_else(wrong)?;
        while self.input.next_if(is_in_name).is_some() {}
        self.input.next_if_eq(&'>').ok_or_else(wrong)?;
        self.output.push('(');
        self.groups.push(1);
        Ok(())
    }
}

/// What stands in a class.
enum Member {
    Class(String),
    /// A code point, which can be a surrogate.
    Character(u32),
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
mod tests;
