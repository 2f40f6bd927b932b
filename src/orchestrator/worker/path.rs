//! Paths as strangers write them, made into names that stay below one folder. Pure.

use crate::error::Error;

/// Most bytes of a whole path, and of one name in it (Linux: PATH_MAX, NAME_MAX).
const PATH: usize = 4095;
const NAME: usize = 255;

/// Splits a path into names below the folder; none for the folder itself.
///
/// # Errors
/// Refused for an absolute path and for `..`; Invalid for what no file can be called.
pub(super) fn names(path: &str) -> Result<Vec<&str>, Error> {
    if path.len() > PATH || path.contains('\0') {
        return Err(Error::invalid("path: a path has at most 4095 bytes and no NUL"));
    }
    if path.starts_with('/') {
        return Err(Error::refused(format!(
            "path: '{}' is absolute; name it relative to the folder of this sandbox",
            path.escape_debug()
        )));
    }
    let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
    if names.contains(&"..") {
        return Err(Error::refused(format!(
            "path: '{}' leads out of the folder; '..' is not followed",
            path.escape_debug()
        )));
    }
    match names.iter().find(|n| n.len() > NAME) {
        Some(_) => Err(Error::invalid("path: a name in it has more than 255 bytes")),
        None => Ok(names),
    }
}

/// Splits a path to a file into the names of its folders and its own.
///
/// # Errors
/// As [`names`]; Invalid when it names the folder itself or ends in `/`.
pub(super) fn file(path: &str) -> Result<(Vec<&str>, &str), Error> {
    let mut folders = names(path)?;
    match folders.pop() {
        Some(own) if !path.ends_with('/') => Ok((folders, own)),
        _ => Err(Error::invalid(format!("path: '{}' names no file", path.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_path_stays_below_its_folder_or_is_refused() {
        assert_eq!(names("").unwrap(), Vec::<&str>::new());
        assert_eq!(names("./a//b/.").unwrap(), ["a", "b"]);
        assert_eq!(names("a/..b/...").unwrap(), ["a", "..b", "..."]);
        for out in ["..", "a/../b", "../etc", "a/..", "/etc/passwd", "//x"] {
            assert_eq!(names(out).unwrap_err().kind(), Kind::Refused, "{out}");
        }
        for bad in ["a\0b".to_owned(), "x".repeat(256), "x/".repeat(3000)] {
            assert_eq!(names(&bad).unwrap_err().kind(), Kind::Invalid);
        }
    }

    #[test]
    fn a_file_has_a_name_of_its_own() {
        assert_eq!(file("a/b/c").unwrap(), (vec!["a", "b"], "c"));
        for none in ["", ".", "a/", "/"] {
            assert!(file(none).is_err(), "{none}");
        }
    }
}
