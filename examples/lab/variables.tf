variable "forward" {
  description = "Whether port 1234 of the VM's router leads to the VM's port 22."
  type        = bool
  default     = true
}

variable "vm_memory" {
  description = "How much memory the VM may use."
  type        = string
  default     = "256m"
}

variable "restored" {
  description = "Puts the VM's files back to what they were when the snapshot was taken. Only after the lab is up."
  type        = bool
  default     = false
}
