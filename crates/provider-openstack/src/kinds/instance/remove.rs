//! How a server is deleted.

use plumb_model::event::Remote;
use plumb_model::value::Value;
use plumb_provider::{CallContext, Failure};
use serde_json::json;

use super::calls::noted;
use super::power;
use crate::cloud::{Cloud, IN_USE_MAX, id_of, patiently, tell, until};
use crate::json::{list_at, str_at};
use crate::nova;
use crate::session::{ApiError, Service};
use crate::told::{is, text};

/// Deletes a server, and waits until it is gone.
pub(super) async fn remove(
    cloud: &Cloud,
    call: &CallContext,
    prior: &Remote,
) -> Result<(), Failure> {
    const DOING: &str = "delete the server";
    let say = |text: String| tell(call, text);
    let server_id = id_of(prior);
    let failed = |it: ApiError| it.failure(DOING);
    let Some(server) = nova::server(cloud, server_id).await.map_err(failed)? else {
        return Ok(());
    };
    if str_at(&server, "OS-SRV-USG:launched_at").is_empty() {
        keep_given(cloud, server_id, prior).await;
    }
    if is(&prior.attrs, "stop_before_destroy") && str_at(&server, "status") == "ACTIVE" {
        power::reach(cloud, server, "shutoff", &say).await?;
    }
    let vendor = prior.attrs.get_attr("vendor_options").into_iter().flat_map(Value::values).next();
    if vendor.is_some_and(|it| is(it, "detach_ports_before_destroy")) {
        detach(cloud, server_id, prior).await?;
    }
    let answer = if is(&prior.attrs, "force_delete") {
        nova::command(cloud, server_id, "forceDelete").await.map(|_| ())
    } else {
        let path = format!("/servers/{server_id}");
        let request = || cloud.session.delete(Service::Compute, &path);
        patiently(IN_USE_MAX, nova::is_busy, request).await
    };
    match answer {
        Err(error) if error.is_missing() => return Ok(()),
        answer => answer.map_err(failed)?,
    }
    let still = std::sync::atomic::AtomicU32::new(0);
    until(async || {
        let Some(server) = nova::server(cloud, server_id).await.map_err(failed)? else {
            return Ok(Some(()));
        };
        let idle = str_at(&server, "OS-EXT-STS:task_state").is_empty();
        let count = still.load(std::sync::atomic::Ordering::Relaxed) + u32::from(idle);
        still.store(count, std::sync::atomic::Ordering::Relaxed);
        // Nova is not at it any more, and it is still there.
        if count > 10 { Err(nova::fault(&server, DOING)) } else { Ok(None) }
    })
    .await
}

/// Nova takes the ports that were given to a server that never ran for its own, and deletes them
/// with it. If it cannot be kept from that, it is as it always was.
async fn keep_given(cloud: &Cloud, server: &str, prior: &Remote) {
    let own = noted(prior.private.as_deref()).unwrap_or_default();
    let blocks = prior.attrs.get_attr("network").into_iter().flat_map(Value::values);
    for port in
        blocks.filter_map(|it| text(it, "port")).filter(|it| !own.iter().any(|own| own == it))
    {
        let path = format!("/ports/{port}");
        let Ok(answer) = cloud.session.get(Service::Network, &path).await else { continue };
        if answer.pointer("/port/device_id").and_then(serde_json::Value::as_str) == Some(server) {
            let body = json!({ "port": { "device_id": "", "device_owner": "" } });
            let _ = cloud.session.put(Service::Network, &path, &body).await;
        }
    }
}

/// Takes the ports that were given to a server away from it.
async fn detach(cloud: &Cloud, server: &str, prior: &Remote) -> Result<(), Failure> {
    let own = noted(prior.private.as_deref()).unwrap_or_default();
    let path = format!("/servers/{server}/os-interface");
    let doing = "detach a port from the server";
    let answer = cloud.session.get(Service::Compute, &path).await;
    let answer = answer.map_err(|it| it.failure(doing))?;
    for port in list_at(&answer, "interfaceAttachments").iter().map(|it| str_at(it, "port_id")) {
        if own.iter().any(|it| it == port) {
            continue;
        }
        let path = format!("{path}/{port}");
        let request = || cloud.session.delete(Service::Compute, &path);
        match patiently(IN_USE_MAX, nova::is_busy, request).await {
            Err(error) if error.is_missing() => {}
            answer => answer.map_err(|it| it.failure(doing))?,
        }
    }
    Ok(())
}
