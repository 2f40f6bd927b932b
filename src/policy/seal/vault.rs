//! The sealed file: read at the start, written whole at each change.

use crate::config::Secret;
use crate::error::Error;
use crate::policy::seal::cipher::Key;
use crate::policy::seal::{Scan, SecretInfo};
use crate::policy::{now, whole_file};
use crate::tasks::{Status, Tasks, Whose};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// So many secrets at most.
const MOST: usize = 128;
/// Longest name, in bytes.
const NAME: usize = 64;
/// Longest value, in bytes.
const VALUE: usize = 32 << 10;

/// One secret in the file. It is written out nowhere else.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    value: String,
    made: f64,
}

type All = BTreeMap<String, Kept>;

/// All of them.
pub(in crate::policy) struct Vault {
    /// The sealed file and the key's; none for a Hearth without a folder.
    place: Option<(PathBuf, PathBuf)>,
    /// The configured key.
    key: Secret,
    held: RwLock<(Arc<All>, Arc<Scan>)>,
    /// Why the file could not be opened: then it is not written either.
    closed: Option<String>,
    /// One change at a time.
    change: Mutex<()>,
    _status: Option<Status>,
}

impl Vault {
    /// Opens the file of a data folder. One that cannot be opened is said in `/health`; the rest of
    /// Hearth goes on without its secrets, and the file stays as it is.
    pub(in crate::policy) fn open(data_dir: Option<&Path>, key: &Secret, tasks: &Tasks) -> Vault {
        let name = |dir: &Path, name: &str| dir.join(name);
        let place = data_dir.map(|dir| (name(dir, "secrets.sealed"), name(dir, "secrets.key")));
        let read = place.as_ref().map_or(Ok(All::new()), |place| read(place, key));
        let (all, closed) = match read {
            Ok(all) => (all, None),
            Err(e) => (All::new(), Some(e.to_string())),
        };
        let status = closed.as_ref().map(|why| {
            let status = tasks.status("secrets", Whose::Own);
            status.degraded(why);
            status
        });
        let scan = Arc::new(scan_for(&all));
        let (held, change) = (RwLock::new((Arc::new(all), scan)), Mutex::default());
        Vault { place, key: key.clone(), held, closed, change, _status: status }
    }

    pub(in crate::policy) fn value(&self, name: &str) -> Option<Secret> {
        self.held().0.get(name).map(|kept| Secret::new(&*kept.value))
    }

    pub(in crate::policy) fn scan(&self) -> Arc<Scan> {
        self.held().1
    }

    pub(in crate::policy) fn list(&self) -> Vec<SecretInfo> {
        self.held().0.iter().map(|(name, kept)| info(name, kept)).collect()
    }

    pub(in crate::policy) async fn set(
        &self,
        tasks: &Tasks,
        name: &str,
        value: Secret,
    ) -> Result<SecretInfo, Error> {
        check(name, value.reveal())?;
        let _turn = self.change.lock().await;
        let mut all = (*self.held().0).clone();
        let kept = Kept { value: value.reveal().to_owned(), made: now() };
        let told = info(name, &kept);
        all.insert(name.to_owned(), kept);
        if all.len() > MOST {
            let text = format!("there are {MOST} sealed secrets already; remove one first");
            return Err(Error::limit(text));
        }
        self.keep(tasks, all).await?;
        Ok(told)
    }

    pub(in crate::policy) async fn remove(&self, tasks: &Tasks, name: &str) -> Result<(), Error> {
        let _turn = self.change.lock().await;
        let mut all = (*self.held().0).clone();
        if all.remove(name).is_none() {
            return Err(Error::not_found(format!(
                "there is no sealed secret '{}'; 'hearth secret list' shows them",
                crate::text::clean(name, NAME)
            )));
        }
        self.keep(tasks, all).await
    }

    async fn keep(&self, tasks: &Tasks, all: All) -> Result<(), Error> {
        if let Some(why) = &self.closed {
            return Err(Error::broken(format!(
                "the sealed secrets could not be opened at the start, so nothing is written over \
                 them: {why}"
            )));
        }
        let (all, scan) = (Arc::new(all), self.place.clone());
        if let Some((path, beside)) = scan {
            let (key, all) = (self.key.clone(), all.clone());
            tasks.blocking(move || write(&path, &beside, &key, &all)).await??;
        }
        let scan = Arc::new(scan_for(&all));
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = (all, scan);
        Ok(())
    }

    fn held(&self) -> (Arc<All>, Arc<Scan>) {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn scan_for(all: &All) -> Scan {
    Scan::new(all.iter().map(|(name, kept)| (name.as_str(), kept.value.as_str())))
}

fn info(name: &str, kept: &Kept) -> SecretInfo {
    let watched = Scan::watches(&kept.value);
    SecretInfo { name: name.to_owned(), made: kept.made, watched }
}

fn key(configured: &Secret, beside: &Path, make: bool) -> Result<Key, Error> {
    match configured.is_empty() {
        false => Key::read(configured.reveal()).map_err(|e| e.at("policy.seal_key")),
        true => Key::from_file(beside, make),
    }
}

fn read((path, beside): &(PathBuf, PathBuf), configured: &Secret) -> Result<All, Error> {
    let Some(bytes) = whole_file::read(path)? else { return Ok(All::new()) };
    let key = key(configured, beside, false)?;
    let text = key.open(&bytes).ok_or_else(|| {
        Error::broken(format!(
            "{} cannot be opened: the key is another than it was sealed with (HEARTH_SEAL_KEY, or \
             secrets.key beside it), or the file was changed",
            path.display()
        ))
    })?;
    serde_json::from_slice(&text)
        .map_err(|_| Error::broken(format!("{} holds no secrets", path.display())))
}

fn write(path: &Path, beside: &Path, configured: &Secret, all: &All) -> Result<(), Error> {
    let text = serde_json::to_vec(all).map_err(|_| Error::broken("the secrets are no JSON"))?;
    whole_file::write(path, &key(configured, beside, true)?.close(&text)?)
}

fn check(name: &str, value: &str) -> Result<(), Error> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if name.is_empty() || name.len() > NAME || !name.bytes().all(fits) {
        return Err(Error::invalid(format!(
            "'{}' is no name for a secret: use 1 to {NAME} letters, digits, '_', '-' or '.'",
            crate::text::clean(name, NAME)
        )));
    }
    if value.is_empty() || value.len() > VALUE || value.contains('\0') {
        return Err(Error::invalid(format!(
            "a secret has 1 to {VALUE} bytes and none of them is zero"
        )));
    }
    Ok(())
}
