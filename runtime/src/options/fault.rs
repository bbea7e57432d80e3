//! Options that mean nothing.

use std::ffi::OsString;
use std::fmt;

/// Why a word is no option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionFault {
    /// There is none of this name.
    Unknown {
        /// As it was given, without its value.
        name: OsString,
    },
    /// It wants a value.
    NoValue {
        /// As it was given.
        name: OsString,
    },
    /// It is for the caller to give, and was found in a manifest.
    Callers {
        /// Its name.
        name: OsString,
    },
    /// It means something beside another one only.
    Without {
        /// Its name.
        name: &'static str,
        /// The other's.
        other: &'static str,
        /// What both begin with.
        prefix: &'static str,
    },
    /// Its value is none that it can have.
    Value {
        /// As it was given, or whose it is.
        name: OsString,
        /// As it was given.
        value: OsString,
        /// What it may be.
        expected: &'static str,
    },
}

impl OptionFault {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("--polecat-help, which names the options".into()),
            Self::NoValue { name } => Some(format!("{}=VALUE", name.display())),
            Self::Without { other, prefix, .. } => Some(format!("{prefix}{other} too")),
            Self::Value { .. } | Self::Callers { .. } => None,
        }
    }
}

impl fmt::Display for OptionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "{}: no option of polecat's", name.display()),
            Self::NoValue { name } => write!(f, "{}: the option wants a value", name.display()),
            Self::Callers { name } => write!(f, "{}: the manifest cannot ask for that", name.display()),
            Self::Without { name, other, prefix } => {
                write!(f, "{prefix}{name}: means nothing without {prefix}{other}")
            }
            Self::Value { name, value, expected } => {
                write!(f, "{}={}: expected {expected}", name.display(), value.display())
            }
        }
    }
}

impl std::error::Error for OptionFault {}
