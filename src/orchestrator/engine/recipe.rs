//! What a container is made of: the order, the image and the guards, as the engine wants them. Pure.
//!
//! What follows holds for every image: no network, a read-only root, no capability, no new privilege,
//! the engine's own system-call filter, nobody as user, limits, a scratch folder in memory that holds
//! no programs, and no log on the engine's disk.

use crate::orchestrator::egress::SOCKET;
use crate::orchestrator::engine::binary::{FOLDER, PROGRAM};
use crate::orchestrator::sandbox::{Limits, Order, Program};
use crate::text;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ImageConfig, Mount, MountType, ResourcesUlimits,
};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// Labels of everything that is ours on an engine.
pub(super) const NODE: &str = "hearth.node";
pub(super) const RUN: &str = "hearth.run";
pub(super) const NAME: &str = "hearth.name";
pub(super) const EPOCH: &str = "hearth.epoch";

/// Nobody, as most systems number it.
pub(super) const USER: &str = "65534:65534";
/// The scratch folder.
pub(super) const SCRATCH: &str = "/tmp";
/// Where the folder with the socket of the way out stands, when there is one.
const OUT: &str = "/.hearth-out";
/// Most of the shared memory that programs of many processes want; it counts as memory.
const SHARED: u64 = 16 << 20;

/// Processes of one user that Podman is told: fewer than any machine allows, more than all sandboxes.
const NPROC: i64 = 16_384;

/// What the recipe has to know besides the order.
pub(super) struct Facts<'a> {
    /// The image's id, so that nobody changes what its name means meanwhile.
    pub(super) image: &'a str,
    pub(super) config: &'a ImageConfig,
    /// The volume that holds our own program.
    pub(super) volume: &'a str,
    /// This run of Hearth.
    pub(super) run: &'a str,
    /// Another runtime than the engine's own, for example `runsc`.
    pub(super) runtime: Option<&'a str>,
    /// Whether the engine is Podman, which knows fewer options.
    pub(super) is_podman: bool,
    /// The folder on the engine's machine that holds the socket of the way out.
    pub(super) out: Option<&'a str>,
}

/// Returns the container's name: unique among the nodes that share an engine.
pub(super) fn name(order: &Order) -> String {
    let node = text::hex(&Sha256::digest(&order.node)[..4]);
    format!("hearth-{node}-{}", order.name)
}

/// Makes the container's description.
pub(super) fn container(order: &Order, facts: &Facts<'_>) -> ContainerCreateBody {
    let image = facts.config;
    let own = |part: &Option<Vec<String>>| part.clone().unwrap_or_default();
    let command = match &order.program {
        Program::Image { command: Some(command), .. } => command.clone(),
        _ => [own(&image.entrypoint), own(&image.cmd)].concat(),
    };
    let mut first = vec![PROGRAM.to_owned(), "sandbox-first".into(), "--stdin-env".into()];
    if facts.out.is_some() {
        first.extend(["--egress".into(), format!("{OUT}/{SOCKET}")]);
    }
    first.push("--".into());
    let working = image.working_dir.clone().filter(|folder| !folder.is_empty());
    ContainerCreateBody {
        image: Some(facts.image.to_owned()),
        user: Some(USER.into()),
        entrypoint: Some(first),
        cmd: Some(command),
        working_dir: Some(working.unwrap_or_else(|| SCRATCH.into())),
        hostname: Some("sandbox".into()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // When we are gone the server reads the end of its input.
        stdin_once: Some(true),
        tty: Some(false),
        network_disabled: Some(true),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
        labels: Some(HashMap::from([
            (NODE.to_owned(), order.node.clone()),
            (RUN.to_owned(), facts.run.to_owned()),
            (NAME.to_owned(), order.name.clone()),
            (EPOCH.to_owned(), order.epoch.to_string()),
        ])),
        host_config: Some(host(&order.limits, facts)),
        ..Default::default()
    }
}

fn host(limits: &Limits, facts: &Facts<'_>) -> HostConfig {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let memory = signed(limits.memory_bytes);
    let ulimit = |name: &str, n: i64| ResourcesUlimits {
        name: Some(name.into()),
        soft: Some(n),
        hard: Some(n),
    };
    let mut scratch = format!("rw,noexec,nosuid,nodev,size={},mode=1777", limits.scratch_bytes);
    let mut ulimits = vec![ulimit("nofile", i64::from(limits.open_files)), ulimit("core", 0)];
    if facts.is_podman {
        // It asks for a million otherwise, which a machine without CAP_SYS_RESOURCE refuses. What
        // bounds a sandbox is its control group: this limit counts everything of the same user.
        ulimits.push(ulimit("nproc", NPROC));
    } else {
        // Where the image has such a folder, runc gives the new one the old one's mode.
        scratch.push_str(",uid=65534,gid=65534");
    }
    // An image's volumes would be folders on the disk, without a bound and with programs.
    let volumes = facts.config.volumes.iter().flatten().filter(|path| path.starts_with('/'));
    let mut tmpfs: HashMap<String, String> =
        volumes.map(|path| (path.clone(), scratch.clone())).collect();
    tmpfs.insert(SCRATCH.into(), scratch);
    let mut mounts = vec![Mount {
        target: Some(FOLDER.into()),
        source: Some(facts.volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(true),
        ..Default::default()
    }];
    mounts.extend(facts.out.map(|folder| Mount {
        target: Some(OUT.into()),
        source: Some(folder.to_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Default::default()
    }));
    HostConfig {
        network_mode: Some("none".into()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        privileged: Some(false),
        memory: Some(memory),
        // No swap beside it.
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.processes)),
        nano_cpus: Some(i64::from(limits.cpu_thousandths) * 1_000_000),
        ulimits: Some(ulimits),
        ipc_mode: Some("private".into()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        shm_size: Some(signed(limits.scratch_bytes.min(SHARED))),
        log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
        tmpfs: Some(tmpfs),
        mounts: Some(mounts),
        runtime: facts.runtime.map(str::to_owned),
        auto_remove: Some(false),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use std::collections::BTreeMap;

    fn order(program: Program) -> Order {
        Order {
            name: "s-1".into(),
            node: "kitchen".into(),
            epoch: 7,
            program,
            environment: BTreeMap::from([("KEY".to_owned(), Secret::new("canary"))]),
            limits: Limits::default(),
            egress: Vec::new(),
        }
    }

    fn made(order: &Order, config: &ImageConfig) -> ContainerCreateBody {
        let (image, volume, run) = ("sha256:1", "hearth-abc", "r1");
        let (runtime, is_podman, out) = (None, false, None);
        container(order, &Facts { image, config, volume, run, runtime, is_podman, out })
    }

    #[test]
    fn the_images_own_command_runs_behind_ours_unless_another_is_asked_for() {
        let config = ImageConfig {
            entrypoint: Some(vec!["node".into()]),
            cmd: Some(vec!["server.js".into()]),
            ..Default::default()
        };
        let body = made(&order(Program::Worker), &config);
        let first = [PROGRAM, "sandbox-first", "--stdin-env", "--"].map(str::to_owned);
        assert_eq!(body.entrypoint.unwrap(), first);
        assert_eq!(body.cmd.unwrap(), ["node", "server.js"]);
        let (reference, command) = ("x".to_owned(), Some(vec!["sh".to_owned()]));
        let body = made(&order(Program::Image { reference, command }), &config);
        assert_eq!(body.cmd.unwrap(), ["sh"]);
    }

    #[test]
    fn secrets_are_nowhere_in_it_and_volumes_of_the_image_are_in_memory() {
        let config = ImageConfig { volumes: Some(vec!["/data".into()]), ..Default::default() };
        let body = made(&order(Program::Worker), &config);
        let text = serde_json::to_string(&body).unwrap();
        assert!(!text.contains("canary") && !text.contains("KEY"), "{text}");
        let tmpfs = body.host_config.unwrap().tmpfs.unwrap();
        assert!(tmpfs["/data"].contains("noexec") && tmpfs["/tmp"].contains("size=67108864"));
    }

    #[test]
    fn two_nodes_on_one_engine_do_not_meet() {
        let one = order(Program::Worker);
        let two = Order { node: "cellar".into(), ..one.clone() };
        assert_ne!(name(&one), name(&two));
        assert!(name(&one).ends_with("-s-1"));
    }
}
