//! What the caller may ask for through the environment. Nothing here can weaken the verification.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::ladder::Rung;
use crate::options;

/// Takes one rung of the ladder alone, of those with a root of their own: `loop`, `fuse` or `unpack`. The others are for the
/// option `mount` to name: no variable takes isolation away.
pub const MOUNT: &str = "POLECAT_MOUNT";
/// `1`: closed box, as if the bundle had been packed with `--contain`.
pub const CONTAIN: &str = "POLECAT_CONTAIN";
/// A file to write what the app looked for in vain to: see [`crate::trace::run_noting_misses`]. For the stub.
pub const MISSES: &str = "POLECAT_MISSES";
/// `1`: says on stderr what was tried.
pub const DEBUG: &str = "POLECAT_DEBUG";

/// How many seconds a mount of the image is kept for the next start; 0: none. See [`crate::keep`].
pub const KEEP: &str = "POLECAT_KEEP";

/// Variables that shape a run, and that the app does not get.
pub const VARIABLES: [&str; 5] = [MOUNT, CONTAIN, DEBUG, MISSES, KEEP];

/// What the caller asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// The only rung that may be used, unless the option `mount` names one.
    pub mount: Option<Rung>,
    /// Share nothing of the host's files and environment. The bundle may ask for it too; it cannot be taken back.
    pub contain: bool,
    /// Say what was tried.
    pub debug: bool,
    /// Seconds to keep a mount.
    pub keep: Option<u32>,
    /// Options as words, see [`crate::options`]: over the bundle's own.
    pub options: Vec<OsString>,
}

impl Control {
    /// Reads all [`VARIABLES`] but [`MISSES`] through `variable`, which is `std::env::var_os` outside of tests.
    ///
    /// # Errors
    /// A value that means nothing.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ControlError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        Ok(Self {
            mount: set(MOUNT).map(|value| rung(&value)).transpose()?,
            contain: set(CONTAIN).map_or(Ok(false), |value| switch(CONTAIN, &value))?,
            debug: set(DEBUG).map_or(Ok(false), |value| switch(DEBUG, &value))?,
            keep: set(KEEP).map(|value| seconds(&value)).transpose()?,
            options: Vec::new(),
        })
    }
}

fn rung(value: &OsStr) -> Result<Rung, ControlError> {
    let known = value.to_str().and_then(Rung::from_name);
    known.filter(|rung| rung.has_own_root()).ok_or_else(|| ControlError {
        variable: MOUNT,
        value: value.to_owned(),
        expected: "loop, fuse or unpack",
    })
}

fn seconds(value: &OsStr) -> Result<u32, ControlError> {
    options::seconds(value).map_err(|expected| ControlError {
        variable: KEEP,
        value: value.to_owned(),
        expected,
    })
}

fn switch(variable: &'static str, value: &OsStr) -> Result<bool, ControlError> {
    match value.to_str() {
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        _ => Err(ControlError {
            variable,
            value: value.to_owned(),
            expected: "0 or 1",
        }),
    }
}

/// A variable with a value that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    /// Its name.
    pub variable: &'static str,
    /// What it was set to.
    pub value: OsString,
    /// What it may be.
    pub expected: &'static str,
}

impl ControlError {
    /// What to try. Options have their `prefix`; none where none takes a rung without a root of its own.
    #[must_use]
    pub fn hint(&self, prefix: Option<&str>) -> Option<String> {
        let known = self.value.to_str().and_then(Rung::from_name);
        let rung = known.filter(|_| self.variable == MOUNT);
        Some(match rung.zip(prefix) {
            Some((rung, prefix)) => {
                format!("the option {prefix}mount={rung} instead: no variable takes isolation away")
            }
            None => format!("unset {}, or set it to {}", self.variable, self.expected),
        })
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={}: expected {}",
            self.variable,
            self.value.display(),
            self.expected
        )
    }
}

impl std::error::Error for ControlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Control, ControlError> {
        Control::from_variables(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn values_that_mean_something() {
        let none = Control::default;
        let cases: [(&[(&str, &str)], Control); 9] = [
            (&[], none()),
            (&[("POLECAT_MOUNT", "")], none()),
            (
                &[("POLECAT_MOUNT", "loop")],
                Control {
                    mount: Some(Rung::Loop),
                    ..none()
                },
            ),
            (
                &[("POLECAT_MOUNT", "fuse")],
                Control {
                    mount: Some(Rung::Fuse),
                    ..none()
                },
            ),
            (
                &[("POLECAT_MOUNT", "unpack")],
                Control {
                    mount: Some(Rung::Unpack),
                    ..none()
                },
            ),
            (
                &[("POLECAT_CONTAIN", "1"), ("POLECAT_DEBUG", "0")],
                Control {
                    contain: true,
                    ..none()
                },
            ),
            (
                &[("POLECAT_CONTAIN", "0"), ("POLECAT_DEBUG", "1")],
                Control { debug: true, ..none() },
            ),
            (
                &[("POLECAT_KEEP", "60")],
                Control {
                    keep: Some(60),
                    ..none()
                },
            ),
            (&[("POLECAT_VERIFY", "0")], none()),
        ];
        for (variables, control) in cases {
            assert_eq!(read(variables), Ok(control), "{variables:?}");
        }
    }

    #[test]
    fn values_that_mean_nothing() {
        for (name, value) in [
            ("POLECAT_MOUNT", "squashfuse"),
            ("POLECAT_MOUNT", "directory"),
            ("POLECAT_MOUNT", "LOOP"),
            ("POLECAT_CONTAIN", "yes"),
            ("POLECAT_DEBUG", "2"),
            ("POLECAT_KEEP", "1h"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.variable, error.value.to_str()), (name, Some(value)));
            assert!(error.hint(None).is_some_and(|hint| hint.contains(name)));
        }
    }

    #[test]
    fn no_variable_takes_isolation_away() {
        for value in ["fusermount", "disk"] {
            let error = read(&[("POLECAT_MOUNT", value)]).unwrap_err();
            let told = format!("POLECAT_MOUNT={value}: expected loop, fuse or unpack");
            assert_eq!(error.to_string(), told);
            let option = format!("the option --polecat-mount={value} instead: no variable takes isolation away");
            assert_eq!(error.hint(Some(options::PREFIX)), Some(option));
            // Where no option takes it.
            let unset = "unset POLECAT_MOUNT, or set it to loop, fuse or unpack";
            assert_eq!(error.hint(None).as_deref(), Some(unset));
        }
    }
}
