//! How many master keys a file names: known before anything is made of them.

use super::{KEY_GROUPS, KeyKind};
use crate::tree::nodes::{Node, Tree};

/// How many key groups and master keys the `sops` object of a file names, sound or not.
pub(crate) fn count_master_keys<'t, T: Tree<'t>>(fields: T::Members) -> (usize, usize) {
    let count = |lists: T::Members| {
        let lists = lists.filter(|(key, _)| KeyKind::ALL.iter().any(|kind| kind.as_str() == *key));
        lists.map(|(_, list)| items::<T>(list).map_or(0, Iterator::count)).sum::<usize>()
    };
    let flat = count(fields.clone());
    let groups = fields.filter(|(key, _)| *key == KEY_GROUPS).filter_map(|(_, groups)| items::<T>(groups)).flatten();
    let in_group = |group: T| if let Node::Object(lists) = group.node() { count(lists) } else { 0 };
    groups.fold((0, flat), |(groups, keys), group| (groups + 1, keys + in_group(group)))
}

fn items<'t, T: Tree<'t>>(list: T) -> Option<T::Items> {
    if let Node::Array(items) = list.node() { Some(items) } else { None }
}
