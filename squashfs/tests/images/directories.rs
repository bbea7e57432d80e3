//! Look-ups and listings, one by one.

use crate::craft::{self, Craft};
use crate::packers::{self, NewFile};
use crate::requirement::met;
use squashfs::{DirEntry, Error, Image, Inode, InodeRef, ReadAt};
use std::collections::HashSet;
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

/// Names that differ in length, in no order.
fn name(number: u32) -> String {
    format!("{:0width$}", number * 2, width = 5 + (number % 3) as usize * 40)
}

/// How many entries the large directory has: enough for many runs and metadata blocks.
const MANY: u32 = 3000;

/// Looks every name up in the directory `many`, and some that are not there.
fn look_up_many<R: ReadAt>(image: &Image<R>) {
    let names: HashSet<Vec<u8>> = (0..MANY).map(|number| name(number).into_bytes()).collect();
    let dir = directory(image, b"many");
    let is_found = |name: &[u8]| image.lookup(&dir, name).expect("look-up").is_some();
    for number in 0..MANY {
        let there = name(number);
        let odd = format!("{:05}", number * 2 + 1);
        for name in [
            &there,
            &format!("{there} "),
            &format!("{there}\0"),
            &there[1..].to_owned(),
            &odd,
        ] {
            assert_eq!(is_found(name.as_bytes()), names.contains(name.as_bytes()), "{name:?}");
        }
    }
    for entry in image.read_dir(&dir, 0).expect("listing") {
        let entry = entry.expect("entry");
        assert_eq!(image.lookup(&dir, &entry.name).expect("look-up"), Some(entry.inode_ref));
    }
    let long = [b'0'; 300];
    let nowhere: [&[u8]; 8] = [b"", b".", b"..", b"/", b"\0", b"\xff", &long[..256], &long];
    for absent in nowhere {
        assert!(!is_found(absent), "{absent:?}");
    }
}

#[test]
fn look_ups_with_an_index_find_what_is_there_and_nothing_else() {
    if !met(&["tool:mksquashfs"]) {
        return;
    }
    let room = TempDir::new().expect("temporary directory");
    let (tree, out) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir_all(tree.join("many")).expect("tree");
    for number in 0..MANY {
        fs::write(tree.join("many").join(name(number)), []).expect("file");
    }
    packers::mksquashfs(&tree, &out, &[]);
    look_up_many(&Image::open(File::open(&out).expect("image")).expect("opens"));
}

#[test]
fn look_ups_without_an_index_find_what_is_there_and_nothing_else() {
    let mut names: Vec<String> = (0..MANY).map(name).collect();
    names.sort();
    let file = |name: String| NewFile {
        path: format!("many/{name}"),
        bytes: vec![],
    };
    let files: Vec<NewFile> = names.into_iter().map(file).collect();
    look_up_many(&Image::open(packers::backhand_files(&files, 4096)).expect("opens"));
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
