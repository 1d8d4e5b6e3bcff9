//! The three places that settings come from, each read into the same form.

use std::collections::BTreeMap;

use plumb_provider::Failure;

use super::yaml::{Content, Node};
use super::{Arguments, Places, clouds};

/// One source: values by the name of the argument. What is empty is not in it.
pub(super) struct Layer {
    /// For messages: where the value stands.
    pub name: String,
    pub values: BTreeMap<&'static str, String>,
    pub overrides: BTreeMap<String, String>,
}

/// How a kind of credential is told apart.
pub(super) const TOKEN: &str = "token";
pub(super) const PASSWORD: &str = "password";
pub(super) const PASSCODE: &str = "passcode";
pub(super) const APPLICATION: [&str; 3] =
    ["application_credential_secret", "application_credential_id", "application_credential_name"];

/// Environment variables; of several the first that is set.
pub(super) const VARIABLES: &[(&str, &[&str])] = &[
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

/// Kinds of credentials.
pub(super) enum Kind {
    Password,
    Token,
    Application,
    Totp,
}

impl Layer {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The kind of credential that this source asks for.
    pub(super) fn kind(&self) -> Result<Option<Kind>, Failure> {
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
    pub(super) fn written(&self, name: &str) -> String {
        let env = self.name == ENVIRONMENT;
        let variables = VARIABLES.iter().find(|(argument, _)| env && *argument == name);
        let variable = variables.and_then(|(_, variables)| variables.first());
        variable.map_or(name, |variable| variable).to_owned()
    }
}

const ENVIRONMENT: &str = "the environment";

/// What the provider block says.
pub(super) fn block(arguments: &Arguments) -> Layer {
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
        disable_no_cache_header: _,
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
    let flags =
        [("system_scope", system_scope), ("insecure", insecure), ("allow_reauth", allow_reauth)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
    let flags =
        flags.into_iter().filter_map(|(name, flag)| Some((name, flag.as_ref()?.to_string())));
    let values = texts.chain(flags).filter(|(_, value)| !value.is_empty()).collect();
    let overrides = endpoint_overrides.clone();
    Layer { name: "the provider block".to_owned(), values, overrides }
}

/// What the environment says.
pub(super) fn environment(env: &BTreeMap<String, String>) -> Layer {
    let filled = |name: &&str| env.get(*name).filter(|value| !value.is_empty()).cloned();
    let values = VARIABLES
        .iter()
        .filter_map(|(name, variables)| Some((*name, variables.iter().find_map(&filled)?)))
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
pub(super) fn entry(
    name: &str,
    region: Option<&str>,
    places: &Places<'_>,
) -> Result<Layer, Failure> {
    let found = clouds::find(name, places)?;
    let mut cloud = found.entry;
    let file = found.file.display().to_string();
    let region = region.or_else(|| cloud.get("region_name")?.text()).map(str::to_owned);
    if let Some((region, values)) = of_region(&cloud, region.as_deref()) {
        cloud = cloud.merged(values);
        if let Content::Map(map) = &mut cloud.content {
            let content = Content::Scalar(region);
            map.insert("region_name".to_owned(), Node { line: 1, content });
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
