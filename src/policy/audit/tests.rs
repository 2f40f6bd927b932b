use super::ledger::Ledger;
use super::*;
use crate::error::Kind;
use std::io::Write as _;
use std::path::PathBuf;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let dir = std::env::temp_dir().join(format!("hearth-chain-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Folder(dir)
    }

    fn ledger(&self, most: u64) -> Ledger {
        Ledger::open(&self.0.join("audit.jsonl"), most).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn cut(&self, bytes: &[u8]) {
        let path = self.path("audit.jsonl");
        std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn why(&self) -> String {
        let e = verify(&self.0, None).unwrap_err();
        assert_eq!(e.kind(), Kind::Conflict);
        e.to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entry(n: usize) -> String {
    format!(r#"{{"who":"a","target":"{}-{n}"}}"#, "x".repeat(100))
}

#[test]
fn the_chain_goes_on_over_rotation_and_a_new_start() {
    let folder = Folder::new("rotation");
    let mut hashes = Vec::new();
    for start in 0..5 {
        let mut ledger = folder.ledger(2000);
        for n in 0..11 {
            ledger.add(entry(start * 100 + n)).unwrap();
            hashes.push(verify(&folder.0, None).unwrap().hash);
        }
    }
    let seen = verify(&folder.0, None).unwrap();
    assert_eq!((seen.newest, seen.files), (55, 4));
    assert!(seen.first > 1 && seen.entries == 56 - seen.first, "{seen:?}");
    assert_eq!((seen.torn, seen.open, seen.unchained), (0, false, 0));
    // A hash that was noted is found as long as its entry is kept.
    let noted = verify(&folder.0, Some(&hashes[50])).unwrap();
    assert_eq!(noted.found, Some(51));
    assert_eq!(verify(&folder.0, Some(&hashes[0])).unwrap_err().kind(), Kind::NotFound);
    // A file that is gone from the middle is missed.
    std::fs::remove_file(folder.path("audit.2.jsonl")).unwrap();
    assert!(folder.why().contains("some are missing"));
}

#[test]
fn what_was_changed_put_in_or_taken_out_is_named_by_its_place() {
    let folder = Folder::new("changed");
    let path = folder.path("audit.jsonl");
    let mut ledger = folder.ledger(1 << 20);
    (0..5).for_each(|n| ledger.add(entry(n)).unwrap());
    let good = std::fs::read_to_string(&path).unwrap();
    let check = |lines: &[&str], want: &str| {
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let why = folder.why();
        assert!(why.contains(want), "{why}");
    };
    let lines: Vec<&str> = good.lines().collect();
    let changed = lines[2].replace("-2\"", "-9\"");
    check(&[lines[0], lines[1], &changed, lines[3]], "audit.jsonl, line 3: entry 3 was changed");
    check(&[lines[0], lines[2]], "line 2: entry 3 follows entry 1: some are missing");
    check(&[lines[0], lines[2], lines[1]], "line 2: entry 3 follows entry 1");
    check(&[lines[0], lines[0]], "line 2: entry 1 follows entry 1");
    check(&[lines[0], r#"{"who":"b"}"#, lines[1]], "line 2: an entry without a hash");
    check(&[lines[0], "scrap", lines[1]], "line 2: here stand bytes");
    check(&[r#"{"who":"b"}"#, lines[1]], "line 2: the beginning of the chain is missing");
    // One whose own hash was made anew does not fit the next.
    let (forged, _) = chain::close(&entry(7), &chain::Link { n: 1, hash: "7".repeat(64) }, None);
    check(&[lines[0], &forged], "line 2: entry 2 does not follow the one before it");
    std::fs::write(&path, good).unwrap();
    assert_eq!(verify(&folder.0, None).unwrap().entries, 5);
}

#[test]
fn a_line_that_was_cut_short_stays_and_the_next_accounts_for_it() {
    let folder = Folder::new("cut");
    let whole = |entries: u64, torn: u64, open: bool| {
        let seen = verify(&folder.0, None).unwrap();
        assert_eq!((seen.entries, seen.torn, seen.open), (entries, torn, open));
    };
    folder.ledger(1 << 20).add(entry(0)).unwrap();
    folder.cut(br#"{"who":"a","tar"#);
    whole(1, 0, true);
    folder.ledger(1 << 20).add(entry(1)).unwrap();
    whole(2, 1, false);
    // A power cut may leave zeros, and the line that tells of it may be cut short as well.
    folder.cut(&[0; 40]);
    folder.cut(b"\n{\"who\":\"a\",\"n\":3,");
    folder.ledger(1 << 20).add(entry(2)).unwrap();
    whole(3, 2, false);
    // The log that goes on does not read the file again, and notices all the same.
    let mut ledger = folder.ledger(1 << 20);
    ledger.add(entry(3)).unwrap();
    folder.cut(b"{");
    ledger.add(entry(4)).unwrap();
    whole(5, 3, false);
    // Whoever takes the scrap away is seen.
    let path = folder.path("audit.jsonl");
    let text = std::fs::read(&path).unwrap();
    let without: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|line| *line != b"{").collect();
    std::fs::write(&path, without.join(&b'\n')).unwrap();
    assert!(folder.why().contains("some that stood here are gone"));
}

#[test]
fn a_log_of_before_the_chain_is_carried_on() {
    let folder = Folder::new("before");
    std::fs::write(folder.path("audit.jsonl"), "{\"who\":\"a\"}\n{\"who\":\"b\"}\n").unwrap();
    folder.ledger(1 << 20).add(entry(0)).unwrap();
    let seen = verify(&folder.0, None).unwrap();
    assert_eq!((seen.unchained, seen.entries, seen.first), (2, 1, 1));
    assert_eq!(verify(&folder.path("no"), None).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_log_whose_lock_is_held_keeps_its_entries_until_it_is_free() {
    let folder = Folder::new("held");
    let mut ledger = folder.ledger(1 << 20);
    let other = std::fs::File::open(folder.path("audit.jsonl")).unwrap();
    other.lock().unwrap();
    let e = ledger.add(entry(0)).unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.to_string().contains("is one of them stopped"), "{e}");
    // Those that come next do not wait for it: a call must not.
    let began = std::time::Instant::now();
    (0..100).for_each(|n| drop(ledger.add(entry(n)).unwrap_err()));
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    other.unlock().unwrap();
    ledger.add(entry(1)).unwrap();
    assert_eq!(verify(&folder.0, None).unwrap().entries, 102);
}
