//! Volumes: made, grown, brought in, put into servers and taken out.

use serde_json::json;

use crate::proxy::{Proxy, through};
use crate::world::{World, eventually};

const VOLUME: &str = "openstack_blockstorage_volume_v3.v";

#[test]
fn a_volume_and_its_server() {
    let config = |volume: &str, rest: &str| {
        format!("resource \"openstack_blockstorage_volume_v3\" \"v\" {{\n{volume}\n}}\n{rest}")
    };
    let first = config(
        r#"
        name        = "PREFIX-a"
        description = "one"
        size        = 1
        metadata    = { a = "1", b = "2" }
        "#,
        "",
    );
    let world = World::new("volume", &first);
    world.settle();
    let path = format!("/volumes/{}", world.id(VOLUME));
    let changed = r#"
        name        = "PREFIX-b"
        description = "two"
        size        = 2
        metadata    = { a = "x", c = "3" }
        "#;
    world.in_place(VOLUME, &config(changed, ""));
    let seen = world.api.get("volumev3", &path)["volume"].clone();
    assert_eq!(
        (&seen["name"], &seen["description"], &seen["size"]),
        (&json!("plumb-e2e-volume-b"), &json!("two"), &json!(2)),
    );
    let (metadata, stamp) = (&seen["metadata"], &seen["metadata"]["plumb.token"]);
    assert_eq!(*metadata, json!({ "a": "x", "c": "3", "plumb.token": stamp }));
    world.imported(VOLUME);
    // Changed by hand: told, and put right.
    let body = json!({ "volume": { "name": "theirs", "description": "theirs" } });
    world.api.put("volumev3", &path, &body);
    let plan = world.plan();
    assert!(plan.contains("theirs") && plan.contains("1 to change"), "{plan}");
    world.settle();

    let server = r#"
        resource "openstack_compute_instance_v2" "s" {
          name         = "PREFIX"
          flavor_name  = "m1.tiny"
          image_name   = "rig"
          network_mode = "none"
        }
        resource "openstack_compute_volume_attach_v2" "a" {
          instance_id = openstack_compute_instance_v2.s.id
          volume_id   = openstack_blockstorage_volume_v3.v.id
        }"#;
    let attachment = "openstack_compute_volume_attach_v2.a";
    world.config(&config(changed, server));
    world.settle();
    let held = world.attrs(attachment);
    let id = format!("{}/{}", world.id("openstack_compute_instance_v2.s"), world.id(VOLUME));
    assert_eq!(held["id"], json!(id));
    assert_eq!(world.api.get("volumev3", &path)["volume"]["status"], "in-use");
    world.imported(attachment);
    // While it is in a server, it grows only if that is allowed.
    world.config(&config(&changed.replace("size        = 2", "size = 3"), server));
    let said = world.fails(&["apply", "-auto-approve", "-no-color"]);
    assert!(said.contains("It is in a server") && said.contains("main.tf line"), "{said}");
    let grown = changed.replace("size        = 2", "size = 3\nenable_online_resize = true");
    world.in_place(VOLUME, &config(&grown, server));
    // Taken out by hand: put in again.
    let inside = id.replace('/', "/os-volume_attachments/");
    world.api.delete("compute", &format!("/servers/{inside}"));
    eventually("the volume is out", || {
        world.api.get("volumev3", &path)["volume"]["status"] == "available"
    });
    let plan = world.plan();
    assert!(plan.contains("1 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    // Taken out; the volume stays what it is, and does not shrink in place.
    let detached = server.split("resource \"openstack_compute_volume_attach_v2\"").next().unwrap();
    world.config(&config(&grown, detached));
    world.settle();
    assert_eq!(world.api.get("volumev3", &path)["volume"]["attachments"], json!([]));
    world.anew(VOLUME, &config(&grown.replace("size = 3", "size = 1"), detached), &["size"]);
    world.config(&config(&grown.replace("size = 3", "size = 1"), server));
    world.settle();
    // All of it goes together: the attachment first.
    world.end();
}

/// The answers about a volume and its attachment are lost: both are found, and made once.
#[test]
fn answers_that_are_lost() {
    let volume = Proxy::mute("volume", &["POST "]);
    let compute = Proxy::mute("compute", &["/os-volume_attachments"]);
    let config = format!(
        r#"
        {}
        resource "openstack_blockstorage_volume_v3" "v" {{
          name     = "PREFIX"
          size     = 1
          metadata = {{ a = "1" }}
        }}
        resource "openstack_compute_instance_v2" "s" {{
          name         = "PREFIX"
          flavor_name  = "m1.tiny"
          image_name   = "rig"
          network_mode = "none"
        }}
        resource "openstack_compute_volume_attach_v2" "a" {{
          instance_id = openstack_compute_instance_v2.s.id
          volume_id   = openstack_blockstorage_volume_v3.v.id
        }}"#,
        through(&[("volume", &volume), ("compute", &compute)], ""),
    );
    let world = World::new("volumelost", &config);
    for _ in 0..3 {
        if world.run(&["apply", "-auto-approve", "-no-color"]).code == Some(0) {
            break;
        }
    }
    world.settle();
    assert_eq!(world.there()["volumes"], ["plumb-e2e-volumelost"]);
    assert_eq!(world.attrs(VOLUME)["metadata"], json!({ "a": "1" }));
    for (proxy, word) in [(volume, "/volumes"), (compute, "/os-volume_attachments")] {
        let seen = proxy.seen();
        let posts = seen.iter().filter(|it| it.starts_with("POST ") && it.ends_with(word)).count();
        assert_eq!(posts, 1, "{seen:#?}");
    }
    world.end();
}

/// What a volume was made from is known of one that is brought in, too: it is not made anew.
#[test]
fn what_a_volume_was_made_from() {
    let config = r#"
        data "openstack_images_image_v2" "rig" { name = "rig" }
        resource "openstack_blockstorage_volume_v3" "v" {
          size     = 1
          image_id = data.openstack_images_image_v2.rig.id
        }
        resource "openstack_blockstorage_volume_v3" "copy" {
          name          = "PREFIX"
          description   = ""
          size          = 2
          metadata      = {}
          source_vol_id = openstack_blockstorage_volume_v3.v.id
        }"#;
    let world = World::new("volumefrom", config);
    world.settle();
    world.imported(VOLUME);
    world.imported("openstack_blockstorage_volume_v3.copy");
    world.end();
}
