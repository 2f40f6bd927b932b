use super::cipher::Key;
use super::*;
use crate::error::Kind;
use crate::events::Events;
use crate::tasks::Tasks;
use base64::Engine as _;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

const VALUE: &str = "s3cret/va+lue\"9";

fn scan() -> Scan {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n";
    Scan::new([("api", VALUE), ("short", "1234567"), ("pem", key), ("pin", "48151623")].into_iter())
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let scan = scan();
    let base64 = |before: &str, url: bool| {
        let text = format!("{before}{VALUE}, and more");
        match url {
            true => base64::engine::general_purpose::URL_SAFE.encode(text),
            false => base64::engine::general_purpose::STANDARD.encode(text),
        }
    };
    let mut forms = vec![
        VALUE.to_owned(),
        json!(VALUE).to_string(),
        crate::text::percent(VALUE),
        crate::text::hex(VALUE.as_bytes()),
        crate::text::hex(VALUE.as_bytes()).to_uppercase(),
    ];
    for before in ["", "x", "xy", "xyz", "user:"] {
        forms.extend([base64(before, false), base64(before, true)]);
    }
    for form in forms {
        let mut text = format!("before {form} after {form}");
        let mut names = Vec::new();
        assert_eq!(scan.find(text.as_bytes()).as_deref(), Some("api"), "{form}");
        scan.mask(&mut text, &mut names);
        assert_eq!(names, ["api"], "{form}");
        assert!(scan.find(text.as_bytes()).is_none(), "{text}");
        assert_eq!(text.matches("[sealed: api]").count(), 2, "{text}");
        assert!(text.starts_with("before "), "{text}");
    }
    for (text, name) in [
        ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", Some("pem")),
        ("-----BEGIN KEY-----", None),
        ("1234567", None),
        ("s3cret/va+lu", None),
        ("", None),
    ] {
        assert_eq!(scan.find(text.as_bytes()).as_deref(), name, "{text}");
    }
}

#[test]
fn values_are_searched_to_their_last_corner() {
    let scan = scan();
    let mut value = json!({
        "a": [1, {"b": format!("x{VALUE}")}],
        VALUE: true,
        "pin": 48_151_623,
        "ü": "üü",
    });
    assert_eq!(scan.find_in(&value["a"]).as_deref(), Some("api"));
    assert_eq!(scan.find_in(&json!({VALUE: 1})).as_deref(), Some("api"));
    assert_eq!(scan.find_in(&json!([null, true, 5, "x"])), None);
    let mut names = Vec::new();
    scan.mask_in(&mut value, &mut names);
    let want = json!({
        "a": [1, {"b": "x[sealed: api]"}],
        "[sealed: api]": true,
        "pin": "[sealed: pin]",
        "ü": "üü",
    });
    assert_eq!(value, want);
    names.sort();
    assert_eq!(names, ["api", "pin"]);
    assert!(Scan::new(std::iter::empty()).find(VALUE.as_bytes()).is_none());
}

#[test]
fn a_sealed_text_opens_with_its_key_alone_and_as_it_was() {
    let (one, two) = (Key::read(&"1f".repeat(32)).unwrap(), Key::read(&"2f".repeat(32)).unwrap());
    let sealed = one.close(b"hello").unwrap();
    assert_eq!(one.open(&sealed).as_deref(), Some(&b"hello"[..]));
    assert!(two.open(&sealed).is_none() && one.open(b"").is_none());
    assert_ne!(sealed, one.close(b"hello").unwrap());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(one.open(&changed).is_none(), "{at}");
    }
    for bad in ["", "1f", &"1g".repeat(32), &"+1".repeat(32), &"1f".repeat(33)] {
        assert_eq!(Key::read(bad).err().unwrap().kind(), Kind::Invalid, "{bad}");
    }
}

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("hearth-seal-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[tokio::test]
async fn secrets_are_kept_sealed_and_a_file_that_does_not_open_is_left_alone() {
    let (dir, tasks) = (folder("vault"), Tasks::new(Events::new()));
    let none = Secret::default();
    let vault = Vault::open(Some(&dir), &none, &tasks);
    vault.set(&tasks, "api", Secret::new(VALUE)).await.unwrap();
    vault.set(&tasks, "other", Secret::new("x")).await.unwrap();
    vault.remove(&tasks, "other").await.unwrap();
    let e = vault.remove(&tasks, "other").await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    for (name, value) in [("", "x"), ("a b", "x"), ("a", ""), ("a", "x\0"), ("a/b", "x")] {
        let e = vault.set(&tasks, name, Secret::new(value)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Invalid, "{name} {value:?}");
    }
    for name in ["secrets.sealed", "secrets.key"] {
        let mode = std::fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let sealed = std::fs::read(dir.join("secrets.sealed")).unwrap();
    let has = |text: &str| sealed.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!has(VALUE) && !has("api"));
    let again = Vault::open(Some(&dir), &none, &tasks);
    assert_eq!(again.value("api").unwrap().reveal(), VALUE);
    assert_eq!(again.list(), vault.list());
    assert!(tasks.is_healthy() && tasks.health().is_empty());
    // Another key: said, and nothing is written over it.
    let other = Vault::open(Some(&dir), &Secret::new("ab".repeat(32)), &tasks);
    assert!(other.value("api").is_none());
    let said = format!("{:?}", tasks.health());
    assert!(said.contains("the key is another than it was sealed with"), "{said}");
    let e = other.set(&tasks, "api", Secret::new("y")).await.unwrap_err();
    assert!(e.kind() == Kind::Broken && e.to_string().contains("nothing is written over"), "{e}");
    assert_eq!(std::fs::read(dir.join("secrets.sealed")).unwrap(), sealed);
    std::fs::remove_dir_all(&dir).unwrap();
}
