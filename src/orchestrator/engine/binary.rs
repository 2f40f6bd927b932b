//! Our own program on the engine: a volume that holds it, named after what it is, so that containers
//! get it read-only whether Hearth runs beside the engine, in a container of it, or elsewhere.

use crate::error::Error;
use crate::http::Bytes;
use crate::orchestrator::engine::fault::{self, offline};
use crate::orchestrator::engine::recipe::{NODE, RUN};
use crate::text;
use bollard::Docker;
use bollard::errors::Error as Fault;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, RemoveContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Where the volume stands in each container.
pub(super) const FOLDER: &str = "/.hearth";
/// The program in there.
pub(super) const PROGRAM: &str = "/.hearth/hearth";
const FILE: &str = "hearth";

/// Our program as a file.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    path: PathBuf,
    /// Bytes.
    size: u64,
    /// The volume's name.
    pub(super) volume: String,
}

impl Binary {
    /// Reads it once. Takes as long as reading the file does.
    ///
    /// # Errors
    /// Broken when it cannot be read.
    pub(super) fn read(path: &Path) -> Result<Binary, Error> {
        let broken =
            |e| Error::broken(format!("cannot read our own program {}", path.display())).because(e);
        let mut file = File::open(path).map_err(broken)?;
        let (mut hash, mut part, mut size) = (Sha256::new(), vec![0; 256 << 10], 0);
        loop {
            match file.read(&mut part).map_err(broken)? {
                0 => break,
                n => {
                    hash.update(&part[..n]);
                    size += n as u64;
                }
            }
        }
        let volume = format!("hearth-{}", text::hex(&hash.finalize()[..12]));
        Ok(Binary { path: path.to_owned(), size, volume })
    }

    /// Puts it on the engine unless it is there already. `image` is any image of that engine: a
    /// container of it, which is never started, is the only way to a volume.
    ///
    /// # Errors
    /// Offline when the engine is away; Broken when it refuses.
    pub(super) async fn put(
        &self,
        docker: &Docker,
        image: &str,
        node: &str,
        run: &str,
    ) -> Result<(), Error> {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let labels = HashMap::from([label(NODE, node), label(RUN, run)]);
        let volume = VolumeCreateRequest {
            name: Some(self.volume.clone()),
            labels: Some(labels.clone()),
            ..Default::default()
        };
        docker.create_volume(volume).await.map_err(|e| offline("cannot make a volume", e))?;
        let mount = Mount {
            target: Some(FOLDER.into()),
            source: Some(self.volume.clone()),
            typ: Some(MountType::VOLUME),
            ..Default::default()
        };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never run; an image without a command needs one all the same.
            entrypoint: Some(vec![PROGRAM.into()]),
            labels: Some(labels),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                mounts: Some(vec![mount]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = docker
            .create_container(None, body)
            .await
            .map_err(|e| offline("cannot make the container that fills a volume", e))?;
        let filled = self.fill(docker, &made.id).await;
        let remove = RemoveContainerOptionsBuilder::default().force(true).build();
        if let Err(e) = docker.remove_container(&made.id, Some(remove)).await {
            log::warn!("cannot remove {}: {e}; the next sweep tries again", made.id);
        }
        filled
    }

    async fn fill(&self, docker: &Docker, container: &str) -> Result<(), Error> {
        let asked = ContainerArchiveInfoOptionsBuilder::default().path(PROGRAM).build();
        match docker.get_container_archive_info(container, Some(asked)).await {
            // An upload that was cut off left less.
            Ok(stat) if u64::try_from(stat.size).ok() == Some(self.size) => return Ok(()),
            Ok(_) => {}
            // Nothing there yet; engines say so in several ways.
            Err(Fault::DockerResponseServerError { .. } | Fault::HttpHeaderNotFoundError(_)) => {}
            Err(e) => return Err(offline("cannot look into a volume", e)),
        }
        log::info!("putting our own program on the engine, {} bytes", self.size);
        let options = UploadToContainerOptionsBuilder::default().path(FOLDER).build();
        let tar = bollard::body_try_stream(futures_util::stream::iter(self.tar()?));
        docker
            .upload_to_container(container, Some(options), tar)
            .await
            .map_err(|e| fault::of("cannot put our own program on the engine", e))
    }

    /// The file as a tar archive, in parts.
    fn tar(&self) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + use<>, Error> {
        let file = File::open(&self.path)
            .map_err(|e| Error::broken(format!("{}", self.path.display())).because(e))?;
        let size = self.size;
        let mut rest = file.take(size);
        let parts = std::iter::from_fn(move || {
            let mut part = vec![0; 256 << 10];
            match rest.read(&mut part) {
                Ok(0) => None,
                Ok(n) => {
                    part.truncate(n);
                    Some(Ok(part.into()))
                }
                Err(e) => Some(Err(e)),
            }
        });
        // To a whole block, and two empty ones as the end.
        let end = vec![0; usize::try_from((512 - size % 512) % 512).unwrap_or(0) + 1024];
        let head = std::iter::once(Ok(Bytes::from(header(FILE, size))));
        Ok(head.chain(parts).chain(std::iter::once(Ok(end.into()))))
    }
}

/// A header of one file for everybody to run, owned by root (POSIX.1-1988 ustar).
fn header(name: &str, size: u64) -> Vec<u8> {
    let mut head = vec![0u8; 512];
    let mut put =
        |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000555\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    // The sum is made as if its own field held spaces.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = head.iter().map(|b| u32::from(*b)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn tar_reads_what_we_write() {
        let folder = std::env::temp_dir().join(format!("hearth-tar-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let content: Vec<u8> = (0..700_001u32).map(|n| n as u8).collect();
        std::fs::write(folder.join("program"), &content).unwrap();
        let binary = Binary::read(&folder.join("program")).unwrap();
        assert_eq!(binary.volume.len(), "hearth-".len() + 24);
        let mut tar = Command::new("tar")
            .args(["-x", "-C"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = tar.stdin.take().unwrap();
        for part in binary.tar().unwrap() {
            stdin.write_all(&part.unwrap()).unwrap();
        }
        drop(stdin);
        assert!(tar.wait().unwrap().success());
        assert_eq!(std::fs::read(folder.join("hearth")).unwrap(), content);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
