//! What can be configured of quotas.

use crate::config::{Fault, JsonSchema};
use serde::{Deserialize, Serialize};

/// So many quotas at most; each call is compared with all of them.
const MOST: usize = 64;

/// How many calls there may be; 0 is any number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Which tools: a name, or `home_*` for all that begin so.
    pub tool: String,
    /// Whose calls: the name of a token, `local`, `plugin:<name>`; `*` at the end for any rest.
    pub token: String,
    /// All callers share one count; else each has its own.
    pub together: bool,
    /// So many calls a minute.
    pub per_minute: u32,
    /// So many calls at once.
    pub at_once: u32,
    /// So many calls a day (UTC).
    pub per_day: u32,
}

impl Default for Quota {
    fn default() -> Quota {
        let every = || "*".to_owned();
        Quota {
            tool: every(),
            token: every(),
            together: false,
            per_minute: 0,
            at_once: 0,
            per_day: 0,
        }
    }
}

/// What is wrong with them.
pub(in crate::policy) fn faults(rows: &[Quota]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if rows.len() > MOST {
        faults.push(Fault::new("policy.quotas", format!("there may be {MOST} at most")));
    }
    for (n, row) in rows.iter().enumerate() {
        let place = |field: &str| format!("policy.quotas.{n}.{field}");
        for (field, pattern) in [("tool", &row.tool), ("token", &row.token)] {
            if pattern.is_empty() || pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
                let text = "names nothing: use a name, with '*' at the end for any rest";
                faults.push(Fault::new(place(field), text));
            }
        }
        if row.per_minute == 0 && row.at_once == 0 && row.per_day == 0 {
            let text = "limits nothing: set per_minute, at_once or per_day";
            faults.push(Fault::new(format!("policy.quotas.{n}"), text));
        }
    }
    faults
}
