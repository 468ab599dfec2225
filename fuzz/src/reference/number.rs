//! Numbers: the form of section 2 of the page, in which they are encrypted and hashed.

/// The form of a number as JSON spells it: an integer of 64 bits as it is, another one as the shortest digits of its float.
///
/// `None` when the literal is none of JSON, or when the number could not be kept exactly (section 10).
pub fn canonical(literal: &str) -> Option<String> {
    let parts = Parts::of(literal)?;
    if is_integer(literal) {
        return literal.parse::<i64>().ok().map(|number| number.to_string());
    }
    let number: f64 = literal.parse().ok()?;
    if !number.is_finite() {
        return None;
    }
    let text = number.to_string();
    let is_kept = match literal.contains(['.', 'e', 'E']) {
        // An integer that is spelled as one must come back as it was.
        false => text == literal,
        // For others the digits count: they must be those of the float, rounded to as many.
        true => {
            let digits = parts.value().0.len().max(1);
            Parts::of(&format!("{number:.*e}", digits - 1))?.value() == parts.value()
        }
    };
    is_kept.then_some(text)
}

/// Whether a literal is encrypted as an integer. A negative zero is none: as one it would lose its sign.
pub fn is_integer(literal: &str) -> bool {
    !literal.contains(['.', 'e', 'E']) && literal != "-0" && literal.parse::<i64>().is_ok()
}

/// A decimal number taken apart.
struct Parts {
    digits: String,
    /// Where the point stands, from the end of the digits.
    exponent: i128,
}

impl Parts {
    /// By the grammar of JSON.
    fn of(literal: &str) -> Option<Self> {
        let unsigned = literal.strip_prefix('-').unwrap_or(literal);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (integer, fraction) = match mantissa.split_once('.') {
            Some((integer, fraction)) => (integer, Some(fraction)),
            None => (mantissa, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(integer) || (integer.len() > 1 && integer.starts_with('0')) || !fraction.is_none_or(are_digits) {
            return None;
        }
        let exponent_digits = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
        if !exponent_digits.is_none_or(are_digits) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        // An exponent that is longer than any that counts.
        let shift: i128 = match exponent {
            None => 0,
            Some(text) => {
                text.trim_start_matches('+').parse().unwrap_or(if text.starts_with('-') { -1 << 100 } else { 1 << 100 })
            }
        };
        let digits = format!("{integer}{fraction}");
        Some(Parts { digits, exponent: shift - fraction.len() as i128 })
    }

    /// The digits that count and the exponent of the last of them: the same for the same number.
    fn value(&self) -> (String, i128) {
        let digits = self.digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return (String::new(), 0);
        }
        (kept.to_owned(), self.exponent + (digits.len() - kept.len()) as i128)
    }
}
