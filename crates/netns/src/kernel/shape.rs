//! Links that are slower or worse than they could be: queueing disciplines, after the kernel's
//! `linux/pkt_sched.h`.

use super::attributes::{Attributes, attribute, attributes, text};
use super::route::Request;
use crate::want::Shape;

const NEW: u16 = 36;
const DELETE: u16 = 37;
const GET: u16 = 38;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;

/// What leaves a link, all of it.
const ROOT: u32 = 0xffff_ffff;
/// `TCA_KIND` and `TCA_OPTIONS`.
const KIND: u16 = 1;
const OPTIONS: u16 = 2;

/// `TC_LINKLAYER_ETHERNET`
const ETHERNET: u8 = 1;
/// What passes at once, in bytes: a few packets, and what a fast link brings in a tick of the clock.
const BURST: u64 = 16 << 10;
/// What waits at most, in packets, where it is held up.
const QUEUE: u32 = 1000;

/// There is nothing to take away.
const MISSING: i32 = 2;
const INVALID: i32 = 22;

/// `struct tcmsg` and what follows.
fn message(kind: u16, flags: u16, index: u32, fill: impl FnOnce(&mut Attributes)) -> Vec<u8> {
    let mut attributes = Attributes::default();
    fill(&mut attributes);
    let parent = if kind == GET { 0 } else { ROOT };
    let length = u32::try_from(16 + 20 + attributes.0.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([0; 4]);
    bytes.extend(index.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(parent.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(attributes.0);
    bytes
}

/// Makes a link so, whatever it was.
pub(super) fn set(name: &str, index: u32, shape: &Shape) -> Request {
    if *shape == Shape::default() {
        let bytes = message(DELETE, ACK, index, |_| {});
        let what = format!("make link {name} as fast as it can be");
        return Request { bytes, what, fine: &[MISSING, INVALID] };
    }
    let bytes = message(NEW, ACK | CREATE | REPLACE, index, |out| match shape.needs_netem() {
        true => netem(shape, out),
        false => tbf(shape.rate.unwrap_or(0) / 8, out),
    });
    let what = match shape.needs_netem() {
        true => format!("delay what leaves by link {name} (this needs the kernel's sch_netem)"),
        false => format!("slow down what leaves by link {name} (this needs the kernel's sch_tbf)"),
    };
    Request { bytes, what, fine: &[] }
}

/// The token bucket: so many bytes a second.
fn tbf(rate: u64, out: &mut Attributes) {
    out.text(KIND, "tbf").nest(OPTIONS, |out| {
        let small = u32::try_from(rate).unwrap_or(u32::MAX);
        // `struct tc_ratespec` of the rate, of no peak rate; `limit`, `buffer`, `mtu`.
        let mut parameters = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
        parameters.extend(small.to_ne_bytes());
        parameters.extend([0; 12]);
        // A twentieth of a second waits.
        let burst = BURST.max(rate / 250);
        let limit = u32::try_from(burst + rate / 20).unwrap_or(u32::MAX);
        parameters.extend(limit.to_ne_bytes());
        parameters.extend([0; 8]);
        out.bytes(1, &parameters);
        out.bytes(6, &u32::try_from(burst).unwrap_or(u32::MAX).to_ne_bytes());
        if small == u32::MAX {
            out.bytes(4, &rate.to_ne_bytes());
        }
    });
}

fn netem(shape: &Shape, out: &mut Attributes) {
    let delay = i64::from(shape.delay.unwrap_or(0)) * 1000;
    // In parts of 2³², as the kernel draws numbers.
    let loss = u64::from(shape.loss.unwrap_or(0)) * u64::from(u32::MAX) / 1_000_000;
    let loss = u32::try_from(loss).unwrap_or(u32::MAX);
    out.text(KIND, "netem");
    let mut options = Attributes::default();
    // `struct tc_netem_qopt`: latency, limit, loss, gap, duplicate, jitter.
    for it in [0, QUEUE, loss, 0, 0, 0] {
        options.0.extend(it.to_ne_bytes());
    }
    options.bytes(10, &delay.to_ne_bytes());
    if let Some(rate) = shape.rate {
        let rate = u32::try_from(rate / 8).unwrap_or(u32::MAX);
        let mut parameters = rate.to_ne_bytes().to_vec();
        parameters.extend([0; 12]);
        options.bytes(6, &parameters);
    }
    out.bytes(OPTIONS, &options.0);
}

/// A request for all of them in the namespace.
pub(super) fn list() -> Vec<u8> {
    message(GET, DUMP, 0, |_| {})
}

/// Of an answer: the link's index, and what it is made; nothing for what the kernel has by itself.
pub(super) fn told(payload: &[u8]) -> Option<(u32, Shape)> {
    let number = |at: usize| Some(u32::from_ne_bytes(*payload.get(at..)?.first_chunk()?));
    if number(12)? != ROOT {
        return None;
    }
    let all = payload.get(20..)?;
    let options = attribute(all, OPTIONS).unwrap_or_default();
    let shape = match &*text(attribute(all, KIND)?) {
        "tbf" => {
            let parameters = attribute(options, 1)?;
            let rate = u32::from_ne_bytes(*parameters.get(8..)?.first_chunk()?);
            let more =
                attribute(options, 4).and_then(|it| Some(u64::from_ne_bytes(*it.first_chunk()?)));
            Shape { rate: Some(more.unwrap_or(u64::from(rate)) * 8), ..Shape::default() }
        }
        "netem" => told_netem(options)?,
        "noqueue" | "pfifo_fast" | "pfifo" | "fq_codel" | "mq" => return None,
        // Somebody else's.
        _ => Shape { rate: Some(0), ..Shape::default() },
    };
    Some((number(4)?, shape))
}

fn told_netem(options: &[u8]) -> Option<Shape> {
    let loss = u32::from_ne_bytes(*options.get(8..)?.first_chunk()?);
    let more = attributes(options.get(24..)?);
    let of = |kind: u16| more.iter().find(|it| it.0 == kind).map(|it| it.1);
    let delay = of(10).and_then(|it| Some(i64::from_ne_bytes(*it.first_chunk()?)));
    let rate = of(6).and_then(|it| Some(u32::from_ne_bytes(*it.first_chunk()?)));
    let parts = (u64::from(loss) * 1_000_000).div_ceil(u64::from(u32::MAX));
    Some(Shape {
        rate: rate.filter(|it| *it > 0).map(|it| u64::from(it) * 8),
        delay: delay.and_then(|it| u32::try_from(it / 1000).ok()).filter(|it| *it > 0),
        loss: u32::try_from(parts).ok().filter(|it| *it > 0),
    })
}
