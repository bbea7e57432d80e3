//! Start times: a packed program beside the same program started bare, its root file system made the root directory
//! beforehand.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::statistics::Summary;
use super::{Bench, open_to_all};
use crate::error::Error;
use crate::{paths, programs};

/// An id without an account on any machine: "nobody" is 65534.
const ORDINARY_USER: u32 = 65533;

/// How long a mount is kept: longer than a round takes, and gone soon after the last.
const KEPT_SECONDS: &str = "10";

/// A program, bare and packed.
struct Program {
    title: &'static str,
    root: PathBuf,
    /// Path inside the root, and arguments.
    bare: Vec<&'static str>,
    bundle: PathBuf,
}

/// A way to start a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Bare,
    /// As the ladder has it.
    Default,
    /// On a mount that an earlier start left.
    Kept,
    Rung(&'static str),
}

/// Who starts it, and how. The bare one comes first of its group: the others are compared with it.
const GROUPS: [(&str, bool, &[Way]); 2] = [
    (
        "root",
        false,
        &[
            Way::Bare,
            Way::Default,
            Way::Kept,
            Way::Rung("loop"),
            Way::Rung("fuse"),
            Way::Rung("unpack"),
        ],
    ),
    (
        "user",
        true,
        &[
            Way::Bare,
            Way::Default,
            Way::Kept,
            Way::Rung("fuse"),
            Way::Rung("unpack"),
        ],
    ),
];

/// Measures and prints the table.
pub(super) fn print(bench: &Bench, rounds: u32) -> Result<(), Error> {
    println!("Start to end, in ms: minimum / median of {rounds}, in turns. In parentheses: above bare, by minima.");
    for program in programs_to_start(bench)? {
        let mut workers = Vec::new();
        for (who, ordinary, ways) in GROUPS {
            for way in ways {
                workers.push((who, *way, Worker::start(bench, &program, *way, ordinary)?));
            }
        }
        // One round to warm the caches.
        for (.., worker) in &mut workers {
            worker.run()?;
            worker.series.clear();
        }
        for _ in 0..rounds {
            for (.., worker) in &mut workers {
                worker.run()?;
            }
        }
        print_program(&program, &workers);
        for (.., worker) in workers {
            worker.end()?;
        }
    }
    Ok(())
}

fn print_program(program: &Program, workers: &[(&str, Way, Worker)]) {
    println!("\n{}", program.title);
    let mut bare = None;
    for (who, way, worker) in workers {
        let Some(summary) = Summary::of(&worker.series) else {
            continue;
        };
        let numbers = format!("{:8.2} / {:8.2}", summary.minimum, summary.median);
        match way {
            Way::Bare => {
                bare = Some(summary.minimum);
                println!("  {who}  bare    {numbers}");
            }
            Way::Default | Way::Kept | Way::Rung(_) => {
                let rung = match way {
                    Way::Rung(rung) => rung,
                    Way::Kept => "kept",
                    _ => "default",
                };
                let bare = bare.unwrap_or(f64::NAN);
                let (above, times) = (summary.minimum - bare, summary.minimum / bare);
                println!("  {who}  {rung:7} {numbers}   (+{above:.2} ms, {times:.1} times)");
            }
        }
    }
}

fn programs_to_start(bench: &Bench) -> Result<Vec<Program>, Error> {
    let (tiny, busybox) = (tiny_root(bench)?, busybox_root(bench)?);
    let debian = &bench.rootfs;
    let python = ["--include", "/usr/lib/python3*/**"];
    Ok(vec![
        Program {
            title: "a small static program (13 kB)",
            bundle: bench.pack("tiny.run", &tiny, &[], &["/bin/tiny"])?,
            bare: vec!["/bin/tiny"],
            root: tiny,
        },
        Program {
            title: "a large static program (1.9 MB): busybox true",
            bundle: bench.pack("busybox.run", &busybox, &[], &["/bin/busybox", "true"])?,
            bare: vec!["/bin/busybox", "true"],
            root: busybox,
        },
        Program {
            title: "true (dynamic)",
            bundle: bench.pack("true.run", debian, &[], &["true"])?,
            bare: vec!["/usr/bin/true"],
            root: debian.clone(),
        },
        Program {
            title: "python3 -c pass",
            bundle: bench.pack("python.run", debian, &python, &["python3", "-c", "pass"])?,
            bare: vec!["/usr/bin/python3", "-c", "pass"],
            root: debian.clone(),
        },
    ])
}

/// A root file system with nothing but about the smallest program that musl makes.
fn tiny_root(bench: &Bench) -> Result<PathBuf, Error> {
    let root = bench.path("tiny");
    let directory = root.join("bin");
    fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
    let source = paths::workspace().join("fixtures/programs/tiny.c");
    let mut compiler = Command::new("musl-gcc");
    compiler
        .args(["-static", "-Os", "-s", "-o"])
        .arg(directory.join("tiny"))
        .arg(source);
    programs::run(&mut compiler)?;
    Ok(root)
}

/// A root file system with nothing but a static busybox.
fn busybox_root(bench: &Bench) -> Result<PathBuf, Error> {
    let root = bench.path("busybox");
    let directory = root.join("bin");
    fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
    let busybox =
        programs::find("busybox").ok_or_else(|| Error::Missing(vec!["busybox (busybox-static)".to_owned()]))?;
    fs::copy(&busybox, directory.join("busybox")).map_err(Error::file("copy", &busybox))?;
    Ok(root)
}

/// A process that starts one program again and again.
struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    series: Vec<Duration>,
}

impl Worker {
    fn start(bench: &Bench, program: &Program, way: Way, ordinary: bool) -> Result<Self, Error> {
        let here = Path::new("/proc/self/exe");
        let own = fs::read_link(here).map_err(Error::file("read", here))?;
        let mut command = Command::new(own);
        command
            .args(["measure", "--serve"])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        if ordinary {
            let node = bench.path("fuse");
            fs::create_dir_all(&node).map_err(Error::file("create", &node))?;
            open_to_all(&node)?;
            command
                .arg("--fuse")
                .arg(node)
                .args(["--user", &ORDINARY_USER.to_string()]);
        }
        match way {
            Way::Bare => command.arg("--root").arg(&program.root).arg("--").args(&program.bare),
            // The mount of the other way is not for it.
            Way::Default => command.env("POLECAT_KEEP", "0").arg("--").arg(&program.bundle),
            Way::Kept => command.env("POLECAT_KEEP", KEPT_SECONDS).arg("--").arg(&program.bundle),
            Way::Rung(rung) => command.env("POLECAT_MOUNT", rung).arg("--").arg(&program.bundle),
        };
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let lost = || Error::Unexpected {
            from: programs::shown(&command),
            what: "no pipes",
        };
        let start = |source| Error::Start {
            command: "the measuring process".to_owned(),
            source,
        };
        let (lost, mut process) = (lost(), command.spawn().map_err(start)?);
        match (process.stdin.take(), process.stdout.take()) {
            (Some(orders), Some(answers)) => Ok(Self {
                process,
                orders,
                answers: BufReader::new(answers),
                series: Vec::new(),
            }),
            _ => Err(lost),
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        let pipe = Path::new("the measuring process");
        self.orders.write_all(b"\n").map_err(Error::file("write to", pipe))?;
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .map_err(Error::file("read from", pipe))?;
        let nanoseconds = line.trim().parse().map_err(|_| Error::Unexpected {
            from: pipe.display().to_string(),
            what: "ended; its message is above",
        })?;
        self.series.push(Duration::from_nanos(nanoseconds));
        Ok(())
    }

    /// Closing its standard input ends it.
    fn end(self) -> Result<(), Error> {
        let Self {
            mut process, orders, ..
        } = self;
        drop(orders);
        process
            .wait()
            .map_err(Error::file("wait for", Path::new("the measuring process")))?;
        Ok(())
    }
}
