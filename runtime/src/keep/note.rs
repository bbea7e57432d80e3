//! What guest and holder say to each other. One message is one packet.

use crate::process::message::Failure;

/// What a guest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToHolder {
    /// A copy of the mount; and how many seconds it is to be kept from now on, if the guest says so.
    Mount(Option<u32>),
    /// Whether the image failed meanwhile; the guest goes.
    Leave,
    /// The end.
    Release,
}

/// What the holder answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FromHolder {
    /// The mount comes with this, and behind it its user namespace, if it has one.
    Mount,
    /// Nothing failed.
    Left,
    /// As was asked.
    Released,
    /// The image failed: nothing that was read of it lately can be relied on.
    Failed(Failure),
}

impl ToHolder {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Mount(Some(seconds)) => [&b"M"[..], &seconds.to_le_bytes()].concat(),
            Self::Mount(None) => b"M".to_vec(),
            Self::Leave => b"L".to_vec(),
            Self::Release => b"R".to_vec(),
        }
    }

    pub(super) fn decode(packet: &[u8]) -> Option<Self> {
        match packet {
            b"M" => Some(Self::Mount(None)),
            [b'M', seconds @ ..] => Some(Self::Mount(Some(u32::from_le_bytes(seconds.try_into().ok()?)))),
            b"L" => Some(Self::Leave),
            b"R" => Some(Self::Release),
            _ => None,
        }
    }
}

impl FromHolder {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Mount => b"M".to_vec(),
            Self::Left => b"L".to_vec(),
            Self::Released => b"R".to_vec(),
            Self::Failed(failure) => [&b"F"[..], &failure.encode()].concat(),
        }
    }

    pub(super) fn decode(packet: &[u8]) -> Option<Self> {
        match packet {
            b"M" => Some(Self::Mount),
            b"L" => Some(Self::Left),
            b"R" => Some(Self::Released),
            [b'F', failure @ ..] => Failure::decode(failure).map(Self::Failed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_back() {
        for message in [
            ToHolder::Mount(None),
            ToHolder::Mount(Some(0)),
            ToHolder::Mount(Some(u32::MAX)),
            ToHolder::Leave,
            ToHolder::Release,
        ] {
            assert_eq!(ToHolder::decode(&message.encode()), Some(message));
        }
        let failure = Failure {
            status: 121,
            message: "block 3".into(),
            hint: None,
        };
        for message in [
            FromHolder::Mount,
            FromHolder::Left,
            FromHolder::Released,
            FromHolder::Failed(failure),
        ] {
            assert_eq!(FromHolder::decode(&message.encode()), Some(message));
        }
        for damaged in [&b""[..], b"x", b"M12", b"M12345", b"Rx"] {
            assert_eq!(ToHolder::decode(damaged), None, "{damaged:?}");
        }
    }
}
