//! `docker_image`.

use Type::{Bool, Number, String};
use plumb_model::schema::ResourceSchema;
use plumb_model::value::Type;

use super::{Nest, block, computed, id, list, opt, req, set, string_map, string_set, strings};

pub(super) fn image() -> ResourceSchema {
    let attributes = vec![
        req("name", String, "Name to pull, or to give to what is built."),
        opt("platform", String, "Platform, where the image has several.").replace(),
        opt("triggers", string_map(), "Any change makes the image anew.").replace(),
        opt("pull_triggers", string_set(), "Any change pulls the image again.").replace(),
        opt("keep_locally", Bool, "The image stays on the engine when the resource goes."),
        opt("force_remove", Bool, "Remove it even if stopped containers use it."),
        id("Id and name of the image."),
        computed("image_id", String, "Id of the image."),
        computed("repo_digest", String, "name@sha256:…, if a registry has it."),
        computed("context_hash", String, "Hash of the build context; another one builds anew.")
            .replace(),
    ];
    ResourceSchema {
        refine: Some(crate::image::refine),
        validate: Some(crate::image::validate),
        ..ResourceSchema::new(block(attributes, vec![build()]))
    }
}

/// The `build` block.
pub(super) fn build() -> Nest {
    let auth = list(
        "auth_config",
        vec![
            req("host_name", String, "Registry."),
            opt("user_name", String, "Name there."),
            opt("password", String, "Password there.").sensitive(),
            opt("auth", String, "Both, as base64.").sensitive(),
            opt("email", String, "Not used any more."),
            opt("server_address", String, "Registry, as it calls itself."),
            opt("identity_token", String, "Token instead of a password.").sensitive(),
            opt("registry_token", String, "Bearer token.").sensitive(),
        ],
        vec![],
    );
    let secrets = list(
        "secrets",
        vec![
            req("id", String, "Name in the Dockerfile."),
            opt("env", String, "Variable that holds it."),
            opt("src", String, "File that holds it."),
        ],
        vec![],
    );
    let ulimit = list(
        "ulimit",
        vec![
            req("name", String, "Such as nofile."),
            req("soft", Number, "Soft limit."),
            req("hard", Number, "Hard limit."),
        ],
        vec![],
    );
    let attributes = vec![
        req("context", String, "Folder to build from, or the address of a repository or archive."),
        opt("dockerfile", String, "Path in the context.").default("Dockerfile"),
        opt("build_args", string_map(), "Values of ARG."),
        opt("label", string_map(), "Labels of the image."),
        opt("labels", string_map(), "Labels of the image."),
        opt("tag", strings(), "Additional names."),
        opt("target", String, "Stage to build."),
        opt("platform", String, "Platform to build for."),
        opt("network_mode", String, "Network of RUN."),
        opt("extra_hosts", strings(), "Names known to RUN, each name:address."),
        opt("no_cache", Bool, "Run every step again."),
        opt("cache_from", strings(), "Images whose steps may be reused."),
        opt("pull_parent", Bool, "Pull the base image even if it is there."),
        opt("remove", Bool, "Remove intermediate containers.").default(true),
        opt("force_remove", Bool, "Remove them when the build fails, too."),
        opt("squash", Bool, "One layer; needs an experimental engine."),
        opt("suppress_output", Bool, "Say nothing while building."),
        opt("remote_context", String, "Address of a repository or archive to build from."),
        opt("shm_size", Number, "Size of /dev/shm in bytes."),
        opt("memory", Number, "Memory limit in bytes."),
        opt("memory_swap", Number, "Memory and swap together in bytes."),
        opt("cpu_shares", Number, "Relative weight."),
        opt("cpu_period", Number, "Scheduling period in microseconds."),
        opt("cpu_quota", Number, "Processor time in each period."),
        opt("cpu_set_cpus", String, "Processors."),
        opt("cpu_set_mems", String, "Memory nodes."),
        opt("cgroup_parent", String, "Control group above it."),
        opt("security_opt", strings(), "Options of the security modules."),
        opt("isolation", String, "Isolation technology, on Windows."),
        opt("version", String, "1 for the classic builder."),
        opt("use_legacy_builder", Bool, "The classic builder is the one used.").default(false),
        opt("build_log_file", String, "File of this machine that gets the output."),
        opt("additional_contexts", strings(), "Not supported: needs BuildKit."),
        opt("build_id", String, "Not supported."),
        opt("builder", String, "Not supported: needs BuildKit."),
        opt("cache_to", strings(), "Not supported: needs BuildKit."),
        opt("provenance", String, "Not supported: needs BuildKit."),
        opt("sbom", String, "Not supported: needs BuildKit."),
        opt("session_id", String, "Not supported: needs BuildKit."),
    ];
    set("build", attributes, vec![auth, secrets, ulimit]).single().replace()
}
