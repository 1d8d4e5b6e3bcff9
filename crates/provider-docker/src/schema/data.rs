//! Data sources.

use Type::{Bool, String};
use plumb_model::schema::ResourceSchema;
use plumb_model::value::Type;

use super::{block, computed, id, list, opt, req, string_map, strings};

pub(super) fn image() -> ResourceSchema {
    ResourceSchema::new(block(
        vec![
            req("name", String, "Name or id of an image that the engine has."),
            id("Its id."),
            computed("repo_digest", String, "name@sha256:…, if a registry has it."),
        ],
        vec![],
    ))
}

pub(super) fn network() -> ResourceSchema {
    let ipam = Type::object([
        ("subnet", String),
        ("gateway", String),
        ("ip_range", String),
        ("aux_address", string_map()),
    ]);
    ResourceSchema::new(block(
        vec![
            req("name", String, "Name of a network."),
            id("Its id."),
            computed("driver", String, "bridge, macvlan, overlay, …"),
            computed("internal", Bool, "Without a way out."),
            computed("options", string_map(), "Options of the driver."),
            computed("scope", String, "local, swarm or global."),
            computed("ipam_config", Type::set(ipam), "Its addresses."),
        ],
        vec![],
    ))
}

pub(super) fn registry_image() -> ResourceSchema {
    let auth = list(
        "auth_config",
        vec![
            req("address", String, "The registry."),
            opt("username", String, "Name there."),
            opt("password", String, "Password there.").sensitive(),
        ],
        vec![],
    );
    ResourceSchema::new(block(
        vec![
            req("name", String, "Name of an image in a registry."),
            opt("insecure_skip_verify", Bool, "Do not check the registry's certificate.")
                .default(false),
            id("Its digest."),
            computed("sha256_digest", String, "Its digest."),
        ],
        vec![auth.single()],
    ))
}

pub(super) fn logs() -> ResourceSchema {
    ResourceSchema::new(block(
        vec![
            req("name", String, "Name or id of a container."),
            opt("details", Bool, "With the attributes given to the log driver."),
            opt("discard_headers", Bool, "Without the engine's framing.").default(true),
            opt("follow", Bool, "Wait for more until it stops.").default(false),
            opt("logs_list_string_enabled", Bool, "Fill logs_list_string.").default(true),
            opt("show_stderr", Bool, "What it wrote to its error output.").default(true),
            opt("show_stdout", Bool, "What it wrote to its output.").default(true),
            opt("since", String, "From then on: seconds since 1970."),
            opt("until", String, "Up to then: seconds since 1970."),
            opt("tail", String, "Only so many lines from the end, or all."),
            opt("timestamps", Bool, "With the time of every line."),
            id("Id of the container."),
            computed("logs_list_string", strings(), "The lines."),
        ],
        vec![],
    ))
}
