//! Images made by the image writer.

use std::io::Cursor;
use std::path::Path;

use squashfs::{Image, Kind};

use super::*;
use crate::image::{self, ImageOptions};
use crate::plan::{Entry, Node, Plan, Reason, ReasonKind};
use crate::rootfs::Rootfs;

/// A plan of files, directories (no contents) and links (`-> target`).
pub(crate) fn plan(paths: &[(&str, &str)]) -> Plan {
    let entry = |text: &str| Entry {
        node: match text.strip_prefix("-> ") {
            Some(target) => Node::Symlink {
                target: target.as_bytes().to_vec(),
            },
            None if text.is_empty() => Node::Directory,
            None => Node::Synthetic {
                contents: text.as_bytes().to_vec(),
            },
        },
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 1,
        reason: Reason {
            kind: ReasonKind::Base,
            by: None,
            detail: String::new(),
        },
    };
    let root = [("/", "")];
    let entries = root
        .iter()
        .chain(paths)
        .map(|(path, text)| (RootPath::new(path), entry(text)));
    Plan::of(RootPath::root(), entries)
}

/// The image of a plan that needs no root file system.
pub(crate) fn image(plan: &Plan) -> Image<Vec<u8>> {
    let options = ImageOptions {
        level: 1,
        block_size: 4096,
        epoch: None,
        store_startup: 0,
        workers: 0,
    };
    let rootfs = Rootfs::open(Path::new("/")).expect("a directory");
    let mut out = Cursor::new(Vec::new());
    let stats = image::write(plan, &rootfs, &mut out, &options, &mut |_| ()).expect("an image");
    let mut bytes = out.into_inner();
    bytes.truncate(usize::try_from(stats.length).expect("small"));
    Image::open(bytes).expect("an image")
}

const TREE: [(&str, &str); 10] = [
    ("/bin", "-> usr/bin"),
    ("/usr", ""),
    ("/usr/bin", ""),
    ("/usr/bin/dash", "x"),
    ("/usr/bin/sh", "-> dash"),
    ("/usr/bin/up", "-> ../bin/./sh"),
    ("/usr/bin/abs", "-> /bin/sh"),
    ("/usr/bin/gone", "-> /no/where"),
    ("/usr/bin/round", "-> round"),
    ("/usr/bin-dash", "x"),
];

#[test]
fn every_entry_is_listed_by_path() {
    let image = image(&plan(&TREE));
    let listing = Listing::read(&image, 11).expect("listed");
    assert_eq!(listing.len(), 11);
    let paths: Vec<&RootPath> = listing.iter().map(|(path, _)| path).collect();
    assert!(paths.is_sorted());
    for (place, path) in paths.iter().enumerate() {
        assert_eq!((listing.place(path), listing.path(place)), (Some(place), Some(*path)));
    }
    let kind = |path: &str| listing.inode(&RootPath::new(path)).map(|inode| inode.kind);
    assert_eq!(kind("/bin"), Some(Kind::Symlink));
    assert_eq!(kind("/usr/bin-dash"), Some(Kind::File));
    assert_eq!(kind("/usr/bin/no"), None);
    let few = Listing::read(&image, 10);
    assert!(matches!(few, Err(ListingError::TooManyEntries { entries: 10 })));
}

#[test]
fn links_are_followed_as_the_kernel_does() {
    let image = image(&plan(&TREE));
    let listing = Listing::read(&image, 11).expect("listed");
    for (path, links, end) in [
        ("/usr/bin/dash", &[][..], Ok("/usr/bin/dash")),
        ("/bin/dash", &["/bin"], Ok("/usr/bin/dash")),
        ("bin//./sh", &["/bin", "/usr/bin/sh"], Ok("/usr/bin/dash")),
        ("/usr/bin/up", &["/usr/bin/up", "/usr/bin/sh"], Ok("/usr/bin/dash")),
        (
            "/bin/abs",
            &["/bin", "/usr/bin/abs", "/bin", "/usr/bin/sh"],
            Ok("/usr/bin/dash"),
        ),
        ("/bin/../bin-dash", &["/bin"], Ok("/usr/bin-dash")),
        ("/..", &[], Ok("/")),
        ("/usr/bin/gone", &["/usr/bin/gone"], Err("/no/where")),
        ("/usr/bin/dash/x/y", &[], Err("/usr/bin/dash/x/y")),
    ] {
        let way = listing.follow(&image, path.as_bytes()).expect("readable");
        let met: Vec<String> = way.links.iter().map(|link| link.path.to_string()).collect();
        assert_eq!(
            (met.as_slice(), way.end),
            (
                &links.iter().map(|link| (*link).to_owned()).collect::<Vec<_>>()[..],
                end.map(RootPath::new).map_err(RootPath::new)
            ),
            "{path}"
        );
    }
    let round = listing.follow(&image, b"/bin/round").expect("readable");
    assert_eq!(
        (round.links.len(), round.end),
        (40, Err(RootPath::new("/usr/bin/round")))
    );
    let last: Vec<bool> = listing
        .follow(&image, b"/bin/sh")
        .expect("readable")
        .links
        .iter()
        .map(|link| link.is_last)
        .collect();
    assert_eq!(last, [false, true]);
}

#[test]
fn what_was_meant() {
    let image = image(&plan(&TREE));
    let listing = Listing::read(&image, 11).expect("listed");
    let near = |path: &str| {
        listing
            .near(&RootPath::new(path))
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(near("/sbin/dash")[0], "/usr/bin/dash");
    assert_eq!(near("/usr/bin/dsah"), ["/usr/bin/dash"]);
    assert!(near("/something/else").is_empty());
}
