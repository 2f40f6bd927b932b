//! Frames between Hearth and the first process: four bytes of length, most significant first, then
//! JSON. They come on stdin and go on stdout, before the server speaks there.

use nix::errno::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::os::fd::AsFd;

/// Most bytes of a frame, without its length.
pub(crate) const MOST: usize = 1 << 20;

/// Makes a frame.
///
/// # Errors
/// In words, when it is too large.
pub(crate) fn make(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(value).map_err(|e| e.to_string())?;
    match u32::try_from(json.len()) {
        Ok(length) if json.len() <= MOST => Ok([&length.to_be_bytes()[..], &json].concat()),
        _ => Err(format!("{} bytes are more than the {MOST} that may be handed over", json.len())),
    }
}

/// Reads one frame and nothing after it.
pub(super) fn read<T: DeserializeOwned>(from: impl AsFd) -> Result<T, String> {
    let mut length = [0; 4];
    fill(&from, &mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MOST {
        return Err(format!("a frame of {length} bytes; at most {MOST} are allowed"));
    }
    let mut json = vec![0; length];
    fill(&from, &mut json)?;
    serde_json::from_slice(&json).map_err(|e| format!("the frame on stdin is no plan: {e}"))
}

fn fill(from: &impl AsFd, buffer: &mut [u8]) -> Result<(), String> {
    let mut had = 0;
    while had < buffer.len() {
        match nix::unistd::read(from, &mut buffer[had..]) {
            Ok(0) => return Err("stdin ended before the frame was whole".into()),
            Ok(n) => had += n,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(format!("cannot read stdin: {e}")),
        }
    }
    Ok(())
}

/// Writes one frame.
pub(super) fn write(to: impl AsFd, value: &impl Serialize) -> Result<(), String> {
    let frame = make(value)?;
    let mut rest = &frame[..];
    while !rest.is_empty() {
        match nix::unistd::write(&to, rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::EINTR) => {}
            Err(e) => return Err(format!("cannot write to stdout: {e}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_frame_is_read_and_not_a_byte_more() {
        let (near, far) = nix::unistd::pipe().unwrap();
        let value = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        write(&far, &value).unwrap();
        nix::unistd::write(&far, b"rest").unwrap();
        drop(far);
        assert_eq!(read::<BTreeMap<String, String>>(&near).unwrap(), value);
        let mut rest = [0; 8];
        assert_eq!(nix::unistd::read(&near, &mut rest).unwrap(), 4);
        assert!(read::<BTreeMap<String, String>>(&near).unwrap_err().contains("ended before"));
    }

    #[test]
    fn a_frame_has_a_largest_size() {
        let (near, far) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&far, &u32::MAX.to_be_bytes()).unwrap();
        assert!(read::<String>(&near).unwrap_err().contains("4294967295 bytes"));
        assert!(make(&"x".repeat(MOST)).unwrap_err().contains("more than"));
    }
}
