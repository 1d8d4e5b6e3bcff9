//! A small lab to watch, and what goes wrong in it.

use serde_json::Value;

pub(crate) use crate::watching::Watcher;
use crate::world::{World, all, routed};

/// A small lab in which a lot can go wrong.
pub(crate) const LAB: &str = routed!(
    r#"
resource "netns_host" "web" {
  name    = "web"
  command = ["sleep", "100000"]
  interface { network = netns_network.lan.name }
}

resource "netns_host" "db" {
  name    = "db"
  command = ["sleep", "100000"]
  interface { network = netns_network.lan.name }
}
"#
);

impl Watcher {
    /// Starts it, and waits until it has looked and listens.
    pub(crate) fn start(world: &World, args: &[&str]) -> Watcher {
        Watcher::of(&mut world.command(&[&["watch", "-json"], args].concat()))
    }
}

/// Does something in an object of the world.
#[track_caller]
pub(crate) fn injure(world: &World, at: &str, words: &str) {
    let done = world.exec(at, words);
    assert!(done.status.success(), "{words}: {}", all(&done));
}

/// The link of router `r` that leads inside.
pub(crate) fn inside(world: &World) -> String {
    let links = all(&world.exec("netns_router.r", "ip -o -br link"));
    let link = links.split_whitespace().find(|it| it.starts_with("int")).unwrap();
    link.split('@').next().unwrap().to_owned()
}

/// The state is whole, and nobody works on it.
pub(crate) fn sound(world: &World) {
    let text = std::fs::read_to_string(world.path().join("terraform.tfstate")).unwrap();
    let _: Value = serde_json::from_str(&text).unwrap();
    let left: Vec<String> = (std::fs::read_dir(world.path()).unwrap())
        .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|it| it.contains("journal") || it.contains("lock.info"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
