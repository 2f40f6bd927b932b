//! Who subscribed to what: a tree of levels. Pure.
//!
//! A wildcard is a child like any other, so a message asks at most three children at each level.

use crate::mqtt::message::Qos;
use std::collections::HashMap;

/// One session's subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sub {
    pub(super) session: u32,
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) keeps_retain: bool,
    /// Its identifier; 0 is none.
    pub(super) number: u32,
    pub(super) is_shared: bool,
}

/// The tree.
#[derive(Default)]
pub(super) struct Trie {
    root: Node,
}

#[derive(Default)]
struct Node {
    below: HashMap<Box<str>, Node>,
    subs: Vec<Sub>,
    groups: Vec<Group>,
}

/// Sessions that share what comes (MQTT 5, section 4.8.2).
struct Group {
    name: Box<str>,
    members: Vec<Sub>,
    next: usize,
}

/// Splits `$share/name/filter` into name and filter.
pub(super) fn shared(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/")?.split_once('/')
}

fn parts(filter: &str) -> (Option<&str>, &str) {
    shared(filter).map_or((None, filter), |(name, filter)| (Some(name), filter))
}

impl Trie {
    /// Puts a subscription in, in the place of an older one of the same session.
    pub(super) fn insert(&mut self, filter: &str, sub: Sub) {
        let (name, filter) = parts(filter);
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = node.below.entry(level.into()).or_default();
        }
        let Some(name) = name else { return put(&mut node.subs, sub) };
        match node.groups.iter_mut().find(|group| &*group.name == name) {
            Some(group) => put(&mut group.members, sub),
            None => node.groups.push(Group { name: name.into(), members: vec![sub], next: 0 }),
        }
    }

    /// Takes a session's subscription out.
    pub(super) fn remove(&mut self, filter: &str, session: u32) {
        let (name, filter) = parts(filter);
        self.root.remove(&mut filter.split('/'), name, session);
    }

    /// Appends whoever is to get a message on `topic`. Of a group it is one member, in turn, and one that
    /// is connected where there is one.
    pub(super) fn matches(
        &mut self,
        topic: &str,
        is_online: &dyn Fn(u32) -> bool,
        found: &mut Vec<Sub>,
    ) {
        let levels: Vec<&str> = topic.split('/').collect();
        let mut search = Search { is_online, found };
        // `$` topics are not for filters that begin with a wildcard (section 4.7.2).
        search.node(&mut self.root, &levels, !topic.starts_with('$'));
    }
}

impl Node {
    /// Returns whether nothing is left below.
    fn remove(
        &mut self,
        levels: &mut dyn Iterator<Item = &str>,
        name: Option<&str>,
        session: u32,
    ) -> bool {
        match (levels.next(), name) {
            (Some(level), _) => {
                let child = self.below.get_mut(level);
                if child.is_some_and(|child| child.remove(levels, name, session)) {
                    self.below.remove(level);
                }
            }
            (None, None) => self.subs.retain(|sub| sub.session != session),
            (None, Some(name)) => {
                for group in self.groups.iter_mut().filter(|group| &*group.name == name) {
                    group.members.retain(|sub| sub.session != session);
                }
                self.groups.retain(|group| !group.members.is_empty());
            }
        }
        self.below.is_empty() && self.subs.is_empty() && self.groups.is_empty()
    }
}

struct Search<'a> {
    is_online: &'a dyn Fn(u32) -> bool,
    found: &'a mut Vec<Sub>,
}

impl Search<'_> {
    fn node(&mut self, node: &mut Node, levels: &[&str], wild: bool) {
        if let Some(all) = node.below.get_mut("#").filter(|_| wild) {
            self.collect(all);
        }
        let Some((level, rest)) = levels.split_first() else { return self.collect(node) };
        if let Some(one) = node.below.get_mut("+").filter(|_| wild) {
            self.node(one, rest, true);
        }
        if let Some(child) = node.below.get_mut(*level) {
            self.node(child, rest, true);
        }
    }

    fn collect(&mut self, node: &mut Node) {
        self.found.extend_from_slice(&node.subs);
        for group in &mut node.groups {
            let count = group.members.len();
            let turn = |n: usize| (group.next + n) % count;
            let chosen = (0..count).map(turn).find(|n| (self.is_online)(group.members[*n].session));
            let chosen = chosen.unwrap_or(group.next % count);
            group.next = (chosen + 1) % count;
            self.found.push(group.members[chosen]);
        }
    }
}

fn put(subs: &mut Vec<Sub>, sub: Sub) {
    match subs.iter_mut().find(|other| other.session == sub.session) {
        Some(older) => *older = sub,
        None => subs.push(sub),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(session: u32) -> Sub {
        let qos = Qos::AtMostOnce;
        let (no_local, keeps_retain, number, is_shared) = (false, false, 0, false);
        Sub { session, qos, no_local, keeps_retain, number, is_shared }
    }

    fn who(trie: &mut Trie, topic: &str, online: &[u32]) -> Vec<u32> {
        let mut found = Vec::new();
        trie.matches(topic, &|session| online.contains(&session), &mut found);
        let mut sessions: Vec<u32> = found.iter().map(|sub| sub.session).collect();
        sessions.sort_unstable();
        sessions
    }

    #[test]
    fn filters_match_as_the_specification_says() {
        let mut trie = Trie::default();
        let filters = ["a/b", "a/+", "a/#", "#", "+/b", "+", "/+", "$SYS/#", "a/b/#", "+/+/c"];
        for (n, filter) in (1..).zip(filters) {
            trie.insert(filter, sub(n));
        }
        for (topic, expected) in [
            ("a/b", vec![1, 2, 3, 4, 5, 9]),
            ("a", vec![3, 4, 6]),
            ("/x", vec![4, 7]),
            ("$SYS/x", vec![8]),
            ("$SYS", vec![8]),
            ("$x", vec![]),
            ("a/b/c", vec![3, 4, 9, 10]),
            ("a/", vec![2, 3, 4]),
        ] {
            assert_eq!(who(&mut trie, topic, &[]), expected, "{topic}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() {
        let mut trie = Trie::default();
        for filter in ["a/b/c", "a/+/#", "$share/g/a/b/c"] {
            trie.insert(filter, sub(1));
            trie.insert(filter, sub(2));
        }
        trie.remove("a/b/c", 1);
        assert_eq!(who(&mut trie, "a/b/c", &[2]), [1, 2, 2, 2]);
        for filter in ["a/b/c", "a/+/#", "$share/g/a/b/c", "never/there"] {
            trie.remove(filter, 1);
            trie.remove(filter, 2);
        }
        assert!(trie.root.below.is_empty());
    }

    #[test]
    fn a_group_takes_turns_among_those_that_are_there() {
        let mut trie = Trie::default();
        for session in 1..=3 {
            trie.insert("$share/g/x", sub(session));
        }
        let got: Vec<u32> = (0..4).flat_map(|_| who(&mut trie, "x", &[1, 3])).collect();
        assert_eq!(got, [1, 3, 1, 3]);
        let nobody: Vec<u32> = (0..3).flat_map(|_| who(&mut trie, "x", &[])).collect();
        assert_eq!(nobody, [1, 2, 3]);
    }
}
