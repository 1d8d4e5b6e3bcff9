//! What the cloud chose stays its choice.
//!
//! A plan keeps what was chosen once, so an update says it like something that a person wrote. Over
//! there it must not become that: a network that gets another subnet takes those along that did not
//! ask for an address.

use plumb_netns::spec::{Interface, Port, Spec};
use plumb_netns::wire::Object;

/// Leaves out of `spec` what is the cloud's choice in `is`.
pub(crate) fn leave_chosen(spec: &mut Spec, is: &Object) {
    let given = &is.given;
    match (spec, &is.spec) {
        (Spec::Network(it), Spec::Network(is)) => {
            leave(&mut it.gateway, is.gateway.as_ref(), given.address.as_ref());
        }
        (Spec::Router(it), Spec::Router(is)) => {
            let wanted = &mut it.external_address;
            leave(wanted, is.external_address.as_ref(), given.address.as_ref());
        }
        (Spec::RouterInterface(it), Spec::RouterInterface(is)) => {
            leave(&mut it.address, is.address.as_ref(), given.address.as_ref());
        }
        (Spec::FloatingIp(it), Spec::FloatingIp(is)) => {
            leave(&mut it.address, is.address.as_ref(), given.address.as_ref());
        }
        (Spec::Port(it), Spec::Port(is)) => {
            leave(&mut it.address, is.address.as_ref(), given.address.as_ref());
            leave(&mut it.mac, is.mac.as_ref(), given.mac.as_ref());
        }
        (Spec::Host(it), Spec::Host(is)) => {
            let pairs = it.interfaces.iter_mut().zip(&is.interfaces).enumerate();
            for (position, pair) in pairs {
                let (Interface::Own(it), Interface::Own(is)) = pair else { continue };
                let Port { address, mac, .. } = it;
                leave(address, is.address.as_ref(), given.addresses.get(position));
                leave(mac, is.mac.as_ref(), given.macs.get(position));
            }
        }
        _ => {}
    }
}

fn leave<T: PartialEq>(wanted: &mut Option<T>, is: Option<&T>, given: Option<&T>) {
    if is.is_none() && wanted.as_ref() == given {
        *wanted = None;
    }
}
