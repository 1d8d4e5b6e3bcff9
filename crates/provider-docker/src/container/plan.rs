//! What a plan may promise of a container, and which configurations make no sense.

use plumb_model::schema::{Problem, RefineInput, Refined};
use plumb_model::value::{Path, Type, Value};

use super::spec::nanoseconds;
use crate::args::{Args, with};

/// Addresses and free ports are chosen again when a container starts or changes networks; a
/// published port cannot be changed.
pub(crate) fn refine(input: RefineInput<'_>) -> Refined {
    let Some(prior) = input.prior else {
        return Refined::new(input.proposed);
    };
    let (was, wanted) = (Args(prior), Args(&input.proposed));
    let starts = wanted.is("must_run") && was.bool("must_run") == Some(false)
        || wanted.get("start") != was.get("start");
    let mut replace = Vec::new();
    let mut moves =
        prior.get_attr("networks_advanced") != input.proposed.get_attr("networks_advanced");
    for (kind, object) in input.replaced {
        match follow(kind, Args(object), wanted) {
            None => {}
            Some(Follow::Attach) => moves = true,
            Some(Follow::Replace(argument)) => replace.push(Path::default().attr(argument)),
        }
    }
    let unknown = |name: &'static str| {
        let ty = input.proposed.get_attr(name).map_or(Type::Dynamic, Value::ty);
        (name, Value::unknown(ty))
    };
    let mut changes = Vec::new();
    if starts || moves {
        changes.push(unknown("network_data"));
    }
    if starts {
        changes.extend([unknown("exit_code"), unknown("container_logs")]);
    }
    let (old, new) = (prior.get_attr("ports"), input.proposed.get_attr("ports"));
    if let (Some(new), Some(old)) = (new.and_then(Value::as_slice), old.and_then(Value::as_slice)) {
        let written = input.config.get_attr("ports");
        let mut ports = Vec::new();
        for (index, port) in new.iter().enumerate() {
            let config = written.and_then(|it| it.get_index(index));
            let fixed =
                config.and_then(|it| it.get_attr("external")).is_some_and(|it| !it.is_null());
            let had = old.get(index).and_then(|it| it.get_attr("external"));
            if fixed && had.is_some_and(|had| Some(had) != port.get_attr("external")) {
                let path = Path::default().attr("ports").index(Value::number(index));
                replace.push(path.attr("external"));
            }
            ports.push(match (starts || moves) && !fixed {
                true => with(port, [("external", Value::unknown(Type::Number))]),
                false => port.clone(),
            });
        }
        if let Some(first) = ports.first() {
            let ty = first.ty();
            changes.push(("ports", Value::list(ty, ports)));
        }
    }
    Refined { replace, ..Refined::new(with(&input.proposed, changes)) }
}

/// What a container has to do when an object that it hangs on by name is made anew.
enum Follow {
    /// Join the new network.
    Attach,
    /// Be made anew, for the sake of this argument.
    Replace(&'static str),
}

fn follow(kind: &str, object: Args<'_>, wanted: Args<'_>) -> Option<Follow> {
    let named = |name: Option<&str>, by: &[&str]| {
        name.is_some_and(|name| by.iter().any(|it| object.str(it) == Some(name)))
    };
    let any = |block: &str, argument: &str, by: &[&str]| {
        wanted.blocks(block).any(|it| named(it.str(argument), by))
    };
    match kind {
        "docker_network" if any("networks_advanced", "name", &["name", "id"]) => {
            Some(Follow::Attach)
        }
        // The engine deletes no volume that a container uses.
        "docker_volume" if any("mounts", "source", &["name"]) => Some(Follow::Replace("mounts")),
        "docker_volume" if any("volumes", "volume_name", &["name"]) => {
            Some(Follow::Replace("volumes"))
        }
        "docker_container" if any("volumes", "from_container", &["name", "id"]) => {
            Some(Follow::Replace("volumes"))
        }
        "docker_container" => {
            let mode = wanted.str("network_mode").and_then(|it| it.strip_prefix("container:"));
            named(mode, &["name", "id"]).then_some(Follow::Replace("network_mode"))
        }
        "docker_image" => named(wanted.str("image"), &["name"]).then_some(Follow::Replace("image")),
        "docker_tag" => {
            named(wanted.str("image"), &["target_image"]).then_some(Follow::Replace("image"))
        }
        _ => None,
    }
}

pub(crate) fn validate(config: &Value) -> Vec<Problem> {
    let args = Args(config);
    let mut problems = Vec::new();
    let mut problem = |path: Path, detail: String| {
        problems.push(Problem {
            path,
            summary: "Invalid argument of docker_container".to_owned(),
            detail,
        });
    };
    let at = |name: &str| Path::default().attr(name);
    let word = |name: &str, allowed: &[&str]| {
        let value = args.str(name)?;
        let list = allowed.join(", ");
        (!allowed.contains(&value))
            .then(|| (at(name), format!("\"{name}\" is one of {list}; it cannot be \"{value}\".")))
    };
    let words = [
        word("restart", &["no", "on-failure", "always", "unless-stopped"]),
        word("cgroupns_mode", &["private", "host"]),
    ];
    for (path, detail) in words.into_iter().flatten() {
        problem(path, detail);
    }
    for name in
        ["memory", "memory_reservation", "cpu_shares", "cpu_period", "cpu_quota", "shm_size"]
    {
        if args.int(name).is_some_and(|it| it < 0) {
            problem(at(name), format!("\"{name}\" cannot be negative."));
        }
    }
    if args.int("memory_swap").is_some_and(|it| it < -1) {
        problem(at("memory_swap"), "\"memory_swap\" is -1 or more.".to_owned());
    }
    if args.str("cpus").is_some_and(|it| it.parse::<f64>().is_err()) {
        problem(at("cpus"), "\"cpus\" is a number such as \"1.5\".".to_owned());
    }
    if args.is("rm") && args.str("restart").is_some_and(|it| it != "no") {
        problem(
            at("rm"),
            "A container that vanishes when it stops cannot be restarted.".to_owned(),
        );
    }
    if args.str("gpus").is_some() && args.block("device_requests").is_some() {
        problem(at("gpus"), "\"gpus\" and \"device_requests\" exclude each other.".to_owned());
    }
    for upload in args.blocks("upload") {
        let sources = ["content", "content_base64", "source"];
        let given =
            sources.iter().filter(|it| upload.0.get_attr(it).is_some_and(|it| !it.is_null()));
        if given.count() != 1 {
            let file = upload.str("file").unwrap_or_default();
            problem(
                at("upload"),
                format!(
                    "The upload of \"{file}\" needs one of content, content_base64 and source."
                ),
            );
        }
        if let Some(mode) = upload.str("permissions")
            && (mode.len() != 4 || u32::from_str_radix(mode, 8).is_err())
        {
            problem(
                at("upload"),
                format!("\"permissions\" is like \"0644\"; it cannot be \"{mode}\"."),
            );
        }
    }
    for mount in args.blocks("mounts") {
        if let Some(ty) = mount.str("type")
            && !["bind", "volume", "tmpfs"].contains(&ty)
        {
            problem(
                at("mounts"),
                format!("A mount is of type bind, volume or tmpfs; not \"{ty}\"."),
            );
        }
    }
    for volume in args.blocks("volumes") {
        let given = |name: &str| volume.0.get_attr(name).is_some_and(|it| !it.is_null());
        if !given("container_path") && !given("from_container") {
            problem(at("volumes"), "A volume needs a container_path or from_container.".to_owned());
        }
        if given("host_path") && given("volume_name") {
            problem(
                at("volumes"),
                "\"host_path\" and \"volume_name\" exclude each other.".to_owned(),
            );
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for network in args.blocks("networks_advanced") {
        if let Some(name) = network.str("name")
            && !seen.insert(name)
        {
            problem(at("networks_advanced"), format!("The network \"{name}\" is named twice."));
        }
    }
    for health in args.blocks("healthcheck") {
        for name in ["interval", "timeout", "start_period", "start_interval"] {
            if let Some(text) = health.str(name)
                && nanoseconds(text).is_none()
            {
                problem(
                    at("healthcheck"),
                    format!("\"{name}\" is like \"1m30s\"; it cannot be \"{text}\"."),
                );
            }
        }
    }
    problems
}
