#!/usr/bin/env bash
# terraform-reads-our-state.sh [PLUMB]: applies the quickstart with plumb and has Terraform read the state file.
#
# Run by hand, where Terraform 1.11 is installed: nothing else needs it. `terraform show` of a state with Docker's
# resources asks for their provider's schema, which cannot be had without a network: there the state is read with
# `state list`, `state show` of what is built in, `output` and `state pull`; what `pull` prints must be our bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
plumb=$(realpath "${1:-target/debug/plumb}")
eval "$(tests/rigs/docker/env)"
work=$(mktemp -d)
cleanup() {
  "$plumb" -chdir="$work" destroy -auto-approve -no-color -var=prefix=plumb-reads >/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
cp examples/docker-quickstart/main.tf "$work"
cd "$work"
"$plumb" apply -auto-approve -no-color -var=prefix=plumb-reads >/dev/null

mkdir reader
cp terraform.tfstate reader/
cd reader
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") && echo "ok: $3"; }
same "$(terraform state list)" "$("$plumb" state list)" "state list"
same "$(terraform output -json)" "$("$plumb" output -json)" "output -json"
same "$(terraform state pull)" "$(cat ../terraform.tfstate)" "state pull"

# With built-in resources alone the whole state can be shown.
mkdir ../builtin
cd ../builtin
cat >main.tf <<'TF'
resource "terraform_data" "a" {
  input            = { list = [1, 2.5, "three"], nothing = null, text = "a\nb" }
  triggers_replace = [true]
}
resource "terraform_data" "b" {
  for_each = toset(["x", "y"])
  input    = sensitive(each.key)
}
# A null inside an output is one line that `terraform show` leaves out and we do not.
output "a" { value = terraform_data.a.output.text }
TF
"$plumb" apply -auto-approve -no-color >/dev/null
terraform init -input=false >/dev/null
same "$(terraform show -no-color)" "$("$plumb" show -no-color)" "show"
same "$(terraform show -json)" "$("$plumb" show -json)" "show -json"
terraform plan -detailed-exitcode >/dev/null && echo "ok: plan is empty"
