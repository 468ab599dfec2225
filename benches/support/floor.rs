//! The floor: the same work by a loop over the fastest pure-Rust crates, one thread. It applies no rule, checks nothing that it need not, wipes nothing, and
//! knows one recipient. A library cannot be much faster than this.

use std::borrow::Cow;
use std::fmt;
use std::io::{Read as _, Write as _};

use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::aead::consts::U32;
use aes_gcm_large::aead::AeadInOut as _;
use base64_simd::{Out, STANDARD};
use rand::RngCore as _;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha512};

type Small = aes_gcm::AesGcm<aes_gcm::aes::Aes256, U32>;
type Large = aes_gcm_large::AesGcm<aes_gcm_large::aes::Aes256, aes_gcm_large::aead::consts::U32>;

const TIME: &str = "2026-01-01T00:00:00Z";

/// A piece of JSON. Strings are borrowed from the text.
enum Piece<'a> {
    Open(u8),
    Close(u8),
    Key(Cow<'a, str>),
    Text(Cow<'a, str>),
}

struct Pieces<'p, 'a>(&'p mut Vec<Piece<'a>>);

impl<'de> DeserializeSeed<'de> for Pieces<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pieces<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects, arrays and strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.push(Piece::Open(b'{'));
        while let Some(Borrowed(key)) = map.next_key()? {
            self.0.push(Piece::Key(key));
            map.next_value_seed(Pieces(self.0))?;
        }
        self.0.push(Piece::Close(b'}'));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.push(Piece::Open(b'['));
        while seq.next_element_seed(Pieces(self.0))?.is_some() {}
        self.0.push(Piece::Close(b']'));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.0.push(Piece::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(Piece::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }
}

struct Borrowed<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = Borrowed<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Borrowed<'de>, E> {
                Ok(Borrowed(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Borrowed<'de>, E> {
                Ok(Borrowed(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

fn pieces(text: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    Pieces(&mut pieces).deserialize(&mut serde_json::Deserializer::from_slice(text)).unwrap();
    pieces
}

/// Both releases of the cipher, each for the lengths that it is faster with.
struct Ciphers {
    small: Small,
    large: Large,
}

impl Ciphers {
    fn new(key: &[u8]) -> Self {
        let small = aes_gcm::KeyInit::new_from_slice(key).unwrap();
        Ciphers { small, large: aes_gcm_large::KeyInit::new_from_slice(key).unwrap() }
    }

    fn open(&self, iv: &[u8; 32], aad: &[u8], buffer: &mut [u8], tag: &[u8; 16]) {
        if buffer.len() <= 256 {
            self.small.decrypt_in_place_detached(iv.into(), aad, buffer, tag.into()).unwrap();
        } else {
            self.large.decrypt_inout_detached(iv.into(), aad, buffer.into(), tag.into()).unwrap();
        }
    }

    fn seal(&self, iv: &[u8; 32], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
        if buffer.len() <= 256 {
            self.small.encrypt_in_place_detached(iv.into(), aad, buffer).unwrap().into()
        } else {
            self.large.encrypt_inout_detached(iv.into(), aad, buffer.into()).unwrap().into()
        }
    }
}

/// One age unwrap, and nothing else.
pub fn unwrap(identity: &age::x25519::Identity, enc: &str) -> Vec<u8> {
    let file = age::Decryptor::new_buffered(age::armor::ArmoredReader::new(enc.as_bytes())).unwrap();
    let mut plain = Vec::new();
    file.decrypt(std::iter::once(identity as &dyn age::Identity)).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

/// One age wrap.
pub fn wrap(recipient: &age::x25519::Recipient, key: &[u8]) -> String {
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient as &dyn age::Recipient)).unwrap();
    let armor = age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor).unwrap();
    let mut writer = encryptor.wrap_output(armor).unwrap();
    writer.write_all(key).unwrap();
    String::from_utf8(writer.finish().unwrap().finish().unwrap()).unwrap()
}

/// Indented JSON in the making, and the keys on the way to the leaf that is written.
struct Output {
    text: Vec<u8>,
    depth: usize,
    is_first: bool,
    has_key: bool,
    aad: String,
    marks: Vec<usize>,
}

impl Output {
    fn new(room: usize) -> Self {
        Output {
            text: Vec::with_capacity(room),
            depth: 0,
            is_first: true,
            has_key: false,
            aad: String::new(),
            marks: Vec::new(),
        }
    }

    fn lead(&mut self) {
        if std::mem::take(&mut self.has_key) {
            return;
        }
        if !self.is_first {
            self.text.push(b',');
        }
        self.is_first = false;
        if self.depth > 0 {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.text.push(b'\n');
        self.text.resize(self.text.len() + self.depth, b'\t');
    }

    fn open(&mut self, bracket: u8) {
        self.lead();
        self.text.push(bracket);
        self.depth += 1;
        self.is_first = true;
        self.marks.push(self.aad.len());
    }

    fn close(&mut self, bracket: u8) {
        self.marks.pop();
        self.depth -= 1;
        if !self.is_first {
            self.new_line();
        }
        self.text.push(bracket);
        self.is_first = false;
        self.aad.truncate(self.marks.last().copied().unwrap_or_default());
    }

    fn key(&mut self, key: &str) {
        self.aad.truncate(self.marks.last().copied().unwrap_or_default());
        self.aad.push_str(key);
        self.aad.push(':');
        self.lead();
        self.string(key.as_bytes());
        self.text.extend_from_slice(b": ");
        self.has_key = true;
    }

    fn string(&mut self, text: &[u8]) {
        self.text.push(b'"');
        let mut from = 0;
        for (at, byte) in text.iter().enumerate() {
            if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
                self.text.extend_from_slice(&text[from..at]);
                write!(self.text, "\\u{byte:04x}").unwrap();
                from = at + 1;
            }
        }
        self.text.extend_from_slice(&text[from..]);
        self.text.push(b'"');
    }
}

/// Data, nonce and tag of an encrypted string, by their places.
fn parts(leaf: &str) -> [&str; 3] {
    let inside = leaf.strip_prefix("ENC[AES256_GCM,data:").unwrap().strip_suffix(",type:str]").unwrap();
    let tag = inside.len() - 24;
    let iv = tag - ",tag:".len() - 44;
    [&inside[..iv - ",iv:".len()], &inside[iv..iv + 44], &inside[tag..]]
}

fn open<'b>(ciphers: &Ciphers, leaf: &str, aad: &[u8], buffer: &'b mut Vec<u8>) -> &'b [u8] {
    let [data, iv, tag] = parts(leaf);
    let (mut iv_bytes, mut tag_bytes) = ([0; 33], [0; 18]);
    STANDARD.decode(iv.as_bytes(), Out::from_slice(&mut iv_bytes)).unwrap();
    STANDARD.decode(tag.as_bytes(), Out::from_slice(&mut tag_bytes)).unwrap();
    buffer.resize(data.len() / 4 * 3, 0);
    let length = STANDARD.decode(data.as_bytes(), Out::from_slice(&mut buffer[..])).unwrap().len();
    let (iv, tag) = (iv_bytes[..32].try_into().unwrap(), tag_bytes[..16].try_into().unwrap());
    ciphers.open(&iv, aad, &mut buffer[..length], &tag);
    &buffer[..length]
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// From the text of an encrypted file to its plaintext.
pub fn decrypt(sealed: &[u8], identity: &age::x25519::Identity) -> Vec<u8> {
    let pieces = pieces(sealed);
    let end = pieces.iter().rposition(|piece| matches!(piece, Piece::Key(key) if key == "sops")).unwrap();
    let field = |name: &str| {
        let at = pieces[end..].iter().position(|piece| matches!(piece, Piece::Key(key) if key == name)).unwrap();
        let Piece::Text(text) = &pieces[end + at + 1] else { unreachable!() };
        text
    };
    let ciphers = Ciphers::new(&unwrap(identity, field("enc")));
    let (mut hash, mut buffer, mut output) = (Sha512::new(), Vec::new(), Output::new(sealed.len() / 2));
    for piece in &pieces[..end] {
        match piece {
            Piece::Open(bracket) => output.open(*bracket),
            Piece::Close(bracket) => output.close(*bracket),
            Piece::Key(key) => output.key(key),
            Piece::Text(leaf) => {
                output.lead();
                let plain = open(&ciphers, leaf, output.aad.as_bytes(), &mut buffer);
                hash.update(plain);
                output.string(plain);
            }
        }
    }
    output.text.extend_from_slice(b"\n}\n");
    let mac = open(&ciphers, field("mac"), field("lastmodified").as_bytes(), &mut buffer);
    assert_eq!(mac, hex(&hash.finalize()).as_bytes());
    output.text
}

/// From a plaintext to the text of its encrypted file.
pub fn encrypt(plain: &[u8], recipient: &age::x25519::Recipient) -> Vec<u8> {
    let pieces = pieces(plain);
    let mut random = rand::thread_rng();
    let mut key = [0; 32];
    random.fill_bytes(&mut key);
    let ciphers = Ciphers::new(&key);
    let mut buffer = Vec::new();
    let mut seal = |text: &mut Vec<u8>, plain: &[u8], aad: &[u8]| {
        let mut iv = [0; 32];
        random.fill_bytes(&mut iv);
        buffer.clear();
        buffer.extend_from_slice(plain);
        let tag = ciphers.seal(&iv, aad, &mut buffer);
        text.extend_from_slice(b"\"ENC[AES256_GCM,data:");
        STANDARD.encode_append(&buffer, text);
        text.extend_from_slice(b",iv:");
        STANDARD.encode_append(iv, text);
        text.extend_from_slice(b",tag:");
        STANDARD.encode_append(tag, text);
        text.extend_from_slice(b",type:str]\"");
    };
    let (mut hash, mut output) = (Sha512::new(), Output::new(plain.len() * 4));
    let (_, members) = pieces.split_last().unwrap();
    for piece in members {
        match piece {
            Piece::Open(bracket) => output.open(*bracket),
            Piece::Close(bracket) => output.close(*bracket),
            Piece::Key(key) => output.key(key),
            Piece::Text(text) => {
                output.lead();
                hash.update(text.as_bytes());
                seal(&mut output.text, text.as_bytes(), output.aad.as_bytes());
            }
        }
    }
    let enc = wrap(recipient, &key).replace('\n', "\\n");
    write!(output.text, ",\n\t\"sops\": {{\n\t\t\"age\": [\n\t\t\t{{\n\t\t\t\t\"recipient\": \"{recipient}\",\n\t\t\t\t\"enc\": \"{enc}\"\n\t\t\t}}\n\t\t],\n\t\t\"lastmodified\": \"{TIME}\",\n\t\t\"mac\": ").unwrap();
    seal(&mut output.text, hex(&hash.finalize()).as_bytes(), TIME.as_bytes());
    output
        .text
        .extend_from_slice(b",\n\t\t\"unencrypted_suffix\": \"_unencrypted\",\n\t\t\"version\": \"3.13.2\"\n\t}\n}\n");
    output.text
}
