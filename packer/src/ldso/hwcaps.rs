//! Libraries for particular processors: the `glibc-hwcaps` subdirectories (glibc 2.33 and later) and the older scheme of nested
//! directories such as `tls/haswell/x86_64` (before 2.37), `elf/dl-hwcaps.c`.
//!
//! The processor that will run the image is unknown. So the search is run as every [`Processor`] that could make a difference, and
//! all that any of them loads is packed.

use goblin::elf::header;

use crate::elf::{Class, Target};

/// What of a processor decides where the loader looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// How many of the loader's glibc-hwcaps subdirectories it has; they are ordered best first, so these are the last ones.
    pub level: usize,
    /// AT_PLATFORM, or what glibc puts in its place: `$PLATFORM`, and a name of the older scheme.
    pub platform: Option<&'static str>,
    /// Names of the older scheme, in the order of their bits in AT_HWCAP.
    pub features: &'static [&'static str],
}

/// The processors of `target` that differ in platform or features, each with every level from the highest down; the first is the
/// most capable one without names of the older scheme.
pub(super) fn processors(target: Target, levels: usize) -> Vec<Processor> {
    let kinds = kinds(target);
    let levels = (0..=levels).rev();
    levels
        .flat_map(|level| {
            kinds.iter().map(move |&(platform, features)| Processor {
                level,
                platform,
                features,
            })
        })
        .collect()
}

type Kind = (Option<&'static str>, &'static [&'static str]);

/// Platform and features: `sysdeps/**/dl-procinfo.c` and `cpu_features.c` of glibc, AT_PLATFORM of the kernel.
fn kinds(target: Target) -> &'static [Kind] {
    match (target.machine, target.class) {
        // Intel processors with AVX2 are "haswell" to glibc, others keep the kernel's name.
        (header::EM_X86_64, _) => &[
            (Some("x86_64"), &["x86_64"]),
            (Some("x86_64"), &["x86_64", "avx512_1"]),
            (Some("haswell"), &["x86_64"]),
            (Some("haswell"), &["x86_64", "avx512_1"]),
            (Some("xeon_phi"), &["x86_64"]),
        ],
        (header::EM_386, _) => &[
            (Some("i686"), &["sse2"]),
            (Some("i686"), &[]),
            (Some("i586"), &[]),
            (Some("haswell"), &["sse2"]),
            (Some("xeon_phi"), &["sse2"]),
        ],
        (header::EM_AARCH64, _) => &[(Some("aarch64"), &[]), (Some("aarch64"), &["atomics"])],
        (header::EM_ARM, _) => &[
            (Some("v7l"), &["vfp", "neon"]),
            (Some("v7l"), &["vfp"]),
            (Some("v6l"), &["vfp"]),
            (Some("v8l"), &["vfp", "neon"]),
        ],
        (header::EM_PPC64, _) => &[
            (Some("power8"), &[]),
            (Some("power9"), &[]),
            (Some("power10"), &[]),
            (Some("power11"), &[]),
        ],
        (header::EM_S390, Class::Elf64) => &[
            (Some("z900"), &[]),
            (Some("z13"), &[]),
            (Some("z14"), &[]),
            (Some("z15"), &[]),
            (Some("z16"), &[]),
        ],
        _ => &[(None, &[])],
    }
}

/// The subdirectories searched below each directory of a path, in order, each with its slash; the last is empty: the directory.
///
/// `subdirectories` are the loader's glibc-hwcaps names, best first; `legacy` tells whether it knows the older scheme.
pub(super) fn subdirectories(processor: &Processor, subdirectories: &[Vec<u8>], legacy: bool) -> Vec<Vec<u8>> {
    let usable = usable(processor, subdirectories).iter();
    let mut order: Vec<_> = usable
        .map(|name| [b"glibc-hwcaps/", name.as_slice(), b"/"].concat())
        .collect();
    if legacy {
        order.extend(nested(processor));
    }
    order.push(Vec::new());
    order
}

/// The glibc-hwcaps subdirectories that the processor has.
pub(super) fn usable<'a>(processor: &Processor, subdirectories: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
    &subdirectories[subdirectories.len().saturating_sub(processor.level)..]
}

/// All subsets of "tls", platform and features, nested in that order; the fullest first, without the empty one.
fn nested(processor: &Processor) -> impl Iterator<Item = Vec<u8>> {
    let names: Vec<_> = processor
        .features
        .iter()
        .copied()
        .chain(processor.platform)
        .chain(["tls"])
        .collect();
    (1..1_u32 << names.len()).rev().map(move |subset| {
        let chosen = names
            .iter()
            .enumerate()
            .rev()
            .filter(|(bit, _)| subset & (1 << bit) != 0);
        chosen.flat_map(|(_, name)| [name.as_bytes(), b"/"].concat()).collect()
    })
}

/// Names that a directory's entry has when it is a subdirectory for particular processors, of either scheme.
pub(super) fn markers(target: Target, legacy: bool) -> Vec<&'static str> {
    let mut names = vec!["glibc-hwcaps"];
    if legacy {
        names.push("tls");
        for (platform, features) in kinds(target) {
            names.extend(platform.iter().chain(*features));
        }
        names.sort_unstable();
        names.dedup();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Encoding;

    const X86_64: Target = Target {
        class: Class::Elf64,
        encoding: Encoding::Little,
        machine: header::EM_X86_64,
    };

    fn names(list: &[&str]) -> Vec<Vec<u8>> {
        list.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn levels_take_the_last_names() {
        let levels = names(&["x86-64-v4", "x86-64-v3", "x86-64-v2"]);
        let processor = |level| Processor {
            level,
            platform: None,
            features: &[],
        };
        for (level, expected) in [
            (
                3,
                vec![
                    "glibc-hwcaps/x86-64-v4/",
                    "glibc-hwcaps/x86-64-v3/",
                    "glibc-hwcaps/x86-64-v2/",
                    "",
                ],
            ),
            (1, vec!["glibc-hwcaps/x86-64-v2/", ""]),
            (0, vec![""]),
        ] {
            assert_eq!(subdirectories(&processor(level), &levels, false), names(&expected));
        }
    }

    #[test]
    fn the_older_scheme_nests_all_subsets() {
        let processor = Processor {
            level: 0,
            platform: Some("haswell"),
            features: &["x86_64"],
        };
        let expected = [
            "tls/haswell/x86_64/",
            "tls/haswell/",
            "tls/x86_64/",
            "tls/",
            "haswell/x86_64/",
            "haswell/",
            "x86_64/",
            "",
        ];
        assert_eq!(subdirectories(&processor, &[], true), names(&expected));
    }

    #[test]
    fn every_level_with_every_kind() {
        let all = processors(X86_64, 3);
        assert_eq!(all.len(), 4 * kinds(X86_64).len());
        assert_eq!(
            all[0],
            Processor {
                level: 3,
                platform: Some("x86_64"),
                features: &["x86_64"]
            }
        );
        assert!(
            all.iter()
                .any(|processor| processor.level == 0 && processor.platform == Some("xeon_phi"))
        );
    }
}
