//! The loopback of a new network namespace, which begins switched off.

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::os::fd::AsRawFd as _;

/// From linux/rtnetlink.h, linux/netlink.h and linux/if.h.
const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
const REQUEST_AND_ACK: u16 = 1 | 4;
const IFF_UP: u32 = 1;
/// Each namespace numbers its interfaces anew; loopback is made with it and is the first.
const LOOPBACK: i32 = 1;

/// Switches loopback on. The process must rule its network namespace.
pub(super) fn loopback_up() -> Result<(), String> {
    let fault = |e: nix::errno::Errno| format!("cannot switch loopback on: {e}");
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )
    .map_err(fault)?;
    send(kernel.as_raw_fd(), &request(), MsgFlags::empty()).map_err(fault)?;
    let mut answer = [0; 256];
    let n = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty()).map_err(fault)?;
    match error_of(&answer[..n]) {
        Some(0) => Ok(()),
        Some(code) => Err(fault(nix::errno::Errno::from_raw(-code))),
        None => Err("cannot switch loopback on: the kernel's answer is none".into()),
    }
}

/// `struct nlmsghdr` and `struct ifinfomsg`, in the machine's own order of bytes.
fn request() -> Vec<u8> {
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Sequence number and sender, which nobody else shares; family, kind of device.
    message.extend([0; 8]);
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message
}

/// The code in an answer: zero when it was done, otherwise a negative error number.
fn error_of(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let code = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    (kind == NLMSG_ERROR).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_length_and_an_answer_its_code() {
        assert_eq!(request().len(), 32);
        let answer = |kind: u16, code: i32| {
            let mut bytes = vec![0; 36];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..20].copy_from_slice(&code.to_ne_bytes());
            error_of(&bytes)
        };
        assert_eq!(answer(NLMSG_ERROR, 0), Some(0));
        assert_eq!(answer(NLMSG_ERROR, -1), Some(-1));
        assert_eq!(answer(RTM_NEWLINK, 0), None);
        assert_eq!(error_of(&[0; 8]), None);
    }
}
