//! Bounded caches of what was decompressed.

use crate::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is charged for an entry at least, in bytes: small entries must not make a cache of bounded bytes unbounded
/// in entries, since look-ups pass over all of them.
const LEAST_CHARGE: usize = 4096;

/// How many loads may run at once, and so how many locks there are for the keys to share.
const LOADS: usize = 8;

/// Locks a mutex, also one that a panicking thread held: every value behind the mutexes of this crate is whole
/// between any two of its statements, a cache at worst lacks an entry.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names a block of an image: two blocks may begin at the same place, in an image that lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Where the block begins in the image.
    pub(crate) start: u64,
    /// Its size as the format stores it, with the flag; zero where the block itself says so.
    pub(crate) size: u32,
}

/// Least recently used goes first. Entries are few (see [`LEAST_CHARGE`]), so a pass over their keys is cheaper than
/// hashing, in time and in code.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    slots: Mutex<Slots<T>>,
    /// Held while an entry is loaded, so that threads that want the same block wait for one of them to have it.
    loads: [Mutex<()>; LOADS],
}

#[derive(Debug)]
struct Slots<T> {
    keys: Vec<Key>,
    /// Beside `keys`, index for index.
    entries: Vec<Entry<T>>,
    capacity: usize,
    charged: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    charge: usize,
    used: u64,
}

impl<T> Cache<T> {
    /// An empty cache that will hold at most `capacity` bytes.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            slots: Mutex::new(Slots {
                keys: Vec::new(),
                entries: Vec::new(),
                capacity,
                charged: 0,
                clock: 0,
            }),
            loads: [const { Mutex::new(()) }; LOADS],
        }
    }

    /// The entry of `key`, if it is held.
    pub(crate) fn get(&self, key: Key) -> Option<Arc<T>> {
        lock(&self.slots).get(key)
    }

    /// The entry of `key`, loaded when it is not held. `load` gives the value and its size in bytes.
    pub(crate) fn get_or_load(
        &self,
        key: Key,
        load: impl FnOnce() -> Result<(T, usize), Box<Error>>,
    ) -> Result<Arc<T>, Box<Error>> {
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        let _loading = self.loads.get(load_lock(key)).map(lock);
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        let (value, bytes) = load()?;
        let value = Arc::new(value);
        lock(&self.slots).insert(key, &value, bytes);
        Ok(value)
    }
}

/// Which of the locks is the key's: blocks are at least a few hundred bytes apart.
fn load_lock(key: Key) -> usize {
    usize::from((key.start >> 9).to_le_bytes()[0]) % LOADS
}

impl<T> Slots<T> {
    fn get(&mut self, key: Key) -> Option<Arc<T>> {
        let at = self.keys.iter().position(|held| *held == key)?;
        self.clock += 1;
        let entry = self.entries.get_mut(at)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.value))
    }

    fn insert(&mut self, key: Key, value: &Arc<T>, bytes: usize) {
        let charge = bytes.max(LEAST_CHARGE);
        if charge > self.capacity {
            return;
        }
        while self.charged > self.capacity - charge {
            self.evict();
        }
        self.clock += 1;
        self.charged += charge;
        self.keys.push(key);
        self.entries.push(Entry {
            value: Arc::clone(value),
            charge,
            used: self.clock,
        });
    }

    fn evict(&mut self) {
        let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.used);
        if let Some(at) = oldest.map(|(at, _)| at) {
            self.keys.swap_remove(at);
            self.charged -= self.entries.swap_remove(at).charge;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const fn key(start: u64) -> Key {
        Key { start, size: 0 }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(3 * LEAST_CHARGE);
        for start in [1, 2, 3] {
            cache.get_or_load(key(start), || Ok((start, 1))).expect("loads");
        }
        assert_eq!(cache.get(key(1)).as_deref(), Some(&1));
        cache.get_or_load(key(4), || Ok((4, LEAST_CHARGE))).expect("loads");
        let held: Vec<bool> = [1, 2, 3, 4]
            .into_iter()
            .map(|start| cache.get(key(start)).is_some())
            .collect();
        assert_eq!(held, [true, false, true, true]);
    }

    #[test]
    fn the_cap_holds_whatever_the_sizes() {
        let cache = Cache::new(10 * LEAST_CHARGE);
        for start in 0..1000_u64 {
            let bytes = usize::try_from(start * 7919 % 50_000).expect("small");
            cache.get_or_load(key(start), || Ok(((), bytes))).expect("loads");
            let slots = lock(&cache.slots);
            assert!(
                slots.charged <= 10 * LEAST_CHARGE && slots.entries.len() <= 10,
                "{slots:?}"
            );
            assert_eq!(
                slots.charged,
                slots.entries.iter().map(|entry| entry.charge).sum::<usize>()
            );
            assert_eq!(slots.keys.len(), slots.entries.len());
        }
    }

    #[test]
    fn a_failed_load_is_not_kept_and_sizes_tell_keys_apart() {
        let cache = Cache::new(10 * LEAST_CHARGE);
        assert!(cache.get_or_load(key(1), || Err(Error::NoMemory.into())).is_err());
        assert_eq!(*cache.get_or_load(key(1), || Ok((5, 1))).expect("loads"), 5);
        assert!(cache.get(Key { start: 1, size: 9 }).is_none());
    }

    #[test]
    fn threads_that_want_the_same_block_load_it_once() {
        let cache = Cache::new(10 * LEAST_CHARGE);
        let loads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for start in 0..10 {
                        let load = || {
                            loads.fetch_add(1, Ordering::Relaxed);
                            Ok((start, 1))
                        };
                        assert_eq!(*cache.get_or_load(key(start), load).expect("loads"), start);
                    }
                });
            }
        });
        assert_eq!(loads.into_inner(), 10);
    }
}
