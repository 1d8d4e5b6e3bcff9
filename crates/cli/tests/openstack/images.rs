//! Images and snapshots: sent, got, changed in place, brought in, taken away.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value as Json, json};

use crate::proxy::{Proxy, through};
use crate::world::World;

const IMAGE: &str = "openstack_images_image_v2.i";
const SNAPSHOT: &str = "openstack_compute_snapshot_v2.s";
const APPLY: [&str; 3] = ["apply", "-auto-approve", "-no-color"];

fn image(world: &World, addr: &str) -> Json {
    world.api.get("image", &format!("/images/{}", world.id(addr)))
}

/// Serves `data` to whoever asks, and nothing else.
fn serve(data: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let count = client.read(&mut request).unwrap_or_default();
            let found = request[..count].starts_with(b"GET /image ");
            let (status, data) = if found { ("200 OK", data) } else { ("404 Not Found", &b""[..]) };
            let length = data.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(data));
        }
    });
    url
}

#[test]
fn an_image_from_a_file() {
    let config = |rest: &str| {
        format!(
            r#"
            resource "openstack_images_image_v2" "i" {{
              container_format = "bare"
              disk_format      = "raw"
              {rest}
            }}"#
        )
    };
    let file = "local_file_path = \"disk.raw\"\n";
    let first = format!(
        "name = \"PREFIX-a\"\n{file}tags = [\"x\", \"y\"]\nproperties = {{ a = \"1\", b = \"2\" }}"
    );
    let world = World::new("image", &config(&first));
    // Longer than what is read at a time.
    let mut data = vec![b'a'; (1 << 20) + 5];
    data.extend(b"end");
    std::fs::write(world.path().join("disk.raw"), &data).unwrap();
    world.settle();
    let seen = image(&world, IMAGE);
    assert_eq!((&seen["size"], &seen["status"]), (&json!(data.len()), &json!("active")));
    assert_eq!(seen["checksum"], world.attrs(IMAGE)["checksum"]);
    assert_eq!((&seen["a"], &seen["visibility"]), (&json!("1"), &json!("private")));
    let second = format!(
        r#"
        {file}
        name        = "PREFIX-b"
        tags        = ["y", "z"]
        properties  = {{ a = "x", c = "3" }}
        visibility  = "shared"
        protected   = true
        min_disk_gb = 2
        min_ram_mb  = 64
        hidden      = true
        "#
    );
    world.in_place(IMAGE, &config(&second));
    let seen = image(&world, IMAGE);
    let mut tags: Vec<&str> =
        seen["tags"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["y", "z"]);
    assert_eq!((&seen["a"], &seen["b"], &seen["c"]), (&json!("x"), &Json::Null, &json!("3")));
    assert_eq!(
        (&seen["visibility"], &seen["min_disk"], &seen["os_hidden"]),
        (&json!("shared"), &json!(2), &json!(true)),
    );
    // By hand: one of ours is another, one is not ours.
    let path = format!("/images/{}", world.id(IMAGE));
    world.api.patch("image", &path, "/c", &json!("by-hand"));
    let plan = world.plan();
    assert!(plan.contains("\"by-hand\" -> \"3\"") && plan.contains("1 to change"), "{plan}");
    world.settle();
    // What is protected stays, and says why.
    let said = world.fails(&["destroy", "-auto-approve", "-no-color"]);
    for it in ["Cannot delete the image", "It is protected", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    world.nothing_to_do();
    world.in_place(IMAGE, &config(&second.replace("true", "false")));
    // What it was made from is nowhere told: as it is written.
    world.imported_and_noted(IMAGE);
    world.write("other.raw", "other");
    let third = second.replace("true", "false").replace("disk.raw", "other.raw");
    world.anew(IMAGE, &config(&third), &["local_file_path"]);
    world.config(&config("name = \"PREFIX\"\nlocal_file_path = \"none.raw\""));
    let said = world.fails(&APPLY);
    assert!(said.contains("none.raw") && said.contains("main.tf line"), "{said}");
    world.config(&config(&third));
    world.end();
}

#[test]
fn an_image_from_elsewhere() {
    let url = serve(b"a disk\n");
    let config = |url: &str| {
        format!(
            r#"
            resource "openstack_images_image_v2" "i" {{
              name             = "PREFIX"
              container_format = "bare"
              disk_format      = "raw"
              image_source_url = "{url}"
            }}"#
        )
    };
    let world = World::new("web", &config(&format!("{url}/none")));
    let said = world.fails(&APPLY);
    for it in ["Cannot download", "404", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    world.end_empty();
    world.config(&config(&format!("{url}/image")));
    world.settle();
    assert_eq!(image(&world, IMAGE)["size"], 7);
    world.end();
}

/// The answer about the image is lost before its data is sent, then the one about the data.
#[test]
fn answers_that_are_lost() {
    let proxy = Proxy::mute("image", &["POST ", "/file"]);
    let config = format!(
        r#"
        {}
        resource "openstack_images_image_v2" "i" {{
          name             = "PREFIX"
          container_format = "bare"
          disk_format      = "raw"
          local_file_path  = "disk.raw"
        }}"#,
        through(&[("image", &proxy)], ""),
    );
    let world = World::new("imagelost", &config);
    world.write("disk.raw", "a disk\n");
    for _ in 0..3 {
        if world.run(&APPLY).code == Some(0) {
            break;
        }
    }
    world.settle();
    assert_eq!(world.there()["images"], ["plumb-e2e-imagelost"]);
    assert_eq!(image(&world, IMAGE)["status"], "active");
    world.end();
}

/// The answer about the snapshot is lost: it is found, and not taken twice.
#[test]
fn a_snapshot() {
    let proxy = Proxy::mute("compute", &["/action"]);
    let config = |server: &str, rest: &str| {
        format!(
            r#"
            {}
            resource "openstack_compute_instance_v2" "s" {{
              for_each     = toset(["a", "b"])
              name         = "PREFIX-${{each.key}}"
              image_name   = "rig"
              flavor_name  = "m1.tiny"
              network_mode = "none"
            }}
            resource "openstack_compute_snapshot_v2" "s" {{
              instance_id = openstack_compute_instance_v2.s["{server}"].id
              {rest}
            }}"#,
            through(&[("compute", &proxy)], ""),
        )
    };
    let first = "name = \"PREFIX-a\"\ntags = [\"x\"]\nmetadata = { a = \"1\", b = \"2\" }";
    let world = World::new("snapshot", &config("a", first));
    world.run(&APPLY);
    world.settle();
    let seen = proxy.seen();
    let asked = seen.iter().filter(|it| it.contains("/action")).count();
    assert_eq!(asked, 1, "{seen:#?}");
    assert_eq!(world.there()["images"], ["plumb-e2e-snapshot-a"]);
    let seen = image(&world, SNAPSHOT);
    assert_eq!((&seen["tags"], &seen["a"]), (&json!(["x"]), &json!("1")));
    let second = "name = \"PREFIX-b\"\ntags = [\"y\"]\nmetadata = { a = \"x\" }";
    world.in_place(SNAPSHOT, &config("a", second));
    let seen = image(&world, SNAPSHOT);
    assert_eq!((&seen["tags"], &seen["a"], &seen["b"]), (&json!(["y"]), &json!("x"), &Json::Null));
    // Another server: the snapshot is one of what was.
    world.in_place(SNAPSHOT, &config("b", second));
    // Brought in, it is told by Nova whose it is, and by nobody which properties are ours.
    world.imported_and_noted(SNAPSHOT);
    world.anew(
        SNAPSHOT,
        &config("b", &format!("{second}\ntriggers = {{ day = \"2\" }}")),
        &["triggers"],
    );
    world.end();
}
