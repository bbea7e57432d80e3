//! Files that no reader may accept, one defect each. They are committed, so that other programs can be tried on them; the table
//! says how each is made out of a golden bundle and what is said about it.

#[path = "../support/mod.rs"]
mod support;
mod table;

use std::fs;

use support::fixtures::{self, assert_committed};
use support::forge::Forged;
use support::judge::judge;
use table::{DEFECTS, Defect};

#[test]
fn committed_files_are_what_the_table_makes() {
    for Defect { name, base, make, says } in DEFECTS.into_iter().flatten() {
        let golden = fixtures::read(&fixtures::folder("golden/v1").join(base));
        let folder = fixtures::folder("hostile");
        assert_committed(&folder.join(format!("{name}.bundle")), &make(Forged(golden)).0);
        assert_committed(&folder.join(format!("{name}.expect")), format!("{says}\n").as_bytes());
    }
}

#[test]
fn every_committed_file_is_refused_in_the_words_beside_it() {
    let mut judged = 0;
    for entry in fs::read_dir(fixtures::folder("hostile")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "bundle") {
            continue;
        }
        let expected = String::from_utf8(fixtures::read(&path.with_extension("expect"))).unwrap();
        let said = judge(&fixtures::read(&path))
            .map(|_| "accepted".to_owned())
            .unwrap_or_else(|said| said);
        assert_eq!(said, expected.trim_end(), "{}", path.display());
        judged += 1;
    }
    assert_eq!(
        judged,
        DEFECTS.iter().map(|defects| defects.len()).sum::<usize>(),
        "files and table differ in number"
    );
}
