//! What came of the cases: a table, and all about what failed.

use std::fmt;

use crate::packed::Size;
use crate::sandbox::Failure;

/// What came of one case.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// None where nothing was packed.
    pub(crate) size: Option<Size>,
    /// Use a, then use b where there is one; or why it could not be packed.
    pub(crate) uses: Result<Vec<Result<(), Failure>>, String>,
}

impl Outcome {
    /// Whether the use of this index passed; none where there is no such use.
    fn passed(&self, index: usize) -> Option<bool> {
        match &self.uses {
            Ok(uses) => uses.get(index).map(Result::is_ok),
            Err(_) => Some(false),
        }
    }

    /// Whether all uses passed.
    fn all_passed(&self) -> bool {
        self.uses.as_ref().is_ok_and(|uses| uses.iter().all(Result::is_ok))
    }
}

/// What came of all.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Vec<Outcome>);

impl Report {
    /// In how many cases all uses passed.
    pub(crate) fn all_pass(&self) -> usize {
        self.0.iter().filter(|outcome| outcome.all_passed()).count()
    }

    fn median(&self, bytes: impl Fn(&Size) -> u64) -> Option<u64> {
        let sizes = self.0.iter().filter_map(|outcome| outcome.size.as_ref());
        let mut sizes: Vec<u64> = sizes.map(bytes).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied()
    }
}

/// Bytes in millions, to a tenth.
fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.0 {
            match &outcome.uses {
                Ok(uses) => {
                    for (name, failure) in ["a", "b"]
                        .iter()
                        .zip(uses)
                        .filter_map(|(name, it)| Some((name, it.as_ref().err()?)))
                    {
                        write!(f, "{} {name}: failed\n{failure}", outcome.name)?;
                    }
                }
                Err(why) => writeln!(f, "{}: not packed\n{why}", outcome.name)?,
            }
        }
        writeln!(f, "{:<20} a    b     MB unpacked  MB bundle   files  seconds", "case")?;
        for outcome in &self.0 {
            let [a, b] = [0, 1].map(|index| match outcome.passed(index) {
                Some(true) => "ok",
                Some(false) => "FAIL",
                None => "",
            });
            write!(f, "{:<20} {a:<4} {b:<4}", outcome.name)?;
            if let Some(size) = outcome.size {
                let [unpacked, bundle] = [size.bytes, size.bundle].map(megabytes);
                let (files, seconds) = (size.files, size.time.as_secs_f64());
                write!(f, " {unpacked:>12} {bundle:>10} {files:>7} {seconds:>8.1}")?;
            }
            writeln!(f)?;
        }
        let passed = |index| self.0.iter().filter(|it| it.passed(index) == Some(true)).count();
        let (all, a, b, both) = (self.0.len(), passed(0), passed(1), self.all_pass());
        write!(f, "{all} cases: a passes in {a}, b in {b}, all uses in {both}")?;
        if let (Some(unpacked), Some(bundle)) = (self.median(|size| size.bytes), self.median(|size| size.bundle)) {
            let [unpacked, bundle] = [unpacked, bundle].map(megabytes);
            write!(f, "; median {unpacked} MB unpacked, {bundle} MB bundle")?;
        }
        writeln!(f)
    }
}
