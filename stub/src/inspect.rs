//! What a bundle says of itself, for people.

use std::fmt::Write;

use bundle::manifest::Manifest;
use runtime::verify::Verified;

use crate::entry;

/// The manifest, whose signatures were checked, as lines of name and value.
pub(crate) fn text(verified: &Verified) -> String {
    let mut lines = about(verified.manifest());
    lines.extend(verified.signers().iter().map(|key| ("signed by", format!("key {key}"))));
    render(&lines)
}

/// What was proved by checking everything, and what was not.
pub(crate) fn verdict(verified: &Verified) -> String {
    let signers: Vec<String> = verified.signers().iter().map(ToString::to_string).collect();
    let (keys, whose) = if signers.len() == 1 {
        ("key", "whose key that is")
    } else {
        ("keys", "whose keys these are")
    };
    format!(
        "{name}: whole and unchanged since it was signed by {keys} {signers}: the executable, the manifest, {blocks} \
         blocks of the image.\nThis says nothing about {whose}: a file that checks itself proves integrity, not \
         origin. `polecat verify` on a machine that you trust compares the signer with the keys that you trust.\n",
        name = printable(&verified.manifest().name),
        signers = signers.join(", "),
        blocks = verified.image().length() / bundle::layout::BLOCK_SIZE,
    )
}

fn about(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let Manifest {
        stub,
        image,
        hash_tree,
        process,
        isolation,
        ..
    } = manifest;
    let mut lines = vec![
        ("name", manifest.name.clone()),
        ("architecture", manifest.architecture.clone()),
        ("made by", manifest.generator.clone()),
        ("format", format!("version {}", manifest.format_version)),
        ("program", process.path.clone()),
        ("arguments", process.args.join(" ")),
    ];
    lines.extend(entry_points(manifest));
    lines.extend(process.env.iter().map(|variable| ("variable", variable.clone())));
    lines.extend(process.cwd.iter().map(|directory| ("directory", directory.clone())));
    let contained = if isolation.contain {
        "nothing but the network"
    } else {
        "home and current directory"
    };
    lines.push(("shares", contained.to_owned()));
    lines.extend(isolation.options.iter().map(|word| ("option", word.clone())));
    let profile = isolation.seccomp.as_ref();
    lines.extend(profile.map(|profile| ("seccomp", format!("its own profile, else {}", profile.default_action))));
    lines.extend([
        (
            "files",
            format!("{} entries, {} bytes", image.entries, image.unpacked_size),
        ),
        ("image", format!("{} bytes at {}", image.length, image.offset)),
        (
            "hash tree",
            format!("{} bytes at {}", hash_tree.length, hash_tree.offset),
        ),
        ("root digest", hash_tree.root_digest.clone()),
        ("salt", hash_tree.salt.clone()),
        ("stub", format!("{} bytes, SHA-256 {}", stub.length, stub.sha256)),
    ]);
    lines
}

fn entry_points(manifest: &Manifest) -> impl Iterator<Item = (&'static str, String)> {
    let entries = manifest.entry_points.iter();
    entries.map(|entry| ("entry point", format!("{} starts {}", entry.name, entry.path)))
}

/// The programs in a bundle that has several; empty for one that has not.
pub(crate) fn programs(manifest: &Manifest) -> String {
    if manifest.entry_points.is_empty() {
        return String::new();
    }
    let names: Vec<String> = entry::names(manifest).map(printable).collect();
    format!(
        "\nPrograms in this file: {}. A link to it with one of these names, or a copy, starts that one; any other starts {}.\n",
        names.join(", "),
        printable(&manifest.process.path),
    )
}

fn render(lines: &[(&str, String)]) -> String {
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a String cannot fail.
        match writeln!(text, "{name:<13} {}", printable(value)) {
            Ok(()) | Err(_) => text,
        }
    })
}

/// A manifest's author must not be able to speak to the terminal.
pub(crate) fn printable(text: &str) -> String {
    let escape = |character: char| {
        if character.is_control() {
            character.escape_default().collect()
        } else {
            String::from(character)
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_the_terminal() {
        let line = render(&[("name", "top\u{1b}[2J\nsigned by key".to_owned())]);
        assert_eq!(line, "name          top\\u{1b}[2J\\nsigned by key\n");
    }
}
