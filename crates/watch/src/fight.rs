//! Who sets back what we repair: the same attribute of the same object, again and again, to the
//! same value.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_drift::{Class, Finding, MovedAttribute};
use plumb_model::addr::ObjectKey;

use crate::{Ms, Settings};

/// Somebody and we disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Fight {
    /// Over which object.
    pub key: ObjectKey,
    /// How it drifts.
    pub class: Class,
    /// Over which of its attributes, and which values; none: over whether it exists.
    pub attribute: Option<MovedAttribute>,
    /// How often it was repaired in vain.
    pub times: u32,
    /// When that was found out.
    pub since: Ms,
}

/// What an object went back to: its class of drift, or an attribute and its value.
type Place = (Class, Option<MovedAttribute>);

/// What was repaired and what came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fights {
    /// What the last repair of an object undid.
    undone: BTreeMap<ObjectKey, (Ms, Vec<Place>)>,
    /// When what was undone came back.
    flips: BTreeMap<ObjectKey, Vec<(Ms, Place)>>,
    fights: BTreeMap<ObjectKey, Fight>,
}

fn places(finding: &Finding) -> Vec<Place> {
    match finding.attributes.is_empty() {
        true => vec![(finding.class, None)],
        false => finding.attributes.iter().map(|it| (finding.class, Some(it.clone()))).collect(),
    }
}

/// Whether both are the same place gone to the same value. What it was before may be another: the
/// declared value may have changed.
fn same(a: &Place, b: &Place) -> bool {
    let what = |it: &Place| it.1.as_ref().map(|it| (Arc::clone(&it.path), it.after.clone()));
    a.0 == b.0 && what(a) == what(b)
}

impl Fights {
    /// A repair undid this.
    pub(crate) fn repaired(&mut self, now: Ms, key: &ObjectKey, finding: &Finding) {
        self.undone.insert(key.clone(), (now, places(finding)));
    }

    /// It drifts (again). The fight that this makes, if it is a new one.
    pub(crate) fn drifted(
        &mut self,
        now: Ms,
        key: &ObjectKey,
        finding: &Finding,
        settings: &Settings,
    ) -> Option<&Fight> {
        let now_there = places(finding);
        let (when, undone) = self.undone.get(key)?;
        if when.saturating_add(settings.window_ms) <= now {
            self.undone.remove(key);
            return None;
        }
        let back: Vec<Place> =
            now_there.into_iter().filter(|it| undone.iter().any(|old| same(it, old))).collect();
        if back.is_empty() {
            return None;
        }
        self.undone.remove(key);
        let flips = self.flips.entry(key.clone()).or_default();
        flips.retain(|it| it.0.saturating_add(settings.window_ms) > now);
        flips.extend(back.iter().map(|it| (now, it.clone())));
        let times = |place: &Place| flips.iter().filter(|it| same(&it.1, place)).count() as u32;
        let most = back.into_iter().map(|it| (times(&it), it)).max_by_key(|it| it.0)?;
        if most.0 < settings.flips_max || self.fights.contains_key(key) {
            return None;
        }
        let (times, (class, attribute)) = most;
        let fight = Fight { key: key.clone(), class, attribute, times, since: now };
        Some(self.fights.entry(key.clone()).or_insert(fight))
    }

    /// Whether it is fought over.
    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.fights.contains_key(key)
    }

    /// All that go on.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Fight> {
        self.fights.values()
    }

    /// When the next one has lasted so long that another repair is tried.
    pub(crate) fn next_at(&self, settings: &Settings) -> Option<Ms> {
        self.fights.values().map(|it| it.since.saturating_add(settings.truce_ms)).min()
    }

    /// Ends those that have lasted long; these objects are repaired again.
    pub(crate) fn end_old(&mut self, now: Ms, settings: &Settings) -> Vec<ObjectKey> {
        let old = |it: &&Fight| it.since.saturating_add(settings.truce_ms) <= now;
        let ended: Vec<ObjectKey> =
            self.fights.values().filter(old).map(|it| it.key.clone()).collect();
        for key in &ended {
            self.fights.remove(key);
            self.flips.remove(key);
        }
        // What was long ago is no longer looked at.
        let recent = |at: Ms| at.saturating_add(settings.window_ms) > now;
        self.undone.retain(|_, it| recent(it.0));
        self.flips.retain(|_, them| them.iter().any(|it| recent(it.0)));
        ended
    }

    /// Forgets all of them; the objects that are repaired again.
    pub(crate) fn forget(&mut self) -> Vec<ObjectKey> {
        self.undone.clear();
        self.flips.clear();
        std::mem::take(&mut self.fights).into_keys().collect()
    }
}
