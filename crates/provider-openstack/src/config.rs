//! The `provider` block.

use std::sync::LazyLock;

use plumb_model::schema::Block;
use plumb_model::value::{Type, Value};
use plumb_provider::{Edge, Failure};

use crate::auth::{Arguments, Settings, settings as merged};
use crate::table::{Table, opt, string_map};

pub(crate) const SOURCE: &str = "registry.terraform.io/terraform-provider-openstack/openstack";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = |name, says| opt(name, Type::String, says);
    let flag = |name, says| opt(name, Type::Bool, says);
    Table::new(
        "openstack",
        "An OpenStack cloud. What is left out comes from the entry of clouds.yaml that `cloud` names, then from the environment.",
        vec![
            text("auth_url", "Keystone's address. Else OS_AUTH_URL."),
            text("region", "The region. Else OS_REGION_NAME."),
            text("user_name", "The user. Else OS_USERNAME."),
            text("user_id", "The user's identifier. Else OS_USER_ID."),
            text("application_credential_id", "Else OS_APPLICATION_CREDENTIAL_ID."),
            text("application_credential_name", "Else OS_APPLICATION_CREDENTIAL_NAME."),
            text("application_credential_secret", "Else OS_APPLICATION_CREDENTIAL_SECRET.")
                .sensitive(),
            text("tenant_id", "The project's identifier. Else OS_PROJECT_ID or OS_TENANT_ID."),
            text("tenant_name", "The project. Else OS_PROJECT_NAME or OS_TENANT_NAME."),
            text("password", "Else OS_PASSWORD.").sensitive(),
            text("token", "A token instead of a password. Else OS_TOKEN or OS_AUTH_TOKEN.")
                .sensitive(),
            text("passcode", "A one-time password (TOTP). Else OS_PASSCODE.").sensitive(),
            text("user_domain_name", "Where the user lives. Else OS_USER_DOMAIN_NAME."),
            text("user_domain_id", "Else OS_USER_DOMAIN_ID."),
            text("project_domain_name", "Where the project lives. Else OS_PROJECT_DOMAIN_NAME."),
            text("project_domain_id", "Else OS_PROJECT_DOMAIN_ID."),
            text(
                "domain_id",
                "A domain as the scope, and where user and project live. Else OS_DOMAIN_ID.",
            ),
            text("domain_name", "Else OS_DOMAIN_NAME."),
            text(
                "default_domain",
                "Where user and project live if nothing else says so. Else OS_DEFAULT_DOMAIN, else `default`.",
            ),
            flag("system_scope", "The whole system as the scope. Else OS_SYSTEM_SCOPE."),
            flag("insecure", "Do not check certificates. Else OS_INSECURE."),
            text(
                "endpoint_type",
                "`public`, `internal` or `admin`. Else OS_ENDPOINT_TYPE, else public.",
            ),
            text(
                "cacert_file",
                "The authority that signed the certificates: a file, or its text. Else OS_CACERT.",
            ),
            text("cert", "Our certificate: a file, or its text. Else OS_CERT."),
            text("key", "Our key: a file, or its text. Else OS_KEY.").sensitive(),
            flag("swauth", "Accepted and without effect."),
            flag(
                "delayed_auth",
                "Accepted and without effect: what needs no cloud signs in to none.",
            ),
            flag("allow_reauth", "Get a new token when one ends. Else OS_ALLOW_REAUTH, else yes."),
            text("cloud", "The entry of clouds.yaml. Else OS_CLOUD."),
            opt(
                "max_retries",
                Type::Number,
                "How often a request that nothing came of is tried again.",
            ),
            opt(
                "endpoint_overrides",
                string_map(),
                "Addresses of services instead of the catalogue's, by type: network, compute, image, …",
            ),
            flag("disable_no_cache_header", "Let caches on the way answer."),
            flag("enable_logging", "Accepted and without effect."),
        ],
    )
});

/// What it takes.
pub(crate) fn block() -> Block {
    TABLE.schema().block
}

/// What it comes to, with files and environment.
pub(crate) fn settings(config: &Value, edge: &Edge) -> Result<Settings, Failure> {
    let get = |name: &str| config.get_attr(name).filter(|it| it.is_present());
    let text =
        |name| get(name).and_then(Value::as_str).map(str::to_owned).filter(|it| !it.is_empty());
    let flag = |name| get(name).and_then(Value::as_bool);
    let overrides = get("endpoint_overrides").and_then(Value::as_map).into_iter().flatten();
    let overrides =
        overrides.filter_map(|(key, it)| Some((key.to_string(), it.as_str()?.to_owned())));
    let arguments = Arguments {
        auth_url: text("auth_url"),
        cloud: text("cloud"),
        region: text("region"),
        user_name: text("user_name"),
        user_id: text("user_id"),
        tenant_name: text("tenant_name"),
        tenant_id: text("tenant_id"),
        password: text("password"),
        token: text("token"),
        passcode: text("passcode"),
        user_domain_name: text("user_domain_name"),
        user_domain_id: text("user_domain_id"),
        project_domain_name: text("project_domain_name"),
        project_domain_id: text("project_domain_id"),
        domain_name: text("domain_name"),
        domain_id: text("domain_id"),
        default_domain: text("default_domain"),
        application_credential_id: text("application_credential_id"),
        application_credential_name: text("application_credential_name"),
        application_credential_secret: text("application_credential_secret"),
        system_scope: flag("system_scope"),
        insecure: flag("insecure"),
        cacert_file: text("cacert_file"),
        cert: text("cert"),
        key: text("key"),
        endpoint_type: text("endpoint_type"),
        endpoint_overrides: overrides.collect(),
        max_retries: get("max_retries").and_then(Value::as_i64).and_then(|it| it.try_into().ok()),
        allow_reauth: flag("allow_reauth"),
        disable_no_cache_header: flag("disable_no_cache_header"),
    };
    let read = |path: &std::path::Path| std::fs::read_to_string(path);
    merged(&arguments, &edge.env, &read, &edge.directory, edge.home.as_deref())
}
