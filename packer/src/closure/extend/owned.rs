//! Packages: what else is in the package of a program, and on demand whole packages with all that they depend on.

use super::{Extension, Reading, add_data};
use crate::closure::error::ClosureError;
use crate::closure::follow::{Follow, Run};
use crate::elf::is_absence;
use crate::evidence::EvidenceKind;
use crate::packages::{Package, Packages};
use crate::plan::{Reason, ReasonKind, WarningKind};
use crate::rootfs::{Kind, Last, Pattern, RootPath};
use std::sync::LazyLock;

/// Most bytes that a program's own package brings beside it.
const MAX_OWN: u64 = 32 << 20;

/// What packages hold for people, other programs and those who build software.
const ASIDE: &[&str] = &[
    "/usr/share/{doc,doc-base,man,info,locale,lintian,bug,gtk-doc,help,applications,metainfo,appdata,pixmaps,menu,reportbug}/**",
    "/usr/share/{bash-completion,fish/vendor_completions.d,zsh/vendor-completions,zsh/site-functions,emacs/site-lisp,vim/addons}/**",
    "/usr/{include,src}/**",
    "/usr/lib/debug/**",
    "/usr/{lib,share}/**/pkgconfig/**",
    "/usr/lib/**/*.{a,la}",
    "/{usr/,}lib/{systemd,sysusers.d,tmpfiles.d,udev/rules.d}/**",
    "/etc/{init.d,cron.*,logrotate.d,apparmor.d,default,systemd,bash_completion.d,ufw}/**",
    // Other programs of the package: who needs them asks for them.
    "/{usr/,usr/local/,}{bin,sbin,games}/**",
];

static ASIDE_PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| ASIDE.iter().filter_map(|text| Pattern::new(text).ok()).collect());

impl Extension<'_> {
    /// Adds what the packages of the programs that were asked for hold beside them, and data packages of the same source.
    pub(super) fn add_own_packages(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        if !self.follows(EvidenceKind::Packages) {
            return Ok(());
        }
        for run in follow.runs().to_vec().iter().filter(|run| run.depth == 0) {
            if !self.owned.insert(run.path.clone()) {
                continue;
            }
            let Some(packages) = self.packages(follow)? else {
                return Ok(());
            };
            let Some(owner) = owner(packages, run) else { continue };
            let of_source = |package: &&Package| package.source.name == owner.source.name;
            let kin = packages.dependencies(owner).into_iter().filter(of_source);
            let wanted = std::iter::once(owner).chain(kin);
            let wanted: Vec<(String, Vec<RootPath>)> = wanted
                .map(|package| (package.name.clone(), package.files().filter(is_wanted).collect()))
                .collect();
            for (name, files) in wanted {
                add_package(follow, &name, &files, Some(&run.path), MAX_OWN)?;
            }
        }
        Ok(())
    }

    /// Adds the packages of all that is packed so far and what they depend on, whole.
    pub(super) fn add_whole_packages(&mut self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        let paths: Vec<RootPath> = follow.runs().iter().map(|run| run.path.clone()).collect();
        let Some(packages) = self.packages(follow)? else {
            let message = "no package database is found: --closure package has nothing to go by";
            follow.entries.warn(WarningKind::Condition, &RootPath::root(), message);
            return Ok(());
        };
        let owners = paths.iter().filter_map(|path| packages.owner(path));
        let wanted: Vec<(String, Vec<RootPath>)> = packages
            .closure(owners)
            .into_iter()
            .map(|package| {
                (
                    package.name.clone(),
                    package.files().chain(package.directories()).collect(),
                )
            })
            .collect();
        for (name, files) in wanted {
            add_package(follow, &name, &files, None, u64::MAX)?;
        }
        Ok(())
    }

    /// The package database, read when it is first asked for; none where there is none, or where it is damaged.
    pub(super) fn packages(&mut self, follow: &mut Follow<'_>) -> Result<Option<&Packages>, ClosureError> {
        if let Reading::NotYet = self.packages {
            self.packages = match Packages::read(follow.rootfs()) {
                Ok(packages) => Reading::Done(packages.map(Box::new)),
                Err(error) => {
                    follow
                        .entries
                        .warn(WarningKind::Condition, &RootPath::root(), format!("not used: {error}"));
                    Reading::Done(None)
                }
            };
        }
        match &self.packages {
            Reading::Done(packages) => Ok(packages.as_deref()),
            Reading::NotYet => Ok(None),
        }
    }
}

fn owner<'p>(packages: &'p Packages, run: &Run) -> Option<&'p Package> {
    packages.owner(&run.path).or_else(|| packages.owner(&run.named))
}

fn is_wanted(path: &RootPath) -> bool {
    !ASIDE_PATTERNS.iter().any(|pattern| pattern.matches(path))
}

/// Adds files of a package, unless they are more than `limit` bytes.
fn add_package(
    follow: &mut Follow<'_>,
    name: &str,
    files: &[RootPath],
    by: Option<&RootPath>,
    limit: u64,
) -> Result<(), ClosureError> {
    let (mut bytes, mut there) = (0_u64, Vec::new());
    for path in files {
        match follow.rootfs().resolve(path.as_bytes(), Last::Keep) {
            Ok(place) => {
                if place.metadata.kind == Kind::File {
                    bytes = bytes.saturating_add(place.metadata.size);
                }
                there.push(path);
            }
            Err(error) if is_absence(error.errno()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if bytes > limit {
        return Ok(());
    }
    let reason = Reason {
        kind: ReasonKind::Package,
        by: by.cloned(),
        detail: name.to_owned(),
    };
    for path in there {
        add_data(follow, path, &reason)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_holds_for_its_program() {
        assert_eq!(ASIDE_PATTERNS.len(), ASIDE.len());
        for (path, wanted) in [
            ("/usr/share/figlet/slant.flf", true),
            ("/usr/share/doc/figlet/copyright", false),
            ("/usr/bin/figlist", false),
            ("/bin/cat", false),
            ("/usr/lib/x86_64-linux-gnu/libx.a", false),
            ("/usr/lib/x86_64-linux-gnu/zsh/5.9/zsh/stat.so", true),
            ("/etc/nginx/nginx.conf", true),
            ("/etc/init.d/nginx", false),
            ("/var/lib/nginx", true),
        ] {
            assert_eq!(is_wanted(&RootPath::new(path)), wanted, "{path}");
        }
    }
}
