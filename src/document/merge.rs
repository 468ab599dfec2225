//! Two edits of one document become one: a three-way merge by key path.

use std::sync::Arc;

use super::{Document, KeyChanges};
use crate::error::{Error, Result};
use crate::keys::{self, KeyService, NoService, Recipients};
use crate::metadata::{Metadata, SOPS};
use crate::path::{KeyPath, Segment};
use crate::secret::DataKey;
use crate::tree::{Map, Value, edit};

impl Document {
    /// Takes over what `theirs` changed since `base`: the document becomes the merge of the two, and [`encrypt`](Self::encrypt) makes a MAC that fits.
    ///
    /// Objects are merged key by key. An array is merged item by item where both sides have left its length alone, else it is one value. `base` is
    /// `None` when both sides made the file anew. Recipients and the rule are merged too. A new data key of either side is kept, and leaves keep their text where
    /// they are under the data key of the result.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Identities};
    ///
    /// let identities = Identities::from_file("fixtures/keys/alice.txt")?;
    /// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.13.2/token-like/sealed.json")?)?;
    /// let (base, mut ours, mut theirs) =
    ///     (sealed.decrypt(&identities)?, sealed.decrypt(&identities)?, sealed.decrypt(&identities)?);
    /// ours.set(r#"["a"]"#, 1)?;
    /// theirs.set(r#"["b"]"#, 2)?;
    /// ours.merge(Some(&base), &theirs)?;
    /// assert_eq!(ours.get(r#"["b"]"#)?.as_i64(), Some(2));
    ///
    /// theirs.set(r#"["a"]"#, 3)?;
    /// let error = ours.merge(Some(&base), &theirs).unwrap_err();
    /// assert_eq!(error.conflicts()[0].to_string(), r#"["a"]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::MergeConflict`](crate::ErrorKind::MergeConflict) with the key paths that both sides changed in different ways, those below `["sops"]` for
    /// recipients and rule; [`ErrorKind::CannotWrap`](crate::ErrorKind::CannotWrap) when data key and recipients of the two sides must be brought together, and one is not of age. Nothing is
    /// changed then.
    pub fn merge(&mut self, base: Option<&Document>, theirs: &Document) -> Result<()> {
        self.merge_with(base, theirs, &NoService)
    }

    /// As [`merge`](Self::merge), with a key service that wraps for master keys that are not of age.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn merge_with(&mut self, base: Option<&Document>, theirs: &Document, service: &dyn KeyService) -> Result<()> {
        // A new data key of theirs wins over our old one: somebody can have been removed by it.
        let rotated =
            |document: &Document| base.is_some_and(|base| base.data_key.as_bytes() != document.data_key.as_bytes());
        let takes_theirs = rotated(theirs) && !rotated(self);
        // Under another rule a leaf in clear would stay in clear.
        let same_rule = self.metadata.rule().field() == theirs.metadata.rule().field();
        let same_key = self.data_key.as_bytes() == theirs.data_key.as_bytes();
        let usable = |document: &Document, is_chosen: bool| {
            same_rule && document.sealed_under_data_key && (is_chosen || same_key)
        };
        let mut merge = Merge {
            path: Vec::new(),
            conflicts: Vec::new(),
            keeps_ours: usable(self, !takes_theirs),
            keeps_theirs: usable(theirs, takes_theirs),
        };
        let empty = Map::new();
        let base_tree = base.map_or(&empty, |base| &base.tree);
        let (tree, sealed) =
            merge.objects(base_tree, (&self.tree, Some(&self.sealed)), (&theirs.tree, Some(&theirs.sealed)));
        let recipients = merge.recipients(base, self, theirs);
        let fields = merge.metadata(base.map(|base| &base.metadata), &self.metadata, &theirs.metadata);
        if !merge.conflicts.is_empty() {
            return Err(Error::merge_conflict(merge.conflicts));
        }
        let chosen = if takes_theirs { theirs } else { &*self };
        let mut metadata = chosen.metadata.with_settings(&fields)?;
        let mut data_key = chosen.data_key.clone();
        // Who was removed on one side must not know a data key that is newer than what they could open.
        let knows_it_too = KeyChanges::between(&Recipients::of(&metadata), &recipients);
        let is_new = base.is_none_or(|base| base.data_key.as_bytes() != data_key.as_bytes());
        let takes_fresh = is_new && !knows_it_too.removed.is_empty();
        if takes_fresh {
            data_key = DataKey::generate();
            let key_groups = keys::wrap(&recipients, &data_key, service)?;
            metadata.set_master_keys(&key_groups, recipients.threshold())?;
        } else if Recipients::of(&metadata) != recipients {
            keys::update(&mut metadata, &recipients, &data_key, service)?;
        }
        self.tree = tree;
        self.sealed = Arc::new(sealed);
        self.sealed_under_data_key = !takes_fresh;
        self.data_key = data_key;
        self.metadata = metadata;
        self.changed = true;
        Ok(())
    }
}

/// A value of one side, and what stands for it in the file.
#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Value,
    leaf: Option<&'a Value>,
}

impl<'a> Side<'a> {
    fn members(self) -> Option<(&'a Map, Option<&'a Map>)> {
        Some((self.value.as_object()?, self.leaf.and_then(Value::as_object)))
    }

    fn items(self) -> Option<(&'a [Value], Option<&'a [Value]>)> {
        Some((self.value.as_array()?, self.leaf.and_then(Value::as_array)))
    }
}

/// A merged value, and what may stand for it in the file.
type Merged = (Value, Value);

struct Merge {
    path: Vec<Segment>,
    conflicts: Vec<KeyPath>,
    keeps_ours: bool,
    keeps_theirs: bool,
}

impl Merge {
    fn objects(&mut self, base: &Map, ours: (&Map, Option<&Map>), theirs: (&Map, Option<&Map>)) -> (Map, Map) {
        let (mut tree, mut sealed) = (Map::new(), Map::new());
        let of_theirs = theirs.0.keys().filter(|key| !ours.0.contains_key(key));
        for key in ours.0.keys().chain(of_theirs) {
            let [our_side, their_side] = [ours, theirs].map(|(values, leaves)| {
                let leaf = leaves.and_then(|leaves| leaves.get(key));
                values.get(key).map(|value| Side { value, leaf })
            });
            self.path.push(Segment::from(key));
            let merged = self.values(base.get(key), our_side, their_side);
            self.path.pop();
            if let Some((value, leaf)) = merged {
                tree.insert(key, value);
                sealed.insert(key, leaf);
            }
        }
        (tree, sealed)
    }

    /// What a place holds that at least one side has; `None` where it is to be gone.
    fn values(&mut self, base: Option<&Value>, ours: Option<Side<'_>>, theirs: Option<Side<'_>>) -> Option<Merged> {
        if let Some(settled) = self.settled(base, ours, theirs) {
            return settled;
        }
        let members = [ours, theirs].map(|side| side.and_then(Side::members));
        if let [Some(ours), Some(theirs)] = members {
            let empty = Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            let (tree, sealed) = self.objects(base, ours, theirs);
            return Some((Value::Object(tree), Value::Object(sealed)));
        }
        let [our_items, their_items] = [ours, theirs].map(|side| side.and_then(Side::items));
        match (base.and_then(Value::as_array), our_items, their_items) {
            (Some(base), Some(ours), Some(theirs))
                if [ours.0, theirs.0].iter().all(|side| side.len() == base.len()) =>
            {
                Some(self.arrays(base, ours, theirs))
            }
            _ => self.conflict(),
        }
    }

    /// Item by item. An item is one value here: one that both sides changed can be another one by now.
    fn arrays(
        &mut self,
        base: &[Value],
        ours: (&[Value], Option<&[Value]>),
        theirs: (&[Value], Option<&[Value]>),
    ) -> Merged {
        let (mut values, mut leaves) = (Vec::new(), Vec::new());
        for (index, base) in base.iter().enumerate() {
            let [our_side, their_side] = [ours, theirs].map(|(values, leaves)| {
                let leaf = leaves.and_then(|leaves| leaves.get(index));
                values.get(index).map(|value| Side { value, leaf })
            });
            self.path.push(Segment::Index(index));
            let settled = self.settled(Some(base), our_side, their_side);
            if let Some((value, leaf)) = settled.unwrap_or_else(|| self.conflict()) {
                values.push(value);
                leaves.push(leaf);
            }
            self.path.pop();
        }
        (Value::Array(values), Value::Array(leaves))
    }

    /// What a place holds where at most one side changed it, or both did alike; `None` where both did in different ways.
    fn settled(
        &self,
        base: Option<&Value>,
        ours: Option<Side<'_>>,
        theirs: Option<Side<'_>>,
    ) -> Option<Option<Merged>> {
        let keep = |side: Option<Side<'_>>, usable: bool| {
            let Side { value, leaf } = side?;
            Some((value.clone(), leaf.filter(|_| usable).cloned().unwrap_or(Value::Null)))
        };
        let same = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
            (Some(a), Some(b)) => edit::same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let [our_value, their_value] = [ours, theirs].map(|side| side.map(|side| side.value));
        let alike = same(our_value, their_value);
        if alike {
            let side = if self.keeps_ours { ours } else { theirs };
            Some(keep(side, self.keeps_ours || self.keeps_theirs))
        } else if same(our_value, base) {
            Some(keep(theirs, self.keeps_theirs))
        } else if same(their_value, base) {
            Some(keep(ours, self.keeps_ours))
        } else {
            None
        }
    }

    /// Both sides changed this place in different ways: nothing of the merge is used.
    fn conflict(&mut self) -> Option<Merged> {
        self.conflicts.push(self.path.iter().cloned().collect());
        None
    }

    fn recipients(&mut self, base: Option<&Document>, ours: &Document, theirs: &Document) -> Recipients {
        let of = |document: &Document| Recipients::of(&document.metadata);
        let (base, ours, theirs) = (base.map(of), of(ours), of(theirs));
        if ours == theirs || base.as_ref() == Some(&theirs) {
            return ours;
        }
        if base.as_ref() == Some(&ours) {
            return theirs;
        }
        self.conflicts.push(
            [SOPS, if ours.groups().len() == 1 { "age" } else { "key_groups" }]
                .map(Segment::from)
                .into_iter()
                .collect(),
        );
        ours
    }

    /// The fields that are neither of the master keys nor new with each write.
    fn metadata(&mut self, base: Option<&Metadata>, ours: &Metadata, theirs: &Metadata) -> Map {
        self.path.push(Segment::from(SOPS));
        let base = base.map(Metadata::settings).unwrap_or_default();
        let (ours, theirs) = (ours.settings(), theirs.settings());
        let (fields, _) = self.objects(&base, (&ours, None), (&theirs, None));
        self.path.pop();
        fields
    }
}
