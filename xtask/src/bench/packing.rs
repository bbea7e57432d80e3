//! Packing: time and peak memory beside mksquashfs over the same tree, with the same codec, level and block size.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Bench;
use super::statistics::Summary;
use crate::error::Error;
use crate::programs;

/// The packer's defaults: zstd level and block size in bytes.
const LEVEL: &str = "15";
const BLOCK_SIZE: &str = "131072";

/// One way of packing, measured some times.
struct Series {
    times: Vec<Duration>,
    /// Time of all processors: what else the machine does counts less in it.
    processors: Vec<Duration>,
    /// The highest of all runs.
    peak_kib: u64,
    output_bytes: u64,
}

/// Measures and prints.
pub(super) fn print(bench: &Bench, rounds: u32) -> Result<(), Error> {
    let options = ["--level", LEVEL, "--block-size", BLOCK_SIZE, "--include", "/**"];
    let bundle = bench.pack("everything.run", &bench.rootfs, &options, &["bash"])?;
    // What was packed is what the peer packs.
    let tree = bench.path("tree");
    programs::output(bench.polecat().arg("extract").arg(&bundle).arg(&tree))?;
    let megabytes = size_of(&tree)? / 1_000_000;
    println!("\nPacking {megabytes} MB, zstd {LEVEL}, blocks of {BLOCK_SIZE} bytes, {rounds} rounds in turns");

    let image = bench.path("peer.squashfs");
    let mut pack = Command::new(&bench.packer);
    pack.arg("-o").arg(&bundle).args(options).arg(&bench.rootfs).arg("bash");
    let mut peer = Command::new("mksquashfs");
    peer.arg(&tree)
        .arg(&image)
        .args(["-comp", "zstd", "-Xcompression-level", LEVEL, "-b", BLOCK_SIZE]);
    peer.args(["-noappend", "-no-progress", "-quiet", "-no-xattrs"]);

    let (mut ours, mut theirs) = (Series::new(), Series::new());
    for _ in 0..rounds {
        ours.add(bench, &pack, &bundle)?;
        theirs.add(bench, &peer, &image)?;
    }
    ours.print("polecat (closure, image, hash tree, signature, sync)");
    theirs.print("mksquashfs (image)");
    if let (Some(our_time), Some(their_time)) = (Summary::of(&ours.times), Summary::of(&theirs.times)) {
        let (times, memory) = (our_time.minimum / their_time.minimum, (ours.peak_kib, theirs.peak_kib));
        let processors = sum(&ours.processors) / sum(&theirs.processors);
        println!(
            "  polecat takes {times:.2} times mksquashfs's time, {processors:.2} times its processors', {} of {} KiB",
            memory.0, memory.1
        );
    }
    Ok(())
}

impl Series {
    const fn new() -> Self {
        Self {
            times: Vec::new(),
            processors: Vec::new(),
            peak_kib: 0,
            output_bytes: 0,
        }
    }

    fn add(&mut self, bench: &Bench, command: &Command, output: &Path) -> Result<(), Error> {
        let here = Path::new("/proc/self/exe");
        let own = fs::read_link(here).map_err(Error::file("read", here))?;
        let mut measure = Command::new(own);
        measure.env("HOME", bench.path("home")).env_remove("XDG_CONFIG_HOME");
        measure
            .args(["measure", "--"])
            .arg(command.get_program())
            .args(command.get_args());
        let printed = programs::output(&mut measure)?;
        let unexpected = || Error::Unexpected {
            from: programs::shown(&measure),
            what: "not three numbers",
        };
        let numbers: Vec<u64> = printed
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let &[nanoseconds, microseconds, kib] = numbers.as_slice() else {
            return Err(unexpected());
        };
        self.times.push(Duration::from_nanos(nanoseconds));
        self.processors.push(Duration::from_micros(microseconds));
        self.peak_kib = self.peak_kib.max(kib);
        self.output_bytes = fs::metadata(output).map_err(Error::file("read", output))?.len();
        Ok(())
    }

    fn print(&self, title: &str) {
        let (Some(time), Some(processors)) = (Summary::of(&self.times), Summary::of(&self.processors)) else {
            return;
        };
        println!("  {title}");
        println!(
            "    {:.2} s minimum, {:.2} s median, {:.2} s of processors, {} MiB peak, {} bytes",
            time.minimum / 1e3,
            time.median / 1e3,
            processors.minimum / 1e3,
            self.peak_kib / 1024,
            self.output_bytes
        );
    }
}

fn sum(times: &[Duration]) -> f64 {
    times.iter().map(Duration::as_secs_f64).sum()
}

/// Sum of the regular files' sizes below `directory`.
fn size_of(directory: &Path) -> Result<u64, Error> {
    let mut sum = 0;
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let entry = entry.map_err(Error::file("read", directory))?;
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).map_err(Error::file("read", &path))?;
        sum += if metadata.is_dir() {
            size_of(&path)?
        } else if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
    }
    Ok(sum)
}
