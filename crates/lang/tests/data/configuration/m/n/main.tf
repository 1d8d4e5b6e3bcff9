output "z" { value = 1 }
variable "q" {
 ephemeral = true
 default = 1
}
output "eph" {
  ephemeral = true
 value = var.q
}
