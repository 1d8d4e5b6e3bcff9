output "gateway" {
  description = "The host's side of the bridge."
  value       = local.gateway
}

output "addresses" {
  description = "Where each machine is on the lab's network."
  value = {
    ct1 = docker_container.ct1.network_data[0].ip_address
    ct2 = docker_container.ct2.network_data[0].ip_address
    ct3 = docker_container.ct3.network_data[0].ip_address
  }
}

output "ssh" {
  description = "How to reach ct2 from the host."
  value       = "ssh -p ${docker_container.ct2.ports[0].external} root@127.0.0.1"
}

output "snapshot" {
  description = "The image that ct3 runs."
  value       = docker_commit.ct2.image_id
}
