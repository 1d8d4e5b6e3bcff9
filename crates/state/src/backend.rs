//! Where a state is kept. A backend knows bytes, a lock, and what is atomic there; what the bytes say
//! and when they are written is decided in [`crate::store`].

use crate::error::StoreError;
use crate::lock::LockInfo;

/// Makes connections to where one state (of one workspace) is kept.
pub trait Place: Send + Sync {
    /// What messages call it: a path, `s3://bucket/key`. Without secrets.
    fn name(&self) -> String;

    /// A connection of its own. Nothing is asked yet where that can be put off.
    ///
    /// # Errors
    /// If what is there cannot be reached.
    fn connect(&self) -> Result<Box<dyn Backend>, StoreError>;
}

/// One state: the snapshot, the journal that follows it, the lock.
pub trait Backend: Send {
    /// What messages call its parts.
    fn names(&self) -> Names;

    /// Tries to take the lock. Does not wait. Dropping the connection gives it back.
    ///
    /// # Errors
    /// If nobody can tell whether it was taken.
    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError>;

    /// Gives the lock back, if it was taken.
    ///
    /// # Errors
    /// If it may still be there.
    fn unlock(&mut self) -> Result<(), StoreError>;

    /// Whether somebody holds the lock now. Takes nothing and changes nothing; an answer may be old
    /// when it arrives.
    ///
    /// # Errors
    /// If it cannot be found out.
    fn held(&mut self) -> Result<Held, StoreError>;

    /// Takes the lock `id` away from its holder, which can then write nothing more.
    ///
    /// # Errors
    /// If it is not that lock that is held, or it cannot be broken.
    fn break_lock(&mut self, id: &str) -> Result<(), StoreError>;

    /// Everything that is kept, as of one moment. Needs no lock and changes nothing.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&mut self) -> Result<Stored, StoreError>;

    /// What was read is what a writer goes out from: `keep` says which journal goes on. Only the first
    /// `bytes` of the journal that was read count: what follows is put aside; the answer is where.
    ///
    /// # Errors
    /// If it could not be written. The same call again does the rest.
    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError>;

    /// Appends to the journal, `at` bytes from its beginning, its end; durable on return.
    ///
    /// # Errors
    /// After an error nothing of it counts: what is written there next takes its place, or everything
    /// from then on is answered with [`StoreError::Broken`] or [`StoreError::Fenced`].
    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError>;

    /// Whether the lock that was taken is still ours; nothing if none was.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if it is not; others if it cannot be found out.
    fn confirm(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Puts a snapshot in place of the one that is there, together with the journal that follows it,
    /// and takes the journal before it away. At every instant one look tells which journal counts.
    ///
    /// # Errors
    /// If it could not be written: the snapshot before it, with its journal, still counts, unless
    /// everything from then on is answered with [`StoreError::Broken`].
    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError>;

    /// Takes the journal away: nothing in it is news.
    ///
    /// # Errors
    /// If it could not be removed.
    fn drop_journal(&mut self) -> Result<(), StoreError>;

    /// Writes a line to the history. Nothing relies on it: a line that cannot be written is left out.
    fn tell(&mut self, line: &str);

    /// The lines of the history, oldest first.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    fn told(&mut self) -> Result<Vec<String>, StoreError>;

    /// The serials of the snapshots that were put away when they were replaced, rising.
    ///
    /// # Errors
    /// If it cannot be found out.
    fn past(&mut self) -> Result<Vec<u64>, StoreError>;

    /// One of them; none if it is not kept any more.
    ///
    /// # Errors
    /// If it cannot be read.
    fn past_snapshot(&mut self, serial: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether what is only in the journal should be folded soon, since the journal does not outlive
    /// this machine and has grown old.
    fn is_due(&self) -> bool {
        false
    }
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken {
        /// Whose lock was taken away for this, as its process is dead.
        from_the_dead: Option<Box<LockInfo>>,
    },
    /// Somebody else has it: who, if that is known.
    Held(Option<Box<LockInfo>>),
}

/// Whether a lock is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// By nobody.
    Free,
    /// By somebody: who, if that is known.
    By(Option<Box<LockInfo>>),
    /// There is nobody to ask without taking it.
    Unknown,
}

/// What messages call the parts of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The snapshot.
    pub state: String,
    /// The journal.
    pub journal: String,
    /// The snapshot before, if it is kept.
    pub backup: Option<String>,
}

/// What is kept of one state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The journal.
    pub journal: Option<Vec<u8>>,
    /// The journal that was to follow a snapshot in the making.
    pub next: Option<Vec<u8>>,
    /// The snapshot before, where it is kept. It is looked for only if there is no snapshot.
    pub backup: Option<Vec<u8>>,
}

/// What becomes of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It goes on, behind its last good line.
    Journal,
    /// The one that was to follow takes its place.
    Next,
    /// Nothing in it is news.
    Neither,
}

/// A snapshot to put in place.
#[derive(Clone, Copy, Debug)]
pub struct Fold<'a> {
    /// What is to be there.
    pub snapshot: &'a [u8],
    /// Its serial.
    pub serial: u64,
    /// The journal's last line: it names this snapshot. None if there is no journal.
    pub mark: Option<Mark<'a>>,
    /// The journal that follows it, if calls are in doubt.
    pub next: Option<&'a str>,
    /// The snapshot that goes is kept as backup and put away under this serial.
    pub back_up: Option<u64>,
}

/// The line that ends a journal.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Bytes of the journal before it.
    pub at: u64,
    /// The line.
    pub text: &'a str,
}

/// Where snapshots are kept that know no journal: the journal is then in a folder of this machine.
///
/// The lock's identifier is the fencing token: a write is refused by the other side, or not tried,
/// once the lock is somebody else's.
pub trait Remote: Send {
    /// As [`Backend::lock`].
    ///
    /// # Errors
    /// If nobody can tell whether it was taken.
    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError>;

    /// As [`Backend::unlock`].
    ///
    /// # Errors
    /// If it may still be there.
    fn unlock(&mut self) -> Result<(), StoreError>;

    /// As [`Backend::held`].
    ///
    /// # Errors
    /// If it cannot be found out.
    fn held(&mut self) -> Result<Held, StoreError>;

    /// As [`Backend::break_lock`].
    ///
    /// # Errors
    /// If it is not that lock that is held, or it cannot be broken.
    fn break_lock(&mut self, id: &str) -> Result<(), StoreError>;

    /// The snapshot.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&mut self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Puts a snapshot in place of the one that was read or put last by this connection.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the lock is no longer ours or somebody else wrote in between;
    /// others if nobody can tell whether it was written.
    fn put(&mut self, snapshot: &[u8], serial: u64) -> Result<(), StoreError>;

    /// Whether the lock is still ours, asking the other side where that can be asked.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]
    fn confirm(&mut self) -> Result<(), StoreError> {
        self.check()
    }

    /// Whether the lock is still ours as far as this side knows, without asking.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]
    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
