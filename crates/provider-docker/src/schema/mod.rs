//! What the provider takes: names, types and flags, as data.
//!
//! An argument that the engine has its own default for has none here: left out, it is unmanaged.

mod container;
mod data;
mod image;
mod others;

use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, OnChange, Presence, ProviderSchema, ResourceSchema,
};
use plumb_model::value::{Type, Value};

pub(crate) const SOURCE: &str = "registry.terraform.io/kreuzwerker/docker";

/// Everything.
pub(crate) fn provider() -> ProviderSchema {
    let kinds = |list: Vec<(&str, ResourceSchema)>| {
        list.into_iter().map(|(name, it)| (Kind::new(name), Arc::new(it))).collect()
    };
    ProviderSchema {
        source: SOURCE.into(),
        name: "docker".into(),
        config: config(),
        resources: kinds(vec![
            ("docker_commit", others::commit()),
            ("docker_container", container::container()),
            ("docker_image", image::image()),
            ("docker_network", others::network()),
            ("docker_registry_image", others::registry_image()),
            ("docker_tag", others::tag()),
            ("docker_volume", others::volume()),
        ]),
        data: kinds(vec![
            ("docker_image", data::image()),
            ("docker_logs", data::logs()),
            ("docker_network", data::network()),
            ("docker_registry_image", data::registry_image()),
        ]),
    }
}

fn config() -> Block {
    block(
        vec![
            opt(
                "host",
                Type::String,
                "Where the engine is: unix:///path, tcp://host:port or ssh://user@host. Else DOCKER_HOST, else the local socket.",
            ),
            opt("context", Type::String, "Name of a context of the docker command line."),
            opt("ssh_opts", strings(), "Additional arguments of ssh."),
            opt(
                "ca_material",
                Type::String,
                "PEM text of the authority that signed the engine's certificate.",
            ),
            opt("cert_material", Type::String, "PEM text of our certificate."),
            opt("key_material", Type::String, "PEM text of our key.").sensitive(),
            opt("cert_path", Type::String, "Folder with ca.pem, cert.pem and key.pem."),
            opt(
                "disable_docker_daemon_check",
                Type::Bool,
                "Do not ask the engine for a sign of life before anything else.",
            ),
        ],
        vec![set(
            "registry_auth",
            vec![
                req("address", Type::String, "The registry: host, with or without scheme."),
                opt("username", Type::String, "Name at the registry."),
                opt("password", Type::String, "Password or access token.").sensitive(),
                opt("config_file", Type::String, "Another config.json to look into."),
                opt("config_file_content", Type::String, "The text of a config.json.").sensitive(),
                opt("auth_disabled", Type::Bool, "Use this registry without credentials."),
            ],
            vec![],
        )],
    )
}

/// A named attribute on its way into a block.
struct Attr(&'static str, Attribute);

/// A named nested block on its way into a block.
struct Nest(&'static str, NestedBlock);

impl Attr {
    /// A change needs a new object.
    fn replace(self) -> Attr {
        Attr(self.0, self.1.replace())
    }

    fn default(self, value: impl Into<Fixed>) -> Attr {
        Attr(self.0, Attribute { default: Some(value.into().0), ..self.1 })
    }

    fn sensitive(self) -> Attr {
        Attr(self.0, Attribute { sensitive: true, ..self.1 })
    }
}

/// A default.
struct Fixed(Value);

impl From<bool> for Fixed {
    fn from(value: bool) -> Fixed {
        Fixed(Value::bool(value))
    }
}

impl From<i64> for Fixed {
    fn from(value: i64) -> Fixed {
        Fixed(Value::number(value))
    }
}

impl From<&str> for Fixed {
    fn from(value: &str) -> Fixed {
        Fixed(Value::string(value))
    }
}

impl Nest {
    /// Any change needs a new object.
    fn replace(self) -> Nest {
        Nest(self.0, NestedBlock { on_change: OnChange::Replace, ..self.1 })
    }

    /// There is at most one.
    fn single(self) -> Nest {
        Nest(self.0, NestedBlock { max: 1, ..self.1 })
    }
}

fn attribute(name: &'static str, ty: Type, presence: Presence, says: &str) -> Attr {
    Attr(name, Attribute { description: says.into(), ..Attribute::new(ty, presence) })
}

fn req(name: &'static str, ty: Type, says: &str) -> Attr {
    attribute(name, ty, Presence::Required, says)
}

fn opt(name: &'static str, ty: Type, says: &str) -> Attr {
    attribute(name, ty, Presence::Optional, says)
}

fn opt_computed(name: &'static str, ty: Type, says: &str) -> Attr {
    attribute(name, ty, Presence::OptionalComputed, says)
}

fn computed(name: &'static str, ty: Type, says: &str) -> Attr {
    attribute(name, ty, Presence::Computed, says)
}

fn block(attributes: Vec<Attr>, blocks: Vec<Nest>) -> Block {
    Block::new(
        attributes.into_iter().map(|Attr(name, it)| (name.into(), it)).collect(),
        blocks.into_iter().map(|Nest(name, it)| (name.into(), it)).collect(),
    )
}

fn nest(name: &'static str, nesting: Nesting, attributes: Vec<Attr>, blocks: Vec<Nest>) -> Nest {
    let block = block(attributes, blocks);
    Nest(name, NestedBlock { nesting, block, min: 0, max: 0, on_change: OnChange::Update })
}

fn set(name: &'static str, attributes: Vec<Attr>, blocks: Vec<Nest>) -> Nest {
    nest(name, Nesting::Set, attributes, blocks)
}

fn list(name: &'static str, attributes: Vec<Attr>, blocks: Vec<Nest>) -> Nest {
    nest(name, Nesting::List, attributes, blocks)
}

/// `labels { label = "a" value = "b" }`, repeated.
fn labels(says: &str) -> Nest {
    let attributes =
        vec![req("label", Type::String, says), req("value", Type::String, "Its value.")];
    set("labels", attributes, vec![])
}

fn strings() -> Type {
    Type::list(Type::String)
}

fn string_set() -> Type {
    Type::set(Type::String)
}

fn string_map() -> Type {
    Type::map(Type::String)
}

fn id(says: &str) -> Attr {
    computed("id", Type::String, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every argument of the provider that people's files are written for is there.
    #[test]
    fn arguments_and_where_they_stand() {
        let schema = provider();
        let mut shown = String::new();
        for (kind, it) in &schema.resources {
            let names: Vec<_> = it.block.attributes().keys().map(|n| n.to_string()).collect();
            let blocks: Vec<_> = it.block.blocks().keys().map(|n| n.to_string()).collect();
            shown += &format!("{}: {} | {}\n", &**kind, names.join(" "), blocks.join(" "));
        }
        expect_test::expect![[r#"
            docker_commit: author changes container force_remove id image_id keep_locally message pause repository size tag triggers | 
            docker_container: attach bridge cgroup_parent cgroupns_mode command container_logs container_read_refresh_timeout_milliseconds cpu_period cpu_quota cpu_set cpu_shares cpus destroy_grace_seconds dns dns_opts dns_search domainname entrypoint env exit_code gpus group_add hostname id image init ipc_mode log_driver log_opts logs max_retry_count memory memory_reservation memory_swap must_run name network_data network_mode pid_mode platform privileged publish_all_ports read_only remove_volumes restart rm runtime security_opts shm_size start stdin_open stop_signal stop_timeout storage_opts sysctls tmpfs tty user userns_mode wait wait_timeout working_dir | capabilities device_read_bps device_read_iops device_requests device_write_bps device_write_iops devices healthcheck host labels mounts networks_advanced ports ulimit upload volumes
            docker_image: context_hash force_remove id image_id keep_locally name platform pull_triggers repo_digest triggers | build
            docker_network: attachable driver id ingress internal ipam_driver ipam_options ipv6 name options scope | ipam_config labels
            docker_registry_image: id insecure_skip_verify keep_remotely name sha256_digest triggers | auth_config build
            docker_tag: id source_image source_image_id tag_triggers target_image | 
            docker_volume: driver driver_opts id mountpoint name | cluster labels
        "#]].assert_eq(&shown);
    }
}
