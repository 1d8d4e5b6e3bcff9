//! Containers.

use std::time::Instant;

use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::value::Value;

use crate::obj;
use crate::world::{World, env};

const KIND: &str = "docker_container";

fn busybox() -> String {
    env("PLUMB_RIG_IMAGE_BUSYBOX")
}

fn str<'a>(remote: &'a Remote, name: &str) -> &'a str {
    remote.attrs.get_attr(name).and_then(Value::as_str).unwrap_or_default()
}

fn address(remote: &Remote) -> String {
    let data = remote.attrs.get_attr("network_data").and_then(|it| it.get_index(0));
    data.and_then(|it| it.get_attr("ip_address")?.as_str().map(str::to_owned)).unwrap_or_default()
}

#[tokio::test]
async fn drift_is_seen_and_repaired_in_place() {
    let world = World::new("ct").await;
    let net = |rest: &str, subnet: &str| {
        obj! { name: world.name(rest), ipam_config: [obj! { subnet: subnet }] }
    };
    let lab = world.make("docker_network", &net("lab", "172.31.92.0/24")).await;
    world.make("docker_network", &net("side", "172.31.93.0/24")).await;
    let written = |name: &str, memory: i64, address: &str| {
        obj! {
            name: world.name(name),
            image: busybox(),
            command: ["sleep", "1000"],
            hostname: "ct",
            memory: memory,
            restart: "unless-stopped",
            env: ["A=1", "B=2"],
            networks_advanced: [
                obj! { name: world.name("lab"), ipv4_address: address, aliases: ["web"] },
                obj! { name: world.name("side") },
            ],
            ports: [obj! { internal: 80, external: 18_080 }, obj! { internal: 81 }],
            labels: [obj! { label: "lab", value: "x" }],
        }
    };
    let first = written("a", 64, "172.31.92.10");
    let (container, token) = world.make_with_token(KIND, &first).await;
    assert_eq!(address(&container), "172.31.92.10");
    let id = str(&container, "id").to_owned();
    let free = container
        .attrs
        .get_attr("ports")
        .and_then(|it| it.get_index(1)?.get_attr("external")?.as_i64());
    assert!(free.is_some_and(|it| it > 1024), "{free:?}");
    let found = world.find(KIND, token, &first).await.unwrap();
    assert!(found.complete && str(&found, "id") == id);

    // Detached by hand, attached by hand.
    world.docker(&["network", "disconnect", &world.name("lab"), &id]);
    world.docker(&["network", "connect", "bridge", &id]);
    let drifted = world.read(KIND, &container).await.unwrap();
    assert_ne!(drifted.attrs, container.attrs);
    let container = world.change(KIND, &drifted, &first).await;
    assert_eq!(address(&container), "172.31.92.10");
    let attached = world.docker(&[
        "inspect",
        &id,
        "--format",
        "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}",
    ]);
    assert_eq!(attached, format!("{} {}", world.name("lab"), world.name("side")));

    // Stopped by hand.
    world.docker(&["stop", "-t", "0", &id]);
    let drifted = world.read(KIND, &container).await.unwrap();
    assert_eq!(drifted.attrs.get_attr("must_run"), Some(&Value::FALSE));
    let container = world.change(KIND, &drifted, &first).await;
    assert_eq!(world.docker(&["inspect", &id, "--format", "{{.State.Running}}"]), "true");

    // Limits, name, restart policy changed by hand.
    world.docker(&["rename", &id, &world.name("renamed")]);
    world.docker(&["update", "--restart", "no", "--memory", "96m", "--memory-swap", "192m", &id]);
    let drifted = world.read(KIND, &container).await.unwrap();
    assert_eq!(str(&drifted, "restart"), "no");
    let container = world.change(KIND, &drifted, &first).await;

    // Another configuration, the same container.
    let second = written("b", 128, "172.31.92.20");
    let container = world.change(KIND, &container, &second).await;
    assert_eq!(str(&container, "id"), id);
    let format = "{{.Name}} {{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}";
    let shown = world.docker(&["inspect", &id, "--format", format]);
    assert_eq!(shown, format!("/{} 134217728 unless-stopped", world.name("b")));
    assert_eq!(address(&container), "172.31.92.20");

    // What the engine cannot change.
    let mut other = second.as_map().unwrap().clone();
    other.insert("hostname".into(), Value::string("other"));
    let plan = world.plan(KIND, &Value::object(other), Some(&container)).await;
    assert_eq!(plan.replace, ["hostname"]);

    world.delete(KIND, &container).await;
    assert_eq!(world.find(KIND, token, &second).await, None);
    world.delete("docker_network", &lab).await;
}

#[tokio::test]
async fn removed_by_hand_is_gone() {
    let world = World::new("gone").await;
    let written = obj! { name: world.name("a"), image: busybox(), command: ["sleep", "1000"] };
    let container = world.make(KIND, &written).await;
    world.docker(&["rm", "-f", str(&container, "id")]);
    assert_eq!(world.read(KIND, &container).await, None);
    let outcome = world
        .connection
        .update(&world.call(), &Kind::new(KIND), &container, &container.attrs)
        .await;
    assert_eq!(outcome.failure.unwrap().detail, "It is gone.");
}

#[tokio::test]
async fn arguments_left_out_are_nobodys_business() {
    let world = World::new("left-out").await;
    let written = obj! { name: world.name("a"), image: busybox(), command: ["sleep", "1000"] };
    let container = world.make(KIND, &written).await;
    world.docker(&[
        "update",
        "--memory",
        "64m",
        "--memory-swap",
        "64m",
        "--restart",
        "always",
        str(&container, "id"),
    ]);
    world.docker(&["network", "create", &world.name("net")]);
    world.docker(&["network", "connect", &world.name("net"), str(&container, "id")]);
    let now = world.read(KIND, &container).await.unwrap();
    for name in ["memory", "restart", "networks_advanced", "network_mode", "user", "working_dir"] {
        assert_eq!(now.attrs.get_attr(name), container.attrs.get_attr(name), "{name}");
    }
    let plan = world.plan(KIND, &written, Some(&now)).await;
    assert!(!plan.changes);
}

#[tokio::test]
async fn a_container_that_cannot_start_is_kept_half_made() {
    let world = World::new("half").await;
    let written = obj! { name: world.name("a"), image: busybox(), command: ["/no/such/program"] };
    let (left, failure) = world.refused(KIND, &written).await;
    let Effect::Made(remote) = left else { panic!("{left:?}") };
    assert!(!remote.complete);
    assert_eq!(failure.summary, format!("Cannot start the container \"{}\"", world.name("a")));
    assert!(failure.detail.contains("/no/such/program"), "{failure:?}");
    world.delete(KIND, &remote).await;
}

#[tokio::test]
async fn a_container_found_after_a_crash_before_its_start_is_not_complete() {
    let world = World::new("crash").await;
    let call = world.call();
    let label = format!("plumb.token={}", call.token);
    let name = world.name("a");
    let id =
        world.docker(&["create", "--name", &name, "--label", &label, &busybox(), "sleep", "1000"]);
    let written = obj! { name: name.as_str(), image: busybox(), command: ["sleep", "1000"] };
    let found = world.find(KIND, call.token, &written).await.unwrap();
    assert!(!found.complete && str(&found, "id") == id);
    world.docker(&["start", &id]);
    assert!(world.find(KIND, call.token, &written).await.unwrap().complete);
}

#[tokio::test]
async fn one_that_ends_at_once_fails_with_its_last_words() {
    let world = World::new("ends").await;
    let written = obj! {
        name: world.name("a"), image: busybox(), command: ["sh", "-c", "echo out of order; exit 7"],
    };
    let (left, failure) = world.refused(KIND, &written).await;
    assert!(matches!(left, Effect::Made(Remote { complete: false, .. })));
    assert!(
        failure.detail.contains("exit code 7") && failure.detail.contains("out of order"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_is_missing_or_taken_is_refused() {
    let world = World::new("refused").await;
    let (left, failure) =
        world.refused(KIND, &obj! { name: world.name("a"), image: "no-such-image:1" }).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("docker_image"), "{failure:?}");
    let name = world.name("b");
    world.docker(&["create", "--name", &name, &busybox(), "true"]);
    let (left, failure) =
        world.refused(KIND, &obj! { name: name.as_str(), image: busybox() }).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("choose another name"), "{failure:?}");
    let network = obj! { name: world.name("no-such-network") };
    let written = obj! { name: world.name("c"), image: busybox(), networks_advanced: [network] };
    let (_, failure) = world.refused(KIND, &written).await;
    assert!(failure.detail.contains("no-such-network"), "{failure:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_leaves_a_half_made_container() {
    let world = World::new("port").await;
    let written = |name: &str| {
        obj! {
            name: world.name(name), image: busybox(), command: ["sleep", "1000"],
            ports: [obj! { internal: 80, external: 18_099 }],
        }
    };
    let first = world.make(KIND, &written("a")).await;
    let (left, failure) = world.refused(KIND, &written("b")).await;
    assert!(matches!(left, Effect::Made(Remote { complete: false, .. })), "{left:?}");
    assert!(failure.detail.contains("port is already allocated"), "{failure:?}");
    let plan = world
        .plan(
            KIND,
            &obj! {
                name: world.name("a"), image: busybox(), command: ["sleep", "1000"],
                ports: [obj! { internal: 80, external: 18_098 }],
            },
            Some(&first),
        )
        .await;
    assert_eq!(plan.replace, ["ports[0].external"]);
}

#[tokio::test]
async fn files_are_put_in_before_the_start() {
    let world = World::new("upload").await;
    world.write("there.txt", "from a file");
    let written = obj! {
        name: world.name("a"),
        image: busybox(),
        command: ["sh", "-c", "cat /etc/here.txt /opt/there.txt; ls -l /opt/run.sh; exit 3"],
        attach: true,
        logs: true,
        must_run: false,
        upload: [
            obj! { file: "/etc/here.txt", content: "from the configuration\n" },
            obj! { file: "/opt/there.txt", source: "there.txt" },
            obj! { file: "/opt/run.sh", content_base64: "ZXhpdA==", executable: true },
        ],
    };
    let container = world.make(KIND, &written).await;
    let logs = str(&container, "container_logs");
    assert!(logs.starts_with("from the configuration\nfrom a file"), "{logs}");
    assert!(logs.contains("-rwxr--r--"), "{logs}");
    assert_eq!(container.attrs.get_attr("exit_code").and_then(Value::as_i64), Some(3));
    let data = world.data("docker_logs", &obj! { name: world.name("a"), tail: "1" }).await.unwrap();
    let lines = data.get_attr("logs_list_string").and_then(Value::as_slice).unwrap();
    assert!(lines.len() == 1 && lines[0].as_str().unwrap().contains("run.sh"), "{lines:?}");
}

#[tokio::test]
async fn waiting_until_it_is_healthy() {
    let world = World::new("health").await;
    let written = |name: &str, test: &str, seconds: i64| {
        obj! {
            name: world.name(name),
            image: busybox(),
            command: ["sh", "-c", "sleep 1; touch /ready; sleep 1000"],
            wait: true,
            wait_timeout: seconds,
            healthcheck: [obj! { test: ["CMD-SHELL", test], interval: "200ms", retries: 50 }],
        }
    };
    let began = Instant::now();
    world.make(KIND, &written("a", "test -e /ready", 30)).await;
    assert!(began.elapsed().as_millis() > 900);
    let (left, failure) = world.refused(KIND, &written("b", "false", 1)).await;
    assert!(matches!(left, Effect::Made(Remote { complete: false, .. })));
    assert_eq!(failure.detail, "It is not healthy after 1 s.");
    let (_, failure) = world
        .refused(
            KIND,
            &obj! { name: world.name("c"), image: busybox(), command: ["sleep", "99"], wait: true },
        )
        .await;
    assert!(failure.detail.contains("no health check"), "{failure:?}");
}

#[tokio::test]
async fn volumes_mounts_and_the_rest_reach_the_engine() {
    let world = World::new("rest").await;
    world.make("docker_volume", &obj! { name: world.name("v") }).await;
    let written = obj! {
        name: world.name("a"),
        image: busybox(),
        command: ["sleep", "1000"],
        user: "1000:1000",
        working_dir: "/tmp",
        read_only: true,
        init: true,
        privileged: false,
        cpu_shares: 512,
        cpu_set: "0",
        shm_size: 32,
        pid_mode: "host",
        ipc_mode: "private",
        log_driver: "json-file",
        log_opts: Value::object([("max-size", Value::string("1m"))]),
        sysctls: Value::object([("net.ipv4.ip_forward", Value::string("1"))]),
        tmpfs: Value::object([("/run", Value::string("size=1m"))]),
        dns: ["10.9.9.9"],
        group_add: ["100"],
        stop_signal: "SIGTERM",
        stop_timeout: 3,
        destroy_grace_seconds: 1,
        volumes: [obj! { container_path: "/v", volume_name: world.name("v"), read_only: true }],
        mounts: [obj! { target: "/m", type: "tmpfs", tmpfs_options: [obj! { size_bytes: 65536 }] }],
        capabilities: [obj! { add: ["NET_ADMIN"], drop: ["MKNOD"] }],
        host: [obj! { host: "peer", ip: "10.1.2.3" }],
        ulimit: [obj! { name: "nofile", soft: 100, hard: 200 }],
    };
    let container = world.make(KIND, &written).await;
    let shown = world.docker(&[
        "exec", str(&container, "name"), "sh", "-c",
        "id -u; pwd; grep -c peer /etc/hosts; cat /proc/sys/net/ipv4/ip_forward; touch /v/x 2>&1; grep ^nameserver /etc/resolv.conf",
    ]);
    assert_eq!(shown, "1000\n/tmp\n1\n1\ntouch: /v/x: Read-only file system\nnameserver 10.9.9.9");
    let format = "{{range .HostConfig.Ulimits}}{{.Name}} {{.Soft}} {{.Hard}}{{end}}";
    let limits = world.docker(&["inspect", str(&container, "name"), "--format", format]);
    assert_eq!(limits, "nofile 100 200");
    world.delete(KIND, &container).await;
}

#[tokio::test]
async fn a_container_that_exists_is_brought_in() {
    let world = World::new("import").await;
    let name = world.name("a");
    let id = world.docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "-p",
        "0.0.0.0:18097:80",
        "-m",
        "64m",
        "--label",
        "a=b",
        "-e",
        "A=1",
        "--add-host",
        "peer:10.1.2.3",
        "--ulimit",
        "nofile=100:200",
        "--mount",
        "type=tmpfs,target=/m,tmpfs-size=65536",
        "--cap-add",
        "NET_ADMIN",
        "--health-cmd",
        "true",
        "--health-interval",
        "30s",
        &busybox(),
        "sleep",
        "1000",
    ]);
    let written = obj! {
        name: name.as_str(),
        image: world.docker(&["inspect", &busybox(), "--format", "{{.Id}}"]),
        command: ["sleep", "1000"],
        memory: 64,
        env: ["A=1"],
        host: [obj! { host: "peer", ip: "10.1.2.3" }],
        ulimit: [obj! { name: "nofile", soft: 100, hard: 200 }],
        mounts: [obj! { target: "/m", type: "tmpfs", tmpfs_options: [obj! { size_bytes: 65536 }] }],
        capabilities: [obj! { add: ["NET_ADMIN"] }],
        healthcheck: [obj! { test: ["CMD-SHELL", "true"], interval: "30s" }],
        ports: [obj! { internal: 80, external: 18_097 }],
        labels: [obj! { label: "a", value: "b" }],
    };
    let container = world.bring_in(KIND, &name, &written).await;
    assert_eq!(str(&container, "id"), id);
}

#[tokio::test]
async fn many_are_read_with_one_list() {
    let world = World::new("many").await;
    let mut requests = Vec::new();
    for index in 0..5 {
        let written = obj! {
            name: world.name(&format!("c{index}")), image: busybox(), command: ["sleep", "1000"],
        };
        let container = world.make(KIND, &written).await;
        requests.push(plumb_provider::ReadRequest {
            kind: Kind::new(KIND),
            prior: container,
            whole: false,
        });
    }
    world.docker(&["rm", "-f", &world.name("c3")]);
    let seen = world.connection.read(&requests).await;
    let there: Vec<bool> = seen.iter().map(|it| it.as_ref().unwrap().is_some()).collect();
    assert_eq!(there, [true, true, true, false, true]);
}
