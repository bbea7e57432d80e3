//! Small root file systems, one for each rule of the dynamic loaders, made by `fixtures/loader/build.sh` with the real loader's
//! answers beside them. For each: the emulation loads what the loader loads, the plan has what a right closure must have, and the
//! packed tree alone behaves as the whole root does.

mod oracle;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use oracle::Trace;
use polecat::closure::{Extent, Request, plan};
use polecat::elf::ElfStore;
use polecat::ldso::{Cause, Loader, Main, Process};
use polecat::plan::{Plan, WarningKind};
use polecat::rootfs::{Last, RootPath, Rootfs};
use sha2::{Digest, Sha256};

/// Fixtures that the script builds.
const COUNT: usize = 61;

/// What a person has to say besides the command, where no ELF file says it.
struct Words {
    fixture: &'static str,
    also: &'static [&'static str],
    include: &'static [&'static str],
}

const WORDS: &[Words] = &[
    // Opened at run time: by name, by path, below $ORIGIN, by a name put together, by listing a directory.
    Words {
        fixture: "dlopen-kinds",
        also: &[],
        include: &[
            "/usr/lib/x86_64-linux-gnu/libd1.so.1",
            "/opt/abs/plug2.so",
            "/opt/app/plug/p3.so",
            "/usr/lib/x86_64-linux-gnu/libd4_x.so.*",
            "/opt/app/mods/*.so",
        ],
    },
    // A plugin; what the plugin needs is found without a word.
    Words {
        fixture: "dlopen-runpath",
        also: &[],
        include: &["/opt/pl/libplug.so"],
    },
    // Named only in a note of the executable.
    Words {
        fixture: "fdo-dlopen-note",
        also: &[],
        include: &["/usr/lib/x86_64-linux-gnu/libfdo9.so.1"],
    },
    // A static executable that opens character set converters.
    Words {
        fixture: "static-nss",
        also: &[],
        include: &["/usr/lib/x86_64-linux-gnu/gconv/**"],
    },
    // Programs started by programs; the shell of system() is in the base set.
    Words {
        fixture: "helper-exec",
        also: &["/usr/lib/app/helper", "helper-two"],
        include: &[],
    },
    // Sourced and called in the body of a script; the interpreters of what is called are found without a word.
    Words {
        fixture: "script-chain",
        also: &[],
        include: &["/opt/s/lib.sh", "/opt/s/sub"],
    },
    // A script that sets LD_LIBRARY_PATH.
    Words {
        fixture: "ldlibpath-wrapper",
        also: &["/opt/w/bin/real"],
        include: &["/opt/w/lib/*"],
    },
    // The program and its library path are arguments of the loader.
    Words {
        fixture: "ldso-as-command",
        also: &["/opt/w/bin/real"],
        include: &["/opt/w/lib/*"],
    },
    // Names that need care, as data.
    Words {
        fixture: "odd-names",
        also: &[],
        include: &["/opt/**"],
    },
    // ELF files that are no programs, as data.
    Words {
        fixture: "non-exec-elves",
        also: &[],
        include: &["/opt/junk/**"],
    },
    // The setuid twin of the program.
    Words {
        fixture: "caps-xattr",
        also: &["/bin/suid"],
        include: &[],
    },
];

/// Fixtures whose command the loader cannot be asked about: static programs run instead, and the loader itself wants a program.
const NOT_ASKED: [&str; 4] = ["static", "static-pie", "static-nss", "ldso-as-command"];

/// Warnings that a plan must have, by a part of their text.
const WARNINGS: &[(&str, WarningKind, &str)] = &[
    ("caps-xattr", WarningKind::Condition, "has file capabilities"),
    (
        "runpath-noinherit-missing",
        WarningKind::MissingLibrary,
        "needs libb.so",
    ),
    ("weak-missing-needed", WarningKind::MissingLibrary, "needs libgone.so.3"),
    ("ldconf-no-cache", WarningKind::MissingLibrary, "ldconfig -r"),
    ("symlink-loop", WarningKind::MissingLibrary, "needs liba.so"),
    ("not-elf-first", WarningKind::LoaderStops, "/opt/t/liba.so"),
    ("unreadable-dir-first", WarningKind::LoaderStops, "a directory"),
    ("needed-slash-rel", WarningKind::Condition, "working directory"),
    ("ldlibpath-wrapper", WarningKind::Condition, "LD_LIBRARY_PATH"),
    ("ldso-as-command", WarningKind::Condition, "LD_LIBRARY_PATH"),
    ("hwcaps-only", WarningKind::Condition, "only for some processors"),
    ("empty-rpath-component", WarningKind::Condition, "working directory"),
];

/// The built fixtures, made when they are missing: kept under a name that changes with the script.
fn fixtures() -> &'static Path {
    static FIXTURES: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/loader/build.sh");
        let digest = Sha256::digest(fs::read(&script).expect("the script"));
        let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let directory = oracle::cache_directory().join(format!("loader-{name}"));
        if !directory.exists() {
            build(&script, &directory);
        }
        directory
    });
    &FIXTURES
}

fn build(script: &Path, directory: &Path) {
    fs::create_dir_all(oracle::cache_directory()).expect("the cache directory");
    let building = tempfile::tempdir_in(oracle::cache_directory()).expect("a temporary directory");
    let made = building.path().join("made");
    let output = Command::new("bash").arg(script).arg(&made).output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&made, directory).expect("renamed");
}

struct Fixture {
    name: String,
    root: PathBuf,
    command: Vec<String>,
}

impl Fixture {
    fn read(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.root.join(file)).unwrap_or_default()).into_owned()
    }

    fn plan(&self) -> Plan {
        let words = WORDS.iter().find(|words| words.fixture == self.name);
        let strings = |list: &[&str]| list.iter().map(OsString::from).collect();
        let request = Request {
            command: self.command[0].clone().into(),
            also: words.map(|words| strings(words.also)).unwrap_or_default(),
            include: words
                .map(|words| words.include.iter().map(|&text| text.to_owned()).collect())
                .unwrap_or_default(),
            ..Request::default()
        };
        let rootfs = Rootfs::open(&self.root).expect("a root file system");
        plan(&rootfs, &request, &Extent::elf()).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn all() -> Vec<Fixture> {
    let mut fixtures: Vec<_> = fs::read_dir(fixtures())
        .expect("the fixtures")
        .map(|entry| {
            let root = entry.expect("an entry").path();
            let name = root.file_name().expect("a name").to_string_lossy().into_owned();
            let command = fs::read_to_string(root.join("cmd")).expect("cmd");
            Fixture {
                name,
                root,
                command: command.split_whitespace().map(str::to_owned).collect(),
            }
        })
        .collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

fn tools() -> bool {
    oracle::root_with_tools(&[
        "unshare",
        "chroot",
        "bash",
        "gcc",
        "musl-gcc",
        "aarch64-linux-gnu-gcc",
        "patchelf",
        "setcap",
        "python3",
        "busybox",
    ])
}

#[test]
fn the_emulation_loads_what_the_loader_loads() {
    if !tools() {
        return;
    }
    let mut wrong = Vec::new();
    let mut compared = 0;
    for fixture in all()
        .iter()
        .filter(|fixture| !NOT_ASKED.contains(&fixture.name.as_str()))
    {
        let mut expected = Trace::parse(&fixture.read("oracle.list"));
        let (found, loader) = emulate(fixture);
        if loader.is_musl() {
            // musl names itself once for each reserved name: libc, libpthread, … That is no file besides the loader.
            expected
                .loaded
                .retain(|(_, path)| path.as_bytes() != loader.interpreter);
        }
        compared += 1;
        if found != expected {
            wrong.push(format!(
                "{}\n  loader says {expected:?}\n  found       {found:?}",
                fixture.name
            ));
        }
    }
    println!("loader's answers met: {} of {compared}", compared - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(compared, COUNT - NOT_ASKED.len());
}

/// What the emulation says about the fixture's command, or the interpreter in the end of it, on this machine's processor.
fn emulate(fixture: &Fixture) -> (Trace, Loader) {
    let rootfs = Rootfs::open(&fixture.root).expect("a root file system");
    let store = ElfStore::new(&rootfs);
    let command = if matches!(fixture.name.as_str(), "script-chain" | "ldlibpath-wrapper") {
        "/bin/sh"
    } else {
        &fixture.command[0]
    };
    let place = rootfs.resolve(command, Last::Follow).expect("the command");
    let facts = store.facts(&place.path).expect("readable").expect("ELF");
    let loader = Loader::open(&store, facts.interpreter.as_deref().expect("dynamic")).expect("a loader");
    let main = Main {
        path: place.path,
        facts,
        identity: place.metadata.identity,
    };
    let processor = oracle::processor(&loader, &fixture.root);
    let process = loader.load(&store, &main, &processor).expect("readable");
    (as_trace(&process, &loader), loader)
}

/// The process as the loader prints it. glibc stops at the first library it refuses; auditors have a list of their own; musl does not
/// count itself.
fn as_trace(process: &Process, loader: &Loader) -> Trace {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some((opened, _)) = process.faults.iter().find_map(|fault| fault.refused.as_ref()) {
        return Trace {
            stopped: Some(text(opened)),
            ..Trace::default()
        };
    }
    let mut trace = Trace::default();
    for object in &process.objects {
        let mut top = object;
        while let (Some(by), true) = (top.by, top.cause != Cause::Audit) {
            top = &process.objects[by];
        }
        if object.cause == Cause::Program || top.cause == Cause::Audit {
            continue;
        }
        trace.loaded.insert((text(&object.requested), text(&object.opened)));
    }
    trace.missing = process.faults.iter().map(|fault| text(&fault.name)).collect();
    if loader.is_musl() {
        trace.loaded.retain(|(name, _)| name.as_bytes() != loader.interpreter);
    }
    trace
}

#[test]
fn the_plan_has_what_a_right_closure_has() {
    if !tools() {
        return;
    }
    let mut wrong = BTreeMap::<String, Vec<String>>::new();
    let fixtures = all();
    for fixture in &fixtures {
        let plan = fixture.plan();
        let rootfs = Rootfs::open(&fixture.root).expect("a root file system");
        let mut fault = |text: String| wrong.entry(fixture.name.clone()).or_default().push(text);
        for line in fixture.read("must").lines() {
            match line.strip_prefix('!') {
                Some(path) if plan.entries.contains_key(&RootPath::new(path)) => fault(format!("has {path}")),
                None if !leads_somewhere(&plan, &rootfs, line) => fault(format!("lacks {line}")),
                _ => {}
            }
        }
        if !NOT_ASKED.contains(&fixture.name.as_str()) {
            for (_, path) in Trace::parse(&fixture.read("oracle.list")).loaded {
                if !leads_somewhere(&plan, &rootfs, &path) {
                    fault(format!("lacks {path}, which the loader maps"));
                }
            }
        }
        for parentless in plan
            .entries
            .keys()
            .filter(|path| path.parent().is_some_and(|parent| !plan.entries.contains_key(&parent)))
        {
            fault(format!("{parentless} has no parent"));
        }
    }
    for (name, list) in &wrong {
        println!("{name}: {}", list.join("; "));
    }
    println!("plans complete: {} of {}", fixtures.len() - wrong.len(), fixtures.len());
    assert!(wrong.is_empty(), "see above");
    assert_eq!(fixtures.len(), COUNT);
}

/// Is the path in the plan, with every link on the way and its end?
fn leads_somewhere(plan: &Plan, rootfs: &Rootfs, path: &str) -> bool {
    let Ok(place) = rootfs.resolve(path, Last::Follow) else {
        return false;
    };
    let mut hops = place.links.iter().chain(&place.directories).chain([&place.path]);
    hops.all(|hop| plan.entries.contains_key(hop))
}

#[test]
fn warnings_say_what_will_not_work() {
    if !tools() {
        return;
    }
    for fixture in all() {
        let plan = fixture.plan();
        let expected: Vec<_> = WARNINGS.iter().filter(|(name, _, _)| *name == fixture.name).collect();
        for (_, kind, text) in &expected {
            let found = plan
                .warnings
                .iter()
                .any(|warning| warning.kind == *kind && warning.message.contains(text));
            assert!(found, "{}: {kind:?} {text} is not in {:?}", fixture.name, plan.warnings);
        }
        // Where all is well nothing is said.
        let quiet = expected.is_empty() && !matches!(fixture.name.as_str(), "non-exec-elves");
        assert!(
            !quiet || plan.warnings.is_empty(),
            "{}: {:?}",
            fixture.name,
            plan.warnings
        );
    }
}

#[test]
fn the_packed_tree_behaves_as_the_whole_root() {
    if !tools() {
        return;
    }
    let mut wrong = Vec::new();
    let fixtures = all();
    for fixture in &fixtures {
        let tree = tempfile::tempdir().expect("a temporary directory");
        oracle::write_tree(&fixture.plan(), &fixture.root, tree.path());
        let proc = if fixture.root.join("proc").exists() {
            r#"mount -t proc proc "$1/proc";"#
        } else {
            ""
        };
        let script = format!(
            r#"{proc} set +e; chroot "$1" {} 2>&1; echo "status $?""#,
            fixture.command.join(" ")
        );
        let output = oracle::in_mount_namespace(&script, &[tree.path()]);
        let expected = format!(
            "{}status {}\n",
            fixture.read("oracle.out"),
            fixture.read("oracle.rc").trim()
        );
        let output = String::from_utf8_lossy(&output).into_owned();
        if output != expected {
            wrong.push(format!(
                "{}\n  whole root: {expected:?}\n  packed:     {output:?}",
                fixture.name
            ));
        }
    }
    println!(
        "packed trees that behave as the whole root: {} of {}",
        fixtures.len() - wrong.len(),
        fixtures.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names of any bytes are packed as they are, and shown on one line.
#[test]
fn odd_names_are_kept() {
    if !tools() {
        return;
    }
    let fixtures = all();
    let fixture = fixtures
        .iter()
        .find(|fixture| fixture.name == "odd-names")
        .expect("the fixture");
    let plan = fixture.plan();
    let opt: BTreeSet<_> = plan
        .entries
        .keys()
        .filter(|path| path.parent() == Some(RootPath::new("/opt")))
        .map(|path| OsStr::from_bytes(path.file_name()).to_owned())
        .collect();
    let expected: BTreeSet<_> = fs::read_dir(fixture.root.join("opt"))
        .expect("opt")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(opt, expected);
    assert!(plan.entries.keys().all(|path| !path.to_string().contains('\n')));
}
