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
    /// Use a, then use b; or why it could not be packed.
    pub(crate) uses: Result<[Result<(), Failure>; 2], String>,
}

impl Outcome {
    /// Whether a, b passed.
    fn passed(&self) -> [bool; 2] {
        match &self.uses {
            Ok(uses) => uses.each_ref().map(Result::is_ok),
            Err(_) => [false, false],
        }
    }
}

/// What came of all.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Vec<Outcome>);

impl Report {
    /// In how many cases both uses passed.
    pub(crate) fn both_pass(&self) -> usize {
        self.0.iter().filter(|outcome| outcome.passed() == [true, true]).count()
    }

    /// How many uses passed.
    pub(crate) fn uses_pass(&self) -> usize {
        self.0.iter().flat_map(Outcome::passed).filter(|passed| *passed).count()
    }

    fn median_bytes(&self) -> Option<u64> {
        let mut sizes: Vec<u64> = self.0.iter().filter_map(|outcome| Some(outcome.size?.bytes)).collect();
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
        writeln!(f, "{:<20} a    b     MB unpacked   files  seconds", "case")?;
        for outcome in &self.0 {
            let [a, b] = outcome.passed().map(|passed| if passed { "ok" } else { "FAIL" });
            write!(f, "{:<20} {a:<4} {b:<4}", outcome.name)?;
            if let Some(Size { bytes, files, time }) = outcome.size {
                write!(f, " {:>12} {files:>7} {:>8.1}", megabytes(bytes), time.as_secs_f64())?;
            }
            writeln!(f)?;
        }
        let (a, b) = (0, 1);
        let passed = |index: usize| self.0.iter().filter(|outcome| outcome.passed()[index]).count();
        write!(
            f,
            "{} cases: a passes in {}, b in {}, both in {}",
            self.0.len(),
            passed(a),
            passed(b),
            self.both_pass()
        )?;
        match self.median_bytes() {
            Some(bytes) => writeln!(f, "; median {} MB unpacked", megabytes(bytes)),
            None => writeln!(f),
        }
    }
}
