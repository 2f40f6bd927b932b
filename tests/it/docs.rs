//! What the documents say of the tests is so: a proof that is named is there.

use std::path::{Path, PathBuf};

/// The file of a module of the tests, as those of home are named without it.
fn file_of(module: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let path = module.replace("::", "/");
    let found = ["home/", ""]
        .iter()
        .flat_map(|room| [format!("{room}{path}.rs"), format!("{room}{path}/mod.rs")])
        .map(|file| root.join(file))
        .find(|file| file.exists());
    found.unwrap_or_else(|| panic!("docs/HOME.md names tests in '{module}', which there is not"))
}

#[test]
fn every_proof_that_the_table_of_home_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/HOME.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| capab"));
    let mut proofs = 0;
    for row in rows {
        let proof = row.split('|').nth(3).unwrap();
        let named: Vec<&str> =
            proof.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        assert!(!named.is_empty(), "no test is named in: {row}");
        for name in named {
            let (module, test) = name.rsplit_once("::").unwrap();
            // `module::` stands for all of them; `…` for the rest of a long name.
            let start = format!("fn {}", test.trim_end_matches('…'));
            let code = std::fs::read_to_string(file_of(module)).unwrap();
            assert!(code.contains(&start), "docs/HOME.md names '{name}', which there is not");
            let end = if test.is_empty() || test.ends_with('…') { "" } else { "(" };
            assert!(code.contains(&format!("{start}{end}")), "'{name}' is longer than that");
            proofs += 1;
        }
    }
    assert!(proofs > 60, "{proofs}");
}
