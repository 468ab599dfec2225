//! Times in the form of RFC 3339, as Go's `time.Parse(time.RFC3339, …)` takes them; and what RFC 3339 has and Go refuses: second 60,
//! small letters, and a space in place of the T.

/// The time as it goes into the additional data of the MAC: to the second, `Z` for UTC. `None` where the text is no time.
pub fn canonical(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 20 {
        return None;
    }
    let shape = b"dddd-dd-ddTdd:dd:dd";
    for (byte, expected) in bytes.iter().zip(shape) {
        let fits = match expected {
            b'd' => byte.is_ascii_digit(),
            b'T' => b"Tt ".contains(byte),
            expected => byte == expected,
        };
        if !fits {
            return None;
        }
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let in_range = (1..=days).contains(&day) && number(11..13)? < 24 && number(14..16)? < 60 && number(17..19)? <= 60;
    if !in_range {
        return None;
    }
    let mut zone = &text[19..];
    if let Some(fraction) = zone.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        zone = &fraction[digits..];
    }
    let zone = match zone {
        "Z" | "z" | "+00:00" | "-00:00" => "Z".to_owned(),
        zone => {
            let bytes = zone.as_bytes();
            let fits = bytes.len() == 6
                && matches!(bytes[0], b'+' | b'-')
                && bytes[3] == b':'
                && zone[1..3].parse::<u8>().ok()? < 24
                && zone[4..].parse::<u8>().ok()? < 60
                && [1, 2, 4, 5].iter().all(|at| bytes[*at].is_ascii_digit());
            if !fits {
                return None;
            }
            zone.to_owned()
        }
    };
    Some(format!("{}T{}{zone}", &text[..10], &text[11..19]))
}
