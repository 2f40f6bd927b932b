//! Resources: a text, a picture, one to watch, and a family.

use crate::PIXEL;
use hearth::error::Error;
use hearth::events::Event;
use hearth::mcp::{Boxed, Contents, Entry, Page, Resources, Template};
use hearth::policy::Caller;

pub(crate) struct Shelf;

const ENTRIES: [(&str, &str, &str); 3] = [
    ("test://static-text", "static-text", "text/plain"),
    ("test://static-binary", "static-binary", "image/png"),
    ("test://watched-resource", "watched-resource", "text/plain"),
];

impl Resources for Shelf {
    fn scheme(&self) -> &'static str {
        "test"
    }

    fn templates(&self) -> Vec<Template> {
        vec![Template {
            uri: "test://template/{id}/data",
            name: "data",
            about: "The data of an id",
            mime: "application/json",
        }]
    }

    fn list(&self, _: &Caller, _: Option<&str>) -> Result<Page<Entry>, Error> {
        let items = ENTRIES.iter().map(|(uri, name, mime)| Entry {
            uri: (*uri).to_owned(),
            name: (*name).to_owned(),
            title: None,
            mime,
        });
        Ok(Page { items: items.collect(), next: None })
    }

    fn read<'a>(&'a self, _: &'a Caller, uri: &'a str) -> Boxed<'a, Result<Contents, Error>> {
        Box::pin(async move {
            let id = uri.strip_prefix("test://template/").and_then(|u| u.strip_suffix("/data"));
            match (uri, id) {
                ("test://static-text", _) => {
                    let text = "This is the content of the static text resource.".to_owned();
                    Ok(Contents::Text("text/plain", text))
                }
                ("test://static-binary", _) => Ok(Contents::Bytes("image/png", PIXEL.to_vec())),
                ("test://watched-resource", _) => {
                    Ok(Contents::Text("text/plain", "Something to watch.".into()))
                }
                (_, Some(id)) => {
                    let data = format!("Data for ID: {id}");
                    let text = serde_json::json!({ "id": id, "templateTest": true, "data": data });
                    Ok(Contents::Text("application/json", text.to_string()))
                }
                _ => Err(Error::not_found(format!("there is no resource '{uri}'"))),
            }
        })
    }

    fn values(&self, _: &Caller, _: &str, _: &str) -> Vec<String> {
        ["1", "2", "3"].map(str::to_owned).into()
    }

    fn changed(&self, event: &Event) -> Option<String> {
        // A change of any part of the program stands for a change of the watched resource.
        matches!(event, Event::Service(_)).then(|| "test://watched-resource".to_owned())
    }

    fn list_changed(&self, _: &Event) -> bool {
        false
    }
}
