variable "a" { default = 1 }
variable "b" {
  type = object({x = optional(number, 3), y = string})
  default = { y = 4 }
  description = "d"
  sensitive = true
}
variable "e" { 
 type = string
 ephemeral = true
 default = null
}
variable "req" {
 type = list(string)
 default = []
 nullable = false
}
locals { l = [for i in [1,2] : i] }
resource "terraform_data" "a" {
  input = { x = { k = { z = "<" } }, n = [1, null, -3] }
}
resource "terraform_data" "b" {
  count = 2
  input = terraform_data.a.output.n[0]
  triggers_replace = [terraform_data.a.id, local.l, upper("x"), "${var.a}-${terraform_data.a.output.x["k"].z}", path.module, terraform.workspace]
  depends_on = [terraform_data.a]
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "c" {
  for_each = toset(["a", "b"])
  input = [[for x in [terraform_data.b[0].output]: x], [[terraform_data.b[0].output][0], terraform_data.b[*].id], each.key, module.m.o, module.k["x"].o, module.m, terraform_data.b[var.a].id, 1+2, false ? 1 : 2]
  triggers_replace = 1 + 2
}
resource "terraform_data" "d" { 
  input = terraform_data.c["a"].output[0]
}
data "terraform_remote_state" "r" {
  backend = "local"
  config = { path = "./x.tfstate" }
  defaults = { a = 1 }
}
module "m" {
  source = "./m"
  v = terraform_data.a.id
  depends_on = [terraform_data.b]
}
module "k" {
  source = "./m"
  for_each = { x = 1 }
  v = each.key
}
output "o" { 
  value = module.m.o
  description = "desc"
  sensitive = true
  depends_on = [module.k, terraform_data.b]
}
output "p" { value = data.terraform_remote_state.r.outputs }
check "c" {
  data "terraform_remote_state" "in_check" {
    backend = "local"
    config = { path = "./x.tfstate" }
  }
  assert {
   condition = var.a == 1
   error_message = "no"
  }
}
resource "terraform_data" "chain1" { input = 1 }
resource "terraform_data" "chain2" { input = terraform_data.chain1.output }
resource "terraform_data" "chain3" { input = "${terraform_data.chain2.input}${join("", local.viaz)}" }
resource "terraform_data" "chain4" {
 input = 1
 triggers_replace = terraform_data.chain5
 depends_on = [terraform_data.chain6]
  lifecycle {
   precondition { 
    condition = terraform_data.chain7.id != ""
    error_message = terraform_data.chain8.id
   }
 }
}
resource "terraform_data" "chain5" { }
resource "terraform_data" "chain6" { }
resource "terraform_data" "chain7" { }
resource "terraform_data" "chain8" { }
resource "terraform_data" "chain9" { count = 2 }
locals { viaz = terraform_data.chain9[*].id }
