//! What the block, `clouds.yaml` and the environment say, laid over each other.

use std::collections::BTreeMap;

use plumb_provider::Failure;
use reqwest::Url;

use super::sources::{
    APPLICATION, Kind, Layer, PASSCODE, PASSWORD, TOKEN, VARIABLES, block, entry, environment,
};
use super::{
    ApplicationCredential, Arguments, Credential, Domain, Interface, Places, Project, Scope,
    Secret, Tls, User, at, clouds,
};

/// All three.
pub(super) struct Layers {
    block: Layer,
    cloud: Layer,
    env: Layer,
}

impl Layers {
    /// Reads all of them. A cloud is looked up only where one is named.
    pub(super) fn gather(arguments: &Arguments, places: &Places<'_>) -> Result<Layers, Failure> {
        let block = block(arguments);
        let env = environment(places.env);
        let filled = |text: &&String| !text.is_empty();
        let name = arguments.cloud.as_ref().filter(filled);
        let cloud = match name.or_else(|| places.env.get("OS_CLOUD").filter(filled)) {
            None => Layer {
                name: "clouds.yaml".to_owned(),
                values: BTreeMap::new(),
                overrides: BTreeMap::new(),
            },
            Some(name) => {
                let region = block.values.get("region").or_else(|| env.values.get("region"));
                entry(name, region.map(String::as_str), places)?
            }
        };
        Ok(Layers { block, cloud, env })
    }

    /// In the order in which they win where it is about who we are.
    fn ordered(&self) -> [&Layer; 3] {
        [&self.block, &self.cloud, &self.env]
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.ordered().into_iter().find_map(|layer| layer.get(name))
    }

    /// A value that is more about this machine than about the cloud: the environment wins over
    /// `clouds.yaml`.
    pub(super) fn local(&self, name: &str) -> Option<&str> {
        [&self.block, &self.env, &self.cloud].into_iter().find_map(|layer| layer.get(name))
    }

    /// Of two that exclude each other: the first of the layer that has either.
    fn either(&self, first: &str, second: &str) -> Option<Either<'_>> {
        self.ordered().into_iter().find_map(|layer| match (layer.get(first), layer.get(second)) {
            (Some(value), _) => Some(Either::First(value)),
            (None, Some(value)) => Some(Either::Second(value)),
            (None, None) => None,
        })
    }

    /// The place in the order of the layer that has any of these.
    fn rank(&self, names: &[&str]) -> Option<usize> {
        self.ordered().iter().position(|layer| names.iter().any(|name| layer.get(name).is_some()))
    }

    /// A switch.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let layer = [&self.block, &self.env, &self.cloud];
        let Some((layer, value)) =
            layer.into_iter().find_map(|layer| Some((layer, layer.get(name)?)))
        else {
            return Ok(None);
        };
        match &*value.to_ascii_lowercase() {
            "1" | "t" | "true" | "y" | "yes" | "on" => Ok(Some(true)),
            "0" | "f" | "false" | "n" | "no" | "off" => Ok(Some(false)),
            _ => Err(at(
                Failure::new(
                    format!("`{}` in {} is `{value}`", layer.written(name), layer.name),
                    "Write `true` or `false`.",
                ),
                name,
            )),
        }
    }

    /// Keystone, with its version.
    pub(super) fn auth_url(&self, places: &Places<'_>) -> Result<Url, Failure> {
        let Some(written) = self.get("auth_url") else {
            let names = clouds::names(places);
            let clouds = match &*names {
                [] => String::new(),
                names => format!(" The clouds there are `{}`.", names.join("`, `")),
            };
            let detail = match self.cloud.values.is_empty() {
                true => format!(
                    "Set `auth_url` to the address of Keystone, or `cloud` to the name of an \
                     entry of a clouds.yaml; OS_AUTH_URL and OS_CLOUD do the same.{clouds}"
                ),
                false => format!("Neither {} nor OS_AUTH_URL has an auth_url.", self.cloud.name),
            };
            return Err(Failure::new("Where is the cloud? There is no auth_url", detail));
        };
        let wrong = |detail: &str| {
            at(Failure::new(format!("`{written}` is not an auth_url"), detail), "auth_url")
        };
        let example = "It is the address of Keystone, such as https://cloud.example:5000/v3.";
        let mut url = Url::parse(written).map_err(|_| wrong(example))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(example));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(at(
                Failure::new(
                    "The auth_url holds a user or password",
                    "Keystone takes them as `user_name` and `password`.",
                ),
                "auth_url",
            ));
        }
        // Keystone serves v3 at the root of what it serves, so nothing has to be asked.
        let path = url.path().trim_end_matches('/').to_owned();
        let base = path.strip_suffix("/v2.0").or_else(|| path.strip_suffix("/v3"));
        url.set_path(&format!("{}/v3", base.unwrap_or(&path)));
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }

    /// What we prove who we are with.
    pub(super) fn credential(&self) -> Result<Credential, Failure> {
        let kind = self.ordered().into_iter().find_map(|layer| layer.kind().transpose());
        let Some(kind) = kind.transpose()? else {
            let detail = "Give `user_name` and `password`, or `application_credential_id` and \
                          `application_credential_secret`, or a `token`: in the provider block, \
                          in the cloud's entry of clouds.yaml, or as OS_USERNAME, OS_PASSWORD and \
                          so on in the environment.";
            return Err(Failure::new("There is nothing to authenticate with", detail));
        };
        let secret = |name: &str| match self.get(name) {
            Some(secret) => Ok(Secret::new(secret)),
            None => Err(missing(name)),
        };
        Ok(match kind {
            Kind::Token => Credential::Token(secret(TOKEN)?),
            Kind::Password => Credential::Password {
                user: self.user()?,
                password: secret(PASSWORD)?,
                passcode: self.get(PASSCODE).map(Secret::new),
            },
            Kind::Totp => Credential::Totp { user: self.user()?, passcode: secret(PASSCODE)? },
            Kind::Application => {
                let [.., id, name] = APPLICATION;
                let which = match self.either(id, name) {
                    Some(Either::First(id)) => ApplicationCredential::Id(id.to_owned()),
                    Some(Either::Second(name)) => {
                        ApplicationCredential::Name { name: name.to_owned(), user: self.user()? }
                    }
                    None => return Err(missing(id)),
                };
                let [of_it, ..] = APPLICATION;
                Credential::Application { which, secret: secret(of_it)? }
            }
        })
    }

    fn user(&self) -> Result<User, Failure> {
        match self.either("user_id", "user_name") {
            Some(Either::First(id)) => Ok(User::Id(id.to_owned())),
            Some(Either::Second(name)) => {
                Ok(User::Name { name: name.to_owned(), domain: self.domain("user_domain") })
            }
            None => Err(missing("user_name")),
        }
    }

    /// The domain of a user or project: its own, else the one for all, else the default.
    fn domain(&self, of: &str) -> Domain {
        let own = self.either(&format!("{of}_id"), &format!("{of}_name"));
        match own.or_else(|| self.either("domain_id", "domain_name")) {
            Some(Either::First(id)) => Domain::Id(id.to_owned()),
            Some(Either::Second(name)) => Domain::Name(name.to_owned()),
            None => Domain::Id(self.get("default_domain").unwrap_or("default").to_owned()),
        }
    }

    /// What the token is for. A project wins over a domain, wherever they stand, since a domain may
    /// be there for the user's sake. The system wins over a project only of a lesser source.
    pub(super) fn scope(&self) -> Result<Scope, Failure> {
        let project = self.rank(&["tenant_id", "tenant_name"]);
        let system = match self.get("system_scope").map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "f" | "no" | "off") => None,
            Some("all" | "true" | "1" | "t" | "yes" | "on") => self.rank(&["system_scope"]),
            Some(other) => {
                let summary = format!("`system_scope` is `{other}`");
                return Err(at(Failure::new(summary, "There is only `all`."), "system_scope"));
            }
        };
        if let Some(system) = system
            && project.is_none_or(|project| system < project)
        {
            return Ok(Scope::System);
        }
        if let Some(project) = self.either("tenant_id", "tenant_name") {
            return Ok(Scope::Project(match project {
                Either::First(id) => Project::Id(id.to_owned()),
                Either::Second(name) => {
                    Project::Name { name: name.to_owned(), domain: self.domain("project_domain") }
                }
            }));
        }
        Ok(match self.either("domain_id", "domain_name") {
            Some(Either::First(id)) => Scope::Domain(Domain::Id(id.to_owned())),
            Some(Either::Second(name)) => Scope::Domain(Domain::Name(name.to_owned())),
            None => Scope::Unscoped,
        })
    }

    /// Which endpoints.
    pub(super) fn interface(&self) -> Result<Interface, Failure> {
        match self.local("endpoint_type") {
            None | Some("public" | "publicURL") => Ok(Interface::Public),
            Some("internal" | "internalURL") => Ok(Interface::Internal),
            Some("admin" | "adminURL") => Ok(Interface::Admin),
            Some(other) => Err(at(
                Failure::new(
                    format!("`{other}` is not an endpoint_type"),
                    "Write `public`, `internal` or `admin`.",
                ),
                "endpoint_type",
            )),
        }
    }

    /// Endpoints that the catalogue is not asked for.
    pub(super) fn endpoint_overrides(&self) -> BTreeMap<String, String> {
        let mut all = self.env.overrides.clone();
        all.extend(self.cloud.overrides.clone());
        all.extend(self.block.overrides.clone());
        all
    }

    /// Certificates, read.
    pub(super) fn tls(&self, places: &Places<'_>) -> Result<Tls, Failure> {
        let pem = |name: &str| -> Result<Option<String>, Failure> {
            let Some(written) = self.local(name) else { return Ok(None) };
            if written.contains("-----BEGIN ") {
                return Ok(Some(written.to_owned()));
            }
            let path = places.path(written);
            let text = (places.read)(&path).map_err(|error| {
                let detail = format!("{error}.");
                at(Failure::new(format!("Cannot read {name} `{}`", path.display()), detail), name)
            })?;
            match text.contains("-----BEGIN ") {
                true => Ok(Some(text)),
                false => Err(at(
                    Failure::new(
                        format!("There is nothing for `{name}` in `{}`", path.display()),
                        "It has to be in PEM form, which begins with `-----BEGIN`.",
                    ),
                    name,
                )),
            }
        };
        let identity = match (pem("cert")?, pem("key")?) {
            // A file may hold both.
            (Some(cert), None) if cert.contains("PRIVATE KEY-----") => {
                Some((cert.clone(), Secret::new(cert)))
            }
            (Some(cert), Some(key)) => Some((cert, Secret::new(key))),
            (None, None) => None,
            (Some(_), None) => return Err(missing("key")),
            (None, Some(_)) => return Err(missing("cert")),
        };
        let insecure = self.flag("insecure")?.unwrap_or(false);
        Ok(Tls { ca: pem("cacert_file")?, identity, insecure })
    }
}

enum Either<'a> {
    First(&'a str),
    Second(&'a str),
}

fn missing(name: &str) -> Failure {
    let variable = VARIABLES.iter().find(|(argument, _)| *argument == name);
    let variable = variable.and_then(|(_, names)| names.last()).copied().unwrap_or_default();
    let detail = format!(
        "Set it in the provider block, in the cloud's entry of clouds.yaml, or as {variable}."
    );
    at(Failure::new(format!("`{name}` is missing"), detail), name)
}
