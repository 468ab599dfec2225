//! The input of the scenarios, made by a process that is not looked at.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use age::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::Rng as _;
use sopskit::{Document, EncryptedDocument, Format, Identities, Recipients};
use tempfile::TempDir;

use super::probe::MASK;
use super::support::{FIXTURES, read};

pub(super) struct World(TempDir);

/// The alphabet of Bech32.
const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn word(length: usize) -> String {
    let mut random = rand::thread_rng();
    (0..length).map(|_| char::from(random.sample(rand::distributions::Alphanumeric))).collect()
}

impl World {
    pub(super) fn new() -> Self {
        let world = World(tempfile::tempdir().unwrap());
        fs::create_dir(world.path().join("secrets")).unwrap();
        world.make_keys();
        world.make_documents();
        world
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn secret(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let masked: Vec<_> = bytes.as_ref().iter().map(|byte| byte ^ MASK).collect();
        self.put(&format!("secrets/{name}"), masked);
    }

    /// A secret key in Bech32: the text behind its prefix, its bytes, and its groups of five bits.
    fn bech32_secret(&self, name: &str, text: &str) {
        let data = text.trim().rsplit_once('1').unwrap().1.to_ascii_lowercase();
        let groups: Vec<u8> = data.bytes().map(|c| BECH32.find(char::from(c)).unwrap().try_into().unwrap()).collect();
        let groups = &groups[..groups.len() - 6];
        self.secret(&format!("{name}-text"), data.to_ascii_uppercase());
        self.secret(&format!("{name}-groups"), groups);
        let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
        for group in groups {
            (bits, held) = (bits << 5 | u32::from(*group), held + 5);
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held & 0xff) as u8);
            }
        }
        self.secret(&format!("{name}-bytes"), bytes);
    }

    fn make_keys(&self) {
        let identity = age::x25519::Identity::generate();
        let text = identity.to_string().expose_secret().to_owned();
        self.bech32_secret("identity", &text);
        self.put("identity.txt", format!("# a key\n{text}\n"));
        self.put("recipient.txt", identity.to_public().to_string());
        let passphrase = word(40);
        self.secret("passphrase", &passphrase);
        self.put("passphrase.txt", &passphrase);
        let mut recipient = age::scrypt::Recipient::new(passphrase.into());
        recipient.set_work_factor(4);
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let mut protected = Vec::new();
        let mut writer = encryptor.wrap_output(&mut protected).unwrap();
        writer.write_all(format!("{text}\n").as_bytes()).unwrap();
        writer.finish().unwrap();
        self.put("protected.age", protected);

        let pq = String::from_utf8(read(format!("{FIXTURES}/pq/alice.txt"))).unwrap();
        self.bech32_secret("pq", pq.lines().find(|line| line.starts_with("AGE-SECRET-KEY-PQ-1")).unwrap());
        for (name, file) in [("ed25519", "id_ed25519"), ("rsa", "id_rsa")] {
            let pem = String::from_utf8(read(format!("{FIXTURES}/keys/ssh/{file}"))).unwrap();
            let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
            // The public part comes first.
            self.secret(&format!("{name}-text"), lines[lines.len() * 2 / 3]);
            let bytes = BASE64.decode(lines.concat()).unwrap();
            let length = if name == "rsa" { 1_u32 } else { 64 };
            if length == 64 {
                let at = bytes.windows(4).rposition(|four| four == length.to_be_bytes()).unwrap();
                self.secret("ed25519-bytes", &bytes[at + 4..at + 36]);
            } else {
                // A part of the private exponent, and as it lies in a number of 64-bit words.
                let at = bytes.len() * 55 / 100;
                self.secret("rsa-bytes", &bytes[at..at + 64]);
                let reversed: Vec<_> = bytes[at..at + 64].iter().rev().copied().collect();
                self.secret("rsa-number", reversed);
            }
        }
    }

    fn recipients(&self) -> Recipients {
        Recipients::parse(&fs::read_to_string(self.path().join("recipient.txt")).unwrap()).unwrap()
    }

    /// A document for the identity; its secrets are called after it.
    fn seal(&self, name: &str, plain: &str, recipients: &Recipients) -> String {
        self.put(&format!("{name}.plain.json"), plain);
        let document = Document::new(Format::Json.parse(plain.as_bytes()).unwrap(), recipients).unwrap();
        let sealed = document.encrypt_to_text().unwrap();
        self.put(&format!("{name}.json"), &sealed);
        sealed
    }

    fn make_documents(&self) {
        let mut random = rand::thread_rng();
        let (one, two, three, new) = (word(40), word(40), word(200), word(40));
        let (before, behind) = (word(24), word(24));
        let integer: i64 = random.gen_range(10_000_000_000_000_000..90_000_000_000_000_000);
        let float: f64 = random.gen_range(0.1..1.0);
        let large = word(1024 * 1024);
        self.secret("word", &one);
        self.secret("item", &two);
        self.secret("deep", &three);
        self.secret("escaped", format!("{before}{behind}"));
        self.secret("integer-text", integer.to_string());
        self.secret("integer", integer.to_le_bytes());
        self.secret("float-text", &float.to_string()[2..]);
        self.secret("float", float.to_le_bytes());
        self.secret("large", &large[500_000..500_064]);
        self.secret("new", &new);
        self.put("new.txt", &new);
        let small = format!(
            r#"{{"word": "{one}", "list": ["{two}", 1, {integer}, 2, 3, 4], "map": {{"deep": "{three}"}},
            "escaped": "{before}\n{behind}\"\u00e4", "integer": {integer}, "float": {float}, "flag": true"#
        );
        let recipients = self.recipients();
        let sealed = self.seal("small", &format!("{small}}}"), &recipients);
        self.data_key("data-key", &sealed);
        let at = sealed.rfind("\"float\": \"ENC[AES256_GCM,data:").unwrap() + 30;
        let mut tampered = sealed.into_bytes();
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        self.put("tampered.json", &tampered);
        let sealed = self.seal("large", &format!("{small}, \"large\": \"{large}\"}}"), &recipients);
        self.data_key("large-data-key", &sealed);
        let many: Vec<_> =
            (0..6000).map(|n| format!(r#""k{n}": {{"a": "{one}{n}", "b": [{integer}, "{two}"]}}"#)).collect();
        let sealed = self.seal("many", &format!("{{{}}}", many.join(",")), &recipients);
        self.data_key("many-data-key", &sealed);
        let both = Recipients::from_groups([recipients.clone(), recipients.clone()], Some(2));
        let groups = both.or_else(|_| {
            let other = Recipients::parse(&super::support::public_key("alice"))?;
            Recipients::from_groups([recipients.clone(), other], Some(2))
        });
        let sealed = self.seal("groups", &format!("{small}}}"), &groups.unwrap());
        let keys = format!(
            "{}{}",
            fs::read_to_string(self.path().join("identity.txt")).unwrap(),
            super::support::identity_text("alice")
        );
        self.put("groups.txt", &keys);
        let sealed = EncryptedDocument::parse(sealed.as_bytes()).unwrap();
        assert!(sealed.decrypt(&Identities::parse(&keys).unwrap()).is_ok());
        let token = format!(
            r#"{{"access_token": "{one}", "refresh_token": "{two}", "id_token": "{three}", "token_type": "Bearer", "expires_in": 1, "pin": {integer}}}"#
        );
        self.put("token.json", token);
        self.put(
            "new-token.json",
            format!(r#"{{"access_token": "{new}", "refresh_token": "{two}", "expires_in": 3600}}"#),
        );
    }

    fn data_key(&self, name: &str, sealed: &str) {
        self.secret(name, data_key(self.path(), sealed));
    }
}

/// What the age crate says that the data key of a file is.
fn data_key(world: &Path, sealed: &str) -> Vec<u8> {
    let identity = fs::read_to_string(world.join("identity.txt")).unwrap();
    let identity: age::x25519::Identity = identity.lines().nth(1).unwrap().parse().unwrap();
    let sealed = EncryptedDocument::parse(sealed.as_bytes()).unwrap();
    let group = sealed.metadata().key_groups().next().unwrap();
    let armored = age::armor::ArmoredReader::new(group[0].enc().as_bytes());
    let mut key = Vec::new();
    let file = age::Decryptor::new_buffered(armored).unwrap();
    file.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap().read_to_end(&mut key).unwrap();
    key
}

/// In a process of its own: masks the data key of a file that a scenario made.
pub(super) fn mask_data_key(world: &Path) {
    let key = data_key(world, &fs::read_to_string(world.join("made.json")).unwrap());
    let masked: Vec<_> = key.iter().map(|byte| byte ^ MASK).collect();
    fs::write(world.join("made.masked"), masked).unwrap();
}
