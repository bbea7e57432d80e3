//! What stands behind a failure, and what helps. Pure.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::findings::{Findings, Namespace};
use crate::error::contains;
use crate::ladder::Rung;
use crate::process::message::Failure;

/// Something that would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What is in the way.
    pub cause: String,
    /// What to type, as root where it says so by `sudo`; none where there is nothing to type.
    pub command: Option<String>,
}

impl Remedy {
    fn new(cause: &str, command: &str) -> Self {
        Self {
            command: Some(command.to_owned()),
            ..Self::without(cause)
        }
    }

    fn without(cause: &str) -> Self {
        Self {
            cause: cause.to_owned(),
            command: None,
        }
    }
}

/// What would make `rung` hold for `file`, the most likely first.
pub(super) fn remedies(rung: Rung, findings: &Findings, failure: &Failure, file: &Path) -> Vec<Remedy> {
    let mut found = Vec::new();
    let says = |text: &str| contains(failure.message.as_bytes(), text);
    match rung {
        // Nothing is in the way but what the caller or the packer wanted, which the hint says.
        Rung::Fusermount | Rung::Disk if says("without a root of its own is refused") => {}
        Rung::Loop => of_loop(findings, file, &mut found),
        Rung::Fuse => {
            of_namespace(findings, file, &mut found);
            of_device(findings, &mut found);
            of_overlay(findings, &mut found);
        }
        Rung::Unpack => {
            of_namespace(findings, file, &mut found);
            // Of namespaces there may be too many, too, with the same errno.
            if found.is_empty() && says(Errno::ENOSPC.desc()) {
                found.push(Remedy::without(
                    "the image does not fit into three quarters of the memory",
                ));
            }
        }
        Rung::Fusermount => {
            if says("no fusermount3") {
                found.push(Remedy::new(
                    "fusermount3 is not installed",
                    "sudo apt-get install fuse3",
                ));
            }
            if says("determine username") {
                let cause = "fusermount3 wants the user to have an entry in /etc/passwd";
                found.push(Remedy::new(cause, &format!("sudo useradd -u {} polecat", findings.uid)));
            }
            if says("Operation not permitted") {
                let cause = "fusermount3 has lost the right to mount: in a container, with no_new_privs, or without its set-user-id bit";
                found.push(Remedy::new(
                    cause,
                    "docker run --cap-add SYS_ADMIN --device /dev/fuse --security-opt apparmor=unconfined ...",
                ));
            }
            of_device(findings, &mut found);
        }
        Rung::Disk => {
            let cause = match says(Errno::ENOSPC.desc()) {
                true => "there is no room where files could be executed",
                false => "no directory was found that is yours and whose files can be executed",
            };
            let command = format!("mkdir -m 700 DIR && XDG_CACHE_HOME=DIR {}", quoted(file));
            found.push(Remedy::new(cause, &command));
        }
        Rung::Kept | Rung::Directory => {}
    }
    if let (true, Some(hint)) = (found.is_empty(), &failure.hint) {
        found.push(Remedy::without(&format!("try: {}", hint.display())));
    }
    found
}

fn of_loop(findings: &Findings, file: &Path, found: &mut Vec<Remedy>) {
    if !findings.privileged {
        found.push(match findings.uid {
            0 => Remedy::new(
                "only a root with CAP_SYS_ADMIN may use loop devices, which this container's has not",
                "docker run --privileged ...",
            ),
            _ => Remedy::new("only root may use loop devices", &format!("sudo {}", quoted(file))),
        });
        return;
    }
    match findings.loop_control {
        Some(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => {
            found.push(Remedy::new("there are no loop devices", "sudo modprobe loop"));
        }
        Some(errno) => found.push(Remedy::without(&format!("/dev/loop-control: {}", errno.desc()))),
        None => {}
    }
    if findings.lacks("squashfs") {
        found.push(Remedy::new("the kernel has no squashfs", "sudo modprobe squashfs"));
    }
    of_overlay(findings, found);
    if found.is_empty() {
        found.push(Remedy::without(
            "the kernel's squashfs may lack zstd (CONFIG_SQUASHFS_ZSTD): the other rungs do without it",
        ));
    }
}

fn of_overlay(findings: &Findings, found: &mut Vec<Remedy>) {
    if findings.lacks("overlay") {
        found.push(Remedy::new("the kernel has no overlay", "sudo modprobe overlay"));
    }
}

fn of_device(findings: &Findings, found: &mut Vec<Remedy>) {
    match findings.fuse {
        Some(Errno::ENOENT) => {
            found.push(Remedy::new("there is no /dev/fuse", "sudo modprobe fuse"));
            found.push(Remedy::new(
                "a container gets it by an option of its engine",
                "docker run --device /dev/fuse ...",
            ));
        }
        Some(Errno::ENODEV | Errno::ENXIO) => {
            found.push(Remedy::new("there is nothing behind /dev/fuse", "sudo modprobe fuse"));
        }
        Some(Errno::EACCES) => found.push(Remedy::new("/dev/fuse is not for everyone", "sudo chmod 666 /dev/fuse")),
        Some(errno) => found.push(Remedy::without(&format!("/dev/fuse: {}", errno.desc()))),
        None => {}
    }
}

fn of_namespace(findings: &Findings, file: &Path, found: &mut Vec<Remedy>) {
    if findings.privileged {
        return;
    }
    let (errno, made) = match findings.namespace {
        Namespace::Works => return,
        Namespace::NotMade(errno) => (errno, false),
        Namespace::Useless(errno) => (errno, true),
    };
    let off = |name| findings.setting(name) == Some(0);
    if off("kernel.unprivileged_userns_clone") {
        let command = "sudo sysctl -w kernel.unprivileged_userns_clone=1";
        found.push(Remedy::new("user namespaces are switched off", command));
    }
    for name in ["user.max_user_namespaces", "user.max_mnt_namespaces"] {
        if off(name) || (errno == Errno::ENOSPC && name == "user.max_user_namespaces") {
            let cause = "there are as many namespaces as may be";
            found.push(Remedy::new(cause, &format!("sudo sysctl -w {name}=15000")));
            if errno == Errno::ENOSPC {
                break;
            }
        }
    }
    if findings.setting("kernel.apparmor_restrict_unprivileged_userns") == Some(1) {
        let cause = "AppArmor takes the rights in user namespaces from programs without a profile";
        found.push(Remedy {
            cause: cause.to_owned(),
            command: apparmor(file),
        });
        found.push(Remedy::new(
            "or for all programs",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ));
    }
    if !found.is_empty() {
        return;
    }
    found.push(match errno {
        Errno::EINVAL if !made => Remedy::without("the kernel has no user namespaces (CONFIG_USER_NS)"),
        Errno::ENOENT if made => Remedy::new("there is no /proc", "sudo mount -t proc proc /proc"),
        _ if findings.filtered => Remedy::new(
            "a filter of system calls (seccomp), as container engines have, forbids it",
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined ...",
        ),
        _ if made => Remedy::without(&format!(
            "a user namespace can be made, and nothing mounted in it ({}): a security module, or a /proc that is covered in part",
            errno.desc()
        )),
        _ => Remedy::without(&format!(
            "user namespaces cannot be made ({}): a chroot(2), a container engine, or a security module",
            errno.desc()
        )),
    });
}

/// A profile that says nothing but that this file may have user namespaces, and the command that loads it. None for a name that would
/// mean something else in it, or to printf(1).
fn apparmor(file: &Path) -> Option<String> {
    let shown = file.display().to_string();
    let means_more = |letter: char| {
        letter.is_ascii_control()
            || matches!(
                letter,
                '"' | '\\' | '*' | '?' | '[' | ']' | '{' | '}' | '^' | '\u{fffd}'
            )
    };
    if shown.chars().any(means_more) {
        return None;
    }
    let name: String = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let odd = |byte: char| !(byte.is_ascii_alphanumeric() || matches!(byte, '.' | '-' | '_'));
    let name = format!("polecat.{}", name.replace(odd, "_"));
    let profile = format!(
        "abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile {name} \"{}\" flags=(unconfined) {{\\n  userns,\\n}}\\n",
        shown.replace('%', "%%")
    );
    let path = format!("/etc/apparmor.d/{name}");
    Some(format!(
        "printf {} | sudo tee {path} && sudo apparmor_parser -r {path}",
        quote(&profile)
    ))
}

fn quoted(file: &Path) -> String {
    quote(&file.display().to_string())
}

/// A word of a shell.
fn quote(text: &str) -> String {
    let plain =
        |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '/' | '.' | '-' | '_' | '+' | ',' | '=' | '@');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;
