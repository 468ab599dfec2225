//! One leaf: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit as _, Nonce};

use super::json::Json;
use super::{number, time};

/// What a leaf holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    Null,
    Bool(bool),
    /// In the form of section 2.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Comment(String),
    Array(Vec<Plain>),
    Object(Vec<(String, Plain)>),
}

impl Plain {
    /// What is hashed of a leaf.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Plain::Bool(true) => b"True".to_vec(),
            Plain::Bool(false) => b"False".to_vec(),
            Plain::Number(text) | Plain::Text(text) => text.clone().into_bytes(),
            Plain::Bytes(bytes) => bytes.clone(),
            Plain::Null | Plain::Comment(_) | Plain::Array(_) | Plain::Object(_) => Vec::new(),
        }
    }

    /// The leaf that stands in clear. `None` for arrays and objects, which are none.
    pub fn in_clear(value: &Json) -> Option<Plain> {
        match value {
            Json::Null => Some(Plain::Null),
            Json::Bool(value) => Some(Plain::Bool(*value)),
            Json::Number(literal) => number::canonical(literal).map(Plain::Number),
            Json::Text(text) => Some(Plain::Text(text.clone())),
            Json::Array(_) | Json::Object(_) => None,
        }
    }
}

/// The parts of the text of a leaf.
pub struct Parts {
    data: Vec<u8>,
    iv: Vec<u8>,
    tag: Vec<u8>,
    kind: String,
}

impl Parts {
    /// `None` when the text is not of the form.
    pub fn of(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("ENC[AES256_GCM,")?.strip_suffix(']')?;
        let fields: Vec<&str> = inside.split(',').collect();
        let [data, iv, tag, kind] = fields[..] else { return None };
        let parts = Parts {
            data: base64(data.strip_prefix("data:")?)?,
            iv: base64(iv.strip_prefix("iv:")?)?,
            tag: base64(tag.strip_prefix("tag:")?)?,
            kind: kind.strip_prefix("type:")?.to_owned(),
        };
        (!parts.data.is_empty() && parts.iv.len() == 32 && parts.tag.len() == 16).then_some(parts)
    }

    /// The plaintext and its type. `None` when it is not authentic.
    pub fn open(&self, key: &[u8; 32], additional_data: &[u8]) -> Option<(Vec<u8>, &str)> {
        let msg = &[&self.data[..], &self.tag].concat()[..];
        let payload = Payload { msg, aad: additional_data };
        let cipher = AesGcm::<Aes256, U32>::new(key.into());
        cipher.decrypt(Nonce::from_slice(&self.iv), payload).ok().map(|plain| (plain, self.kind.as_str()))
    }
}

/// The text of a leaf.
pub fn leaf_text(key: &[u8; 32], iv: &[u8; 32], plain: &[u8], additional_data: &[u8], kind: &str) -> String {
    leaf_text_with::<U32>(key, iv, plain, additional_data, kind)
}

/// As [`leaf_text`], with a nonce of another length, which no reader may take.
pub fn leaf_text_with<N: aes_gcm::aead::generic_array::ArrayLength<u8>>(
    key: &[u8; 32],
    iv: &[u8],
    plain: &[u8],
    additional_data: &[u8],
    kind: &str,
) -> String {
    let cipher = AesGcm::<Aes256, N>::new(key.into());
    let payload = Payload { msg: plain, aad: additional_data };
    let sealed = cipher.encrypt(Nonce::<N>::from_slice(iv), payload).expect("it is short");
    let (data, tag) = sealed.split_at(plain.len());
    format!("ENC[AES256_GCM,data:{},iv:{},tag:{},type:{kind}]", to_base64(data), to_base64(iv), to_base64(tag))
}

/// The value that bytes of a type are. `None` when they are not of the type.
pub fn value(bytes: Vec<u8>, kind: &str) -> Option<Plain> {
    if kind == "bytes" || kind == "str" {
        return Some(String::from_utf8(bytes).map_or_else(|error| Plain::Bytes(error.into_bytes()), Plain::Text));
    }
    let text = String::from_utf8(bytes).ok()?;
    match kind {
        "int" => atoi(&text).map(|number| Plain::Number(number.to_string())),
        "float" => parse_float(&text).map(|number| Plain::Number(number::shortest(number))),
        "bool" => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(Plain::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(Plain::Bool(false)),
            _ => None,
        },
        "comment" => Some(Plain::Comment(text)),
        // As it is spelled: sops writes and hashes one in one spelling, with its fraction.
        "time" => time::canonical(&text).map(|_| Plain::Text(text)),
        _ => None,
    }
}

/// Go's `strconv.Atoi`.
fn atoi(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// Go's `strconv.ParseFloat`, without hexadecimal numbers; infinities and NaN have no place in JSON.
fn parse_float(text: &str) -> Option<f64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding, and only what an encoder writes.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    (to_base64(&bytes) == text).then_some(bytes)
}

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= group.len() { char::from(ALPHABET[value]) } else { '=' });
        }
    }
    text
}
