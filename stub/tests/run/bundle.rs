//! A bundle made by the writer of the format, around an image that mksquashfs made.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use bundle::manifest::{HashTreeRecord, ImageRecord, Isolation, Manifest, Process, StubRecord};
use bundle::{BundleWriter, SignatureRecord};
use nix::unistd::Pid;
use signing::{Purpose, SecretKey};
use support::exec::{self, Ended};
use support::requirement::tool;
use support::{Place, Scratch};

/// Commands of busybox that the image has under their own names.
const COMMANDS: [&str; 14] = [
    "sh", "cat", "chroot", "echo", "env", "grep", "id", "kill", "ls", "readlink", "sed", "sleep", "touch", "true",
];

/// A bundle of `/bin/sh`, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Bundle {
    scratch: Scratch,
    /// Where the image begins, in bytes.
    pub(crate) image_offset: u64,
}

impl Bundle {
    /// With an image of busybox to which `add` adds what it likes.
    pub(crate) fn of_busybox(add: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new();
        let root = scratch.directory("root");
        for directory in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        exec::copy(&tool("busybox"), &root.join("bin/busybox"));
        for command in COMMANDS {
            symlink("busybox", root.join("bin").join(command)).unwrap();
        }
        add(&root);
        let image = scratch.join("image");
        let mut squash = Command::new(tool("mksquashfs"));
        squash.arg(&root).arg(&image);
        squash.args([
            "-comp",
            "zstd",
            "-noD",
            "-noF",
            "-no-xattrs",
            "-all-root",
            "-quiet",
            "-no-progress",
        ]);
        let _quiet = exec::run(&mut squash).success();
        let image_offset = seal(&image, &scratch.join("program.run"));
        scratch.permit(&scratch.join("program.run"), 0o755);
        let _home = scratch.open_directory("home");
        Self { scratch, image_offset }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.join("program.run")
    }

    /// A home and working directory that every user may write to.
    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.join("home")
    }

    /// The program with `arguments`.
    pub(crate) fn command(&self, place: Place, arguments: &[&str]) -> Command {
        self.command_behind(place, &[], arguments)
    }

    /// The program with `arguments`, behind another that becomes it.
    pub(crate) fn command_behind(&self, place: Place, prefix: &[&str], arguments: &[&str]) -> Command {
        let mut command = place.command_behind(prefix, &self.path());
        command
            .args(arguments)
            .current_dir(self.home())
            .env("HOME", self.home());
        command
    }

    /// Runs a line in the packed shell.
    pub(crate) fn run(&self, place: Place, line: &str) -> Ended {
        exec::run(&mut self.command(place, &["-c", line]))
    }
}

/// A bundle that runs. Dropped by a test that failed, it is killed.
#[derive(Debug)]
pub(crate) struct Run(Option<Child>);

impl Run {
    /// Process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.id()).expect("a process id"))
    }

    /// Process id, as /proc has it.
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().expect("a process that runs").id()
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        exec::wait("the shell", self.0.as_mut().expect("a process that runs"))
    }

    /// Waits for the end, and collects what its pipes hold.
    pub(crate) fn finish(mut self) -> Ended {
        exec::finish("the shell".to_owned(), self.0.take().expect("a process that runs"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        if let Ok(None) = child.try_wait() {
            match child.kill().and_then(|()| child.wait()) {
                Ok(_) => {}
                Err(error) => eprintln!("the bundle: {error}"),
            }
        }
    }
}

/// Starts a command.
pub(crate) fn start(command: &mut Command) -> Run {
    Run(Some(exec::spawn(command)))
}

/// Starts a command whose stdout is read here.
pub(crate) fn start_reading(command: &mut Command) -> (Run, io::BufReader<ChildStdout>) {
    let mut run = start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let stdout = run.0.as_mut().and_then(|child| child.stdout.take()).expect("a pipe");
    (run, io::BufReader::new(stdout))
}

/// The next line that is printed.
pub(crate) fn line(from: &mut impl io::BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a pipe");
    line.trim_end().to_owned()
}

fn seal(image: &Path, path: &Path) -> u64 {
    let stub = fs::read(env!("CARGO_BIN_EXE_polecat-stub")).unwrap();
    exec::changing_files(|| {
        let output = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .unwrap();
        let mut writer = BundleWriter::create(output, &stub, 4096).unwrap();
        let length = io::copy(&mut File::open(image).unwrap(), &mut writer.image()).unwrap();
        let key = SecretKey::from_bytes(&[9; 32]);
        let sign = |message: &[u8]| {
            let signature = key.sign(Purpose::BundleManifest, message);
            vec![SignatureRecord::ed25519(key.public_key().to_bytes(), signature.0)]
        };
        writer
            .finish(length, manifest(), b"salt", sign)
            .unwrap()
            .manifest
            .image
            .offset
    })
}

/// What the writer completes.
fn manifest() -> Manifest {
    Manifest {
        format_version: 1,
        name: "sh".into(),
        architecture: std::env::consts::ARCH.into(),
        created: 0,
        generator: "test".into(),
        stub: StubRecord {
            length: 0,
            sha256: String::new(),
        },
        image: ImageRecord {
            offset: 0,
            length: 0,
            entries: 1,
            unpacked_size: 0,
        },
        hash_tree: HashTreeRecord {
            offset: 0,
            length: 0,
            salt: String::new(),
            root_digest: String::new(),
        },
        process: Process {
            path: "/bin/sh".into(),
            args: vec!["sh".into()],
            env: vec!["PATH=/bin".into()],
            cwd: None,
        },
        isolation: Isolation::default(),
        entry_points: Vec::new(),
        packages: None,
        reasons: None,
        paths: None,
        requires: vec![],
    }
}
