//! Whole commands on `terraform_data`, from the command line to the state file and back.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::Lab;
use expect_test::expect;

const LAYERS: &str = r#"
variable "size" {
  type        = number
  default     = 2
  description = "How many."
}

resource "terraform_data" "node" {
  count = var.size
  input = "node ${count.index}"
}

resource "terraform_data" "hub" {
  input            = [for it in terraform_data.node : it.output]
  triggers_replace = var.size
}

output "hub" {
  value = terraform_data.hub.output
}
"#;

#[test]
fn a_life_from_create_to_destroy() {
    let lab = Lab::new(LAYERS);
    expect![[r#"

        Plumb used the selected providers to generate the following execution plan.
        Resource actions are indicated with the following symbols:
          + create

        Plumb will perform the following actions:

          # terraform_data.hub will be created
          + resource "terraform_data" "hub" {
              + id               = (known after apply)
              + input            = [
                  + (known after apply),
                  + (known after apply),
                ]
              + output           = (known after apply)
              + triggers_replace = 2
            }

          # terraform_data.node[0] will be created
          + resource "terraform_data" "node" {
              + id     = (known after apply)
              + input  = "node 0"
              + output = (known after apply)
            }

          # terraform_data.node[1] will be created
          + resource "terraform_data" "node" {
              + id     = (known after apply)
              + input  = "node 1"
              + output = (known after apply)
            }

        Plan: 3 to add, 0 to change, 0 to destroy.

        Changes to Outputs:
          + hub = (known after apply)
        terraform_data.node[0]: Creating...
        terraform_data.node[0]: Creation complete after 0s [id={uuid}]
        terraform_data.node[1]: Creating...
        terraform_data.node[1]: Creation complete after 0s [id={uuid}]
        terraform_data.hub: Creating...
        terraform_data.hub: Creation complete after 0s [id={uuid}]

        Apply complete! Resources: 3 added, 0 changed, 0 destroyed.

        Outputs:

        hub = [
          "node 0",
          "node 1",
        ]
    "#]]
    .assert_eq(&lab.ok(&["apply", "-auto-approve", "-no-color", "-parallelism=1"]));
    let calm = lab.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(calm.code, 0);
    expect![[r#"

        No changes. Your infrastructure matches the configuration.

        Plumb has compared your real infrastructure against your configuration and
        found no differences, so no changes are needed.
    "#]]
    .assert_eq(&calm.out);
    let grown = lab.run(&["plan", "-no-color", "-detailed-exitcode", "-var", "size=3"]);
    assert_eq!(grown.code, 2);
    expect![[r#"

        Plumb used the selected providers to generate the following execution plan.
        Resource actions are indicated with the following symbols:
          + create
        -/+ destroy and then create replacement

        Plumb will perform the following actions:

          # terraform_data.hub must be replaced
        -/+ resource "terraform_data" "hub" {
              ~ id               = "{uuid}" -> (known after apply)
              ~ input            = [
                    # (1 unchanged element hidden)
                    "node 1",
                  + (known after apply),
                ]
              ~ output           = [
                  - "node 0",
                  - "node 1",
                ] -> (known after apply)
              ~ triggers_replace = 2 -> 3 # forces replacement
            }

          # terraform_data.node[2] will be created
          + resource "terraform_data" "node" {
              + id     = (known after apply)
              + input  = "node 2"
              + output = (known after apply)
            }

        Plan: 2 to add, 0 to change, 1 to destroy.

        Changes to Outputs:
          ~ hub = [
              - "node 0",
              - "node 1",
            ] -> (known after apply)

        ─────────────────────────────────────────────────────────────────────────────

        Note: You didn't use the -out option to save this plan, so Plumb can't
        guarantee to take exactly these actions if you run "plumb apply" now.
    "#]]
    .assert_eq(&grown.out);
    lab.ok(&["apply", "-auto-approve", "-var=size=3"]);
    expect![[r#"
        terraform_data.hub
        terraform_data.node[0]
        terraform_data.node[1]
        terraform_data.node[2]
    "#]]
    .assert_eq(&lab.ok(&["state", "list"]));
    expect![[r##"
        # terraform_data.hub:
        resource "terraform_data" "hub" {
            id               = "{uuid}"
            input            = [
                "node 0",
                "node 1",
                "node 2",
            ]
            output           = [
                "node 0",
                "node 1",
                "node 2",
            ]
            triggers_replace = 3
        }
    "##]]
    .assert_eq(&lab.ok(&["state", "show", "-no-color", "terraform_data.hub"]));
    expect![[r#"
        hub = [
          "node 0",
          "node 1",
          "node 2",
        ]
    "#]]
    .assert_eq(&lab.ok(&["output"]));
    expect![[r#"
        ["node 0","node 1","node 2"]
    "#]]
    .assert_eq(&lab.ok(&["output", "-json", "hub"]));
    expect![[r#"

        Plumb used the selected providers to generate the following execution plan.
        Resource actions are indicated with the following symbols:
          - destroy

        Plumb will perform the following actions:

          # terraform_data.hub will be destroyed
          - resource "terraform_data" "hub" {
              - id               = "{uuid}" -> null
              - input            = [
                  - "node 0",
                  - "node 1",
                  - "node 2",
                ] -> null
              - output           = [
                  - "node 0",
                  - "node 1",
                  - "node 2",
                ] -> null
              - triggers_replace = 3 -> null
            }

          # terraform_data.node[0] will be destroyed
          - resource "terraform_data" "node" {
              - id     = "{uuid}" -> null
              - input  = "node 0" -> null
              - output = "node 0" -> null
            }

          # terraform_data.node[1] will be destroyed
          - resource "terraform_data" "node" {
              - id     = "{uuid}" -> null
              - input  = "node 1" -> null
              - output = "node 1" -> null
            }

          # terraform_data.node[2] will be destroyed
          - resource "terraform_data" "node" {
              - id     = "{uuid}" -> null
              - input  = "node 2" -> null
              - output = "node 2" -> null
            }

        Plan: 0 to add, 0 to change, 4 to destroy.

        Changes to Outputs:
          - hub = [
              - "node 0",
              - "node 1",
              - "node 2",
            ] -> null
        terraform_data.hub: Destroying... [id={uuid}]
        terraform_data.hub: Destruction complete after 0s
        terraform_data.node[0]: Destroying... [id={uuid}]
        terraform_data.node[0]: Destruction complete after 0s
        terraform_data.node[1]: Destroying... [id={uuid}]
        terraform_data.node[1]: Destruction complete after 0s
        terraform_data.node[2]: Destroying... [id={uuid}]
        terraform_data.node[2]: Destruction complete after 0s

        Destroy complete! Resources: 4 destroyed.
    "#]]
    .assert_eq(&lab.ok(&["destroy", "-auto-approve", "-no-color", "-parallelism=1"]));
    assert_eq!(lab.ok(&["state", "list"]), "");
}

#[test]
fn applying_twice_changes_nothing_at_all() {
    let lab = Lab::new(LAYERS);
    lab.ok(&["apply", "-auto-approve"]);
    let before = lab.state();
    expect![[r#"

        No changes. Your infrastructure matches the configuration.

        Plumb has compared your real infrastructure against your configuration and
        found no differences, so no changes are needed.

        Apply complete! Resources: 0 added, 0 changed, 0 destroyed.

        Outputs:

        hub = [
          "node 0",
          "node 1",
        ]
    "#]]
    .assert_eq(&lab.ok(&["apply", "-auto-approve", "-no-color"]));
    assert_eq!(lab.state(), before);
}

#[test]
fn a_saved_plan_is_applied_once() {
    let lab = Lab::new(LAYERS);
    lab.ok(&["plan", "-out=p", "-var=size=1"]);
    let shown = lab.ok(&["show", "-no-color", "p"]);
    assert!(shown.contains("Plan: 2 to add, 0 to change, 0 to destroy."), "{shown}");
    // What is applied is what was shown, whatever became of the files.
    lab.file("main.tf", "");
    let applied = lab.ok(&["apply", "-no-color", "p"]);
    assert!(applied.contains("Apply complete! Resources: 2 added, 0 changed, 0 destroyed."));
    let again = lab.run(&["apply", "-no-color", "p"]);
    assert_eq!(again.code, 1);
    expect![[r#"
        Error: Saved plan is stale

        The given plan file can no longer be applied because the state was changed by
        another operation after the plan was created.
    "#]]
    .assert_eq(again.err.trim_start());
}

#[test]
fn a_saved_plan_that_was_tampered_with_is_refused() {
    use std::io::{Read, Write};
    let lab = Lab::new(LAYERS);
    lab.ok(&["plan", "-out=p"]);
    let mut text = String::new();
    let packed = std::fs::File::open(lab.path("p")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let other = text.replace("node ${", "other ${");
    assert_ne!(text, other);
    let file = std::fs::File::create(lab.path("p")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(other.as_bytes()).unwrap();
    packed.finish().unwrap();
    let ran = lab.run(&["apply", "-no-color", "p"]);
    assert_eq!(ran.code, 1);
    expect![[r#"
        Error: Saved plan cannot be made again

        Made again from what was saved, the plan is not the one that was shown: it
        was saved by another version of plumb, or the file was changed. Make a new
        plan.
    "#]]
    .assert_eq(ran.err.trim_start());
    assert_eq!(lab.ok(&["state", "list"]), "");
}

#[test]
fn the_strongest_value_of_a_variable_counts() {
    let lab = Lab::new(
        "variable \"v\" {\n  default = \"default\"\n}\noutput \"v\" {\n  value = var.v\n}\n",
    );
    let value = |args: &[&str]| {
        let mut all = vec!["apply", "-auto-approve"];
        all.extend(args);
        let output = lab.command(&all).env("TF_VAR_v", "env").output().unwrap();
        assert!(output.status.success());
        lab.ok(&["output", "-raw", "v"])
    };
    assert_eq!(value(&[]), "env");
    lab.file("terraform.tfvars", "v = \"tfvars\"\n");
    assert_eq!(value(&[]), "tfvars");
    lab.file("b.auto.tfvars", "v = \"b\"\n");
    lab.file("a.auto.tfvars", "v = \"a\"\n");
    assert_eq!(value(&[]), "b");
    lab.file("x.tfvars", "v = \"x\"\n");
    assert_eq!(value(&["-var=v=typed", "-var-file=x.tfvars"]), "x");
    assert_eq!(value(&["-var-file=x.tfvars", "-var=v=typed"]), "typed");
}

#[test]
fn work_on_the_state() {
    let lab = Lab::new(LAYERS);
    lab.ok(&["apply", "-auto-approve"]);
    expect![[r#"
        Move "terraform_data.hub" to "terraform_data.spoke"
        Successfully moved 1 object(s).
    "#]]
    .assert_eq(&lab.ok(&["state", "mv", "terraform_data.hub", "terraform_data.spoke"]));
    expect![[r#"
        Removed terraform_data.node[0]
        Removed terraform_data.node[1]
        Successfully removed 2 resource instance(s).
    "#]]
    .assert_eq(&lab.ok(&["state", "rm", "terraform_data.node"]));
    expect![[r#"
        Resource instance terraform_data.spoke has been marked as tainted.
    "#]]
    .assert_eq(&lab.ok(&["taint", "terraform_data.spoke"]));
    expect![[r#"
        terraform_data.spoke
    "#]]
    .assert_eq(&lab.ok(&["state", "list"]));
    let pulled = lab.ok(&["state", "pull"]);
    lab.file("copy.tfstate", &lab.state().unwrap());
    assert!(pulled.contains("\"status\": \"tainted\""), "{pulled}");
    lab.ok(&["state", "push", "copy.tfstate"]);
    let ran = lab.run(&["import", "terraform_data.node[0]", "from-elsewhere"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    expect![[r##"
        # terraform_data.node[0]:
        resource "terraform_data" "node" {
            id = "from-elsewhere"
        }
    "##]]
    .assert_eq(&lab.ok(&["state", "show", "-no-color", "terraform_data.node[0]"]));
}

#[test]
fn lines_of_json() {
    let lab = Lab::new("resource \"terraform_data\" \"a\" {\n  input = 1\n}\n");
    let out = lab.ok(&["apply", "-auto-approve", "-json"]);
    let kinds: Vec<String> = out
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            line["type"].as_str().unwrap().to_owned()
        })
        .collect();
    expect![[r#"
        version
        planned_change
        change_summary
        apply_start
        apply_complete
        change_summary"#]]
    .assert_eq(&kinds.join("\n"));
}

#[test]
fn words_of_help() {
    let lab = Lab::new("");
    expect![[r#"
        Usage: plumb [global options] <subcommand> [args]

        The available commands for execution are listed below.
        The primary workflow commands are given first, followed by
        less common or more advanced commands.

        Main commands:
          init          Prepare your working directory for other commands
          validate      Check whether the configuration is valid
          plan          Show changes required by the current configuration
          apply         Create or update infrastructure
          destroy       Destroy previously-created infrastructure

        All other commands:
          console       Try expressions at an interactive command prompt
          drift         Tell what moved away from what is remembered and declared; changes nothing
          exec          Run a command inside a host, or in the network of a router
          fmt           Reformat your configuration in the standard style
          force-unlock  Remove a stuck lock on the current workspace
          gitops        Follow a git repository: plan each new commit, and apply it under a policy
          graph         Generate a Graphviz graph of the steps in an operation
          import        Associate existing infrastructure with a resource
          lock          Look at the lock on the state
          logs          Show what a host's command wrote
          output        Show output values from your root module
          providers     Show the providers required for this configuration
          recover       Look into what an interrupted run left, and write down what came of it
          refresh       Update the state to match remote systems
          rollback      Plan the way back to an older snapshot of the state, and go it
          shell         Open a shell inside a host
          show          Show the current state or a saved plan
          state         Advanced state management
          taint         Mark a resource instance as not fully functional
          untaint       Remove the 'tainted' state from a resource instance
          version       Show the current version
          watch         Watch for drift as it happens, and repair it if asked to
          workspace     Workspace management

        Global options (use these before the subcommand, if any):
          -chdir=DIR    Switch to a different working directory before executing the
                        given subcommand.
          -help         Show this help output, or the help for a specified subcommand.
          -version      An alias for the "version" subcommand.
    "#]]
    .assert_eq(&lab.ok(&["-help"]));
    expect![[r#"
        Usage: plumb [global options] output [options] [NAME]

          Show output values from your root module.

        Options:

          -compact-warnings      If any warnings are shown, show them in a more compact
                                 form that includes only the summary messages.

          -json                  If specified, machine readable output will be printed
                                 in JSON format.

          -no-color              If specified, output won't contain any color.

          -raw                   For value types that can be automatically converted to
                                 a string, print the raw string directly.

          -state=path            Path to the state file.
    "#]]
    .assert_eq(&lab.ok(&["output", "-help"]));
    expect![[r#"
        Plumb v0.1.0
        on linux_amd64

        Speaks the language and formats of Terraform v1.11.4
    "#]]
    .assert_eq(&lab.ok(&["version"]));
}

#[test]
fn a_question_before_anything_is_done() {
    use std::io::Write;
    let lab = Lab::new("resource \"terraform_data\" \"a\" {}\n");
    let mut child = lab
        .command(&["apply", "-no-color"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    let ran = lab.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0);
    let asked = ran.out.split("0 to destroy.\n").nth(1).unwrap();
    expect![[r#"

        Do you want to perform these actions?
          Plumb will perform the actions described above.
          Only 'yes' will be accepted to approve.

          Enter a value: 
        terraform_data.a: Creating...
        terraform_data.a: Creation complete after 0s [id={uuid}]

        Apply complete! Resources: 1 added, 0 changed, 0 destroyed.
    "#]]
    .assert_eq(asked);
    let ran = lab.run(&["destroy", "-no-color"]);
    assert_eq!(ran.code, 1);
    assert_eq!(lab.ok(&["state", "list"]), "terraform_data.a\n");
}

#[test]
fn a_chain_of_modules_is_drawn() {
    let lab = Lab::new(
        "module \"m\" {\n  source = \"./m\"\n  count  = 2\n  name   = \"m${count.index}\"\n}\n\
         resource \"terraform_data\" \"last\" {\n  input = module.m[*].id\n}\n",
    );
    lab.file(
        "m/main.tf",
        "variable \"name\" {}\nresource \"terraform_data\" \"one\" {\n  input = var.name\n}\n\
         output \"id\" {\n  value = terraform_data.one.id\n}\n",
    );
    expect![[r#"
        digraph G {
          rankdir = "RL";
          node [shape = rect, fontname = "sans-serif"];
          "module.m.terraform_data.one" [label="terraform_data.one"];
          "terraform_data.last" [label="terraform_data.last"];
          "terraform_data.last" -> "module.m.terraform_data.one";
        }
    "#]]
    .assert_eq(&lab.ok(&["graph"]));
    expect![[r#"

        Providers required by configuration:
        .
        ├── provider[terraform.io/builtin/terraform]
        └── module.m
            └── provider[terraform.io/builtin/terraform]

    "#]]
    .assert_eq(&lab.ok(&["providers"]));
    lab.ok(&["apply", "-auto-approve"]);
    expect![[r#"
        terraform_data.last
        module.m[0].terraform_data.one
        module.m[1].terraform_data.one
    "#]]
    .assert_eq(&lab.ok(&["state", "list"]));
}

#[test]
fn commands_beside_an_object() {
    let lab = Lab::new(
        r#"
        variable "token" {
          default   = "hush"
          sensitive = true
        }
        resource "terraform_data" "x" {
          input = "it"
          provisioner "local-exec" {
            command     = "echo $GREETING ${self.input}; pwd"
            working_dir = "/"
            environment = { GREETING = "hello" }
          }
          provisioner "local-exec" {
            command = "echo ${var.token}"
          }
          provisioner "local-exec" {
            command     = "exit 3"
            interpreter = ["/bin/sh", "-ec"]
          }
        }
        "#,
    );
    let ran = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, 1);
    let said: Vec<&str> = ran.out.lines().filter(|it| it.contains("local-exec")).collect();
    expect![[r#"
        terraform_data.x: Provisioning with 'local-exec'...
        terraform_data.x (local-exec): Executing: ["/bin/sh" "-c" "echo $GREETING it; pwd"]
        terraform_data.x (local-exec): hello it
        terraform_data.x (local-exec): /
        terraform_data.x: Provisioning with 'local-exec'...
        terraform_data.x (local-exec): (output suppressed due to sensitive value in config)
        terraform_data.x (local-exec): (output suppressed due to sensitive value in config)
        terraform_data.x: Provisioning with 'local-exec'...
        terraform_data.x (local-exec): Executing: ["/bin/sh" "-ec" "exit 3"]"#]]
    .assert_eq(&said.join("\n"));
    expect![[r#"

        Error: local-exec provisioner error

          with terraform_data.x,
          on main.tf line 16:
          16:           provisioner "local-exec" {
                                                 ^

        Error running command 'exit 3': exit status 3. Output: 
    "#]]
    .assert_eq(&ran.err);
    assert!(lab.state().unwrap().contains("\"tainted\""));
}

#[test]
fn files_in_json() {
    let lab = Lab::new("variable \"size\" {}\n");
    lab.file(
        "more.tf.json",
        r#"{
  "locals": {"twice": "${var.size * 2}"},
  "resource": {"terraform_data": {"x": {"count": 2, "input": {"a b": "${local.twice} of ${count.index}"}}}},
  "output": {"all": {"value": "${terraform_data.x[*].output}"}}
}"#,
    );
    lab.file("x_override.tf.json", r#"{"variable": {"size": {"default": 3}}}"#);
    lab.ok(&["apply", "-auto-approve"]);
    let out = lab.ok(&["output", "-json", "all"]);
    assert_eq!(out.trim(), r#"[{"a b":"6 of 0"},{"a b":"6 of 1"}]"#);
    // What is a block is said by the provider's schema.
    let container = |volume: &str| {
        format!(
            r#"{{"resource": {{"docker_container": {{"x": {{
  "name": "x", "image": "y",
  "ports": [{{"internal": 80}}, {{"internal": "${{80 + 1}}"}}],
  "labels": {{"label": "a", "value": "b"}},
  "dynamic": {{"volumes": {{"for_each": ["/a"], "content": {{
    "{volume}": "${{volumes.value}}"
  }}}}}}
}}}}}}}}"#
        )
    };
    lab.file("more.tf.json", &container("container_path"));
    lab.ok(&["validate"]);
    lab.file("more.tf.json", &container("container_pat"));
    let ran = lab.run(&["validate", "-no-color"]);
    expect![[r#"

        Error: Extraneous JSON object property

          on more.tf.json line 6:
           6:     "container_pat": "${volumes.value}"
                  ^^^^^^^^^^^^^^^

        No argument or block type is named "container_pat".
    "#]]
    .assert_eq(&ran.err);
}
