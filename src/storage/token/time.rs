//! Times as Python's `datetime.isoformat` writes them.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDateTime, SecondsFormat, SubsecRound as _, Timelike as _};

/// Years that Python has.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// From here on, nanoseconds are those of a leap second.
const LEAP: u32 = 1_000_000_000;

/// The time that a text spells: RFC 3339, a blank in place of the `T` and no offset allowed. Without an offset it is UTC, as kstlib means it.
pub(crate) fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    let without_offset = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    let time =
        DateTime::parse_from_rfc3339(text).ok().or_else(|| without_offset().map(|time| time.and_utc().into()))?;
    // Python has no leap seconds, and nothing finer than microseconds.
    let time = if time.nanosecond() >= LEAP { time.with_nanosecond(LEAP - 1)? } else { time };
    is_known(time).then(|| time.trunc_subsecs(6))
}

/// With microseconds, if there are any, and the offset.
pub(super) fn write(time: DateTime<FixedOffset>) -> String {
    let precision = if time.nanosecond() / 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.to_rfc3339_opts(precision, false)
}

/// Whether Python can read a time.
pub(super) fn is_known(time: DateTime<FixedOffset>) -> bool {
    YEARS.contains(&time.year()) && YEARS.contains(&time.to_utc().year())
}
