//! Modules of the name service switch, `libnss_SERVICE.so.2`, in the places where glibc's loader looks for them by itself: ld.so(8).

use std::env::consts::ARCH;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::directory;
use crate::hosts_root::launch::ImageTree;

/// The services that the image below `root` has a module for.
pub(crate) fn provided(root: &Path) -> Vec<Vec<u8>> {
    // It stands for the loaders of all programs of the image, of which nothing counts here but the directory: Debian's is one that is
    // not looked into in any case.
    let loader = Path::new("/lib").join([ARCH, "-linux-gnu/ld.so"].concat());
    let mut provided = Vec::new();
    for directory in ImageTree(root).library_directories(&loader, &loader) {
        for name in directory::names(&directory).unwrap_or_default() {
            let service = name
                .as_bytes()
                .strip_prefix(b"libnss_")
                .and_then(|name| name.strip_suffix(b".so.2"));
            provided.extend(service.map(<[u8]>::to_vec));
        }
    }
    provided
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    use crate::root::survey::{Questions, Survey};

    #[test]
    fn modules_where_the_loader_looks() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let of_architecture = format!("usr/lib/{ARCH}-linux-gnu");
        for directory in ["etc", "usr/lib64", "opt/sss", "real", &of_architecture] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        symlink("/usr/lib", root.join("lib")).unwrap();
        for file in [
            "usr/lib64/libnss_nis.so.2",
            &format!("{of_architecture}/libnss_systemd.so.2"),
            "opt/sss/libnss_sss.so.2",
            "real/libnss_resolve.so.2",
            "real/libnss_hidden.so.2",
            "usr/lib/libnss_old.so.1",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("/real/libnss_resolve.so.2", root.join("usr/lib/libnss_resolve.so.2")).unwrap();
        // Not all that the cache names is packed.
        let cache =
            b"glibc-ld.so.cache1.1\0\x07\0/opt/sss/libnss_sss.so.2\0libnss_gone.so.2\0/opt/sss/libnss_gone.so.2\0";
        fs::write(root.join("etc/ld.so.cache"), cache).unwrap();
        fs::write(root.join("real/nsswitch.conf"), "passwd: nis\n").unwrap();
        symlink("/real/nsswitch.conf", root.join("etc/nsswitch.conf")).unwrap();
        let found = || {
            let nsswitch = true;
            let survey = Survey::take(
                root,
                Questions {
                    nsswitch,
                    ..Questions::default()
                },
            )
            .unwrap();
            let mut names: Vec<_> = provided(root)
                .iter()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            names.sort();
            (survey.nsswitch, names)
        };
        let all = ["nis", "resolve", "sss", "systemd"].map(str::to_owned).to_vec();
        assert_eq!(found(), (Some(b"passwd: nis\n".to_vec()), all));
        fs::remove_dir_all(root.join("etc")).unwrap();
        let uncached = ["nis", "resolve", "systemd"].map(str::to_owned).to_vec();
        assert_eq!(found(), (None, uncached));
    }
}
