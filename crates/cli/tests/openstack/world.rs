//! What the tests stand on: a folder with a configuration, the command, and a project of its own in
//! the rig's cloud.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::api::{Api, rig};

/// One configuration in a project of its own. Both go when it does.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// The project, and the user in it.
    pub(crate) name: String,
    pub(crate) api: Api,
    admin: Api,
    /// Options that every command gets that takes a plan's options.
    pub(crate) vars: Vec<String>,
    /// Variables of the environment besides those that name the cloud, or instead of them.
    pub(crate) env: BTreeMap<String, String>,
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A running command.
pub(crate) struct Running(Child);

/// Collections that a project's objects are in: service, path, key, and what names one.
const COLLECTIONS: &[(&str, &str, &str, &str)] = &[
    ("compute", "/servers/detail", "servers", "name"),
    ("compute", "/os-keypairs", "keypairs", "name"),
    ("compute", "/os-server-groups", "server_groups", "name"),
    ("volumev3", "/volumes", "volumes", "name"),
    ("image", "/images?owner=PROJECT", "images", "name"),
    ("image", "/images?owner=PROJECT&os_hidden=true", "images", "name"),
    ("network", "/floatingips?project_id=PROJECT", "floatingips", "floating_ip_address"),
    ("network", "/routers?project_id=PROJECT", "routers", "name"),
    ("network", "/trunks?project_id=PROJECT", "trunks", "name"),
    ("network", "/ports?project_id=PROJECT", "ports", "name"),
    ("network", "/networks?project_id=PROJECT", "networks", "name"),
    ("network", "/subnets?project_id=PROJECT", "subnets", "name"),
    ("network", "/subnetpools?project_id=PROJECT", "subnetpools", "name"),
    ("network", "/security-groups?project_id=PROJECT", "security_groups", "name"),
    ("network", "/address-groups?project_id=PROJECT", "address_groups", "name"),
];

pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the cloud with tests/rigs/openstack/up and eval what it prints")
    })
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

impl World {
    /// A world without files. What an earlier run left in its project is taken away.
    pub(crate) fn empty(name: &str) -> World {
        assert!(!name.contains('-'), "{name}: all that begins with `NAME-` is one world's");
        let name = format!("plumb-e2e-{name}");
        let admin = Api::admin();
        let (_, password) = rig();
        let project =
            ensure(&admin, "/projects", "projects", json!({ "project": { "name": name } }));
        let user = json!({ "user": { "name": name, "password": password } });
        let user = ensure(&admin, "/users", "users", user);
        for role in ["member", "reader"] {
            let found = admin.list("identity", &format!("/roles?name={role}"), "roles");
            let role = found[0]["id"].as_str().unwrap();
            admin.call(
                "PUT",
                "identity",
                &format!("/projects/{project}/users/{user}/roles/{role}"),
                None,
            );
        }
        let api = Api::sign_in(&name, &password, &name);
        let folder = tempfile::tempdir().unwrap();
        let world = World { folder, name, api, admin, vars: Vec::new(), env: BTreeMap::new() };
        world.clear();
        world
    }

    /// A world with a configuration. `PREFIX` in it is replaced.
    pub(crate) fn new(name: &str, config: &str) -> World {
        let world = World::empty(name);
        world.config(config);
        world
    }

    /// Another configuration.
    pub(crate) fn config(&self, config: &str) {
        let head = r#"
            terraform {
              required_providers {
                openstack = { source = "terraform-provider-openstack/openstack" }
              }
            }
            provider "openstack" {}
        "#;
        let config = match config.contains("required_providers") {
            true => config.to_owned(),
            false => head.to_owned() + config,
        };
        self.write("main.tf", &config.replace("PREFIX", &self.name));
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let (keystone, password) = rig();
        let planning = matches!(args[0], "plan" | "apply" | "destroy" | "refresh" | "import")
            && !args.iter().any(|it| it.ends_with(".plan") && !it.starts_with('-'));
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command
            .arg(args[0])
            .args(self.vars.iter().filter(|_| planning))
            .args(&args[1..])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", env("PATH"))
            .env("HOME", self.path())
            .env("OS_AUTH_URL", keystone)
            .env("OS_USERNAME", &self.name)
            .env("OS_PASSWORD", password)
            .env("OS_PROJECT_NAME", &self.name)
            .env("OS_USER_DOMAIN_ID", "default")
            .env("OS_PROJECT_DOMAIN_ID", "default")
            .env("OS_REGION_NAME", "RegionOne")
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs it; it has to succeed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).expect(0, args)
    }

    /// Runs it; it has to fail. What it said, on one line.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let said = self.run(args).expect(1, args);
        said.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running(self.command(args).spawn().unwrap())
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> String {
        self.ok(&["apply", "-auto-approve", "-no-color"])
    }

    #[track_caller]
    pub(crate) fn destroy(&self) -> String {
        self.ok(&["destroy", "-auto-approve", "-no-color"])
    }

    /// The plan has nothing to do.
    #[track_caller]
    pub(crate) fn nothing_to_do(&self) {
        let args = ["plan", "-detailed-exitcode", "-no-color"];
        self.run(&args).expect(0, &args);
    }

    /// The plan has something to do; its text.
    #[track_caller]
    pub(crate) fn plan(&self) -> String {
        let args = ["plan", "-detailed-exitcode", "-no-color"];
        self.run(&args).expect(2, &args)
    }

    /// Applies; nothing is left to do. What it said.
    #[track_caller]
    pub(crate) fn settle(&self) -> String {
        let said = self.apply();
        self.nothing_to_do();
        self.at_rest();
        said
    }

    /// Nobody works on the state, and nothing waits for the next command.
    #[track_caller]
    pub(crate) fn at_rest(&self) {
        let names = std::fs::read_dir(self.path()).unwrap();
        let names = names.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
        let left: Vec<_> = names
            .filter(|it| ["journal", "lock.info", ".tmp"].iter().any(|word| it.contains(word)))
            .collect();
        assert!(left.is_empty(), "left beside the state: {left:?}");
    }

    /// The attributes of an object, from the state file. Without a key it is the first instance.
    #[track_caller]
    pub(crate) fn attrs(&self, addr: &str) -> Json {
        let text = std::fs::read_to_string(self.path().join("terraform.tfstate")).unwrap();
        let state: Json = serde_json::from_str(&text).unwrap();
        let (kind, label) = addr.split_once('.').unwrap();
        let (label, key) = label.split_once('[').unwrap_or((label, ""));
        let key: Option<Json> = serde_json::from_str(key.trim_end_matches(']')).ok();
        let resources = state["resources"].as_array().unwrap();
        let found = resources
            .iter()
            .find(|it| it["type"] == kind && it["name"] == label && it["mode"] == "managed");
        let instances = found.and_then(|it| it["instances"].as_array()).into_iter().flatten();
        let mut instances =
            instances.filter(|it| key.is_none() || it.get("index_key") == key.as_ref());
        instances.next().unwrap_or_else(|| panic!("no {addr} in {state:#}"))["attributes"].clone()
    }

    /// Forgets an object and brings it in again: the plan has nothing to do.
    #[track_caller]
    pub(crate) fn imported(&self, addr: &str) {
        self.brought_in(addr);
        self.nothing_to_do();
    }

    /// The same, where the cloud does not tell all that is written: it is noted, and the object
    /// stays the same one.
    #[track_caller]
    pub(crate) fn imported_and_noted(&self, addr: &str) {
        let id = self.brought_in(addr);
        let plan = self.plan();
        assert!(plan.contains("0 to add, 1 to change, 0 to destroy"), "{plan}");
        self.settle();
        assert_eq!(self.id(addr), id);
    }

    #[track_caller]
    fn brought_in(&self, addr: &str) -> String {
        let id = self.id(addr);
        self.ok(&["state", "rm", addr]);
        self.ok(&["import", "-no-color", addr, &id]);
        id
    }

    /// Applies another configuration: the object stays the same one.
    #[track_caller]
    pub(crate) fn in_place(&self, addr: &str, changed: &str) {
        let id = self.id(addr);
        self.config(changed);
        let plan = self.plan();
        assert!(plan.contains("0 to add,") && plan.contains("0 to destroy"), "{plan}");
        self.settle();
        assert_eq!(self.id(addr), id, "it was changed in place");
    }

    /// The plan says that changes of these arguments, and of no other, need a new object.
    #[track_caller]
    pub(crate) fn replaces(&self, changed: &str, arguments: &[&str]) {
        self.config(changed);
        let plan = self.plan();
        let forced: Vec<_> =
            plan.lines().filter(|it| it.contains("# forces replacement")).collect();
        let told = |it: &&str| forced.iter().any(|line| line.contains(*it));
        assert!(forced.len() == arguments.len() && arguments.iter().all(told), "{plan}");
    }

    /// The same, and applying makes one.
    #[track_caller]
    pub(crate) fn anew(&self, addr: &str, changed: &str, arguments: &[&str]) {
        let id = self.id(addr);
        self.replaces(changed, arguments);
        self.settle();
        assert_ne!(self.id(addr), id);
    }

    #[track_caller]
    pub(crate) fn id(&self, addr: &str) -> String {
        self.attrs(addr)["id"].as_str().unwrap().to_owned()
    }

    /// What the cloud has of this world's, by collection.
    pub(crate) fn there(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut all = BTreeMap::new();
        for (service, path, key, name) in COLLECTIONS {
            let found = self.found(service, path, key);
            let mut names: Vec<String> =
                found.iter().map(|it| it[*name].as_str().unwrap_or_default().to_owned()).collect();
            names.sort();
            if !names.is_empty() {
                all.entry(*key).or_insert_with(Vec::new).extend(names);
            }
        }
        all
    }

    fn found(&self, service: &str, path: &str, key: &str) -> Vec<Json> {
        let path = path.replace("PROJECT", &self.api.project);
        let (status, said) = self.api.call("GET", service, &path, None);
        // A service may lack a collection: then nothing is in it.
        let found = if status == 404 { json!([]) } else { said[key].clone() };
        let mut found =
            found.as_array().unwrap_or_else(|| panic!("{path}: {status} {said}")).clone();
        found = found
            .into_iter()
            .map(|it| match it.get("keypair") {
                Some(inner) => inner.clone(),
                None => it,
            })
            .collect();
        // Nova lists for a moment what it has deleted.
        found.retain(|it| key != "servers" || it["status"] != "DELETED");
        // Neutron makes one for every project.
        found.retain(|it| key != "security_groups" || it["name"] != "default");
        found
    }

    /// Takes away whatever is in the project.
    pub(crate) fn clear(&self) {
        let delete = |service: &str, path: String| self.api.call("DELETE", service, &path, None);
        let id = |it: &Json| it["id"].as_str().unwrap_or_default().to_owned();
        let servers = self.found("compute", "/servers/detail", "servers");
        for it in &servers {
            delete("compute", format!("/servers/{}", id(it)));
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while !servers.is_empty() && !self.found("compute", "/servers/detail", "servers").is_empty()
        {
            assert!(Instant::now() < deadline, "servers do not go");
            std::thread::sleep(Duration::from_millis(500));
        }
        for (service, path, key, _) in COLLECTIONS {
            for it in self.found(service, path, key) {
                let bare = path.split('?').next().unwrap();
                match *key {
                    "servers" => continue,
                    "keypairs" => {
                        delete(service, format!("{bare}/{}", it["name"].as_str().unwrap()));
                        continue;
                    }
                    "images" => {
                        let path = format!("{bare}/{}", id(&it));
                        self.api.patch("image", &path, "/protected", &json!(false));
                    }
                    "floatingips" => {
                        let inside = format!("/floatingips/{}/port_forwardings", id(&it));
                        for it in self.found("network", &inside, "port_forwardings") {
                            delete("network", format!("{inside}/{}", id(&it)));
                        }
                    }
                    "routers" => {
                        let router = id(&it);
                        let body = json!({ "router": { "routes": [] } });
                        self.api.call("PUT", "network", &format!("/routers/{router}"), Some(&body));
                        let query = format!("/ports?device_id={router}");
                        for port in self.api.list("network", &query, "ports") {
                            let body = json!({ "port_id": port["id"] });
                            let path = format!("/routers/{router}/remove_router_interface");
                            self.api.call("PUT", "network", &path, Some(&body));
                        }
                    }
                    _ => {}
                }
                delete(service, format!("{bare}/{}", id(&it)));
            }
        }
    }

    /// Destroys what is left; the cloud keeps nothing.
    #[track_caller]
    pub(crate) fn end(&self) {
        self.destroy();
        assert_eq!(self.there(), BTreeMap::new());
        self.at_rest();
    }

    /// Nothing was made.
    #[track_caller]
    pub(crate) fn end_empty(&self) {
        assert_eq!(self.there(), BTreeMap::new());
        self.at_rest();
    }

    /// Sets how much of Neutron's the project may have.
    pub(crate) fn admin_quota(&self, quota: &Json) {
        let path = format!("/quotas/{}", self.api.project);
        self.admin.put("network", &path, &json!({ "quota": quota }));
    }

    /// The administrator.
    pub(crate) fn admin(&self) -> &Api {
        &self.admin
    }

    /// Takes away the flavors that have this world's name; tells which there were.
    pub(crate) fn clear_flavors(&self) -> Vec<String> {
        let all = self.admin.list("compute", "/flavors?is_public=None", "flavors");
        let ours = all.iter().filter(|it| it["name"].as_str().unwrap().starts_with(&self.name));
        let delete = |it: &Json| {
            self.admin.delete("compute", &format!("/flavors/{}", it["id"].as_str().unwrap()));
            it["name"].as_str().unwrap().to_owned()
        };
        ours.map(delete).collect()
    }

    /// The gateway of the network outside.
    pub(crate) fn outside_gateway(&self) -> String {
        let subnets =
            self.admin.list("network", "/subnets?fields=gateway_ip&fields=network_id", "subnets");
        let networks = self.admin.list("network", "/networks?name=public", "networks");
        let own = subnets.iter().find(|it| it["network_id"] == networks[0]["id"]).unwrap();
        own["gateway_ip"].as_str().unwrap().to_owned()
    }

    /// Runs a command where a server is.
    pub(crate) fn inside(&self, server: &str, command: &[&str]) -> Ran {
        let script = root().join("tests/rigs/openstack/in");
        Ran::from(Command::new(script).arg(server).args(command).output().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if std::env::var_os("PLUMB_E2E_KEEP").is_some() {
                let kept = self.path().with_extension("kept");
                let _ = std::fs::rename(self.path(), &kept);
                eprintln!("kept {} and project {}", kept.display(), self.name);
            }
            return;
        }
        self.clear();
    }
}

/// The identifier of what has this name in a collection of Keystone; made if it is not there.
fn ensure(admin: &Api, path: &str, key: &str, body: Json) -> String {
    let (one, wanted) = body.as_object().unwrap().iter().next().unwrap();
    let name = wanted["name"].as_str().unwrap();
    let found = admin.list("identity", &format!("{path}?name={name}"), key);
    let found = found.into_iter().next();
    let found = found.unwrap_or_else(|| admin.post("identity", path, &body)[one].clone());
    found["id"].as_str().unwrap().to_owned()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    /// Its output, if it ended like this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, args: &[&str]) -> String {
        let all = self.all();
        assert!(
            self.code == Some(code),
            "`plumb {}` ended with {:?}, not {code}\n{all}",
            args.join(" "),
            self.code,
        );
        if code == 0 { self.out } else { all }
    }

    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

impl Running {
    /// What it ended with, if it has.
    pub(crate) fn over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
    }

    pub(crate) fn wait(self) -> Ran {
        Ran::from(self.0.wait_with_output().unwrap())
    }
}

/// Waits for something that takes its time.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come to this: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether this machine gets an answer to a ping.
pub(crate) fn answers(address: &str) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-c1", "-W1", address]).output().unwrap().status.success()
}
