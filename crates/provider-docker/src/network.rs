//! `docker_network`. Names are not unique on older engines: everything goes by id.

use bollard::models::{
    Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest, NetworkInspect,
};
use bollard::query_parameters::InspectNetworkOptions;
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};

use crate::args::{Args, flag, string_map, text, with};
use crate::failure::{fail, found, half_made, is_missing, not_made, status, whole};
use crate::provider::{Engine, Lists, TOKEN_LABEL, listed, refuse};

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let name = args.string("name").unwrap_or_default();
    let doing = format!("create the network \"{name}\"");
    let there = match engine.networks(None).await {
        Ok(there) => there,
        Err(failure) => return Outcome::failed(failure),
    };
    if let Some(same) = there.iter().find(|it| it.name.as_ref() == Some(&name)) {
        let id = same.id.as_deref().unwrap_or_default();
        return Outcome::failed(refuse(
            &doing,
            format!(
                "There is a network of this name already, with id {id}. Import it or choose another name."
            ),
        ));
    }
    let mut labels = args.labels("labels");
    labels.insert(TOKEN_LABEL.to_owned(), call.token.to_string());
    let config: Vec<_> = args
        .blocks("ipam_config")
        .map(|it| IpamConfig {
            subnet: it.string("subnet"),
            ip_range: it.string("ip_range"),
            gateway: it.string("gateway"),
            auxiliary_addresses: it.map("aux_address"),
        })
        .collect();
    let ipam = Ipam {
        driver: args.string("ipam_driver"),
        config: (!config.is_empty()).then_some(config),
        options: args.map("ipam_options"),
    };
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: args.string("driver"),
        internal: args.bool("internal"),
        attachable: args.bool("attachable"),
        ingress: args.bool("ingress"),
        enable_ipv6: args.bool("ipv6"),
        options: args.map("options"),
        ipam: Some(ipam),
        labels: Some(labels),
        ..Default::default()
    };
    let id = match engine.docker.create_network(request).await {
        Ok(made) => made.id,
        Err(error) => return not_made(&doing, &error),
    };
    let bare = || with(planned, [("id", Value::string(id.as_str()))]);
    let network = match inspect(engine, &id).await {
        Ok(Some(network)) => network,
        Ok(None) => return half_made(bare(), refuse(&doing, "It is gone again.")),
        Err(failure) => return half_made(bare(), failure),
    };
    Outcome::made(settle(planned, &network))
}

async fn inspect(engine: &Engine, id: &str) -> Result<Option<NetworkInspect>, Failure> {
    let answer = engine.docker.inspect_network(id, None::<InspectNetworkOptions>).await;
    found(answer, || format!("inspect the network {id}"))
}

/// `base` with what the engine chose. A network never changes once made.
fn settle(base: &Value, network: &NetworkInspect) -> Value {
    let seen = observed(network);
    let keep = ["id", "scope", "driver", "internal", "options"];
    let args = Args(base);
    with(base, seen.into_iter().filter(|(name, _)| keep.contains(name) && args.get(name).is_none()))
}

fn observed(network: &NetworkInspect) -> Vec<(&'static str, Value)> {
    let options = network.options.clone().unwrap_or_default();
    vec![
        ("id", text(network.id.as_ref())),
        ("name", text(network.name.as_ref())),
        ("scope", text(network.scope.as_ref())),
        ("driver", text(network.driver.as_ref())),
        ("internal", flag(network.internal)),
        ("attachable", flag(network.attachable)),
        ("ingress", flag(network.ingress)),
        ("ipv6", flag(network.enable_ipv6)),
        ("options", string_map(&sorted(&options))),
    ]
}

fn sorted(
    map: &std::collections::HashMap<String, String>,
) -> std::collections::BTreeMap<String, String> {
    map.iter().map(|(key, it)| (key.clone(), it.clone())).collect()
}

/// The addresses of a network, in the shape of the `ipam_config` blocks.
pub(crate) fn ipam_configs(ipam: Option<&Ipam>) -> Value {
    let ty = Type::object([
        ("subnet", Type::String),
        ("gateway", Type::String),
        ("ip_range", Type::String),
        ("aux_address", Type::map(Type::String)),
    ]);
    let configs = ipam.and_then(|it| it.config.as_deref()).unwrap_or_default();
    let some = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
    let items = configs.iter().map(|it| {
        let aux = it.auxiliary_addresses.clone().filter(|aux| !aux.is_empty());
        let none = || Value::null(Type::map(Type::String));
        Value::object([
            ("subnet", text(some(&it.subnet))),
            ("gateway", text(some(&it.gateway))),
            ("ip_range", text(some(&it.ip_range))),
            ("aux_address", aux.map_or_else(none, |aux| string_map(&sorted(&aux)))),
        ])
    });
    Value::set(ty, items.collect())
}

pub(crate) async fn read(
    engine: &Engine,
    lists: &Lists,
    prior: &Remote,
) -> Result<Option<Remote>, Failure> {
    let id = Args(&prior.attrs).str("id").unwrap_or_default();
    let there = listed(&lists.networks)?;
    if !there.iter().any(|it| it.id.as_deref() == Some(id)) {
        return Ok(None);
    }
    // An object that was found half-made lacks what the engine chose.
    if Args(&prior.attrs).get("driver").is_some() {
        return Ok(Some(prior.clone()));
    }
    let network = inspect(engine, id).await?;
    Ok(network.map(|it| Remote { attrs: settle(&prior.attrs, &it), ..prior.clone() }))
}

pub(crate) async fn find(
    engine: &Engine,
    token: Token,
    planned: &Value,
) -> Result<Option<Remote>, Failure> {
    let made = engine.networks(Some(token)).await?;
    let Some(id) = made.first().and_then(|it| it.id.as_deref()) else { return Ok(None) };
    let network = inspect(engine, id).await?;
    Ok(network.map(|it| whole(settle(planned, &it))))
}

pub(crate) async fn import(engine: &Engine, id: &str) -> Result<Option<Remote>, Failure> {
    let Some(network) = inspect(engine, id).await? else { return Ok(None) };
    let schema = crate::schema::provider();
    let empty = crate::import::empty(&schema, "docker_network");
    let mut seen = observed(&network);
    seen.push(("ipam_config", ipam_configs(network.ipam.as_ref())));
    seen.push(("labels", crate::import::labels(network.labels.as_ref())));
    Ok(Some(whole(with(&empty, seen))))
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let args = Args(prior);
    let id = args.str("id").unwrap_or_default();
    let doing = format!("delete the network \"{}\"", args.str("name").unwrap_or(id));
    for attempt in 0..2 {
        match engine.docker.remove_network(id).await {
            Ok(()) => return Ok(()),
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) if attempt == 0 && matches!(status(&error), Some(403 | 409)) => {
                if !release(engine, id, &doing).await? {
                    return Err(fail(&doing, &error));
                }
            }
            Err(error) => return Err(fail(&doing, &error)),
        }
    }
    Ok(())
}

/// Detaches containers that we made: their next plan attaches them to what replaces the network.
/// Containers of others keep it from being deleted.
async fn release(engine: &Engine, id: &str, doing: &str) -> Result<bool, Failure> {
    let Some(network) = inspect(engine, id).await? else { return Ok(true) };
    let attached = network.containers.unwrap_or_default();
    let there = engine.containers(None).await?;
    let ours = |id: &str| {
        let container = there.iter().find(|it| it.id.as_deref() == Some(id));
        container.and_then(|it| it.labels.as_ref()).is_some_and(|it| it.contains_key(TOKEN_LABEL))
    };
    let mut names: Vec<_> = attached.iter().collect();
    names.sort_by_key(|(id, _)| id.as_str());
    let foreign = names.iter().filter(|(id, _)| !ours(id));
    let foreign: Vec<_> = foreign.filter_map(|(_, it)| it.name.as_deref()).collect();
    if !foreign.is_empty() {
        let why = format!("Containers that Plumb did not make use it: {}.", foreign.join(", "));
        return Err(refuse(doing, why));
    }
    for (container, _) in &names {
        let request =
            NetworkDisconnectRequest { container: (*container).clone(), force: Some(true) };
        match engine.docker.disconnect_network(id, request).await {
            Ok(()) => {}
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(fail(doing, &error)),
        }
    }
    Ok(!names.is_empty())
}
