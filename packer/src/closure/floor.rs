//! The oldest kernel and processor that the packed files start on: their loader stops on older ones, with "kernel too old" or
//! "CPU ISA level is lower than required", and the machine that packs is rarely the oldest.

use super::entries::Entries;
use crate::elf::{ElfStore, Needs};
use crate::plan::WarningKind;
use crate::rootfs::RootPath;

/// On what is older, a bundle has no writable root of its own anyway: the kernel that overlay came with.
const OLDEST_KERNEL: (u32, u32, u32) = (3, 18, 0);

/// The first kernels of architectures that came later: what asks for them asks for nothing.
const FIRST_KERNELS: [(&str, (u32, u32, u32)); 2] = [("riscv64", (4, 15, 0)), ("loongarch64", (5, 19, 0))];

/// Libraries below such a directory are for processors that have the level, others take other ones.
const BY_LEVEL: &str = "/glibc-hwcaps/";

/// Warns of the packed one of the files that were read that asks most, once for the kernel and once for the processor.
pub(super) fn check(entries: &mut Entries<'_>, store: &ElfStore<'_>) {
    let mut floor = Floor::default();
    for (path, facts) in store.known() {
        if entries.contains(&path) {
            floor.add(&path, &facts.target.architecture(), facts.needs);
        }
    }
    for (path, message) in floor.messages() {
        entries.warn(WarningKind::Machine, &path, message);
    }
}

/// What the files so far ask for, and the first that asks for as much.
#[derive(Debug, Default)]
struct Floor {
    kernel: Option<((u32, u32, u32), RootPath)>,
    x86_level: Option<(u32, RootPath)>,
}

impl Floor {
    fn add(&mut self, path: &RootPath, architecture: &str, needs: Needs) {
        if path.to_string().contains(BY_LEVEL) {
            return;
        }
        let first = FIRST_KERNELS.iter().find(|(name, _)| *name == architecture);
        let known = self.kernel.as_ref().map(|(version, _)| *version);
        if needs.kernel > known.unwrap_or(first.map_or(OLDEST_KERNEL, |(_, version)| *version)) {
            self.kernel = Some((needs.kernel, path.clone()));
        }
        if needs.x86_level > self.x86_level.as_ref().map_or(1, |(level, _)| *level) {
            self.x86_level = Some((needs.x86_level, path.clone()));
        }
    }

    fn messages(self) -> Vec<(RootPath, String)> {
        let kernel = self.kernel.map(|((major, minor, patch), path)| {
            let patch = if patch == 0 { String::new() } else { format!(".{patch}") };
            (path, format!("starts on Linux {major}.{minor}{patch} and newer only"))
        });
        let level = self.x86_level.map(|(level, path)| {
            (
                path,
                format!("starts on processors with all that x86-64-v{level} has, and no others"),
            )
        });
        kernel.into_iter().chain(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_is_asked_for() {
        let none = (0, 0, 0);
        let debian = ("/lib/libc.so.6", "x86_64", (3, 2, 0), 1);
        for (files, expected) in [
            (&[debian][..], &[][..]),
            (&[("/lib/libc.so.6", "riscv64", (4, 15, 0), 0)], &[]),
            (&[("/lib/libc.so.6", "x86_64", (3, 18, 0), 0)], &[]),
            (
                &[
                    debian,
                    ("/lib/liba.so", "x86_64", (4, 4, 0), 0),
                    ("/lib/libb.so", "x86_64", (5, 15, 3), 0),
                    ("/lib/libc.so", "x86_64", (5, 15, 3), 0),
                ],
                &["/lib/libb.so: starts on Linux 5.15.3 and newer only"],
            ),
            (
                &[("/lib/libc.so.6", "riscv64", (5, 4, 0), 0)],
                &["/lib/libc.so.6: starts on Linux 5.4 and newer only"],
            ),
            (&[("/lib/glibc-hwcaps/x86-64-v3/liba.so", "x86_64", none, 3)], &[]),
            (
                &[("/bin/a", "x86_64", (4, 4, 0), 2), ("/lib/liba.so", "x86_64", none, 3)],
                &[
                    "/bin/a: starts on Linux 4.4 and newer only",
                    "/lib/liba.so: starts on processors with all that x86-64-v3 has, and no others",
                ],
            ),
        ] {
            let mut floor = Floor::default();
            for &(path, architecture, kernel, x86_level) in files {
                floor.add(&RootPath::new(path), architecture, Needs { kernel, x86_level });
            }
            let messages = floor.messages();
            let told: Vec<_> = messages
                .iter()
                .map(|(path, message)| format!("{path}: {message}"))
                .collect();
            assert_eq!(told, expected, "{files:?}");
        }
    }
}
