//! A job that is cancelled while it waits for another one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod common;

use common::Lab;

#[test]
fn who_waits_for_the_lock_can_be_interrupted() {
    let lab = Lab::new("resource \"terraform_data\" \"a\" {}\n");
    // Somebody who is asked, and thinks about it.
    let mut first = lab
        .command(&["apply", "-no-color"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(first.stdout.take().unwrap()).lines();
    said.find(|it| it.as_ref().unwrap().contains("Only 'yes' will be accepted")).unwrap().unwrap();

    let mut second = lab
        .command(&["apply", "-no-color", "-auto-approve", "-lock-timeout=10m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut waits = BufReader::new(second.stdout.take().unwrap()).lines();
    waits.find(|it| it.as_ref().unwrap().contains("Acquiring state lock")).unwrap().unwrap();
    let pid = second.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let begun = Instant::now();
    while second.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_millis(7500) {
            second.kill().unwrap();
            panic!("it goes on waiting");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = lab.ran(&second.wait_with_output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("Interrupted while waiting for the state lock"), "{}", ran.err);
    assert!(!lab.state().unwrap_or_default().contains("terraform_data"));

    // The first one was not disturbed.
    first.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    said.for_each(|it| drop(it.unwrap()));
    assert!(first.wait().unwrap().success());
    assert!(lab.state().unwrap().contains("terraform_data"));
}
