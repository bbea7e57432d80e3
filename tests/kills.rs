//! SIGKILL to each process of a run, at random moments of its start: a second later there is no process, mount, loop device,
//! socket, cgroup or file of it.
//!
//! The moments come from a seed, which a failure tells: `POLECAT_TEST_SEED=N` repeats them.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::cgroups::made_by;
use support::processes::{Process, children, family, namespaced_id, with_variable};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Need, Place, Scratch, exec, wait};

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

/// A thousand in the five places together, and four hundred with limits; a multiple of three and four, for each place has that many kinds
/// of processes.
const ROUNDS: usize = 204;

/// Three cgroups on version 1.
const LIMITS: [&str; 3] = ["--polecat-memory=64M", "--polecat-pids=9", "--polecat-cpus=1.5"];

/// What tells the processes of a round from all others: a variable that they inherit.
const MARK: &str = "POLECAT_TEST_ROUND";

/// Which process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Monitor,
    Init,
    Server,
    /// What takes cgroups away.
    Remover,
    App,
}

impl Victim {
    /// Those that a run has here.
    const fn of(place: Place, limited: bool) -> &'static [Self] {
        match place {
            _ if limited => &[Self::Monitor, Self::Init, Self::Remover, Self::App],
            Place::RootFuse | Place::UserFuse => &[Self::Monitor, Self::Init, Self::Server, Self::App],
            Place::RootLoop | Place::RootUnpack | Place::UserUnpack => &[Self::Monitor, Self::Init, Self::App],
        }
    }

    /// Looks for it below the monitor. In a PID namespace init is 1 and the app 2.
    fn find(self, monitor: u32) -> Option<Process> {
        let child = |of: u32, id: u32| children(of).into_iter().find(|child| namespaced_id(*child) == Some(id));
        match self {
            Self::Monitor => Process::find(monitor),
            Self::Init => child(monitor, 1),
            // In the host's namespace, where no run here has both.
            Self::Server | Self::Remover => children(monitor)
                .into_iter()
                .find(|child| namespaced_id(*child) == Some(child.id)),
            Self::App => child(child(monitor, 1)?.id, 2),
        }
    }
}

/// Numbers that look random: xorshift64*, by Vigna.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, span: Duration) -> Duration {
        let nanoseconds = u64::try_from(span.as_nanos()).expect("a short time").max(1);
        Duration::from_nanos(self.next() % nanoseconds)
    }
}

fn seed() -> u64 {
    match std::env::var("POLECAT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("POLECAT_TEST_SEED is a number"),
        Err(_) => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            u64::from(since.expect("a clock").subsec_nanos()) + 1
        }
    }
}

/// A shell that starts a bundle whenever it is told to: what leads to its place takes much longer than a start.
struct Starter {
    shell: Child,
    orders: ChildStdin,
    ids: BufReader<ChildStdout>,
}

impl Starter {
    fn new(bundle: &Bundle, place: Place, options: &str) -> Self {
        let script = format!(
            "while read -r round; do {MARK}=$round \"$0\" {options} -c 'busybox sleep 1000 & wait' </dev/null >/dev/null 2>&1 & \
             echo $!; done"
        );
        let mut command = bundle.start_behind(place, &["sh", "-c", &script]);
        let runtime = bundle.scratch().open_directory("runtime");
        command
            .env("XDG_RUNTIME_DIR", runtime)
            .env("NOTIFY_SOCKET", "/nowhere/notify");
        // The shell says of every child that it was killed.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = exec::spawn(&mut command);
        Self {
            orders: shell.stdin.take().expect("a pipe"),
            ids: BufReader::new(shell.stdout.take().expect("a pipe")),
            shell,
        }
    }

    /// Starts a run, and gives its monitor's process id.
    fn start(&mut self, mark: &str) -> u32 {
        writeln!(self.orders, "{mark}").expect("a pipe");
        let mut line = String::new();
        self.ids.read_line(&mut line).expect("a pipe");
        line.trim().parse().expect("a process id")
    }

    fn end(self) {
        let Self { mut shell, orders, ids } = self;
        drop((orders, ids));
        let _status = exec::wait("the shell", &mut shell);
    }
}

/// Waits for what must come, without sleeping: moments are short here.
fn spin<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + exec::HANGS;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::yield_now();
    }
}

fn kill_hard(process: Process) -> bool {
    let id = Pid::from_raw(i32::try_from(process.id).expect("a process id"));
    match kill(id, Signal::SIGKILL) {
        Ok(()) => true,
        Err(Errno::ESRCH) => false,
        Err(error) => panic!("kill {}: {error}", process.id),
    }
}

/// How long the place takes from the first sight of a run's monitor until its program runs, at best.
fn span(starter: &mut Starter, mark: &str) -> Duration {
    let measured = (0..5).map(|number| {
        let monitor = starter.start(&format!("{mark}-span-{number}"));
        let start = Instant::now();
        let is_up = |app: &Process| matches!(app.name().as_str(), "sh" | "busybox");
        let app = spin("the program is executed", || Victim::App.find(monitor).filter(is_up));
        let took = start.elapsed();
        assert!(kill_hard(app));
        took
    });
    measured.min().expect("five")
}

/// What a run could leave in the file system and the kernel.
fn left_of(bundle: &Bundle) -> Vec<String> {
    let own = bundle.scratch().path().display().to_string();
    let mut left = Vec::new();
    let devices = fs::read_dir("/sys/block").expect("/sys/block").filter_map(Result::ok);
    for device in devices {
        let backing = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
        if backing.starts_with(&own) {
            left.push(format!("loop device {}", device.path().display()));
        }
    }
    for table in ["/proc/self/mountinfo", "/proc/net/unix"] {
        let text = fs::read_to_string(table).expect(table);
        left.extend(text.lines().filter(|line| line.contains(&own)).map(str::to_owned));
    }
    for directory in ["home", "work", "runtime"] {
        let entries = fs::read_dir(bundle.scratch().join(directory)).expect("a directory");
        left.extend(entries.map(|entry| entry.expect("an entry").path().display().to_string()));
    }
    left
}

fn beside(bundle: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(bundle.parent().expect("a directory")).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

fn killed_at_random_moments(place: Place, limits: &[&str]) {
    if skip(&BUSYBOX_NEEDS) || skip(place.needs()) || (!limits.is_empty() && skip(&[Need::Cgroups])) {
        return;
    }
    let bundle = SHELL.get();
    let seed = seed();
    let mut random = Random(seed);
    let mut starter = Starter::new(&bundle, place, &limits.join(" "));
    let mark = format!(
        "{}-{}-{}",
        std::process::id(),
        place.to_string().replace(' ', "-"),
        limits.len()
    );
    let span = span(&mut starter, &mark);
    let files = beside(bundle.path());
    let rounds = if support::quick() { ROUNDS / 17 } else { ROUNDS };
    let victims = Victim::of(place, !limits.is_empty());
    let mut killed = vec![0; victims.len()];
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let which = round % victims.len();
        let victim = victims[which];
        let delay = random.below(span);
        let name =
            format!("{place}: round {round}: {victim:?} killed {delay:?} after it was seen, POLECAT_TEST_SEED={seed}");
        let value = format!("{mark}-{round}");
        let monitor = starter.start(&value);
        let process = spin(&name, || victim.find(monitor));
        let moment = Instant::now() + delay;
        spin(&name, || (Instant::now() >= moment).then_some(()));
        let processes = family(monitor);
        killed[which] += usize::from(kill_hard(process));
        if victim == Victim::Remover {
            // That does not end the run, and the monitor does without it.
            let id = Pid::from_raw(i32::try_from(monitor).expect("a process id"));
            kill(id, Signal::SIGTERM).expect("a monitor");
        }
        let start = Instant::now();
        let mut left = Vec::new();
        wait::until_or(
            &name,
            || {
                left = with_variable(MARK, &value);
                left.extend(processes.iter().filter(|process| process.is_running()));
                left.is_empty()
            },
            || format!("{:?}", with_variable(MARK, &value)),
        );
        wait::until_or(&name, || left_of(&bundle).is_empty(), || left_of(&bundle).join("\n"));
        wait::until_or(
            &name,
            || made_by(monitor).is_empty(),
            || format!("{:?}", made_by(monitor)),
        );
        slowest = slowest.max(start.elapsed());
    }
    starter.end();
    assert_eq!(beside(bundle.path()), files, "{place}: POLECAT_TEST_SEED={seed}");
    assert_eq!(
        killed,
        vec![rounds / victims.len(); victims.len()],
        "{place}: POLECAT_TEST_SEED={seed}"
    );
    println!("{place}: {rounds} rounds over {span:?}, the slowest took {slowest:?}, POLECAT_TEST_SEED={seed}");
}

#[test]
fn root_on_a_loop_device() {
    killed_at_random_moments(Place::RootLoop, &[]);
}

#[test]
fn root_on_fuse() {
    killed_at_random_moments(Place::RootFuse, &[]);
}

#[test]
fn root_unpacked() {
    killed_at_random_moments(Place::RootUnpack, &[]);
}

#[test]
fn user_on_fuse() {
    killed_at_random_moments(Place::UserFuse, &[]);
}

#[test]
fn user_unpacked() {
    killed_at_random_moments(Place::UserUnpack, &[]);
}

#[test]
fn root_on_a_loop_device_with_limits() {
    killed_at_random_moments(Place::RootLoop, &LIMITS);
}

#[test]
fn root_unpacked_with_limits() {
    killed_at_random_moments(Place::RootUnpack, &LIMITS);
}
