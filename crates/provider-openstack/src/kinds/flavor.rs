//! A flavor: the size of servers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Number, Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::{Calls, Cloud, deleted, id_of, if_there, refused, reread, whole};
use crate::json::{self, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::table::{Table, id, opt, opt_computed, region, req, string_map};
use crate::told::{text, told};

pub(crate) struct Flavor;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let number = Type::Number;
    Table::new(
        "openstack_compute_flavor_v2",
        "A flavor: the size of servers. For administrators.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name.").replace(),
            opt_computed("flavor_id", Type::String, "The identifier. Left out, one of ours.")
                .key("id")
                .replace(),
            opt("description", Type::String, "For people.").reset(Json::Null),
            req("ram", number.clone(), "Memory in MB.").replace(),
            req("vcpus", number.clone(), "Processors.").replace(),
            req("disk", number.clone(), "Size of the root disk in GB.").replace(),
            opt("swap", number.clone(), "Swap in MB.").replace(),
            opt("ephemeral", number.clone(), "Size of a second disk in GB.")
                .key("OS-FLV-EXT-DATA:ephemeral")
                .replace(),
            opt("rx_tx_factor", number, "Share of the network's bandwidth.")
                .key("rxtx_factor")
                .default(Value::number(1))
                .replace(),
            opt("is_public", Type::Bool, "Whether every project may use it.")
                .key("os-flavor-access:is_public")
                .replace(),
            opt_computed("extra_specs", string_map(), "What else hosts have to have.").unsent(),
        ],
    )
});

impl Rules for Flavor {
    fn table() -> &'static Table {
        &TABLE
    }
}

/// The identifier that a call gives what it makes: by it the call is known again.
pub(crate) fn uuid(token: Token) -> String {
    let (run, step) = (token.run.to_be_bytes(), token.step.to_be_bytes());
    // Version 8: what is in it is nobody's business.
    let bytes = [
        run[0], run[1], run[2], run[3], run[4], run[5], 0x80, run[6], 0x80, run[7], step[0],
        step[1], step[2], step[3], b'p', b'l',
    ];
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, json, base);
    // No swap is no number, in older versions.
    if str_at(json, "swap").is_empty() && json.get("swap").is_some_and(Json::is_string) {
        json::set(&mut attrs, "swap", Value::number(Number::from(0)));
    }
    Value::object(attrs)
}

/// Adds the extra specs where the answer does not have them.
async fn complete(cloud: &Cloud, mut flavor: Json) -> Result<Json, ApiError> {
    if flavor.get("extra_specs").is_none() {
        let path = format!("/flavors/{}/os-extra_specs", escaped(str_at(&flavor, "id")));
        let mut specs = cloud.session.get(Service::Compute, &path).await?;
        flavor["extra_specs"] = specs["extra_specs"].take();
    }
    Ok(flavor)
}

async fn get(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    let answer = cloud.session.get(Service::Compute, &format!("/flavors/{}", escaped(id))).await;
    match if_there(answer)? {
        Some(mut answer) => complete(cloud, answer["flavor"].take()).await.map(Some),
        None => Ok(None),
    }
}

/// The flavors in order, in one question if there is more than one.
async fn flavors(cloud: &Cloud, stored: &[&Remote]) -> Result<Vec<Option<Json>>, ApiError> {
    if let [only] = stored {
        return Ok(vec![get(cloud, id_of(only)).await?]);
    }
    let all = nova::flavors(cloud).await?;
    let find =
        async |stored: &&Remote| match all.iter().find(|it| str_at(it, "id") == id_of(stored)) {
            Some(flavor) => complete(cloud, flavor.clone()).await.map(Some),
            None => get(cloud, id_of(stored)).await,
        };
    futures_util::future::try_join_all(stored.iter().map(find)).await
}

/// Makes the extra specs what is wanted.
async fn specify(cloud: &Cloud, id: &str, change: &Change<'_>) -> Result<(), ApiError> {
    let path = format!("/flavors/{}/os-extra_specs", escaped(id));
    let was = change.prior.map(|it| Change { planned: it, prior: None });
    let was: BTreeMap<String, String> =
        was.iter().flat_map(|it| it.strings_of("extra_specs")).collect();
    let wanted: BTreeMap<String, String> = change.strings_of("extra_specs").collect();
    for key in was.keys().filter(|it| !wanted.contains_key(*it)) {
        match cloud.session.delete(Service::Compute, &format!("{path}/{}", escaped(key))).await {
            Err(error) if error.is_missing() => {}
            answer => answer?,
        }
    }
    let new: Map<String, Json> = wanted
        .into_iter()
        .filter(|(key, it)| was.get(key) != Some(it))
        .map(|(key, it)| (key, it.into()))
        .collect();
    if !new.is_empty() {
        cloud.session.post(Service::Compute, &path, &json!({ "extra_specs": new })).await?;
    }
    Ok(())
}

#[async_trait]
impl Calls for Flavor {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let found = flavors(cloud, stored).await;
        reread(stored, found, "read flavors", |json, it| observed(cloud, json, Some(&it.attrs)))
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let id = text(planned, "flavor_id").map_or_else(|| uuid(token), str::to_owned);
        let found = get(cloud, &id).await.map_err(|it| it.failure("look for the flavor"))?;
        let Some(json) = found else { return Ok(None) };
        let attrs = observed(cloud, &json, Some(planned));
        let same = |name: &&str| attrs.get_attr(name) == planned.get_attr(name);
        Ok(["name", "ram", "vcpus", "disk"].iter().all(same).then(|| whole(attrs)))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = get(cloud, id).await;
        let found = found.map_err(|it| it.failure(&format!("read the flavor {id}")))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let change = Change { planned, prior: None };
        let mut body = TABLE.body(planned, None);
        body.entry("id").or_insert_with(|| uuid(call.token).into());
        let name = change.str("name").unwrap_or_default();
        let body = wrapped("flavor", body);
        let made = cloud.session.post(Service::Compute, "/flavors", &body).await;
        let mut json = match made {
            Ok(mut answer) => answer["flavor"].take(),
            Err(error) => return refused(&error, &format!("create the flavor {name:?}")),
        };
        let id = str_at(&json, "id").to_owned();
        let specified = specify(cloud, &id, &change).await;
        let specs: Map<String, Json> =
            change.strings_of("extra_specs").map(|(key, it)| (key, it.into())).collect();
        json["extra_specs"] = specs.into();
        let attrs = observed(cloud, &json, Some(planned));
        match specified {
            Ok(()) => Outcome::made(attrs),
            Err(error) => {
                let failure = error.failure(&format!("give the flavor {name:?} its extra specs"));
                let failure = failure.at(Path::default().attr("extra_specs"));
                let left = Remote { attrs, private: None, complete: false };
                Outcome::failed_leaving(Effect::Made(left), failure)
            }
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        _call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let (id, change) = (id_of(prior), Change { planned, prior: Some(&prior.attrs) });
        let body = TABLE.body(planned, Some(&prior.attrs));
        let mut result = Ok(());
        if !body.is_empty() {
            let path = format!("/flavors/{}", escaped(id));
            let body = wrapped("flavor", body);
            result = cloud.session.put(Service::Compute, &path, &body).await.map(|_| ());
        }
        if result.is_ok() && change.of("extra_specs") {
            result = specify(cloud, id, &change).await;
        }
        let failure = result.err().map(|it| it.failure("change the flavor"));
        match get(cloud, id).await {
            Ok(Some(json)) => {
                let left = Effect::Made(whole(observed(cloud, &json, Some(planned))));
                match failure {
                    None => Outcome::left(left),
                    Some(failure) => Outcome::failed_leaving(left, failure),
                }
            }
            Ok(None) => {
                let gone = || Failure::new("Cannot change the flavor", "It is gone.");
                Outcome::failed_leaving(Effect::Deleted, failure.unwrap_or_else(gone))
            }
            Err(error) => Outcome::lost(error.failure("read the flavor")),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let path = format!("/flavors/{}", escaped(id_of(prior)));
        deleted(cloud.session.delete(Service::Compute, &path).await, "delete the flavor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_what_it_makes() {
        let token = Token { run: 0x0123_4567_89ab_cdef, step: 7 };
        assert_eq!(uuid(token), "01234567-89ab-80cd-80ef-00000007706c");
    }
}
