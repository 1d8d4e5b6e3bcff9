variable "base_image" {
  description = "A Debian image with ping, ip and sshd."
  type        = string
  default     = "127.0.0.1:5000/plumb-lab/debian:12"
}

variable "prefix" {
  description = "Goes before every name, so that two labs can share an engine."
  type        = string
  default     = "lab"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.prefix))
    error_message = "The prefix must be a lower-case name: letters, digits and dashes."
  }
}

variable "subnet" {
  description = "The lab's network, /28 or larger."
  type        = string
  default     = "172.31.77.0/24"
}

variable "ssh_port" {
  description = "The host's port for ct2's ssh."
  type        = number
  default     = 2233
}

variable "snapshot" {
  description = "Change it to take a new snapshot of ct2."
  type        = string
  default     = "1"
}
