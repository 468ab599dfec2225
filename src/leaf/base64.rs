//! Base64, by one of two crates.

#[cfg(not(feature = "fast"))]
mod plain {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    pub(crate) fn decode(text: &str, room: &mut [u8]) -> Option<usize> {
        STANDARD.decode_slice(text, room).ok()
    }

    /// The function of the crate that adds to a string clears a kilobyte for each call, which costs more than the encoding of a few bytes.
    pub(crate) fn encode(bytes: &[u8], text: &mut Vec<u8>) {
        let start = text.len();
        text.resize(start + super::encoded_length(bytes.len()), 0);
        let length = STANDARD.encode_slice(bytes, &mut text[start..]);
        debug_assert_eq!(length, Ok(text.len() - start));
    }
}

#[cfg(feature = "fast")]
mod fast {
    use base64_simd::{Out, STANDARD};

    pub(crate) fn decode(text: &str, room: &mut [u8]) -> Option<usize> {
        // The crate would panic where there is too little room.
        if room.len() < super::decoded_room(text.len()) {
            return None;
        }
        STANDARD.decode(text.as_bytes(), Out::from_slice(room)).ok().map(|bytes| bytes.len())
    }

    pub(crate) fn encode(bytes: &[u8], text: &mut Vec<u8>) {
        STANDARD.encode_append(bytes, text);
    }
}

#[cfg(feature = "fast")]
pub(super) use fast::{decode, encode};
#[cfg(not(feature = "fast"))]
pub(super) use plain::{decode, encode};

/// How long the base64 of so many bytes is.
pub(super) const fn encoded_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// How much room the bytes of so long a base64 need.
pub(super) const fn decoded_room(length: usize) -> usize {
    length.div_ceil(4) * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut room = vec![0; decoded_room(text.len())];
        decode(text, &mut room).map(|length| room[..length].to_vec())
    }

    #[test]
    fn bytes_of_every_length_come_back() {
        for length in (0..200).chain([3071, 3072, 3073, 10_000]) {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 37 % 251) as u8).collect();
            let mut text = b"before".to_vec();
            encode(&bytes, &mut text);
            let text = String::from_utf8(text).unwrap();
            let text = text.strip_prefix("before").unwrap();
            assert_eq!(text.len(), encoded_length(length));
            assert_eq!(decoded(text), Some(bytes), "{length}");
        }
    }

    #[test]
    fn each_other_spelling_is_refused() {
        for text in [
            "A",
            "AA",
            "AAA",
            "AA=",
            "AA===",
            "A===",
            "====",
            "=",
            "AAAA=",
            "AA==AAAA",
            "AB==",
            "AAB=",
            "A A=",
            "AA==\n",
            " AA==",
            "AA-_",
            "AA=A",
            "ÄAA=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!A",
        ] {
            assert_eq!(decoded(text), None, "{text:?}");
        }
        assert_eq!(decoded("AA=="), Some(vec![0]));
        assert_eq!(decoded("//8="), Some(vec![255, 255]));
    }
}
