//! Who may connect, and what they may read and write. Pure.

use crate::config::Secret;
use crate::mqtt::broker::config::{Embedded, OWN};
use crate::mqtt::broker::wire::{Fault, code};
use crate::mqtt::filter::Filter;
use crate::policy::{PasswordHash, is_same_secret};
use std::sync::Arc;

/// Who a client is. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// Empty for somebody without a name.
    pub(super) name: Arc<str>,
    /// What it may do; `None` is everything.
    rights: Option<Arc<Rights>>,
}

#[derive(Debug)]
struct Rights {
    read: Vec<Filter>,
    write: Vec<Filter>,
}

impl Who {
    /// Returns who may do everything.
    pub(super) fn anybody(name: &str) -> Who {
        Who { name: name.into(), rights: None }
    }

    /// Whether everything that the filter matches may be read.
    pub(super) fn may_read(&self, filter: &Filter) -> bool {
        self.rights.as_ref().is_none_or(|it| it.read.iter().any(|own| own.covers(filter)))
    }

    /// Whether the topic may be written.
    pub(super) fn may_write(&self, name: &str) -> bool {
        self.rights.as_ref().is_none_or(|it| it.write.iter().any(|own| own.matches(name)))
    }
}

enum Lock {
    Word(Secret),
    Hash(PasswordHash),
}

struct User {
    who: Who,
    lock: Lock,
}

/// Everybody who may connect.
pub(super) struct Access {
    users: Vec<User>,
    anonymous: String,
}

impl Access {
    /// Reads the settings; `own` is the password with which Hearth itself connects.
    pub(super) fn new(config: &Embedded, own: Secret) -> Access {
        let mut users = vec![User { who: Who::anybody(OWN), lock: Lock::Word(own) }];
        for user in &config.users {
            let lock = match PasswordHash::read(user.password_hash.reveal()) {
                Some(hash) => Lock::Hash(hash),
                None => Lock::Word(user.password.clone()),
            };
            // What is no filter was refused before (`Embedded::faults`).
            let read = |all: &[String]| all.iter().flat_map(|text| Filter::read(text)).collect();
            let rights = Rights { read: read(&user.read), write: read(&user.write) };
            let who = Who { name: user.name.as_str().into(), rights: Some(rights.into()) };
            users.push(User { who, lock });
        }
        Access { users, anonymous: config.anonymous.clone() }
    }

    /// Returns who it is. `is_near` says that the client is on this machine.
    pub(super) fn check(
        &self,
        name: Option<&str>,
        password: Option<&[u8]>,
        is_near: bool,
    ) -> Result<Who, Fault> {
        // With nobody to compare with, a name is no more than none.
        let name = name.filter(|name| self.users.len() > 1 || *name == OWN);
        let Some(name) = name else {
            let may = match &*self.anonymous {
                "anywhere" => true,
                "loopback" => is_near,
                _ => false,
            };
            let fault = Fault::new(code::NOT_ALLOWED, "a user name and a password are needed");
            return may.then(|| Who::anybody("")).ok_or(fault);
        };
        let password = password.unwrap_or_default();
        let user = self.users.iter().find(|user| *user.who.name == *name);
        let is_right = match user.map(|user| &user.lock) {
            Some(Lock::Word(word)) => is_same_secret(word.reveal().as_bytes(), password),
            Some(Lock::Hash(hash)) => hash.is_of(password),
            None => false,
        };
        let wrong = Fault::new(code::PASSWORD, "the user name or the password is wrong");
        user.filter(|_| is_right && !password.is_empty()).map(|user| user.who.clone()).ok_or(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::broker::config::User as Setting;

    fn access(anonymous: &str) -> Access {
        let hash = "$7$101$IAiyIgJLcj/iPJCm$hUYfe9KMXJo0xhFDBS+gBaZB3yxVK4hxB42dZFzfgrWueF5lZdEDMo9N5OgdP9sQKv3joc7CA+7opQjvF5L4tg==";
        let user = |name: &str| Setting { name: name.into(), ..Setting::default() };
        let mut ann = user("ann");
        ann.password_hash = Secret::new(hash);
        let mut bob = user("bob");
        bob.password = Secret::new("builder");
        bob.read = vec!["tools/#".into()];
        bob.write = vec!["tools/+/set".into()];
        let users = vec![ann, bob];
        let anonymous = anonymous.into();
        let config = Embedded { anonymous, users, ..Embedded::default() };
        Access::new(&config, Secret::new("own"))
    }

    #[test]
    fn only_the_right_password_lets_in() {
        let access = access("never");
        let try_ = |name, word: &str| access.check(Some(name), Some(word.as_bytes()), true);
        for (name, word) in [("ann", "correct horse"), ("bob", "builder"), ("hearth", "own")] {
            assert_eq!(&*try_(name, word).unwrap().name, name);
        }
        for (name, word) in
            [("ann", "builder"), ("bob", ""), ("eve", "x"), ("hearth", ""), ("", "")]
        {
            assert_eq!(try_(name, word).unwrap_err().code, code::PASSWORD, "{name}");
        }
        assert_eq!(access.check(Some("bob"), None, true).unwrap_err().code, code::PASSWORD);
    }

    #[test]
    fn who_has_no_name_comes_in_from_where_it_is_allowed() {
        for (word, near, far) in
            [("never", false, false), ("loopback", true, false), ("anywhere", true, true)]
        {
            let config = Embedded { anonymous: word.into(), ..Embedded::default() };
            let open = Access::new(&config, Secret::new("own"));
            assert_eq!(open.check(Some("any"), Some(b"thing"), false).is_ok(), far);
            assert!(open.check(Some("hearth"), Some(b"thing"), true).is_err());
            let access = access(word);
            assert_eq!(access.check(None, None, true).is_ok(), near);
            assert_eq!(access.check(None, None, false).is_ok(), far);
        }
    }

    #[test]
    fn a_user_reads_and_writes_what_its_filters_cover() {
        let bob = access("never").check(Some("bob"), Some(b"builder"), false).unwrap();
        let reads = |text| bob.may_read(&Filter::read(text).unwrap());
        assert!(reads("tools/saw") && reads("tools/+/state") && reads("$share/g/tools/#"));
        assert!(!reads("#") && !reads("+/saw") && !reads("house/door") && !reads("$share/g/#"));
        assert!(bob.may_write("tools/saw/set") && !bob.may_write("tools/saw"));
    }
}
