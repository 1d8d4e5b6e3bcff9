//! A state, wherever it is kept: opened under a lock, recovered, appended to, folded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use plumb_model::event::Event;
use plumb_model::schema::Schemas;
use plumb_model::state::State;

use crate::backend::{Attempt, Backend, Fold, Held, Keep, Mark, Place, Stored};
use crate::error::StoreError;
use crate::history::{Entry, Tally};
use crate::journal::{self, Contents, Header, Tail};
use crate::lock::{LockInfo, Process, rfc3339, who};
use crate::measure::{content, measure};
use crate::recover::{Decision, Found, decide, is_news};
use crate::seal::{LineSealer, SealError, Sealer, Unsealed};
use crate::v4::{self, Stamp};

/// One state.
#[derive(Clone)]
pub struct Store {
    place: Arc<dyn Place>,
    schemas: Arc<Schemas>,
    sealer: Arc<Sealer>,
}

/// An opened state.
pub struct Opened {
    /// What is remembered, the journal included. A new one has its lineage already.
    pub state: State,
    /// The right to change it.
    pub lease: Lease,
    /// What the last run left to do.
    pub recovery: Recovery,
}

/// What was found of a run that did not end well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Events that were in the journal but not in the snapshot.
    pub events: usize,
    /// Calls never heard back from.
    pub in_doubt: usize,
    /// A write was interrupted: so many bytes at the journal's end count for nothing.
    pub torn_bytes: u64,
    /// Where they were put aside.
    pub torn: Option<String>,
    /// Who held the lock and died with it.
    pub from_the_dead: Option<Box<LockInfo>>,
}

/// The right to change a state, until it is closed or dropped.
pub struct Lease {
    backend: Box<dyn Backend>,
    schemas: Arc<Schemas>,
    sealer: Arc<Sealer>,
    /// What the lines of the journal are sealed with; none before it is begun, or if they are not.
    lines: Option<LineSealer>,
    /// The snapshot is not sealed as it would be now: the next checkpoint writes it anew.
    stale: bool,
    /// The next snapshot is the first of this lease: what it replaces is kept.
    back_up: bool,
    /// The snapshot that the journal follows, or will when it is begun.
    header: Header,
    /// What that snapshot says, but for the serial.
    content: Option<[u8; 32]>,
    tail: Tail,
    /// Something in the journal differs from the snapshot.
    news: bool,
    buffer: String,
    tally: Tally,
}

impl Store {
    /// The state that is kept at `place`. Nothing is touched yet.
    pub fn new(place: Arc<dyn Place>, schemas: Arc<Schemas>) -> Store {
        Store { place, schemas, sealer: Arc::default() }
    }

    /// The same, sealed and opened by `sealer`. Without one it is in the clear, and what is sealed is
    /// refused.
    #[must_use]
    pub fn sealed_by(self, sealer: Arc<Sealer>) -> Store {
        Store { sealer, ..self }
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// Takes the lock (not with `lock` none, that is `-lock=false`), reads the snapshot, replays the
    /// journal. Does not wait: on [`StoreError::Locked`] the caller may try again.
    ///
    /// # Errors
    /// If it cannot be locked or read, or what is there contradicts itself.
    pub fn open(&self, lock: Option<&LockInfo>) -> Result<Opened, StoreError> {
        let tally = match lock {
            Some(info) => Tally::new(info.who.clone(), info.operation.clone(), info.info.clone()),
            None => Tally::new(who(), String::new(), String::new()),
        };
        let mut backend = self.place.connect()?;
        let mut dead = None;
        if let Some(info) = lock {
            match backend.lock(info)? {
                Attempt::Taken { from_the_dead } => dead = from_the_dead,
                Attempt::Held(holder) => {
                    return Err(StoreError::Locked { name: self.name(), holder });
                }
            }
        }
        let stored = backend.read()?;
        let (found, plain) = self.found(stored, &*backend)?;
        let Plain { content, stale, lines, next_lines } = plain;
        let before = found
            .snapshot
            .as_ref()
            .map(|(state, _)| Header { lineage: state.lineage.clone(), serial: state.serial });
        let (good, torn) =
            found.journal.as_ref().map_or((0, 0), |it| (it.tail.bytes, it.torn_bytes));
        let Decision { mut state, journal, contents } = decide(found, &backend.names())?;
        if state.lineage.is_empty() {
            state.lineage = uuid::Uuid::new_v4().to_string().into();
        }
        let header = before.unwrap_or_else(|| Header { lineage: state.lineage.clone(), serial: 0 });
        state.lineage = header.lineage.clone();
        let mut recovery = recovery(&state, contents.as_ref());
        recovery.torn_bytes = torn;
        recovery.torn = backend.settle(journal, good)?;
        recovery.from_the_dead = dead;
        let mut lease = Lease {
            backend,
            schemas: self.schemas.clone(),
            sealer: self.sealer.clone(),
            lines: match journal {
                Keep::Journal => lines,
                Keep::Next => next_lines,
                Keep::Neither => None,
            },
            stale,
            back_up: true,
            header,
            content,
            tail: Tail::default(),
            news: false,
            buffer: String::new(),
            tally,
        };
        if let Some(contents) = contents {
            lease.tally.add(&contents.events);
            lease.news = contents.events.iter().any(is_news);
            lease.tail = contents.tail;
        }
        if lease.tail.next > 0 && lease.lines.is_none() && self.sealer.seals_states() {
            // From before states were sealed: nothing more may go there.
            let header = Header { serial: lease.header.serial + 1, ..lease.header.clone() };
            lease.fold(&state, header, true)?;
        }
        Ok(Opened { state, lease, recovery })
    }

    /// The state as it is now, without a lock and without changing anything.
    ///
    /// # Errors
    /// If it cannot be read, or what is there contradicts itself.
    pub fn read_only(&self) -> Result<(State, Recovery), StoreError> {
        let mut backend = self.place.connect()?;
        let stored = backend.read()?;
        let (found, _) = self.found(stored, &*backend)?;
        let torn_bytes = found.journal.as_ref().map_or(0, |it| it.torn_bytes);
        let decision = decide(found, &backend.names())?;
        let recovery = recovery(&decision.state, decision.contents.as_ref());
        Ok((decision.state, Recovery { torn_bytes, ..recovery }))
    }

    /// Whether somebody works on the state now. Takes nothing and changes nothing; an answer may be
    /// old when it arrives.
    ///
    /// # Errors
    /// If it cannot be found out.
    pub fn held(&self) -> Result<Held, StoreError> {
        self.place.connect()?.held()
    }

    /// Takes the lock `id` away from its holder, which can then write nothing more. A process of ours
    /// that holds it on this machine is ended first, so that nothing it has under way goes on; if that is
    /// not permitted, the lock is broken all the same. Tells which process was ended.
    ///
    /// # Errors
    /// If it is not that lock that is held, or it cannot be broken.
    pub fn break_lock(&self, id: &str) -> Result<Option<Process>, StoreError> {
        let mut backend = self.place.connect()?;
        let holder = match backend.held()? {
            Held::By(Some(holder)) if holder.id == id => holder.process,
            _ => None,
        };
        let ended = holder.filter(|it| it.end().unwrap_or(false));
        match backend.break_lock(id) {
            // It went with its holder.
            Err(_) if ended.is_some() && matches!(backend.held()?, Held::Free) => {}
            broken => broken?,
        }
        Ok(ended)
    }

    /// Who changed it, when, oldest first. Lines that cannot be understood are left out.
    ///
    /// # Errors
    /// If the history is there and cannot be read.
    pub fn history(&self) -> Result<Vec<Entry>, StoreError> {
        let lines = self.place.connect()?.told()?;
        Ok(lines.iter().filter_map(|it| serde_json::from_str(it).ok()).collect())
    }

    /// The serials of the snapshots before this one that are kept, rising.
    ///
    /// # Errors
    /// If it cannot be found out.
    pub fn past(&self) -> Result<Vec<u64>, StoreError> {
        self.place.connect()?.past()
    }

    /// One of them; none if it is not kept.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn past_state(&self, serial: u64) -> Result<Option<State>, StoreError> {
        let mut backend = self.place.connect()?;
        let bytes = backend.past_snapshot(serial)?;
        let state = |stored: Vec<u8>| {
            let opened = self.opened(&stored, &*backend)?;
            self.state(&opened.bytes, &*backend)
        };
        bytes.map(state).transpose()
    }

    fn opened<'a>(
        &self,
        stored: &'a [u8],
        backend: &dyn Backend,
    ) -> Result<Unsealed<'a>, StoreError> {
        let sealed = |source| StoreError::Sealed { name: backend.names().state, source };
        self.sealer.open_state(stored).map_err(sealed)
    }

    fn state(&self, bytes: &[u8], backend: &dyn Backend) -> Result<State, StoreError> {
        v4::read(bytes, &self.schemas).map_err(|source| {
            let names = backend.names();
            StoreError::Snapshot { name: names.state, backup: names.backup, source }
        })
    }

    /// Understands what there is.
    fn found(&self, stored: Stored, backend: &dyn Backend) -> Result<(Found, Plain), StoreError> {
        let (mut found, mut plain) = (Found::default(), Plain::default());
        if let Some(bytes) = &stored.snapshot {
            let opened = self.opened(bytes, backend)?;
            plain.content = Some(content(&opened.bytes));
            plain.stale = opened.stale;
            let state = self.state(&opened.bytes, backend)?;
            // Journals name snapshots as they are stored.
            let measure = measure(bytes, state.serial);
            found.snapshot = Some((state, measure));
        }
        let journal = |bytes: Option<Vec<u8>>| -> Result<_, StoreError> {
            let Some(bytes) = bytes else { return Ok((None, None)) };
            let (contents, lines) = journal::read_with(&bytes, &self.sealer)
                .map_err(|source| StoreError::Journal { name: backend.names().journal, source })?;
            Ok((Some(contents), lines))
        };
        (found.journal, plain.lines) = journal(stored.journal)?;
        (found.next, plain.next_lines) = journal(stored.next)?;
        if let Some(bytes) = stored.backup {
            // A backup that cannot be read says nothing.
            let opened = self.sealer.open_state(&bytes);
            let state = opened.ok().and_then(|it| v4::read(&it.bytes, &Schemas::default()).ok());
            found.backup_has_objects = state.is_some_and(|it| !it.objects.is_empty());
        }
        Ok((found, plain))
    }
}

/// What is known of stored files besides what they say.
#[derive(Default)]
struct Plain {
    /// What the snapshot says, but for the serial.
    content: Option<[u8; 32]>,
    /// It would be stored otherwise now.
    stale: bool,
    /// What the journal's lines are sealed with.
    lines: Option<LineSealer>,
    /// The same of the journal that was to follow.
    next_lines: Option<LineSealer>,
}

fn recovery(state: &State, contents: Option<&Contents>) -> Recovery {
    Recovery {
        events: contents.map_or(0, |it| it.events.len()),
        in_doubt: state.in_doubt.len(),
        ..Recovery::default()
    }
}

impl Lease {
    /// Writes events to the journal; they are durable on return, all together.
    ///
    /// # Errors
    /// After an error none of them counts: start no further step.
    pub fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut tail = self.tail;
        let mut text = std::mem::take(&mut self.buffer);
        text.clear();
        let batch = tail.next;
        if batch == 0 {
            self.lines = self.begin(&self.header)?;
            header_line(&mut tail, &self.header, self.lines.as_ref(), &mut text);
        }
        self.lines_of(&mut tail, batch, events, self.lines.as_ref(), &mut text)?;
        let written = self.backend.append(self.tail.bytes, &text);
        self.buffer = text;
        written?;
        self.tail = tail;
        self.tally.add(events);
        self.news |= events.iter().any(is_news);
        Ok(())
    }

    /// What the lines of a journal that follows `header` are to be sealed with.
    fn begin(&self, header: &Header) -> Result<Option<LineSealer>, StoreError> {
        let lines = self.sealer.begin_journal(&header.lineage, header.serial);
        lines.map_err(|it| self.unsealed(it))
    }

    fn lines_of(
        &self,
        tail: &mut Tail,
        batch: u64,
        events: &[Event],
        lines: Option<&LineSealer>,
        text: &mut String,
    ) -> Result<(), StoreError> {
        match lines {
            None => tail.events(batch, events, text),
            Some(lines) => {
                tail.sealed_events(batch, events, lines, text).map_err(|it| self.unsealed(it))?;
            }
        }
        Ok(())
    }

    fn unsealed(&self, source: SealError) -> StoreError {
        StoreError::Sealed { name: self.backend.names().state, source }
    }

    /// The snapshot that this lease goes out from.
    pub fn stamp(&self) -> Stamp<'_> {
        Stamp { lineage: &self.header.lineage, serial: self.header.serial }
    }

    /// Whether the journal should be folded soon, in mid-run, since it does not outlive this machine.
    pub fn is_due(&self) -> bool {
        self.news && self.backend.is_due()
    }

    /// Whether the state is still ours to write to, as far as can be known.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the lock was lost; others if it cannot be found out.
    pub fn confirm(&mut self) -> Result<(), StoreError> {
        self.backend.confirm()
    }

    /// Folds the journal into the snapshot and returns its serial, which grows when the content
    /// changed. Calls in doubt stay in a journal.
    ///
    /// # Errors
    /// If it could not be written: what is in the journal still counts.
    pub fn checkpoint(&mut self, state: &State) -> Result<u64, StoreError> {
        let first = self.header.serial == 0 && self.tail.next > 0;
        let header = Header { serial: self.header.serial + 1, ..self.header.clone() };
        if (self.news || first || self.stale) && self.fold(state, header, self.stale)? {
            return Ok(self.header.serial);
        }
        // Nothing but doubts is in it.
        if state.in_doubt.is_empty() && self.tail.next > 0 {
            self.backend.drop_journal()?;
            self.tail = Tail::default();
        }
        self.news = false;
        Ok(self.header.serial)
    }

    /// Puts another state in place of this one, with its own lineage and serial (`state push`), its
    /// doubts included: those of this one are gone. [`crate::push::refusal`] says when not to.
    ///
    /// # Errors
    /// If it could not be written: the state before still counts.
    pub fn replace(&mut self, state: &State) -> Result<(), StoreError> {
        let header = Header { lineage: state.lineage.clone(), serial: state.serial };
        self.fold(state, header, true)?;
        Ok(())
    }

    /// Writes the snapshot that `header` names, unless it would say the same as the one that is
    /// there. Tells whether it did.
    fn fold(&mut self, state: &State, header: Header, always: bool) -> Result<bool, StoreError> {
        let stamp = Stamp { lineage: &header.lineage, serial: header.serial };
        let snapshot = v4::write_as(state, stamp, &self.schemas);
        let content = Some(content(&snapshot));
        if !always && content == self.content {
            return Ok(false);
        }
        let snapshot = (self.sealer)
            .seal_state(Cow::Owned(snapshot), &header.lineage, header.serial)
            .map_err(|it| self.unsealed(it))?;
        let mut mark = String::new();
        self.tail.clone().folding(measure(&snapshot, header.serial), &mut mark);
        let (mut next, mut after) = (String::new(), Tail::default());
        let mut lines = None;
        if !state.in_doubt.is_empty() {
            lines = self.begin(&header)?;
            header_line(&mut after, &header, lines.as_ref(), &mut next);
            let doubts: Vec<Event> = (state.in_doubt.iter())
                .map(|(token, intent)| Event::Started { token: *token, intent: intent.clone() })
                .collect();
            self.lines_of(&mut after, 0, &doubts, lines.as_ref(), &mut next)?;
        }
        self.backend.fold(Fold {
            snapshot: &snapshot,
            serial: header.serial,
            mark: (self.tail.next > 0).then_some(Mark { at: self.tail.bytes, text: &mark }),
            next: (after.next > 0).then_some(&next),
            back_up: self.back_up.then_some(self.header.serial),
        })?;
        let time = rfc3339(SystemTime::now());
        if let Some(line) = self.tally.told(time, header.serial, &header.lineage) {
            self.backend.tell(&line);
        }
        self.header = header;
        self.content = content;
        self.stale = false;
        self.back_up = false;
        self.news = false;
        self.tail = after;
        self.lines = lines;
        Ok(true)
    }

    /// Gives the lock back. Dropping does too, but cannot say what went wrong.
    ///
    /// # Errors
    /// If the lock may still be there.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.backend.unlock()
    }
}

fn header_line(tail: &mut Tail, header: &Header, lines: Option<&LineSealer>, text: &mut String) {
    match lines {
        None => tail.header(header, text),
        Some(lines) => tail.sealed_header(header, lines, text),
    }
}

#[cfg(test)]
mod tests;
