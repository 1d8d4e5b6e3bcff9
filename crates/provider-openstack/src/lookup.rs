//! Objects by what people call them.

use plumb_provider::Failure;
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::json::str_at;
use crate::neutron::escaped;
use crate::session::Service;

/// The identifier of a network that is given by name or identifier.
pub(crate) async fn network(cloud: &Cloud, name: &str) -> Result<String, Failure> {
    one(cloud, "/networks", "networks", "network", name).await
}

/// The identifier of the one object of a collection of Neutron that has the name or identifier.
pub(crate) async fn one(
    cloud: &Cloud,
    path: &str,
    many: &str,
    noun: &str,
    name: &str,
) -> Result<String, Failure> {
    let ask = async |key: &str| {
        let path = format!("{path}?{key}={}&fields=id", escaped(name));
        let found = cloud.session.list(Service::Network, &path, many).await;
        found.map_err(|it| it.failure(&format!("look for the {noun} {name:?}")))
    };
    let id = |it: &Json| str_at(it, "id").to_owned();
    let named = ask("name").await?;
    match &named[..] {
        [only] => Ok(id(only)),
        [] => match ask("id").await?.first() {
            Some(only) => Ok(id(only)),
            None => {
                let detail = format!("None has the name or the identifier {name:?}.");
                Err(Failure::new(format!("No such {noun}"), detail))
            }
        },
        several => {
            let ids: Vec<String> = several.iter().map(id).collect();
            let detail = format!(
                "{} are called {name:?}: {}. Give one of these identifiers instead.",
                several.len(),
                ids.join(", ")
            );
            Err(Failure::new(format!("More than one {noun}"), detail))
        }
    }
}
