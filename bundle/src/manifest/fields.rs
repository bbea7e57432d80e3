//! What the objects of a manifest have for fields, as `docs/format.md` names them.

use super::record::{Field, Place, Record};
use super::{HashTreeRecord, ImageRecord, Isolation, Manifest, Process, SectionRecord, StubRecord};

impl Record for Manifest {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("formatVersion", Place::Short(&mut self.format_version)),
            Field::needed("name", Place::Text(&mut self.name)),
            Field::needed("architecture", Place::Text(&mut self.architecture)),
            Field::needed("created", Place::Number(&mut self.created)),
            Field::needed("generator", Place::Text(&mut self.generator)),
            Field::needed("stub", Place::Record(&mut self.stub)),
            Field::needed("image", Place::Record(&mut self.image)),
            Field::needed("hashTree", Place::Record(&mut self.hash_tree)),
            Field::needed("process", Place::Record(&mut self.process)),
            Field::needed("isolation", Place::Record(&mut self.isolation)),
            Field::optional("entryPoints", Place::Records(&mut self.entry_points)),
            Field::nullable("packages", Place::Made(&mut self.packages)),
            Field::nullable("reasons", Place::Made(&mut self.reasons)),
            Field::nullable("paths", Place::Made(&mut self.paths)),
            Field::optional("requires", Place::Texts(&mut self.requires)),
        ]
    }
}

impl Record for StubRecord {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("length", Place::Number(&mut self.length)),
            Field::needed("sha256", Place::Text(&mut self.sha256)),
        ]
    }
}

impl Record for ImageRecord {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("offset", Place::Number(&mut self.offset)),
            Field::needed("length", Place::Number(&mut self.length)),
            Field::needed("entries", Place::Number(&mut self.entries)),
            Field::needed("unpackedSize", Place::Number(&mut self.unpacked_size)),
        ]
    }
}

impl Record for HashTreeRecord {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("offset", Place::Number(&mut self.offset)),
            Field::needed("length", Place::Number(&mut self.length)),
            Field::needed("salt", Place::Text(&mut self.salt)),
            Field::needed("rootDigest", Place::Text(&mut self.root_digest)),
        ]
    }
}

impl Record for SectionRecord {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("offset", Place::Number(&mut self.offset)),
            Field::needed("length", Place::Number(&mut self.length)),
            Field::needed("sha256", Place::Text(&mut self.sha256)),
        ]
    }
}

impl Record for Process {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("path", Place::Text(&mut self.path)),
            Field::needed("args", Place::Texts(&mut self.args)),
            Field::needed("env", Place::Texts(&mut self.env)),
            Field::nullable("cwd", Place::OptionalText(&mut self.cwd)),
        ]
    }
}

impl Record for Isolation {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::optional("contain", Place::Flag(&mut self.contain)),
            Field::optional("options", Place::Texts(&mut self.options)),
            Field::nullable("seccomp", Place::Made(&mut self.seccomp)),
        ]
    }
}
