//! Which objects may be otherwise after something was heard in a namespace: those of which
//! [`crate::drift`] could say so. Pure.

use std::collections::BTreeSet;

use crate::cloud::{Cloud, Key};
use crate::drift::{floating, key, main, owner_of_link};
use crate::kernel::Heard;
use crate::spec::{Cidr, Kind};
use crate::want::{Namespace, NsName};

/// The objects that what was heard in a namespace may concern. `made`: what was made there.
pub(crate) fn heard(
    cloud: &Cloud,
    name: &NsName,
    made: &Namespace,
    heard: &Heard,
) -> BTreeSet<Key> {
    let mut all = BTreeSet::new();
    all.extend(heard.rest.then(|| main(cloud, name)));
    all.extend(heard.links.iter().map(|it| owner_of_link(cloud, name, it)));
    for (link, address) in &heard.addresses {
        all.extend(floating(cloud, name, link, Cidr { address: *address, prefix: 32 }));
    }
    // An address goes with its link.
    for link in &heard.links {
        let addresses = made.links.get(link).into_iter().flat_map(|it| &it.addresses);
        all.extend(addresses.filter_map(|it| floating(cloud, name, link, *it)));
    }
    if heard.filter {
        let rules = made.table.chains.iter().flat_map(|it| &it.rules);
        all.extend(rules.filter_map(|it| key(&it.owner)));
        all.insert(main(cloud, name));
    }
    all.into_iter().map(|it| speaker(cloud, it)).collect()
}

/// The objects of which something is said otherwise when one was made, made otherwise or taken away:
/// it, and those that refer to it.
pub(crate) fn changed(cloud: &Cloud, of: &Key) -> BTreeSet<Key> {
    let mut all = BTreeSet::from([of.clone()]);
    for user in cloud.users(of.0, &of.1) {
        all.insert(speaker(cloud, user.clone()));
        // A host says what addresses its ports have.
        if user.0 == Kind::Port {
            all.extend(cloud.host_of(&user.1).map(|it| (Kind::Host, it)));
        }
    }
    all
}

/// A host speaks for its own ports.
fn speaker(cloud: &Cloud, it: Key) -> Key {
    let owner = cloud.get(it.0, &it.1).and_then(|it| it.owner.clone());
    owner.map_or(it, |host| (Kind::Host, host))
}
