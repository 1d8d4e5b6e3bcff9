//! What commands do with what policies say.

use serde_json::Value as Json;

use crate::common::Lab;
use crate::world::{REFUSED, example, plan};

const CONFIG: &str = r#"variable "size" {
  type    = number
  default = 1
}
resource "terraform_data" "box" {
  input = { size = var.size, tags = ["a"] }
}
"#;

const POLICY: &str = r#"package main
deny contains {"msg": msg, "severity": "high"} if {
  some change in input.resource_changes
  change.change.after.input.size > 3
  msg := sprintf("%s is too large", [change.address])
}
warn contains "it grows" if input.variables.size.value > 1
"#;

fn lab() -> Lab {
    let lab = Lab::new(CONFIG);
    lab.file("policy/size.rego", POLICY);
    lab
}

#[test]
fn a_refused_plan_ends_with_three_and_is_not_saved() {
    let lab = lab();
    let options = ["-policy=policy", "-detailed-exitcode", "-out=p.plan"];
    let ran = plan(&lab, &[&options[..], &["-var=size=4"]].concat());
    assert_eq!(ran.code, REFUSED, "{}{}", ran.out, ran.err);
    let want = "\nError: Refused by policy main.deny\n\n  with terraform_data.box,\n  on main.tf line 5:\n   \
                5: resource \"terraform_data\" \"box\" {\n      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n\n\
                terraform_data.box is too large\n\n  severity: high\n\nThe rule is in policy/size.rego.\n";
    assert_eq!(ran.err, want);
    assert!(ran.out.contains("Noticed by policy main.warn"), "{}", ran.out);
    assert!(
        ran.out.ends_with("The plan is refused by policy. Nothing was changed.\n"),
        "{}",
        ran.out
    );
    assert!(!lab.path("p.plan").exists());

    let ran = plan(&lab, &options);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(lab.path("p.plan").exists());
}

#[test]
fn a_refused_plan_is_not_carried_out() {
    let lab = lab();
    // Refused before anybody is asked.
    for options in [&["-auto-approve"][..], &[], &["-auto-approve", "-json"]] {
        let args = ["apply", "-no-color", "-policy=policy", "-var=size=4"];
        let ran = lab.run(&[&args, options].concat());
        assert_eq!(ran.code, REFUSED, "{}{}", ran.out, ran.err);
        assert!(!ran.out.contains("Enter a value"), "{}", ran.out);
        assert_eq!(lab.state(), None);
        assert!(!lab.path(".terraform.tfstate.lock.info").exists());
    }
    lab.ok(&["apply", "-no-color", "-policy=policy", "-var=size=3", "-auto-approve"]);
    let before = lab.state().unwrap();
    let ran = lab.run(&["apply", "-no-color", "-policy=policy", "-var=size=4", "-auto-approve"]);
    assert_eq!((ran.code, lab.state().unwrap()), (REFUSED, before), "{}", ran.err);
}

#[test]
fn a_saved_plan_is_judged_when_it_is_applied() {
    let lab = lab();
    lab.ok(&["plan", "-no-color", "-var=size=4", "-out=p.plan"]);
    let ran = lab.run(&["apply", "-no-color", "-policy=policy", "p.plan"]);
    assert_eq!(ran.code, REFUSED, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("terraform_data.box is too large"), "{}", ran.err);
    assert_eq!(lab.state(), None);
    lab.file("policy/size.rego", &POLICY.replace("> 3", "> 4"));
    lab.ok(&["apply", "-no-color", "-policy=policy", "p.plan"]);
    assert!(lab.state().is_some());

    let ran = lab.run(&["destroy", "-auto-approve", "-no-color", "-policy=policy"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn machines_get_lines() {
    let lab = lab();
    let ran = lab.run(&["plan", "-json", "-policy=policy", "-var=size=4"]);
    assert_eq!((ran.code, &*ran.err), (REFUSED, ""));
    let lines: Vec<Json> = ran.out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let found = lines.iter().find(|it| it["@level"] == "error").unwrap();
    assert_eq!(found["diagnostic"]["address"], "terraform_data.box");
    assert_eq!(found["diagnostic"]["range"]["filename"], "main.tf");
    assert_eq!(found["diagnostic"]["range"]["start"]["line"], 5);
}

#[test]
fn policies_see_what_show_gives() {
    let lab = lab();
    lab.file("policy/size.rego", "package main\nwarn contains json.marshal(input)");
    let secret = "variable \"key\" {\n  sensitive = true\n  default = \"hidden\"\n}\n\
                  resource \"terraform_data\" \"key\" { input = var.key }\n";
    lab.file("more.tf", secret);
    let ran = lab.run(&["plan", "-json", "-policy=policy", "-out=p.plan"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let lines = ran.out.lines().map(|it| serde_json::from_str::<Json>(it).unwrap());
    let said = lines.filter_map(|it| it["diagnostic"]["detail"].as_str().map(str::to_owned)).next();
    let said = said.unwrap();
    let seen: Json = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let shown: Json = serde_json::from_str(&lab.ok(&["show", "-json", "p.plan"])).unwrap();
    assert_eq!(seen, shown);
    assert!(seen["resource_changes"].as_array().is_some_and(|it| it.len() == 2));
}

#[test]
fn what_is_broken_never_passes() {
    let lab = lab();
    let fails = |options: &[&str], want: &str| {
        let ran = plan(&lab, options);
        assert_eq!(ran.code, 1, "{options:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(want), "{options:?}: {}", ran.err);
        // It is found before anything is planned, if it can be.
        assert!(!ran.out.contains("will be created") || want.contains("frob"), "{}", ran.out);
    };
    fails(&["-policy=nowhere"], "nowhere cannot be read: No such file or directory");
    lab.file("empty/x_test.rego", "package main\ndeny contains \"x\"");
    lab.file("empty/.hidden.rego", "package main\ndeny contains \"x\"");
    fails(&["-policy=empty"], "There is no file in empty that ends with .rego");
    fails(&["-policy=policy", "-policy=empty"], "There is no file in empty");
    fails(&["-policy=policy", "-policy-namespace=other"], "in the package other");
    fails(&["-policy-namespace=main"], "without the -policy option");
    lab.file("torn/a.rego", "package main\n\ndeny contains msg if {\n  msg := \n}\n");
    fails(&["-policy=torn"], "Error: Broken policy\n\n  on torn/a.rego line 4");
    lab.file("data/a.rego", "package main\ndeny contains \"x\" if data.x");
    lab.file("data/x.json", "{");
    fails(&["-policy=data"], "on data/x.json line 1");
    lab.file("unknown/a.rego", "package main\ndeny contains \"x\" if frob(input)\n");
    fails(&["-policy=unknown"], "Could not find function frob.");
    let apply = ["apply", "-auto-approve", "-no-color", "-policy=unknown"];
    let ran = lab.run(&apply);
    assert_eq!((ran.code, lab.state()), (1, None), "{}", ran.err);
    assert!(!lab.path(".terraform.tfstate.lock.info").exists());
}

#[test]
fn several_folders_and_namespaces() {
    let lab = lab();
    lab.file("more/deep/limits.json", "{\"max\": 1}");
    lab.file(
        "more/deep/a.rego",
        "package lab.more\ndeny contains \"deep\" if data.deep.max == 1\n",
    );
    let both = ["-policy=policy", "-policy=more", "-var=size=4"];
    let ran = plan(&lab, &[&both[..], &["-policy-namespace=all"]].concat());
    assert_eq!(ran.code, REFUSED);
    for it in ["Refused by policy main.deny\n", "Refused by policy lab.more.deny\n"] {
        assert!(ran.err.contains(it), "{}", ran.err);
    }
    let ran = plan(&lab, &[&both[..], &["-policy-namespace=lab.more"]].concat());
    assert!(!ran.err.contains("main.deny") && ran.err.contains("lab.more.deny"), "{}", ran.err);
    // One file is a directory of one.
    assert_eq!(plan(&lab, &["-policy=policy/size.rego"]).code, 0);
    assert_eq!(plan(&lab, &[&example("generic")]).code, 0);
}
