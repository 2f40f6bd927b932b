//! Resources: things a client can list, read and be told about.

use crate::error::Error;
use crate::events::Event;
use crate::mcp::{Boxed, Page, Place};
use crate::policy::Caller;

/// A resource in a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its URI, for example `home://home/entity/light.kitchen`.
    pub uri: String,
    /// Short name.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// What is in it, for example `application/json`.
    pub mime: &'static str,
}

/// A family of resources.
#[derive(Clone, Debug)]
pub struct Template {
    /// RFC 6570 level 1 template, for example `home://{house}/entity/{entity_id}`.
    pub uri: &'static str,
    /// Short name.
    pub name: &'static str,
    /// What the family is.
    pub about: &'static str,
    /// What is in each.
    pub mime: &'static str,
}

/// What a resource holds.
#[derive(Clone, Debug)]
pub enum Contents {
    /// Text of the given type.
    Text(&'static str, String),
    /// Bytes of the given type.
    Bytes(&'static str, Vec<u8>),
}

/// A service's resources. Each method sees who asks and shows only what that caller may know.
pub trait Resources: Send + Sync {
    /// Returns the URI scheme that is this shelf's, for example `home`.
    fn scheme(&self) -> &'static str;

    /// Returns where it stands, for one whose scheme is not its service's name.
    fn place(&self) -> Option<Place> {
        None
    }

    /// Returns the profile besides the default one that lists it.
    fn profile(&self) -> &'static str {
        self.place().map_or_else(|| self.scheme(), |place| place.profile)
    }

    /// Returns the families.
    fn templates(&self) -> Vec<Template>;

    /// Lists, a page at a time.
    ///
    /// # Errors
    /// Invalid when the cursor is not one of ours.
    fn list(&self, caller: &Caller, cursor: Option<&str>) -> Result<Page<Entry>, Error>;

    /// Reads one.
    fn read<'a>(&'a self, caller: &'a Caller, uri: &'a str) -> Boxed<'a, Result<Contents, Error>>;

    /// Returns every value that a template's variable can have; those that fit what somebody types
    /// are chosen from them.
    fn values(&self, caller: &Caller, template: &str, variable: &str) -> Vec<String>;

    /// Returns the URI of the resource that `event` changed, when it is one of ours.
    fn changed(&self, event: &Event) -> Option<String>;

    /// Returns a number that is another one whenever what `uri` holds has changed, for a shelf whose
    /// changes are too many for the bus: while a client asked to be told of `uri`, it is looked up ten
    /// times a second. `None` when its changes are events, or this caller may not know.
    fn version(&self, _caller: &Caller, _uri: &str) -> Option<u64> {
        None
    }

    /// Returns the URI of a resource that is the sum of many things, when `event` changed what `caller`
    /// sees in it. Such changes are gathered, so that a client is told once in a while.
    fn gathered(&self, _caller: &Caller, _event: &Event) -> Option<String> {
        None
    }

    /// Whether `event` changed which resources there are.
    fn list_changed(&self, event: &Event) -> bool;
}
