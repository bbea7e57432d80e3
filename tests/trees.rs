//! The packed tree is the same however it comes to be seen: mounted by the kernel, served through FUSE, unpacked to
//! memory, extracted to disk, or read by unsquashfs; and it is the tree it was packed from.

#![forbid(unsafe_code)]

#[path = "trees/formats.rs"]
mod formats;
#[path = "trees/listing.rs"]
mod listing;
#[path = "trees/odd.rs"]
mod odd;

use std::path::{Path, PathBuf};
use std::process::Command;

use listing::{Line, Listing};
use support::format::Layout;
use support::requirement::{is_root, skip, tool};
use support::roots::compile;
use support::{Bundle, Need, Place, Polecat, Scratch, exec};

/// What a run puts over the image: of the host, of the caller, or of its own.
const OF_THE_RUN: [&str; 11] = [
    "/dev",
    "/etc/group",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/root",
];

/// A packed program that lists its own root file system, and the same program for use outside.
struct Lister {
    bundle: Bundle,
    outside: PathBuf,
}

impl Lister {
    fn pack(root: &Path, options: &[&str]) -> Self {
        // A closed box: home and working directory would be mounted into the tree.
        let bundle = Bundle::pack(&[&["--contain"], options].concat(), root, &["/bin/tree"]);
        let outside = bundle.scratch().join("tree");
        compile("tree.c", &outside);
        Self { bundle, outside }
    }

    /// The tree as a run sees it.
    fn inside(&self, place: Place) -> Listing {
        let mut command = self.bundle.start(place);
        command.args(OF_THE_RUN.iter().flat_map(|path| ["-x", path]));
        Listing::parse(&exec::run(command.arg("/")).success().out())
    }

    /// A tree of this machine.
    fn outside(&self, directory: &Path) -> Listing {
        let mut command = Command::new(&self.outside);
        command.args(OF_THE_RUN.iter().flat_map(|path| ["-x", path]));
        Listing::parse(&exec::run(command.arg(directory)).success().out())
    }

    fn extracted(&self) -> Listing {
        let directory = self.bundle.scratch().join("extracted");
        let polecat = Polecat::new(self.bundle.scratch());
        let _told = polecat
            .run([
                "extract".as_ref(),
                self.bundle.path().as_os_str(),
                directory.as_os_str(),
            ])
            .success();
        self.outside(&directory)
    }

    fn unsquashed(&self) -> Listing {
        let directory = self.bundle.scratch().join("unsquashed");
        let mut unsquashfs = Command::new(tool("unsquashfs"));
        let offset = Layout::read(self.bundle.path()).image.start.to_string();
        unsquashfs
            .args(["-no-progress", "-o", &offset, "-d"])
            .arg(&directory)
            .arg(self.bundle.path());
        let _told = exec::run(&mut unsquashfs).success();
        self.outside(&directory)
    }

    /// Every view is equal to every other, and they are given back as one.
    fn agreed(&self) -> Listing {
        let judge = self.unsquashed();
        let mut views = vec![("extracted".to_owned(), self.extracted(), None)];
        for place in Place::ALL.into_iter().filter(|place| !skip(place.needs())) {
            views.push((
                place.to_string(),
                self.inside(place),
                place.is_user().then(|| place.id()),
            ));
        }
        for (name, view, owner) in views {
            let wanted = owner.map_or_else(|| judge.clone(), |id| judge.owned_by(id));
            wanted
                .untouched_by_runs()
                .assert_equal(&view.untouched_by_runs(), &format!("unsquashfs (left), {name} (right)"));
        }
        judge
    }
}

fn skip_all() -> bool {
    let needs = [
        Need::Polecat,
        Need::Root,
        Need::Tool("musl-gcc"),
        Need::Tool("unsquashfs"),
    ];
    skip(&needs)
}

#[test]
fn a_tree_of_everything_odd() {
    if skip_all() {
        return;
    }
    let scratch = Scratch::new();
    let root = odd::make(&scratch);
    // No more than what is packed: certificates would be added.
    let lister = Lister::pack(&root, &["--include", "/odd/**", "--host", "ca=bundled"]);
    let packed = lister.agreed();
    let original = lister.outside(&root);
    // Everything that was asked for is there as it was; seconds are all that squashfs has, and hard links become files.
    let wanted = original.below("/odd").map(Line::stored);
    assert!(wanted.len() > 40, "the tree was not made");
    wanted.assert_equal(
        &packed.below("/odd").map(Line::stored),
        "on disk (left), packed (right)",
    );
}

#[test]
fn a_real_tree() {
    if skip_all() || skip(&[Need::Rootfs]) {
        return;
    }
    // The lister has to be in the tree, and the test root file system is nobody's to change: an overlay of links would
    // do, a copy is plain.
    let scratch = Scratch::new();
    let root = scratch.directory("debian");
    let mut copy = Command::new("cp");
    copy.args(["--archive", "--reflink=auto", "--no-target-directory"])
        .arg(support::bundle::debian())
        .arg(&root);
    let _told = exec::run(&mut copy).success();
    compile("tree.c", &root.join("usr/bin/tree"));
    let options = [
        "--also",
        "git",
        "--also",
        "curl",
        "--include",
        "/usr/lib/python3*/**",
        "--include",
        "/etc/**",
    ];
    let lister = Lister::pack(&root, &options);
    let packed = lister.agreed();
    assert!(packed.len() > 1000, "only {} paths", packed.len());
    // A path of the image is that of the root file system, unless the packer made it.
    let original = lister.outside(&root);
    for line in packed.lines().filter(|line| !line.path().is_empty()) {
        if let Some(there) = original.find(line.path()) {
            assert_eq!(line.clone().stored(), there.clone().stored());
        }
    }
    let found = packed
        .lines()
        .filter(|line| original.find(line.path()).is_some())
        .count();
    assert!(
        found * 10 >= packed.len() * 9,
        "{found} of {} paths come from the root file system",
        packed.len()
    );
}

#[test]
fn the_plan_says_what_is_packed() {
    if skip_all() {
        return;
    }
    let scratch = Scratch::new();
    let root = odd::make(&scratch);
    let options = ["--contain", "--include", "/odd/**"];
    let lister = Lister::pack(&root, &options[1..]);
    let polecat = Polecat::new(&scratch);
    let mut arguments: Vec<&std::ffi::OsStr> = vec!["plan".as_ref(), "--json".as_ref()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    arguments.extend([root.as_os_str(), "/bin/tree".as_ref()]);
    let plan = polecat.run(arguments).success().json();
    let entries = plan["entries"].as_object().expect("entries by path");
    let packed = lister.unsquashed();
    let plain = |path: &str| path.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\');
    let planned: Vec<&str> = entries.keys().map(String::as_str).filter(|path| plain(path)).collect();
    let taken = |path: &&str| OF_THE_RUN.iter().any(|left_out| Path::new(path).starts_with(left_out));
    let planned: Vec<&str> = planned
        .into_iter()
        .filter(|path| !taken(path) && *path != "/")
        .collect();
    let there: Vec<&str> = packed
        .lines()
        .map(Line::path)
        .filter(|path| plain(path) && !path.is_empty())
        .collect();
    assert_eq!(planned, there);
    for path in there {
        let (entry, line) = (&entries[path], packed.find(path).expect("a line"));
        assert_eq!(entry["mode"].as_u64(), Some(u64::from(line.mode())), "{path}");
        assert_eq!(
            (entry["uid"].as_u64(), entry["gid"].as_u64()),
            (Some(line.uid()), Some(line.gid())),
            "{path}"
        );
        assert!(entry["reason"]["kind"].is_string(), "{path}: no reason");
    }
    assert!(is_root());
}
