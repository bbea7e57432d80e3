//! The table of options: the one place that names them. The stub's flags, `polecat run`'s and `polecat pack`'s are made of it.

use std::ffi::{OsStr, OsString};

use super::{OptionFault, Options, bind, confinement, host, limit, supervision, user, value};

/// An option.
#[derive(Debug)]
pub struct Flag {
    /// What it is called: `--NAME` of polecat's, `--polecat-NAME` of a bundle's.
    pub name: &'static str,
    /// What its value is called in the help; none for a switch, which may be given `yes` or `no`.
    pub value: Option<&'static str>,
    /// What it does, as a sentence without its full stop.
    pub help: &'static str,
    /// Whether it can be fixed in the manifest.
    pub packed: bool,
    set: fn(&mut Options, &OsStr) -> Result<(), Expected>,
}

/// What a value should have been.
pub(super) type Expected = &'static str;

/// All options, in the order of the help.
pub const FLAGS: &[Flag] = &[
    Flag {
        name: "contain",
        value: None,
        help: "Share nothing of the caller's files and environment but what options behind this one name",
        // The manifest has a field of its own for it.
        packed: false,
        set: |options, text| value::switch(text).map(|on| if on { options.close() } else { options.open() }),
    },
    Flag {
        name: "share",
        value: Some("LIST"),
        help: "Share, beside home,cwd: tmp,x11,wayland,dbus,gpu,audio,input,camera,ssh-agent,printer; none: not even those",
        packed: true,
        set: |options, text| options.shares.extend(text),
    },
    Flag {
        name: "bind",
        value: Some("SRC[:DST[:ro]]"),
        help: "Show a file or directory of the host inside, read-only with ro (repeatable)",
        packed: true,
        set: |options, text| bind::bind(text).map(|bind| options.binds.push(bind)),
    },
    Flag {
        name: "persist",
        value: Some("DIR"),
        help: "Keep what the program writes to its root in this directory, for the next start of the same image",
        packed: true,
        set: |options, text| value::path(text).map(|path| options.persist = Some(path)),
    },
    Flag {
        name: "read-only",
        value: None,
        help: "Let nothing be written but in /tmp, /run, /dev/shm and what is shared",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.read_only = on),
    },
    Flag {
        name: "tmp-size",
        value: Some("SIZE"),
        help: "Let this much be written to memory, bytes or with K, M, G, T: /tmp, /run and the root (half of the memory)",
        packed: true,
        set: |options, text| limit::room(text).map(|bytes| options.tmp_size = Some(bytes)),
    },
    Flag {
        name: "net",
        value: Some("host|none"),
        help: "Give the program the caller's network, or none but loopback",
        packed: true,
        set: |options, text| value::network(text).map(|none| options.no_network = none),
    },
    Flag {
        name: "unshare",
        value: Some("LIST"),
        help: "Give the program a namespace more of its own: cgroup,time",
        packed: true,
        set: |options, text| value::unshare(text, options),
    },
    Flag {
        name: "strict",
        value: None,
        help: "Do not start the program where it can have no namespaces and no root of its own",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.strict = on),
    },
    Flag {
        name: "mount",
        value: Some("RUNG"),
        help: "Take one way alone: loop, fuse, unpack, or without a root of its own: fusermount, disk",
        // The caller knows the host.
        packed: false,
        set: |options, text| value::rung(text).map(|rung| options.mount = Some(rung)),
    },
    Flag {
        name: "hostname",
        value: Some("NAME"),
        help: "Give the host this name inside",
        packed: true,
        set: |options, text| value::hostname(text).map(|name| options.hostname = Some(name)),
    },
    Flag {
        name: "keep",
        value: Some("SECONDS"),
        help: "Keep the mounted image so long for the next start; 0: keep none, and use none that is kept",
        packed: true,
        set: |options, text| value::seconds(text).map(|seconds| options.keep = Some(seconds)),
    },
    Flag {
        name: "host",
        value: Some("ITEM=ORIGIN"),
        help: "Take a file of configuration, ITEM, from ORIGIN: host, bundled or merged (repeatable)",
        packed: true,
        set: |options, text| host::choose(&mut options.host, text),
    },
    Flag {
        name: "user",
        value: Some("USER[:GROUP]"),
        help: "Run the program as this user inside, by number or by name in the image",
        packed: true,
        set: |options, text| user::user(text).map(|user| options.user = Some(user)),
    },
    Flag {
        name: "memory",
        value: Some("SIZE"),
        help: "Let the program and its children use at most this much memory together, bytes or with K, M, G, T",
        packed: true,
        set: |options, text| limit::size(text).map(|bytes| options.limits.memory = Some(bytes)),
    },
    Flag {
        name: "cpus",
        value: Some("N[.N]"),
        help: "Let the program and its children use at most as much time as this many processors have",
        packed: true,
        set: |options, text| limit::cpus(text).map(|cpus| options.limits.cpus = Some(cpus)),
    },
    Flag {
        name: "pids",
        value: Some("N"),
        help: "Let the program and its children be at most this many processes and threads",
        packed: true,
        set: |options, text| limit::pids(text).map(|pids| options.limits.pids = Some(pids)),
    },
    Flag {
        name: "limits-optional",
        value: None,
        help: "Start even where one of memory, cpus and pids cannot be limited",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.limits.optional = on),
    },
    Flag {
        name: "cpu-mask",
        value: Some("LIST"),
        help: "Let the program run on these processors alone, as 0-3,5",
        packed: true,
        set: |options, text| limit::cpu_mask(text).map(|mask| options.cpu_mask = Some(mask)),
    },
    Flag {
        name: "workdir",
        value: Some("DIR"),
        help: "Start the program in this directory of the inside",
        packed: false,
        set: |options, text| value::absolute(text).map(|path| options.workdir = Some(path)),
    },
    Flag {
        name: "env",
        value: Some("NAME=VALUE"),
        help: "Set a variable for the program, over the caller's (repeatable)",
        packed: false,
        set: |options, text| value::variable(text).map(|variable| options.env.push(variable)),
    },
    Flag {
        name: "seccomp",
        value: Some("default|none|FILE"),
        help: "Filter system calls: by the list of every program, not at all, or by an OCI or Docker profile",
        packed: true,
        set: |options, text| confinement::filter(text).map(|filter| options.seccomp = Some(filter)),
    },
    Flag {
        name: "cap-add",
        value: Some("LIST"),
        help: "Let the program keep these capabilities, too, as far as the caller has them: net_admin,… or all",
        packed: true,
        set: |options, text| confinement::capabilities(text).map(|set| options.capabilities.add(set)),
    },
    Flag {
        name: "cap-drop",
        value: Some("LIST"),
        help: "Take these capabilities away: chown,… or all (the last word of cap-add and cap-drop counts)",
        packed: true,
        set: |options, text| confinement::capabilities(text).map(|set| options.capabilities.drop(set)),
    },
    Flag {
        name: "rlimit",
        value: Some("TYPE=SOFT[:HARD]"),
        help: "Limit a resource as prlimit(1) does: nofile=256, core=0:unlimited, … (repeatable)",
        packed: true,
        set: |options, text| confinement::rlimit(text).map(|rlimit| options.limit(rlimit)),
    },
    Flag {
        name: "status",
        value: None,
        help: "Say on stderr, before the program starts, which layer of isolation holds, how far, and why",
        packed: false,
        set: |options, text| value::switch(text).map(|on| options.status = on),
    },
    Flag {
        name: "status-fd",
        value: Some("N"),
        help: "Write the same as a JSON object to descriptor N, which the program does not inherit",
        packed: false,
        set: |options, text| confinement::descriptor(text).map(|number| options.status_fd = Some(number)),
    },
    Flag {
        name: "require",
        value: Some("LIST"),
        help: "Start only where these layers hold in full: seccomp,user,… (repeatable)",
        packed: true,
        set: |options, text| confinement::layers(text).map(|layers| options.required.extend(layers)),
    },
    Flag {
        name: "background",
        value: None,
        help: "Return once the program was executed, and leave it running in a session of its own",
        packed: false,
        set: |options, text| value::switch(text).map(|on| options.supervision.background = on),
    },
    Flag {
        name: "log",
        value: Some("FILE"),
        help: "In the background, append what the program prints to this file",
        packed: false,
        set: |options, text| supervision::file(text).map(|file| options.supervision.log = Some(file)),
    },
    Flag {
        name: "pid-file",
        value: Some("FILE"),
        help: "Write the id of the process to signal to this file; nobody else can start with it meanwhile",
        packed: false,
        set: |options, text| supervision::file(text).map(|file| options.supervision.pid_file = Some(file)),
    },
    Flag {
        name: "stay",
        value: None,
        help: "End with the last process that the program leaves running",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.supervision.stay = on),
    },
    Flag {
        name: "exit-with-main",
        value: None,
        help: "End with the program, and end what it leaves running, which is the default",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.supervision.stay = !on),
    },
    Flag {
        name: "as-pid-1",
        value: None,
        help: "Let the program be process 1, which reaps and gets no signal that it does not handle",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.supervision.as_pid_1 = on),
    },
    Flag {
        name: "signal-status",
        value: None,
        help: "Exit with 128+N where signal N killed the program, instead of dying of it",
        packed: true,
        set: |options, text| value::switch(text).map(|on| options.supervision.signal_status = on),
    },
];

impl Flag {
    /// The option of this name.
    #[must_use]
    pub fn named(name: &OsStr) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| name == flag.name)
    }

    /// Sets it in `options`. A switch without a value is on. `name` is what it is called in faults.
    pub(super) fn set(&self, options: &mut Options, name: OsString, value: Option<&OsStr>) -> Result<(), OptionFault> {
        let text = match (value, self.value) {
            (Some(text), _) => text,
            (None, None) => OsStr::new(value::ON),
            (None, Some(_)) => return Err(OptionFault::NoValue { name }),
        };
        (self.set)(options, text).map_err(|expected| OptionFault::Value {
            name,
            value: text.to_owned(),
            expected,
        })
    }
}
