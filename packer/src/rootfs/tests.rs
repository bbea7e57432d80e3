//! The kernel is the judge: `openat2` with RESOLVE_IN_ROOT resolves whole paths by itself, and must come to the same end.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;

const BOTH: [Confinement; 2] = [Confinement::Openat2, Confinement::ComponentWise];

/// A tree with links of every kind. Outside of it lies a file that no path may reach.
fn tree() -> TempDir {
    let outside = tempfile::tempdir().expect("a temporary directory");
    fs::write(outside.path().join("secret"), "outside").expect("written");
    let root = outside.path().join("root");
    for directory in ["usr/lib/deep", "usr/bin", "etc/alternatives", "opt"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    for file in ["usr/lib/libc.so", "usr/bin/tool", "etc/passwd", "secret"] {
        fs::write(root.join(file), file).expect("written");
    }
    for (target, link) in [
        ("usr/lib", "lib"),
        ("/usr/bin", "bin"),
        ("../../secret", "opt/up"),
        ("../../../../../../../../secret", "opt/far-up"),
        ("/etc/alternatives/tool", "usr/bin/chosen"),
        ("/usr/bin/tool", "etc/alternatives/tool"),
        ("loop-b", "opt/loop-a"),
        ("loop-a", "opt/loop-b"),
        ("nowhere", "opt/dangling"),
        ("/usr/lib/", "opt/slash"),
        ("/usr/bin/tool/", "opt/file-slash"),
        (".", "opt/here"),
        ("..", "opt/there"),
        ("/", "opt/root"),
        ("/usr/lib/deep/../libc.so", "opt/through"),
    ] {
        symlink(target, root.join(link)).expect("a link");
    }
    for number in 0..45 {
        let target = if number == 0 {
            "/etc/passwd".to_owned()
        } else {
            format!("chain{}", number - 1)
        };
        symlink(target, root.join(format!("opt/chain{number}"))).expect("a link");
    }
    outside
}

fn open(tree: &TempDir, confinement: Confinement) -> Rootfs {
    Rootfs::open_confined(&tree.path().join("root"), confinement).expect("a directory")
}

/// Where the kernel ends up.
fn kernel(rootfs: &Rootfs, path: &[u8], last: Last) -> Result<(u64, u64), Errno> {
    let keep = if last == Last::Keep {
        OFlag::O_NOFOLLOW
    } else {
        OFlag::empty()
    };
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | keep)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let descriptor = loop {
        // With `..` in the path the kernel gives up when anything is mounted or renamed anywhere meanwhile.
        match openat2(&rootfs.root, OsStr::from_bytes(path), how) {
            Err(Errno::EAGAIN) => {}
            answer => break answer?,
        }
    };
    Ok(Metadata::from(&fstat(&descriptor)?).identity)
}

#[test]
fn resolve_ends_where_it_should() {
    let tree = tree();
    for confinement in BOTH {
        let rootfs = open(&tree, confinement);
        for (path, expected) in [
            ("/", Ok("/")),
            ("/usr/lib/libc.so", Ok("/usr/lib/libc.so")),
            ("usr//lib/./libc.so", Ok("/usr/lib/libc.so")),
            ("/lib/libc.so", Ok("/usr/lib/libc.so")),
            ("/bin/tool", Ok("/usr/bin/tool")),
            ("/bin/chosen", Ok("/usr/bin/tool")),
            ("/bin/../lib/libc.so", Ok("/usr/lib/libc.so")),
            ("/../../etc/passwd", Ok("/etc/passwd")),
            ("/opt/up", Ok("/secret")),
            ("/opt/far-up", Ok("/secret")),
            ("/opt/root/etc/passwd", Ok("/etc/passwd")),
            ("/opt/here/there/etc", Ok("/etc")),
            ("/opt/through", Ok("/usr/lib/libc.so")),
            ("/opt/slash", Ok("/usr/lib")),
            ("/usr/lib/", Ok("/usr/lib")),
            ("/opt/chain39", Ok("/etc/passwd")),
            ("/opt/chain40", Err(Errno::ELOOP)),
            ("/opt/loop-a", Err(Errno::ELOOP)),
            ("/opt/dangling", Err(Errno::ENOENT)),
            ("/nowhere/else", Err(Errno::ENOENT)),
            ("/etc/passwd/x", Err(Errno::ENOTDIR)),
            ("/etc/passwd/", Err(Errno::ENOTDIR)),
            ("/etc/passwd/..", Err(Errno::ENOTDIR)),
            ("/opt/file-slash", Err(Errno::ENOTDIR)),
            ("", Err(Errno::ENOENT)),
            (&"x".repeat(256), Err(Errno::ENAMETOOLONG)),
        ] {
            let found = rootfs.resolve(path, Last::Follow);
            let found_path = found
                .as_ref()
                .map(|end| end.path.to_string())
                .map_err(RootfsError::errno);
            assert_eq!(found_path, expected.map(str::to_owned), "{path}");
            let identity = found.map(|end| end.metadata.identity).map_err(|error| error.errno());
            assert_eq!(
                identity,
                kernel(&rootfs, path.as_bytes(), Last::Follow),
                "{confinement:?}: the kernel on {path}"
            );
        }
        // No system call takes a NUL.
        assert!(
            rootfs
                .resolve("/opt\0", Last::Follow)
                .is_err_and(|error| error.is_not_found())
        );
    }
}

#[test]
fn every_hop_is_told() {
    let tree = tree();
    for confinement in BOTH {
        let rootfs = open(&tree, confinement);
        let paths = |list: &[RootPath]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let end = rootfs.resolve("/bin/chosen", Last::Follow).expect("resolves");
        assert_eq!(paths(&end.links), ["/bin", "/usr/bin/chosen", "/etc/alternatives/tool"]);
        assert_eq!(
            paths(&end.directories),
            ["/usr", "/usr/bin", "/etc", "/etc/alternatives", "/usr", "/usr/bin"]
        );
        let kept = rootfs.resolve("/bin/chosen", Last::Keep).expect("resolves");
        assert_eq!(
            (kept.path.to_string().as_str(), kept.metadata.kind),
            ("/usr/bin/chosen", Kind::Symlink)
        );
        let through = rootfs.resolve("/opt/through", Last::Follow).expect("resolves");
        assert!(
            paths(&through.directories).contains(&"/usr/lib/deep".to_owned()),
            "a directory that .. leaves must be there"
        );
    }
}

/// A tree may be deeper than the longest path of one system call.
#[test]
fn deep_trees_are_reached() {
    let tree = tempfile::tempdir().expect("a temporary directory");
    let name = "d".repeat(250);
    let mut at = std::fs::File::open(tree.path()).map(OwnedFd::from).expect("open");
    for _ in 0..20 {
        nix::sys::stat::mkdirat(&at, name.as_str(), Mode::S_IRWXU).expect("a directory");
        at = nix::fcntl::openat(&at, name.as_str(), OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).expect("open");
    }
    for confinement in BOTH {
        let rootfs = Rootfs::open_confined(tree.path(), confinement).expect("a directory");
        let path = RootPath::new(format!("/{name}").repeat(20));
        assert_eq!(rootfs.lstat(&path).expect("there").kind, Kind::Directory);
        assert_eq!(rootfs.read_dir(&path), Ok(Vec::new()));
        let mut all = Vec::new();
        rootfs.descend(&RootPath::root(), &mut all).expect("readable");
        assert_eq!(all.len(), 21);
    }
}

/// Trees and paths at random, from a fixed seed: always the kernel's answer.
#[test]
fn resolve_agrees_with_the_kernel_on_random_trees() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).expect("small")
    };
    let names = ["a", "b", "c", "..", ".", "", "d"];
    let mut found = 0;
    for _ in 0..30 {
        let tree = tempfile::tempdir().expect("a temporary directory");
        let root = tree.path().join("x/y/root");
        fs::create_dir_all(&root).expect("a directory");
        let mut path = |length: usize| {
            (0..length)
                .map(|_| names[below(names.len())])
                .collect::<Vec<_>>()
                .join("/")
        };
        for number in 0..24 {
            let place = root.join(path(1 + number % 4).replace("..", "a").trim_matches('/'));
            // What cannot be made at random is not made.
            let _made = match number % 3 {
                0 => fs::create_dir_all(&place).is_ok(),
                1 => symlink(path(1 + number % 5), &place).is_ok(),
                _ => symlink(format!("/{}", path(1 + number % 3)), &place).is_ok() || fs::write(&place, "x").is_ok(),
            };
        }
        for confinement in BOTH {
            let rootfs = Rootfs::open_confined(&root, confinement).expect("a directory");
            for number in 0..200 {
                let path = path(1 + number % 6);
                for last in [Last::Follow, Last::Keep] {
                    let ours = rootfs
                        .resolve(&path, last)
                        .map(|end| end.metadata.identity)
                        .map_err(|error| error.errno());
                    assert_eq!(
                        ours,
                        kernel(&rootfs, path.as_bytes(), last),
                        "{path} {last:?} {confinement:?}"
                    );
                    found += usize::from(ours.is_ok());
                }
            }
        }
    }
    assert!(found > 2000, "too few paths lead anywhere to mean anything: {found}");
}

#[test]
fn files_are_read_and_nothing_else_is_opened() {
    let tree = tree();
    let root = tree.path().join("root");
    mkfifo(&root.join("opt/fifo"), Mode::S_IRWXU).expect("a FIFO");
    for confinement in BOTH {
        let rootfs = open(&tree, confinement);
        let read = |path: &str| {
            rootfs
                .read_file(&RootPath::new(path), 100)
                .map_err(|error| error.errno())
        };
        assert_eq!(read("/bin/chosen").as_deref(), Ok(&b"usr/bin/tool"[..]));
        assert_eq!(
            read("/opt/far-up").as_deref(),
            Ok(&b"secret"[..]),
            "inside the root, not beside it"
        );
        assert_eq!(read("/usr/lib"), Err(Errno::EISDIR));
        assert_eq!(read("/opt/fifo"), Err(Errno::ENXIO));
        assert_eq!(read("/opt/nothing"), Err(Errno::ENOENT));
        assert_eq!(
            rootfs
                .read_file(&RootPath::new("/etc/passwd"), 3)
                .map_err(|error| error.errno()),
            Err(Errno::EFBIG)
        );
        assert_eq!(rootfs.read_link(&RootPath::new("/bin")), Ok(b"/usr/bin".to_vec()));
        assert_eq!(
            rootfs.read_link(&RootPath::new("/etc")).map_err(|error| error.errno()),
            Err(Errno::EINVAL)
        );
        let names: Vec<_> = rootfs
            .read_dir(&RootPath::new("/bin"))
            .expect("a directory")
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, [b"chosen".to_vec(), b"tool".to_vec()]);
        assert_eq!(rootfs.lstat(&RootPath::new("/bin")).expect("there").kind, Kind::Symlink);
    }
}

/// A directory that becomes a link after it was looked up must not be followed out of the root.
#[test]
fn what_changes_meanwhile_does_not_lead_out() {
    for confinement in BOTH {
        let tree = tree();
        let root = tree.path().join("root");
        fs::create_dir_all(root.join("swap")).expect("a directory");
        fs::write(root.join("swap/file"), "inside").expect("written");
        fs::create_dir(tree.path().join("out")).expect("a directory");
        fs::write(tree.path().join("out/file"), "outside").expect("written");
        let rootfs = open(&tree, confinement);
        rootfs.lstat(&RootPath::new("/swap/file")).expect("there");
        fs::remove_dir_all(root.join("swap")).expect("removed");
        symlink(tree.path().join("out"), root.join("swap")).expect("a link");
        assert!(
            rootfs.read_file(&RootPath::new("/swap/file"), 100).is_err(),
            "{confinement:?}"
        );
    }
}

#[test]
fn roots_that_are_none() {
    let tree = tree();
    let path = |name: &str| tree.path().join(name);
    assert_eq!(
        Rootfs::open(&path("nothing")).err(),
        Some(RootfsError::Missing {
            rootfs: path("nothing")
        })
    );
    assert_eq!(
        Rootfs::open(&path("secret")).err(),
        Some(RootfsError::NotADirectory { rootfs: path("secret") })
    );
    fs::set_permissions(path("root/opt"), fs::Permissions::from_mode(0o000)).expect("changed");
    let unreadable = Rootfs::open(&path("root/opt/x")).expect_err("nothing there");
    assert!(unreadable.hint().is_some() && !unreadable.to_string().contains('\n'));
}

#[test]
fn globs() {
    let tree = tree();
    for confinement in BOTH {
        let rootfs = open(&tree, confinement);
        for (pattern, expected) in [
            ("/usr/lib/*.so", vec!["/usr/lib/libc.so"]),
            ("/lib/lib*", vec!["/lib/libc.so"]),
            ("/lib", vec!["/lib"]),
            ("/usr/**/libc.so", vec!["/usr/lib/libc.so"]),
            (
                "/usr/**",
                vec![
                    "/usr",
                    "/usr/bin",
                    "/usr/bin/chosen",
                    "/usr/bin/tool",
                    "/usr/lib",
                    "/usr/lib/deep",
                    "/usr/lib/libc.so",
                ],
            ),
            ("/{etc,secret}/passwd", vec!["/etc/passwd"]),
            ("/{etc/passwd,secret}", vec!["/etc/passwd", "/secret"]),
            ("/opt/loop-?", vec!["/opt/loop-a", "/opt/loop-b"]),
            ("/etc/passwd/*", vec![]),
            ("/nothing/**", vec![]),
            ("/opt/chain[0-2]", vec!["/opt/chain0", "/opt/chain1", "/opt/chain2"]),
        ] {
            let pattern = Pattern::new(pattern).expect("a pattern");
            let found: Vec<_> = rootfs
                .glob(&pattern)
                .expect("readable")
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, expected, "{}", pattern.text());
        }
    }
    for text in ["usr/lib", "", "/usr/[", "/{a"] {
        let error = Pattern::new(text).expect_err(text).to_string();
        assert!(error.starts_with("pattern") && !error.contains('\n'), "{error}");
    }
}
