//! Programs on a terminal: the screen, keys, job control, window size, and the state in which the terminal is left.

#![forbid(unsafe_code)]

use nix::sys::signal::Signal;
use support::bundle::Shared;
use support::pty::{NEW_SESSION, Terminal};
use support::requirement::skip;
use support::tmux::Tmux;
use support::{Bundle, Need, Place, wait};

static TOP: Shared = Shared::new(|| Bundle::debian(&[], &["top"]));
static BASH: Shared =
    Shared::new(|| Bundle::debian(&["--also", "stty", "--also", "tty", "--also", "sleep"], &["bash"]));

const NEEDS: [Need; 3] = [Need::Polecat, Need::Rootfs, Need::Tool("tmux")];

/// Those that the machine has.
fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}

/// The command as a line for a shell, which it replaces.
fn line(command: &std::process::Command) -> String {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
    let directory = command.get_current_dir().expect("a working directory");
    let start = format!("cd {} && exec env", quoted(directory.as_os_str()));
    let environment = command.get_envs().filter_map(|(name, value)| {
        // tmux says what kind of terminal it is.
        (name != "TERM").then(|| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))))?
    });
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(quoted);
    std::iter::once(start)
        .chain(environment)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn shows_top(screen: &str) -> bool {
    screen.starts_with("top - ") && screen.contains("PID USER") && screen.contains("load average")
}

#[test]
fn top_shows_its_screen_and_quits() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = TOP.get();
    for place in places() {
        let tmux = Tmux::start(&line(&bundle.start(place)), 100, 30);
        tmux.expect("the screen of top", shows_top);
        tmux.press(&["h"]);
        tmux.expect("its help", |screen| screen.contains("Help for Interactive Commands"));
        tmux.press(&["q"]);
        tmux.expect("the screen of top again", shows_top);
        tmux.press(&["q"]);
        assert_eq!(tmux.end(), 0, "{place}");
    }
}

#[test]
fn top_ends_at_an_interrupt() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = TOP.get();
    for place in places() {
        let tmux = Tmux::start(&line(&bundle.start(place)), 100, 30);
        tmux.expect("the screen of top", shows_top);
        tmux.press(&["C-c"]);
        // top catches the signal, and its end is a good one.
        assert_eq!(tmux.end(), 0, "{place}");
    }
}

#[test]
fn top_follows_the_size_of_the_window() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = TOP.get();
    for place in places() {
        let tmux = Tmux::start(&line(&bundle.start(place)), 100, 30);
        tmux.expect("the screen of top", |screen| {
            shows_top(screen) && screen.contains("COMMAND")
        });
        // Too narrow for the last column, then wide enough again.
        tmux.resize(40, 20);
        tmux.expect("a narrow screen", |screen| {
            shows_top_narrow(screen) && !screen.contains("COMMAND")
        });
        tmux.resize(120, 40);
        tmux.expect("a wide screen", |screen| {
            shows_top(screen) && screen.contains("COMMAND")
        });
        tmux.press(&["q"]);
        assert_eq!(tmux.end(), 0, "{place}");
    }
}

fn shows_top_narrow(screen: &str) -> bool {
    screen.starts_with("top - ") && screen.contains("PID USER")
}

#[test]
fn a_shell_stops_it_and_brings_it_back() {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Tool("bash"));
    if skip(&needs) {
        return;
    }
    let bundle = TOP.get();
    for place in places() {
        let tmux = Tmux::start("PS1='prompt> ' bash --norc --noprofile --noediting", 100, 30);
        tmux.expect("a prompt", |screen| screen.contains("prompt>"));
        tmux.type_line(&format!("({})", line(&bundle.start(place))));
        tmux.expect("the screen of top", shows_top);
        tmux.press(&["C-z"]);
        tmux.expect("the shell again", |screen| screen.contains("Stopped"));
        tmux.type_line("clear; jobs; echo $((6 * 7)) here");
        tmux.expect("the shell at work", |screen| {
            screen.contains("Stopped") && screen.contains("42 here")
        });
        tmux.type_line("fg");
        tmux.expect("the screen of top again", shows_top);
        tmux.press(&["q"]);
        tmux.type_line("clear; echo status $?; exit 0");
        assert_eq!(tmux.end(), 0, "{place}");
    }
}

#[test]
fn in_the_background_and_back() {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Tool("bash"));
    if skip(&needs) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        let tmux = Tmux::start("PS1='prompt> ' bash --norc --noprofile --noediting", 100, 30);
        tmux.expect("a prompt", |screen| screen.contains("prompt>"));
        let mut command = bundle.start(place);
        command.args(["-c", "read answer; echo got $answer"]);
        tmux.type_line(&format!("clear; ({}) & sleep 0.2", line(&command)));
        // Reading from the terminal in the background stops it.
        tmux.expect("the job is stopped", |screen| {
            screen.contains("Stopped") || {
                tmux.press(&["Enter"]);
                false
            }
        });
        tmux.type_line("fg");
        tmux.type_line("an answer");
        tmux.expect("the answer", |screen| screen.contains("got an answer"));
        tmux.type_line("exit 0");
        assert_eq!(tmux.end(), 0, "{place}");
    }
}

#[test]
fn the_terminal_has_a_name_a_size_and_a_foreground() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        let mut command = bundle.start_behind(place, &NEW_SESSION);
        command.args(["-c", "tty && stty size && echo tty-is-mine > /dev/tty; exit 6"]);
        let (status, printed) = Terminal::start(&mut command, 17, 71).end();
        assert_eq!(status.code(), Some(6), "{place}: {printed}");
        assert!(printed.starts_with("/dev/"), "{place}: tty(1) found no name: {printed}");
        assert!(printed.contains("\n17 71"), "{place}: {printed}");
        assert!(printed.contains("tty-is-mine"), "{place}: {printed}");
    }
}

#[test]
fn a_changed_size_is_told() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        let mut command = bundle.start_behind(place, &NEW_SESSION);
        command.args([
            "-c",
            "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done",
        ]);
        let terminal = Terminal::start(&mut command, 24, 80);
        terminal.expect("ready");
        terminal.resize(33, 99);
        let (status, printed) = terminal.end();
        assert_eq!(status.code(), Some(0), "{place}: {printed}");
        assert!(printed.contains("33 99"), "{place}: {printed}");
    }
}

#[test]
fn keys_make_signals() {
    use std::os::unix::process::ExitStatusExt as _;
    if skip(&NEEDS) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        for (key, signal) in [("\x03", Signal::SIGINT), ("\x1c", Signal::SIGQUIT)] {
            let mut command = bundle.start_behind(place, &NEW_SESSION);
            command.args(["-c", "echo ready; exec sleep 1000"]);
            let mut terminal = Terminal::start(&mut command, 24, 80);
            terminal.expect("ready");
            // Until sleep has taken its place the shell may ignore the key: pressed until it works.
            wait::until("the key ends it", || {
                terminal.send(key);
                !terminal.is_running()
            });
            let (status, printed) = terminal.end();
            assert_eq!(status.signal(), Some(signal as i32), "{place}: {key:?}: {printed}");
        }
    }
}

#[test]
fn an_interactive_shell_has_job_control() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        let mut command = bundle.start_behind(place, &NEW_SESSION);
        command.args(["--norc", "--noprofile", "-i"]).env("PS1", "prompt> ");
        let mut terminal = Terminal::start(&mut command, 24, 80);
        terminal.expect("prompt> ");
        terminal.send("sleep 1000\n");
        terminal.expect("sleep 1000\r\n");
        // Until the job has the terminal, the key would go to the shell: pressed until it works.
        wait::until("the job is stopped", || {
            terminal.send("\x1a");
            terminal.text().contains("Stopped")
        });
        terminal.send("kill -9 %1; while jobs %1 >/dev/null 2>&1; do :; done; echo $((40 + 2)) jobs\n");
        terminal.expect("42 jobs");
        terminal.send("exit 8\n");
        let (status, printed) = terminal.end();
        assert_eq!(status.code(), Some(8), "{place}: {printed}");
        assert!(!printed.contains("no job control"), "{place}: {printed}");
    }
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Tool("bash"));
    if skip(&needs) {
        return;
    }
    let bundle = BASH.get();
    for place in places() {
        // A shell outside that goes on after the bundle has ended: it must have the terminal again.
        let mut inner = bundle.start(place);
        inner.args(["--norc", "--noprofile", "-i"]).env("PS1", "inside> ");
        let mut outer = std::process::Command::new(NEW_SESSION[0]);
        outer
            .args(&NEW_SESSION[1..])
            .args(["bash", "--norc", "--noprofile", "-i"])
            .env("PS1", "outside> ");
        let mut terminal = Terminal::start(&mut outer, 24, 200);
        terminal.expect("outside> ");
        let before = terminal.modes();
        terminal.send(&format!("({})\n", line(&inner)));
        terminal.expect("inside> ");
        terminal.send("exit 0\n");
        terminal.expect_times("outside> ", 2);
        assert_eq!(terminal.modes(), before, "{place}");
        terminal.send("read answer && echo got $answer\nthis\n");
        terminal.expect("got this");
        terminal.send("exit 3\n");
        let (status, printed) = terminal.end();
        assert_eq!(status.code(), Some(3), "{place}: {printed}");
    }
}
