//! The bound on what is read ahead: bytes that may be in memory at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may be held, shared between who reads ahead (and waits for them) and who uses up what was read (and gives them back).
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    closed: bool,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                free: bytes,
                closed: false,
            }),
            freed: Condvar::new(),
        })
    }

    /// Waits until `bytes` are free and takes them; none when the budget has been closed. Must not be more than the whole budget.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let mut state = self.lock();
        while state.free < bytes && !state.closed {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return None;
        }
        state.free -= bytes;
        Some(Permit {
            budget: Arc::clone(self),
            bytes,
        })
    }

    /// Nobody will use up what is read from now on: who waits gets nothing.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.freed.notify_all();
    }

    // Nothing is done under the lock that could leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes taken from a [`Budget`], given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().free += self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_give_their_bytes_back() {
        let budget = Budget::new(10);
        let first = budget.take(7).expect("open");
        assert_eq!(budget.lock().free, 3);
        drop(first);
        assert_eq!(budget.lock().free, 10);
    }

    #[test]
    fn who_waits_is_woken_by_bytes_and_by_the_end() {
        let budget = Budget::new(10);
        let all = budget.take(10).expect("open");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(5).is_some());
            drop(all);
            assert!(waiting.join().expect("no panic"));
        });
        let all = budget.take(10).expect("open");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(5).is_none());
            budget.close();
            assert!(waiting.join().expect("no panic"));
        });
        drop(all);
    }
}
