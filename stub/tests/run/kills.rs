//! SIGKILL to any process of a run at any moment, and nothing stays.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::processes::{Process, family, wait_for_end};
use support::{exec, wait};

use crate::{places, shell};

/// Rounds in each place. Seeded: the same every time, as far as the machine is.
const ROUNDS: u64 = 60;

/// xorshift64*, Marsaglia 2003.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

fn kill_hard(process: &Process) {
    match kill(Pid::from_raw(i32::try_from(process.id).unwrap()), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => panic!("kill {}: {errno}", process.id),
    }
}

fn has_loop_device(file: &Path) -> bool {
    let devices = fs::read_dir("/sys/block").expect("/sys/block").filter_map(Result::ok);
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.into_iter().any(|backing| Path::new(backing.trim_end()) == file)
}

#[test]
fn at_random_moments() {
    let Some(bundle) = shell() else { return };
    let mut random = Random(0x706F_6C65_6361_7400);
    let mut seen = [0_u32; 6];
    for place in places() {
        for round in 0..ROUNDS {
            let mut command = bundle.command(place, &["-c", "sleep 1000 & exec sleep 1000"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = exec::spawn(&mut command);
            std::thread::sleep(Duration::from_micros(random.below(20_000)));
            let before = family(child.id());
            seen[before.len().min(seen.len() - 1)] += 1;
            match random.below(3) {
                0 => before.iter().for_each(kill_hard),
                1 => before.iter().rev().for_each(kill_hard),
                _ => {
                    let victim = usize::try_from(random.below(before.len().max(1) as u64)).unwrap();
                    before.get(victim).into_iter().for_each(kill_hard);
                }
            }
            // Whoever lost a child or a parent ends by itself; but not the run whose sleeping bystander was killed.
            let after = family(child.id());
            std::thread::sleep(Duration::from_millis(1));
            after
                .iter()
                .filter(|process| process.id == child.id())
                .for_each(kill_hard);
            let _status = exec::wait(&format!("{place}: round {round}"), &mut child);
            wait_for_end(&before);
            wait_for_end(&after);
            wait::until("no loop device is left", || !has_loop_device(&bundle.path()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("fuse.polecat"), "{mounts}");
    // Where there was anything to run, the moments were of all kinds.
    assert!(
        seen.iter().sum::<u32>() == 0 || seen.iter().filter(|&&count| count > 0).count() >= 3,
        "{seen:?}"
    );
}
