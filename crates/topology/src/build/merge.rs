//! Before and after in one: what is on which side, and what that makes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Id, InletOf, NodeOf, Side};
use crate::network::{Badge, Inlet, Network, Node, Plug, Segment, Sign, Target};
use crate::piece::Source;
use crate::stand_in::shown;

/// A name, or what else people know it by.
fn called(name: &str, address: Option<&str>, noun: &str) -> String {
    shown(name).or(address).unwrap_or(noun).to_owned()
}

/// What becomes of the resource, its address, its block, and whether it is not ours.
fn origin<'a>(sources: &'a [Source], id: &Id<'_>) -> (Sign, Option<&'a str>, &'a str, bool) {
    match id {
        Id::Own(at, _) | Id::Part(at, ..) => {
            let it = &sources[*at];
            let sign = if it.given { Sign::Keep } else { it.sign };
            (sign, Some(&it.address), &it.block, it.given)
        }
        Id::Stranger(..) => (Sign::Keep, None, "", true),
    }
}

/// Of a thing on these sides. What nobody here declares neither comes nor goes.
fn sign(id: &Id<'_>, before: bool, after: bool, of_resource: Sign) -> Sign {
    match id {
        Id::Own(..) | Id::Part(..) => Sign::of_sides(before, after, of_resource),
        Id::Stranger(..) => Sign::Keep,
    }
}

/// Both sides of a map, by key.
fn both<'m, K: Ord, V>(
    before: &'m BTreeMap<K, V>,
    after: &'m BTreeMap<K, V>,
) -> BTreeMap<&'m K, (Option<&'m V>, Option<&'m V>)> {
    let mut res: BTreeMap<&K, (Option<&V>, Option<&V>)> = BTreeMap::new();
    before.iter().for_each(|(key, it)| res.entry(key).or_default().0 = Some(it));
    after.iter().for_each(|(key, it)| res.entry(key).or_default().1 = Some(it));
    res
}

/// Words on something that is there on both sides say what becomes of them; else the thing says it.
fn badges(before: Option<&BTreeSet<&str>>, after: Option<&BTreeSet<&str>>) -> Vec<Badge> {
    let badge = |text: &&str, sign| Badge { text: (*text).to_owned(), sign };
    match (before, after) {
        (None, None) => Vec::new(),
        (Some(all), None) | (None, Some(all)) => {
            all.iter().map(|it| badge(it, Sign::Keep)).collect()
        }
        // What is not known yet is taken for what it was.
        (Some(all), Some(none)) if none.is_empty() => {
            all.iter().map(|it| badge(it, Sign::Keep)).collect()
        }
        (Some(before), Some(after)) => {
            let gone = before.difference(after).map(|it| badge(it, Sign::Remove));
            let rest = after.iter().map(|it| match before.contains(it) {
                true => badge(it, Sign::Keep),
                false => badge(it, Sign::Add),
            });
            gone.chain(rest).collect()
        }
    }
}

fn filters(before: Option<&NodeOf<'_>>, after: Option<&NodeOf<'_>>) -> Vec<Badge> {
    let names = |it: Option<&NodeOf<'_>>| -> Option<BTreeMap<String, Sign>> {
        Some(it?.filters.iter().map(|(name, sign)| ((*name).to_owned(), *sign)).collect())
    };
    match (names(before), names(after)) {
        (Some(before), Some(after)) => {
            let all = both(&before, &after).into_iter();
            all.map(|(name, (b, a))| {
                let own = a.or(b).copied().unwrap_or_default();
                let own = if own == Sign::Add { Sign::Keep } else { own };
                Badge { text: name.clone(), sign: Sign::of_sides(b.is_some(), a.is_some(), own) }
            })
            .collect()
        }
        (before, after) => {
            let all = before.or(after).unwrap_or_default().into_keys();
            all.map(|text| Badge { text, sign: Sign::Keep }).collect()
        }
    }
}

pub(super) fn merge(sources: &[Source], before: &Side<'_>, after: &Side<'_>) -> Network {
    let mut res = Network::default();
    let mut segments: BTreeMap<&Id<'_>, usize> = BTreeMap::new();
    for (id, (b, a)) in both(&before.segments, &after.segments) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, given) = origin(sources, id);
        segments.insert(id, res.segments.len());
        res.segments.push(Segment {
            name: called(it.name, address, it.noun),
            noun: it.noun.to_owned(),
            ranges: badges(b.map(|it| &it.ranges), a.map(|it| &it.ranges)),
            outer: it.outer,
            address: address.map(str::to_owned),
            block: block.to_owned(),
            given,
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    let mut nodes: BTreeMap<&Id<'_>, usize> = BTreeMap::new();
    for (id, (b, a)) in both(&before.nodes, &after.nodes) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, given) = origin(sources, id);
        nodes.insert(id, res.nodes.len());
        res.nodes.push(Node {
            kind: it.kind,
            name: called(it.name, address, it.noun),
            noun: it.noun.to_owned(),
            address: address.map(str::to_owned),
            block: block.to_owned(),
            given,
            filters: filters(b, a),
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    for ((node, segment), (b, a)) in both(&before.plugs, &after.plugs) {
        let (Some(node), Some(segment)) = (nodes.get(node), segments.get(segment)) else {
            continue;
        };
        let addresses = badges(b.map(|it| &it.addresses), a.map(|it| &it.addresses));
        let order = a.or(b).map_or(0, |it| it.order);
        let moved = addresses.iter().any(|it| it.sign != Sign::Keep);
        let own = if moved { Sign::Change } else { Sign::Keep };
        let sign = Sign::of_sides(b.is_some(), a.is_some(), own);
        res.plugs.push(Plug { node: *node, segment: *segment, addresses, order, sign });
    }
    for (id, (b, a)) in both(&before.inlets, &after.inlets) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, _) = origin(sources, id);
        let target = |it: &InletOf<'_>| Target {
            node: it.node.as_ref().and_then(|it| nodes.get(it)).copied(),
            inner: it.inner.clone(),
            sign: Sign::Keep,
        };
        let leads = |it: &Target| it.node.is_some() || it.inner.is_some();
        let (was, will) = (b.map(target).filter(leads), a.map(target).filter(leads));
        let targets: Vec<Target> = match (b.is_some() && a.is_some(), was, will) {
            (true, was, will) if was != will => {
                let was = was.map(|it| Target { sign: Sign::Remove, ..it });
                let will = will.map(|it| Target { sign: Sign::Add, ..it });
                was.into_iter().chain(will).collect()
            }
            (_, was, will) => will.or(was).into_iter().collect(),
        };
        let moved = targets.iter().any(|it| it.sign != Sign::Keep);
        let own = if moved && own == Sign::Keep { Sign::Change } else { own };
        res.inlets.push(Inlet {
            noun: it.noun.to_owned(),
            outer: it.outer.clone().or_else(|| b.and_then(|it| it.outer.clone())),
            segment: it.segment.as_ref().and_then(|it| segments.get(it)).copied(),
            through: it.through.as_ref().and_then(|it| nodes.get(it)).copied(),
            targets,
            address: address.unwrap_or_default().to_owned(),
            block: block.to_owned(),
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    res
}
