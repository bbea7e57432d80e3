//! What packages say of each other, reduced to names: the tree is as it was installed, so versions were right then.

/// One thing that a package needs: any of its alternatives will do, the first one is preferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency(Vec<String>);

impl Dependency {
    /// Names of packages, of what packages provide, or absolute paths of files.
    pub fn alternatives(&self) -> &[String] {
        &self.0
    }

    /// A dependency with one alternative.
    pub(super) fn on(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }
}

/// A field of Debian's that relates packages, such as `Depends`: `a (>= 1) | b, c:any [amd64]` (deb-control(5)).
pub(super) fn debian(field: &str) -> impl Iterator<Item = Dependency> + '_ {
    field
        .split(',')
        .map(|clause| Dependency(clause.split('|').filter_map(debian_name).map(str::to_owned).collect()))
        .filter(|dependency| !dependency.0.is_empty())
}

/// The names in Debian's `Provides`.
pub(super) fn debian_provides(field: &str) -> impl Iterator<Item = String> + '_ {
    field.split(',').filter_map(debian_name).map(str::to_owned)
}

/// The name, without version, architecture and profiles.
fn debian_name(relation: &str) -> Option<&str> {
    let name = relation.trim().split(['(', '[', '<', ':', ' ', '\t', '\n']).next()?;
    (!name.is_empty()).then_some(name)
}

/// The words of an apk field, `D:` or `p:`, without versions and repositories; what begins with `!` is a conflict (apk-package(5)).
pub(super) fn apk_names(field: &str) -> impl Iterator<Item = String> + '_ {
    field
        .split_ascii_whitespace()
        .filter(|word| !word.starts_with('!'))
        .filter_map(|word| word.split(['=', '<', '>', '~', '@']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

/// A requirement of rpm's: the name of a package, of what one provides, or of a file. Of a condition in brackets ("rich" dependency) it is
/// the names before `if`, `unless` and `with`; none for what rpm itself must be able to do.
pub(super) fn rpm_requirement(text: &str) -> Option<Dependency> {
    if text.starts_with("rpmlib(") {
        return None;
    }
    let Some(condition) = text.strip_prefix('(') else {
        return (!text.is_empty()).then(|| Dependency::on(text));
    };
    let mut names = Vec::new();
    let mut words = condition.split_ascii_whitespace();
    while let Some(word) = words.next() {
        match word {
            "if" | "unless" | "with" | "without" | "else" => break,
            "or" | "and" => {}
            // A comparison has a version behind it.
            "<" | "<=" | "=" | ">=" | ">" => drop(words.next()),
            name => names.push(unbracketed(name).to_owned()),
        }
    }
    (!names.is_empty()).then_some(Dependency(names))
}

/// The word without brackets that are not its own: `libc.so.6()(64bit))` ends with one of the condition's.
fn unbracketed(word: &str) -> &str {
    let mut word = word.trim_start_matches('(');
    while word.matches(')').count() > word.matches('(').count() {
        match word.strip_suffix(')') {
            Some(rest) => word = rest,
            None => break,
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_relations() {
        let field =
            "libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0,\n python3:any (>= 3.5~), , g++ [amd64] <!nocheck>, | ,";
        let names: Vec<Vec<String>> = debian(field).map(|dependency| dependency.0).collect();
        assert_eq!(
            names,
            [
                vec!["libc6"],
                vec!["debconf", "debconf-2.0"],
                vec!["python3"],
                vec!["g++"],
            ]
        );
        let provides: Vec<String> = debian_provides("awk, libgcc1 (= 1:12.2.0-14)").collect();
        assert_eq!(provides, ["awk", "libgcc1"]);
    }

    #[test]
    fn apk_words() {
        let field = "so:libc.musl-x86_64.so.1 busybox>=1.36 !uclibc-utils cmd:ls=9.4-r1 /bin/sh ssl_client=1.36 py3~3.11 a@edge";
        let names: Vec<String> = apk_names(field).collect();
        assert_eq!(
            names,
            [
                "so:libc.musl-x86_64.so.1",
                "busybox",
                "cmd:ls",
                "/bin/sh",
                "ssl_client",
                "py3",
                "a"
            ]
        );
    }

    #[test]
    fn rpm_requirements() {
        for (text, expected) in [
            ("bash", Some(&["bash"][..])),
            ("/bin/sh", Some(&["/bin/sh"])),
            ("libc.so.6(GLIBC_2.34)(64bit)", Some(&["libc.so.6(GLIBC_2.34)(64bit)"])),
            ("rpmlib(FileDigests)", None),
            (
                "(glibc-gconv-extra(x86-64) = 2.39-4.fc40 if redhat-rpm-config)",
                Some(&["glibc-gconv-extra(x86-64)"]),
            ),
            ("(a or libb.so()(64bit))", Some(&["a", "libb.so()(64bit)"])),
            ("((a >= 1 with a < 2) or b)", Some(&["a"])),
            ("()", Some(&[""])),
            ("(", None),
            ("", None),
        ] {
            let found = rpm_requirement(text);
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            assert_eq!(found.map(|dependency| dependency.0), expected, "{text}");
        }
    }
}
