//! Search paths of programs and libraries that name a directory of the host's: what is loaded is the image's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::exec;
use support::requirement::{skip, tool};
use support::{Bundle, Need, Scratch};

use crate::{NEEDS, assert_empty, forced};

/// What the image's library answers, and the host's of the same path.
const RIGHT: i32 = 42;
const WRONG: i32 = 13;

/// `DT_RPATH`, which glibc's loader looks at first, and `DT_RUNPATH`.
const KINDS: [(&str, &str); 2] = [("old", "-Wl,--disable-new-dtags"), ("new", "-Wl,--enable-new-dtags")];

/// A directory that the host has, too.
const THERE: &str = "/srv/libraries";

/// Programs, what they say, and what their library says, of where libraries are. `@` is [`THERE`].
const PROGRAMS: [(&str, &str, &str); 9] = [
    ("program", "@", ""),
    ("library", "", "@"),
    ("both", "@:$ORIGIN/nowhere", "/nowhere:@"),
    // Right as they are.
    ("near", "$ORIGIN/../own", ""),
    ("nearer", "", "${ORIGIN}/../own"),
    // Back to themselves by a longer name.
    ("round", "$ORIGIN/../lib", "$ORIGIN/../lib:$ORIGIN/../own"),
    ("about", "$ORIGIN/../lib", "$ORIGIN/../lib:@"),
    // In a root of one's own the way up ends there.
    ("up", "$ORIGIN/../../../../../../../../../../../../..@", ""),
    ("upper", "", "$ORIGIN/../../../../../../../../../../../../..@"),
];

/// Where the test compiles for a loader.
struct Workshop<'a> {
    scratch: &'a Scratch,
    compiler: PathBuf,
    /// [`THERE`] in the image.
    there: PathBuf,
    /// What the host will have in its place.
    here: PathBuf,
}

impl Workshop<'_> {
    fn compile(&self, output: &Path, source: &str, words: &[String]) {
        let file = self.scratch.join("source.c");
        fs::write(&file, source).expect("a file");
        fs::create_dir_all(output.parent().expect("a directory")).expect("a directory");
        let mut command = Command::new(&self.compiler);
        command.arg("-o").arg(output).arg(&file).args(words);
        let _no_output = exec::run(&mut command).success();
    }

    fn library(&self, output: &Path, source: &str, words: &[String]) {
        let mut all = vec!["-shared".to_owned(), "-fPIC".to_owned(), "-nostartfiles".to_owned()];
        let name = output.file_name().expect("a name").to_str().expect("text");
        all.push(format!("-Wl,-soname,{name}"));
        all.extend_from_slice(words);
        self.compile(output, source, &all);
    }

    fn run_path(&self, path: &str, kind: &str) -> Vec<String> {
        let path = path.replace('@', THERE);
        let mut words = vec![format!("-Wl,-rpath-link,{}", self.there.display())];
        if !path.is_empty() {
            words.extend([kind.to_owned(), format!("-Wl,-rpath,{path}")]);
        }
        words
    }

    /// A program that ends with what `libanswer.so` answers to `libask.so`. Both are its own, under names of their own.
    fn program(&self, root: &Path, name: &str, (kind, flag): (&str, &str), (own, librarys): (&str, &str)) {
        let called = format!("{name}-{kind}");
        let answer = format!("answer_{name}_{kind}");
        let file = format!("lib{answer}.so");
        let near = own.contains("own") || librarys.contains("own");
        let place = if near { root.join("usr/own") } else { self.there.clone() };
        let says = |number: i32| format!("int answer(void) {{ return {number}; }}\n");
        self.library(&place.join(&file), &says(RIGHT), &[]);
        self.library(&self.here.join(&file), &says(WRONG), &[]);
        let link = |directory: &Path, library: &str| vec![format!("-L{}", directory.display()), format!("-l{library}")];
        let asks = "int answer(void); int ask(void) { return answer(); }\n";
        let words = [self.run_path(librarys, flag), link(&place, &answer)].concat();
        let ask = format!("ask_{name}_{kind}");
        self.library(&root.join(format!("usr/lib/lib{ask}.so")), asks, &words);
        let source = "int ask(void); int main(void) { return ask(); }\n";
        let mut words = link(&root.join("usr/lib"), &ask);
        words.push(format!("-Wl,-rpath-link,{}", place.display()));
        words.extend(self.run_path(own, flag));
        if librarys.is_empty() {
            // Only what it needs itself is looked for in its `DT_RUNPATH`.
            words.push("-Wl,--no-as-needed".to_owned());
            words.extend(link(&place, &answer));
        }
        self.compile(&root.join("usr/bin").join(called), source, &words);
    }
}

/// The command for this program of a bundle, on a host that has `libraries` in [`THERE`].
fn on_host_with(libraries: &Path, bundle: &Command, program: &str) -> Command {
    let script = "mount -t tmpfs -o mode=755 tmpfs /srv; mkdir \"$1\"; mount --bind \"$0\" \"$1\"; shift; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation=private", "sh", "-e", "-c", script]);
    command.arg(libraries).arg(THERE);
    command.arg(bundle.get_program()).args(bundle.get_args());
    for (name, value) in bundle.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.args(["--polecat-entry", program]);
    command
}

fn all_load_the_images(compiler: &'static str, libraries: &[&str]) {
    let needs = [Need::Polecat, Need::Tool("gcc"), Need::Tool(compiler)];
    if skip(&NEEDS) || skip(&needs) {
        return;
    }
    let scratch = Scratch::new();
    let root = scratch.directory("root");
    let workshop = Workshop {
        scratch: &scratch,
        compiler: tool(compiler),
        there: root.join(THERE.strip_prefix('/').expect("absolute")),
        here: scratch.open_directory("here"),
    };
    for library in libraries {
        let Ok(found) = fs::canonicalize(library) else {
            eprintln!("SKIP: {library}: no such loader or library");
            return;
        };
        let copy = root.join(library.strip_prefix('/').expect("absolute"));
        fs::create_dir_all(copy.parent().expect("a directory")).expect("a directory");
        exec::copy(&found, &copy);
    }
    let mut words = Vec::new();
    for kind in KINDS {
        for (name, own, librarys) in PROGRAMS {
            workshop.program(&root, name, kind, (own, librarys));
            let called = format!("{name}-{}", kind.0);
            words.extend(["--as".to_owned(), format!("{called}=/usr/bin/{called}")]);
        }
        // The link leads to the host's, too, of which the file has the same name.
        let (name, called) = (format!("link-{}", kind.0), format!("answer_link_{}", kind.0));
        workshop.program(&root, "link", kind, ("", ""));
        let file = format!("lib{called}.so");
        symlink(Path::new(THERE).join(&file), root.join("usr/lib").join(&file)).expect("a link");
        words.extend(["--as".to_owned(), format!("{name}=/usr/bin/{name}")]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bundle = Bundle::pack(&words, &root, &["/usr/bin/program-old"]);
    for word in words.iter().filter_map(|word| word.split_once('=')) {
        for rung in ["fusermount", "disk"] {
            if rung == "fusermount" && skip(&[Need::Tool("fusermount3"), Need::Fuse]) {
                continue;
            }
            let scratch = Scratch::new();
            let home = scratch.home();
            let ended =
                exec::run(&mut on_host_with(&workshop.here, &forced(rung, &bundle, &home), word.0)).exits(RIGHT);
            assert_eq!(ended.err(), "", "{rung}: {ended}");
            assert_empty(&home);
        }
    }
}

#[test]
fn with_glibc() {
    if cfg!(not(target_arch = "x86_64")) {
        eprintln!("SKIP: the loader of another machine");
        return;
    }
    all_load_the_images(
        "gcc",
        &["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"],
    );
}

#[test]
fn with_musl() {
    if cfg!(not(target_arch = "x86_64")) {
        eprintln!("SKIP: the loader of another machine");
        return;
    }
    all_load_the_images("musl-gcc", &["/lib/ld-musl-x86_64.so.1"]);
}
