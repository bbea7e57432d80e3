//! What of the caller's session a program shares.

use std::ffi::OsStr;

use super::flag::Expected;

/// Something of the caller's that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The home directory.
    Home,
    /// The working directory.
    Cwd,
    /// `/tmp`.
    Tmp,
    /// The X server.
    X11,
    /// The Wayland compositor.
    Wayland,
    /// The buses of the session and of the system.
    Dbus,
    /// Graphics cards.
    Gpu,
    /// PulseAudio, PipeWire and sound cards.
    Audio,
    /// Keyboards, mice, joysticks as devices.
    Input,
    /// Cameras.
    Camera,
    /// The agent that has the caller's SSH keys.
    SshAgent,
    /// The printing system.
    Printer,
}

const SHARES: [(&str, Share); 12] = [
    ("home", Share::Home),
    ("cwd", Share::Cwd),
    ("tmp", Share::Tmp),
    ("x11", Share::X11),
    ("wayland", Share::Wayland),
    ("dbus", Share::Dbus),
    ("gpu", Share::Gpu),
    ("audio", Share::Audio),
    ("input", Share::Input),
    ("camera", Share::Camera),
    ("ssh-agent", Share::SshAgent),
    ("printer", Share::Printer),
];

const EXPECTED: Expected = "none, or of home,cwd,tmp,x11,wayland,dbus,gpu,audio,input,camera,ssh-agent,printer";

impl Share {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        SHARES
            .iter()
            .find(|(_, share)| *share == self)
            .map_or("", |(name, _)| name)
    }
}

/// Some of them. The default is what is shared without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares(u16);

impl Default for Shares {
    fn default() -> Self {
        let mut shares = Self::NONE;
        shares.add(Share::Home);
        shares.add(Share::Cwd);
        shares
    }
}

impl Shares {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether `share` is among them.
    #[must_use]
    pub fn has(self, share: Share) -> bool {
        self.0 & 1 << share as u16 != 0
    }

    /// Takes `share` among them.
    pub fn add(&mut self, share: Share) {
        self.0 |= 1 << share as u16;
    }

    /// Adds a list with commas; `none` takes away what came before it.
    pub(super) fn extend(&mut self, text: &OsStr) -> Result<(), Expected> {
        for word in text.to_str().ok_or(EXPECTED)?.split(',') {
            match SHARES.iter().find(|(name, _)| *name == word) {
                Some((_, share)) => self.add(*share),
                None if word == "none" => *self = Self::NONE,
                None => return Err(EXPECTED),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (text, expected) in [
            ("x11", Some("home cwd x11")),
            ("x11,home,x11", Some("home cwd x11")),
            ("none", Some("")),
            ("none,ssh-agent,gpu", Some("gpu ssh-agent")),
            ("gpu,none", Some("")),
            ("", None),
            ("x11,", None),
            ("X11", None),
            ("all", None),
        ] {
            let mut shares = Shares::default();
            let read = shares.extend(OsStr::new(text)).ok();
            let has = |(_, share): &&(&str, Share)| shares.has(*share);
            let names: Vec<_> = SHARES.iter().filter(has).map(|(name, _)| *name).collect();
            assert_eq!(read.map(|()| names.join(" ")).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_share_has_a_name_that_the_message_tells() {
        for (name, share) in SHARES {
            assert_eq!(share.name(), name);
            assert!(EXPECTED.contains(name), "{name}");
        }
    }
}
