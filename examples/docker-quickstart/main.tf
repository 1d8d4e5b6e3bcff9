# One network, one container that serves a page on it. Run it with `./try` from the project's root, or:
#
#   eval "$(tests/rigs/docker/up)"
#   plumb -chdir=examples/docker-quickstart apply

terraform {
  required_providers {
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

# The engine is the one that DOCKER_HOST names.
provider "docker" {}

variable "base_image" {
  description = "A small image with a shell and busybox's httpd."
  type        = string
  default     = "127.0.0.1:5000/plumb-lab/busybox:1"
}

variable "prefix" {
  description = "Goes before every name."
  type        = string
  default     = "quickstart"
}

variable "greeting" {
  description = "What the page says."
  type        = string
  default     = "Hello from plumb"
}

# Replaced when the greeting changes, and the container with it.
resource "terraform_data" "page" {
  input = "<h1>${var.greeting}</h1>"
}

resource "docker_network" "quickstart" {
  name = "${var.prefix}-net"
}

resource "docker_image" "busybox" {
  name         = var.base_image
  keep_locally = true
}

resource "docker_container" "web" {
  name    = "${var.prefix}-web"
  image   = docker_image.busybox.image_id
  command = ["sh", "-c", "echo \"$PAGE\" >/www/index.html; exec httpd -f -p 80 -h /www"]
  env     = ["PAGE=${terraform_data.page.output}"]

  networks_advanced {
    name    = docker_network.quickstart.name
    aliases = ["web"]
  }
}

output "address" {
  description = "Where the page is served, from inside the engine's network."
  value       = "http://${docker_container.web.network_data[0].ip_address}/"
}
