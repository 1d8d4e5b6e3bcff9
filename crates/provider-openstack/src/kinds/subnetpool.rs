//! A subnet pool: addresses that subnets take theirs from.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::value::{Path, Type, Value};
use serde_json::{Value as Json, json};

use crate::json::{self, Attrs, list_at};
use crate::neutron::{Api, Neutron};
use crate::plan::{Planned, Rules};
use crate::range::{self, Range};
use crate::table::{
    MAKE, Table, computed, id, opt, opt_computed, project, region, req, strings, tags, value_specs,
};

pub(crate) struct SubnetPool;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let bits = |name, says| opt_computed(name, Type::Number, says).within(0..=128);
    Table::new(
        "openstack_networking_subnetpool_v2",
        "Addresses that subnets take theirs from, so that no two overlap.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name."),
            req("prefixes", strings(), "The ranges that subnets are cut from. More can be added."),
            opt("description", Type::String, "For people."),
            project(),
            opt("default_quota", Type::Number, "How much of it a project may take.")
                .within(0..=i64::MAX),
            bits("default_prefixlen", "How many bits a subnet gets that does not say."),
            bits("min_prefixlen", "The largest subnet, in bits."),
            bits("max_prefixlen", "The smallest subnet, in bits."),
            opt("address_scope_id", Type::String, "The address scope that it is part of.")
                .reset(Json::Null),
            opt_computed("ip_version", Type::Number, "4 or 6, as its prefixes are.").unsent(),
            opt("is_default", Type::Bool, "Whether subnets that name no pool come from it.")
                .reset(json!(false)),
            opt("shared", Type::Bool, "Whether other projects may use it.").replace(),
            computed("created_at", Type::String, "When it was made."),
            computed("updated_at", Type::String, "When it was changed.").follows(&["*"]),
            computed("revision_number", Type::Number, "Counts its changes.").follows(&["*"]),
            tags,
            all_tags,
            value_specs(),
        ],
    )
    .timed(MAKE)
});

impl Rules for SubnetPool {
    fn table() -> &'static Table {
        &TABLE
    }

    /// Neutron takes no address out of a pool.
    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let (Some(prior), Some(wanted)) = (input.prior, planned.get("prefixes")) else { return };
        let Some(was) = prior.get_attr("prefixes").filter(|_| wanted.is_wholly_known()) else {
            return;
        };
        let texts = |it: &Value| -> Vec<String> {
            it.values().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (wanted, was) = (texts(wanted), texts(was));
        if !range::covers(&wanted, &was) {
            planned.replace.push(Path::default().attr("prefixes"));
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let at = |name: &str| Path::default().attr(name);
        let version = config.get_attr("ip_version").and_then(Value::as_i64);
        if let Some(version) = version.filter(|it| !matches!(it, 4 | 6)) {
            let summary = format!("expected ip_version to be 4 or 6, got {version}");
            problems.push(Problem { path: at("ip_version"), summary, detail: String::new() });
            return;
        }
        let prefixes = config.get_attr("prefixes").into_iter().flat_map(Value::values);
        for (index, prefix) in prefixes.enumerate() {
            let Some(text) = prefix.as_str() else { continue };
            let path = at("prefixes").index(Value::number(index));
            match Range::parse(text) {
                None => {
                    let detail = format!(
                        "{text:?} is no range of addresses; one is written like 10.0.0.0/16."
                    );
                    problems.push(Problem { path, summary: "Invalid CIDR".to_owned(), detail });
                }
                Some(range) if version.is_some_and(|it| it != range.version()) => {
                    let detail = format!(
                        "{text} is IPv{}. Leave ip_version out: it follows from the prefixes.",
                        range.version()
                    );
                    let summary = "Prefix of another IP version".to_owned();
                    problems.push(Problem { path, summary, detail });
                }
                Some(_) => {}
            }
        }
    }
}

#[async_trait]
impl Neutron for SubnetPool {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/subnetpools",
            one: "subnetpool",
            many: "subnetpools",
            noun: "subnet pool",
            tags: true,
            keys: &[],
        }
    }

    /// Neutron joins prefixes that are beside each other: as written where the addresses are the
    /// same.
    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        let Some(written) = base.and_then(|it| it.get_attr("prefixes")) else { return };
        let told: Vec<&str> = list_at(json, "prefixes").iter().filter_map(Json::as_str).collect();
        let texts: Vec<&str> = written.values().filter_map(Value::as_str).collect();
        if range::same(&texts, &told) {
            json::set(attrs, "prefixes", written.clone());
        }
    }
}
