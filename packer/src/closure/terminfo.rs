//! Terminal descriptions, for programs that draw on a terminal: `terminfo(5)`. The terminal is known only when the app runs, so the
//! usual ones are taken, about a tenth of the whole data base.

use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{Pattern, RootPath, RootfsError};

use super::entries::Entries;
use super::error::ClosureError;
use crate::elf::{ElfFacts, is_absence};

/// Where ncurses looks, on the distributions there are.
const DIRECTORIES: [&str; 4] = [
    "/etc/terminfo",
    "/lib/terminfo",
    "/usr/lib/terminfo",
    "/usr/share/terminfo",
];

/// The terminals taken: consoles, the xterm family, multiplexers, and the emulators with a name of their own.
const TERMINALS: &[&str] = &[
    "ansi",
    "dumb",
    "unknown",
    "linux",
    "linux-{16color,basic,m,nic}",
    "vt{52,100,102,220,320}",
    "cygwin",
    "sun",
    "hurd",
    "xterm",
    "xterm-{16color,88color,256color,color,direct,mono,new,r5,r6,vt220,xfree86,debian,kitty,ghostty}",
    "rxvt",
    "rxvt-{16color,88color,256color,basic,color,unicode,unicode-256color}",
    "screen",
    "screen-{16color,256color,256color-bce,bce,s,w}",
    "screen.{xterm,linux,rxvt,tmux}*",
    "tmux",
    "tmux-{256color,direct}",
    "alacritty",
    "alacritty-direct",
    "kitty",
    "kitty-direct",
    "foot",
    "foot-direct",
    "ghostty",
    "st",
    "st-{16color,256color,direct}",
    "wezterm",
    "contour",
    "konsole",
    "konsole-{16color,256color,direct}",
    "gnome",
    "gnome-256color",
    "vte",
    "vte-{256color,direct}",
    "putty",
    "putty-256color",
    "mintty",
    "mintty-direct",
    "ms-terminal",
    "iterm2",
    "iTerm2.app",
    "nsterm",
    "nsterm-256color",
    "eterm",
    "eterm-color",
];

/// Names of libraries that read terminfo, up to `.so`.
const LIBRARIES: [&str; 6] = [
    "libtinfo",
    "libtinfow",
    "libncurses",
    "libncursesw",
    "libtermcap",
    "libslang",
];

/// Does this file draw on terminals?
pub(super) fn wants_terminfo(facts: &ElfFacts) -> bool {
    let soname = facts.soname.as_deref().unwrap_or_default();
    let stem = soname.split(|&byte| byte == b'.').next().unwrap_or_default();
    LIBRARIES.iter().any(|library| library.as_bytes() == stem)
        || ["setupterm", "tgetent", "initscr", "newterm"]
            .iter()
            .any(|symbol| facts.imports(symbol))
}

/// Adds the usual terminals from every directory that has them.
pub(super) fn add(entries: &mut Entries<'_>, by: Option<RootPath>) -> Result<(), ClosureError> {
    let patterns = TERMINALS
        .iter()
        .map(|name| Pattern::new(&format!("/{name}")))
        .collect::<Result<Vec<_>, _>>()?;
    let reason = Reason {
        kind: ReasonKind::Terminfo,
        by,
        detail: "a terminal library is packed".to_owned(),
    };
    for directory in DIRECTORIES.map(RootPath::new) {
        for letter in names(entries, &directory)? {
            let below = directory.join(&letter);
            for name in names(entries, &below)? {
                let wanted = RootPath::root().join(&name);
                if patterns.iter().any(|pattern| pattern.matches(&wanted)) {
                    entries.add(below.join(&name).as_bytes(), &reason)?;
                }
            }
        }
    }
    Ok(())
}

/// Names in a directory; none where it is none.
fn names(entries: &Entries<'_>, directory: &RootPath) -> Result<Vec<Vec<u8>>, RootfsError> {
    match entries.rootfs().read_dir(directory) {
        Ok(list) => Ok(list.into_iter().map(|entry| entry.name).collect()),
        Err(error) if is_absence(error.errno()) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
