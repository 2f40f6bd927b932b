//! The ALSA configuration of the static binary, handed to alsa-lib through a memfd.

use crate::error::Error;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, IntoRawFd as _};

/// Only the raw hardware devices: conversion and mixing are Aurora's own.
const RULES: &str = "
pcm.hw {
    @args [ CARD DEV SUBDEV ]
    @args.CARD { type string default \"0\" }
    @args.DEV { type integer default 0 }
    @args.SUBDEV { type integer default -1 }
    type hw
    card $CARD
    device $DEV
    subdevice $SUBDEV
}
ctl.hw {
    @args [ CARD ]
    @args.CARD { type string default \"0\" }
    type hw
    card $CARD
}
";

pub(super) fn embed() -> Result<(), Error> {
    let bad =
        |e: std::io::Error| Error::broken("cannot hand alsa-lib its configuration").because(e);
    let fd = nix::sys::memfd::memfd_create(c"alsa.conf", nix::sys::memfd::MFdFlags::empty())
        .map_err(|e| bad(e.into()))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(RULES.as_bytes()).map_err(bad)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Stays open for the life of the process: alsa-lib reads it whenever it opens a device.
    let _ = file.into_raw_fd();
    #[allow(unsafe_code, reason = "called first in main: no other thread reads the environment")]
    unsafe {
        std::env::set_var("ALSA_CONFIG_PATH", path);
    }
    Ok(())
}
