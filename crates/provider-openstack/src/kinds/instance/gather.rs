//! What has to be known besides Nova's answer to say what servers are: one question each for all.

use std::collections::{BTreeMap, BTreeSet};

use plumb_model::value::Value;
use plumb_provider::Failure;
use serde_json::Value as Json;

use super::id;
use crate::cloud::Cloud;
use crate::glance;
use crate::json::{self, list_at, str_at};
use crate::neutron::escaped;
use crate::nova;
use crate::session::{ApiError, Service};
use crate::told::text;

/// So many are asked for in one request.
const IDS_MAX: usize = 100;

/// What other services say.
#[derive(Default)]
pub(crate) struct Facts {
    /// By server.
    ports: BTreeMap<String, Vec<Json>>,
    /// Names by identifier, and identifiers by name.
    flavors: Vec<(String, String)>,
    images: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
}

/// A server that is to be told of, and how it was written.
pub(super) type Asked<'a> = (&'a Json, Option<&'a Value>);

/// Asks for all that the servers need.
pub(crate) async fn gather(cloud: &Cloud, servers: &[Asked<'_>]) -> Result<Facts, Failure> {
    let failed = |it: ApiError| it.failure("read servers");
    let mut facts = Facts::default();
    for port in ports(cloud, servers).await.map_err(failed)? {
        facts.ports.entry(str_at(&port, "device_id").to_owned()).or_default().push(port);
    }
    let groups = unnamed_groups(&facts, servers);
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    for ids in groups.chunks(IDS_MAX) {
        let ids: Vec<String> = ids.iter().map(|it| format!("id={}", escaped(it))).collect();
        let path = format!("/security-groups?{}&fields=id&fields=name", ids.join("&"));
        let found = cloud.session.list(Service::Network, &path, "security_groups").await;
        facts.groups.extend(found.map_err(failed)?.iter().map(named));
    }
    if servers.iter().any(|it| flavor_as_written(it.0, it.1).is_none()) {
        let found = nova::flavors(cloud).await.map_err(failed)?;
        facts.flavors = found.iter().map(named).collect();
    }
    let images: BTreeSet<&str> = servers
        .iter()
        .filter(|it| image_as_written(it.0, it.1).is_none())
        .map(|it| image(it.0))
        .filter(|it| !it.is_empty())
        .collect();
    if !images.is_empty() {
        let images: Vec<&str> = images.into_iter().collect();
        let found = glance::by_ids(cloud, &images).await.map_err(failed)?;
        facts.images = found.iter().map(named).collect();
    }
    Ok(facts)
}

fn named(it: &Json) -> (String, String) {
    (str_at(it, "id").to_owned(), str_at(it, "name").to_owned())
}

const PORT: &str = "fields=id&fields=network_id&fields=mac_address&fields=fixed_ips&fields=device_id&fields=security_groups&fields=port_security_enabled&fields=name&fields=created_at";

async fn ports(cloud: &Cloud, servers: &[Asked<'_>]) -> Result<Vec<Json>, ApiError> {
    let mut all = Vec::new();
    for some in servers.chunks(IDS_MAX) {
        let ids: Vec<String> =
            some.iter().map(|it| format!("device_id={}", escaped(id(it.0)))).collect();
        let path = format!("/ports?{}&{PORT}", ids.join("&"));
        all.extend(cloud.session.list(Service::Network, &path, "ports").await?);
    }
    Ok(all)
}

/// Groups that nobody wrote by their identifier.
fn unnamed_groups(facts: &Facts, servers: &[Asked<'_>]) -> BTreeSet<String> {
    let written = |server: &Json| {
        let base = servers.iter().find(|it| id(it.0) == id(server)).and_then(|it| it.1);
        let groups = base.and_then(|it| it.get_attr("security_groups"));
        groups.into_iter().flat_map(Value::values).filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let mut res = BTreeSet::new();
    for (server, _) in servers {
        let written = written(server);
        for port in facts.ports(server) {
            let groups = list_at(port, "security_groups").iter().filter_map(Json::as_str);
            res.extend(groups.filter(|it| !written.contains(it)).map(str::to_owned));
        }
    }
    res
}

/// The image that a server was made from; empty if it boots from a volume.
pub(super) fn image(server: &Json) -> &str {
    str_at(json::at(server, &["image"]), "id")
}

/// The image's identifier and name if they are as stored: an image may be deleted or get another
/// name without any change of what was made from it.
fn image_as_written<'a>(server: &Json, base: Option<&'a Value>) -> Option<(&'a str, &'a str)> {
    let (id, name) = (text(base?, "image_id")?, text(base?, "image_name")?);
    (id == image(server)).then_some((id, name))
}

fn flavor_as_written<'a>(server: &Json, base: Option<&'a Value>) -> Option<(&'a str, &'a str)> {
    let (id, name) = (text(base?, "flavor_id")?, text(base?, "flavor_name")?);
    let flavor = json::at(server, &["flavor"]);
    // Newer versions tell the name, older ones the identifier.
    let same = match str_at(flavor, "original_name") {
        "" => str_at(flavor, "id") == id,
        told => told == name,
    };
    same.then_some((id, name))
}

impl Facts {
    pub(super) fn ports(&self, server: &Json) -> &[Json] {
        self.ports.get(id(server)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The ports that Nova made for the server. `noted` has them if we made the server ourselves;
    /// else they are those that are not older than it and that nobody gave a name.
    pub(super) fn own(&self, server: &Json, noted: Option<&[String]>) -> Vec<String> {
        let (made, ports) = (str_at(server, "created"), self.ports(server));
        let guess = |it: &Json| str_at(it, "name").is_empty() && str_at(it, "created_at") >= made;
        let own = ports.iter().filter(|it| match noted {
            Some(noted) => noted.iter().any(|noted| noted == str_at(it, "id")),
            None => guess(it),
        });
        own.map(|it| str_at(it, "id").to_owned()).collect()
    }

    /// Identifier and name.
    pub(super) fn image(&self, server: &Json, base: Option<&Value>) -> (String, String) {
        if let Some((id, name)) = image_as_written(server, base) {
            return (id.to_owned(), name.to_owned());
        }
        let id = image(server);
        // Terraform's words.
        let name = self.images.get(id).map_or("Image not found", String::as_str);
        (id.to_owned(), name.to_owned())
    }

    /// Identifier and name. A flavor that was deleted has only what Nova remembers of it.
    pub(super) fn flavor(&self, server: &Json, base: Option<&Value>) -> (String, String) {
        if let Some((id, name)) = flavor_as_written(server, base) {
            return (id.to_owned(), name.to_owned());
        }
        let flavor = json::at(server, &["flavor"]);
        let (id, name) = (str_at(flavor, "id"), str_at(flavor, "original_name"));
        let known = self.flavors.iter().find(|it| it.0 == id || it.1 == name);
        known.cloned().unwrap_or_else(|| (id.to_owned(), name.to_owned()))
    }

    /// What a group is called; its identifier if it is not known.
    pub(super) fn group<'a>(&'a self, id: &'a str) -> &'a str {
        self.groups.get(id).map_or(id, String::as_str)
    }

    #[cfg(test)]
    pub(super) fn of(server: &str, ports: Vec<Json>, groups: &[(&str, &str)]) -> Facts {
        let groups = groups.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned()));
        Facts {
            ports: BTreeMap::from([(server.to_owned(), ports)]),
            groups: groups.collect(),
            ..Facts::default()
        }
    }
}
