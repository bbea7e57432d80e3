//! Reading /proc/PID/status and /proc/PID/mountinfo as a program inside printed them.

/// The value of a line of proc_pid_status(5).
#[must_use]
pub fn field<'text>(status: &'text str, name: &str) -> Option<&'text str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// A mount, by proc_pid_mountinfo(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub point: String,
    /// Options of the mount, then of the file system, by commas.
    pub options: String,
    /// Type of the file system.
    pub kind: String,
    /// What is mounted, by the file system's own idea.
    pub source: String,
    /// Optional fields: `shared:N`, `master:N`, …
    pub propagation: String,
}

/// Every mount of a mountinfo text.
///
/// # Panics
/// On a line that is none.
#[must_use]
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo
        .lines()
        .map(|line| mount(line).unwrap_or_else(|| panic!("not of mountinfo: {line}")))
        .collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let (front, back): (Vec<&str>, Vec<&str>) = (front.split(' ').collect(), back.split(' ').collect());
    Some(Mount {
        point: (*front.get(4)?).to_owned(),
        options: format!("{},{}", front.get(5)?, back.get(2)?),
        kind: (*back.first()?).to_owned(),
        source: (*back.get(1)?).to_owned(),
        propagation: front.get(6..)?.join(" "),
    })
}
