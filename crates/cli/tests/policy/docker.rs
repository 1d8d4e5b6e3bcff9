//! The policies for Docker that come with the project, and one as people write them.

use crate::common::Lab;
use crate::world::{REFUSED, example, said};

const HEAD: &str = r#"terraform {
  required_providers { docker = { source = "kreuzwerker/docker" } }
}
provider "docker" { host = "tcp://127.0.0.1:1" }
"#;

fn lab(rest: &str) -> Lab {
    Lab::new(&format!("{HEAD}{rest}"))
}

#[test]
fn what_containers_may_not_be() {
    let lab = lab(r#"resource "docker_image" "web" { name = "localhost:5000/web" }
resource "docker_image" "pinned" { name = "localhost:5000/web:1.2" }
resource "docker_container" "web" {
  count      = 2
  name       = "web${count.index}"
  image      = docker_image.web.image_id
  privileged = count.index == 1
  memory     = 64
}
resource "docker_container" "raw" {
  name  = "raw"
  image = "nginx:latest"
}
"#);
    let (code, said) = said(&lab, &[&example("docker")]);
    assert_eq!(code, REFUSED);
    assert_eq!(
        said,
        [
            "error [Refused by policy main.deny_latest] docker_container.raw:14 docker_container.raw takes \
             \"nginx:latest\", which is another image tomorrow. Name a version or a digest.",
            "error [Refused by policy main.deny_latest] docker_image.web:5 docker_image.web takes \
             \"localhost:5000/web\", which is another image tomorrow. Name a version or a digest.",
            "error [Refused by policy main.deny_privileged] docker_container.web[1]:7 docker_container.web[1] \
             would be privileged: whoever gets into it has the machine.",
            "warning [Noticed by policy main.warn_memory] docker_container.raw:14 Nothing bounds the memory of \
             this container.",
        ]
    );
}

#[test]
fn what_is_in_order_passes() {
    let lab = lab(r#"resource "docker_image" "web" { name = "nginx:1.27" }
resource "docker_container" "web" {
  name   = "web"
  image  = docker_image.web.image_id
  memory = 64
}
"#);
    let (code, found) = said(&lab, &[&example("docker"), &example("generic")]);
    assert_eq!((code, found), (0, Vec::new()));
}

/// One that goes through planned values, as many do, with helpers and a rule for every kind of result.
#[test]
fn planned_values_are_walked() {
    let lab = lab(r#"resource "docker_network" "lab" {
  name = "lab"
}
module "inner" { source = "./inner" }
"#);
    lab.file(
        "inner/main.tf",
        r#"terraform {
  required_providers { docker = { source = "kreuzwerker/docker" } }
}
resource "docker_container" "it" {
  for_each = toset(["a b"])
  name     = "it"
  image    = "nginx:1.27"
  ports {
    internal = 80
    external = 80
    ip       = "0.0.0.0"
  }
}
"#,
    );
    lab.file(
        "policy/ports.rego",
        r#"package main

import input as tfplan

resources[r] {
  walk(tfplan.planned_values, [_, value])
  r := value.resources[_]
}

open_ports(r) = {p | port := r.values.ports[_]; port.ip == "0.0.0.0"; p := port.external}

violation[{"msg": msg, "details": {"ports": ports}}] {
  r := resources[_]
  r.type == "docker_container"
  ports := open_ports(r)
  count(ports) > 0
  msg := sprintf("%s opens %v to everybody", [r.address, ports])
}

deny[msg] {
  r := resources[_]
  r.type == "docker_network"
  not r.values.ipam_config
  msg = sprintf("%v has no address range of its own", [r.address])
}
"#,
    );
    let (code, said) = said(&lab, &["-policy=policy"]);
    assert_eq!(code, REFUSED);
    assert_eq!(
        said,
        ["error [Refused by policy main.violation] module.inner.docker_container.it[\"a b\"]:4 \
             module.inner.docker_container.it[\"a b\"] opens {80} to everybody",]
    );
}
