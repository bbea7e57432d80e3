//! Every dynamic ELF file of a Debian root file system: the emulation and the root's own loader agree on what is loaded from where.

mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oracle::Trace;
use polecat::closure::{Extent, Request, plan};
use polecat::elf::{ElfFacts, ElfStore};
use polecat::ldso::{Cause, Loader, Main, Process};
use polecat::rootfs::{Kind, RootPath, Rootfs};

/// Asks the loader about each file of a list; `$1` is the root, `$2` a static busybox, `$3` the list. A library is given to the loader
/// as its program, a program is started by the kernel, a pair of a library and a program is the library preloaded into it.
const ASK: &str = r#"
mount -t tmpfs tmpfs "$1/mnt"
mount -t proc proc "$1/proc"
cp "$2" "$1/mnt/busybox"
cp "$3" "$1/mnt/list"
cat > "$1/mnt/ask" <<'END'
while read -r how one two; do
  echo "@@@ $how $one $two"
  case $how in
    program) LD_TRACE_LOADED_OBJECTS=1 "$one" 2>&1 ;;
    library) LD_TRACE_LOADED_OBJECTS=1 "$two" "$one" 2>&1 ;;
    preload) LD_TRACE_LOADED_OBJECTS=1 LD_PRELOAD="$one" "$two" 2>&1 ;;
  esac
done < /mnt/list
true
END
chroot "$1" /mnt/busybox sh /mnt/ask
"#;

/// The root file system that the whole test run uses, else one that was made before.
fn debian() -> Option<PathBuf> {
    if let Some(root) = std::env::var_os("POLECAT_TEST_ROOTFS") {
        return Some(PathBuf::from(root));
    }
    let kept = fs::read_dir(oracle::cache_directory())
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    kept.filter(|path| path.join("bin/ls").exists() && path.join("etc/debian_version").exists())
        .min()
}

/// A dynamic ELF file to compare.
struct Specimen {
    path: RootPath,
    facts: Arc<ElfFacts>,
    identity: (u64, u64),
    /// Setuid or setgid: its loader ignores LD_TRACE_LOADED_OBJECTS, the program would run.
    privileged: bool,
}

impl Specimen {
    fn main(&self) -> Main {
        Main {
            path: self.path.clone(),
            facts: self.facts.clone(),
            identity: self.identity,
        }
    }
}

/// All dynamic ELF files of the machine of `/bin/ls`, by their paths without links.
fn specimens(store: &ElfStore<'_>) -> Vec<Specimen> {
    let rootfs = store.rootfs();
    let mut pending: Vec<_> = rootfs
        .read_dir(&RootPath::root())
        .expect("the root")
        .into_iter()
        .map(|entry| RootPath::root().join(entry.name))
        .collect();
    pending.retain(|path| !["/proc", "/sys", "/dev", "/mnt"].contains(&&*path.to_string()));
    let ls = rootfs
        .resolve("/bin/ls", polecat::rootfs::Last::Follow)
        .expect("ls")
        .path;
    let target = store.facts(&ls).expect("readable").expect("ELF").target;
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        let metadata = rootfs.lstat(&path).expect("listed");
        match metadata.kind {
            Kind::Directory => pending.extend(
                rootfs
                    .read_dir(&path)
                    .expect("a directory")
                    .into_iter()
                    .map(|entry| path.join(entry.name)),
            ),
            Kind::File => {
                if let Ok(facts) = store.facts(&path).expect("readable")
                    && facts.has_dynamic
                    && facts.target == target
                    && (facts.interpreter.is_some() || !facts.dependencies.is_empty())
                {
                    found.push(Specimen {
                        path,
                        facts,
                        identity: metadata.identity,
                        privileged: metadata.mode & 0o6000 != 0,
                    });
                }
            }
            _ => {}
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What the emulation loaded, as the loader prints it.
fn as_trace(process: &Process, loader: &Loader, first: usize) -> Trace {
    let mut trace = Trace::default();
    for object in process
        .objects
        .iter()
        .skip(first)
        .filter(|object| object.cause != Cause::Program)
    {
        let opened = String::from_utf8_lossy(&object.opened).into_owned();
        let name = if object.requested == loader.interpreter {
            opened.clone()
        } else {
            String::from_utf8_lossy(&object.requested).into_owned()
        };
        trace.loaded.insert((name, opened));
    }
    trace.missing = process
        .faults
        .iter()
        .map(|fault| String::from_utf8_lossy(&fault.name).into_owned())
        .collect();
    trace
}

#[test]
fn every_file_loads_what_its_loader_loads() {
    if !oracle::root_with_tools(&["unshare", "chroot"]) {
        return;
    }
    let (Some(root), Some(busybox)) = (debian(), oracle::static_busybox()) else {
        oracle::skip("rootfs", "no Debian root file system: POLECAT_TEST_ROOTFS is not set");
        return;
    };
    let rootfs = Rootfs::open(&root).expect("a root file system");
    let store = ElfStore::new(&rootfs);
    let specimens = specimens(&store);
    let interpreter = specimens
        .iter()
        .find_map(|specimen| specimen.facts.interpreter.clone())
        .expect("a program");
    let loader = Loader::open(&store, &interpreter).expect("its loader");
    let processor = oracle::processor(&loader, &root);
    let answers = ask(&root, &busybox, &specimens, &loader);

    let mut compared = BTreeMap::<&str, usize>::new();
    let mut wrong = String::new();
    for specimen in &specimens {
        let process = loader.load(&store, &specimen.main(), &processor).expect("readable");
        let (how, key) = question(specimen, &loader);
        let mut expected = answers[&key].clone();
        let mut found = as_trace(&process, &loader, 1);
        // A library as the loader's program: the loader names itself as it was started.
        expected.loaded.retain(|(name, _)| !is_loader(name, &loader));
        found.loaded.retain(|(name, _)| !is_loader(name, &loader));
        *compared.entry(how).or_default() += 1;
        if expected != found {
            writeln!(wrong, "{key}\n  loader says {expected:?}\n  found       {found:?}").expect("a string");
        }
    }
    println!("compared with the root's own loader: {compared:?}");
    assert!(
        compared["program"] > 100 && compared["library"] > 50,
        "too few to mean anything: {compared:?}"
    );
    assert!(wrong.is_empty(), "{wrong}");
}

/// Python's extension modules are opened at run time: preloading one into python maps the same files as opening it.
#[test]
fn extension_modules_load_what_their_loader_loads() {
    if !oracle::root_with_tools(&["unshare", "chroot"]) {
        return;
    }
    let (Some(root), Some(busybox)) = (debian(), oracle::static_busybox()) else {
        oracle::skip("rootfs", "no Debian root file system: POLECAT_TEST_ROOTFS is not set");
        return;
    };
    let rootfs = Rootfs::open(&root).expect("a root file system");
    let store = ElfStore::new(&rootfs);
    let python = rootfs
        .resolve("/usr/bin/python3", polecat::rootfs::Last::Follow)
        .expect("python3")
        .path;
    let facts = store.facts(&python).expect("readable").expect("ELF");
    let loader = Loader::open(&store, facts.interpreter.as_deref().expect("dynamic")).expect("its loader");
    let processor = oracle::processor(&loader, &root);
    let identity = rootfs.lstat(&python).expect("python3").identity;
    let process = loader
        .load(
            &store,
            &Main {
                path: python.clone(),
                facts,
                identity,
            },
            &processor,
        )
        .expect("readable");
    let modules: Vec<_> = specimens(&store)
        .into_iter()
        .filter(|specimen| specimen.path.to_string().contains("/lib-dynload/"))
        .collect();
    let lines: String = modules
        .iter()
        .map(|module| format!("preload {} {python}\n", module.path))
        .collect();
    let answers = answers(&root, &busybox, &lines);

    for module in &modules {
        let mut opened = loader
            .open_library(&store, Some(&process), module.path.as_bytes(), &processor)
            .expect("readable");
        opened.faults.extend(process.faults.iter().cloned());
        let expected = &answers[&format!("preload {} {python}", module.path)];
        assert_eq!(&as_trace(&opened, &loader, 1), expected, "{}", module.path);
    }
    println!("modules opened as the root's own loader does: {}", modules.len());
    assert!(modules.len() > 10, "too few to mean anything");
}

fn is_loader(name: &str, loader: &Loader) -> bool {
    name.as_bytes() == loader.interpreter || name == loader.path.to_string() || name.ends_with("/ld-linux-x86-64.so.2")
}

/// How a file is put to the loader, and the line for it.
fn question(specimen: &Specimen, loader: &Loader) -> (&'static str, String) {
    if specimen.facts.interpreter.is_some() && !specimen.privileged && !specimen.path.to_string().contains(".so") {
        ("program", format!("program {} ", specimen.path))
    } else {
        ("library", format!("library {} {}", specimen.path, loader.path))
    }
}

fn ask(root: &Path, busybox: &Path, specimens: &[Specimen], loader: &Loader) -> BTreeMap<String, Trace> {
    let lines: String = specimens
        .iter()
        .map(|specimen| question(specimen, loader).1 + "\n")
        .collect();
    answers(root, busybox, &lines)
}

fn answers(root: &Path, busybox: &Path, lines: &str) -> BTreeMap<String, Trace> {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(list.path(), lines).expect("written");
    let output = oracle::in_mount_namespace(ASK, &[root, busybox, list.path()]);
    let output = String::from_utf8(output).expect("UTF-8");
    let answers = output
        .split("@@@ ")
        .skip(1)
        .filter_map(|answer| answer.split_once('\n'));
    answers
        .map(|(question, answer)| (question.to_owned(), Trace::parse(answer)))
        .collect()
}

/// What is run in the whole root and in the packed tree: a script, where `$P` is the command's path (the shell has commands of its own),
/// and patterns for what no ELF file names.
const USES: &[(&str, &str, &[&str])] = &[
    ("ls", "$P -l /etc/passwd | cut -c 1-22; $P --version", &[]),
    (
        "top",
        "$P -v; TERM=xterm-256color $P -b -n 1 | head -n 1 | cut -c 1-5",
        &[],
    ),
    (
        "bash",
        "$P -c 'a=(1 2); echo ${a[1]} $BASH_VERSION; s=äöü; echo ${#s}'",
        &[],
    ),
    ("jq", "echo '{\"a\": [1, 2]}' | $P -c .a", &[]),
    ("curl", "$P --version; $P -s file:///etc/os-release", &[]),
    ("git", "$P --version; $P config --get no.such; echo $?", &[]),
    ("busybox", "$P echo one; $P id", &[]),
    ("id", "$P; $P nobody; $P nosuchuser", &[]),
    (
        "tput",
        "$P -T xterm colors; $P -T tmux-256color colors; $P -T linux bold; $P -T nonsense colors",
        &[],
    ),
    (
        "python3",
        "$P -c 'import ssl, sqlite3, hashlib; print(ssl.OPENSSL_VERSION)'",
        &["/usr/lib/python3*/**"],
    ),
    // A script with #!/usr/bin/perl.
    (
        "deluser",
        "$P --version",
        &[
            "/usr/share/perl*/**",
            "/usr/lib/x86_64-linux-gnu/perl*/**",
            "/etc/{adduser,deluser}.conf",
        ],
    ),
];

/// The packed tree alone, with nothing else of the root: the same output.
#[test]
fn packed_programs_behave_as_in_the_whole_root() {
    if !oracle::root_with_tools(&["unshare", "chroot"]) {
        return;
    }
    let (Some(root), Some(busybox)) = (debian(), oracle::static_busybox()) else {
        oracle::skip("rootfs", "no Debian root file system: POLECAT_TEST_ROOTFS is not set");
        return;
    };
    let rootfs = Rootfs::open(&root).expect("a root file system");
    let mut ran = 0;
    for (command, script, include) in USES {
        let include = include.iter().map(|&text| text.to_owned()).collect();
        let request = Request {
            command: (*command).into(),
            include,
            ..Request::default()
        };
        let Ok(plan) = plan(&rootfs, &request, &Extent::elf()) else {
            println!("not in this root: {command}");
            continue;
        };
        let tree = tempfile::tempdir().expect("a temporary directory");
        oracle::write_tree(&plan, &root, tree.path());
        let script = format!("P={}\n{script}", plan.entry);
        let whole = run(&root, &busybox, &script);
        assert!(
            !whole.is_empty() && !whole.contains("not found"),
            "{command} does not run at all: {whole}"
        );
        assert_eq!(run(tree.path(), &busybox, &script), whole, "{command}: packed, whole");
        ran += 1;
    }
    println!(
        "packed programs that behave as in the whole root: {ran} of {}",
        USES.len()
    );
    assert!(ran >= 8, "too few to mean anything");
}

/// Runs a script in the root with a shell from outside of it.
fn run(root: &Path, busybox: &Path, script: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), script).expect("written");
    let inside = r#"
mount -t tmpfs tmpfs "$1/mnt"; mount -t proc proc "$1/proc"; mount -t tmpfs tmpfs "$1/tmp"; mount -t tmpfs tmpfs "$1/dev"
mknod -m 666 "$1/dev/null" c 1 3; mknod -m 666 "$1/dev/urandom" c 1 9
cp "$2" "$1/mnt/busybox"; ln -s busybox "$1/mnt/sh"; ln -s busybox "$1/mnt/head"; ln -s busybox "$1/mnt/cut"; cp "$3" "$1/mnt/script"
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/mnt HOME=/root LANG=C.UTF-8 chroot "$1" /mnt/sh /mnt/script 2>&1 || true
"#;
    let output = oracle::in_mount_namespace(inside, &[root, busybox, file.path()]);
    String::from_utf8_lossy(&output).into_owned()
}
