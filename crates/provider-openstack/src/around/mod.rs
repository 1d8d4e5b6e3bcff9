//! What stands around our objects: where to look, and what is there.
//!
//! Looked at are the projects that our objects live in, and our networks. It only reads.

mod follow;
mod foreign;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use plumb_model::value::Value;
use plumb_provider::{Failure, Foreign, Ours};
use serde_json::Value as Json;

pub(crate) use follow::follow;

use crate::cloud::Cloud;
use crate::json::str_at;
use crate::session::Service;
use crate::told::text;

/// So many identifiers are asked for in one request: they have to fit into its first line.
const IDS_MAX: usize = 100;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    FloatingIp,
    Image,
    KeyPair,
    Network,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Server,
    Subnet,
    Volume,
}

/// Rows of lists, each once.
type Rows = BTreeMap<(What, String), Json>;

/// One request, page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    what: What,
    service: Service,
    path: String,
    key: &'static str,
}

/// Where our objects live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// The project that the token is for, if objects of ours are in it.
    project: Option<String>,
    /// All that objects of ours are in.
    projects: BTreeSet<String>,
    networks: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// What stands beside our objects.
pub(crate) async fn beside(cloud: &Cloud, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
    let identity = cloud.session.identity().await?;
    let place = Place::of(ours, &identity.project_id);
    let rows = gather(cloud, &place.lists()).await?;
    Ok(foreign::foreign(ours, &place, &identity.project_name, &rows))
}

impl Place {
    fn of(ours: &[Ours], project: &str) -> Place {
        let mut place = Place::default();
        for it in ours {
            // What belongs to the cloud or to a person is in no project.
            if it.kind.starts_with("openstack_identity_")
                || it.kind.starts_with("openstack_compute_flavor")
            {
                continue;
            }
            let told = text(&it.attrs, "tenant_id").or(text(&it.attrs, "project_id"));
            place.projects.insert(told.unwrap_or(project).to_owned());
            match (&*it.kind, it.id()) {
                (NETWORK, Some(id)) => drop(place.networks.insert(id.to_owned())),
                (SECURITY_GROUP, Some(id)) => drop(place.groups.insert(id.to_owned())),
                _ => {}
            }
        }
        place.projects.remove("");
        place.project = place.projects.get(project).cloned();
        place
    }

    /// All that is looked at, with what is read of it.
    fn lists(&self) -> Vec<List> {
        let mut all = self.changing();
        let list = |what, service, path: &str, key| List { what, service, path: path.into(), key };
        if self.project.is_some() {
            all.push(list(What::Server, Service::Compute, "/servers", "servers"));
            all.push(list(What::KeyPair, Service::Compute, "/os-keypairs", "keypairs"));
        }
        let fields = "id,security_group_id,direction,ethertype,protocol,port_range_min,\
                      port_range_max,remote_ip_prefix,remote_group_id,remote_address_group_id";
        all.extend(neutron(
            What::Rule,
            "security-group-rules",
            "security_group_rules",
            ("security_group_id", &self.groups),
            fields,
        ));
        all
    }

    /// What tells of its changes in lists.
    fn changing(&self) -> Vec<List> {
        let list = |what, service, path: &str, key| List { what, service, path: path.into(), key };
        let mut all = Vec::new();
        if self.project.is_some() {
            all.push(list(What::Volume, Service::Volume, "/volumes/detail", "volumes"));
        }
        for project in &self.projects {
            let path = format!("/images?limit=1000&owner={project}");
            all.push(list(What::Image, Service::Image, &path, "images"));
        }
        let projects = ("project_id", &self.projects);
        let port = "device_id,device_owner,network_id";
        for (what, path, key, by, fields) in [
            (What::Network, "networks", "networks", projects, ""),
            (What::Subnet, "subnets", "subnets", projects, "network_id"),
            (What::Router, "routers", "routers", projects, ""),
            (What::SecurityGroup, "security-groups", "security_groups", projects, ""),
            (
                What::FloatingIp,
                "floatingips",
                "floatingips",
                projects,
                "floating_ip_address,port_id,router_id",
            ),
            (What::Port, "ports", "ports", projects, port),
            // The owner of a network sees what others plug into it.
            (What::Port, "ports", "ports", ("network_id", &self.networks), port),
        ] {
            let common = "id,name,project_id,status,revision_number,updated_at";
            let fields = if fields.is_empty() { common } else { &format!("{common},{fields}") };
            all.extend(neutron(what, path, key, by, fields));
        }
        all
    }
}

/// The lists of a collection of Neutron's by one of its members.
fn neutron(
    what: What,
    path: &str,
    key: &'static str,
    (member, values): (&str, &BTreeSet<String>),
    fields: &str,
) -> Vec<List> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let fields: String = fields.split(',').map(|it| format!("&fields={it}")).collect();
    let one = |values: &[&str]| {
        let which: Vec<String> = values.iter().map(|it| format!("{member}={it}")).collect();
        let path = format!("/{path}?{}{fields}", which.join("&"));
        List { what, service: Service::Network, path, key }
    };
    values.chunks(IDS_MAX).map(one).collect()
}

/// Everything that the lists say. Services that the cloud does not have say nothing.
async fn gather(cloud: &Cloud, lists: &[List]) -> Result<Rows, Failure> {
    let asked = lists.iter().map(async |list| {
        if !cloud.session.offers(list.service).await? {
            return Ok(Vec::new());
        }
        cloud.session.list(list.service, &list.path, list.key).await
    });
    let doing = "look at what stands beside our objects";
    let answers = try_join_all(asked).await.map_err(|it| it.failure(doing))?;
    let rows = lists.iter().zip(answers).flat_map(|(list, rows)| {
        rows.into_iter().map(|mut row| {
            // Key pairs come in a wrapping, and go by their name.
            if let Some(inner) = row.get_mut("keypair") {
                row = inner.take();
            }
            let id = if list.what == What::KeyPair { "name" } else { "id" };
            ((list.what, str_at(&row, id).to_owned()), row)
        })
    });
    Ok(rows.collect())
}

const NETWORK: &str = "openstack_networking_network_v2";
const SECURITY_GROUP: &str = "openstack_networking_secgroup_v2";
const SERVER: &str = "openstack_compute_instance_v2";

/// What a person calls an object of ours.
fn name_of(attrs: &Value) -> &str {
    text(attrs, "name").or(text(attrs, "id")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
