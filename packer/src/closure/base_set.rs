//! What nearly every program opens without naming it in its ELF file: tables, and the rules that say when each applies.

use std::rc::Rc;

use nix::errno::Errno;

use super::command;
use super::error::ClosureError;
use super::follow::{Demand, Follow};
use super::guard::without_hashes;
use super::{base, known, terminfo};
use crate::elf::{ElfFacts, is_absence};
use crate::ldso::Loader;
use crate::plan::{Node, Reason, ReasonKind, Secret, WarningKind};
use crate::rootfs::{Kind, Last, RootPath};

/// Files of `/etc` that libc and everyday programs read, a few kilobytes in all. Missing ones are missing. No secrets: shadow and
/// gshadow with the password hashes stay behind.
const ETC: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/networks",
    "/etc/rpc",
    "/etc/ethers",
    "/etc/login.defs",
    "/etc/environment",
    "/etc/shells",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/alpine-release",
    "/etc/inputrc",
    "/etc/mtab",
];

/// Directories that programs expect to be there, with the mode for a root file system that lacks them. Owners and modes are those of
/// the root file system where it has them.
const DIRECTORIES: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/usr/bin", 0o755),
    ("/usr/lib", 0o755),
    ("/usr/local", 0o755),
    ("/usr/share", 0o755),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/lib/misc", 0o755),
    ("/var/lock", 0o1777),
    ("/var/log", 0o755),
    ("/var/run", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
];

/// Files that are made up where the root file system has none.
const MADE: &[(&str, &str)] = &[
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    (
        "/etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
];

/// The C locale with UTF-8, under the names it has had.
const LOCALES: [&str; 2] = ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];

/// Most bytes of a file of `/etc` that are read.
const MAX_ETC: u64 = 4 * 1024 * 1024;

/// Adds the base set.
pub(super) fn add(follow: &mut Follow<'_>, entry: &RootPath) -> Result<(), ClosureError> {
    add_directories(follow)?;
    add_top_level_links(follow)?;
    for path in ETC.iter().map(|path| known(path)) {
        match follow.rootfs().open_file(&path) {
            Err(error) if error.errno() == Errno::EACCES => {
                follow
                    .entries
                    .warn(WarningKind::Skipped, &path, "left out: it may not be read");
            }
            // What is no file is there as it is, such as a link into /proc.
            _ => {
                follow.entries.add(path.as_bytes(), &base("the /etc skeleton"))?;
            }
        }
    }
    for (path, contents) in MADE {
        let node = Node::Synthetic {
            contents: contents.as_bytes().to_vec(),
        };
        follow
            .entries
            .insert_made(&known(path), node, 0o644, "the root file system has none")?;
    }
    hide_password_hashes(follow)?;
    add_loaders_files(follow)?;
    add_shell(follow, entry)?;
    add_name_services(follow)?;
    add_unwinder(follow)?;
    if follow
        .mapped()
        .any(|facts| facts.imports("setlocale") || facts.imports("newlocale"))
    {
        add_locale(follow)?;
    }
    if follow.mapped().any(terminfo::wants_terminfo) {
        terminfo::add(&mut follow.entries, Some(entry.clone()))?;
    }
    Ok(())
}

fn add_directories(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    for (path, mode) in DIRECTORIES {
        let path = known(path);
        match follow.rootfs().resolve(path.as_bytes(), Last::Keep) {
            // A link such as /var/run is taken as it is, without what it leads to.
            Ok(place) => {
                follow.entries.add_alone(&path, &base("a standard directory"))?;
                if place.metadata.kind == Kind::Symlink && path == known("/etc") {
                    let message =
                        "is a link: a start adds nothing of the host's to it, no resolv.conf and no name of the caller";
                    follow.entries.warn(WarningKind::Condition, &path, message);
                }
            }
            Err(error) if is_absence(error.errno()) => {
                follow
                    .entries
                    .insert_made(&path, Node::Directory, *mode, "a standard directory")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Links of the root directory that lead to directories: `/bin`, `/lib`, `/lib64`, … where `/usr` is merged.
fn add_top_level_links(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    for name in follow.rootfs().read_dir(&RootPath::root())? {
        let path = RootPath::root().join(&name.name);
        if follow.rootfs().lstat(&path)?.kind != Kind::Symlink {
            continue;
        }
        match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
            Ok(end) if end.metadata.kind == Kind::Directory => {
                follow
                    .entries
                    .add(path.as_bytes(), &base("a link of the root directory"))?;
            }
            Ok(_) => {}
            Err(error) if is_absence(error.errno()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Password hashes in `/etc/passwd` and `/etc/group` themselves, as very old systems have them, become `x`.
fn hide_password_hashes(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    for path in [known("/etc/passwd"), known("/etc/group")] {
        let Ok(place) = follow.rootfs().resolve(path.as_bytes(), Last::Follow) else {
            continue;
        };
        if place.metadata.kind != Kind::File || !follow.entries.contains(&place.path) {
            continue;
        }
        let contents = follow.rootfs().read_file(&place.path, MAX_ETC)?;
        if let Some(without) = without_hashes(&contents, b"x") {
            follow.entries.lock(&place.path, Secret::PasswordHashes, without);
        }
    }
    Ok(())
}

/// Caches, preload lists and path files of the loaders.
fn add_loaders_files(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    let files: Vec<_> = follow.loaders().flat_map(|loader| loader.files()).collect();
    for file in files {
        follow.entries.add(&file, &base("read by the loader"))?;
    }
    Ok(())
}

/// `/bin/sh`, where something mapped may call it.
fn add_shell(follow: &mut Follow<'_>, entry: &RootPath) -> Result<(), ClosureError> {
    let calls = |facts: &ElfFacts| {
        ["system", "popen", "wordexp"]
            .iter()
            .any(|symbol| facts.imports(symbol))
    };
    if !follow.mapped().any(calls) {
        return Ok(());
    }
    let reason = Reason {
        kind: ReasonKind::Base,
        by: Some(entry.clone()),
        detail: "system() and popen() start /bin/sh".to_owned(),
    };
    match command::find(follow.rootfs(), b"/bin/sh", "") {
        Ok(shell) => follow.program(shell.as_bytes(), &reason, Demand::Optional, 0),
        Err(ClosureError::Rootfs(error)) => Err(error.into()),
        // Most that link system() never call it: its absence is no news.
        Err(_) => Ok(()),
    }
}

/// The data bases of `/etc/nsswitch.conf` that programs ask for most.
const DATA_BASES: [&str; 3] = ["passwd", "group", "hosts"];

/// Modules of the name service switch, `libnss_SERVICE.so.2`, which libc opens by name. Since glibc 2.34 `files` and `dns` are in libc.
fn add_name_services(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    let asks = |facts: &ElfFacts| {
        facts
            .imports
            .iter()
            .any(|symbol| symbol.starts_with("get") || *symbol == "initgroups")
    };
    if !follow.mapped().any(|facts| asks(facts) && !is_libc(facts)) {
        return Ok(());
    }
    let configuration = match follow.rootfs().read_file(&known("/etc/nsswitch.conf"), MAX_ETC) {
        Ok(contents) => String::from_utf8_lossy(&contents).into_owned(),
        Err(error) if is_absence(error.errno()) => "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
        Err(error) => return Err(error.into()),
    };
    for service in services(&configuration) {
        let reason = base(format!("name service {service} of /etc/nsswitch.conf"));
        let module = format!("libnss_{service}.so.2");
        for loader in glibc_loaders(follow) {
            // The module itself is not missed, libc does without; what it needs is.
            let missing = follow.open_library(&loader, module.as_bytes(), &reason)?;
            follow.note_missing(missing.into_iter().filter(|(_, name)| name != module.as_bytes()));
        }
    }
    Ok(())
}

/// Services named for the data bases above, without actions such as `[NOTFOUND=return]`.
fn services(configuration: &str) -> Vec<String> {
    let mut services = Vec::new();
    for line in configuration.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((data_base, list)) = line.split_once(':') else {
            continue;
        };
        if !DATA_BASES.contains(&data_base.trim()) {
            continue;
        }
        let plain = list.split(['[', ']']).step_by(2).flat_map(str::split_whitespace);
        for service in plain.filter(|service| service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        {
            if !services.iter().any(|known| known == service) {
                services.push(service.to_owned());
            }
        }
    }
    services
}

/// libgcc_s, which glibc opens when a thread ends or is cancelled, and for `backtrace`.
fn add_unwinder(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    let triggers = ["pthread_cancel", "pthread_exit", "pthread_create", "backtrace"];
    let imported = |symbol: &&str| follow.mapped().any(|facts| !is_libc(facts) && facts.imports(symbol));
    let Some(symbol) = triggers.into_iter().find(imported) else {
        return Ok(());
    };
    let reason = Reason {
        kind: ReasonKind::ThreadCancel,
        by: None,
        detail: format!("something packed calls {symbol}"),
    };
    for loader in glibc_loaders(follow) {
        let missing = follow.open_library(&loader, b"libgcc_s.so.1", &reason)?;
        if !missing.is_empty() && symbol != "pthread_create" {
            let message = format!("needs libgcc_s.so.1 for {symbol}, which is not found in the root file system");
            follow.entries.warn(WarningKind::MissingLibrary, &loader.path, message);
        }
    }
    Ok(())
}

pub(super) fn glibc_loaders(follow: &Follow<'_>) -> Vec<Rc<Loader>> {
    let mut loaders: Vec<_> = follow.loaders().filter(|loader| !loader.is_musl()).cloned().collect();
    loaders.sort_by(|a, b| a.interpreter.cmp(&b.interpreter));
    loaders
}

/// libc and its loader, which import from each other what they define.
pub(super) fn is_libc(facts: &ElfFacts) -> bool {
    facts
        .soname
        .as_deref()
        .is_some_and(|soname| soname.starts_with(b"libc.so.") || soname.starts_with(b"ld-linux"))
}

/// The C locale with UTF-8.
fn add_locale(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    for path in LOCALES.map(RootPath::new) {
        let mut tree = Vec::new();
        match follow.rootfs().descend(&path, &mut tree) {
            Ok(()) => {}
            Err(error) if is_absence(error.errno()) => continue,
            Err(error) => return Err(error.into()),
        }
        for path in tree {
            follow
                .entries
                .add(path.as_bytes(), &base("the C locale with UTF-8, for setlocale()"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_nsswitch() {
        let configuration = "passwd: files systemd # x\ngroup:\tfiles\nshadow: files nis\n\
                             hosts: files mdns4_minimal [NOTFOUND=return] dns [!UNAVAIL=return] myhostname\n#hosts: nis\n";
        assert_eq!(
            services(configuration),
            ["files", "systemd", "mdns4_minimal", "dns", "myhostname"]
        );
    }
}
