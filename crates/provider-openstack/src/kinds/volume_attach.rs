//! A volume in a server.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json};

use super::volume;
use crate::change::Change;
use crate::cloud::{Calls, Cloud, id_of, patiently, refused, tell, until, whole};
use crate::json::{self, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::table::{MAKE, Table, id, opt, opt_computed, region, req, set};
use crate::told::{is, text, told};

pub(crate) struct VolumeAttach;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let unconfirmed = opt("ignore_volume_confirmation", Type::Bool, "Do not wait for the volume.")
        .default(Value::bool(false));
    Table::new(
        "openstack_compute_volume_attach_v2",
        "A volume in a server. Its identifier is `<instance>/<volume>`.",
        vec![
            id().local(),
            region(),
            req("instance_id", Type::String, "The server.").key("serverId").replace(),
            req("volume_id", Type::String, "The volume.").key("volumeId").replace(),
            opt_computed("device", Type::String, "The device that it is, if the guest follows."),
            opt("tag", Type::String, "A word by which the guest knows it.").replace(),
            opt("multiattach", Type::Bool, "Whether the volume may be in other servers, too.")
                .replace()
                .local(),
            set("vendor_options", "What some clouds need.", vec![unconfirmed]).single().local(),
        ],
    )
    .timed(MAKE)
});

impl Rules for VolumeAttach {
    fn table() -> &'static Table {
        &TABLE
    }
}

fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, json, base);
    let id = format!("{}/{}", str_at(json, "serverId"), str_at(json, "volumeId"));
    json::set(&mut attrs, "id", Value::string(id));
    // Which device it is is up to the guest.
    if let Some(written) = base.and_then(|it| text(it, "device")) {
        json::set(&mut attrs, "device", Value::string(written));
    }
    Value::object(attrs)
}

async fn get(cloud: &Cloud, server: &str, volume: &str) -> Result<Option<Json>, ApiError> {
    let path = format!("/servers/{}/os-volume_attachments/{}", escaped(server), escaped(volume));
    match cloud.session.get(Service::Compute, &path).await {
        Ok(mut answer) => {
            let mut json = answer["volumeAttachment"].take();
            json["serverId"] = server.into();
            Ok(Some(json))
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

fn ends(object: &Value) -> (&str, &str) {
    (text(object, "instance_id").unwrap_or_default(), text(object, "volume_id").unwrap_or_default())
}

fn waits(object: &Value) -> bool {
    let vendor = object.get_attr("vendor_options").into_iter().flat_map(Value::values).next();
    !vendor.is_some_and(|it| is(it, "ignore_volume_confirmation"))
}

#[async_trait]
impl Calls for VolumeAttach {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        // Nova tells the attachments of one server at a time.
        let one = async |it: &&Remote| {
            let (server, volume) = ends(&it.attrs);
            let found = get(cloud, server, volume).await;
            let found = found.map_err(|it| it.failure("read the volumes of a server"))?;
            Ok(found.map(|json| {
                let attrs = observed(cloud, &json, Some(&it.attrs));
                Remote { attrs, ..(*it).clone() }
            }))
        };
        futures_util::future::join_all(stored.iter().map(one)).await
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        // A volume is in a server once.
        let (server, volume) = ends(planned);
        let found = get(cloud, server, volume).await;
        let found = found.map_err(|it| it.failure("look for the volume of the server"))?;
        Ok(found.map(|it| whole(observed(cloud, &it, Some(planned)))))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let Some((server, volume)) = id.split_once('/') else {
            let detail = format!("{id:?} is none; one is written <instance>/<volume>.");
            return Err(Failure::new("Invalid identifier", detail));
        };
        let found = get(cloud, server, volume).await;
        let found = found.map_err(|it| it.failure("read the volume of the server"))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        const DOING: &str = "attach the volume to the server";
        let (change, (server, volume)) = (Change { planned, prior: None }, ends(planned));
        let mut body = Map::from_iter([("volumeId".to_owned(), Json::from(volume))]);
        for name in ["device", "tag"] {
            if let Some(it) = change.str(name) {
                body.insert(name.to_owned(), it.into());
            }
        }
        let path = format!("/servers/{server}/os-volume_attachments");
        let body = wrapped("volumeAttachment", body);
        // A server takes one volume at a time.
        let alone = cloud.alone(server).await;
        let request = || cloud.session.post(Service::Compute, &path, &body);
        let answer = patiently(nova::BUSY_MAX, nova::is_busy, request).await;
        drop(alone);
        let mut json = match answer {
            Ok(mut answer) => answer["volumeAttachment"].take(),
            Err(error) => return refused(&error, DOING),
        };
        json["serverId"] = server.into();
        if waits(planned) {
            tell(call, "Waiting for the volume");
            if let Err(failure) = volume::settled(cloud, volume, &["in-use"], DOING).await {
                let attrs = observed(cloud, &json, Some(planned));
                let left = Remote { attrs, private: None, complete: false };
                return Outcome::failed_leaving(Effect::Made(left), failure);
            }
        }
        match get(cloud, server, volume).await {
            Ok(Some(json)) => Outcome::made(observed(cloud, &json, Some(planned))),
            Ok(None) => Outcome::made(observed(cloud, &json, Some(planned))),
            Err(error) => Outcome::lost(error.failure(DOING)),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        const DOING: &str = "detach the volume from the server";
        let (server, volume) = ends(&prior.attrs);
        let path = format!("/servers/{server}/os-volume_attachments/{volume}");
        let alone = cloud.alone(server).await;
        let request = || cloud.session.delete(Service::Compute, &path);
        let answer = patiently(nova::BUSY_MAX, nova::is_busy, request).await;
        drop(alone);
        match answer {
            Ok(()) => {}
            Err(error) if error.is_missing() => return Outcome::deleted(),
            Err(error) => return refused(&error, DOING),
        }
        let gone = until(async || {
            let found = get(cloud, server, volume).await.map_err(|it| it.failure(DOING))?;
            Ok(found.is_none().then_some(()))
        })
        .await;
        match gone {
            Ok(()) => Outcome::deleted(),
            Err(failure) => Outcome::failed(Failure {
                detail: format!("{} ({})", failure.detail, id_of(prior)),
                ..failure
            }),
        }
    }
}
