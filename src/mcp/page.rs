//! Byte budgets: no answer is larger than its budget, and a cursor leads to the rest.

use crate::error::Error;
use serde::Serialize;

/// A part of a list and the way to the next part.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items that fit.
    pub items: Vec<T>,
    /// Give it back to get what follows; `None` at the end.
    pub next: Option<String>,
}

/// Cuts rows that come with their keys, as [`page`] does; the keys are not shown. An empty cursor
/// stands for the begin.
///
/// # Errors
/// As [`page`].
pub fn rows<R: Serialize>(
    rows: impl IntoIterator<Item = (String, R)>,
    cursor: &str,
    budget: usize,
) -> Result<Page<R>, Error> {
    let after = match cursor.trim() {
        "" => None,
        cursor => Some(cursor.strip_prefix("after:").ok_or_else(|| {
            Error::invalid(format!("'{cursor}' is not a cursor of this list; take it from 'next'"))
        })?),
    };
    let mut out = Page { items: Vec::new(), next: None };
    let (mut used, mut last) = (0, String::new());
    for (key, row) in rows {
        if after.is_some_and(|after| key.as_str() <= after) {
            continue;
        }
        let size = serde_json::to_vec(&row).map_or(0, |json| json.len() + 1);
        if used + size > budget && !out.items.is_empty() {
            out.next = Some(format!("after:{last}"));
            return Ok(out);
        }
        used += size;
        last = key;
        out.items.push(row);
    }
    Ok(out)
}

/// Gives rows their numbers as keys, for a list that keeps its order.
pub fn numbered<R>(rows: impl IntoIterator<Item = R>) -> impl Iterator<Item = (String, R)> {
    rows.into_iter().enumerate().map(|(n, row)| (format!("{n:06}"), row))
}

/// Cuts `items` so that their JSON fits `budget` bytes, after the place that `cursor` names.
///
/// Items must come in a stable order with a unique `key`; the cursor is the last key shown, so that
/// items added or removed meanwhile neither repeat nor vanish. At least one item is returned.
///
/// # Errors
/// Invalid when the cursor is not one of ours.
pub fn page<T: Serialize>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    cursor: Option<&str>,
    budget: usize,
) -> Result<Page<T>, Error> {
    rows(items.into_iter().map(|item| (key(&item), item)), cursor.unwrap_or_default(), budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_walk_the_whole_list_within_the_budget() {
        let names: Vec<String> = (0..50).map(|n| format!("light.lamp_{n:02}")).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = page(names.clone(), String::clone, cursor.as_deref(), 100).unwrap();
            assert!(serde_json::to_vec(&page.items).unwrap().len() <= 101);
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, names);
    }

    #[test]
    fn a_foreign_cursor_is_refused_and_one_large_item_still_comes() {
        assert!(page(["a"], |s| (*s).into(), Some("7"), 10).is_err());
        let big = "x".repeat(100);
        assert_eq!(page([big.clone()], String::clone, None, 10).unwrap().items, [big]);
    }
}
