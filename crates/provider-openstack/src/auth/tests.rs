//! What wins over what: a few lines from each source in, settings out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

const CLOUDS: &str = r#"
clouds:
  lab: &lab
    auth_type: password
    auth: &auth
      auth_url: https://lab.example:5000
      username: file-user
      password: file-password
      project_name: file-project
      user_domain_name: Users
      project_domain_name: Projects
    region_name: FileRegion
    interface: internal
    verify: false
    network_endpoint_override: https://file.example:9696/v2.0
    identity_api_version: 3
  app:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://lab.example/identity/v3/
      application_credential_id: file-app
  app-name:
    auth:
      auth_url: https://lab.example/identity/v3/
      application_credential_name: file-app
      application_credential_secret: file-secret
      username: file-user
      domain_id: file-domain
  bare:
    auth: {auth_url: "https://lab.example:5000/v2.0"}
  many:
    <<: *lab
    region_name: null
    regions:
      - name: one
        values: {auth: {project_name: project-of-one}}
      - name: two
        values: {interface: admin}
      - three
  system:
    auth: {auth_url: "https://lab.example/v3", username: u, password: p, system_scope: all, user_domain_id: d}
  domain:
    auth: {auth_url: "https://lab.example/v3", username: u, password: p, domain_id: d}
  totp:
    auth_type: v3totp
    auth: {auth_url: "https://lab.example/v3", user_id: u, passcode: "123456"}
  public:
    profile: vendor
    auth: {username: u, password: p, project_id: x}
  lost-profile:
    profile: vendr
  strange:
    auth_type: v3kerberos
    auth: {auth_url: "https://lab.example/v3"}
"#;

const PUBLIC: &str = "
public-clouds:
  vendor:
    auth: {auth_url: 'https://vendor.example/v3', project_id: y}
    region_name: VendorRegion
";

#[derive(Default)]
struct Case<'a> {
    block: Arguments,
    env: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
}

fn decide(case: &Case<'_>) -> Result<Settings, Failure> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let env = case.env.iter().map(pair).collect();
    let mut files: BTreeMap<String, String> = [
        ("/etc/openstack/clouds.yaml", CLOUDS),
        ("/home/.config/openstack/clouds-public.yaml", PUBLIC),
    ]
    .iter()
    .map(pair)
    .collect();
    files.extend(case.files.iter().map(pair));
    let read = |path: &Path| {
        let text = path.to_str().and_then(|path| files.get(path)).cloned();
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    settings(&case.block, &env, &read, Path::new("/work"), Some(Path::new("/home")))
}

fn user(user: &User) -> String {
    match user {
        User::Id(id) => format!("#{id}"),
        User::Name { name, domain: of } => format!("{name}@{}", domain(of)),
    }
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Id(id) => format!("#{id}"),
        Domain::Name(name) => name.clone(),
    }
}

/// In few lines; secrets, too, so that one sees which was taken.
fn show(settings: &Settings) -> String {
    let credential = match &settings.credential {
        Credential::Password { user: who, password, passcode } => {
            let passcode = passcode.as_ref().map(|code| format!(" and {}", code.reveal()));
            format!("{} with {}{}", user(who), password.reveal(), passcode.unwrap_or_default())
        }
        Credential::Token(token) => format!("token {}", token.reveal()),
        Credential::Application { which: ApplicationCredential::Id(id), secret } => {
            format!("application #{id} with {}", secret.reveal())
        }
        Credential::Application {
            which: ApplicationCredential::Name { name, user: of },
            secret,
        } => format!("application {name} of {} with {}", user(of), secret.reveal()),
        Credential::Totp { user: who, passcode } => {
            format!("{} with passcode {}", user(who), passcode.reveal())
        }
    };
    let scope = match &settings.scope {
        Scope::Project(Project::Id(id)) => format!("project #{id}"),
        Scope::Project(Project::Name { name, domain: of }) => {
            format!("project {name}@{}", domain(of))
        }
        Scope::Domain(of) => format!("domain {}", domain(of)),
        Scope::System => "system".to_owned(),
        Scope::Unscoped => "unscoped".to_owned(),
    };
    let mut lines = vec![settings.auth_url.to_string(), credential, scope];
    lines.extend(settings.region.as_ref().map(|region| format!("region {region}")));
    if settings.interface != Interface::Public {
        lines.push(settings.interface.name().to_owned());
    }
    for (service, url) in &settings.endpoint_overrides {
        lines.push(format!("{service} at {url}"));
    }
    if settings.tls.insecure {
        lines.push("insecure".to_owned());
    }
    lines.extend(settings.tls.ca.as_ref().map(|ca| format!("ca {}", ca.trim())));
    if let Some((cert, key)) = &settings.tls.identity {
        lines.push(format!("cert {} key {}", cert.trim(), key.reveal().trim()));
    }
    lines.join("\n")
}

#[track_caller]
fn check(case: Case<'_>, expected: Expect) {
    let text = match decide(&case) {
        Ok(settings) => show(&settings),
        Err(failure) => {
            let path = failure.path.map(|path| format!("at {path}: ")).unwrap_or_default();
            format!("{path}{}\n{}", failure.summary, failure.detail)
        }
    };
    expected.assert_eq(&(text + "\n"));
}

fn cloud(name: &str) -> Arguments {
    Arguments { cloud: Some(name.to_owned()), ..Arguments::default() }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_environment_alone() {
    check(
        Case {
            env: &[
                ("OS_AUTH_URL", "http://127.0.0.1:5000/"),
                ("OS_USERNAME", "u"),
                ("OS_PASSWORD", "p"),
                ("OS_PROJECT_NAME", "t"),
                ("OS_DEFAULT_DOMAIN", "dd"),
                ("OS_REGION_NAME", "r"),
                ("OS_INTERFACE", "adminURL"),
                ("OS_INSECURE", "1"),
                ("OS_BLOCK_STORAGE_ENDPOINT_OVERRIDE", "http://v/v3"),
            ],
            ..Case::default()
        },
        expect![[r#"
            http://127.0.0.1:5000/v3
            u@#dd with p
            project t@#dd
            region r
            admin
            block-storage at http://v/v3
            insecure
        "#]],
    );
    check(
        Case {
            env: &[("OS_AUTH_URL", "http://k/v3"), ("OS_AUTH_TOKEN", "t"), ("OS_USERNAME", "u")],
            ..Case::default()
        },
        expect![[r#"
            http://k/v3
            token t
            unscoped
        "#]],
    );
}

#[test]
fn a_cloud_alone() {
    check(
        Case { block: cloud("lab"), ..Case::default() },
        expect![[r#"
            https://lab.example:5000/v3
            file-user@Users with file-password
            project file-project@Projects
            region FileRegion
            internal
            network at https://file.example:9696/v2.0
            insecure
        "#]],
    );
    check(
        Case { env: &[("OS_CLOUD", "app-name")], ..Case::default() },
        expect![[r#"
            https://lab.example/identity/v3
            application file-app of file-user@#file-domain with file-secret
            unscoped
        "#]],
    );
    check(
        Case { block: cloud("system"), ..Case::default() },
        expect![[r#"
            https://lab.example/v3
            u@#d with p
            system
        "#]],
    );
    check(
        Case { block: cloud("domain"), ..Case::default() },
        expect![[r#"
            https://lab.example/v3
            u@#d with p
            domain #d
        "#]],
    );
    check(
        Case { block: cloud("totp"), ..Case::default() },
        expect![[r#"
            https://lab.example/v3
            #u with passcode 123456
            unscoped
        "#]],
    );
}

/// The environment fills what the cloud lacks of who we are, and wins in what is local.
#[test]
fn a_cloud_and_the_environment() {
    check(
        Case {
            block: cloud("lab"),
            env: &[
                ("OS_AUTH_URL", "https://env.example/v3"),
                ("OS_USER_ID", "env-user"),
                ("OS_TOKEN", "env-token"),
                ("OS_APPLICATION_CREDENTIAL_ID", "env-app"),
                ("OS_PROJECT_ID", "env-project"),
                ("OS_REGION_NAME", "EnvRegion"),
                ("OS_ENDPOINT_TYPE", "public"),
                ("OS_INSECURE", "false"),
                ("OS_NETWORK_ENDPOINT_OVERRIDE", "http://env/"),
                ("OS_IMAGE_ENDPOINT_OVERRIDE", "http://env/"),
            ],
            ..Case::default()
        },
        expect![[r#"
            https://lab.example:5000/v3
            file-user@Users with file-password
            project file-project@Projects
            region EnvRegion
            image at http://env/
            network at https://file.example:9696/v2.0
        "#]],
    );
    check(
        Case {
            block: cloud("app"),
            env: &[("OS_APPLICATION_CREDENTIAL_SECRET", "env-secret"), ("OS_PROJECT_ID", "x")],
            ..Case::default()
        },
        expect![[r#"
            https://lab.example/identity/v3
            application #file-app with env-secret
            unscoped
        "#]],
    );
    check(
        Case {
            block: cloud("bare"),
            env: &[("OS_USERNAME", "u"), ("OS_PASSWORD", "p"), ("OS_TENANT_NAME", "t")],
            ..Case::default()
        },
        expect![[r#"
            https://lab.example:5000/v3
            u@#default with p
            project t@#default
        "#]],
    );
}

#[test]
fn the_block_wins() {
    let block = Arguments {
        user_id: some("block-user"),
        password: some("block-password"),
        passcode: some("42"),
        tenant_id: some("block-project"),
        endpoint_type: some("public"),
        insecure: Some(false),
        region: some("BlockRegion"),
        endpoint_overrides: [("network".to_owned(), "http://block/".to_owned())].into(),
        ..cloud("lab")
    };
    check(
        Case { block, env: &[("OS_REGION_NAME", "EnvRegion")], ..Case::default() },
        expect![[r#"
            https://lab.example:5000/v3
            #block-user with block-password and 42
            project #block-project
            region BlockRegion
            network at http://block/
        "#]],
    );
    // A cloud of the environment is filled in below what is written.
    let block = Arguments { token: some("block-token"), ..Arguments::default() };
    check(
        Case { block, env: &[("OS_CLOUD", "lab"), ("OS_SYSTEM_SCOPE", "all")], ..Case::default() },
        expect![[r#"
            https://lab.example:5000/v3
            token block-token
            project file-project@Projects
            region FileRegion
            internal
            network at https://file.example:9696/v2.0
            insecure
        "#]],
    );
    let block = Arguments { system_scope: Some(true), ..cloud("lab") };
    assert_eq!(decide(&Case { block, ..Case::default() }).unwrap().scope, Scope::System);
    let block = Arguments { system_scope: Some(false), ..cloud("system") };
    assert_eq!(decide(&Case { block, ..Case::default() }).unwrap().scope, Scope::Unscoped);
}

#[test]
fn regions_have_values_of_their_own() {
    let region = |name: Option<&str>| {
        let region = name.map(str::to_owned);
        let block = Arguments { region, ..cloud("many") };
        let settings = decide(&Case { block, ..Case::default() }).unwrap();
        let Scope::Project(Project::Name { name, .. }) = settings.scope else { panic!("scope") };
        (settings.region.unwrap(), settings.interface.name(), name)
    };
    let one = ("one".to_owned(), "internal", "project-of-one".to_owned());
    assert_eq!(region(None), one);
    assert_eq!(region(Some("one")), one);
    assert_eq!(region(Some("two")), ("two".to_owned(), "admin", "file-project".to_owned()));
    assert_eq!(region(Some("three")), ("three".to_owned(), "internal", "file-project".to_owned()));
}

#[test]
fn files_are_looked_for_and_merged() {
    // The nearest clouds.yaml counts alone; secure.yaml wins.
    let near = "clouds: {lab: {auth: {auth_url: 'http://near/', username: u, password: near}}}";
    let secure = "clouds: {lab: {auth: {password: secret, project_id: x}}}";
    check(
        Case {
            block: cloud("lab"),
            files: &[("/work/clouds.yml", near), ("/home/.config/openstack/secure.yaml", secure)],
            ..Case::default()
        },
        expect![[r#"
            http://near/v3
            u@#default with secret
            project #x
        "#]],
    );
    check(
        Case {
            block: cloud("lab"),
            env: &[("OS_CLIENT_CONFIG_FILE", "~/here")],
            files: &[("/work/clouds.yaml", ":"), ("/home/here", near)],
        },
        expect![[r#"
            http://near/v3
            u@#default with near
            unscoped
        "#]],
    );
    check(
        Case { block: cloud("public"), ..Case::default() },
        expect![[r#"
            https://vendor.example/v3
            u@#default with p
            project #x
            region VendorRegion
        "#]],
    );
}

#[test]
fn certificates_are_paths_or_texts() {
    let pem = |what: &str| format!("-----BEGIN {what}-----\n");
    let block = Arguments {
        cacert_file: Some(pem("A")),
        cert: some("mine.pem"),
        key: some("~/mine.key"),
        ..cloud("bare")
    };
    check(
        Case {
            block,
            env: &[("OS_TOKEN", "t"), ("OS_CACERT", "/nowhere")],
            files: &[("/work/mine.pem", &pem("B")), ("/home/mine.key", &pem("C"))],
        },
        expect![[r#"
            https://lab.example:5000/v3
            token t
            unscoped
            ca -----BEGIN A-----
            cert -----BEGIN B----- key -----BEGIN C-----
        "#]],
    );
    check(
        Case {
            block: cloud("lab"),
            env: &[("OS_CACERT", "ca.pem")],
            files: &[("/work/ca.pem", "not a certificate")],
        },
        expect![[r#"
            at .cacert_file: There is nothing for `cacert_file` in `/work/ca.pem`
            It has to be in PEM form, which begins with `-----BEGIN`.
        "#]],
    );
    check(
        Case { block: cloud("lab"), env: &[("OS_CACERT", "ca.pem")], ..Case::default() },
        expect![[r#"
            at .cacert_file: Cannot read cacert_file `/work/ca.pem`
            entity not found.
        "#]],
    );
    check(
        Case { block: cloud("lab"), env: &[("OS_CERT", &pem("X"))], ..Case::default() },
        expect![[r#"
            at .key: `key` is missing
            Set it in the provider block, in the cloud's entry of clouds.yaml, or as OS_KEY.
        "#]],
    );
}

#[test]
fn mistakes() {
    check(
        Case::default(),
        expect![[r#"
            There is nothing to authenticate with
            Give `user_name` and `password`, or `application_credential_id` and `application_credential_secret`, or a `token`: in the provider block, in the cloud's entry of clouds.yaml, or as OS_USERNAME, OS_PASSWORD and so on in the environment.
        "#]],
    );
    check(
        Case { env: &[("OS_TOKEN", "t")], ..Case::default() },
        expect![[r#"
            Where is the cloud? There is no auth_url
            Set `auth_url` to the address of Keystone, or `cloud` to the name of an entry of a clouds.yaml; OS_AUTH_URL and OS_CLOUD do the same. The clouds there are `app`, `app-name`, `bare`, `domain`, `lab`, `lost-profile`, `many`, `public`, `strange`, `system`, `totp`.
        "#]],
    );
    check(
        Case { block: cloud("publik"), ..Case::default() },
        expect![[r#"
            at .cloud: There is no cloud `publik`
            `/etc/openstack/clouds.yaml` has `app`, `app-name`, `bare`, `domain`, `lab`, `lost-profile`, `many`, `public`, `strange`, `system`, `totp`. Did you mean `public`?
        "#]],
    );
    check(
        Case {
            block: cloud("x"),
            env: &[("OS_CLIENT_CONFIG_FILE", "/gone.yaml")],
            files: &[("/work/clouds.yaml", "")],
        },
        expect![[r#"
            at .cloud: There is no cloud `x`
            `/work/clouds.yaml` names no clouds. OS_CLIENT_CONFIG_FILE names `/gone.yaml`, which is not there.
        "#]],
    );
    check(
        Case {
            block: cloud("x"),
            files: &[("/work/clouds.yaml", "clouds:\n  x:\n    auth: [1\n    b: 2\n")],
            ..Case::default()
        },
        expect![[r#"
            `/work/clouds.yaml:4` cannot be understood
            Illegal placement of ':' indicator.
        "#]],
    );
    check(
        Case {
            block: cloud("x"),
            files: &[("/work/clouds.yaml", "clouds:\n  x:\n    auth: secret\n")],
            ..Case::default()
        },
        expect![[r#"
            `/work/clouds.yaml:3` cannot be understood
            The cloud `x` and its `auth` are mappings.
        "#]],
    );
    check(
        Case { block: cloud("lost-profile"), ..Case::default() },
        expect![[r#"
            The profile `vendr` of the cloud `lost-profile` is not known
            `/home/.config/openstack/clouds-public.yaml` has only `vendor`. Did you mean `vendor`?
        "#]],
    );
    check(
        Case { block: cloud("strange"), ..Case::default() },
        expect![[r#"
            `auth_type` in the cloud `strange` of `/etc/openstack/clouds.yaml` is `v3kerberos`
            Known are `password`, `token`, `v3applicationcredential` and `v3totp`, the first two also with `v3` before them.
        "#]],
    );
    check(
        Case { env: &[("OS_CLOUD", "lab"), ("OS_INSECURE", "perhaps")], ..Case::default() },
        expect![[r#"
            at .insecure: `OS_INSECURE` in the environment is `perhaps`
            Write `true` or `false`.
        "#]],
    );
    check(
        Case { env: &[("OS_AUTH_URL", "cloud:5000"), ("OS_TOKEN", "t")], ..Case::default() },
        expect![[r#"
            at .auth_url: `cloud:5000` is not an auth_url
            It is the address of Keystone, such as https://cloud.example:5000/v3.
        "#]],
    );
    check(
        Case { block: Arguments { password: some("p"), ..cloud("bare") }, ..Case::default() },
        expect![[r#"
            at .user_name: `user_name` is missing
            Set it in the provider block, in the cloud's entry of clouds.yaml, or as OS_USERNAME.
        "#]],
    );
    check(
        Case {
            block: Arguments { endpoint_type: some("outer"), ..cloud("lab") },
            ..Case::default()
        },
        expect![[r#"
            at .endpoint_type: `outer` is not an endpoint_type
            Write `public`, `internal` or `admin`.
        "#]],
    );
}

#[test]
fn secrets_are_not_shown() {
    let block = Arguments {
        passcode: some("secret-1"),
        key: some("-----BEGIN secret-2"),
        cert: some("-----BEGIN C"),
        password: some("secret-3"),
        ..cloud("lab")
    };
    let env = &[("https_proxy", "http://u:secret-4@proxy"), ("no_proxy", "lab.example")];
    let settings = decide(&Case { block, env, ..Case::default() }).unwrap();
    assert!(settings.proxies.https.is_some());
    let text = format!("{settings:?}");
    assert!(!text.contains("secret-"), "{text}");
    assert!(!text.contains("file-password"), "{text}");
}
