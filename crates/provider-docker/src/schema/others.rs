//! Networks, volumes, tags, pushed images, commits.

use Type::{Bool, Number, String};
use plumb_model::schema::ResourceSchema;
use plumb_model::value::Type;

use super::{block, computed, id, image, labels, list, opt, opt_computed, req, set};
use super::{string_map, string_set, strings};

pub(super) fn network() -> ResourceSchema {
    let attributes = vec![
        req("name", String, "Name of the network.").replace(),
        opt_computed("driver", String, "bridge, macvlan, overlay, …").replace(),
        opt_computed("internal", Bool, "Without a way out.").replace(),
        opt_computed("options", string_map(), "Options of the driver.").replace(),
        opt("attachable", Bool, "Containers may join a swarm's network.").replace(),
        opt("ingress", Bool, "It is a swarm's routing mesh.").replace(),
        opt("ipv6", Bool, "With IPv6.").replace(),
        opt("ipam_driver", String, "Who hands out addresses.").replace().default("default"),
        opt("ipam_options", string_map(), "Its options.").replace(),
        id("Id of the network."),
        computed("scope", String, "local, swarm or global."),
    ];
    let ipam = set(
        "ipam_config",
        vec![
            opt("subnet", String, "Addresses of the network."),
            opt("gateway", String, "Address of the host's side."),
            opt("ip_range", String, "Part of the subnet that containers get addresses from."),
            opt("aux_address", string_map(), "Addresses that others have."),
        ],
        vec![],
    );
    let blocks = vec![ipam.replace(), labels("Name of the label.").replace()];
    ResourceSchema { version: 1, ..ResourceSchema::new(block(attributes, blocks)) }
}

pub(super) fn volume() -> ResourceSchema {
    let attributes = vec![
        opt_computed("name", String, "Name of the volume.").replace(),
        opt_computed("driver", String, "Who keeps it.").replace(),
        opt("driver_opts", string_map(), "Options of the driver.").replace(),
        id("Name of the volume."),
        computed("mountpoint", String, "Where it lies on the host."),
    ];
    let cluster = list(
        "cluster",
        vec![
            opt("availability", String, "active, pause or drain.").default("active"),
            opt("group", String, "Group of volumes.").default(""),
            opt("limit_bytes", String, "At most."),
            opt("required_bytes", String, "At least."),
            opt("scope", String, "single or multi.").default("single"),
            opt("sharing", String, "none, readonly, onewriter or all.").default("none"),
            opt("topology_preferred", String, "Where it should be.").default(""),
            opt("topology_required", String, "Where it must be.").default(""),
            opt("type", String, "mount or block.").default("block"),
            computed("id", String, "Id in the cluster."),
        ],
        vec![],
    );
    let blocks = vec![cluster.single(), labels("Name of the label.").replace()];
    ResourceSchema {
        version: 1,
        validate: Some(crate::volume::validate),
        ..ResourceSchema::new(block(attributes, blocks))
    }
}

pub(super) fn tag() -> ResourceSchema {
    let attributes = vec![
        req("source_image", String, "Image that gets another name.").replace(),
        req("target_image", String, "That name.").replace(),
        opt("tag_triggers", string_set(), "Any change tags again.").replace(),
        id("Both names."),
        computed("source_image_id", String, "Id of the image."),
    ];
    ResourceSchema::new(block(attributes, vec![]))
}

pub(super) fn registry_image() -> ResourceSchema {
    let attributes = vec![
        req("name", String, "Name of a local image, with the registry to push it to.").replace(),
        opt("keep_remotely", Bool, "The registry keeps it when the resource goes.").default(false),
        opt("insecure_skip_verify", Bool, "Do not check the registry's certificate.")
            .default(false),
        opt("triggers", string_map(), "Any change pushes again.").replace(),
        id("Digest in the registry."),
        computed("sha256_digest", String, "Digest in the registry."),
    ];
    let auth = list(
        "auth_config",
        vec![
            req("address", String, "The registry."),
            opt("username", String, "Name there."),
            opt("password", String, "Password there.").sensitive(),
        ],
        vec![],
    );
    ResourceSchema {
        validate: Some(crate::registry_image::validate),
        ..ResourceSchema::new(block(attributes, vec![auth.single(), image::build()]))
    }
}

pub(super) fn commit() -> ResourceSchema {
    let attributes = vec![
        req("container", String, "Id or name of the container whose file system becomes an image.")
            .replace(),
        req("repository", String, "Name of the image, without a tag."),
        opt("tag", String, "Its tag.").default("latest"),
        opt("author", String, "Who made it.").replace(),
        opt("message", String, "What it is.").replace(),
        opt("changes", strings(), "Dockerfile instructions to apply: CMD, ENV, LABEL, …").replace(),
        opt("pause", Bool, "Pause the container meanwhile.").replace().default(true),
        opt("triggers", string_map(), "Any change takes the container's file system anew.")
            .replace(),
        opt("keep_locally", Bool, "The image stays on the engine when the resource goes."),
        opt("force_remove", Bool, "Remove it even if stopped containers use it."),
        id("Id of the image."),
        computed("image_id", String, "Id of the image."),
        computed("size", Number, "Its size in bytes."),
    ];
    ResourceSchema {
        refine: Some(crate::commit::refine),
        ..ResourceSchema::new(block(attributes, vec![]))
    }
}
