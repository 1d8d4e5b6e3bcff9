//! Tokens: what is sent to get one, and what comes with it.

use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;
use serde_json::{Value as Json, json};

use crate::auth::{ApplicationCredential, Credential, Domain, Project, Scope, Secret, User};

/// What Keystone says about us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub user_id: String,
    pub user_name: String,
    pub user_domain_id: String,
    pub user_domain_name: String,
    /// Empty unless the scope is a project; so are the next three.
    pub project_id: String,
    pub project_name: String,
    pub project_domain_id: String,
    pub project_domain_name: String,
    /// Empty unless the scope is a domain.
    pub domain_id: String,
    pub domain_name: String,
    /// Ids and names.
    pub roles: Vec<(String, String)>,
    /// As Keystone writes it.
    pub expires_at: String,
    pub catalog: Vec<CatalogEntry>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CatalogEntry {
    pub id: String,
    /// Its type: `network`.
    pub service: String,
    pub name: String,
    pub endpoints: Vec<Endpoint>,
}

/// Where a service is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub id: String,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    pub region: String,
    pub region_id: String,
    pub url: String,
}

/// A token with what came with it.
#[derive(Debug)]
pub(super) struct Token {
    pub id: Secret,
    pub identity: Identity,
    /// How long it is good for, from when it came.
    pub lifetime: Duration,
}

/// The body that asks for a token.
pub(super) fn request(credential: &Credential, scope: &Scope) -> Json {
    let mut identity = match credential {
        Credential::Password { user: who, password, passcode } => {
            let mut with = user(who);
            with["password"] = password.reveal().into();
            let mut identity = json!({ "methods": ["password"], "password": { "user": with } });
            if let Some(passcode) = passcode {
                identity["methods"] = json!(["password", "totp"]);
                identity["totp"] = totp(who, passcode);
            }
            identity
        }
        Credential::Totp { user, passcode } => {
            json!({ "methods": ["totp"], "totp": totp(user, passcode) })
        }
        Credential::Token(token) => {
            json!({ "methods": ["token"], "token": { "id": token.reveal() } })
        }
        Credential::Application { which, secret } => {
            let mut with = match which {
                ApplicationCredential::Id(id) => json!({ "id": id }),
                ApplicationCredential::Name { name, user: of } => {
                    json!({ "name": name, "user": user(of) })
                }
            };
            with["secret"] = secret.reveal().into();
            json!({ "methods": ["application_credential"], "application_credential": with })
        }
    };
    let scope = match scope {
        Scope::Project(Project::Id(id)) => json!({ "project": { "id": id } }),
        Scope::Project(Project::Name { name, domain: of }) => {
            json!({ "project": { "name": name, "domain": domain(of) } })
        }
        Scope::Domain(of) => json!({ "domain": domain(of) }),
        Scope::System => json!({ "system": { "all": true } }),
        Scope::Unscoped => return json!({ "auth": { "identity": identity.take() } }),
    };
    json!({ "auth": { "identity": identity.take(), "scope": scope } })
}

fn totp(who: &User, passcode: &Secret) -> Json {
    let mut with = user(who);
    with["passcode"] = passcode.reveal().into();
    json!({ "user": with })
}

fn user(user: &User) -> Json {
    match user {
        User::Id(id) => json!({ "id": id }),
        User::Name { name, domain: of } => json!({ "name": name, "domain": domain(of) }),
    }
}

fn domain(domain: &Domain) -> Json {
    match domain {
        Domain::Id(id) => json!({ "id": id }),
        Domain::Name(name) => json!({ "name": name }),
    }
}

/// Whether another token can be had with the same credential.
pub(super) fn renews(credential: &Credential) -> bool {
    match credential {
        Credential::Password { passcode: None, .. } | Credential::Application { .. } => true,
        Credential::Password { passcode: Some(_), .. }
        | Credential::Token(_)
        | Credential::Totp { .. } => false,
    }
}

/// Reads the reply. `asked`: the token was made just now, and our clock does not matter. `None`: it
/// is not a token.
pub(super) fn read(id: &str, body: &Json, asked: bool, now: SystemTime) -> Option<Token> {
    let token = body.get("token").filter(|token| token.is_object())?;
    let text = |path: &str| text(token, path);
    let roles = items(token, "roles").map(|role| (field(role, "id"), field(role, "name")));
    let catalog = items(token, "catalog").map(|entry| CatalogEntry {
        id: field(entry, "id"),
        service: field(entry, "type"),
        name: field(entry, "name"),
        endpoints: items(entry, "endpoints").map(endpoint).collect(),
    });
    let identity = Identity {
        user_id: text("/user/id"),
        user_name: text("/user/name"),
        user_domain_id: text("/user/domain/id"),
        user_domain_name: text("/user/domain/name"),
        project_id: text("/project/id"),
        project_name: text("/project/name"),
        project_domain_id: text("/project/domain/id"),
        project_domain_name: text("/project/domain/name"),
        domain_id: text("/domain/id"),
        domain_name: text("/domain/name"),
        roles: roles.collect(),
        expires_at: text("/expires_at"),
        catalog: catalog.collect(),
    };
    let begin = match asked {
        true => time(&text("/issued_at")),
        false => None,
    };
    let begin = begin.or_else(|| now.duration_since(SystemTime::UNIX_EPOCH).ok())?;
    let lifetime = match time(&identity.expires_at) {
        Some(end) => end.saturating_sub(begin),
        // A token without an end: a 401 will tell.
        None => Duration::from_secs(3600),
    };
    Some(Token { id: Secret::new(id), identity, lifetime })
}

fn items<'a>(node: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> + use<'a> {
    node.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn field(node: &Json, key: &str) -> String {
    node.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn text(node: &Json, path: &str) -> String {
    node.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn endpoint(node: &Json) -> Endpoint {
    Endpoint {
        id: field(node, "id"),
        interface: field(node, "interface"),
        region: field(node, "region"),
        region_id: field(node, "region_id"),
        url: field(node, "url"),
    }
}

/// Time since 1970 of `2026-11-26T13:51:44.000000Z`.
fn time(text: &str) -> Option<Duration> {
    let text = text.trim_end_matches('Z');
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    u64::try_from(time.and_utc().timestamp()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let seconds = |text| time(text).map(|time| time.as_secs());
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T23:59:59.000000Z"), Some(951_868_799));
        assert_eq!(seconds("2026-11-26T13:51:44.123456Z"), Some(1_795_701_104));
        assert_eq!(seconds("2026-13-26T13:51:44Z"), None);
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn what_is_asked_for() {
        let named = || User::Name { name: "u".into(), domain: Domain::Id("d".into()) };
        let secret = || Secret::new("s");
        let by_name = ApplicationCredential::Name { name: "a".into(), user: named() };
        let user = json!({ "name": "u", "domain": { "id": "d" } });
        let with = |key: &str, value: &str| {
            let mut user = user.clone();
            user[key] = value.into();
            json!({ "user": user })
        };
        let table = [
            (
                Credential::Password { user: named(), password: secret(), passcode: None },
                json!({ "methods": ["password"], "password": with("password", "s") }),
            ),
            (
                Credential::Password {
                    user: named(),
                    password: secret(),
                    passcode: Some(Secret::new("1")),
                },
                json!({ "methods": ["password", "totp"], "password": with("password", "s"),
                        "totp": with("passcode", "1") }),
            ),
            (
                Credential::Totp { user: User::Id("i".into()), passcode: secret() },
                json!({ "methods": ["totp"], "totp": { "user": { "id": "i", "passcode": "s" } } }),
            ),
            (Credential::Token(secret()), json!({ "methods": ["token"], "token": { "id": "s" } })),
            (
                Credential::Application {
                    which: ApplicationCredential::Id("a".into()),
                    secret: secret(),
                },
                json!({ "methods": ["application_credential"],
                        "application_credential": { "id": "a", "secret": "s" } }),
            ),
            (
                Credential::Application { which: by_name, secret: secret() },
                json!({ "methods": ["application_credential"],
                        "application_credential": { "name": "a", "secret": "s", "user": user } }),
            ),
        ];
        for (credential, identity) in table {
            let body = request(&credential, &Scope::Unscoped);
            assert_eq!(body, json!({ "auth": { "identity": identity } }));
        }
        let project = Project::Name { name: "p".into(), domain: Domain::Name("d".into()) };
        let table = [
            (
                Scope::Project(project),
                json!({ "project": { "name": "p", "domain": { "name": "d" } } }),
            ),
            (Scope::Project(Project::Id("p".into())), json!({ "project": { "id": "p" } })),
            (Scope::Domain(Domain::Id("d".into())), json!({ "domain": { "id": "d" } })),
            (Scope::System, json!({ "system": { "all": true } })),
        ];
        for (scope, expected) in table {
            assert_eq!(request(&Credential::Token(secret()), &scope)["auth"]["scope"], expected);
        }
    }

    #[test]
    fn replies() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let read = |token: Json, asked| read("t", &json!({ "token": token }), asked, now);
        let times =
            json!({ "issued_at": "1970-01-01T00:01:30Z", "expires_at": "1970-01-01T00:02:00Z" });
        assert_eq!(read(times.clone(), true).unwrap().lifetime.as_secs(), 30);
        assert_eq!(read(times, false).unwrap().lifetime.as_secs(), 60);
        assert_eq!(read(json!({}), true).unwrap().lifetime.as_secs(), 3600);
        assert!(read(json!("x"), true).is_none());
        let token = read(json!({ "user": { "id": "u" } }), true).unwrap();
        assert_eq!(token.identity.user_id, "u");
        assert!(!format!("{:?}", Token { id: Secret::new("hidden"), ..token }).contains("hidden"));
    }
}
