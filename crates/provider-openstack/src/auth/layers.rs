//! What the block, `clouds.yaml` and the environment say, laid over each other.

use std::collections::BTreeMap;

use plumb_provider::Failure;
use reqwest::Url;

use super::clouds;
use super::yaml::{Content, Node};
use super::{
    ApplicationCredential, Arguments, Credential, Domain, Interface, Places, Project, Scope,
    Secret, Tls, User, at,
};

/// One source: values by the name of the argument. What is empty is not in it.
struct Layer {
    /// For messages: where the value stands.
    name: String,
    values: BTreeMap<&'static str, String>,
    overrides: BTreeMap<String, String>,
}

/// All three.
pub(super) struct Layers {
    block: Layer,
    cloud: Layer,
    env: Layer,
}

/// How a kind of credential is told apart.
const TOKEN: &str = "token";
const PASSWORD: &str = "password";
const PASSCODE: &str = "passcode";
const APPLICATION: [&str; 3] =
    ["application_credential_secret", "application_credential_id", "application_credential_name"];

/// Environment variables; of several the first that is set.
const VARIABLES: &[(&str, &[&str])] = &[
    ("auth_url", &["OS_AUTH_URL"]),
    ("region", &["OS_REGION_NAME"]),
    ("user_name", &["OS_USERNAME"]),
    ("user_id", &["OS_USER_ID"]),
    ("tenant_name", &["OS_TENANT_NAME", "OS_PROJECT_NAME"]),
    ("tenant_id", &["OS_TENANT_ID", "OS_PROJECT_ID"]),
    ("password", &["OS_PASSWORD"]),
    ("token", &["OS_TOKEN", "OS_AUTH_TOKEN"]),
    ("passcode", &["OS_PASSCODE"]),
    ("user_domain_name", &["OS_USER_DOMAIN_NAME"]),
    ("user_domain_id", &["OS_USER_DOMAIN_ID"]),
    ("project_domain_name", &["OS_PROJECT_DOMAIN_NAME"]),
    ("project_domain_id", &["OS_PROJECT_DOMAIN_ID"]),
    ("domain_name", &["OS_DOMAIN_NAME"]),
    ("domain_id", &["OS_DOMAIN_ID"]),
    ("default_domain", &["OS_DEFAULT_DOMAIN"]),
    ("application_credential_id", &["OS_APPLICATION_CREDENTIAL_ID"]),
    ("application_credential_name", &["OS_APPLICATION_CREDENTIAL_NAME"]),
    ("application_credential_secret", &["OS_APPLICATION_CREDENTIAL_SECRET"]),
    ("system_scope", &["OS_SYSTEM_SCOPE"]),
    ("insecure", &["OS_INSECURE"]),
    ("cacert_file", &["OS_CACERT"]),
    ("cert", &["OS_CERT"]),
    ("key", &["OS_KEY"]),
    ("endpoint_type", &["OS_ENDPOINT_TYPE", "OS_INTERFACE"]),
    ("auth_type", &["OS_AUTH_TYPE"]),
    ("allow_reauth", &["OS_ALLOW_REAUTH"]),
    ("delayed_auth", &["OS_DELAYED_AUTH"]),
];

/// Keys of a cloud's `auth`, or of the cloud itself. Of several the first that is there.
const KEYS: &[(&str, &[&str])] = &[
    ("auth_url", &["auth_url"]),
    ("user_name", &["username", "user_name"]),
    ("user_id", &["user_id"]),
    ("tenant_name", &["project_name", "tenant_name"]),
    ("tenant_id", &["project_id", "tenant_id"]),
    ("password", &["password"]),
    ("token", &["token"]),
    ("passcode", &["passcode"]),
    ("user_domain_name", &["user_domain_name"]),
    ("user_domain_id", &["user_domain_id"]),
    ("project_domain_name", &["project_domain_name"]),
    ("project_domain_id", &["project_domain_id"]),
    ("domain_name", &["domain_name"]),
    ("domain_id", &["domain_id"]),
    ("default_domain", &["default_domain"]),
    ("application_credential_id", &["application_credential_id"]),
    ("application_credential_name", &["application_credential_name"]),
    ("application_credential_secret", &["application_credential_secret"]),
    ("system_scope", &["system_scope"]),
    ("allow_reauth", &["allow_reauth"]),
    ("region", &["region_name"]),
    ("insecure", &["insecure"]),
    ("cacert_file", &["cacert"]),
    ("cert", &["cert"]),
    ("key", &["key"]),
    ("endpoint_type", &["endpoint_type", "interface"]),
    ("auth_type", &["auth_type"]),
];

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

enum Kind {
    Password,
    Token,
    Application,
    Totp,
}

impl Layer {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The kind of credential that this source asks for.
    fn kind(&self) -> Result<Option<Kind>, Failure> {
        let has = |name: &str| self.get(name).is_some();
        let kind = match self.get("auth_type") {
            Some("password" | "v3password" | "v2password") => Some(Kind::Password),
            Some("token" | "v3token" | "v2token") => Some(Kind::Token),
            Some("v3applicationcredential") => Some(Kind::Application),
            Some("v3totp") => Some(Kind::Totp),
            Some(other) => {
                let detail = "Known are `password`, `token`, `v3applicationcredential` and \
                              `v3totp`, the first two also with `v3` before them.";
                let summary =
                    format!("`{}` in {} is `{other}`", self.written("auth_type"), self.name);
                return Err(Failure::new(summary, detail));
            }
            None if APPLICATION.iter().any(|name| has(name)) => Some(Kind::Application),
            None if has(TOKEN) => Some(Kind::Token),
            None if has(PASSWORD) => Some(Kind::Password),
            None if has(PASSCODE) => Some(Kind::Totp),
            None => None,
        };
        Ok(kind)
    }

    /// What the argument is called here.
    fn written(&self, name: &str) -> String {
        let env = self.name == ENVIRONMENT;
        let variables = VARIABLES.iter().find(|(argument, _)| env && *argument == name);
        let variable = variables.and_then(|(_, variables)| variables.first());
        variable.map_or(name, |variable| variable).to_owned()
    }
}

const ENVIRONMENT: &str = "the environment";

fn missing(name: &str) -> Failure {
    let variable = VARIABLES.iter().find(|(argument, _)| *argument == name);
    let variable = variable.and_then(|(_, names)| names.last()).copied().unwrap_or_default();
    let detail = format!(
        "Set it in the provider block, in the cloud's entry of clouds.yaml, or as {variable}."
    );
    at(Failure::new(format!("`{name}` is missing"), detail), name)
}

fn block(arguments: &Arguments) -> Layer {
    let Arguments {
        auth_url,
        cloud: _,
        region,
        user_name,
        user_id,
        tenant_name,
        tenant_id,
        password,
        token,
        passcode,
        user_domain_name,
        user_domain_id,
        project_domain_name,
        project_domain_id,
        domain_name,
        domain_id,
        default_domain,
        application_credential_id,
        application_credential_name,
        application_credential_secret,
        system_scope,
        insecure,
        cacert_file,
        cert,
        key,
        endpoint_type,
        endpoint_overrides,
        max_retries: _,
        allow_reauth,
        delayed_auth,
        disable_no_cache_header: _,
        swauth: _,
    } = arguments;
    let texts = [
        ("auth_url", auth_url),
        ("region", region),
        ("user_name", user_name),
        ("user_id", user_id),
        ("tenant_name", tenant_name),
        ("tenant_id", tenant_id),
        ("password", password),
        ("token", token),
        ("passcode", passcode),
        ("user_domain_name", user_domain_name),
        ("user_domain_id", user_domain_id),
        ("project_domain_name", project_domain_name),
        ("project_domain_id", project_domain_id),
        ("domain_name", domain_name),
        ("domain_id", domain_id),
        ("default_domain", default_domain),
        ("application_credential_id", application_credential_id),
        ("application_credential_name", application_credential_name),
        ("application_credential_secret", application_credential_secret),
        ("cacert_file", cacert_file),
        ("cert", cert),
        ("key", key),
        ("endpoint_type", endpoint_type),
    ];
    let flags = [
        ("system_scope", system_scope),
        ("insecure", insecure),
        ("allow_reauth", allow_reauth),
        ("delayed_auth", delayed_auth),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
    let flags =
        flags.into_iter().filter_map(|(name, flag)| Some((name, flag.as_ref()?.to_string())));
    let values = texts.chain(flags).filter(|(_, value)| !value.is_empty()).collect();
    let overrides = endpoint_overrides.clone();
    Layer { name: "the provider block".to_owned(), values, overrides }
}

fn environment(env: &BTreeMap<String, String>) -> Layer {
    let filled = |name: &&str| env.get(*name).filter(|value| !value.is_empty()).cloned();
    let values = VARIABLES
        .iter()
        .filter_map(|(name, variables)| Some((*name, variables.iter().find_map(|v| filled(v))?)))
        .collect();
    let overrides = env
        .iter()
        .filter_map(|(name, value)| {
            let service = name.strip_prefix("OS_")?.strip_suffix("_ENDPOINT_OVERRIDE")?;
            (!value.is_empty()).then(|| (service_type(service), value.clone()))
        })
        .collect();
    Layer { name: ENVIRONMENT.to_owned(), values, overrides }
}

/// The entry of `clouds.yaml`, with what it says about the region.
fn entry(name: &str, region: Option<&str>, places: &Places<'_>) -> Result<Layer, Failure> {
    let found = clouds::find(name, places)?;
    let mut cloud = found.entry;
    let file = found.file.display().to_string();
    let region = region.or_else(|| cloud.get("region_name")?.text()).map(str::to_owned);
    if let Some((name, values)) = of_region(&cloud, region.as_deref()) {
        cloud = cloud.merged(values);
        if let (Content::Map(map), Some(line)) = (&mut cloud.content, region.is_none().then_some(1))
        {
            map.insert("region_name".to_owned(), Node { line, content: Content::Scalar(name) });
        }
    }
    let lookup = |keys: &[&str]| {
        let auth = cloud.get("auth");
        let nodes = [auth, Some(&cloud)].into_iter().flatten();
        nodes.flat_map(|node| keys.iter().filter_map(|key| node.get(key))).next()
    };
    let mut values = BTreeMap::new();
    for (argument, keys) in KEYS {
        let Some(node) = lookup(keys) else { continue };
        match node.text() {
            Some("") => {}
            Some(text) => {
                values.insert(*argument, text.to_owned());
            }
            None => {
                let summary = format!("`{file}:{}` cannot be understood", node.line);
                let detail = format!("`{}` of the cloud `{name}` is a text.", keys[0]);
                return Err(Failure::new(summary, detail));
            }
        }
    }
    if let Some(verify) = cloud.get("verify").and_then(Node::text)
        && !values.contains_key("insecure")
    {
        let insecure = match &*verify.to_ascii_lowercase() {
            "false" | "no" | "off" | "0" => "true",
            _ => "false",
        };
        values.insert("insecure", insecure.to_owned());
    }
    let overrides = cloud
        .map()
        .into_iter()
        .flatten()
        .filter_map(|(key, node)| {
            let service = key.strip_suffix("_endpoint_override")?;
            Some((service_type(service), node.text().filter(|text| !text.is_empty())?.to_owned()))
        })
        .collect();
    Ok(Layer { name: format!("the cloud `{name}` of `{file}`"), values, overrides })
}

/// The region that is meant, and what holds only in it; the first when none is named.
fn of_region(cloud: &Node, wanted: Option<&str>) -> Option<(String, Node)> {
    let regions = cloud.get("regions")?.list()?;
    let mut named = regions.iter().filter_map(|region| match &region.content {
        Content::Scalar(name) => Some((name.clone(), Node::null())),
        Content::Map(map) => {
            let values = map.get("values").cloned().unwrap_or_else(Node::null);
            Some((map.get("name")?.text()?.to_owned(), values))
        }
        Content::Null | Content::List(_) => None,
    });
    match wanted {
        None => named.next(),
        Some(wanted) => named.find(|(name, _)| name == wanted),
    }
}

/// `BLOCK_STORAGE` and `block_storage` are how `block-storage` is written in names.
fn service_type(written: &str) -> String {
    written.to_ascii_lowercase().replace('_', "-")
}
