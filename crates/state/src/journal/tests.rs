//! Journals read back, whole, cut off at every byte, and damaged.

use plumb_model::state::State;
use proptest::prelude::*;

use super::*;
use crate::testing::life;

fn header() -> Header {
    Header { lineage: "l\"<".into(), serial: 7 }
}

/// A journal of batches of the given sizes, and after how many bytes each batch was durable.
fn journal(events: &[Event], sizes: &[usize]) -> (String, Vec<(u64, usize)>) {
    let (mut text, mut tail, mut ends, mut done) = (String::new(), Tail::default(), Vec::new(), 0);
    for size in sizes {
        let batch = tail.next;
        if batch == 0 {
            tail.header(&header(), &mut text);
        }
        let end = (done + size).min(events.len());
        tail.events(batch, &events[done..end], &mut text);
        done = end;
        assert_eq!(tail.bytes, text.len() as u64);
        ends.push((tail.bytes, done));
    }
    (text, ends)
}

fn a_life(seed: u64, length: usize) -> Vec<Event> {
    life(seed, length, &mut State::default())
}

#[test]
fn nothing_is_lost_at_any_cut() {
    let events = a_life(3, 12);
    let (text, ends) = journal(&events, &[1, 3, 2, 1, 5]);
    for cut in 0..=text.len() {
        let contents = read(&text.as_bytes()[..cut]).expect("cut off is not damaged");
        let durable = ends.iter().rfind(|(end, _)| *end <= cut as u64).map_or(0, |it| it.1);
        assert!(contents.events.len() >= durable, "cut at {cut}");
        assert_eq!(contents.events, events[..contents.events.len()], "cut at {cut}");
        assert_eq!(contents.tail.bytes + contents.torn_bytes, cut as u64);
    }
}

#[test]
fn pages_of_one_batch_may_be_lost_in_any_order() {
    let events = a_life(5, 9);
    let (text, ends) = journal(&events, &[2, 3, 4]);
    let mut bytes = text.into_bytes();
    let start = ends[1].0 as usize;
    // A page in the middle of the last batch was never written; what follows it was.
    bytes[start + 5..start + 40].fill(0);
    let contents = read(&bytes).expect("never durable");
    assert_eq!(contents.events, events[..5]);
    assert_eq!(contents.torn_bytes as usize, bytes.len() - start);
}

#[test]
fn damage_before_durable_lines_is_refused() {
    let events = a_life(5, 9);
    let (text, ends) = journal(&events, &[2, 3, 4]);
    for (at, batch) in [(3, 0), (ends[0].0 as usize + 9, 1)] {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let error = read(&bytes).expect_err("damaged");
        let first = if batch == 0 { 1 } else { ends[0].1 as u64 + 2 };
        assert_eq!(error, JournalError::Damaged { line: first });
    }
    // A line that is gone.
    let line = text.lines().nth(1).expect("a line").len() + 1;
    let second = text.find('\n').expect("a line") + 1;
    let without = format!("{}{}", &text[..second], &text[second + line..]);
    assert!(matches!(read(without.as_bytes()), Err(JournalError::Damaged { line: 2 })));
}

#[test]
fn other_formats_are_named() {
    let mut text = String::new();
    Tail::default().header(&header(), &mut text);
    let newer = text.replace("\"plumb_journal\":1", "\"plumb_journal\":2");
    // With its checksum right.
    let content = &newer[..newer.len() - CRC_BYTES - 1];
    let newer = format!("{content},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(content.as_bytes()));
    assert_eq!(read(newer.as_bytes()), Err(JournalError::Newer(2)));
}

#[test]
fn a_folding_counts_only_at_the_end() {
    let events = a_life(1, 4);
    let (mut text, mut tail) = (String::new(), Tail::default());
    tail.header(&header(), &mut text);
    tail.events(0, &events[..2], &mut text);
    let folding = Folding { serial: 8, bytes: 123, crc: 0xab };
    tail.folding(folding, &mut text);
    assert_eq!(read(text.as_bytes()).expect("whole").folding, Some(folding));
    tail.events(tail.next, &events[2..], &mut text);
    let contents = read(text.as_bytes()).expect("whole");
    assert_eq!((contents.folding, contents.events), (None, events));
}

proptest! {
    #[test]
    fn events_come_back(seed in any::<u64>()) {
        let events = a_life(seed, 40);
        let (text, _) = journal(&events, &[40]);
        let contents = read(text.as_bytes()).expect("whole");
        prop_assert_eq!(contents.header, Some(header()));
        prop_assert_eq!(contents.events, events);
    }

    #[test]
    fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..2000_usize) {
        let (text, _) = journal(&a_life(2, 8), &[2, 6]);
        let mut text = text.into_bytes();
        let at = at.min(text.len());
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        let _ = read(&text);
    }
}
