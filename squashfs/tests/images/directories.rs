//! Look-ups and listings, one by one.

use crate::craft::{self, Craft};
use crate::packers::{self, NewFile};
use crate::requirement::met;
use squashfs::{DirEntry, Error, Image, Inode, InodeRef, ReadAt};
use std::fs::{self, File};
use tempfile::TempDir;

fn directory<R: ReadAt>(image: &Image<R>, path: &[u8]) -> Inode {
    let at = image.find(path).expect("look-up").expect("is there");
    image.inode(at).expect("inode")
}

fn entries<R: ReadAt>(image: &Image<R>, dir: &Inode, cookie: u64) -> Vec<DirEntry> {
    image
        .read_dir(dir, cookie)
        .expect("listing")
        .map(|entry| entry.expect("entry"))
        .collect()
}

/// A directory of 600 entries and one of one, packed by backhand, so without an index.
fn unindexed() -> Image<Vec<u8>> {
    let file = |path: String| NewFile {
        bytes: path.clone().into_bytes(),
        path,
    };
    let mut files: Vec<NewFile> = (0..600).map(|number| file(format!("dir/{number:04}"))).collect();
    files.push(file("one/only".to_owned()));
    Image::open(packers::backhand_files(&files, 4096)).expect("opens")
}

#[test]
fn every_cookie_goes_on_behind_its_entry() {
    let image = unindexed();
    let dir = directory(&image, b"dir");
    let all = entries(&image, &dir, 0);
    assert_eq!(all.len(), 600);
    assert!(
        all.windows(2)
            .all(|pair| pair[0].next < pair[1].next && *pair[0].name < *pair[1].name)
    );
    assert!(all[0].next > 2 && all[599].next < 1 << 32);
    // Backwards, so that no place is kept of an earlier listing that would help; and twice, so that it is.
    for _ in 0..2 {
        for (at, entry) in all.iter().enumerate().rev().step_by(7) {
            let rest = entries(&image, &dir, entry.next);
            let names = |entries: &[DirEntry]| entries.iter().map(|entry| entry.name.to_vec()).collect::<Vec<_>>();
            assert_eq!(names(&rest), names(&all[at + 1..]));
        }
    }
}

#[test]
fn cookies_of_several_listings_do_not_mix() {
    let image = unindexed();
    let (dir, one) = (directory(&image, b"dir"), directory(&image, b"one"));
    let mut cookies = [0; 20];
    for round in 0..600 {
        for cookie in &mut cookies {
            let entry = image
                .read_dir(&dir, *cookie)
                .expect("listing")
                .next()
                .expect("more")
                .expect("entry");
            assert_eq!(*entry.name, *format!("{round:04}").as_bytes());
            *cookie = entry.next;
        }
        assert_eq!(entries(&image, &one, 0).len(), 1);
    }
    for cookie in cookies {
        assert!(image.read_dir(&dir, cookie).expect("listing").next().is_none());
    }
}

#[test]
fn cookies_that_were_never_given_end_or_go_on_at_an_entry() {
    let image = unindexed();
    let dir = directory(&image, b"dir");
    let all = entries(&image, &dir, 0);
    let last = all[599].next;
    for cookie in (1..last + 50)
        .step_by(13)
        .chain([u64::from(u32::MAX), 1 << 32, u64::MAX])
    {
        let rest = entries(&image, &dir, cookie);
        let expected = all.iter().filter(|entry| entry.next > cookie).count();
        // The entry that the cookie points into has been passed.
        assert!(
            rest.len() == expected || rest.len() + 1 == expected,
            "{cookie}: {} of {expected}",
            rest.len()
        );
    }
}

#[test]
fn look_ups_find_what_is_there_and_nothing_else() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).expect("tree");
    let name = |number: u32| format!("{:0width$}", number * 2, width = 5 + (number % 3) as usize * 40);
    for number in 0..3000 {
        fs::write(tree.join(name(number)), []).expect("file");
    }
    packers::mksquashfs(&tree, &out, &[]);
    let image = Image::open(File::open(&out).expect("image")).expect("opens");
    let root = image.inode(image.root()).expect("root");
    for number in 0..3000 {
        let there = name(number);
        assert!(
            image.lookup(&root, there.as_bytes()).expect("look-up").is_some(),
            "{there}"
        );
        for absent in [
            format!("{there} "),
            format!("{there}\0"),
            there[1..].to_owned(),
            format!("{:05}", number * 2 + 1),
        ] {
            let is_there = tree.join(absent.replace('\0', "\u{1}")).exists();
            assert_eq!(
                image.lookup(&root, absent.as_bytes()).expect("look-up").is_some(),
                is_there,
                "{absent:?}"
            );
        }
    }
    let long = [b'0'; 300];
    let nowhere: [&[u8]; 8] = [b"", b".", b"..", b"/", b"\0", b"\xff", &long[..256], &long];
    for absent in nowhere {
        assert!(image.lookup(&root, absent).expect("look-up").is_none(), "{absent:?}");
    }
}

#[test]
fn paths_are_names_between_slashes() {
    let image = unindexed();
    let file = image.find(b"dir/0042").expect("look-up").expect("is there");
    let same: [&[u8]; 4] = [b"/dir/0042", b"//dir///0042//", b"./dir/./0042", b"dir/0042/."];
    for path in same {
        assert_eq!(image.find(path).expect("look-up"), Some(file), "{path:?}");
    }
    let roots: [&[u8]; 4] = [b"", b"/", b".", b"//./"];
    for path in roots {
        assert_eq!(image.find(path).expect("look-up"), Some(image.root()), "{path:?}");
    }
    let nowhere: [&[u8]; 5] = [b"dir/..", b"..", b"dir/0042/x", b"no/such", b"dir/0600"];
    for path in nowhere {
        assert_eq!(image.find(path).expect("look-up"), None, "{path:?}");
    }
}

#[test]
fn what_is_no_directory_has_no_entries() {
    let mut craft = Craft::new();
    let link = craft.push_inode(craft::SYMLINK, 2, &craft::symlink(1, b"x"));
    craft.push_root(&[(b"link", link)]);
    let image = Image::open(craft.finish()).expect("opens");
    let link = image.inode(link).expect("inode");
    assert!(matches!(
        image.lookup(&link, b"x"),
        Err(Error::NotADirectory { inode: 2 })
    ));
    assert!(matches!(
        image.read_dir(&link, 0),
        Err(Error::NotADirectory { inode: 2 })
    ));
    assert!(matches!(
        image.read(&link, 0, &mut [0]),
        Err(Error::NotAFile { inode: 2 })
    ));
    let root = image.inode(image.root()).expect("root");
    assert!(matches!(image.read_link(&root), Err(Error::NotASymlink { inode: 1 })));
}

#[test]
fn a_directory_that_holds_itself_is_walked_as_far_as_the_path_goes() {
    let mut craft = Craft::new();
    craft.push_root(&[(b"self", InodeRef(0))]);
    let image = Image::open(craft.finish()).expect("opens");
    let path = b"self/".repeat(5000);
    assert_eq!(image.find(&path).expect("look-up"), Some(image.root()));
}
