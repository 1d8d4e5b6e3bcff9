//! What happens in the cloud, gathered for those who follow: what the kernel tells of every
//! namespace, what clients change, what becomes of hosts.

use std::collections::BTreeSet;

use super::answer::{Held, no};
use crate::cloud::Key;
use crate::spec::Kind;
use crate::touched;
use crate::want::Namespace;
use crate::wire::{Refusal, Reply, Touched};

impl Held {
    /// Begins to listen.
    pub(super) fn follow(&mut self) -> Reply {
        match self.kernel.follow() {
            Ok(()) => Reply::Following,
            Err(error) => {
                let Refusal { detail, .. } = no(&error);
                let refusal = Refusal::new("Cannot hear what happens in the cloud", detail);
                Reply::Refused { refusal, left: None }
            }
        }
    }

    /// Whether it listens.
    pub(super) fn is_followed(&self) -> bool {
        self.kernel.is_followed()
    }

    /// Nobody follows any more.
    pub(super) fn unfollow(&mut self) {
        self.kernel.deafen();
        self.news = Touched::default();
    }

    /// A client made an object, made it otherwise, or took it away.
    pub(super) fn changed(&mut self, key: &Key) {
        if self.is_followed() {
            self.news.objects.extend(touched::changed(&self.cloud, key));
        }
    }

    /// Hears what the kernel tells.
    pub(super) fn listen(&mut self) {
        let none = Namespace::default();
        for (name, heard) in self.kernel.hear() {
            let made = self.made.namespaces.get(name).unwrap_or(&none);
            self.news.all |= heard.all;
            let objects = touched::heard(&self.cloud, name, made, &heard);
            self.news.objects.extend(objects);
        }
    }

    /// What happened since this was last asked, if something did.
    pub(super) fn news(&mut self) -> Option<Reply> {
        let hosts: BTreeSet<Key> =
            self.hosts.changed().into_iter().map(|it| (Kind::Host, it)).collect();
        if !self.is_followed() {
            return None;
        }
        self.news.objects.extend(hosts);
        let touched = std::mem::take(&mut self.news);
        (touched != Touched::default()).then_some(Reply::Touched(touched))
    }
}
