//! Level 4: sandboxes as containers of an engine beside us, Docker 20.10 or newer or Podman.
//!
//! The engine may be on this machine, or Hearth in a container of it, or elsewhere: nothing of our
//! file system is handed in but our own program, in a volume. What a container is made of stands in
//! [`recipe`]; what is in force is read back from inside ([`look`]). The server's environment goes in
//! by its standard input and so is in no argument, no description and no log of the engine.

mod address;
mod binary;
mod fault;
mod guards;
mod hold;
mod lines;
pub mod look;
mod recipe;

pub use address::Asked;

use crate::error::Error;
use crate::http::dial;
use crate::mcp::Boxed;
use crate::orchestrator::egress::Way;
use crate::orchestrator::sandbox::{Level, Order, Place, Program, Sandbox, Tail, Usage};
use crate::orchestrator::{egress, first};
use crate::tasks::Tasks;
use crate::text;
use binary::Binary;
use bollard::models::{ContainerCreateBody, ImageInspect};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    StartContainerOptions,
};
use bollard::{BollardRequest, Docker};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OnceCell, watch};

/// The image of our own worker.
pub const IMAGE: &str = "mcp-server:latest";
/// What the engine has time for to answer, in seconds.
const ANSWER: u64 = 60;

/// What an engine is used for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the engine is.
    pub asked: Asked,
    /// This Hearth, among those that share the engine.
    pub node: String,
    /// The image of our own worker, `SANDBOX_IMAGE`.
    pub image: String,
    /// Our own program: `/proc/self/exe`.
    pub binary: PathBuf,
    /// A runtime of the engine other than its own, for example `runsc`.
    pub runtime: Option<String>,
    /// A folder for sockets that the engine sees at the same path; without one no sandbox has a way
    /// out. There is none where the engine is on another machine or Hearth itself in a container.
    pub ways_out: Option<PathBuf>,
}

/// An engine. Cloning it is cheap.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    name: String,
    docker: Docker,
    tasks: Tasks,
    /// This run of Hearth, as a label.
    run: String,
    /// Whether it is Podman, once it was asked.
    is_podman: OnceCell<bool>,
    binary: OnceCell<Binary>,
    /// Names of sandboxes that are being made: no sweep may take them.
    making: Mutex<BTreeSet<String>>,
}

impl Engine {
    /// Makes it; nothing is asked of the engine yet.
    ///
    /// # Errors
    /// Invalid for an address that is none or a certificate that cannot be used; Offline when none is
    /// asked for and there is none.
    pub fn new(settings: Settings, tasks: &Tasks) -> Result<Engine, Error> {
        let found = address::find(&settings.asked, &address::usual())?;
        settings.ways_out.iter().for_each(|all| egress::clean(all));
        let (to, own) = (found.address, tasks.clone());
        let transport = move |request: BollardRequest| {
            let (to, own) = (to.clone(), own.clone());
            let send = async move { dial::send(&to, request, &own).await.map_err(Into::into) };
            Box::pin(send)
        };
        let at = Some("http://engine");
        let docker = Docker::connect_with_custom_transport(
            transport,
            at,
            ANSWER,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|e| Error::broken("cannot set up the client of the engine").because(e))?;
        let mut run = [0u8; 8];
        getrandom::fill(&mut run).map_err(|e| Error::broken("no random numbers").because(e))?;
        Ok(Engine {
            shared: Arc::new(Shared {
                settings,
                name: found.name,
                docker,
                tasks: tasks.clone(),
                run: text::hex(&run),
                is_podman: OnceCell::new(),
                binary: OnceCell::new(),
                making: Mutex::new(BTreeSet::new()),
            }),
        })
    }
}

impl Place for Engine {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn level(&self) -> Boxed<'_, Result<Level, Error>> {
        Box::pin(async move {
            self.shared.docker().await?;
            Ok(Level::Container)
        })
    }

    fn start<'a>(&'a self, order: &'a Order) -> Boxed<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let making = Making::begin(&self.shared, &order.name);
            let started = self.shared.start(order).await;
            drop(making);
            started
        })
    }

    fn sweep<'a>(&'a self, keep: &'a BTreeSet<String>) -> Boxed<'a, Result<usize, Error>> {
        Box::pin(self.shared.sweep(keep))
    }
}

/// Notes that a sandbox is being made, until it is dropped.
struct Making<'a> {
    shared: &'a Shared,
    name: &'a str,
}

impl<'a> Making<'a> {
    fn begin(shared: &'a Shared, name: &'a str) -> Making<'a> {
        lock(&shared.making).insert(name.to_owned());
        Making { shared, name }
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        lock(&self.shared.making).remove(self.name);
    }
}

/// A container that nobody holds yet: removed unless somebody does.
struct Unheld<'a> {
    shared: &'a Shared,
    id: Option<String>,
}

impl Drop for Unheld<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let docker = self.shared.docker.clone();
            self.shared.tasks.job(async move {
                if let Err(e) = hold::remove(&docker, &id).await {
                    log::warn!("cannot remove {id}: {e}; the next sweep does");
                }
            });
        }
    }
}

impl Shared {
    /// The client, once the engine has said which version it speaks.
    async fn docker(&self) -> Result<&Docker, Error> {
        self.is_podman
            .get_or_try_init(|| async {
                let asked = self.docker.clone().negotiate_version().await;
                let docker = asked.map_err(|e| fault::offline("cannot reach the engine", e))?;
                let info = docker.info().await.map_err(|e| fault::offline("no engine", e))?;
                let theirs = info.architecture.unwrap_or_default();
                match is_ours(&theirs) {
                    true => is_podman(&docker).await,
                    false => Err(Error::offline(format!(
                        "the engine runs on {}, this Hearth is for {}: our own program cannot run \
                         there; use an engine of the same kind",
                        text::clean(&theirs, 40),
                        std::env::consts::ARCH
                    ))),
                }
            })
            .await?;
        Ok(&self.docker)
    }

    async fn start(&self, order: &Order) -> Result<Sandbox, Error> {
        let reference = match &order.program {
            Program::Worker => &self.settings.image,
            Program::Image { reference, .. } => reference,
            Program::Command { .. } => {
                return Err(Error::refused(
                    "a program of this machine cannot run in a container; name an image",
                ));
            }
        };
        let way = self.way(order)?;
        let frame = frame(order)?;
        let docker = self.docker().await?;
        let image = self.image(docker, reference).await?;
        let id = image.id.as_deref().unwrap_or(reference);
        let binary = self.binary(docker, id).await?;
        let config = image.config.clone().unwrap_or_default();
        let body = recipe::container(
            order,
            &recipe::Facts {
                image: id,
                config: &config,
                volume: &binary.volume,
                run: &self.run,
                runtime: self.settings.runtime.as_deref(),
                is_podman: self.is_podman.get() == Some(&true),
                out: way.as_ref().and_then(|way| way.folder.to_str()),
            },
        );
        let made = self.make(docker, &recipe::name(order), body).await?;
        let mut unheld = Unheld { shared: self, id: Some(made.id.clone()) };
        let attach = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = docker
            .attach_container(&made.id, Some(attach))
            .await
            .map_err(|e| fault::offline("cannot attach to a sandbox", e))?;
        let tail = Tail::default();
        let (mut stdin, stdout) = lines::of(attached, tail.clone(), &self.tasks);
        docker
            .start_container(&made.id, None::<StartContainerOptions>)
            .await
            .map_err(|e| fault::offline("cannot start a sandbox", e))?;
        stdin
            .write_all(&frame)
            .await
            .map_err(|e| Error::broken("cannot hand over the environment").because(e))?;
        let (said, end) = watch::channel(None);
        self.tasks.job(hold::watch(docker.clone(), made.id.clone(), Arc::new(said)));
        unheld.id = None;
        let warnings = made.warnings.iter().map(|words| text::clean(words, 200)).collect();
        Ok(Sandbox {
            id: made.id.chars().take(12).collect(),
            level: Level::Container,
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            hold: Arc::new(hold::Container {
                docker: docker.clone(),
                id: made.id,
                limits: order.limits,
                warnings,
                tail,
                tasks: self.tasks.clone(),
                end,
                last: Mutex::new(Usage::default()),
                _way: way,
            }),
        })
    }

    fn way(&self, order: &Order) -> Result<Option<Way>, Error> {
        match &self.settings.ways_out {
            _ if order.egress.is_empty() => Ok(None),
            Some(all) => Way::open(all, egress::For::Engine, order, &self.tasks).map(Some),
            None => Err(Error::refused(
                "this engine shares no folder with Hearth, so its sandboxes have no way out; use an \
                 engine on this machine, with Hearth outside of a container",
            )),
        }
    }

    async fn image(&self, docker: &Docker, reference: &str) -> Result<ImageInspect, Error> {
        let shown = text::clean(reference, 200);
        docker.inspect_image(reference).await.map_err(|e| match fault::is_gone(&e) {
            // Nothing is fetched: what runs here is what somebody put here.
            true if reference == self.settings.image => Error::offline(format!(
                "the image {shown} is not on the engine; build it: scripts/build && \
                 docker build -f Dockerfile.mcp -t {shown} ."
            )),
            true => Error::offline(format!(
                "the image {shown} is not on the engine, and none is fetched; build or load it there: \
                 docker pull {shown}"
            )),
            false => fault::offline("cannot look at an image", e),
        })
    }

    /// Our own program, on the engine.
    async fn binary(&self, docker: &Docker, image: &str) -> Result<&Binary, Error> {
        self.binary
            .get_or_try_init(|| async {
                let path = self.settings.binary.clone();
                let binary = self.tasks.blocking(move || Binary::read(&path)).await??;
                binary.put(docker, image, &self.settings.node, &self.run).await?;
                Ok(binary)
            })
            .await
    }

    /// Makes a container; one of the same name that was left behind goes first.
    async fn make(
        &self,
        docker: &Docker,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<bollard::models::ContainerCreateResponse, Error> {
        let options = || Some(CreateContainerOptionsBuilder::default().name(name).build());
        let made = match docker.create_container(options(), body.clone()).await {
            // Podman says the same with status 500.
            Err(bollard::errors::Error::DockerResponseServerError { status_code, message })
                if status_code == 409 || message.contains("is already in use") =>
            {
                hold::remove(docker, name).await?;
                docker.create_container(options(), body).await
            }
            made => made,
        };
        let made = made.map_err(|e| fault::offline("cannot make a sandbox", e))?;
        for words in &made.warnings {
            log::warn!("the engine says of {name}: {}", text::clean(words, 200));
        }
        Ok(made)
    }

    async fn sweep(&self, keep: &BTreeSet<String>) -> Result<usize, Error> {
        let docker = self.docker().await?;
        // Before the list is taken: what is made while we look has its container before its name goes.
        let before = lock(&self.making).clone();
        let ours = format!("{}={}", recipe::NODE, self.settings.node);
        let filters = HashMap::from([("label".to_owned(), vec![ours])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = docker
            .list_containers(Some(options))
            .await
            .map_err(|e| fault::offline("cannot list the sandboxes", e))?;
        let mut ended = 0;
        for one in found {
            let labels = one.labels.unwrap_or_default();
            let label = |name: &str| labels.get(name).map(String::as_str);
            let is_of_this_run = label(recipe::RUN) == Some(&self.run);
            let is_kept = label(recipe::NAME).is_none_or(|name| {
                keep.contains(name) || before.contains(name) || lock(&self.making).contains(name)
            });
            if let Some(id) = one.id.filter(|_| !(is_of_this_run && is_kept)) {
                hold::remove(docker, &id).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// The first thing that the first process reads.
fn frame(order: &Order) -> Result<Vec<u8>, Error> {
    let mut all: BTreeMap<&str, &str> =
        BTreeMap::from([("HOME", recipe::SCRATCH), ("TMPDIR", recipe::SCRATCH)]);
    if !order.egress.is_empty() {
        all.extend(egress::environment());
    }
    all.extend(order.environment.iter().map(|(name, value)| (name.as_str(), value.reveal())));
    first::make_frame(&all).map_err(|words| Error::limit(format!("the environment: {words}")))
}

async fn is_podman(docker: &Docker) -> Result<bool, Error> {
    let version = docker.version().await.map_err(|e| fault::offline("no engine", e))?;
    let parts = version.components.unwrap_or_default();
    Ok(parts.iter().any(|part| part.name.to_ascii_lowercase().contains("podman")))
}

/// Whether a machine, as engines name it, runs our own program.
fn is_ours(theirs: &str) -> bool {
    let ours = std::env::consts::ARCH;
    let same = match theirs {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    same == ours
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
