//! The cloud's own interfaces, to look and to meddle behind plumb's back.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// Somebody who is signed in.
pub(crate) struct Api {
    agent: ureq::Agent,
    token: String,
    /// Addresses by service type, with their versions.
    services: BTreeMap<String, String>,
    pub(crate) project: String,
}

/// Keystone's address, and the password that everybody in the rig has.
pub(crate) fn rig() -> (String, String) {
    let path = crate::world::env("OS_CLIENT_CONFIG_FILE");
    let text = std::fs::read_to_string(path).unwrap();
    let find = |key: &str| {
        let mut lines = text.lines().map(str::trim);
        let found = lines.find_map(|it| it.strip_prefix(key)).unwrap();
        found.trim().trim_matches('"').to_owned()
    };
    (find("auth_url:"), find("password:"))
}

impl Api {
    pub(crate) fn admin() -> Api {
        let (_, password) = rig();
        Api::sign_in("admin", &password, "admin")
    }

    pub(crate) fn sign_in(user: &str, password: &str, project: &str) -> Api {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.build().into();
        let domain = json!({ "id": "default" });
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": {
                "user": { "name": user, "domain": domain, "password": password } } },
            "scope": { "project": { "name": project, "domain": domain } },
        }});
        let (keystone, _) = rig();
        let request = agent.post(format!("{keystone}/auth/tokens"));
        let mut answer = request.content_type("application/json").send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 201, "{user} cannot sign in: {text}");
        let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let said: Json = serde_json::from_str(&text).unwrap();
        let versions = [("network", "/v2.0"), ("image", "/v2"), ("identity", "/v3")];
        let services = said["token"]["catalog"].as_array().unwrap().iter().map(|service| {
            let kind = service["type"].as_str().unwrap();
            let endpoints = service["endpoints"].as_array().unwrap();
            let public = endpoints.iter().find(|it| it["interface"] == "public").unwrap();
            let url = public["url"].as_str().unwrap().trim_end_matches('/');
            let version = versions.iter().find(|it| it.0 == kind).map_or("", |it| it.1);
            let url = format!("{}{version}", url.trim_end_matches(version));
            (kind.to_owned(), url)
        });
        let services = services.collect();
        let project = said["token"]["project"]["id"].as_str().unwrap().to_owned();
        Api { agent, token, services, project }
    }

    /// Where a service is.
    pub(crate) fn service(&self, kind: &str) -> &str {
        &self.services[kind]
    }

    /// What lets one in.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Gives one member of an image of Glance's another value.
    pub(crate) fn patch(&self, service: &str, path: &str, member: &str, value: &Json) {
        let body = json!([{ "op": "replace", "path": member, "value": value }]);
        self.call("PATCH", service, path, Some(&body));
    }

    /// The status, and what was said.
    pub(crate) fn call(
        &self,
        method: &str,
        service: &str,
        path: &str,
        body: Option<&Json>,
    ) -> (u16, Json) {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.services[service]))
            .header("X-Auth-Token", &self.token)
            .header(
                "Content-Type",
                match method {
                    // Only Glance's.
                    "PATCH" => "application/openstack-images-v2.1-json-patch",
                    _ => "application/json",
                },
            );
        if service == "compute" {
            request = request.header("OpenStack-API-Version", "compute 2.90");
        }
        let body = body.map(Json::to_string).unwrap_or_default();
        let mut answer = self.agent.run(request.body(body).unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let said = serde_json::from_str(&text).unwrap_or(Json::String(text));
        (answer.status().as_u16(), said)
    }

    #[track_caller]
    fn done(&self, method: &str, service: &str, path: &str, body: Option<&Json>) -> Json {
        let (status, said) = self.call(method, service, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {said}");
        said
    }

    #[track_caller]
    pub(crate) fn get(&self, service: &str, path: &str) -> Json {
        self.done("GET", service, path, None)
    }

    /// The objects of a collection.
    #[track_caller]
    pub(crate) fn list(&self, service: &str, path: &str, key: &str) -> Vec<Json> {
        self.get(service, path)[key].as_array().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn post(&self, service: &str, path: &str, body: &Json) -> Json {
        self.done("POST", service, path, Some(body))
    }

    #[track_caller]
    pub(crate) fn put(&self, service: &str, path: &str, body: &Json) -> Json {
        self.done("PUT", service, path, Some(body))
    }

    #[track_caller]
    pub(crate) fn delete(&self, service: &str, path: &str) {
        self.done("DELETE", service, path, None);
    }
}
