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
    let text = shortest(number);
    let is_kept = match literal.contains(['.', 'e', 'E']) {
        // An integer that is spelled as one must come back as it was.
        false => text == literal,
        // For others the digits count: they must be those of the float, rounded to as many, or the shortest ones, which can be others for a power of two.
        true => {
            let digits = parts.value().0.len().max(1);
            [format!("{number:.*e}", digits - 1), text.clone()]
                .iter()
                .any(|kept| Parts::of(kept).is_some_and(|kept| kept.value() == parts.value()))
        }
    };
    is_kept.then_some(text)
}

/// The shortest digits by which a float is known, and of several those that are nearest to it, the even ones of two that are equally near, as Go has it. What Rust prints
/// can be the others.
pub fn shortest(number: f64) -> String {
    let printed = format!("{number:e}");
    let length = printed.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count();
    let nearest = Some(format!("{number:.*e}", length - 1)).filter(|text| text.parse() == Ok(number));
    let text = nearest.unwrap_or(printed);
    let (mantissa, exponent) = text.split_once('e').expect("it has an exponent");
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // So many stand in front of the point.
    let point = exponent.parse::<i32>().expect("it is a number") + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let length = i32::try_from(digits.len()).expect("there are few");
    match usize::try_from(point) {
        Ok(0) | Err(_) => format!("{sign}0.{}{digits}", zeros(-point)),
        Ok(at) if point < length => format!("{sign}{}.{}", &digits[..at], &digits[at..]),
        Ok(_) => format!("{sign}{digits}{}", zeros(point - length)),
    }
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

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn numbers_have_the_digits_that_go_writes() {
        for (literal, text) in [
            ("5.684341886080802e-14", Some("0.00000000000005684341886080802")),
            ("-569574033212855.2", Some("-569574033212855.2")),
            ("-569574033212855.25", Some("-569574033212855.2")),
            ("-569574033212855.3", None),
            ("0.5", Some("0.5")),
            ("1e2", Some("100")),
            ("12.50", Some("12.5")),
            ("-0.0", Some("-0")),
            ("1.25e3", Some("1250")),
        ] {
            assert_eq!(canonical(literal).as_deref(), text, "{literal}");
        }
    }
}
