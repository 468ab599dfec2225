//! Numbers of JSON: read exactly or refused, and written as sops writes them.

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::tree::{Value, float_text, formatted, shortest_decimal};

/// A 64-bit float has at most 767 significant decimal digits; a literal with more than this cannot be one.
const MAX_DIGITS: usize = 767;
/// The longest exponent that is looked at, in digits. None that a 64-bit float has takes more than 3; beyond some length the
/// parser of the standard library guesses.
const MAX_EXPONENT_DIGITS: usize = 4;
/// Any decimal of at most 15 significant digits comes back unchanged from a normal 64-bit float.
const ALWAYS_EXACT_DIGITS: usize = 15;

/// A number as it is spelled.
pub(super) struct Literal<'a> {
    text: &'a str,
    /// Whether it has neither a fraction nor an exponent.
    integer: bool,
}

/// The number that begins at `start` of `text`, and where it ends; or where it breaks the grammar.
pub(super) fn scan(text: &str, start: usize) -> Result<(Literal<'_>, usize), usize> {
    let bytes = text.as_bytes();
    let digits = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let some_digits = |at: usize| Some(digits(at)).filter(|&end| end > at).ok_or(at);

    let whole = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut end = some_digits(whole)?;
    if bytes[whole] == b'0' && end > whole + 1 {
        return Err(whole);
    }
    let whole_end = end;
    if bytes.get(end) == Some(&b'.') {
        end = some_digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = some_digits(end + 1 + sign)?;
    }
    Ok((Literal { text: &text[start..end], integer: end == whole_end }, end))
}

/// The value of a number, if the tree can hold it exactly.
pub(super) fn parse(literal: &Literal<'_>) -> Result<Value> {
    if literal.integer && literal.text != "-0" {
        if let Ok(integer) = literal.text.parse() {
            return Ok(Value::Int(integer));
        }
    }
    if let Some((mantissa, exponent)) = literal.text.split_once(['e', 'E']) {
        if !mantissa.contains(|c: char| matches!(c, '1'..='9')) {
            return Ok(Value::Float(if mantissa.starts_with('-') { -0.0 } else { 0.0 }));
        }
        if exponent.trim_start_matches(['+', '-', '0']).len() > MAX_EXPONENT_DIGITS {
            let kind = if exponent.starts_with('-') { ErrorKind::NumberNotExact } else { ErrorKind::NumberOutOfRange };
            return Err(Error::new(kind));
        }
    }
    let float: f64 = literal.text.parse().map_err(|_| Error::new(ErrorKind::Syntax))?;
    if float.is_infinite() {
        return Err(Error::new(ErrorKind::NumberOutOfRange));
    }
    // An integer must come back digit for digit; for other spellings the value counts (`1.50` comes back as `1.5`).
    let exact = if literal.integer { *float_text(float) == literal.text } else { is_exact(literal.text, float) };
    if exact { Ok(Value::Float(float)) } else { Err(Error::new(ErrorKind::NumberNotExact)) }
}

/// Whether `float`, rounded to as many digits as `text` has, has the digits of `text`; or these are the shortest by which it is known, which everybody writes: those of
/// a power of two can be others (2^-44 is 5.684341886080801487e-14, and written 5.684341886080802e-14, as the float next below is nearer to …801e-14).
fn is_exact(text: &str, float: f64) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|&digit| digit == b'0').collect();
    let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = &digits[..digits.len() - zeros];
    match digits.len() {
        0 => true,
        length if length > MAX_DIGITS => false,
        length if length <= ALWAYS_EXACT_DIGITS && float.is_normal() => true,
        length => {
            let rounded = format!("{float:.*e}", length - 1);
            let mantissa = rounded.split('e').next().unwrap_or_default();
            let is_rounded = mantissa.bytes().filter(u8::is_ascii_digit).eq(digits.iter().copied());
            is_rounded || shortest_decimal(float).0.as_bytes() == digits
        }
    }
}

/// How sops spells a float in JSON: shortest digits, with an exponent below 1e-6 and from 1e21 on.
///
/// Source: the float encoder of Go's `encoding/json`, which sops uses.
pub(super) fn spelled(float: f64) -> Zeroizing<String> {
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return float_text(float);
    }
    let (digits, exponent) = shortest_decimal(float);
    let sign = if float.is_sign_negative() { "-" } else { "" };
    let point = if digits.len() > 1 { "." } else { "" };
    formatted(format_args!("{sign}{}{point}{}e{exponent:+}", &digits[..1], &digits[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, ErrorKind> {
        let (literal, end) = scan(text, 0).map_err(|_| ErrorKind::Syntax)?;
        assert_eq!(end, text.len(), "{text}");
        parse(&literal).map_err(|error| error.kind())
    }

    #[test]
    fn a_number_that_cannot_be_kept_is_refused() {
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "100000000000000000001",
            "3.14159265358979323846",
            "9007199254740993.0",
            "0.1000000000000000055511151231257828",
            "1e-400",
            "3e-324",
        ] {
            assert_eq!(read(text), Err(ErrorKind::NumberNotExact), "{text}");
        }
        for text in ["1e400", "-1e400", "1.8e308"] {
            assert_eq!(read(text), Err(ErrorKind::NumberOutOfRange), "{text}");
        }
        assert_eq!(read(&format!("1.{}", "1".repeat(100_000))), Err(ErrorKind::NumberNotExact));
    }

    #[test]
    fn a_number_that_can_be_kept_is_kept() {
        for (text, sealed, json) in [
            ("1.0", "1", "1"),
            ("1.50", "1.5", "1.5"),
            ("-0", "-0", "-0"),
            ("-0.0", "-0", "-0"),
            ("0.10000000000000001", "0.1", "0.1"),
            ("0.1000000000000000055511151231257827", "0.1", "0.1"),
            ("100000000000000000000", "100000000000000000000", "100000000000000000000"),
            ("1e20", "100000000000000000000", "100000000000000000000"),
            ("1E+21", "1000000000000000000000", "1e+21"),
            ("0.000001", "0.000001", "0.000001"),
            ("1e-7", "0.0000001", "1e-7"),
            ("123e-10", "0.0000000123", "1.23e-8"),
            ("1000000000000000.2", "1000000000000000.2", "1000000000000000.2"),
            ("1928433846744078.25", "1928433846744078.2", "1928433846744078.2"),
            ("-12.5", "-12.5", "-12.5"),
            ("1.25e-10", "0.000000000125", "1.25e-10"),
            // A power of two, whose shortest digits are not the nearest.
            ("5.684341886080802e-14", "0.00000000000005684341886080802", "5.684341886080802e-14"),
        ] {
            let Ok(Value::Float(float)) = read(text) else { panic!("{text} is refused") };
            assert_eq!((float_text(float).as_str(), spelled(float).as_str()), (sealed, json), "{text}");
        }
        for text in
            ["4.9e-324", "5e-324", "4.9406564584124654e-324", "1.7976931348623157e308", "2.2250738585072014e-308"]
        {
            assert!(read(text).is_ok(), "{text}");
        }
        assert_eq!(read("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(read("0"), Ok(Value::Int(0)));
    }

    #[test]
    fn what_is_written_can_be_read() {
        // Powers of two, where floats below are closer together than those above, and what is next to them.
        for bits in (0..=2046_u64).map(|exponent| exponent << 52).chain((0..52).map(|bit| 1 << bit)) {
            for bits in [bits.saturating_sub(1), bits, bits + 1] {
                for float in [f64::from_bits(bits), -f64::from_bits(bits)] {
                    if float.fract() == 0.0 && float.abs() < 1e19 {
                        continue;
                    }
                    for text in [spelled(float), float_text(float)] {
                        assert_eq!(read(&text), Ok(Value::Float(float)), "{}", *text);
                    }
                }
            }
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_refused() {
        for text in ["-", "01", "-01", "1.", "1.e5", "1e", "1e+", "-e1", "1.5e"] {
            assert_eq!(read(text), Err(ErrorKind::Syntax), "{text}");
        }
    }
}
