//! From an encrypted document to the text of its plaintext, and from a plaintext to the text of its encrypted file, without a second tree in between.
//!
//! What comes out is what the two steps give: [`EncryptedDocument::decrypt`] and a writer, [`Document::encrypt`] and its text. The tests hold them against each other.

use super::leaves::{self, Leaves, Room, lead};
#[cfg(feature = "parallel")]
use super::parallel::Fork;
use super::plain::{self, Kept};
use super::{Document, EncryptOptions, EncryptedDocument, check_mac, not_encrypted, open_buffer, open_value};
use crate::cipher::{Cipher, Nonces};
use crate::error::{Error, ErrorKind, Result};
use crate::format::json;
use crate::format::json::write::Writer;
use crate::format::{Format, Indent};
use crate::keys::{self, KeyService, NoService, Recipients};
use crate::leaf::{self, Leaf, LeafType};
use crate::mac::Mac;
use crate::metadata::{Metadata, SOPS};
use crate::secret::{Bytes, DataKey, Wiped, on_wiped_stack};
use crate::tree::Value;
use crate::tree::nodes::{self, Beside, Members, Tree};
use crate::walk::Visit;

/// How long the MAC may be that a new document does not have yet, and what is escaped in the metadata.
const SEALED_MAC: usize = 1024;

impl EncryptedDocument {
    /// The plaintext file: what [`decrypt`](Self::decrypt) and [`Format::write`] give, in one go. Faster where nothing but the file is wanted.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Format, Identities, Indent};
    ///
    /// let identities = Identities::from_file("fixtures/keys/alice.txt")?;
    /// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.13.2/mixed/sealed.json")?)?;
    /// let plain = sealed.decrypt_to_bytes(&identities, Format::Json, Indent::Tab)?;
    /// assert_eq!(*plain, *std::fs::read("fixtures/3.13.2/mixed/decrypted.json")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`decrypt`](Self::decrypt) and [`Format::write`].
    pub fn decrypt_to_bytes(&self, keys: &dyn KeyService, format: Format, indent: Indent) -> Result<Bytes> {
        on_wiped_stack(|| self.open_to_bytes(keys, format, indent))
    }

    fn open_to_bytes(&self, keys: &dyn KeyService, format: Format, indent: Indent) -> Result<Bytes> {
        if format != Format::Json {
            return format.write(self.decrypt(keys)?.tree(), indent);
        }
        // What lies on the stack goes to the heap with what is made for other threads.
        let cipher = on_wiped_stack(|| keys::unwrap(&self.metadata, keys).map(|data_key| Cipher::new(&data_key)))?;
        let mac = Mac::new(self.metadata.mac_only_encrypted());
        let writer = Writer::plain(indent, 0);
        let mut opening = Opening { cipher: &cipher, mac, writer, is_representable: true };
        let outer = opening.writer.open("{");
        let read = self.content.read();
        let (rule, measured) = (self.metadata.rule(), read.map(|read| read.measure(indent)));
        let room = Room { measured, indent, behind: 4 };
        match read {
            Some(read) => leaves::walk::<json::Read<'_>, _>(read.members(SOPS), rule, &mut opening, room)?,
            None => leaves::walk::<Beside<'_>, _>(Members::of(self.tree(), None), rule, &mut opening, room)?,
        }
        opening.writer.close("}", &outer);
        // Nothing is given away, not even why it cannot be written, before this holds.
        check_mac(&self.metadata, &cipher, opening.mac)?;
        match opening.is_representable {
            true => Ok(Bytes::from(opening.writer.finish())),
            // It fails there too, and tells the place.
            false => format.write(&self.open_tree(&cipher)?.0, indent),
        }
    }
}

struct Opening<'a> {
    cipher: &'a Cipher,
    mac: Mac,
    writer: Writer,
    is_representable: bool,
}

impl Leaves for Opening<'_> {
    const LENGTH_OF: fn(&str) -> usize = leaf::opened_length;

    fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    fn leaf(&mut self, visit: &Visit<'_>, key: Option<&str>) -> Result<()> {
        match visit.leaf {
            nodes::Leaf::Text(text) if visit.selected && !text.is_empty() => {
                let leaf = Leaf::parse(text)?;
                if let LeafType::Str | LeafType::Bytes = leaf.kind {
                    return self.text(&leaf, visit.additional_data, key);
                }
                let value = open_value(self.cipher, &leaf, visit.additional_data)?;
                self.put((&value).into(), visit.selected, key)
            }
            nodes::Leaf::Other(other) if visit.selected => Err(not_encrypted(other)),
            leaf => self.put(leaf, visit.selected, key),
        }
    }
}

#[cfg(feature = "parallel")]
impl Fork for Opening<'_> {
    fn mac(&mut self) -> &mut Mac {
        &mut self.mac
    }

    fn fork(&mut self, writer: Writer, mac: Mac, _leaves: usize) -> Self {
        Opening { cipher: self.cipher, mac, writer, is_representable: true }
    }

    fn join(&mut self, part: &Self) {
        self.is_representable &= part.is_representable;
    }
}

impl Opening<'_> {
    /// A string, opened where it will stand.
    fn text(&mut self, leaf: &Leaf<'_>, additional_data: &str, key: Option<&str>) -> Result<()> {
        let Opening { cipher, mac, writer, .. } = self;
        lead(writer, key);
        let make = |room: &mut [u8]| {
            let length = leaf.ciphertext_into(room)?;
            open_buffer(cipher, leaf, &mut room[..length], additional_data)?;
            Ok(length)
        };
        self.is_representable &=
            writer.string_in_place(leaf.ciphertext_room(), make, |plain, look| mac.add_beside(plain, look))?;
        Ok(())
    }

    /// A value of any type. Comments are left out.
    fn put(&mut self, leaf: nodes::Leaf<'_>, selected: bool, key: Option<&str>) -> Result<()> {
        self.mac.add(leaf, selected);
        if matches!(leaf, nodes::Leaf::Other(Value::Comment(_))) && key.is_none() {
            return Ok(());
        }
        lead(&mut self.writer, key);
        // Told only when the MAC has been verified.
        self.is_representable &= self.writer.leaf(leaf).is_ok();
        Ok(())
    }
}

/// Memory in which one leaf after the other is sealed. Wiped when it is replaced by a larger one, and on drop.
#[derive(Default)]
struct Scratch(Wiped);

impl Scratch {
    fn of_length(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length {
            self.0 = Wiped::from(vec![0; length.next_power_of_two().min(length + (1 << 20))]);
        }
        &mut self.0[..]
    }
}

impl Document {
    /// The text of the encrypted file: what [`encrypt`](Self::encrypt) gives, in one go. Faster where nothing but the text is wanted.
    ///
    /// ```
    /// use sopskit::{Document, Map, Recipients};
    ///
    /// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// let document = Document::new(Map::from_iter([("password", "hunter2".into())]), &recipients)?;
    /// assert!(document.encrypt_to_text()?.starts_with("{\n\t\"password\": \"ENC[AES256_GCM,data:"));
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt).
    pub fn encrypt_to_text(&self) -> Result<String> {
        on_wiped_stack(|| self.seal_to_text())
    }

    fn seal_to_text(&self) -> Result<String> {
        let members = Members::of(&self.tree, Some(&self.sealed));
        let metadata = self.metadata.clone();
        let room = Room { measured: None, indent: self.indent, behind: 0 };
        seal::<Beside<'_>>(members, metadata, &self.data_key, room, self.sealed_under_data_key)
    }
}

impl EncryptOptions {
    /// Encrypts a plaintext file under a new data key: the text of the encrypted one. What [`Format::parse`], [`encrypt`](Self::encrypt) and `to_string` give, in one go. Faster
    /// where nothing but the text is wanted.
    ///
    /// ```
    /// use sopskit::{EncryptOptions, Recipients};
    ///
    /// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// let text = EncryptOptions::new().encrypt_bytes(br#"{"password": "hunter2"}"#, &recipients)?;
    /// assert!(text.starts_with("{\n\t\"password\": \"ENC[AES256_GCM,data:"));
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Format::parse`] and [`encrypt`](Self::encrypt).
    pub fn encrypt_bytes(&self, plain: &[u8], recipients: &Recipients) -> Result<String> {
        self.encrypt_bytes_with(plain, recipients, &NoService)
    }

    /// As [`encrypt_bytes`](Self::encrypt_bytes), with a key service that wraps for master keys that are not of age.
    ///
    /// ```
    /// use sopskit::{EncryptOptions, Identities, Recipients};
    ///
    /// let alice = Identities::from_file("fixtures/keys/alice.txt")?;
    /// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// // Identities wrap for nobody: what is of age is wrapped without them.
    /// let text = EncryptOptions::new().encrypt_bytes_with(br#"{"port": 443}"#, &recipients, &alice)?;
    /// assert!(text.contains("\"port\": \"ENC["));
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Format::parse`] and [`encrypt_with`](Self::encrypt_with).
    pub fn encrypt_bytes_with(
        &self,
        plain: &[u8],
        recipients: &Recipients,
        service: &dyn KeyService,
    ) -> Result<String> {
        on_wiped_stack(|| self.seal_bytes(plain, recipients, service))
    }

    fn seal_bytes(&self, plain: &[u8], recipients: &Recipients, service: &dyn KeyService) -> Result<String> {
        if self.format != Format::Json {
            return Document::with_key_service(self.format.parse(plain)?, recipients, self, service)?.seal_to_text();
        }
        let text = json::text_of(plain)?;
        // As in `open_to_bytes`.
        let tape = on_wiped_stack(|| json::read(text, leaf::sealed_length))?;
        let members = tape.root(text).members_without(None);
        if members.clone().any(|(key, _)| key == SOPS) {
            return Err(Error::new(ErrorKind::AlreadyEncrypted));
        }
        let (data_key, metadata) = self.begin(recipients, service)?;
        let room = Room { measured: Some(tape.measure(self.indent, text)), indent: self.indent, behind: 0 };
        seal::<json::Read<'_>>(members, metadata, &data_key, room, true)
    }
}

/// The text of a file. With `keeps`, leaves that did not change keep their text.
fn seal<'t, T: Tree<'t>>(
    members: T::Members,
    mut metadata: Metadata,
    data_key: &DataKey,
    mut room: Room,
    keeps: bool,
) -> Result<String> {
    metadata.touch();
    room.behind = json::measure(metadata.fields(), room.indent) + SEALED_MAC;
    let cipher = on_wiped_stack(|| Cipher::new(data_key));
    let mut sealing = Sealing::new(&cipher, Nonces::new(), &metadata, room.indent, keeps);
    let outer = sealing.writer.open("{");
    leaves::walk::<T, _>(members, metadata.rule(), &mut sealing, room)?;
    let Sealing { mut nonces, mac, mut writer, .. } = sealing;
    let aad = metadata.mac_additional_data();
    metadata.set_mac(plain::seal(&cipher, &mut nonces, mac.finish().as_bytes(), &aad, LeafType::Str)?);
    writer.metadata(SOPS, metadata.fields(), &outer)?;
    Ok(writer.finish_text())
}

pub(super) struct Sealing<'a> {
    cipher: &'a Cipher,
    nonces: Nonces,
    mac: Mac,
    scratch: Scratch,
    writer: Writer,
    /// Whether leaves that did not change keep their text.
    keeps: bool,
}

impl<'a> Sealing<'a> {
    pub(super) fn new(cipher: &'a Cipher, nonces: Nonces, metadata: &Metadata, indent: Indent, keeps: bool) -> Self {
        Sealing {
            cipher,
            nonces,
            mac: Mac::new(metadata.mac_only_encrypted()),
            scratch: Scratch::default(),
            writer: Writer::sealed(indent, 0),
            keeps,
        }
    }
}

#[cfg(feature = "parallel")]
impl Fork for Sealing<'_> {
    fn mac(&mut self) -> &mut Mac {
        &mut self.mac
    }

    fn fork(&mut self, writer: Writer, mac: Mac, leaves: usize) -> Self {
        let behind = self.nonces.behind(leaves);
        let nonces = std::mem::replace(&mut self.nonces, behind);
        Sealing { cipher: self.cipher, nonces, mac, scratch: Scratch::default(), writer, keeps: self.keeps }
    }

    fn join(&mut self, _part: &Self) {}
}

impl Leaves for Sealing<'_> {
    const LENGTH_OF: fn(&str) -> usize = leaf::sealed_length;

    fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    fn leaf(&mut self, visit: &Visit<'_>, key: Option<&str>) -> Result<()> {
        // Each leaf has its own, used or not: those of a leaf then do not depend on who does the leaves in front of it.
        let iv = self.nonces.next();
        lead(&mut self.writer, key);
        if !visit.selected {
            self.mac.add(visit.leaf, false);
            plain::check_in_clear(visit.leaf)?;
            return self.writer.leaf(visit.leaf);
        }
        let Some((bytes, kind)) = leaf::bytes_of(visit.leaf) else { return Ok(()) };
        let Sealing { cipher, mac, scratch, writer, keeps, .. } = self;
        let mut write = || {
            let kind = match plain::kept(visit.companion, kind, *keeps) {
                Kept::Text(sealed) => {
                    writer.string(sealed);
                    return Ok(());
                }
                Kept::Type(kind) => kind,
            };
            if bytes.is_empty() {
                writer.raw("\"\"");
                return Ok(());
            }
            let buffer = &mut scratch.of_length(bytes.len())[..bytes.len()];
            buffer.copy_from_slice(&bytes);
            let tag = cipher.seal(buffer, &iv, visit.additional_data.as_bytes()).map_err(plain::too_long)?;
            let room = writer.room(leaf::text_length(buffer, kind) + 2);
            room.push(b'"');
            leaf::put_text(room, buffer, &iv, &tag, kind);
            room.push(b'"');
            Ok(())
        };
        if kind == LeafType::Comment { write() } else { mac.add_beside(&bytes, write) }
    }
}
