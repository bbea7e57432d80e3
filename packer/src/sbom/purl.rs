//! Package URLs: <https://github.com/package-url/purl-spec>.

use std::fmt::Write;

use crate::inventory::{Distribution, PackageRecord};

/// `pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12`.
pub(super) fn purl(package: &PackageRecord, distribution: &Distribution) -> String {
    let mut purl = format!("pkg:{}/", package.ecosystem);
    if let Some(id) = &distribution.id {
        purl.push_str(&encoded(&id.to_lowercase()));
        purl.push('/');
    }
    let name = match package.ecosystem.as_str() {
        "deb" | "apk" => package.name.to_lowercase(),
        _ => package.name.clone(),
    };
    let (epoch, version) = match (package.ecosystem.as_str(), package.version.split_once(':')) {
        // rpm's epoch is a qualifier of its own.
        ("rpm", Some((epoch, version))) => (Some(epoch), version),
        _ => (None, package.version.as_str()),
    };
    let _ = write!(purl, "{}@{}", encoded(&name), encoded(version));
    let distro = match (&distribution.id, &distribution.version) {
        (Some(id), Some(version)) => Some(format!("{id}-{version}")),
        (Some(id), None) => Some(id.clone()),
        _ => None,
    };
    let architecture = Some(package.architecture.as_str()).filter(|architecture| !architecture.is_empty());
    let upstream = package.source.as_ref().map(|source| match &package.source_version {
        Some(version) => format!("{source}@{version}"),
        None => source.clone(),
    });
    let qualifiers = [
        ("arch", architecture),
        ("distro", distro.as_deref()),
        ("epoch", epoch),
        ("upstream", upstream.as_deref()),
    ];
    let present = qualifiers.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (number, (name, value)) in present.enumerate() {
        let separator = if number == 0 { '?' } else { '&' };
        let _ = write!(purl, "{separator}{name}={}", encoded(value));
    }
    purl
}

/// Percent-encoded, all but what never needs it in any part.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls() {
        let package = |ecosystem: &str, name: &str, version: &str, source: Option<&str>| PackageRecord {
            ecosystem: ecosystem.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            source: source.map(str::to_owned),
            ..PackageRecord::default()
        };
        let distribution = |id: &str, version: &str| Distribution {
            id: Some(id.to_owned()),
            version: Some(version.to_owned()),
        };
        for (package, distribution, expected) in [
            (
                package("deb", "bash", "5.2.15-2+b2", None),
                distribution("debian", "12"),
                "pkg:deb/debian/bash@5.2.15-2%2Bb2?arch=amd64&distro=debian-12",
            ),
            (
                package("deb", "libstdc++6", "1:12.2.0-14", Some("gcc-12")),
                distribution("debian", "12"),
                "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12",
            ),
            (
                package("rpm", "Xorg", "2:1.0-1.fc40", None),
                distribution("fedora", "40"),
                "pkg:rpm/fedora/Xorg@1.0-1.fc40?arch=amd64&distro=fedora-40&epoch=2",
            ),
            (
                package("apk", "musl", "1.2.5-r0", None),
                Distribution::default(),
                "pkg:apk/musl@1.2.5-r0?arch=amd64",
            ),
        ] {
            assert_eq!(purl(&package, &distribution), expected);
        }
    }
}
