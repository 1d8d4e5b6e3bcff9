//! Reports of real plans in a real browser: what they look like, and whether everybody can use them. Screenshots are in
//! `target/html/`. Needs Chromium, node and npm, and a kernel that lets a cloud be made; fails where one is missing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a configuration, whose cloud is taken away in the end.
struct Lab(TempDir);

impl Lab {
    fn new(main: &str) -> Lab {
        let lab = Lab(TempDir::new().unwrap());
        fs::write(lab.0.path().join("main.tf"), main).unwrap();
        lab
    }

    fn example(name: &str) -> Lab {
        let lab = Lab::new("");
        for entry in fs::read_dir(root().join("examples").join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "tf") {
                fs::copy(&path, lab.0.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        lab
    }

    fn plumb(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command.args(args).current_dir(self.0.path()).env("GITHUB_SHA", "0123abc");
        let output = command.output().unwrap();
        assert!(output.status.success(), "plumb {args:?}: {output:?}");
        output
    }

    /// The report of a plan.
    fn report(&self, name: &str, more: &[&str]) -> PathBuf {
        let path = self.0.path().join(format!("{name}.html"));
        let html = format!("-html={}", path.display());
        self.plumb(&[&["plan", "-no-color", &html], more].concat());
        path
    }

    /// The report of a look, after somebody changed something by hand.
    fn drift(&self) -> PathBuf {
        self.plumb(&[
            "exec",
            "netns_router.nat",
            "--",
            "ip",
            "route",
            "add",
            "10.9.0.0/16",
            "via",
            "10.0.2.15",
        ]);
        let path = self.0.path().join("drift.html");
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command.args(["drift", "-no-color"]).arg(format!("-html={}", path.display()));
        let output = command.current_dir(self.0.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        path
    }

    fn change(&self, from: &str, to: &str) {
        let path = self.0.path().join("main.tf");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the example has no {from} any more");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.0.path().join("terraform.tfstate").exists() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
            let _ = command.args(["destroy", "-auto-approve"]).current_dir(self.0.path()).output();
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn chromium() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut all = std::env::split_paths(&path).flat_map(|dir| names.map(|it| dir.join(it)));
    all.find(|it| it.is_file()).expect("Chromium is needed: `.ci/setup` brings it")
}

/// Opens the reports, and uses them.
fn check(reports: &[PathBuf]) {
    let scripts = root().join("tests/html");
    // What is needed is named with its hashes; nothing of it is run while it is put in place.
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&scripts);
    let done = npm.output().expect("npm is needed: `.ci/setup` brings it");
    assert!(done.status.success(), "{done:?}");
    let mut node = Command::new("node");
    node.arg("check.mjs").arg(chromium()).arg(root().join("target/html")).args(reports);
    let done = node.current_dir(&scripts).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
}

/// What is added to the lab: equal hosts, one in two networks, a cable.
const MORE: &str = r#"
    resource "netns_network" "extra" {
      name   = "extra"
      subnet = "192.168.40.0/24"
    }
    resource "netns_router_interface" "extra" {
      router  = netns_router.second.name
      network = netns_network.extra.name
    }
    resource "netns_host" "web" {
      count = 12
      name  = "web${count.index}"
      interface {
        network         = netns_network.extra.name
        security_groups = [netns_security_group.lab.name]
      }
    }
    resource "netns_host" "both" {
      name = "both"
      interface { network = netns_network.extra.name }
      interface { network = netns_network.private.name }
    }
    resource "netns_link" "cable" {
      name = "cable"
      end {
        host    = netns_host.both.name
        address = "192.168.99.1/30"
      }
      end {
        host    = netns_host.vm.name
        address = "192.168.99.2/30"
      }
    }
"#;

/// Names that would like to be more than names, a secret, a check that fails.
const HOSTILE: &str = r#"
    locals { bad = "</script></style></svg><img src=x onerror=alert(1)>\"'&\u202e\u0007" }
    variable "secret" {
      default   = "correct horse battery staple"
      sensitive = true
    }
    resource "terraform_data" "bad" {
      for_each = toset([local.bad])
      input    = { (local.bad) = each.key, secret = var.secret }
    }
    resource "netns_network" "n" {
      name   = "n"
      subnet = "10.0.0.0/24"
    }
    resource "netns_host" "h" {
      name = "h"
      interface { network = netns_network.n.name }
    }
    check "told" {
      assert {
        condition     = netns_network.n.name == "m"
        error_message = "It is ${local.bad}"
      }
    }
    output "bad" { value = local.bad }
"#;

/// As much as a page has to bear.
const MANY: &str = r#"
    resource "netns_network" "n" {
      name   = "n"
      subnet = "10.0.0.0/16"
    }
    resource "netns_host" "h" {
      count = 2000
      name  = "h${count.index}"
      interface { network = netns_network.n.name }
    }
"#;

#[test]
fn reports_are_well_in_a_browser() {
    let lab = Lab::example("lab");
    let mut reports = vec![lab.report("create", &[])];
    lab.plumb(&["apply", "-auto-approve", "-no-color"]);
    reports.push(lab.drift());
    lab.change("10.0.2.15", "10.0.2.16");
    lab.change("192.168.20.0/24", "192.168.30.0/24");
    lab.change("port    = netns_port.instance.name", "port    = netns_host.second.name");
    lab.change("external_address = \"198.51.100.2\"", "external_address = \"198.51.100.3\"");
    fs::write(lab.0.path().join("more.tf"), MORE).unwrap();
    reports.push(lab.report("change", &["-var=forward=false"]));
    reports.push(lab.report("destroy", &["-destroy"]));
    let hostile = Lab::new(HOSTILE);
    reports.push(hostile.report("hostile", &[]));
    let text = fs::read_to_string(&reports[4]).unwrap();
    assert!(!text.contains("correct horse"), "a secret is told");
    assert!(!text.contains("<img"), "a name is more than a name");
    let many = Lab::new(MANY);
    reports.push(many.report("many", &[]));
    let size = fs::metadata(&reports[5]).unwrap().len();
    assert!(size < 4_000_000, "{size} bytes");
    check(&reports);
}
