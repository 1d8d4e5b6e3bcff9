//! What all kinds of Neutron have in common: a collection, one object each, tags, a description.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::change::Change;
use crate::cloud::{
    Calls, Cloud, IN_USE_MAX, deleted, id_of, in_order, patiently, refused, reread, whole,
};
use crate::json::{self, Attrs, str_at, wrapped};
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::stamp;
use crate::told::told;

/// So many objects are asked for in one request: their identifiers have to fit into its first line.
const IDS_MAX: usize = 100;

/// What Neutron calls a kind.
pub(crate) struct Api {
    /// Its collection: `/networks`.
    pub(crate) path: &'static str,
    /// One of it in a body: `network`.
    pub(crate) one: &'static str,
    /// Several of it: `networks`.
    pub(crate) many: &'static str,
    /// For messages: `network`.
    pub(crate) noun: &'static str,
    /// It can have tags.
    pub(crate) tags: bool,
    /// Members that are read besides those of the rows.
    pub(crate) keys: &'static [&'static str],
}

/// A kind that Neutron keeps in a collection.
#[async_trait]
pub(crate) trait Neutron: Rules + Send + Sync {
    fn api(&self) -> &'static Api;

    /// The collection that an object is in: some are inside another object.
    fn path(&self, object: &Value) -> Cow<'static, str> {
        let _ = object;
        self.api().path.into()
    }

    /// What a person's name for an object says: what [`path`](Neutron::path) needs to know, where
    /// that is something, and the identifier.
    fn locate<'a>(&self, id: &'a str) -> Result<(Option<Value>, &'a str), Failure> {
        Ok((None, id))
    }

    /// Puts what the rows cannot say into a request.
    async fn fill(
        &self,
        cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        let _ = (cloud, change, body);
        Ok(())
    }

    /// Reads what the rows cannot say. `base` is how the object was written, if it is ours.
    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        let _ = (json, base, attrs);
    }

    /// Makes it what it was meant to be, once it is there; says what it is then, if that is known.
    async fn finish(&self, cloud: &Cloud, planned: &Value, json: &mut Json) -> Result<(), Failure> {
        let _ = (cloud, planned, json);
        Ok(())
    }

    /// Changes what is changed by requests of its own. `left` is what the object is then, where
    /// that is known.
    async fn alter(
        &self,
        cloud: &Cloud,
        id: &str,
        change: &Change<'_>,
        left: &mut Option<Json>,
    ) -> Result<(), Failure> {
        let _ = (cloud, id, change, left);
        Ok(())
    }

    /// Finds out, of an object that is brought in, what its owner would have written.
    async fn explain(&self, cloud: &Cloud, json: &mut Json) -> Result<(), Failure> {
        let _ = (cloud, json);
        Ok(())
    }

    /// Whether Neutron, which makes this kind in several steps, has not come to the end of them.
    fn in_the_making(&self, planned: &Value, json: &Json) -> bool {
        let _ = (planned, json);
        false
    }

    /// Whether [`Neutron::finish`] was not done, and no plan would see it.
    fn unfinished(&self, planned: &Value, json: &Json) -> bool {
        let _ = (planned, json);
        false
    }

    /// Whether the same request may be answered otherwise a little later.
    fn passes(&self, error: &ApiError) -> bool {
        let _ = error;
        false
    }

    /// Puts something else into a request that was refused, if there is another way to make it.
    fn otherwise(
        &self,
        error: &ApiError,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> bool {
        let _ = (error, change, body);
        false
    }

    /// Gets things out of the way before it is deleted.
    async fn empty(&self, cloud: &Cloud, prior: &Remote) -> Result<(), Failure> {
        let _ = (cloud, prior);
        Ok(())
    }
}

/// The object that an answer tells of.
pub(crate) fn observed<N: Neutron>(
    kind: &N,
    cloud: &Cloud,
    json: &Json,
    base: Option<&Value>,
) -> Value {
    let mut json = json.clone();
    stamp::hide(&mut json);
    let mut attrs = told(N::table(), cloud, &json, base);
    kind.observe(&json, base, &mut attrs);
    Value::object(attrs)
}

/// `?fields=id&fields=name…`: only what is read is told.
fn fields<N: Neutron>(kind: &N) -> String {
    let mut keys: Vec<&str> = N::table().keys().chain(kind.api().keys.iter().copied()).collect();
    keys.push("id");
    keys.sort_unstable();
    keys.dedup();
    keys.iter().map(|it| format!("fields={it}")).collect::<Vec<_>>().join("&")
}

/// The objects of these identifiers in a collection, in as few requests as can be.
async fn by_ids<N: Neutron>(
    kind: &N,
    cloud: &Cloud,
    collection: &str,
    ids: &[&str],
) -> Result<Vec<Json>, ApiError> {
    let api = kind.api();
    let fields = fields(kind);
    let mut all = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        let ids: String = ids.iter().map(|id| format!("id={}&", escaped(id))).collect();
        let path = format!("{collection}?{ids}{fields}");
        match cloud.session.list(Service::Network, &path, api.many).await {
            // What it was inside of is gone.
            Err(error) if error.is_missing() && collection != api.path => {}
            found => all.extend(found?),
        }
    }
    Ok(all)
}

/// An address in a subnet, as ports and gateways have them: what is left out is not told.
pub(crate) fn address(block: &Value) -> Json {
    let mut members = Map::new();
    for name in ["subnet_id", "ip_address"] {
        if let Some(text) = block.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty())
        {
            members.insert(name.to_owned(), text.into());
        }
    }
    members.into()
}

/// Text as a part of an address.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b'~');
    text.bytes()
        .map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") })
        .collect()
}

#[async_trait]
impl<N: Neutron> Calls for N {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let mut places = BTreeMap::<Cow<'_, str>, Vec<&str>>::new();
        for it in stored {
            places.entry(self.path(&it.attrs)).or_default().push(id_of(it));
        }
        let found = async {
            let mut all = Vec::with_capacity(stored.len());
            for (path, ids) in places {
                all.extend(by_ids(self, cloud, &path, &ids).await?);
            }
            Ok(in_order(stored, all))
        };
        let doing = format!("read {}s", self.api().noun);
        reread(stored, found.await, &doing, |json, it| observed(self, cloud, json, Some(&it.attrs)))
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let api = self.api();
        let written = planned.get_attr("description").and_then(Value::as_str);
        let stamped = escaped(&stamp::on(written, token));
        let path = format!("{}?description={stamped}&{}", self.path(planned), fields(self));
        let begun = Instant::now();
        let json = loop {
            let found = cloud.session.list(Service::Network, &path, api.many).await;
            let found = found.map_err(|it| it.failure(&format!("look for a {}", api.noun)))?;
            let Some(json) = found.into_iter().next() else { return Ok(None) };
            // Neutron may still be at it, and it takes back what it cannot finish.
            if !self.in_the_making(planned, &json) || begun.elapsed() > IN_USE_MAX / 4 {
                break json;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        // Nothing is changed while looking: tags that are missing are the next plan's business.
        let complete = !self.unfinished(planned, &json);
        let attrs = observed(self, cloud, &json, Some(planned));
        Ok(Some(Remote { complete, ..whole(attrs) }))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let (place, id) = self.locate(id)?;
        let path = self.path(place.as_ref().unwrap_or(&Value::NULL));
        let found = by_ids(self, cloud, &path, &[id]).await;
        let found =
            found.map_err(|it| it.failure(&format!("read the {} {id}", self.api().noun)))?;
        let Some(mut json) = found.into_iter().next() else { return Ok(None) };
        self.explain(cloud, &mut json).await?;
        Ok(Some(whole(observed(self, cloud, &json, place.as_ref()))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let api = self.api();
        let change = Change { planned, prior: None };
        let mut body = N::table().body(planned, None);
        if let Err(failure) = self.fill(cloud, &change, &mut body).await {
            return Outcome::failed(failure);
        }
        for (key, value) in change.strings_of("value_specs") {
            body.insert(key, value.into());
        }
        stamp::put(&mut body, call.token);
        let path = self.path(planned);
        let made = loop {
            let sent = wrapped(api.one, body.clone());
            let request = || cloud.session.post(Service::Network, &path, &sent);
            match patiently(2 * IN_USE_MAX, |it| self.passes(it), request).await {
                Err(error) if self.otherwise(&error, &change, &mut body) => {}
                made => break made,
            }
        };
        let mut json = match made {
            Ok(answer) => answer.get(api.one).cloned().unwrap_or_default(),
            Err(error) => return refused(&error, &format!("create the {}", named(api, planned))),
        };
        let finished = finish(self, cloud, planned, &mut json).await;
        let attrs = observed(self, cloud, &json, Some(planned));
        match finished {
            Ok(()) => Outcome::made(attrs),
            Err(failure) => Outcome::failed_leaving(Effect::Made(whole(attrs)), failure),
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        _call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let (api, id) = (self.api(), id_of(prior));
        let change = Change { planned, prior: Some(&prior.attrs) };
        let mut body = N::table().body(planned, Some(&prior.attrs));
        if let Err(failure) = self.fill(cloud, &change, &mut body).await {
            return Outcome::failed(failure);
        }
        let doing = || format!("change the {}", named(api, planned));
        let collection = self.path(&prior.attrs);
        let mut left = None;
        if !body.is_empty() {
            let (path, body) = (format!("{collection}/{id}"), wrapped(api.one, body));
            let request = || cloud.session.put(Service::Network, &path, &body);
            match patiently(IN_USE_MAX, |it| self.passes(it), request).await {
                Ok(answer) => left = answer.get(api.one).cloned(),
                Err(error) => return refused(&error, &doing()),
            }
        }
        if let Err(failure) = apart(self, cloud, id, &change, &mut left).await {
            let is = left.map(|it| whole(observed(self, cloud, &it, Some(planned))));
            let left = is.map_or(Effect::Nothing, Effect::Made);
            return Outcome::failed_leaving(left, failure);
        }
        if left.is_none() {
            match by_ids(self, cloud, &collection, &[id]).await {
                Ok(found) => left = found.into_iter().next(),
                Err(error) => return Outcome::lost(error.failure(&doing())),
            }
        }
        match left {
            Some(json) => Outcome::made(observed(self, cloud, &json, Some(planned))),
            None => {
                let failure = Failure::new(format!("Cannot {}", doing()), "It is gone.");
                Outcome::failed_leaving(Effect::Deleted, failure)
            }
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let (api, id) = (self.api(), id_of(prior));
        if let Err(failure) = self.empty(cloud, prior).await {
            return Outcome::failed(failure);
        }
        let path = format!("{}/{id}", self.path(&prior.attrs));
        // What still uses it may be on its way out.
        let request = || cloud.session.delete(Service::Network, &path);
        deleted(
            patiently(IN_USE_MAX, ApiError::is_conflict, request).await,
            &format!("delete the {}", named(api, &prior.attrs)),
        )
    }
}

/// Tags cannot be given in the request that makes an object.
async fn finish<N: Neutron>(
    kind: &N,
    cloud: &Cloud,
    planned: &Value,
    json: &mut Json,
) -> Result<(), Failure> {
    if kind.api().tags
        && planned.get_attr("tags").is_some_and(|it| it.is_present() && !it.is_empty())
    {
        let id = str_at(json, "id").to_owned();
        json["tags"] = retag(kind, cloud, &id, planned).await?;
    }
    let description = planned.get_attr("description").and_then(Value::as_str).unwrap_or_default();
    if stamp::cuts(description) && str_at(json, "description") != description {
        let path = format!("{}/{}", kind.path(planned), str_at(json, "id"));
        let body = json!({ kind.api().one: { "description": description } });
        let answer = cloud.session.put(Service::Network, &path, &body).await;
        answer.map_err(|it| it.failure(&format!("describe the {}", named(kind.api(), planned))))?;
        json["description"] = description.into();
    }
    kind.finish(cloud, planned, json).await
}

/// What an update does in requests of its own.
async fn apart<N: Neutron>(
    kind: &N,
    cloud: &Cloud,
    id: &str,
    change: &Change<'_>,
    left: &mut Option<Json>,
) -> Result<(), Failure> {
    if kind.api().tags && change.of("tags") {
        let tags = retag(kind, cloud, id, change.planned).await?;
        if let Some(json) = left {
            json["tags"] = tags;
        }
    }
    kind.alter(cloud, id, change, left).await
}

async fn retag<N: Neutron>(
    kind: &N,
    cloud: &Cloud,
    id: &str,
    planned: &Value,
) -> Result<Json, Failure> {
    let api = kind.api();
    let tags: Vec<Json> =
        planned.get_attr("tags").into_iter().flat_map(Value::values).map(json::to_json).collect();
    let body = json!({ "tags": tags });
    let path = format!("{}/{id}/tags", api.path);
    let answer = cloud.session.put(Service::Network, &path, &body).await;
    let answer = answer.map_err(|it| it.failure(&format!("tag the {}", named(api, planned))))?;
    Ok(answer.get("tags").cloned().unwrap_or(Json::Array(tags)))
}

/// `network "lab"`, or `network` if it has no name.
fn named(api: &Api, object: &Value) -> String {
    match object.get_attr("name").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => format!("{} {name:?}", api.noun),
        _ => api.noun.to_owned(),
    }
}
