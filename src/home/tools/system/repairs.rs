//! What Home Assistant asks its owner to repair, in its own words.

use crate::error::Error;
use crate::home::ask;
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::tools::system::time;
use crate::home::view::Row;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};

#[derive(Deserialize)]
struct Issues {
    issues: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    domain: String,
    issue_id: String,
    severity: Option<String>,
    created: Option<String>,
    breaks_in_ha_version: Option<String>,
    #[serde(default)]
    ignored: bool,
    #[serde(default)]
    is_fixable: bool,
    learn_more_url: Option<String>,
    translation_key: Option<String>,
    translation_placeholders: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
struct Words {
    resources: HashMap<String, String>,
}

/// Returns the issues that are open; what the owner chose to ignore comes last.
///
/// # Errors
/// As [`ask::ask`].
pub(super) async fn rows(house: &House) -> Result<Vec<Row>, Error> {
    let command = json!({ "type": "repairs/list_issues" });
    let mut all = ask::ask::<Issues>(house, &command).await?.issues;
    all.sort_by_key(|issue| issue.ignored);
    let domains: BTreeSet<&str> = all.iter().map(|issue| issue.domain.as_str()).collect();
    let command = json!({ "type": "frontend/get_translations", "language": "en",
                          "category": "issues", "integration": domains });
    // Without the words the ids still say something.
    let words: Words = ask::ask(house, &command).await.unwrap_or_default();
    Ok(all.iter().map(|issue| issue.row(house, &words)).collect())
}

impl Issue {
    fn row(&self, house: &House, words: &Words) -> Row {
        let mut row = Row::new();
        let mut put = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                row.insert(name.into(), text.into());
            }
        };
        put("domain", Some(clean(&self.domain, 60)));
        put("issue", Some(clean(&self.issue_id, 120)));
        put("severity", self.severity.as_deref().map(|text| clean(text, 20)));
        put("title", self.words(words, "title").map(|text| clean(&text, 200)));
        put("description", self.words(words, "description").map(|text| clean(&text, 700)));
        put("breaks_in", self.breaks_in_ha_version.as_deref().map(|text| clean(text, 20)));
        put("since", self.created.as_deref().map(|text| time(house, text)));
        put("more", self.learn_more_url.as_deref().map(|text| clean(text, 200)));
        if self.is_fixable {
            row.insert("fix".into(), "in Home Assistant: Settings, System, Repairs".into());
        }
        if self.ignored {
            row.insert("ignored".into(), true.into());
        }
        row
    }

    /// The text of Home Assistant's page, with its places filled in.
    fn words(&self, words: &Words, part: &str) -> Option<String> {
        let key = self.translation_key.as_ref().unwrap_or(&self.issue_id);
        let name = format!("component.{}.issues.{key}.{part}", self.domain);
        let mut text = words.resources.get(&name)?.clone();
        for (place, value) in self.translation_placeholders.iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("{{{place}}}"), &value);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_speaks_home_assistants_words() {
        let issue: Issue = serde_json::from_value(json!({
            "domain": "demo", "issue_id": "id1", "translation_key": "bad_psu",
            "translation_placeholders": {"what": "supply", "volts": 5},
        }))
        .unwrap();
        let said = "The {what} gives {volts} V".to_owned();
        let name = "component.demo.issues.bad_psu.title".to_owned();
        let words = Words { resources: HashMap::from([(name, said)]) };
        assert_eq!(issue.words(&words, "title").unwrap(), "The supply gives 5 V");
        assert_eq!(issue.words(&words, "description"), None);
    }
}
