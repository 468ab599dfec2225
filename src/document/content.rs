//! What an encrypted file holds beside its metadata: as it was read, and as a tree once somebody asks for it.

use std::sync::{Arc, OnceLock};

use crate::format::json;
use crate::metadata::SOPS;
use crate::tree::Map;

#[derive(Clone)]
pub(super) struct Content {
    read: Option<Arc<json::Sealed>>,
    tree: OnceLock<Arc<Map>>,
}

impl Content {
    pub(super) fn tree(&self) -> &Arc<Map> {
        self.tree
            .get_or_init(|| Arc::new(self.read.as_ref().map(|read| read.plant(read.members(SOPS))).unwrap_or_default()))
    }

    /// What was read, if the file was.
    pub(super) fn read(&self) -> Option<&json::Sealed> {
        self.read.as_deref()
    }
}

impl From<json::Sealed> for Content {
    fn from(read: json::Sealed) -> Self {
        Content { read: Some(Arc::new(read)), tree: OnceLock::new() }
    }
}

impl From<Map> for Content {
    fn from(tree: Map) -> Self {
        Content { read: None, tree: OnceLock::from(Arc::new(tree)) }
    }
}
