//! What Keystone says: projects, who we are, where services are.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Value as Json, json};

use super::Query;
use super::collection::{asked, name_and_id, only, told};
use crate::cloud::Cloud;
use crate::json::{self, at, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::session::{CatalogEntry, Service};
use crate::table::{Field, Table, computed, id, opt, opt_computed, req, string_set};

fn region() -> Field {
    opt_computed("region", Type::String, "The region.").local()
}

/// A project.
pub(crate) struct Project;

static PROJECT: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_identity_project_v3",
        "A project. Users who may not list projects find those that they are let into.",
        vec![
            id(),
            region(),
            opt_computed("project_id", Type::String, "The identifier.").key("id").excludes(&[
                "name",
                "domain_id",
                "enabled",
                "is_domain",
                "parent_id",
                "tags",
            ]),
            opt_computed("name", Type::String, "The name."),
            opt_computed("domain_id", Type::String, "Its domain."),
            opt_computed("parent_id", Type::String, "The project or domain that it is in."),
            opt("enabled", Type::Bool, "Whether its users are let in.").default(Value::bool(true)),
            opt("is_domain", Type::Bool, "Whether it is a domain.").default(Value::bool(false)),
            opt_computed("tags", string_set(), "Tags that it has."),
            computed("description", Type::String, "The description."),
        ],
    )
});

impl Rules for Project {
    fn table() -> &'static Table {
        &PROJECT
    }
}

/// Whether a project is one that is asked for. Keystone leaves this to us where it tells only those
/// that we are let into.
fn fits(project: &Json, config: &Value) -> bool {
    let text = |name: &str| asked(config, name).is_none_or(|it| it == str_at(project, name));
    let flag = |name: &str, default: bool| {
        let wanted = config.get_attr(name).and_then(Value::as_bool).unwrap_or(default);
        project.get(name).and_then(Json::as_bool).unwrap_or(default) == wanted
    };
    let tags = config.get_attr("tags").into_iter().flat_map(Value::values);
    let has =
        |tag: &Value| json::list_at(project, "tags").iter().any(|it| it.as_str() == tag.as_str());
    ["name", "domain_id", "parent_id"].iter().all(|it| text(it))
        && flag("enabled", true)
        && flag("is_domain", false)
        && tags.into_iter().all(has)
}

async fn projects(cloud: &Cloud, config: &Value) -> Result<Vec<Json>, Failure> {
    let mut query = Vec::new();
    for name in ["name", "domain_id", "parent_id"] {
        query.extend(asked(config, name).map(|it| format!("{name}={}", escaped(it))));
    }
    // Domains are listed only where they are asked for.
    if config.get_attr("is_domain").and_then(Value::as_bool) == Some(true) {
        query.push("is_domain=true".to_owned());
    }
    let path = format!("/projects?{}", query.join("&"));
    let found = match cloud.session.list(Service::Identity, &path, "projects").await {
        Err(error) if error.status() == Some(403) => {
            cloud.session.list(Service::Identity, "/auth/projects", "projects").await
        }
        found => found,
    };
    let mut found = found.map_err(|it| it.failure("look for the project"))?;
    found.retain(|it| fits(it, config));
    Ok(found)
}

#[async_trait]
impl Query for Project {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let found = match asked(config, "project_id") {
            None => projects(cloud, config).await?,
            Some(id) => {
                let path = format!("/projects/{}", escaped(id));
                match cloud.session.get(Service::Identity, &path).await {
                    Ok(answer) => vec![at(&answer, &["project"]).clone()],
                    Err(error) if error.is_missing() => Vec::new(),
                    Err(error) => return Err(error.failure(&format!("read the project {id}"))),
                }
            }
        };
        let json = only(found, "project", name_and_id)?;
        Ok(Value::object(told::<Project>(cloud, json, config)))
    }
}

/// Who we are.
pub(crate) struct AuthScope;

static AUTH_SCOPE: LazyLock<Table> = LazyLock::new(|| {
    let text = |name, says| computed(name, Type::String, says);
    let role = Type::object([("role_id", Type::String), ("role_name", Type::String)]);
    let endpoint = Type::object(
        ["id", "region", "region_id", "interface", "url"].map(|it| (it, Type::String)),
    );
    let service = Type::object([
        ("id", Type::String),
        ("name", Type::String),
        ("type", Type::String),
        ("endpoints", Type::list(endpoint)),
    ]);
    Table::new(
        "openstack_identity_auth_scope_v3",
        "Who the provider is: user, project or domain, roles, and the services that there are.",
        vec![
            id(),
            region(),
            req("name", Type::String, "Any name; it becomes the identifier."),
            opt("set_token_id", Type::Bool, "Tell the token. It is then kept in the state."),
            text("token_id", "The token, if set_token_id is true.").sensitive(),
            text("user_id", "The user's identifier."),
            text("user_name", "The user."),
            text("user_domain_id", "The identifier of the user's domain."),
            text("user_domain_name", "The user's domain."),
            text("project_id", "The project's identifier."),
            text("project_name", "The project."),
            text("project_domain_id", "The identifier of the project's domain."),
            text("project_domain_name", "The project's domain."),
            text("domain_id", "The identifier of the domain, if that is the scope."),
            text("domain_name", "The domain, if that is the scope."),
            computed("roles", Type::list(role), "The roles that we have."),
            computed("service_catalog", Type::list(service), "The services, and where they are."),
        ],
    )
});

impl Rules for AuthScope {
    fn table() -> &'static Table {
        &AUTH_SCOPE
    }
}

#[async_trait]
impl Query for AuthScope {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let who = cloud.session.identity().await?;
        let token = match config.get_attr("set_token_id").and_then(Value::as_bool) {
            Some(true) => Json::String(cloud.session.token_id().await?),
            _ => Json::String(String::new()),
        };
        let role = |(id, name): &(String, String)| json!({ "role_id": id, "role_name": name });
        let roles: Vec<Json> = who.roles.iter().map(role).collect();
        let service = |it: &CatalogEntry| {
            let endpoints = it.endpoints.iter().map(|it| {
                json!({
                    "id": it.id,
                    "region": it.region,
                    "region_id": it.region_id,
                    "interface": it.interface,
                    "url": it.url,
                })
            });
            let endpoints: Vec<Json> = endpoints.collect();
            json!({ "id": it.id, "name": it.name, "type": it.service, "endpoints": endpoints })
        };
        let services: Vec<Json> = who.catalog.iter().map(service).collect();
        let json = json!({
            "id": asked(config, "name"),
            "token_id": token,
            "user_id": who.user_id,
            "user_name": who.user_name,
            "user_domain_id": who.user_domain_id,
            "user_domain_name": who.user_domain_name,
            "project_id": who.project_id,
            "project_name": who.project_name,
            "project_domain_id": who.project_domain_id,
            "project_domain_name": who.project_domain_name,
            "domain_id": who.domain_id,
            "domain_name": who.domain_name,
            "roles": roles,
            "service_catalog": services,
        });
        Ok(Value::object(told::<AuthScope>(cloud, json, config)))
    }
}

/// Where a service is.
pub(crate) struct Endpoint;

static ENDPOINT: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_identity_endpoint_v3",
        "Where a service is, by the catalogue that came with the token: any user may ask.",
        vec![
            id(),
            region(),
            opt("name", Type::String, "The name of the endpoint; to ask takes an administrator."),
            opt_computed("endpoint_region", Type::String, "The region of the endpoint."),
            opt_computed("service_id", Type::String, "The identifier of the service."),
            opt_computed("service_name", Type::String, "The name of the service, such as nova."),
            opt_computed("service_type", Type::String, "The type of the service, such as compute."),
            opt("interface", Type::String, "`public`, `internal` or `admin`.")
                .default(Value::string("public"))
                .one_of(&["public", "internal", "admin"]),
            computed("url", Type::String, "Where it is."),
        ],
    )
});

impl Rules for Endpoint {
    fn table() -> &'static Table {
        &ENDPOINT
    }
}

/// All endpoints of a catalogue, as the rows have them.
fn endpoints(catalog: &[CatalogEntry]) -> impl Iterator<Item = Json> {
    catalog.iter().flat_map(|service| {
        service.endpoints.iter().map(|it| {
            json!({
                "id": it.id,
                "endpoint_region": if it.region_id.is_empty() { &it.region } else { &it.region_id },
                "service_id": service.id,
                "service_name": service.name,
                "service_type": service.service,
                "interface": it.interface,
                "url": it.url,
            })
        })
    })
}

#[async_trait]
impl Query for Endpoint {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let catalog = cloud.session.identity().await?.catalog;
        let filters = ["endpoint_region", "service_id", "service_name", "service_type"];
        let interface = asked(config, "interface").unwrap_or("public");
        let fits = |it: &Json| {
            str_at(it, "interface") == interface
                && filters
                    .iter()
                    .all(|key| asked(config, key).is_none_or(|text| text == str_at(it, key)))
        };
        let mut found: Vec<Json> = endpoints(&catalog).filter(fits).collect();
        if let Some(name) = asked(config, "name") {
            let all = cloud.session.list(Service::Identity, "/endpoints", "endpoints").await;
            let all = all.map_err(|it| {
                it.failure("ask for endpoints by name").at(Path::default().attr("name"))
            })?;
            let named = |id: &str| {
                all.iter().any(|it| str_at(it, "id") == id && str_at(it, "name") == name)
            };
            found.retain(|it| named(str_at(it, "id")));
        }
        let called = |it: &Json| {
            let of = |key: &str| str_at(it, key);
            format!("{} in {} ({})", of("service_type"), of("endpoint_region"), of("url"))
        };
        let json = only(found, "endpoint", called)?;
        Ok(Value::object(told::<Endpoint>(cloud, json, config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_that_are_asked_for() {
        let lab = json!({ "name": "lab", "domain_id": "d", "enabled": true, "tags": ["a", "b"] });
        let asks = |name: &str, value: Value| fits(&lab, &Value::object([(name, value)]));
        let tags = |it: &str| Value::set(Type::String, vec![Value::string(it)]);
        assert!(asks("name", Value::string("lab")) && asks("domain_id", Value::string("")));
        assert!(asks("tags", tags("a")) && asks("enabled", Value::bool(true)));
        assert!(!asks("name", Value::string("la")) && !asks("enabled", Value::bool(false)));
        assert!(!asks("is_domain", Value::bool(true)) && !asks("tags", tags("c")));
    }
}
