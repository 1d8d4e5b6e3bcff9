//! An address group: addresses that rules of security groups name together.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::Problem;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, list_at};
use crate::neutron::{Api, Neutron};
use crate::plan::Rules;
use crate::range::Range;
use crate::session::Service;
use crate::table::{Table, id, opt, project, region, req, string_set};

pub(crate) struct AddressGroup;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_networking_address_group_v2",
        "Addresses that rules of security groups name together.",
        vec![
            id(),
            region(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            project(),
            req("addresses", string_set(), "Ranges such as 10.0.0.0/24, and single addresses."),
        ],
    )
    .timed(&["delete"])
});

impl Rules for AddressGroup {
    fn table() -> &'static Table {
        &TABLE
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        for address in config.get_attr("addresses").into_iter().flat_map(Value::values) {
            if let Some(text) = address.as_str().filter(|it| Range::or_address(it).is_none()) {
                problems.push(Problem {
                    path: Path::default().attr("addresses").index(address.clone()),
                    summary: "Invalid address".to_owned(),
                    detail: format!("{text:?} is neither an IP address nor a range of them."),
                });
            }
        }
    }
}

#[async_trait]
impl Neutron for AddressGroup {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/address-groups",
            one: "address_group",
            many: "address_groups",
            noun: "address group",
            tags: false,
            keys: &[],
        }
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        body.remove("addresses");
        // They change one by one, so that those that stay are in it all the time.
        if change.prior.is_none() {
            let addresses: Vec<String> =
                change.items("addresses").filter_map(Value::as_str).map(canonical).collect();
            body.insert("addresses".to_owned(), addresses.into());
        }
        Ok(())
    }

    async fn alter(
        &self,
        cloud: &Cloud,
        id: &str,
        change: &Change<'_>,
        left: &mut Option<Json>,
    ) -> Result<(), Failure> {
        let prior = change.prior.and_then(|it| it.get_attr("addresses"));
        let was: Vec<&str> =
            prior.into_iter().flat_map(Value::values).filter_map(Value::as_str).collect();
        let wanted: Vec<&str> = change.items("addresses").filter_map(Value::as_str).collect();
        for (action, addresses) in [
            ("add_addresses", without(&wanted, &was)),
            ("remove_addresses", without(&was, &wanted)),
        ] {
            if addresses.is_empty() {
                continue;
            }
            let path = format!("/address-groups/{id}/{action}");
            let addresses: Vec<String> = addresses.into_iter().map(canonical).collect();
            let body = json!({ "addresses": addresses });
            let answer = cloud.session.put(Service::Network, &path, &body).await;
            let answer =
                answer.map_err(|it| it.failure("change the addresses of the address group"))?;
            *left = answer.get("address_group").cloned();
        }
        Ok(())
    }

    /// Neutron tells addresses in one form: as written where they are the same.
    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        let written = base.and_then(|it| it.get_attr("addresses"));
        let written: Vec<&str> =
            written.into_iter().flat_map(Value::values).filter_map(Value::as_str).collect();
        let told = list_at(json, "addresses").iter().filter_map(Json::as_str);
        let addresses = told.map(|told| {
            let same = written.iter().find(|it| same(it, told));
            Value::string(*same.unwrap_or(&told))
        });
        json::set(attrs, "addresses", Value::set(Type::String, addresses.collect()));
    }
}

/// Neutron takes no other form.
fn canonical(address: &str) -> String {
    Range::or_address(address).map_or_else(|| address.to_owned(), Range::canonical)
}

fn same(a: &str, b: &str) -> bool {
    a == b || matches!((Range::or_address(a), Range::or_address(b)), (Some(a), Some(b)) if a.is(b))
}

/// Those of the first that are not among the others.
fn without<'a>(some: &[&'a str], others: &[&str]) -> Vec<&'a str> {
    some.iter().copied().filter(|it| !others.iter().any(|other| same(it, other))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_stays() {
        let was = ["10.0.0.1/32", "10.1.0.0/16"];
        let wanted = ["10.0.0.1", "10.2.0.0/16"];
        assert_eq!(without(&wanted, &was), ["10.2.0.0/16"]);
        assert_eq!(without(&was, &wanted), ["10.1.0.0/16"]);
    }
}
