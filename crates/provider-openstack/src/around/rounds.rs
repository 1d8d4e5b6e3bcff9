//! What two looks at the same lists tell. It asks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat};
use plumb_provider::{Ours, Touched};
use serde_json::Value as Json;

use super::Rows;
use crate::json::{list_at, str_at};
use crate::told::text;

/// Attributes by which an object of ours changes with another.
const CHANGES_WITH: &[&str] = &[
    "floatingip_id",
    "instance_id",
    "port_id",
    "router_id",
    "security_group_id",
    "subnet_id",
    "volume_id",
];

/// Kinds of which every change is seen in the lists. Of the rest, some are in none, and a server's
/// metadata change without a trace.
const SEEN: &[&str] = &[
    "openstack_blockstorage_volume_v3",
    "openstack_compute_interface_attach_v2",
    "openstack_compute_snapshot_v2",
    "openstack_compute_volume_attach_v2",
    "openstack_images_image_v2",
    "openstack_networking_floatingip_associate_v2",
    "openstack_networking_floatingip_v2",
    "openstack_networking_network_v2",
    "openstack_networking_port_v2",
    "openstack_networking_router_interface_v2",
    "openstack_networking_router_route_v2",
    "openstack_networking_router_v2",
    "openstack_networking_secgroup_rule_v2",
    "openstack_networking_secgroup_v2",
    "openstack_networking_subnet_route_v2",
    "openstack_networking_subnet_v2",
];

/// Our objects by all identifiers that their changes are told under.
#[derive(Debug, Default)]
pub(super) struct Index {
    by: BTreeMap<String, BTreeSet<Touched>>,
    /// Those whose changes nothing tells of.
    pub(super) unseen: BTreeSet<Touched>,
}

impl Index {
    pub(super) fn of(ours: &[Ours]) -> Index {
        let mut index = Index::default();
        for it in ours {
            let Some(id) = it.id() else { continue };
            let touched = Touched::Object { kind: it.kind.clone(), id: id.into() };
            if !SEEN.contains(&&*it.kind) {
                index.unseen.insert(touched.clone());
            }
            let with = CHANGES_WITH.iter().filter_map(|name| text(&it.attrs, name));
            // `<server>/<port>`: either may change.
            for key in [id].into_iter().chain(id.split('/')).chain(with) {
                index.by.entry(key.to_owned()).or_default().insert(touched.clone());
            }
        }
        index
    }

    /// What a row that changed, came or went concerns.
    fn concerns(&self, row: &Json) -> BTreeSet<Touched> {
        let id = str_at(row, "id");
        let mut all = self.by.get(id).cloned().unwrap_or_default();
        if all.is_empty() {
            all.insert(Touched::Beside);
        }
        let attachments = list_at(row, "attachments").iter().map(|it| str_at(it, "server_id"));
        for key in [str_at(row, "device_id")].into_iter().chain(attachments) {
            all.extend(self.by.get(key).into_iter().flatten().cloned());
        }
        all
    }

    /// What is otherwise now than it was.
    pub(super) fn compare(&self, before: &Rows, now: &Rows) -> BTreeSet<Touched> {
        let came = now.iter().filter(|(key, row)| before.get(*key) != Some(*row));
        let went = before.iter().filter(|(key, row)| now.get(*key) != Some(*row));
        came.chain(went).flat_map(|(_, row)| self.concerns(row)).collect()
    }

    /// What is told of servers that changed lately, without those that were told before. One that
    /// is told no more has not changed.
    pub(super) fn lately(&self, before: &Rows, now: &Rows) -> BTreeSet<Touched> {
        let new = now.iter().filter(|(key, row)| before.get(*key) != Some(*row));
        new.flat_map(|(_, row)| self.concerns(row)).collect()
    }
}

/// A moment as Nova wants it: `2026-11-26T19:02:41Z`.
pub(super) fn iso(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let since = i64::try_from(since).ok().and_then(|it| DateTime::from_timestamp(it, 0));
    since.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
