//! Whom programs trust that know nothing of polecat: authorities made for the test, real servers, and clients of OpenSSL and GnuTLS.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use support::bundle::debian;
use support::exec;
use support::host::{self, Host, Launcher};
use support::requirement::{skip, tool};
use support::{Bundle, Need, Polecat, Scratch};

const NEEDS: [Need; 4] = [Need::Polecat, Need::Rootfs, Need::Overlay, Need::Tool("openssl")];

fn missing() -> bool {
    skip(&NEEDS) || skip(&host::NEEDS)
}

/// What the clients say of a server: one letter each, `o`penssl, `c`url, `p`ython and `g`it, of those that trust it.
const CLIENTS: &str = "cd /tmp; for port; do \
    openssl s_client -connect localhost:$port -verify_return_error -verify_hostname localhost </dev/null >o 2>&1 && printf o; \
    curl -s -o c https://localhost:$port/ && printf c; \
    python3 -c 'import sys,urllib.request as u; u.urlopen(\"https://localhost:\"+sys.argv[1]).read()' $port 2>p && printf p; \
    git ls-remote https://localhost:$port/ >g 2>&1; grep -q 'not valid' g && printf g; \
    echo; done";

/// Two authorities, and a server that each of them vouches for.
struct Servers {
    scratch: Scratch,
    ports: Vec<String>,
    /// With what they say, which is not read.
    running: Vec<(Child, BufReader<ChildStdout>)>,
}

/// The host's authority, and the image's.
const AUTHORITIES: [&str; 2] = ["host", "image"];

impl Servers {
    fn start() -> Self {
        let mut servers = Self {
            scratch: Scratch::new(),
            ports: Vec::new(),
            running: Vec::new(),
        };
        for name in AUTHORITIES {
            servers.vouch(name);
            servers.serve(name);
        }
        servers
    }

    fn openssl(&self, line: &str) -> String {
        let mut command = Command::new(tool("openssl"));
        command
            .args(line.split(' '))
            .current_dir(self.scratch.path())
            .env("OPENSSL_CONF", "/dev/null");
        exec::run(&mut command).success().out()
    }

    fn vouch(&self, name: &str) {
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let authority = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign";
        let subject = format!("-subj /CN=polecat-{name}");
        self.openssl(&format!(
            "req -x509 {new} -days 2 {subject} {authority} -keyout {name}.key -out {name}.pem"
        ));
        let server = "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
        self.openssl(&format!(
            "req -x509 {new} -days 2 -subj /CN=localhost {server} -CA {name}.pem -CAkey {name}.key \
             -keyout {name}-server.key -out {name}-server.pem"
        ));
    }

    fn serve(&mut self, name: &str) {
        let mut command = Command::new(tool("openssl"));
        command
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args([
                "-cert",
                &format!("{name}-server.pem"),
                "-key",
                &format!("{name}-server.key"),
            ])
            .current_dir(self.scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = exec::spawn(&mut command);
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let told = output.by_ref().lines().map(|line| line.expect("a line"));
        let mut accepting = told.filter_map(|line| Some(line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.to_owned()));
        self.ports
            .push(accepting.next().expect("s_server says where it listens"));
        self.running.push((child, output));
    }

    fn certificate(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.join(format!("{name}.pem"))).expect("a certificate")
    }

    /// What OpenSSL looks for.
    fn hash(&self, name: &str) -> String {
        self.openssl(&format!("x509 -hash -noout -in {name}.pem"))
            .trim()
            .to_owned()
    }

    /// Puts the authority `name` below `etc`: into a file of all, or by its hash, as a link to a file elsewhere.
    fn install(&self, name: &str, etc: &Path, form: Form) {
        let directory = etc.join("ssl/certs");
        fs::create_dir_all(&directory).expect("a directory");
        match form {
            Form::File => exec::write(
                &directory.join("ca-certificates.crt"),
                self.certificate(name).as_bytes(),
            ),
            Form::Hashed => {
                let elsewhere = etc.join(format!("{name}-authority.pem"));
                exec::write(&elsewhere, self.certificate(name).as_bytes());
                let link = directory.join(format!("{}.0", self.hash(name)));
                symlink(format!("/etc/{name}-authority.pem"), link).expect("a link");
            }
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (child, _) in &mut self.running {
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    File,
    Hashed,
}

const PROGRAMS: [&str; 8] = [
    "--also", "openssl", "--also", "curl", "--also", "python3", "--also", "git",
];

/// A tree with the clients and no certificates.
fn clients(scratch: &Scratch) -> PathBuf {
    let root = scratch.join("clients");
    let debian = debian();
    let mut arguments = vec!["--format", "dir", "-o", root.to_str().expect("UTF-8")];
    arguments.extend(PROGRAMS);
    arguments.extend([debian.to_str().expect("UTF-8"), "sh"]);
    let _summary = Polecat::new(scratch).run(arguments).success();
    root
}

/// The clients of `root`, packed with what the image is to trust, and with the hosts that it will be started on.
fn image(root: &Path, servers: &Servers, forms: &[Form]) -> Bundle {
    for trust in ["etc/ssl/certs", "usr/lib/ssl/cert.pem", "usr/lib/ssl/certs"] {
        let path = root.join(trust);
        let removed = if path.is_symlink() {
            fs::remove_file(path)
        } else {
            fs::remove_dir_all(path)
        };
        removed.unwrap_or_else(|error| assert_eq!(error.kind(), ErrorKind::NotFound, "{trust}"));
    }
    // As Debian's openssl has it.
    for (name, target) in [
        ("cert.pem", "/etc/ssl/certs/ca-certificates.crt"),
        ("certs", "/etc/ssl/certs"),
    ] {
        if !forms.is_empty() {
            symlink(target, root.join("usr/lib/ssl").join(name)).expect("a link");
        }
    }
    for form in forms {
        servers.install("image", &root.join("etc"), *form);
    }
    let mut options = PROGRAMS.to_vec();
    // It holds keys to test itself with.
    options.extend(["--allow", "/usr/lib/**/libgnutls.so.*"]);
    if !forms.is_empty() {
        options.extend(["--include", "/etc/ssl/certs/*", "--include", "/etc/image-authority.pem"]);
    }
    let bundle = Bundle::pack(&options, root, &["sh"]);
    for (name, form) in [("file", Form::File), ("hashed", Form::Hashed)] {
        servers.install("host", &bundle.scratch().join(name), form);
    }
    // One whose administrator added to the directory alone.
    let both = bundle.scratch().join("both");
    servers.install("image", &both, Form::File);
    servers.install("host", &both, Form::Hashed);
    bundle
}

/// `/etc` of the host, which has names for the servers beside.
macro_rules! host_with {
    ($certificates:literal) => {
        Host {
            setup: concat!(
                "mount -t tmpfs -o mode=755 tmpfs /etc; echo 127.0.0.1 localhost >/etc/hosts; cp -r \"$1\"/",
                $certificates,
                "/. /etc"
            ),
            words: &[],
        }
    };
}

const FILE: Host = host_with!("file");
const HASHED: Host = host_with!("hashed");
const BOTH: Host = host_with!("both");

/// Who trusts the host's authority, and the image's.
fn trusted(bundle: &Bundle, host: Host, user: Option<u32>, choice: &str, servers: &Servers) -> [String; 2] {
    let launcher = Launcher::new(bundle.scratch());
    let mut command = host.command(&launcher, user, bundle.path());
    command.args([&format!("--polecat-host=ca={choice}"), "-c", CLIENTS, "sh"]);
    command.args(&servers.ports).env("HOME", "/").current_dir("/");
    let ended = exec::run(&mut command);
    let out = ended.out();
    let lines: Vec<&str> = out.lines().collect();
    let [host, image] = lines[..] else { panic!("{ended}") };
    [host.to_owned(), image.to_owned()]
}

#[test]
fn clients_trust_whom_the_table_says() {
    if missing() {
        return;
    }
    let servers = Servers::start();
    let scratch = Scratch::new();
    let root = clients(&scratch);
    let [bare, hashed, whole] =
        [&[][..], &[Form::Hashed], &[Form::File, Form::Hashed]].map(|forms| image(&root, &servers, forms));
    let (all, none) = ("ocpg", "");
    let cases = [
        ("bare", &bare, FILE, "merged", [all, none]),
        ("bare", &bare, FILE, "bundled", [none, none]),
        ("bare", &bare, HASHED, "merged", [all, none]),
        ("bare", &bare, HASHED, "host", [all, none]),
        ("bare", &bare, BOTH, "host", [all, all]),
        ("hashed", &hashed, FILE, "host", [all, none]),
        ("hashed", &hashed, FILE, "bundled", [none, "opg"]),
        ("whole", &whole, FILE, "merged", [none, all]),
        ("whole", &whole, FILE, "host", [all, none]),
        ("whole", &whole, HASHED, "host", [all, none]),
        ("whole", &whole, BOTH, "host", [all, all]),
    ];
    for user in [None, host::USER] {
        for (name, bundle, host, choice, expected) in &cases {
            let found = trusted(bundle, *host, user, choice, &servers);
            assert_eq!(found, *expected, "{user:?}: {name} {choice} {}", host.setup);
        }
    }
}
