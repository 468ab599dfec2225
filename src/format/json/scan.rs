//! Looking for bytes of several kinds, many at once.

/// How many bytes are looked at together.
const STEP: usize = 32;

/// Where the first byte stands that `is_sought` holds for; the length where there is none.
///
/// `is_sought` must be made of comparisons and `|`, without a jump or a table: the compiler then compares many bytes in one instruction.
#[inline(always)]
pub(super) fn position(bytes: &[u8], is_sought: impl Fn(u8) -> bool) -> usize {
    let mut from = 0;
    while let Some(step) = bytes[from..].first_chunk::<STEP>() {
        if step.iter().fold(false, |found, byte| found | is_sought(*byte)) {
            break;
        }
        from += STEP;
    }
    bytes[from..].iter().position(|byte| is_sought(*byte)).map_or(bytes.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn the_first_one_is_found_wherever_it_stands() {
        for length in 0..100 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(position(&bytes, |byte| byte == b'y'), length);
            for at in (0..length).rev() {
                bytes[at] = b'y';
                assert_eq!(position(&bytes, |byte| byte == b'y'), at, "{length}");
            }
        }
    }
}
