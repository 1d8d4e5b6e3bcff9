variable "prefix" {
  description = "Before all names."
  type        = string
  default     = "lab"
}

variable "outside" {
  description = "The network that the cloud reaches the outside by."
  type        = string
  default     = "public"
}

variable "image" {
  description = "What the machines are made from."
  type        = string
}

variable "flavor" {
  description = "Their size. Another one resizes them."
  type        = string
  default     = "m1.tiny"
}

variable "public_key" {
  description = "Whose key the machines let in. Left out, a key is made."
  type        = string
  default     = null
}

variable "subnet" {
  description = "Addresses of the network."
  type        = string
  default     = "10.77.1.0/24"
}

variable "second" {
  description = "Whether there is a second network with a router and a machine of its own."
  type        = bool
  default     = false
}

variable "second_subnet" {
  description = "Addresses of the second network."
  type        = string
  default     = "10.77.2.0/24"
}

variable "between_subnet" {
  description = "Addresses between the routers."
  type        = string
  default     = "10.77.9.0/24"
}

variable "snapshots" {
  description = "Names of images to take of the machine."
  type        = list(string)
  default     = []
}

variable "restore_from" {
  description = "Identifier of an image that the machine is to become; of a snapshot, say."
  type        = string
  default     = null
}
