//! What an attacker does to a file, one change at a time.

use super::file::{File, Kind};

/// A changed file.
pub(crate) struct Mutation {
    pub(crate) what: &'static str,
    /// The key path, or where from and where to.
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every change of the structure: each leaf, `null` and empty strings among them, swapped with each other one, doubled, put into a list, moved to each
/// other place; and each value of whatever kind removed, those of the metadata too.
pub(crate) fn structural(file: &File) -> Vec<Mutation> {
    let mut all = Vec::new();
    let leaves: Vec<_> = file.leaves().collect();
    for (at, &leaf) in leaves.iter().enumerate() {
        for &other in &leaves[at + 1..] {
            swap(file, leaf, other, &mut all);
        }
        double(file, leaf, &mut all);
        moves(file, leaf, &mut all);
        types(file, leaf, &mut all);
    }
    for node in 1..file.nodes.len() {
        let place = file.nodes[node].path.clone();
        all.push(Mutation { what: "remove", place, bytes: file.with(vec![(file.removal(node), String::new())]) });
    }
    all
}

fn swap(file: &File, one: usize, other: usize, all: &mut Vec<Mutation>) {
    let (a, b) = (&file.nodes[one], &file.nodes[other]);
    let (x, y) = (file.value_text(one).to_owned(), file.value_text(other).to_owned());
    if x != y {
        let is_sealed = x.starts_with("\"ENC[") || y.starts_with("\"ENC[");
        let bytes = file.with(vec![(a.value.clone(), y), (b.value.clone(), x)]);
        let what = if is_sealed { "swap" } else { "swap in clear" };
        all.push(Mutation { what, place: format!("{} and {}", a.path, b.path), bytes });
    }
}

fn double(file: &File, leaf: usize, all: &mut Vec<Mutation>) {
    let (node, value) = (&file.nodes[leaf], file.value_text(leaf));
    let mut add = |what, edit| all.push(Mutation { what, place: node.path.clone(), bytes: file.with(vec![edit]) });
    let end = node.member.end..node.member.end;
    match &node.key {
        Some(key) => {
            add("copy under a new key", (end.clone(), format!(", \"{}2\": {value}", &file.text[key.clone()])));
            add("copy under the same key", (end, format!(", {}", &file.text[node.member.clone()])));
        }
        None => add("copy behind it", (end, format!(", {value}"))),
    }
    add("make it a list of two", (node.value.clone(), format!("[{value}, {value}]")));
    add("make it a list of one", (node.value.clone(), format!("[{value}]")));
}

/// To each place of each object and array.
fn moves(file: &File, leaf: usize, all: &mut Vec<Mutation>) {
    let node = &file.nodes[leaf];
    for container in file.containers() {
        let children = &file.nodes[container].children;
        let own = children.iter().position(|child| *child == leaf);
        for at in (0..=children.len()).filter(|at| own.is_none_or(|own| *at != own && *at != own + 1)) {
            let new = match (file.nodes[container].kind, &node.key) {
                (Kind::Array, _) => file.value_text(leaf).to_owned(),
                (_, key) => {
                    let key = key.clone().map_or("moved", |key| &file.text[key]);
                    let is_taken = children.iter().any(|child| {
                        *child != leaf && file.nodes[*child].key.clone().is_some_and(|other| &file.text[other] == key)
                    });
                    format!("\"{}\": {}", if is_taken { "moved" } else { key }, file.value_text(leaf))
                }
            };
            let edits = vec![(file.removal(leaf), String::new()), file.insertion(container, at, &new)];
            let place = format!("{} to {}@{at}", node.path, file.nodes[container].path);
            all.push(Mutation { what: "move", place, bytes: file.with(edits) });
        }
    }
}

const TYPES: [&str; 7] = ["str", "int", "float", "bool", "bytes", "time", "comment"];

/// Each other type of an encrypted leaf.
fn types(file: &File, leaf: usize, all: &mut Vec<Mutation>) {
    let (node, value) = (&file.nodes[leaf], file.value_text(leaf));
    let Some((rest, was)) = value.strip_suffix("]\"").and_then(|value| value.rsplit_once(",type:")) else { return };
    for kind in TYPES.into_iter().filter(|kind| *kind != was) {
        let bytes = file.with(vec![(node.value.clone(), format!("{rest},type:{kind}]\""))]);
        all.push(Mutation { what: "type", place: format!("{} from {was} to {kind}", node.path), bytes });
    }
}

/// One bit, of all bits of the file.
pub(crate) fn flip(file: &File, bit: usize, owner: Option<(usize, bool)>) -> Mutation {
    let mut bytes = file.text.clone().into_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    let (what, place) = match owner {
        Some((node, true)) => ("flip a bit of the key", file.nodes[node].path.clone()),
        Some((node, false)) => ("flip a bit", file.nodes[node].path.clone()),
        None if file.text.as_bytes()[bit / 8].is_ascii_whitespace() => ("flip a bit of a blank", String::new()),
        None => ("flip a bit of punctuation", String::new()),
    };
    Mutation { what, place, bytes }
}
