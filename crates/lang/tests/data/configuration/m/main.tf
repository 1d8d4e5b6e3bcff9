variable "v" {}
resource "terraform_data" "i" { input = var.v }
module "n" {
 count = 1
 source = "./n"
}
output "o" { value = terraform_data.i.output }
output "q" { value = module.n[0].z }
