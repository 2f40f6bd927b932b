//! The order of many names, at four bytes for each: places in a list of them, sorted by name. Pure.

use std::cmp::Ordering;

/// So many places are kept together: moving them on is quick, and few need to be looked at.
const CHUNK: usize = 512;

/// Places, in the order of the names that they stand for.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// None is empty.
    chunks: Vec<Vec<u32>>,
}

impl Order {
    /// Puts a place in. `than` compares the name of a place with the new one.
    pub(super) fn insert(&mut self, place: u32, than: impl Fn(u32) -> Ordering) {
        let is_before = |chunk: &Vec<u32>| chunk.first().is_some_and(|first| than(*first).is_lt());
        let at = self.chunks.partition_point(is_before).saturating_sub(1);
        let Some(chunk) = self.chunks.get_mut(at) else { return self.chunks.push(vec![place]) };
        if chunk.len() < CHUNK {
            let inside = chunk.partition_point(|other| than(*other).is_lt());
            return chunk.insert(inside, place);
        }
        // Names that come in their order leave full chunks behind, others halve one.
        let is_last = chunk.last().is_some_and(|last| than(*last).is_lt());
        if is_last {
            return self.chunks.insert(at + 1, vec![place]);
        }
        let half = chunk.split_off(CHUNK / 2);
        self.chunks.insert(at + 1, half);
        self.insert(place, than);
    }

    /// Returns the places whose names are not before the one that `than` compares with.
    pub(super) fn from(&self, than: impl Fn(u32) -> Ordering) -> impl Iterator<Item = u32> {
        let is_before = |chunk: &Vec<u32>| chunk.first().is_some_and(|first| than(*first).is_lt());
        let at = self.chunks.partition_point(is_before).saturating_sub(1);
        let inside = self
            .chunks
            .get(at)
            .map_or(0, |chunk| chunk.partition_point(|place| than(*place).is_lt()));
        self.chunks.iter().skip(at).flatten().copied().skip(inside)
    }

    /// Returns how many places are before the name that `than` compares with.
    pub(super) fn before(&self, than: impl Fn(u32) -> Ordering) -> usize {
        let is_before = |chunk: &Vec<u32>| chunk.first().is_some_and(|first| than(*first).is_lt());
        let at = self.chunks.partition_point(is_before).saturating_sub(1);
        let whole: usize = self.chunks.iter().take(at).map(Vec::len).sum();
        let inside = |chunk: &Vec<u32>| chunk.partition_point(|place| than(*place).is_lt());
        whole + self.chunks.get(at).map_or(0, inside)
    }

    /// Returns all places.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.chunks.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_their_order_whatever_order_they_came_in() {
        let orders: [fn(u32) -> u32; 3] = [|n| n, |n| 20_000 - n, |n| n * 7919 % 20_001];
        for order in orders {
            let names: Vec<String> = (0..20_001).map(|n| format!("{:05}", order(n))).collect();
            let mut sorted = Order::default();
            for (place, name) in (0..).zip(&names) {
                sorted.insert(place, |other| names[other as usize].cmp(name));
            }
            let all: Vec<&String> = sorted.iter().map(|place| &names[place as usize]).collect();
            assert!(all.is_sorted() && all.len() == names.len());
            for begin in ["", "00000", "0051", "05120", "19999", "2"] {
                let found = sorted.from(|other| (*names[other as usize]).cmp(begin));
                let found: Vec<&String> = found.map(|place| &names[place as usize]).collect();
                let want: Vec<&String> = all.iter().copied().filter(|n| &***n >= begin).collect();
                assert_eq!(found, want, "{begin}");
                let before = sorted.before(|other| (*names[other as usize]).cmp(begin));
                assert_eq!(before, names.len() - want.len(), "{begin}");
            }
        }
        assert_eq!(Order::default().from(|_| Ordering::Less).count(), 0);
    }
}
