//! The tool that looks through a camera.

use crate::config::JsonSchema;
use crate::error::{Error, Kind};
use crate::home::house::now;
use crate::home::text::NOTE;
use crate::home::tools::pick;
use crate::home::{Home, rest};
use crate::mcp::{Answer, Block, Call, Tool};
use crate::policy::Level;
use crate::text::percent;
use serde::Deserialize;
use serde_json::json;

/// Pictures are asked for at this size, in points; not every camera can scale.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
/// Larger pictures are refused, in bytes: clients would not take them.
const MOST: usize = 700 * 1024;
/// What such a picture takes in an answer.
const BUDGET: usize = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct CameraArgs {
    /// Id or name
    #[serde(alias = "entity_id", alias = "entity_ids")]
    camera: String,
    house: String,
}

/// Returns the tool.
pub(super) fn tool(home: &Home) -> Tool {
    let home = home.clone();
    let about = "The picture of a camera now.";
    Tool::rich("home_camera", "Look through a camera", about, Level::Read, move |call, args| {
        let home = home.clone();
        async move {
            home.met().await;
            camera(&home, &call, args).await
        }
    })
    .budget(BUDGET)
}

async fn camera(home: &Home, call: &Call, args: CameraArgs) -> Result<Answer, Error> {
    let house = home.house(Some(&args.house))?;
    let id = pick::one(house, home.sight(&call.caller), "camera", &args.camera)?;
    let path = format!("/api/camera_proxy/{}?width={WIDTH}&height={HEIGHT}", percent(&id));
    let got = rest::get(home, house, &path, None, MOST).await.map_err(|e| match e.kind() {
        Kind::Limit => Error::limit(format!(
            "the picture of {id} has more than {} KiB even at {WIDTH} points; set a smaller size in \
             the camera or its integration",
            MOST >> 10
        )),
        Kind::Conflict => Error::conflict(format!("{id} gives no picture now: {e}")),
        _ => e,
    })?;
    let kind = kind(&got.body).ok_or_else(|| {
        Error::conflict(format!("what {id} sent is no picture that assistants can see"))
    })?;
    let about = json!({ "id": id, "at": house.time(now()), "bytes": got.body.len(), "note": NOTE });
    Ok(Answer::Blocks(vec![Block::Text(about.to_string()), Block::Image(kind, got.body)]))
}

/// The type of a picture by its first bytes: cameras name types that are not theirs.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(kind(&[0xff, 0xd8, 0xff, 0xe0]), Some("image/jpeg"));
        assert_eq!(kind(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(kind(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(kind(b"<svg xmlns="), None);
        assert_eq!(kind(b""), None);
    }
}
